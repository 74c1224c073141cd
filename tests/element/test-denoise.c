/* Noise of a still scene, through the element.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <stdlib.h>

enum { WIDTH = 95, HEIGHT = 81, FRAMES = 6 };

static GstHarness *
start (const gchar *format, gboolean denoise)
{
  GstElement *element = test_element ("x2-zero", 0);

  g_object_set (element, "denoise", denoise, NULL);
  return test_harness (element, test_caps (format, WIDTH, HEIGHT));
}

static GstBuffer *
send (GstHarness *h, guint n, gdouble motion, GstBufferFlags flags)
{
  GstVideoInfo info = test_src_info (h);
  GstBuffer *frame = test_noisy_frame (&info, n, motion);

  GST_BUFFER_FLAG_SET (frame, flags);
  g_assert_cmpint (gst_harness_push (h, frame), ==, GST_FLOW_OK);
  GstBuffer *out = test_pull (h);
  g_assert_nonnull (out);
  return out;
}

/* Mean difference of bytes. */
static gdouble
difference (GstBuffer *a, GstBuffer *b)
{
  GstMapInfo x, y;
  gdouble sum = 0;

  g_assert_true (gst_buffer_map (a, &x, GST_MAP_READ));
  g_assert_true (gst_buffer_map (b, &y, GST_MAP_READ));
  g_assert_cmpuint (x.size, ==, y.size);
  for (gsize i = 0; i < x.size; i++)
    sum += abs (x.data[i] - y.data[i]);
  sum /= (gdouble)x.size;
  gst_buffer_unmap (a, &x);
  gst_buffer_unmap (b, &y);
  return sum;
}

/* Mean difference of successive frames, the first two left out. */
static gdouble
flicker (const gchar *format, gboolean denoise)
{
  GstHarness *h = start (format, denoise);
  GstBuffer *last = NULL;
  gdouble sum = 0;

  for (guint n = 0; n < FRAMES; n++) {
    GstBuffer *out = send (h, n, 0, 0);
    if (n > 1)
      sum += difference (last, out);
    gst_clear_buffer (&last);
    last = out;
  }
  gst_buffer_unref (last);
  /* 8 / sqrt (12) = 2.3; of RGB 219 parts in 255 are luma's. */
  if (denoise)
    g_assert_cmpfloat_with_epsilon (test_stat_double (h, "noise"), 2.1, 0.4);
  else
    g_assert_cmpfloat (test_stat_double (h, "noise"), ==, 0);
  test_teardown (h);
  return sum / (FRAMES - 2);
}

static void
test_still (gconstpointer format)
{
  gdouble plain = flicker (format, FALSE);
  g_assert_cmpfloat (plain, >, 1);
  g_assert_cmpfloat (flicker (format, TRUE), <, plain / 3);
}

/* The same bytes as without. */
static void
test_moves (void)
{
  GstHarness *h = start ("GRAY8", TRUE), *plain = start ("GRAY8", FALSE);

  for (guint n = 0; n < FRAMES; n++) {
    GstBuffer *a = send (h, n, 0.5, 0), *b = send (plain, n, 0.5, 0);
    g_assert_cmpfloat (difference (a, b), ==, 0);
    g_assert_cmpfloat (test_stat_double (h, "noise"), ==, 0);
    gst_buffer_unref (a);
    gst_buffer_unref (b);
  }
  test_teardown (h);
  test_teardown (plain);
}

/* On at first; off and on while it plays; and another scene after a
 * discontinuity. */
static void
test_turns (void)
{
  GstHarness *h = test_harness (
      test_element ("x2-zero", 0), test_caps ("GRAY8", WIDTH, HEIGHT));
  GstHarness *plain = start ("GRAY8", FALSE);
  const gboolean same[] = {TRUE, FALSE, TRUE, TRUE, FALSE, TRUE, FALSE};

  for (guint n = 0; n < G_N_ELEMENTS (same); n++) {
    if (n == 2 || n == 3)
      g_object_set (h->element, "denoise", n == 3, NULL);
    GstBuffer *a = send (h, n, 0, n == 5 ? GST_BUFFER_FLAG_DISCONT : 0);
    GstBuffer *b = send (plain, n, 0, 0);
    g_assert_cmpint (difference (a, b) == 0, ==, same[n]);
    g_assert_cmpint (test_stat_double (h, "noise") == 0, ==, same[n]);
    gst_buffer_unref (a);
    gst_buffer_unref (b);
  }
  test_teardown (h);
  test_teardown (plain);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_data_func ("/denoise/still/grey", "GRAY8", test_still);
  g_test_add_data_func ("/denoise/still/rgb", "BGRx", test_still);
  g_test_add_func ("/denoise/moves", test_moves);
  g_test_add_func ("/denoise/turns", test_turns);
  return test_run ();
}
