/* dssr-upscale: the pipeline.
 *
 *   filesrc - parsebin - video: queue, decode, enlarge, encode - mux - filesink
 *                      \_ audio: queue, as it is or encoded anew _/
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"

/* The muxer waits for one stream while the file gives another: compressed data
 * may pile up. It is small; and the demuxers of most containers interleave by
 * time. */
#define QUEUE                                                                  \
  "queue name=first max-size-buffers=0 max-size-time=0 max-size-bytes="
#define AUDIO_QUEUE QUEUE "0"
#define VIDEO_QUEUE QUEUE "268435456"
/* Frames are large. */
#define FRAME_QUEUE "queue max-size-buffers=3 max-size-time=0 max-size-bytes=0"

struct _UpscaleJob {
  const UpscaleOptions *options;
  GstElement *pipeline, *mux, *video;
  int stopping; /* atomic */
  GMutex lock;
  UpscaleState state; /* under the lock */
  GstPad *source;     /* the video as parsebin gives it; under the lock */
  GMutex streams;     /* held while one is added */
  gboolean ended;     /* under streams: none is added any more */
};

static void
post_error (UpscaleJob *job, GError *error)
{
  gst_element_post_message (job->pipeline,
      gst_message_new_error (GST_OBJECT (job->pipeline), error, NULL));
  g_error_free (error);
}

/* A chain of elements that begins with QUEUE. A decodebin in it has no source
 * pad yet, which is why the pads have to be found here. */
static GstElement *
make_chain (const char *launch, GError **error)
{
  GstElement *bin = gst_parse_bin_from_description (launch, FALSE, error);
  if (!bin)
    return NULL;
  g_autoptr (GstElement) first = gst_bin_get_by_name (GST_BIN (bin), "first");
  g_autoptr (GstPad) sink = gst_element_get_static_pad (first, "sink");
  g_autoptr (GstPad) src =
      gst_bin_find_unlinked_pad (GST_BIN (bin), GST_PAD_SRC);
  gst_element_add_pad (bin, gst_ghost_pad_new ("sink", sink));
  gst_element_add_pad (bin, gst_ghost_pad_new ("src", src));
  return bin;
}

/* ---- What passes ---- */

static GstPadProbeReturn
count_packet (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  UpscaleJob *job = data;
  g_mutex_lock (&job->lock);
  job->state.packets++;
  g_mutex_unlock (&job->lock);
  return GST_PAD_PROBE_OK;
}

/* Where the buffer ends in the time of the file. */
static GstClockTime
buffer_end (GstPad *pad, GstBuffer *buffer)
{
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  if (!event || !GST_BUFFER_PTS_IS_VALID (buffer))
    return GST_CLOCK_TIME_NONE;
  const GstSegment *segment;
  gst_event_parse_segment (event, &segment);
  GstClockTime end = GST_BUFFER_PTS (buffer);
  if (GST_BUFFER_DURATION_IS_VALID (buffer))
    end += GST_BUFFER_DURATION (buffer);
  return gst_segment_to_stream_time (segment, GST_FORMAT_TIME, end);
}

static void
note_end (UpscaleJob *job, GstClockTime end)
{
  if (GST_CLOCK_TIME_IS_VALID (end))
    job->state.end = MAX (job->state.end, end);
}

static GstPadProbeReturn
pass_until_stopped (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  UpscaleJob *job = data;
  if (g_atomic_int_get (&job->stopping))
    return GST_PAD_PROBE_DROP;
  GstClockTime end = buffer_end (pad, GST_PAD_PROBE_INFO_BUFFER (info));
  g_mutex_lock (&job->lock);
  note_end (job, end);
  g_mutex_unlock (&job->lock);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
count_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  UpscaleJob *job = data;
  GstClockTime end = buffer_end (pad, GST_PAD_PROBE_INFO_BUFFER (info));
  g_mutex_lock (&job->lock);
  job->state.frames++;
  note_end (job, end);
  if (GST_CLOCK_TIME_IS_VALID (end))
    job->state.position = end;
  g_mutex_unlock (&job->lock);
  return GST_PAD_PROBE_OK;
}

