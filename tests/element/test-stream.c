/* What goes in comes out: all frames, in order, with their times and metas,
 * whatever happens to the stream.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

/* `lookahead` frames less than went in, and the rest at EOS. */
static void
test_eos (void)
{
  for (guint lookahead = 0; lookahead < 4; lookahead++)
    for (guint frames = 0; frames < 6; frames++) {
      GstHarness *h = test_harness (
          test_element ("x2", lookahead), test_caps ("I420", 20, 14));
      /* The model's window is 3: a frame waits for one at most. */
      guint waiting = MIN (MIN (lookahead, 1), frames), n = 0;
      for (guint i = 0; i < frames; i++)
        test_push (h, i);
      while (n < frames - waiting)
        test_expect_frame (h, n++);
      test_expect_none (h);
      g_assert_true (gst_harness_push_event (h, gst_event_new_eos ()));
      while (n < frames)
        test_expect_frame (h, n++);
      test_expect_none (h);
      g_assert_cmpuint (test_stat (h, "frames"), ==, frames);
      test_teardown (h);
    }
}

/* A serialized event lets no frame wait behind it. */
static void
check_drain (GstEvent *event, GstEventType type)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("NV12", 20, 14));
  GstEvent *passed;

  test_push (h, 0);
  test_push (h, 1);
  test_expect_frame (h, 0);
  test_expect_none (h);
  while ((passed = gst_harness_try_pull_event (h)))
    gst_event_unref (passed);
  g_assert_true (gst_harness_push_event (h, event));
  test_expect_frame (h, 1);
  passed = gst_harness_try_pull_event (h);
  g_assert_cmpint (GST_EVENT_TYPE (passed), ==, type);
  gst_event_unref (passed);
  test_push (h, 2);
  test_expect_none (h);
  test_push (h, 3);
  test_expect_frame (h, 2);
  test_teardown (h);
}

static void
test_events (void)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  check_drain (gst_event_new_segment (&segment), GST_EVENT_SEGMENT);
  check_drain (gst_event_new_stream_start ("other"), GST_EVENT_STREAM_START);
  check_drain (
      gst_event_new_gap (2 * TEST_DURATION, TEST_DURATION), GST_EVENT_GAP);
}

static void
test_drain_query (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("NV12", 20, 14));
  GstQuery *drain = gst_query_new_drain ();

  test_push (h, 0);
  test_expect_none (h);
  gst_pad_peer_query (h->srcpad, drain);
  test_expect_frame (h, 0);
  gst_query_unref (drain);
  test_teardown (h);
}

/* The buffer, which is taken, as one block of bytes. */
static GBytes *
buffer_bytes (GstBuffer *buffer)
{
  gpointer data;
  gsize size;

  g_assert_nonnull (buffer);
  gst_buffer_extract_dup (buffer, 0, -1, &data, &size);
  gst_buffer_unref (buffer);
  return g_bytes_new_take (data, size);
}

static GBytes *
pull_bytes (GstHarness *h)
{
  return buffer_bytes (test_pull (h));
}

/* What a fresh element makes of frames [first, first + count), of which the one
 * numbered `wanted` is returned. */
static GBytes *
fresh (const gchar *model, guint first, guint count, guint wanted)
{
  GstHarness *h =
      test_harness (test_element (model, 1), test_caps ("I420", 20, 14));
  GBytes *result = NULL;

  for (guint i = 0; i < count; i++)
    test_push (h, first + i);
  gst_harness_push_event (h, gst_event_new_eos ());
  for (guint i = 0; i < count; i++) {
    GBytes *bytes = pull_bytes (h);
    if (first + i == wanted)
      result = bytes;
    else
      g_bytes_unref (bytes);
  }
  test_teardown (h);
  return result;
}

static void
assert_bytes (GBytes *a, GBytes *b)
{
  g_assert_true (g_bytes_equal (a, b));
  g_bytes_unref (a);
  g_bytes_unref (b);
}

