/* Which caps become which, and which model serves them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <gst/base/gstbasetransform.h>

#define LANDSCAPE(scale) "landscape-x" #scale "-balanced.safetensors"
#define PORTRAIT(scale) "portrait-x" #scale "-balanced.safetensors"

static gchar *
shipped (void)
{
  return test_model_dir (LANDSCAPE (2), "x2", LANDSCAPE (4), "x4", NULL);
}

/* The scale that comes of a wish downstream and the property. */
static void
check_scale (gint property, const gchar *downstream, gint expected)
{
  GstElement *element = test_element (NULL, 0);

  g_object_set (element, "scale", property, NULL);
  GstHarness *h = test_harness (element, NULL);
  if (downstream)
    gst_harness_set_sink_caps_str (h, downstream);
  gst_harness_set_src_caps_str (
      h, "video/x-raw, format=I420, width=20, height=14, framerate=25/1");
  test_push (h, 0);
  test_expect_frame (h, 0);
  GstVideoInfo info = test_sink_info (h);
  g_assert_cmpint (info.width, ==, 20 * expected);
  g_assert_cmpint (info.height, ==, 14 * expected);
  test_teardown (h);
}

static void
test_scale (void)
{
  gchar *dir = shipped ();

  check_scale (0, NULL, 2);
  check_scale (2, NULL, 2);
  check_scale (4, NULL, 4);
  check_scale (0, "video/x-raw, width=40", 2);
  check_scale (0, "video/x-raw, width=80, height=56", 4);
  check_scale (0, "video/x-raw, height=[50, 60]", 4);
  check_scale (0, "video/x-raw, width={80, 40}", 2);
  check_scale (0, "video/x-raw, width=(int)[1, 4096]", 2);
  check_scale (0, "video/x-raw, width=80; video/x-raw, width=40", 2);
  test_remove_dir (dir);
}

/* With scale=auto a model file decides. */
static void
test_model_scale (void)
{
  GstHarness *h =
      test_harness (test_element ("x4", 0), test_caps ("NV12", 11, 7));

  test_push (h, 0);
  test_expect_frame (h, 0);
  GstVideoInfo info = test_sink_info (h);
  g_assert_cmpint (info.width, ==, 44);
  test_teardown (h);
}

/* The property changes between two frames, none is lost. */
static void
test_scale_change (void)
{
  gchar *dir = shipped ();
  GstHarness *h =
      test_harness (test_element (NULL, 1), test_caps ("I420", 20, 14));

  test_push (h, 0);
  test_push (h, 1);
  test_expect_frame (h, 0);
  g_object_set (h->element, "scale", 4, NULL);
  test_push (h, 2);
  GstBuffer *buffer = test_pull (h);
  g_assert_cmpuint (gst_buffer_get_size (buffer), ==, 40 * 28 * 3 / 2);
  gst_buffer_unref (buffer);
  gst_harness_push_event (h, gst_event_new_eos ());
  buffer = test_pull (h);
  g_assert_cmpuint (gst_buffer_get_size (buffer), ==, 80 * 56 * 3 / 2);
  gst_buffer_unref (buffer);
  test_expect_none (h);
  test_teardown (h);
  test_remove_dir (dir);
}

/* The caps, and the same of dma-bufs. */
static GstCaps *
add_dmabuf (const gchar *text)
{
  GstCaps *caps = gst_caps_from_string (text);
  if (gst_caps_is_empty (caps))
    return caps;
  GstCaps *dmabuf = gst_caps_copy (caps);
  gst_caps_set_features_simple (
      dmabuf, gst_caps_features_from_string ("memory:DMABuf"));
  gst_caps_append (caps, dmabuf);
  return caps;
}

/* What a peer upstream is told that it may send. */
static void
check_query (const gchar *downstream, const gchar *expected)
{
  GstHarness *h = test_harness (test_element (NULL, 0), NULL);

  gst_harness_set_sink_caps_str (h, downstream);
  GstCaps *got = gst_pad_peer_query_caps (h->srcpad, NULL);
  g_autoptr (GstCaps) wanted = add_dmabuf (expected);
  g_assert_true (gst_caps_is_equal (got, wanted));
  gst_caps_unref (got);
  test_teardown (h);
}

