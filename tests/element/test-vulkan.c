/* The element on a GPU: the same pictures, and what it says when the GPU fails.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include "engine/dssr.h"

#include <string.h>

#define FRAMES 6

/* Bytes that the element copied to and from the GPU. */
static guint64
count_copied (GstElement *pipeline)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "enlarge");
  GstStructure *stats;
  guint64 copied;

  g_object_get (element, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, "copied", &copied));
  gst_structure_free (stats);
  gst_object_unref (element);
  return copied;
}

/* Runs a pipeline to its end; its appsink's buffers. Appends the texts of
 * warnings. */
static GPtrArray *
collect (const gchar *name, const gchar *format, const gchar *options,
    GString *warnings, guint64 *copied)
{
  g_autofree gchar *model = test_model (name);
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc num-buffers=%d pattern=ball ! "
      "video/x-raw,format=%s,width=40,height=24,framerate=25/1 ! "
      "dssuperres name=enlarge model=%s %s ! appsink name=out sync=false",
      FRAMES, format, model, options);
  g_autoptr (GError) error = NULL;
  GPtrArray *buffers =
      g_ptr_array_new_with_free_func ((GDestroyNotify)gst_buffer_unref);
  GstElement *pipeline = gst_parse_launch (description, &error);
  g_assert_no_error (error);
  GstElement *out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  GstSample *sample;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (;;) {
    g_signal_emit_by_name (out, "pull-sample", &sample);
    if (!sample)
      break;
    g_ptr_array_add (buffers, gst_buffer_ref (gst_sample_get_buffer (sample)));
    gst_sample_unref (sample);
  }
  while ((message = gst_bus_pop_filtered (
              bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR))) {
    g_autoptr (GError) warning = NULL;
    g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_WARNING);
    gst_message_parse_warning (message, &warning, NULL);
    g_string_append_printf (warnings, "%s\n", warning->message);
    gst_message_unref (message);
  }
  if (copied)
    *copied = count_copied (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (out);
  gst_object_unref (pipeline);
  return buffers;
}

static void
assert_same (GPtrArray *a, GPtrArray *b)
{
  g_assert_cmpuint (a->len, ==, FRAMES);
  g_assert_cmpuint (b->len, ==, FRAMES);
  for (guint i = 0; i < FRAMES; i++) {
    GstMapInfo map;
    g_assert_true (gst_buffer_map (a->pdata[i], &map, GST_MAP_READ));
    g_assert_cmpuint (gst_buffer_get_size (b->pdata[i]), ==, map.size);
    g_assert_cmpint (
        gst_buffer_memcmp (b->pdata[i], 0, map.data, map.size), ==, 0);
    gst_buffer_unmap (a->pdata[i], &map);
  }
}

/* Upstream and downstream get memory in which the GPU works: nothing is copied.
 */
static void
test_formats (void)
{
  const gchar *const formats[] = {"NV12", "NV21", "I420", "P010_10LE"};

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (GString) warnings = g_string_new (NULL);
    guint64 copied;
    g_autoptr (GPtrArray) cpu =
        collect ("x2", formats[i], "backend=cpu", warnings, NULL);
    g_autoptr (GPtrArray) gpu = collect (
        "x2", formats[i], "backend=vulkan device=0", warnings, &copied);
    assert_same (cpu, gpu);
    g_assert_cmpuint (copied, ==, 0);
    g_assert_cmpstr (warnings->str, ==, "");
  }
}

/* A model of RGB: packed pixels, which are copied. */
static void
test_rgb_model (void)
{
  const gchar *const formats[] = {"RGB", "xBGR"};

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (GString) warnings = g_string_new (NULL);
    g_autoptr (GPtrArray) cpu =
        collect ("x2-rgb", formats[i], "backend=cpu", warnings, NULL);
    g_autoptr (GPtrArray) gpu =
        collect ("x2-rgb", formats[i], "backend=vulkan", warnings, NULL);
    assert_same (cpu, gpu);
    g_assert_cmpstr (warnings->str, ==, "");
  }
}

static void
test_lost (void)
{
  g_autoptr (GString) warnings = g_string_new (NULL);
  g_autoptr (GPtrArray) cpu =
      collect ("x2", "I420", "backend=cpu", warnings, NULL);
  g_assert_cmpstr (warnings->str, ==, "");

  g_setenv ("DSSR_VULKAN_FAULT", "lost@3", TRUE);
  g_autoptr (GPtrArray) gpu =
      collect ("x2", "I420", "backend=vulkan", warnings, NULL);
  g_unsetenv ("DSSR_VULKAN_FAULT");
  assert_same (cpu, gpu);
  /* One line. */
  g_assert_nonnull (strstr (warnings->str, "the GPU is lost"));
  g_assert_true (strchr (warnings->str, '\n')[1] == '\0');
}

