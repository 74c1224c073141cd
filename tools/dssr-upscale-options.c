/* dssr-upscale: the command line.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"
#include "engine/dssr.h"

#include <glib/gstdio.h>

static const char description[] =
    "Enlarges the video of INPUT into OUTPUT, an .mp4, .mov, .mkv or .webm "
    "file.\n"
    "Audio is kept; a rotated video is turned upright. The file has the name\n"
    "NAME.partial.EXTENSION until it is whole, and keeps it when the work is\n"
    "interrupted or INPUT is cut short.";

static gboolean
check_value (
    const char *option, gboolean valid, const char *wanted, GError **error)
{
  if (!valid)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
        "--%s must be %s", option, wanted);
  return valid;
}

static gboolean
same_file (const char *a, const char *b)
{
  GStatBuf stat_a, stat_b;
  return g_stat (a, &stat_a) == 0 && g_stat (b, &stat_b) == 0
         && stat_a.st_dev == stat_b.st_dev && stat_a.st_ino == stat_b.st_ino;
}

/* A file that may be written: not the input, and new unless --force. */
static gboolean
check_target (const UpscaleOptions *options, const char *target,
    gboolean overwrite, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (target);
  if (same_file (options->input, target))
    g_set_error (error, UPSCALE_ERROR, 0,
        "'%s' is the input itself; choose another name for the output", target);
  else if (g_file_test (target, G_FILE_TEST_IS_DIR))
    g_set_error (error, UPSCALE_ERROR, 0,
        "'%s' is a folder; give the name of a file in it", target);
  else if (!overwrite && g_file_test (target, G_FILE_TEST_EXISTS))
    g_set_error (error, UPSCALE_ERROR, 0,
        "'%s' exists; choose another name, or overwrite it with --force",
        target);
  else if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    g_set_error (error, UPSCALE_ERROR, 0,
        "the folder '%s' does not exist; create it first", folder);
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_readable (const char *filename, GError **error)
{
  if (!g_file_test (filename, G_FILE_TEST_EXISTS))
    g_set_error (error, UPSCALE_ERROR, 0, "there is no file '%s'", filename);
  else if (!g_file_test (filename, G_FILE_TEST_IS_REGULAR))
    g_set_error (error, UPSCALE_ERROR, 0, "'%s' is not a file", filename);
  else if (g_access (filename, R_OK) != 0)
    g_set_error (error, UPSCALE_ERROR, 0, "'%s' cannot be read: %s", filename,
        g_strerror (errno));
  else
    return TRUE;
  return FALSE;
}

static char *
partial_name (const char *output)
{
  const char *dot = strrchr (output, '.');
  return g_strdup_printf ("%.*s.partial%s", (int)(dot - output), output, dot);
}

static gboolean
check_files (UpscaleOptions *options, GError **error)
{
  if (!check_readable (options->input, error))
    return FALSE;
  if (options->model && !check_readable (options->model, error))
    return FALSE;
  if (options->output) {
    g_autoptr (GstElement) mux =
        upscale_format_make_mux (options->output, error);
    if (!mux || !check_target (options, options->output, options->force, error))
      return FALSE;
    options->partial = partial_name (options->output);
    if (!check_target (options, options->partial, TRUE, error))
      return FALSE;
  }
  return !options->compare
         || check_target (options, options->compare, options->force, error);
}

/* Which is the backend's that has devices. */
static gboolean
check_device (UpscaleOptions *options, GError **error)
{
  if (!options->backend)
    options->backend = g_strdup ("vulkan");
  if (!g_str_equal (options->backend, "vulkan")) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
        "--device is one of Vulkan's: --backend=%s does not go with it",
        options->backend);
    return FALSE;
  }
  if (dssr_check_device (options->device, error))
    return TRUE;
  g_prefix_error (error, "--device: ");
  return FALSE;
}

gboolean
upscale_options_parse (
    UpscaleOptions *options, int *argc, char ***argv, GError **error)
{
  g_auto (GStrv) files = NULL;
  *options = (UpscaleOptions){.lookahead = 1, .compare_at = -1};
  const GOptionEntry entries[] = {
      {"scale", 's', 0, G_OPTION_ARG_INT, &options->scale,
          "How many times wider and higher: 2 or 4 (default: the model's)",
          "N"},
      {"backend", 'b', 0, G_OPTION_ARG_STRING, &options->backend,
          "auto, scalar, cpu or vulkan (default: auto)", "NAME"},
      {"device", 'd', 0, G_OPTION_ARG_STRING, &options->device,
          "Device of Vulkan: its index, UUID or DRM node (default: the best)",
          "DEVICE"},
      {"model", 'm', 0, G_OPTION_ARG_FILENAME, &options->model,
          "Model file (default: the one that is shipped)", "FILE"},
      {"lookahead", 'l', 0, G_OPTION_ARG_INT, &options->lookahead,
          "Frames of the future to look at: 0 or 1 (default: 1)", "N"},
      {"threads", 't', 0, G_OPTION_ARG_INT, &options->threads,
          "Threads of the CPU backends, at most 64 (default: one for each "
          "core)",
          "N"},
      {"compare", 'c', 0, G_OPTION_ARG_FILENAME, &options->compare,
          "Write a picture: bicubic on the left, dssr on the right",
          "FILE.png"},
      {"compare-at", 0, 0, G_OPTION_ARG_DOUBLE, &options->compare_at,
          "The picture's place in the video (default: the middle)", "SECONDS"},
      {"force", 'f', 0, G_OPTION_ARG_NONE, &options->force,
          "Overwrite files that exist", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL,
          NULL},
      G_OPTION_ENTRY_NULL};
  g_autoptr (GOptionContext) context = g_option_context_new ("INPUT OUTPUT");
  g_option_context_set_summary (context, description);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;

  guint n_files = files ? g_strv_length (files) : 0;
  if (n_files < 1 || n_files > 2 || (n_files == 1 && !options->compare)) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
        "give INPUT and OUTPUT, or INPUT and --compare FILE.png; see --help");
    return FALSE;
  }
  options->input = g_strdup (files[0]);
  options->output = g_strdup (files[1]);

  static const char *const backends[] = {
      "auto", "scalar", "cpu", "vulkan", NULL};
  return check_value ("scale",
             options->scale == 0 || options->scale == 2 || options->scale == 4,
             "2 or 4", error)
         && check_value ("lookahead",
             options->lookahead == 0 || options->lookahead == 1, "0 or 1",
             error)
         && check_value ("threads",
             options->threads >= 0 && options->threads <= 64,
             "a number from 0 to 64", error)
         && check_value ("backend",
             !options->backend || g_strv_contains (backends, options->backend),
             "auto, scalar, cpu or vulkan", error)
         && (!options->device || check_device (options, error))
         && check_files (options, error);
}

void
upscale_options_clear (UpscaleOptions *options)
{
  g_free (options->input);
  g_free (options->output);
  g_free (options->partial);
  g_free (options->compare);
  g_free (options->model);
  g_free (options->backend);
  g_free (options->device);
}

void
upscale_options_apply (const UpscaleOptions *options, GstElement *element)
{
  g_object_set (element, "lookahead", options->lookahead, "threads",
      options->threads, NULL);
  if (options->model)
    g_object_set (element, "model", options->model, NULL);
  if (options->backend)
    gst_util_set_object_arg (G_OBJECT (element), "backend", options->backend);
  if (options->device)
    g_object_set (element, "device", options->device, NULL);
  if (options->scale)
    gst_util_set_object_arg (
        G_OBJECT (element), "scale", options->scale == 2 ? "2" : "4");
}