static void
test_query (void)
{
  check_query ("video/x-raw, format=NV12, width=40, height=28, framerate=25/1",
      "video/x-raw, format=NV12, width=20, height=14, framerate=25/1;"
      "video/x-raw, format=NV12, width=10, height=7, framerate=25/1");
  check_query ("video/x-raw, format=NV12, width=42, height=28, framerate=25/1",
      "video/x-raw, format=NV12, width=21, height=14, framerate=25/1");
  check_query (
      "video/x-raw, format=NV12, width=41, height=28, framerate=25/1", "EMPTY");
  check_query ("video/x-raw, format=NV12, width=[3, 9], height=8, "
               "framerate=25/1",
      "video/x-raw, format=NV12, width=[2, 4], height=4, framerate=25/1;"
      "video/x-raw, format=NV12, width=[1, 2], height=2, framerate=25/1");
  check_query ("video/x-raw, format=RGBA", "EMPTY");
}

static gboolean
accepts (GstHarness *h, const gchar *format)
{
  g_autofree gchar *text = test_caps (format, 20, 14);
  g_autoptr (GstCaps) caps = gst_caps_from_string (text);
  GstPad *pad = gst_element_get_static_pad (h->element, "sink");
  gboolean accepted = gst_pad_query_accept_caps (pad, caps);

  gst_object_unref (pad);
  return accepted;
}

/* A model of RGB takes nothing else, on either side, and any other all. */
static void
test_rgb_model (void)
{
  GstHarness *h = test_harness (test_element ("x2-rgb", 0), NULL);

  g_assert_true (accepts (h, "RGB"));
  g_assert_true (accepts (h, "xBGR"));
  g_assert_false (accepts (h, "I420"));
  g_assert_false (accepts (h, "GRAY8"));
  gst_harness_set_sink_caps_str (h, "video/x-raw, format={I420, BGRx}, "
                                    "width=40, height=28, framerate=25/1");
  GstCaps *got = gst_pad_peer_query_caps (h->srcpad, NULL);
  g_autoptr (GstCaps) wanted = add_dmabuf (
      "video/x-raw, format=BGRx, width=20, height=14, framerate=25/1");
  g_assert_true (gst_caps_is_equal (got, wanted));
  gst_caps_unref (got);
  test_teardown (h);

  h = test_harness (test_element ("x2", 0), NULL);
  g_assert_true (accepts (h, "RGB"));
  g_assert_true (accepts (h, "I420"));
  test_teardown (h);
}

static void
check_transform (gint scale, const gchar *in, const gchar *out)
{
  GstElement *element = test_element (NULL, 0);
  g_autoptr (GstCaps) caps = gst_caps_from_string (in);
  g_autoptr (GstCaps) wanted = gst_caps_from_string (out);

  g_object_set (element, "scale", scale, NULL);
  GstCaps *got = GST_BASE_TRANSFORM_GET_CLASS (element)->transform_caps (
      GST_BASE_TRANSFORM (element), GST_PAD_SINK, caps, NULL);
  g_assert_true (gst_caps_is_strictly_equal (got, wanted));
  gst_caps_unref (got);
  gst_object_unref (element);
}

/* What can come out of sizes that are not fixed yet. */
static void
test_ranges (void)
{
  check_transform (2, "video/x-raw, width=[3, 9], height=7",
      "video/x-raw, width=[6, 18, 2], height=14");
  check_transform (4, "video/x-raw, width=[4, 12, 4], height={1, 3}",
      "video/x-raw, width=[16, 48, 16], height={4, 12}");
  check_transform (0, "video/x-raw, width=5, height=7",
      "video/x-raw, width=10, height=14; video/x-raw, width=20, height=28");
  check_transform (4, "video/x-raw, width=[4, 2147483644, 4], height=1",
      "video/x-raw, width=[16, 2147483632, 16], height=4");
  check_transform (4, "video/x-raw, width=1073741824, height=7", "EMPTY");
  check_transform (4, "video/x-raw, width=[536870911, 2147483647], height=7",
      "video/x-raw, width=2147483644, height=28");
}

