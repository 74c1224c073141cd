/* dssr-upscale: one frame, enlarged by bicubic interpolation and by dssuperres.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"

#include <gst/app/app.h>

/* The frames before the chosen one give it a past. */
#define RUN_UP (GST_SECOND / 5)

static const char launch[] =
    "filesrc name=source ! decodebin ! video/x-raw ! queue "
    "! " UPSCALE_PREPARE " ! tee name=tee "
    "tee. ! queue ! appsink name=small sync=false max-buffers=4 "
    "tee. ! queue ! dssuperres name=enlarge "
    "! appsink name=large sync=false max-buffers=4";

/* The error on the bus, or one that says the frame is not there. */
static void
take_error (GstElement *pipeline, const UpscaleOptions *options, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, GST_SECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  if (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    g_propagate_error (error, upscale_bus_error (message));
  else
    g_set_error (error, UPSCALE_ERROR, 0,
        "'%s' has no frame to compare at that time; give another one with "
        "--compare-at",
        options->input);
}

/* Brings the pipeline to a little before the wanted frame, and returns the
 * frame's time. */
static gboolean
seek_near (
    GstElement *pipeline, const UpscaleOptions *options, GstClockTime *target)
{
  gint64 duration = 0;
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  if (gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE)
      != GST_STATE_CHANGE_SUCCESS)
    return FALSE;
  if (options->compare_at >= 0)
    *target = (GstClockTime)(options->compare_at * GST_SECOND);
  else if (gst_element_query_duration (pipeline, GST_FORMAT_TIME, &duration))
    *target = MAX (duration, 0) / 2;
  if (*target > RUN_UP
      && !gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, *target - RUN_UP))
    return FALSE;
  return gst_element_set_state (pipeline, GST_STATE_PLAYING)
         != GST_STATE_CHANGE_FAILURE;
}

static GstSample *
pull (GstElement *pipeline, const char *name)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), name);
  return gst_app_sink_pull_sample (GST_APP_SINK (sink));
}

/* The same frame before and after: the first at or after `target`. */
static gboolean
find_frame (GstElement *pipeline, GstClockTime target, GstSample **small,
    GstSample **large)
{
  for (;;) {
    *small = pull (pipeline, "small");
    *large = *small ? pull (pipeline, "large") : NULL;
    if (!*large)
      return FALSE;
    GstClockTime time =
        gst_segment_to_stream_time (gst_sample_get_segment (*large),
            GST_FORMAT_TIME, GST_BUFFER_PTS (gst_sample_get_buffer (*large)));
    if (!GST_CLOCK_TIME_IS_VALID (time) || time >= target)
      return TRUE;
    g_clear_pointer (small, gst_sample_unref);
    g_clear_pointer (large, gst_sample_unref);
  }
}

/* To RGBA of the given size, by Catmull-Rom interpolation. */
static gboolean
convert (GstSample *sample, int width, int height, GstVideoFrame *frame)
{
  GstVideoInfo in_info, out_info;
  GstVideoFrame in;
  gst_video_info_from_caps (&in_info, gst_sample_get_caps (sample));
  gst_video_info_set_format (&out_info, GST_VIDEO_FORMAT_RGBA, width, height);
  out_info.fps_n = in_info.fps_n;
  out_info.fps_d = in_info.fps_d;
  g_autoptr (GstBuffer) buffer =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&out_info), NULL);
  if (!gst_video_frame_map (
          &in, &in_info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return FALSE;
  gboolean ok =
      gst_video_frame_map (frame, &out_info, buffer, GST_MAP_READWRITE);
  if (ok) {
    GstVideoConverter *converter = gst_video_converter_new (&in_info, &out_info,
        gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
            GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_CUBIC,
            GST_VIDEO_RESAMPLER_OPT_CUBIC_B, G_TYPE_DOUBLE, 0.0,
            GST_VIDEO_RESAMPLER_OPT_CUBIC_C, G_TYPE_DOUBLE, 0.5, NULL));
    gst_video_converter_frame (converter, &in, frame);
    gst_video_converter_free (converter);
  }
  gst_video_frame_unmap (&in);
  return ok;
}

static gboolean
write_png (const char *filename, GstSample *picture, GError **error)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("image/png");
  g_autoptr (GstSample) png =
      gst_video_convert_sample (picture, caps, 60 * GST_SECOND, error);
  if (!png)
    return FALSE;
  GstMapInfo map;
  GstBuffer *buffer = gst_sample_get_buffer (png);
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return FALSE;
  gboolean ok = g_file_set_contents (
      filename, (const char *)map.data, (gssize)map.size, error);
  gst_buffer_unmap (buffer, &map);
  return ok;
}

static gboolean
draw (const char *filename, GstSample *small, GstSample *large, GError **error)
{
  GstVideoInfo from, to;
  GstVideoFrame bicubic, ours;
  gst_video_info_from_caps (&from, gst_sample_get_caps (small));
  gst_video_info_from_caps (&to, gst_sample_get_caps (large));
  g_autofree char *label = g_strdup_printf ("dssr x%d", to.width / from.width);
  g_autoptr (GstSample) picture = NULL;
  if (convert (small, to.width, to.height, &bicubic)) {
    if (convert (large, to.width, to.height, &ours)) {
      picture = upscale_picture_compose (&bicubic, &ours, label);
      gst_video_frame_unmap (&ours);
    }
    gst_video_frame_unmap (&bicubic);
  }
  if (!picture) {
    g_set_error (error, UPSCALE_ERROR, 0, "the comparison cannot be drawn");
    return FALSE;
  }
  return write_png (filename, picture, error);
}

gboolean
upscale_compare (const UpscaleOptions *options, GError **error)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, error);
  if (!pipeline)
    return FALSE;
  g_autoptr (GstElement) source =
      gst_bin_get_by_name (GST_BIN (pipeline), "source");
  g_autoptr (GstElement) enlarge =
      gst_bin_get_by_name (GST_BIN (pipeline), "enlarge");
  g_object_set (source, "location", options->input, NULL);
  upscale_options_apply (options, enlarge);

  GstClockTime target = 0;
  g_autoptr (GstSample) small = NULL;
  g_autoptr (GstSample) large = NULL;
  gboolean ok = seek_near (pipeline, options, &target)
                && find_frame (pipeline, target, &small, &large);
  if (!ok)
    take_error (pipeline, options, error);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return ok && draw (options->compare, small, large, error);
}
