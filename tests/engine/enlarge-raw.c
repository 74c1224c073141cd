/* Enlarges raw frames, grey or of three planes if the model is of RGB, from the
 * standard input to the standard output.
 *
 * enlarge-raw MODEL WIDTH HEIGHT DEPTH LOOKAHEAD
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dssr.h"

#include <stdio.h>
#include <stdlib.h>

static void
check (gboolean ok, GError *error)
{
  if (!ok) {
    fprintf (stderr, "enlarge-raw: %s\n", error ? error->message : "failed");
    exit (EXIT_FAILURE);
  }
}

/* Planes one after the other. */
static DssrPicture
describe (guint8 *data, int n_planes, int width, int height, int bytes)
{
  DssrPicture picture = {0};
  for (int i = 0; i < n_planes; i++)
    picture.planes[i] = (DssrPlane){data + (gsize)i * width * height * bytes,
        (ptrdiff_t)width * bytes, bytes};
  return picture;
}

static void
pull_all (DssrSession *session, const DssrPicture *out, gsize size)
{
  GError *error = NULL;
  while (dssr_session_peek (session)) {
    check (dssr_session_pull (session, out, &error), error);
    check (fwrite (out->planes[0].data, 1, size, stdout) == size, NULL);
  }
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  check (argc == 6, NULL);
  g_autoptr (DssrModel) model = dssr_model_open (argv[1], &error);
  check (model != NULL, error);
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
  config.format = (DssrFormat){
      .width = atoi (argv[2]),
      .height = atoi (argv[3]),
      .depth = atoi (argv[4]),
      .chroma = dssr_model_is_rgb (model) ? DSSR_CHROMA_RGB : DSSR_CHROMA_NONE,
  };
  config.lookahead = atoi (argv[5]);
  g_autoptr (DssrSession) session = dssr_session_new (model, &config, &error);
  check (session != NULL, error);

  int bytes = config.format.depth > 8 ? 2 : 1;
  int scale = dssr_model_get_scale (model);
  int n_planes = dssr_model_is_rgb (model) ? 3 : 1;
  int width = config.format.width, height = config.format.height;
  gsize size = (gsize)n_planes * width * height * bytes;
  gsize out_size = size * scale * scale;
  g_autofree guint8 *enlarged = g_malloc (out_size);
  DssrPicture out =
      describe (enlarged, n_planes, scale * width, scale * height, bytes);

  for (;;) {
    g_autofree guint8 *frame = g_malloc (size);
    if (fread (frame, 1, size, stdin) != size)
      break;
    DssrPicture in = describe (frame, n_planes, width, height, bytes);
    gpointer held = g_steal_pointer (&frame);
    check (dssr_session_push (session, &in, held, g_free, &error), error);
    pull_all (session, &out, out_size);
  }
  dssr_session_drain (session);
  pull_all (session, &out, out_size);
  return EXIT_SUCCESS;
}
