/* dssr-upscale: enlarges a video file.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"

#include <glib-unix.h>
#include <glib/gstdio.h>
#include <gst/pbutils/missing-plugins.h>
#include <locale.h>
#include <signal.h>

/* Exit codes, as shells have them. */
#define EXIT_INTERRUPTED 130

/* How long the file may take to be finished after an error. */
#define FINISH_SECONDS 20

/* A file that stops this much before its promised end has lost something. */
#define END_TOLERANCE (GST_SECOND / 2)

/* How long the first packet may take. GStreamer 1.22's parsebin can lose the
 * error of a demuxer that fails while it is being linked. */
#define START_SECONDS 15

/* Packets at the beginning that hold no frame, as Theora has. */
#define HEADERS 3

typedef struct {
  UpscaleJob *job;
  GMainLoop *loop;
  UpscaleProgress progress;
  GError *error; /* the first */
  gboolean interrupted;
  gboolean finished; /* EOS has reached the file */
  guint deadline;    /* source that ends the wait for EOS after an error */
} Run;

static gboolean
give_up (gpointer data)
{
  Run *run = data;
  g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

static void
note (Run *run, const char *kind, const char *text)
{
  upscale_progress_break (&run->progress);
  g_printerr ("dssr-upscale: %s%s\n", kind, text);
}

static gboolean
interrupted (gpointer data)
{
  Run *run = data;
  if (run->interrupted || run->error) {
    g_main_loop_quit (run->loop);
    return G_SOURCE_CONTINUE;
  }
  run->interrupted = TRUE;
  note (run, "", "finishing the file; once more to give it up");
  upscale_job_stop (run->job);
  return G_SOURCE_CONTINUE;
}

GError *
upscale_bus_error (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, &debug);
  else
    gst_message_parse_warning (message, &error, &debug);
  /* The last line of the detail is for people, those before are for
   * programmers. */
  const char *detail = debug ? strrchr (debug, '\n') : NULL;
  if (!detail || !detail[1] || strstr (error->message, detail + 1))
    return g_error_copy (error);
  return g_error_new (
      error->domain, error->code, "%s (%s)", error->message, detail + 1);
}

/* Frames that are enlarged make a playable file, if it can be written. */
static gboolean
can_finish (Run *run)
{
  UpscaleState state;
  upscale_job_get_state (run->job, &state);
  return state.frames > 0
         && !g_error_matches (
             run->error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE)
         && !g_error_matches (
             run->error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}

/* Takes the error. */
static void
fail (Run *run, GError *error)
{
  if (run->error) {
    g_error_free (error);
    return;
  }
  run->error = error;
  if (run->error->domain == GST_STREAM_ERROR)
    g_prefix_error (&run->error,
        "the input is damaged, incomplete or of an unknown kind: ");
  if (can_finish (run)) {
    upscale_job_stop (run->job);
    run->deadline = g_timeout_add_seconds (FINISH_SECONDS, give_up, run);
  } else {
    g_main_loop_quit (run->loop);
  }
}

static gboolean
has_video (GstMessage *message)
{
  g_autoptr (GstStreamCollection) streams = NULL;
  gst_message_parse_stream_collection (message, &streams);
  for (guint i = 0; i < gst_stream_collection_get_size (streams); i++) {
    GstStream *stream = gst_stream_collection_get_stream (streams, i);
    if (gst_stream_get_stream_type (stream) & GST_STREAM_TYPE_VIDEO)
      return TRUE;
  }
  return FALSE;
}

static gboolean
bus_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Run *run = data;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    run->finished = TRUE;
    g_main_loop_quit (run->loop);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    fail (run, upscale_bus_error (message));
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_STREAM_COLLECTION) {
    if (!has_video (message))
      fail (run, g_error_new (UPSCALE_ERROR, 0,
                     "the input has no video; give a file that has"));
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING) {
    g_autoptr (GError) warning = upscale_bus_error (message);
    note (run, "warning: ", warning->message);
  } else if (gst_is_missing_plugin_message (message)) {
    g_autofree char *missing =
        gst_missing_plugin_message_get_description (message);
    note (run, "install the GStreamer plug-in for: ", missing);
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
show_progress (gpointer data)
{
  Run *run = data;
  UpscaleState state;
  upscale_job_get_state (run->job, &state);
  if (run->interrupted || run->error)
    return G_SOURCE_CONTINUE;
  if (state.packets == 0
      && g_get_monotonic_time () - run->progress.started
             > START_SECONDS * G_USEC_PER_SEC)
    fail (run, g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX,
                   "no video came out of it in %d seconds", START_SECONDS));
  else
    upscale_progress_update (&run->progress, &state);
  return G_SOURCE_CONTINUE;
}

