/* What the element's tests share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

void
test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  gst_init (argc, argv);
}

int
test_run (void)
{
  int status = g_test_run ();

  gst_deinit ();
  return status;
}

gchar *
test_model (const gchar *name)
{
  const gchar *dir = g_getenv ("DSSR_TEST_MODELS");
  g_autofree gchar *file = g_strconcat (name, ".safetensors", NULL);

  g_assert_nonnull (dir);
  return g_build_filename (dir, file, NULL);
}

gchar *
test_model_dir (const gchar *name, ...)
{
  gchar *dir = g_dir_make_tmp ("dssr-test-XXXXXX", NULL);
  va_list args;

  g_assert_nonnull (dir);
  va_start (args, name);
  for (; name; name = va_arg (args, const gchar *)) {
    g_autofree gchar *from = test_model (va_arg (args, const gchar *));
    g_autofree gchar *to = g_build_filename (dir, name, NULL);
    g_autofree gchar *contents = NULL;
    gsize length;
    g_assert_true (g_file_get_contents (from, &contents, &length, NULL));
    g_assert_true (g_file_set_contents (to, contents, length, NULL));
  }
  va_end (args);
  g_setenv ("DSSR_MODEL_DIR", dir, TRUE);
  return dir;
}

void
test_remove_dir (gchar *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);
    g_remove (file);
  }
  g_dir_close (dir);
  g_rmdir (path);
  g_free (path);
}

gchar *
test_caps (const gchar *format, gint width, gint height)
{
  return g_strdup_printf ("video/x-raw, format=%s, width=%d, height=%d, "
                          "framerate=%d/1",
      format, width, height, TEST_FPS);
}

GstElement *
test_element (const gchar *model, guint lookahead)
{
  GstElement *element = gst_element_factory_make ("dssuperres", NULL);

  g_assert_nonnull (element);
  g_object_set (element, "lookahead", lookahead, NULL);
  if (model) {
    g_autofree gchar *path = test_model (model);
    g_object_set (element, "model", path, NULL);
  }
  return element;
}

GstHarness *
test_harness (GstElement *element, gchar *caps)
{
  GstBus *bus = gst_bus_new ();

  gst_element_set_bus (element, bus);
  gst_object_unref (bus);
  GstHarness *h = gst_harness_new_with_element (element, "sink", "src");
  gst_object_unref (element);
  if (caps)
    gst_harness_set_src_caps_str (h, caps);
  g_free (caps);
  return h;
}

void
test_teardown (GstHarness *h)
{
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}

static GstVideoInfo
pad_info (GstPad *pad)
{
  GstCaps *caps = gst_pad_get_current_caps (pad);
  GstVideoInfo info;

  g_assert_nonnull (caps);
  g_assert_true (gst_video_info_from_caps (&info, caps));
  gst_caps_unref (caps);
  return info;
}

GstVideoInfo
test_sink_info (GstHarness *h)
{
  return pad_info (h->sinkpad);
}

GstVideoInfo
test_src_info (GstHarness *h)
{
  return pad_info (h->srcpad);
}

guint8 *
test_component (const GstVideoFrame *video, guint component)
{
  guint8 *data = GST_VIDEO_FRAME_COMP_DATA (video, component);

  if (GST_VIDEO_FRAME_FORMAT (video) == GST_VIDEO_FORMAT_P010_10LE
      && component == 2)
    data = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA (video, 1) + 2;
  return data;
}

static void
fill (GstVideoFrame *video, guint component, guint32 *seed)
{
  guint8 *data = test_component (video, component);
  gint step = GST_VIDEO_FRAME_COMP_PSTRIDE (video, component);
  gint stride = GST_VIDEO_FRAME_COMP_STRIDE (video, component);
  gint depth = GST_VIDEO_FRAME_COMP_DEPTH (video, component);
  gint shift = GST_VIDEO_FORMAT_INFO_SHIFT (video->info.finfo, component);

  for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (video, component); y++)
    for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH (video, component); x++) {
      *seed = *seed * 1664525 + 1013904223;
      guint sample = *seed >> (32 - depth);
      guint8 *p = data + (gsize)y * stride + (gsize)x * step;
      if (depth > 8)
        GST_WRITE_UINT16_LE (p, sample << shift);
      else
        *p = sample;
    }
}

GstBuffer *
test_frame (const GstVideoInfo *info, guint n)
{
  GstBuffer *buffer = gst_buffer_new_and_alloc (GST_VIDEO_INFO_SIZE (info));
  guint32 seed = n + 1;
  GstVideoFrame video;

  gst_buffer_memset (buffer, 0, 0, GST_VIDEO_INFO_SIZE (info));
  g_assert_true (gst_video_frame_map (&video, info, buffer, GST_MAP_WRITE));
  for (guint i = 0; i < GST_VIDEO_FRAME_N_COMPONENTS (&video); i++)
    fill (&video, i, &seed);
  gst_video_frame_unmap (&video);
  GST_BUFFER_PTS (buffer) = n * TEST_DURATION;
  GST_BUFFER_DURATION (buffer) = TEST_DURATION;
  GST_BUFFER_OFFSET (buffer) = 100 + n;
  return buffer;
}

GstBuffer *
test_noisy_frame (const GstVideoInfo *info, guint n, gdouble motion)
{
  GstBuffer *buffer = gst_buffer_new_and_alloc (GST_VIDEO_INFO_SIZE (info));
  g_autoptr (GRand) rand = g_rand_new_with_seed (n);
  GstVideoFrame video;

  gst_buffer_memset (buffer, 0, 0, GST_VIDEO_INFO_SIZE (info));
  g_assert_true (gst_video_frame_map (&video, info, buffer, GST_MAP_WRITE));
  guint8 *row = GST_VIDEO_FRAME_PLANE_DATA (&video, 0);
  gint step = GST_VIDEO_FRAME_COMP_PSTRIDE (&video, 0);
  for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT (&video); y++) {
    for (gint x = 0; x < GST_VIDEO_FRAME_WIDTH (&video); x++) {
      gdouble u = x - motion * n;
      gdouble value = 120 + 60 * sin (u / 3.1 + y / 5.3)
                      + 40 * sin (u / 7.7 - y / 2.3)
                      + g_rand_double_range (rand, -4, 4);
      memset (row + x * step, (gint)lround (value), (gsize)step);
    }
    row += GST_VIDEO_FRAME_PLANE_STRIDE (&video, 0);
  }
  gst_video_frame_unmap (&video);
  GST_BUFFER_PTS (buffer) = n * TEST_DURATION;
  GST_BUFFER_DURATION (buffer) = TEST_DURATION;
  return buffer;
}

void
test_push (GstHarness *h, guint n)
{
  GstVideoInfo info = test_src_info (h);

  g_assert_cmpint (
      gst_harness_push (h, test_frame (&info, n)), ==, GST_FLOW_OK);
}

GstBuffer *
test_pull (GstHarness *h)
{
  return gst_harness_try_pull (h);
}

void
test_expect_frame (GstHarness *h, guint n)
{
  GstBuffer *buffer = test_pull (h);

  g_assert_nonnull (buffer);
  g_assert_cmpuint (GST_BUFFER_PTS (buffer), ==, n * TEST_DURATION);
  g_assert_cmpuint (GST_BUFFER_DURATION (buffer), ==, TEST_DURATION);
  g_assert_cmpuint (GST_BUFFER_OFFSET (buffer), ==, 100 + n);
  gst_buffer_unref (buffer);
}

void
test_expect_none (GstHarness *h)
{
  g_assert_cmpuint (gst_harness_buffers_in_queue (h), ==, 0);
}

GstMessage *
test_message (GstHarness *h, GstMessageType type)
{
  GstBus *bus = gst_element_get_bus (h->element);
  GstMessage *message = gst_bus_pop_filtered (bus, type);

  gst_object_unref (bus);
  return message;
}

void
test_expect_error (GstHarness *h, GstMessageType type, GQuark domain, gint code,
    const gchar *word, ...)
{
  GstMessage *message = test_message (h, type);
  g_autoptr (GError) error = NULL;
  va_list args;

  g_assert_nonnull (message);
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  g_test_message ("%s", error->message);
  g_assert_error (error, domain, code);
  va_start (args, word);
  for (; word; word = va_arg (args, const gchar *))
    g_assert_nonnull (strstr (error->message, word));
  va_end (args);
  gst_message_unref (message);
}

static GstStructure *
stats (GstHarness *h)
{
  GstStructure *structure;

  g_object_get (h->element, "stats", &structure, NULL);
  g_assert_true (
      gst_structure_has_name (structure, "application/x-dssr-stats"));
  return structure;
}

guint64
test_stat (GstHarness *h, const gchar *field)
{
  g_autoptr (GstStructure) structure = stats (h);
  guint64 value;

  g_assert_true (gst_structure_get_uint64 (structure, field, &value));
  return value;
}

gdouble
test_stat_double (GstHarness *h, const gchar *field)
{
  g_autoptr (GstStructure) stats = NULL;
  gdouble value;

  g_object_get (h->element, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_double (stats, field, &value));
  return value;
}

gchar *
test_stat_string (GstHarness *h, const gchar *field)
{
  g_autoptr (GstStructure) structure = stats (h);

  return g_strdup (gst_structure_get_string (structure, field));
}
