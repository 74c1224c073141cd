/* The memory that four sub-models need which take turns in one session, beside
 * that of four sessions: the peak of a process of its own for each.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { N_MODELS = 4, N_FRAMES = 24, EVERY = 2, WIDTH = 960, HEIGHT = 540 };

static DssrModel *
open_model (int i)
{
  static const char *const names[N_MODELS] = {"landscape-x2-balanced",
      "portrait-x2-balanced", "landscape-x2-quality", "portrait-x2-quality"};
  g_autoptr (GError) error = NULL;
  g_autofree char *file = g_strconcat (names[i], ".safetensors", NULL);
  g_autofree char *path =
      g_build_filename (g_getenv ("DSSR_SHIPPED_MODELS"), file, NULL);
  DssrModel *model = dssr_model_open (path, &error);
  g_assert_no_error (error);
  return model;
}

static DssrSession *
start (int i)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrModel) model = open_model (i);
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
  config.backend = DSSR_BACKEND_CPU;
  config.threads = 2;
  config.format = (DssrFormat){
      .width = WIDTH,
      .height = HEIGHT,
      .depth = 8,
      .chroma = DSSR_CHROMA_420,
  };
  DssrSession *session = dssr_session_new (model, &config, &error);
  g_assert_no_error (error);
  return session;
}

static void
enlarge (DssrSession *session, Image *image, Image *out)
{
  g_autoptr (GError) error = NULL;

  dssr_session_push (session, &image->picture, image, image_release, &error);
  g_assert_no_error (error);
  if (dssr_session_peek (session))
    dssr_session_pull (session, &out->picture, &error);
  g_assert_no_error (error);
}

static void
rotate (Image **images, Image *out)
{
  g_autoptr (DssrSession) session = start (0);
  g_autoptr (GError) error = NULL;
  DssrPrepared *prepared[N_MODELS];

  for (int m = 0; m < N_MODELS; m++) {
    g_autoptr (DssrModel) model = open_model (m);
    prepared[m] = dssr_session_prepare_model (session, model, &error);
    g_assert_no_error (error);
  }
  for (int i = 0; i < N_FRAMES; i++) {
    dssr_session_switch_model (session, prepared[i / EVERY % N_MODELS], &error);
    g_assert_no_error (error);
    enlarge (session, images[i % N_MODELS], out);
  }
  for (int m = 0; m < N_MODELS; m++)
    dssr_prepared_unref (prepared[m]);
}

static void
run_beside (Image **images, Image *out)
{
  DssrSession *sessions[N_MODELS];

  for (int m = 0; m < N_MODELS; m++)
    sessions[m] = start (m);
  for (int i = 0; i < N_FRAMES; i++)
    enlarge (sessions[i / EVERY % N_MODELS], images[i % N_MODELS], out);
  for (int m = 0; m < N_MODELS; m++)
    dssr_session_free (sessions[m]);
}

/* The work of a child; prints the KiB that it had at most. */
static int
run_child (const char *mode)
{
  DssrFormat format = {
      .width = WIDTH, .height = HEIGHT, .depth = 8, .chroma = DSSR_CHROMA_420};
  Image *images[N_MODELS];
  struct rusage usage;

  /* More frames than the window, as a camera's pool has. */
  for (int i = 0; i < N_MODELS; i++) {
    images[i] = image_new (&format, &(Layout){0});
    image_draw (images[i], i);
  }
  format.width *= 2;
  format.height *= 2;
  g_autoptr (Image) out = image_new (&format, &(Layout){0});
  if (g_str_equal (mode, "rotate"))
    rotate (images, out);
  else if (g_str_equal (mode, "beside"))
    run_beside (images, out);
  for (int i = 0; i < N_MODELS; i++)
    image_free (images[i]);
  getrusage (RUSAGE_SELF, &usage);
  g_print ("%ld\n", usage.ru_maxrss);
  return EXIT_SUCCESS;
}

static char *program;

static double
measure (const char *mode)
{
  char *arguments[] = {program, (char *)mode, NULL};
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL, arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output,
      NULL, &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
  return g_ascii_strtod (output, NULL) / 1024;
}

static void
test_rotation (void)
{
  double none = measure ("none");
  double rotating = measure ("rotate");
  double beside = measure ("beside");

  g_test_message ("MiB at most: %.1f with four in rotation, %.1f with four "
                  "side by side, %.1f with none: %.1f %% less",
      rotating, beside, none, 100 * (1 - rotating / beside));
  g_assert_cmpfloat (rotating, >, none);
  g_assert_cmpfloat (rotating, <=, (1 - 0.62) * beside);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && argv[1][0] != '-')
    return run_child (argv[1]);
  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rotation", test_rotation);
  return g_test_run ();
}
