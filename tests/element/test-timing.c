/* Latency and quality of service.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

static gboolean
latency_posted (GstHarness *h)
{
  GstMessage *message = test_message (h, GST_MESSAGE_LATENCY);

  if (!message)
    return FALSE;
  gst_message_unref (message);
  return TRUE;
}

static void
test_latency (void)
{
  for (guint lookahead = 0; lookahead < 2; lookahead++) {
    GstHarness *h = test_harness (test_element ("x2", lookahead), NULL);
    gst_harness_set_upstream_latency (h, 5 * GST_MSECOND);
    g_assert_cmpuint (gst_harness_query_latency (h), ==, 5 * GST_MSECOND);
    gst_harness_set_src_caps_str (
        h, "video/x-raw, format=I420, width=20, height=14, framerate=25/1");
    g_assert_cmpint (latency_posted (h), ==, lookahead > 0);
    g_assert_cmpuint (
        gst_harness_query_latency (h), ==, (5 + 40 * lookahead) * GST_MSECOND);
    g_assert_cmpuint (
        test_stat (h, "latency"), ==, 40 * lookahead * GST_MSECOND);
    gst_harness_set_src_caps_str (
        h, "video/x-raw, format=I420, width=20, height=14, framerate=50/1");
    g_assert_cmpint (latency_posted (h), ==, lookahead > 0);
    g_assert_cmpuint (
        gst_harness_query_latency (h), ==, (5 + 20 * lookahead) * GST_MSECOND);
    /* Another size at the same rate changes nothing. */
    gst_harness_set_src_caps_str (
        h, "video/x-raw, format=I420, width=22, height=14, framerate=50/1");
    g_assert_false (latency_posted (h));
    test_teardown (h);
  }
}

/* Where caps say no rate, the longest gap between two frames counts. */
static void
test_variable_rate (void)
{
  GstHarness *h = test_harness (test_element ("x2", 1),
      g_strdup ("video/x-raw, format=I420, width=20, height=14, "
                "framerate=0/1"));
  GstSegment segment;

  g_assert_cmpuint (gst_harness_query_latency (h), ==, 0);
  test_push (h, 0);
  test_push (h, 1);
  g_assert_true (latency_posted (h));
  g_assert_cmpuint (gst_harness_query_latency (h), ==, TEST_DURATION);
  test_push (h, 4);
  g_assert_true (latency_posted (h));
  g_assert_cmpuint (gst_harness_query_latency (h), ==, 3 * TEST_DURATION);
  test_push (h, 5);
  g_assert_false (latency_posted (h));
  /* A jump between two segments is no gap. */
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  test_push (h, 20);
  g_assert_false (latency_posted (h));
  test_teardown (h);
}

static void
send_qos (GstHarness *h, GstClockTimeDiff late, GstClockTime time)
{
  gst_harness_push_upstream_event (
      h, gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 2.0, late, time));
}

static void
assert_same (GstBuffer *a, GstBuffer *b)
{
  GstMapInfo map;

  g_assert_true (gst_buffer_map (b, &map, GST_MAP_READ));
  g_assert_cmpuint (gst_buffer_get_size (a), ==, map.size);
  g_assert_cmpint (gst_buffer_memcmp (a, 0, map.data, map.size), ==, 0);
  gst_buffer_unmap (b, &map);
  gst_buffer_unref (b);
}

/* Late frames get the bicubic base, the ones after them are as if none had
 * been late, and none is dropped. */
static void
test_late (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstHarness *on_time =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstHarness *base =
      test_harness (test_element ("x2-zero", 1), test_caps ("I420", 20, 14));

  for (guint n = 0; n <= 8; n++) {
    if (n == 3) /* frame 1 came 80 ms late: 2 and 3 will be as well */
      send_qos (h, 2 * TEST_DURATION, 1 * TEST_DURATION);
    test_push (h, n);
    test_push (on_time, n);
    test_push (base, n);
    if (n == 0)
      continue;
    gboolean late = n - 1 == 2 || n - 1 == 3;
    GstBuffer *got = test_pull (h);
    GstBuffer *full = test_pull (on_time), *bicubic = test_pull (base);
    g_assert_nonnull (got);
    g_assert_cmpuint (GST_BUFFER_PTS (got), ==, (n - 1) * TEST_DURATION);
    gst_buffer_ref (late ? bicubic : full);
    assert_same (got, late ? bicubic : full);
    gst_buffer_unref (full);
    gst_buffer_unref (bicubic);
    gst_buffer_unref (got);

    GstMessage *message = test_message (h, GST_MESSAGE_QOS);
    g_assert_cmpint (message != NULL, ==, late);
    if (message) {
      guint64 running, processed;
      gst_message_parse_qos (message, NULL, &running, NULL, NULL, NULL);
      gst_message_parse_qos_stats (message, NULL, &processed, NULL);
      g_assert_cmpuint (running, ==, (n - 1) * TEST_DURATION);
      g_assert_cmpuint (processed, ==, 2);
      gst_message_unref (message);
    }
  }
  g_assert_cmpuint (test_stat (h, "frames"), ==, 8);
  g_assert_cmpuint (test_stat (h, "base-frames"), ==, 2);
  test_teardown (h);
  test_teardown (on_time);
  test_teardown (base);
}

static void
test_qos_off (void)
{
  GstElement *element = test_element ("x2", 0);
  GstHarness *h = NULL;

  g_object_set (element, "qos", FALSE, NULL);
  h = test_harness (element, test_caps ("I420", 20, 14));
  test_push (h, 0);
  send_qos (h, GST_SECOND, 0);
  test_push (h, 1);
  g_assert_null (test_message (h, GST_MESSAGE_QOS));
  g_assert_cmpuint (test_stat (h, "base-frames"), ==, 0);
  test_teardown (h);
}

/* Lateness is forgotten with a flush. */
static void
test_qos_reset (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 0), test_caps ("I420", 20, 14));
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  send_qos (h, GST_SECOND, 0);
  test_push (h, 1);
  g_assert_cmpuint (test_stat (h, "base-frames"), ==, 1);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  test_push (h, 2);
  g_assert_cmpuint (test_stat (h, "base-frames"), ==, 1);
  test_teardown (h);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/timing/latency", test_latency);
  g_test_add_func ("/timing/variable-rate", test_variable_rate);
  g_test_add_func ("/timing/late", test_late);
  g_test_add_func ("/timing/qos-off", test_qos_off);
  g_test_add_func ("/timing/qos-reset", test_qos_reset);
  return test_run ();
}