static void
add_probe (GstElement *element, const char *name, GstPadProbeCallback callback,
    UpscaleJob *job)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, name);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, callback, job, NULL);
}

/* ---- Streams of the input ---- */

static gboolean
mux_takes (GstElement *mux, const GstCaps *caps)
{
  for (GList *item = gst_element_get_pad_template_list (mux); item;
       item = item->next) {
    GstPadTemplate *template = item->data;
    g_autoptr (GstCaps) taken = gst_pad_template_get_caps (template);
    if (GST_PAD_TEMPLATE_DIRECTION (template) == GST_PAD_SINK
        && gst_caps_can_intersect (taken, caps))
      return TRUE;
  }
  return FALSE;
}

/* What stands between the audio of the input and the muxer: a queue, then a
 * parser that packs AAC anew, or a decoder and an encoder, if needed. */
static char *
describe_audio (UpscaleJob *job, const GstCaps *caps, GError **error)
{
  if (mux_takes (job->mux, caps))
    return g_strdup (AUDIO_QUEUE);
  g_autoptr (GstCaps) aac = gst_caps_from_string ("audio/mpeg, mpegversion=4");
  g_autoptr (GstCaps) raw_aac =
      gst_caps_from_string ("audio/mpeg, mpegversion=4, stream-format=raw");
  if (gst_caps_can_intersect (aac, caps) && mux_takes (job->mux, raw_aac))
    return g_strdup (AUDIO_QUEUE " ! aacparse");
  const char *encoder =
      upscale_format_audio_encoder (job->options->output, error);
  return encoder ? g_strdup_printf (AUDIO_QUEUE
             " ! decodebin caps=audio/x-raw "
             "! audioconvert ! audioresample ! %s",
             encoder)
                 : NULL;
}

static void
add_audio (UpscaleJob *job, GstPad *pad, GstCaps *caps)
{
  GError *error = NULL;
  g_autofree char *launch = describe_audio (job, caps, &error);
  GstElement *bin = launch ? make_chain (launch, &error) : NULL;
  if (!bin) {
    post_error (job, error);
    return;
  }
  gst_bin_add (GST_BIN (job->pipeline), bin);
  g_autoptr (GstPad) sink = gst_element_get_static_pad (bin, "sink");
  g_autoptr (GstPad) src = gst_element_get_static_pad (bin, "src");
  g_autoptr (GstPad) muxed = gst_element_get_compatible_pad (
      job->mux, src, g_str_equal (launch, AUDIO_QUEUE) ? caps : NULL);
  if (!muxed || gst_pad_link (src, muxed) != GST_PAD_LINK_OK
      || gst_pad_link (pad, sink) != GST_PAD_LINK_OK) {
    post_error (job, g_error_new (UPSCALE_ERROR, 0,
                         "the audio does not fit into '%s'; choose .mkv",
                         job->options->output));
    return;
  }
  gst_pad_add_probe (
      muxed, GST_PAD_PROBE_TYPE_BUFFER, pass_until_stopped, job, NULL);
  gst_element_sync_state_with_parent (bin);
}

static void
add_video (UpscaleJob *job, GstPad *pad)
{
  g_mutex_lock (&job->lock);
  gboolean first = job->source == NULL;
  if (first)
    job->source = gst_object_ref (pad);
  g_mutex_unlock (&job->lock);
  if (!first)
    return; /* one picture goes into the file */
  g_autoptr (GstPad) sink = gst_element_get_static_pad (job->video, "sink");
  gst_pad_link (pad, sink);
}

static void
add_stream (UpscaleJob *job, GstPad *pad)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  if (!caps)
    caps = gst_pad_query_caps (pad, NULL);
  const char *type = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  if (g_str_has_prefix (type, "video/") || g_str_has_prefix (type, "image/"))
    add_video (job, pad);
  else if (g_str_has_prefix (type, "audio/"))
    add_audio (job, pad, caps);
}

