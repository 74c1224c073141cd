/* libFuzzer's target: any bytes as a model, and what is accepted must run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/model.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define WIDTH 9
#define HEIGHT 7
#define MAX_SCALE 4
/* Larger models would only be slow. */
#define MAX_MACS 20000

static void
run (DssrModel *model)
{
  static guint8 frames[2][WIDTH * HEIGHT] = {{255, 0, 128}};
  static guint8 out[MAX_SCALE * WIDTH * MAX_SCALE * HEIGHT];
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
  config.format = (DssrFormat){.width = WIDTH, .height = HEIGHT, .depth = 8};
  config.format.chroma =
      dssr_model_is_rgb (model) ? DSSR_CHROMA_RGB : DSSR_CHROMA_NONE;
  config.backend = DSSR_BACKEND_SCALAR;
  config.threads = 1;
  g_autoptr (DssrSession) session = dssr_session_new (model, &config, NULL);
  if (!session)
    return;
  DssrPlane plane = {out, WIDTH * dssr_model_get_scale (model), 1};
  DssrPicture enlarged = {{plane, plane, plane}};
  for (int i = 0; i < 2; i++) {
    DssrPlane small = {frames[i], WIDTH, 1};
    DssrPicture picture = {{small, small, small}};
    dssr_session_push (session, &picture, frames[i], NULL, NULL);
    if (i == 1)
      dssr_session_drain (session);
    while (dssr_session_peek (session))
      dssr_session_pull (session, &enlarged, NULL);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrModel) model = dssr_model_new_from_bytes (bytes, &error);
  if (!model)
    g_assert_error (error, DSSR_ERROR, DSSR_ERROR_MODEL);
  else if (dssr_model_get_macs (model) < MAX_MACS)
    run (model);
  return 0;
}