static void
run_job (Run *run)
{
  GstElement *pipeline = upscale_job_get_pipeline (run->job);
  run->loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  guint sources[] = {
      gst_bus_add_watch (bus, bus_message, run),
      g_unix_signal_add (SIGINT, interrupted, run),
      g_unix_signal_add (SIGTERM, interrupted, run),
      g_timeout_add (500, show_progress, run),
  };
  upscale_progress_start (&run->progress);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (run->loop);
  show_progress (run);
  upscale_progress_break (&run->progress);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  if (run->deadline)
    g_source_remove (run->deadline);
  g_main_loop_unref (run->loop);
}

/* Whether the input gave what its container promises. */
static gboolean
check_whole (
    const UpscaleOptions *options, const UpscaleState *state, GError **error)
{
  if (GST_CLOCK_TIME_IS_VALID (state->duration)
      && state->end + END_TOLERANCE < state->duration)
    g_set_error (error, UPSCALE_ERROR, 0,
        "'%s' is cut short: %.1f of %.1f seconds are there", options->input,
        (double)state->end / GST_SECOND, (double)state->duration / GST_SECOND);
  else if (state->frames + state->packets / 10 + HEADERS < state->packets)
    g_set_error (error, UPSCALE_ERROR, 0,
        "'%s' is damaged: only %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
        " frames could be decoded",
        options->input, state->frames, state->packets);
  else
    return TRUE;
  return FALSE;
}

/* Gives the file its name if it is whole; keeps it as a partial one if it can
 * be played; else removes it. Returns the exit code. */
static int
settle_file (const UpscaleOptions *options, Run *run)
{
  UpscaleState state;
  upscale_job_get_state (run->job, &state);
  if (!run->error && !run->interrupted)
    check_whole (options, &state, &run->error);
  upscale_job_end (run->job);

  gboolean whole = run->finished && !run->error && !run->interrupted;
  if (whole && g_rename (options->partial, options->output) == 0)
    return 0;
  if (whole)
    g_set_error (&run->error, UPSCALE_ERROR, 0, "'%s' cannot be named '%s': %s",
        options->partial, options->output, g_strerror (errno));
  if (run->error)
    g_printerr ("dssr-upscale: %s\n", run->error->message);
  if (run->finished && state.frames > 0)
    g_printerr ("dssr-upscale: not whole: %" G_GUINT64_FORMAT
                " frames are in %s\n",
        state.frames, options->partial);
  else
    g_unlink (options->partial);
  return run->interrupted ? EXIT_INTERRUPTED : 1;
}

static int
enlarge_file (const UpscaleOptions *options, GError **error)
{
  g_autoptr (UpscaleJob) job = upscale_job_new (options, error);
  if (!job)
    return 1;
  Run run = {.job = job};
  run_job (&run);
  int code = settle_file (options, &run);
  g_clear_error (&run.error);
  return code;
}

static gboolean
check_plugin (GError **error)
{
  g_autoptr (GstElementFactory) factory =
      gst_element_factory_find ("dssuperres");
  if (!factory)
    g_set_error (error, UPSCALE_ERROR, 0,
        "GStreamer has no element 'dssuperres'; install dssr, or set "
        "GST_PLUGIN_PATH to the folder of libgstdssr.so");
  return factory != NULL;
}

int
main (int argc, char **argv)
{
  g_auto (UpscaleOptions) options = {0};
  g_autoptr (GError) error = NULL;
  int code = 1;
  setlocale (LC_ALL, "");
  if (!upscale_options_parse (&options, &argc, &argv, &error))
    code = 2;
  else if (check_plugin (&error)) {
    code = options.output ? enlarge_file (&options, &error) : 0;
    if (code == 0 && options.compare && !upscale_compare (&options, &error))
      code = 1;
  }
  if (error)
    g_printerr ("dssr-upscale: %s\n", error->message);
  return code;
}