/* A frame after a discontinuity has no past, one before it no future. */
static void
test_discont (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstVideoInfo info = test_src_info (h);

  for (guint i = 0; i < 3; i++)
    test_push (h, i);
  test_expect_frame (h, 0);
  test_expect_frame (h, 1);
  test_expect_none (h);
  GstBuffer *buffer = test_frame (&info, 7);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
  assert_bytes (pull_bytes (h), fresh ("x2", 0, 3, 2));
  test_expect_none (h);

  test_push (h, 8);
  buffer = test_pull (h);
  g_assert_true (GST_BUFFER_IS_DISCONT (buffer));
  assert_bytes (buffer_bytes (buffer), fresh ("x2", 7, 2, 7));
  test_push (h, 9);
  buffer = test_pull (h);
  g_assert_false (GST_BUFFER_IS_DISCONT (buffer));
  gst_buffer_unref (buffer);
  test_teardown (h);
}

static void
test_flush (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstSegment segment;

  for (guint i = 0; i < 3; i++)
    test_push (h, i);
  test_expect_frame (h, 0);
  test_expect_frame (h, 1);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  test_expect_none (h);
  test_push (h, 10);
  test_push (h, 11);
  assert_bytes (pull_bytes (h), fresh ("x2", 10, 2, 10));
  test_teardown (h);
}

/* The frame that waits comes out at the old size, before the new caps. */
static void
test_caps_change (void)
{
  static const struct {
    const gchar *format;
    gint width, height;
  } next[] = {{"I420", 48, 30}, {"NV12", 48, 30}, {"RGB", 17, 9},
      {"P010_10LE", 33, 21}, {"I420", 20, 14}};
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (next); i++) {
    test_push (h, n++);
    test_expect_none (h);
    GstVideoInfo before = test_sink_info (h);
    g_autofree gchar *caps =
        test_caps (next[i].format, next[i].width, next[i].height);
    gst_harness_set_src_caps_str (h, caps);
    GstBuffer *buffer = test_pull (h);
    g_assert_nonnull (buffer);
    g_assert_cmpuint (
        gst_buffer_get_size (buffer), ==, GST_VIDEO_INFO_SIZE (&before));
    gst_buffer_unref (buffer);
    GstVideoInfo after = test_sink_info (h);
    g_assert_cmpint (after.width, ==, 2 * next[i].width);
    g_assert_cmpstr (GST_VIDEO_INFO_NAME (&after), ==, next[i].format);
  }
  test_teardown (h);
}

/* From READY to PLAYING again, with other caps each time. */
static void
test_reuse (void)
{
  GstElement *element = test_element ("x2", 1);

  for (guint i = 0; i < 4; i++) {
    GstHarness *h = test_harness (gst_object_ref (element),
        test_caps (i % 2 ? "NV12" : "RGB", 16 + 3 * i, 12 + i));
    test_push (h, 0);
    test_push (h, 1);
    test_expect_frame (h, 0);
    g_assert_cmpuint (test_stat (h, "frames"), ==, 1);
    test_teardown (h);
    g_assert_cmpint (gst_element_set_state (
                         element, i % 2 ? GST_STATE_READY : GST_STATE_NULL),
        ==, GST_STATE_CHANGE_SUCCESS);
  }
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
}

static void
count_release (gpointer counter, GstMiniObject *buffer)
{
  ++*(guint *)counter;
}

/* Upstream's buffers are held no longer than the window needs, and none after
 * EOS. */