/* A muxer that is asked for a pad while it is shut down crashes: not after the
 * end. */
static void
stream_found (GstElement *parsebin, GstPad *pad, gpointer data)
{
  UpscaleJob *job = data;
  g_mutex_lock (&job->streams);
  if (!job->ended)
    add_stream (job, pad);
  g_mutex_unlock (&job->streams);
}

/* ---- Construction ---- */

static GstElement *
make_video (const UpscaleOptions *options, GError **error)
{
  const char *encoder = upscale_format_video_encoder (options->output, error);
  if (!encoder)
    return NULL;
  g_autofree char *launch = g_strdup_printf (VIDEO_QUEUE
      " ! decodebin caps=video/x-raw ! " FRAME_QUEUE " ! " UPSCALE_PREPARE
      " ! dssuperres name=enlarge ! " FRAME_QUEUE " ! videoconvert ! %s",
      encoder);
  return make_chain (launch, error);
}

UpscaleJob *
upscale_job_new (const UpscaleOptions *options, GError **error)
{
  GstElement *video = make_video (options, error);
  if (!video)
    return NULL;
  GstElement *mux = upscale_format_make_mux (options->output, error);
  GstElement *source = gst_element_factory_make ("filesrc", NULL);
  GstElement *parsebin = gst_element_factory_make ("parsebin", NULL);
  GstElement *sink = gst_element_factory_make ("filesink", NULL);

  UpscaleJob *job = g_new0 (UpscaleJob, 1);
  g_mutex_init (&job->lock);
  g_mutex_init (&job->streams);
  job->options = options;
  job->state.duration = GST_CLOCK_TIME_NONE;
  job->pipeline = gst_pipeline_new (NULL);
  job->mux = mux;
  job->video = video;
  g_object_set (source, "location", options->input, NULL);
  g_object_set (sink, "location", options->partial, NULL);
  gst_bin_add_many (
      GST_BIN (job->pipeline), source, parsebin, video, mux, sink, NULL);
  gst_object_unref (mux); /* the pipeline has its own reference */
  gst_element_link (source, parsebin);
  gst_element_link (video, mux);
  gst_element_link (mux, sink);
  g_signal_connect (parsebin, "pad-added", G_CALLBACK (stream_found), job);

  g_autoptr (GstElement) enlarge =
      gst_bin_get_by_name (GST_BIN (video), "enlarge");
  upscale_options_apply (options, enlarge);
  add_probe (video, "sink", count_packet, job);
  add_probe (enlarge, "sink", pass_until_stopped, job);
  add_probe (enlarge, "src", count_frame, job);
  return job;
}

void
upscale_job_end (UpscaleJob *job)
{
  g_mutex_lock (&job->streams);
  job->ended = TRUE;
  g_mutex_unlock (&job->streams);
  gst_element_set_state (job->pipeline, GST_STATE_NULL);
}

void
upscale_job_free (UpscaleJob *job)
{
  upscale_job_end (job);
  gst_object_unref (job->pipeline);
  gst_clear_object (&job->source);
  g_mutex_clear (&job->lock);
  g_mutex_clear (&job->streams);
  g_free (job);
}

/* ---- While it runs ---- */

GstElement *
upscale_job_get_pipeline (UpscaleJob *job)
{
  return job->pipeline;
}

void
upscale_job_get_state (UpscaleJob *job, UpscaleState *state)
{
  g_mutex_lock (&job->lock);
  g_autoptr (GstPad) source = job->source ? gst_object_ref (job->source) : NULL;
  g_mutex_unlock (&job->lock);
  gint64 duration;
  gboolean known =
      source && gst_pad_query_duration (source, GST_FORMAT_TIME, &duration)
      && duration > 0;
  g_mutex_lock (&job->lock);
  if (known)
    job->state.duration = duration;
  *state = job->state;
  g_mutex_unlock (&job->lock);
}

void
upscale_job_stop (UpscaleJob *job)
{
  g_atomic_int_set (&job->stopping, TRUE);
  gst_element_send_event (job->pipeline, gst_event_new_eos ());
}