/* A GPU that is lost and comes back: a warning, then a message that says so. */
static void
test_back (void)
{
  GstElement *element = test_element ("x2", 0);
  gint64 deadline = g_get_monotonic_time () + 300 * G_TIME_SPAN_SECOND;
  GstMessage *message = NULL;
  guint n = 0;

  g_object_set (element, "backend", DSSR_BACKEND_VULKAN, NULL);
  g_setenv ("DSSR_VULKAN_FAULT", "lost@1", TRUE);
  GstHarness *h = test_harness (element, test_caps ("I420", 20, 14));
  g_unsetenv ("DSSR_VULKAN_FAULT");
  for (; n < 2; n++) {
    test_push (h, n);
    test_expect_frame (h, n);
  }
  test_expect_error (h, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_FAILED, "the GPU is lost", "until it is back", NULL);
  g_autofree gchar *backend = test_stat_string (h, "backend");
  g_assert_null (strstr (backend, "vulkan"));
  while (!message && g_get_monotonic_time () < deadline) {
    g_usleep (5000);
    test_push (h, n);
    test_expect_frame (h, n++);
    message = test_message (h, GST_MESSAGE_INFO);
  }
  g_assert_nonnull (message);
  gst_message_unref (message);
  g_autofree gchar *back = test_stat_string (h, "backend");
  g_assert_true (g_str_has_prefix (back, "vulkan ("));
  test_push (h, n);
  test_expect_frame (h, n);
  g_assert_null (test_message (h, GST_MESSAGE_WARNING));
  test_teardown (h);
}

/* Frames in flight add their latency, and change nothing else. */
static void
test_flights (void)
{
  g_autoptr (GString) warnings = g_string_new (NULL);
  g_autoptr (GPtrArray) one =
      collect ("x2", "NV12", "backend=vulkan", warnings, NULL);
  g_autoptr (GPtrArray) three = collect (
      "x2", "NV12", "backend=vulkan frames-in-flight=3", warnings, NULL);
  assert_same (one, three);
  g_assert_cmpstr (warnings->str, ==, "");

  for (guint flights = 1; flights <= 3; flights++) {
    GstElement *element = test_element ("x2", 1);
    g_object_set (element, "backend", DSSR_BACKEND_VULKAN, "frames-in-flight",
        flights, NULL);
    GstHarness *h = test_harness (element, test_caps ("I420", 20, 14));
    g_assert_cmpuint (
        gst_harness_query_latency (h), ==, flights * TEST_DURATION);
    g_assert_cmpuint (test_stat (h, "latency"), ==, flights * TEST_DURATION);
    for (guint n = 0; n < 5; n++) {
      test_push (h, n);
      if (n >= flights)
        test_expect_frame (h, n - flights);
      test_expect_none (h);
    }
    gst_harness_push_event (h, gst_event_new_eos ());
    for (guint n = 5 - flights; n < 5; n++)
      test_expect_frame (h, n);
    test_teardown (h);
  }
}

static void
test_stats (void)
{
  GstElement *element = test_element ("x2", 0);

  g_object_set (element, "backend", DSSR_BACKEND_VULKAN, NULL);
  GstHarness *h = test_harness (element, test_caps ("I420", 20, 14));
  g_autofree gchar *backend = test_stat_string (h, "backend");
  g_assert_true (g_str_has_prefix (backend, "vulkan ("));
  g_assert_cmpuint (test_stat (h, "memory"), >, 20 * 14);
  test_push (h, 0);
  test_expect_frame (h, 0);
  /* Upstream did not ask where to put it. */
  g_assert_cmpuint (test_stat (h, "copied"), ==, 20 * 14 * 3 / 2);
  test_teardown (h);
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) devices = dssr_list_devices ();

  if (!devices[0]) {
    g_print ("1..0 # SKIP there is no Vulkan device\n");
    return 0;
  }
  test_init (&argc, &argv);
  g_test_add_func ("/vulkan/formats", test_formats);
  g_test_add_func ("/vulkan/rgb-model", test_rgb_model);
  g_test_add_func ("/vulkan/lost", test_lost);
  g_test_add_func ("/vulkan/back", test_back);
  g_test_add_func ("/vulkan/flights", test_flights);
  g_test_add_func ("/vulkan/stats", test_stats);
  return test_run ();
}