/* Everything else in the caps passes as it is. */
static void
test_fields (void)
{
  const gchar *caps =
      "video/x-raw, format=P010_10LE, width=20, height=14, "
      "framerate=30000/1001, pixel-aspect-ratio=4/3, "
      "interlace-mode=progressive, colorimetry=bt2100-pq, "
      "chroma-site=mpeg2, mastering-display-info=(string)"
      "\"34000:16000:13250:34500:7500:3000:15635:16450:10000000:1\", "
      "content-light-level=(string)\"1000:400\", views=(int)1, "
      "multiview-mode=mono";
  GstHarness *h = test_harness (test_element ("x2", 0), g_strdup (caps));
  GstCaps *got = gst_pad_get_current_caps (h->sinkpad);
  g_autoptr (GstCaps) expected = gst_caps_from_string (caps);

  gst_caps_set_simple (
      expected, "width", G_TYPE_INT, 40, "height", G_TYPE_INT, 28, NULL);
  g_assert_true (gst_caps_is_equal (got, expected));
  gst_caps_unref (got);
  test_teardown (h);
}

/* GStreamer guesses colours that caps leave out by the height; enlarged video
 * keeps those of the small one. */
static void
test_colours (void)
{
  GstHarness *h =
      test_harness (test_element ("x2", 0), test_caps ("I420", 32, 480));
  GstVideoInfo in = test_src_info (h), out = test_sink_info (h);

  g_assert_cmpint (out.height, ==, 960);
  g_assert_true (
      gst_video_colorimetry_is_equal (&in.colorimetry, &out.colorimetry));
  g_assert_cmpint (in.chroma_site, ==, out.chroma_site);
  test_teardown (h);
}

static void
check_used (GstHarness *h, const gchar *scene, const gchar *file)
{
  g_autofree gchar *used = test_stat_string (h, "scene");
  g_autofree gchar *path = test_stat_string (h, "model");

  g_assert_cmpstr (used, ==, scene);
  g_assert_true (g_str_has_suffix (path, file));
}

/* Pushes frames from *n on until the model is used, which is loaded in the
 * background. */
static void
push_until_used (GstHarness *h, guint *n, const gchar *scene, const gchar *file)
{
  for (guint i = 0; i < 1000; i++) {
    test_push (h, (*n)++);
    g_autofree gchar *path = test_stat_string (h, "model");
    if (g_str_has_suffix (path, file))
      break;
    g_usleep (10000);
  }
  check_used (h, scene, file);
}

/* The picture's shape as the viewer sees it chooses the scene, and a rotation
 * tag that comes later changes it between two frames. */
static void
test_scene (void)
{
  gchar *dir =
      test_model_dir (LANDSCAPE (2), "x2", PORTRAIT (2), "x2-zero", NULL);
  GstHarness *h =
      test_harness (test_element (NULL, 1), test_caps ("I420", 14, 20));

  guint n = 0;
  test_push (h, n++);
  check_used (h, "portrait", PORTRAIT (2));
  gst_harness_push_event (
      h, gst_event_new_tag (gst_tag_list_new (
             GST_TAG_IMAGE_ORIENTATION, "flip-rotate-270", NULL)));
  push_until_used (h, &n, "landscape", LANDSCAPE (2));
  gst_harness_push_event (
      h, gst_event_new_tag (
             gst_tag_list_new (GST_TAG_IMAGE_ORIENTATION, "rotate-180", NULL)));
  push_until_used (h, &n, "portrait", PORTRAIT (2));
  g_object_set (h->element, "scene", 1, NULL);
  push_until_used (h, &n, "landscape", LANDSCAPE (2));
  g_object_set (h->element, "scene", 2, NULL);
  push_until_used (h, &n, "portrait", PORTRAIT (2));
  gst_harness_push_event (h, gst_event_new_eos ());
  for (guint i = 0; i < n; i++)
    test_expect_frame (h, i);
  test_teardown (h);
  test_remove_dir (dir);
}

