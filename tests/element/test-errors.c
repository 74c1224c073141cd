/* What goes wrong is said on the bus, with what to do about it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <glib/gstdio.h>

static void
test_missing_shipped (void)
{
  g_setenv ("DSSR_MODEL_DIR", "/nonexistent", TRUE);
  GstHarness *h =
      test_harness (test_element (NULL, 1), test_caps ("I420", 20, 14));

  test_expect_error (h, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND,
      "/nonexistent/landscape-x2-balanced.safetensors", "\"model\"",
      "DSSR_MODEL_DIR", NULL);
  test_teardown (h);
}

/* An error while the state changes to PAUSED. */
static GstHarness *
failing_start (GstElement *element)
{
  GstBus *bus = gst_bus_new ();
  GstHarness *h = gst_harness_new_empty ();

  gst_element_set_bus (element, bus);
  gst_object_unref (bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==,
      GST_STATE_CHANGE_FAILURE);
  h->element = element;
  return h;
}

static void
end_failing_start (GstHarness *h)
{
  gst_element_set_state (h->element, GST_STATE_NULL);
  gst_element_set_bus (h->element, NULL);
  gst_object_unref (h->element);
  h->element = NULL;
  gst_harness_teardown (h);
}

static void
test_missing_file (void)
{
  GstElement *element = test_element (NULL, 1);

  g_object_set (element, "model", "/nonexistent/some.safetensors", NULL);
  GstHarness *h = failing_start (element);
  test_expect_error (h, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND, "/nonexistent/some.safetensors",
      "\"model\"", NULL);
  end_failing_start (h);
}

static void
test_corrupt_file (void)
{
  g_autofree gchar *good = test_model ("x2");
  g_autofree gchar *bad = NULL, *contents = NULL;
  gint fd = g_file_open_tmp ("dssr-XXXXXX", &bad, NULL);
  gsize length;

  g_close (fd, NULL);
  g_file_get_contents (good, &contents, &length, NULL);
  for (guint i = 0; i < 3; i++) {
    GstElement *element = test_element (NULL, 1);
    g_file_set_contents (bad, contents, i == 0 ? 0 : length * i / 3, NULL);
    g_object_set (element, "model", bad, NULL);
    GstHarness *h = failing_start (element);
    test_expect_error (h, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
        GST_RESOURCE_ERROR_OPEN_READ, bad, "dssr-model check", NULL);
    end_failing_start (h);
  }
  g_remove (bad);
}

/* After an error, another model helps. */
static void
test_recovery (void)
{
  GstElement *element = test_element (NULL, 0);
  g_autofree gchar *good = test_model ("x2");

  g_object_set (element, "model", "/nonexistent/some.safetensors", NULL);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==,
      GST_STATE_CHANGE_FAILURE);
  gst_element_set_state (element, GST_STATE_READY);
  g_object_set (element, "model", good, NULL);
  GstHarness *h = test_harness (element, test_caps ("I420", 20, 14));
  test_push (h, 0);
  test_expect_frame (h, 0);
  test_teardown (h);
}

static void
test_wrong_scale (void)
{
  GstElement *element = test_element ("x2", 1);

  g_object_set (element, "scale", 4, NULL);
  GstHarness *h = failing_start (element);
  test_expect_error (h, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "x2.safetensors", "2 times", "not 4 times",
      "\"scale\"", NULL);
  end_failing_start (h);
}

/* The property contradicts the model while frames flow. */
static void
test_wrong_scale_later (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 0), test_caps ("I420", 20, 14));
  GstVideoInfo info = test_src_info (h);

  test_push (h, 0);
  test_expect_frame (h, 0);
  g_object_set (h->element, "scale", 4, NULL);
  g_assert_cmpint (
      gst_harness_push (h, test_frame (&info, 1)), ==, GST_FLOW_NOT_NEGOTIATED);
  test_expect_error (h, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "2 times", "not 4 times", NULL);
  test_expect_none (h);
  test_teardown (h);
}