static void
test_release (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstVideoInfo info = test_src_info (h);
  guint released = 0;

  for (guint i = 0; i < 10; i++) {
    GstBuffer *buffer = test_frame (&info, i);
    gst_mini_object_weak_ref (
        GST_MINI_OBJECT (buffer), count_release, &released);
    gst_harness_push (h, buffer);
    g_assert_cmpuint (released + 3, >=, i + 1);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  g_assert_cmpuint (released, ==, 10);
  test_teardown (h);
}

static void
test_metas (void)
{
  static const gchar *no_tags[] = {NULL};
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstVideoInfo info = test_src_info (h);

  gst_meta_register_custom ("DssrTestNote", no_tags, NULL, NULL, NULL);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = test_frame (&info, i);
    GstCustomMeta *note = gst_buffer_add_custom_meta (buffer, "DssrTestNote");
    gst_structure_set (
        gst_custom_meta_get_structure (note), "n", G_TYPE_UINT, i, NULL);
    gst_buffer_add_video_region_of_interest_meta (
        buffer, "face", 1 + i, 2 + i, 5, 6);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (buffer);
    crop->x = 2;
    crop->y = 4;
    crop->width = 10 + i;
    crop->height = 8;
    GST_BUFFER_FLAG_SET (buffer, i == 2 ? GST_VIDEO_BUFFER_FLAG_MARKER : 0);
    gst_harness_push (h, buffer);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = test_pull (h);
    GstCustomMeta *note = gst_buffer_get_custom_meta (buffer, "DssrTestNote");
    guint n;
    g_assert_nonnull (note);
    gst_structure_get_uint (gst_custom_meta_get_structure (note), "n", &n);
    g_assert_cmpuint (n, ==, i);
    GstVideoRegionOfInterestMeta *roi =
        gst_buffer_get_video_region_of_interest_meta_id (buffer, 0);
    g_assert_nonnull (roi);
    g_assert_cmpuint (roi->x, ==, 2 * (1 + i));
    g_assert_cmpuint (roi->y, ==, 2 * (2 + i));
    g_assert_cmpuint (roi->w, ==, 10);
    g_assert_cmpuint (roi->h, ==, 12);
    GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);
    g_assert_nonnull (crop);
    g_assert_cmpuint (crop->x, ==, 4);
    g_assert_cmpuint (crop->y, ==, 8);
    g_assert_cmpuint (crop->width, ==, 2 * (10 + i));
    g_assert_cmpuint (crop->height, ==, 16);
    g_assert_cmpint (
        GST_BUFFER_FLAG_IS_SET (buffer, GST_VIDEO_BUFFER_FLAG_MARKER), ==,
        i == 2);
    gst_buffer_unref (buffer);
  }
  test_teardown (h);
}

/* The pool that upstream is offered is large enough for the window. */
static void
test_proposed_pool (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 1), test_caps ("I420", 20, 14));
  GstCaps *caps = gst_pad_get_current_caps (h->srcpad);
  GstQuery *allocation = gst_query_new_allocation (caps, TRUE);
  GstBufferPool *pool;
  guint size, min, max;

  g_assert_true (gst_pad_peer_query (h->srcpad, allocation));
  g_assert_true (gst_query_find_allocation_meta (
      allocation, GST_VIDEO_META_API_TYPE, NULL));
  gst_query_parse_nth_allocation_pool (allocation, 0, &pool, &size, &min, &max);
  g_assert_cmpuint (min, >=, 4);
  g_assert_cmpuint (size, >=, 20 * 14 * 3 / 2);
  g_assert_nonnull (pool);
  gst_object_unref (pool);
  gst_query_unref (allocation);
  gst_caps_unref (caps);
  test_teardown (h);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/stream/eos", test_eos);
  g_test_add_func ("/stream/events", test_events);
  g_test_add_func ("/stream/drain-query", test_drain_query);
  g_test_add_func ("/stream/discont", test_discont);
  g_test_add_func ("/stream/flush", test_flush);
  g_test_add_func ("/stream/caps-change", test_caps_change);
  g_test_add_func ("/stream/reuse", test_reuse);
  g_test_add_func ("/stream/release", test_release);
  g_test_add_func ("/stream/metas", test_metas);
  g_test_add_func ("/stream/proposed-pool", test_proposed_pool);
  return test_run ();
}