/* A rotation tag is of one stream, and pixels need not be square. */
static void
test_shape (void)
{
  gchar *dir =
      test_model_dir (LANDSCAPE (2), "x2", PORTRAIT (2), "x2-zero", NULL);
  GstHarness *h =
      test_harness (test_element (NULL, 1), test_caps ("I420", 14, 20));

  gst_harness_push_event (
      h, gst_event_new_tag (
             gst_tag_list_new (GST_TAG_IMAGE_ORIENTATION, "rotate-90", NULL)));
  gst_harness_set_src_caps_str (
      h, "video/x-raw, format=I420, width=12, height=20, framerate=25/1");
  check_used (h, "landscape", LANDSCAPE (2));
  gst_harness_push_event (h, gst_event_new_stream_start ("other"));
  gst_harness_set_src_caps_str (
      h, "video/x-raw, format=I420, width=14, height=20, framerate=25/1");
  check_used (h, "portrait", PORTRAIT (2));
  gst_harness_set_src_caps_str (h,
      "video/x-raw, format=I420, width=14, height=20, framerate=25/1, "
      "pixel-aspect-ratio=2/1");
  check_used (h, "landscape", LANDSCAPE (2));
  test_teardown (h);
  test_remove_dir (dir);
}

/* No portrait model: the landscape one serves. */
static void
test_scene_fallback (void)
{
  gchar *dir = shipped ();
  GstHarness *h =
      test_harness (test_element (NULL, 0), test_caps ("I420", 14, 20));

  check_used (h, "portrait", LANDSCAPE (2));
  test_teardown (h);
  test_remove_dir (dir);
}

/* The file of the rung, else of the nearest: the cheaper first. Rungs of the
 * scene come before the landscape's. */
static void
test_rung_fallback (void)
{
  static const struct {
    const gchar *files[2], *used;
  } cases[] = {
      {{LANDSCAPE (2), "landscape-x2-saver.safetensors"}, LANDSCAPE (2)},
      {{"landscape-x2-quality.safetensors", "landscape-x2-saver.safetensors"},
          "landscape-x2-saver.safetensors"},
      {{"landscape-x2-quality.safetensors", "portrait-x4-saver.safetensors"},
          "landscape-x2-quality.safetensors"},
      {{LANDSCAPE (2), "portrait-x2-quality.safetensors"},
          "portrait-x2-quality.safetensors"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    gchar *dir = test_model_dir (
        cases[i].files[0], "x2", cases[i].files[1], "x2-zero", NULL);
    GstHarness *h =
        test_harness (test_element (NULL, 0), test_caps ("I420", 14, 20));
    g_autofree gchar *rung = test_stat_string (h, "rung");
    g_autofree gchar *reason = test_stat_string (h, "rung-reason");
    g_autofree gchar *scene = test_stat_string (h, "scene-reason");
    g_autofree gchar *name = test_stat_string (h, "sub-model");
    g_autofree gchar *file = g_strconcat (name, ".safetensors", NULL);

    check_used (h, "portrait", cases[i].used);
    g_assert_cmpstr (file, ==, cases[i].used);
    g_assert_cmpstr (scene, ==, "orientation");
    g_assert_cmpstr (rung, ==, "balanced");
    g_assert_cmpstr (reason, ==, "default");
    test_teardown (h);
    test_remove_dir (dir);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/negotiation/scale", test_scale);
  g_test_add_func ("/negotiation/model-scale", test_model_scale);
  g_test_add_func ("/negotiation/scale-change", test_scale_change);
  g_test_add_func ("/negotiation/query", test_query);
  g_test_add_func ("/negotiation/rgb-model", test_rgb_model);
  g_test_add_func ("/negotiation/ranges", test_ranges);
  g_test_add_func ("/negotiation/fields", test_fields);
  g_test_add_func ("/negotiation/colours", test_colours);
  g_test_add_func ("/negotiation/scene", test_scene);
  g_test_add_func ("/negotiation/shape", test_shape);
  g_test_add_func ("/negotiation/scene-fallback", test_scene_fallback);
  g_test_add_func ("/negotiation/rung-fallback", test_rung_fallback);
  return test_run ();
}