/* A shipped file that is not what its name says. */
static void
test_misnamed (void)
{
  gchar *dir = test_model_dir ("landscape-x2-balanced.safetensors", "x4", NULL);
  GstHarness *h =
      test_harness (test_element (NULL, 0), test_caps ("I420", 20, 14));

  test_expect_error (h, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, dir, "4 times", "not 2 times", NULL);
  test_teardown (h);
  test_remove_dir (dir);
}

static void
test_interlaced (void)
{
  static const gchar *const modes[] = {"interleaved", "mixed"};

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    GstHarness *h = test_harness (test_element ("x2", 1),
        g_strdup_printf ("video/x-raw, format=I420, width=20, height=14, "
                         "framerate=25/1, interlace-mode=%s",
            modes[i]));
    test_expect_error (h, GST_MESSAGE_ERROR, GST_STREAM_ERROR,
        GST_STREAM_ERROR_WRONG_TYPE, "nterlaced", "deinterlace", NULL);
    GstBuffer *buffer = gst_buffer_new_and_alloc (20 * 14 * 3 / 2);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_NOT_NEGOTIATED);
    test_expect_none (h);
    test_teardown (h);
  }
}

static void
test_oversize (void)
{
  static const gint sizes[][2] = {{4098, 16}, {16, 4097}, {1 << 30, 16}};

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstHarness *h = test_harness (
        test_element ("x2", 1), test_caps ("GRAY8", sizes[i][0], sizes[i][1]));
    if (sizes[i][0] < 1 << 30)
      test_expect_error (h, GST_MESSAGE_ERROR, GST_STREAM_ERROR,
          GST_STREAM_ERROR_WRONG_TYPE, "8192x8192", "limit", NULL);
    GstBuffer *buffer = gst_buffer_new_and_alloc (16);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_NOT_NEGOTIATED);
    test_teardown (h);
  }
}

/* Vulkan is not built or there is no such device: a warning, and the CPU. */
static void
test_no_vulkan (void)
{
  GstElement *element = test_element ("x2", 0);

  g_object_set (element, "backend", 3, "device", "/nonexistent", NULL);
  GstHarness *h = test_harness (element, test_caps ("I420", 20, 14));
  g_autofree gchar *backend = test_stat_string (h, "backend");
  g_assert_nonnull (backend);
  g_assert_null (strstr (backend, "vulkan"));
  test_expect_error (h, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND, "Vulkan", "CPU", NULL);
  test_push (h, 0);
  test_expect_frame (h, 0);
  test_teardown (h);
}

/* A buffer that is smaller than its caps is refused, not read past its end. */
static void
test_short_buffer (void)
{
  for (guint i = 0; i < 3; i++) {
    GstHarness *h =
        test_harness (test_element ("x2", 0), test_caps ("I420", 20, 14));
    GstBuffer *buffer = gst_buffer_new_and_alloc (i ? 20 * 14 * 3 / 2 : 100);
    if (i)
      gst_buffer_add_video_meta (
          buffer, 0, GST_VIDEO_FORMAT_I420, i == 1 ? 16 : 20, i == 2 ? 12 : 14);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_ERROR);
    test_expect_error (h, GST_MESSAGE_ERROR, GST_STREAM_ERROR,
        GST_STREAM_ERROR_FORMAT, "smaller", NULL);
    test_teardown (h);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/errors/missing-shipped", test_missing_shipped);
  g_test_add_func ("/errors/missing-file", test_missing_file);
  g_test_add_func ("/errors/corrupt-file", test_corrupt_file);
  g_test_add_func ("/errors/recovery", test_recovery);
  g_test_add_func ("/errors/wrong-scale", test_wrong_scale);
  g_test_add_func ("/errors/wrong-scale-later", test_wrong_scale_later);
  g_test_add_func ("/errors/misnamed", test_misnamed);
  g_test_add_func ("/errors/interlaced", test_interlaced);
  g_test_add_func ("/errors/oversize", test_oversize);
  g_test_add_func ("/errors/no-vulkan", test_no_vulkan);
  g_test_add_func ("/errors/short-buffer", test_short_buffer);
  return test_run ();
}
