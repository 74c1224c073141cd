/* dssr-bench: pictures to enlarge.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench.h"

#include <gst/app/app.h>
#include <gst/video/video.h>
#include <string.h>

/* Pixels that noise moves from a picture to the next. */
enum { STEP_X = 3, STEP_Y = 1 };

/* How long a picture may take to be decoded. */
enum { DECODE_SECONDS = 20 };

static int
plane_side (int side, int plane)
{
  return plane == 0 ? side : (side + 1) / 2;
}

void
bench_picture_init (DssrPicture *picture, const DssrFormat *format)
{
  gsize sizes[3], total = 0;
  for (int i = 0; i < 3; i++) {
    sizes[i] = (gsize)plane_side (format->width, i)
               * (gsize)plane_side (format->height, i);
    total += sizes[i];
  }
  guint8 *memory = g_malloc0 (total);
  for (int i = 0; i < 3; i++) {
    picture->planes[i] = (DssrPlane){memory, plane_side (format->width, i), 1};
    memory += sizes[i];
  }
}

/* ---- Noise ---- */

/* Random samples, each the mean of 3x3, so that there is something to align. */
static guint8 *
make_texture (int width, int height)
{
  g_autofree guint8 *noise = g_malloc ((gsize)(width + 2) * (height + 2));
  guint8 *texture = g_malloc ((gsize)width * height);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  for (gsize i = 0; i < (gsize)(width + 2) * (height + 2); i++)
    noise[i] = (guint8)g_rand_int (rand);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      int sum = 0;
      for (int i = 0; i < 9; i++)
        sum += noise[(gsize)(y + i / 3) * (width + 2) + x + i % 3];
      texture[(gsize)y * width + x] = (guint8)(sum / 9);
    }
  }
  return texture;
}

static void
make_noise (BenchContent *content, int max)
{
  const DssrFormat *format = &content->format;
  int width = format->width + max * STEP_X;
  int height = format->height + max * STEP_Y;
  g_autofree guint8 *texture = make_texture (width, height);

  for (int n = 0; n < max; n++) {
    DssrPicture *picture = &content->pictures[content->n_pictures++];
    bench_picture_init (picture, format);
    for (int i = 0; i < 3; i++) {
      int x = plane_side (n * STEP_X, i), y = plane_side (n * STEP_Y, i);
      DssrPlane *plane = &picture->planes[i];
      for (int row = 0; row < plane_side (format->height, i); row++)
        memcpy ((guint8 *)plane->data + row * plane->stride,
            texture + (gsize)(y + row) * width + x, (gsize)plane->stride);
    }
  }
}

/* ---- Video ---- */

static void
take_picture (BenchContent *content, GstSample *sample)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  gst_video_info_from_caps (&info, gst_sample_get_caps (sample));
  if (!gst_video_frame_map (
          &frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return;
  DssrPicture *picture = &content->pictures[content->n_pictures++];
  bench_picture_init (picture, &content->format);
  for (int i = 0; i < 3; i++) {
    DssrPlane *plane = &picture->planes[i];
    for (int row = 0; row < plane_side (content->format.height, i); row++)
      memcpy ((guint8 *)plane->data + row * plane->stride,
          (guint8 *)GST_VIDEO_FRAME_PLANE_DATA (&frame, i)
              + row * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, i),
          (gsize)plane->stride);
  }
  gst_video_frame_unmap (&frame);
}

static GError *
bus_error (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, 0, GST_MESSAGE_ERROR);
  GError *error = NULL;
  if (message)
    gst_message_parse_error (message, &error, NULL);
  return error;
}

/* The next sample; NULL at the end, after an error or when none comes. */
static GstSample *
pull (GstElement *pipeline, GstElement *sink, GError **error)
{
  for (int i = 0; i < 10 * DECODE_SECONDS; i++) {
    GstSample *sample =
        gst_app_sink_try_pull_sample (GST_APP_SINK (sink), GST_SECOND / 10);
    if (sample || gst_app_sink_is_eos (GST_APP_SINK (sink)))
      return sample;
    if ((*error = bus_error (pipeline)))
      return NULL;
  }
  return NULL;
}

static gboolean
decode (BenchContent *content, const char *input, int max, GError **error)
{
  g_autofree char *launch =
      g_strdup_printf ("filesrc name=source ! decodebin ! videoconvert "
                       "! videoscale ! video/x-raw,format=I420,width=%d,"
                       "height=%d ! appsink name=sink sync=false max-buffers=2",
          content->format.width, content->format.height);
  if (!gst_init_check (NULL, NULL, error))
    return FALSE;
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, error);
  if (!pipeline)
    return FALSE;
  g_autoptr (GstElement) source =
      gst_bin_get_by_name (GST_BIN (pipeline), "source");
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GError) cause = NULL;
  g_object_set (source, "location", input, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (content->n_pictures < max) {
    g_autoptr (GstSample) sample = pull (pipeline, sink, &cause);
    if (!sample)
      break;
    take_picture (content, sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (content->n_pictures == 0)
    g_set_error (error, BENCH_ERROR, 0, "'%s' gives no video: %s", input,
        cause ? cause->message : "none could be decoded");
  return content->n_pictures > 0;
}

BenchContent *
bench_content_new (const BenchOptions *options, int max, GError **error)
{
  g_autoptr (BenchContent) content = g_new0 (BenchContent, 1);
  content->format = (DssrFormat){
      .width = options->width,
      .height = options->height,
      .depth = 8,
      .chroma = DSSR_CHROMA_420,
  };
  content->pictures = g_new0 (DssrPicture, max);
  if (!options->input)
    make_noise (content, max);
  else if (!decode (content, options->input, max, error))
    return NULL;
  return g_steal_pointer (&content);
}

void
bench_content_free (BenchContent *content)
{
  for (int i = 0; i < content->n_pictures; i++)
    g_free (content->pictures[i].planes[0].data);
  g_free (content->pictures);
  g_free (content);
}
