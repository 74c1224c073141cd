/* dssr-bench: the command line.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench.h"

#include <stdio.h>

static const char description[] =
    "Times the enlargement of video frames, one after the other, after a "
    "warm-up. With --kernels, times every kernel for every instruction set of "
    "this CPU, or with --backend=vulkan on a GPU.";

enum { FRAMES = 100, RUNS = 9 };

static gboolean
parse_size (const char *text, BenchOptions *options, GError **error)
{
  int end = 0;
  if (sscanf (text, "%5dx%5d%n", &options->width, &options->height, &end) == 2
      && text[end] == '\0' && options->width > 0 && options->height > 0)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "--size must be WIDTHxHEIGHT of the small picture, as in 480x270, not "
      "'%s'",
      text);
  return FALSE;
}

static gboolean
parse_backend (const char *text, BenchOptions *options, GError **error)
{
  static const char *const names[] = {[DSSR_BACKEND_AUTO] = "auto",
      [DSSR_BACKEND_SCALAR] = "scalar",
      [DSSR_BACKEND_CPU] = "cpu",
      [DSSR_BACKEND_VULKAN] = "vulkan"};
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    if (g_str_equal (text, names[i])) {
      options->backend = (DssrBackend)i;
      return TRUE;
    }
  }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "--backend must be auto, scalar, cpu or vulkan, not '%s'", text);
  return FALSE;
}

static gboolean
check_range (const char *option, int value, int min, int max, GError **error)
{
  if (value >= min && value <= max)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "--%s must be a number from %d to %d, not %d", option, min, max, value);
  return FALSE;
}

static char *
shipped_model (void)
{
  const char *folder = g_getenv ("DSSR_MODEL_DIR");
  return g_build_filename (folder && *folder ? folder : DSSR_MODEL_DIR_DEFAULT,
      "landscape-x4-balanced.safetensors", NULL);
}

gboolean
bench_options_parse (
    BenchOptions *options, int *argc, char ***argv, GError **error)
{
  g_autofree char *size = NULL;
  g_autofree char *backend = NULL;
  *options = (BenchOptions){.frames = -1, .in_flight = 1};
  const GOptionEntry entries[] = {
      {"model", 'm', 0, G_OPTION_ARG_FILENAME, &options->model,
          "Model file (default: the shipped landscape-x4-balanced)", "FILE"},
      {"size", 's', 0, G_OPTION_ARG_STRING, &size,
          "Size of the small picture (default: 480x270)", "WxH"},
      {"backend", 'b', 0, G_OPTION_ARG_STRING, &backend,
          "auto, scalar, cpu or vulkan (default: auto)", "NAME"},
      {"device", 'd', 0, G_OPTION_ARG_STRING, &options->device,
          "Device of Vulkan: its index, UUID or DRM node (default: the best)",
          "DEVICE"},
      {"threads", 't', 0, G_OPTION_ARG_INT, &options->threads,
          "Threads of the CPU backends, at most 64 (default: one for each "
          "core)",
          "N"},
      {"frames", 'n', 0, G_OPTION_ARG_INT, &options->frames,
          "Frames to time (default: 100), or runs of each kernel (default: 9)",
          "N"},
      {"in-flight", 'f', 0, G_OPTION_ARG_INT, &options->in_flight,
          "Frames in flight on a GPU, at most 4 (default: 1)", "N"},
      {"input", 'i', 0, G_OPTION_ARG_FILENAME, &options->input,
          "Video whose beginning is enlarged (default: noise that moves)",
          "FILE"},
      {"json", 'j', 0, G_OPTION_ARG_FILENAME, &options->json,
          "Write the result to this file as well", "FILE"},
      {"kernels", 'k', 0, G_OPTION_ARG_NONE, &options->kernels,
          "Time kernels, on one core, or with --backend=vulkan on the GPU",
          NULL},
      {"list", 'l', 0, G_OPTION_ARG_NONE, &options->list,
          "List the devices of Vulkan, and what each will use", NULL},
      G_OPTION_ENTRY_NULL};
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_summary (context, description);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
        "unexpected argument '%s'; see --help", (*argv)[1]);
    return FALSE;
  }
  if (options->device && !backend)
    backend = g_strdup ("vulkan");
  if (options->device && !g_str_equal (backend, "vulkan")) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
        "--device is one of Vulkan's: --backend=%s does not go with it",
        backend);
    return FALSE;
  }
  if (options->kernels
      && (options->model || options->threads || options->input
          || (backend && !g_str_equal (backend, "vulkan")))) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
        "--kernels times every kernel on one core, or on a GPU: --model, "
        "--threads, --input and a --backend other than vulkan do not go with "
        "it");
    return FALSE;
  }
  if (!options->model)
    options->model = shipped_model ();
  if (options->frames < 0)
    options->frames = options->kernels ? RUNS : FRAMES;
  return parse_size (size ? size : "480x270", options, error)
         && parse_backend (backend ? backend : "auto", options, error)
         && check_range ("threads", options->threads, 0, 64, error)
         && check_range ("frames", options->frames, 1, 1000000, error)
         && check_range (
             "in-flight", options->in_flight, 1, DSSR_MAX_FLIGHTS, error);
}

void
bench_options_clear (BenchOptions *options)
{
  g_free (options->model);
  g_free (options->device);
  g_free (options->input);
  g_free (options->json);
}
