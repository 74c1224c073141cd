/* Every format, size and layout: what comes out of a model whose residual is
 * zero is the bicubic enlargement of each component.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "kernels/kernels.h"

static const gchar *const yuv_formats[] = {"I420", "YV12", "NV12", "NV21",
    "Y42B", "Y444", "GRAY8", "I420_10LE", "P010_10LE"};
static const gchar *const rgb_formats[] = {
    "RGB", "BGR", "RGBx", "BGRx", "xRGB", "xBGR"};

static DssrSamples
samples (const GstVideoFrame *video, guint component)
{
  return (DssrSamples){
      .data = test_component (video, component),
      .stride = GST_VIDEO_FRAME_COMP_STRIDE (video, component),
      .step = GST_VIDEO_FRAME_COMP_PSTRIDE (video, component),
      .width = GST_VIDEO_FRAME_COMP_WIDTH (video, component),
      .height = GST_VIDEO_FRAME_COMP_HEIGHT (video, component),
      .depth = GST_VIDEO_FRAME_COMP_DEPTH (video, component),
      .shift = GST_VIDEO_FORMAT_INFO_SHIFT (video->info.finfo, component),
  };
}

static guint8 *
sample (const GstVideoFrame *video, guint component, gint x, gint y)
{
  return test_component (video, component)
         + y * GST_VIDEO_FRAME_COMP_STRIDE (video, component)
         + x * GST_VIDEO_FRAME_COMP_PSTRIDE (video, component);
}

/* The contract's phase of a component in one direction. */
static gint
phase (gboolean subsampled, gboolean cosited)
{
  return subsampled && cosited ? -2 : -4;
}

/* Asserts that `out` is `in` enlarged twice by bicubic interpolation. */
static void
assert_bicubic (GstVideoFrame *in, GstVideoFrame *out, GstVideoChromaSite site)
{
  const GstVideoFormatInfo *format = in->info.finfo;
  g_autofree guint8 *expected = g_malloc0 (out->info.size);

  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (in); c++) {
    DssrSamples from = samples (in, c), got = samples (out, c);
    DssrSamples to = got;
    gint bytes = to.depth > 8 ? 2 : 1;
    DssrBicubic bicubic = {
        .scale = 2,
        .phase_x = phase (GST_VIDEO_FORMAT_INFO_W_SUB (format, c),
            site & GST_VIDEO_CHROMA_SITE_H_COSITED),
        .phase_y = phase (GST_VIDEO_FORMAT_INFO_H_SUB (format, c),
            site & GST_VIDEO_CHROMA_SITE_V_COSITED),
    };
    to.data = expected;
    to.step = bytes;
    to.stride = to.width * bytes;
    dssr_kernels_scalar ()->bicubic (&to, &from, &bicubic, 0, to.height);
    for (gint y = 0; y < got.height; y++)
      for (gint x = 0; x < got.width; x++)
        g_assert_cmpmem (
            (guint8 *)got.data + y * got.stride + (gsize)x * got.step, bytes,
            expected + y * to.stride + x * bytes, bytes);
  }
}

/* Pushes three frames, of which the middle one is compared. */
static void
check_format (const gchar *format, gint width, gint height, const gchar *more,
    GstVideoChromaSite site)
{
  g_autofree gchar *caps = test_caps (format, width, height);
  GstHarness *h = test_harness (
      test_element ("x2-zero", 1), g_strconcat (caps, more, NULL));
  GstVideoInfo in_info, out_info;
  GstVideoFrame in, out;

  for (guint n = 0; n < 3; n++)
    test_push (h, n);
  test_expect_frame (h, 0);
  in_info = test_src_info (h);
  out_info = test_sink_info (h);
  g_assert_cmpint (out_info.width, ==, 2 * width);
  g_assert_cmpint (out_info.height, ==, 2 * height);
  g_assert_cmpstr (GST_VIDEO_INFO_NAME (&out_info), ==, format);

  GstBuffer *sent = test_frame (&in_info, 1), *got = test_pull (h);
  g_assert_true (gst_video_frame_map (&in, &in_info, sent, GST_MAP_READ));
  g_assert_true (gst_video_frame_map (&out, &out_info, got, GST_MAP_READ));
  assert_bicubic (&in, &out, site);
  gst_video_frame_unmap (&in);
  gst_video_frame_unmap (&out);
  gst_buffer_unref (sent);
  gst_buffer_unref (got);
  test_teardown (h);
}

static void
test_format (gconstpointer format)
{
  static const gint sizes[][2] = {{32, 24}, {33, 25}, {31, 18}, {1, 1}, {2, 7}};

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    check_format (format, sizes[i][0], sizes[i][1], NULL,
        GST_VIDEO_CHROMA_SITE_JPEG); /* small pictures' default */
}

static void
test_siting (void)
{
  check_format (
      "I420", 34, 22, ", chroma-site=jpeg", GST_VIDEO_CHROMA_SITE_JPEG);
  check_format (
      "I420", 34, 22, ", chroma-site=mpeg2", GST_VIDEO_CHROMA_SITE_MPEG2);
  check_format ("I420", 34, 22, ", chroma-site=mpeg2, colorimetry=bt709",
      GST_VIDEO_CHROMA_SITE_MPEG2);
  check_format (
      "NV12", 33, 21, ", chroma-site=cosited", GST_VIDEO_CHROMA_SITE_COSITED);
  check_format ("NV21", 33, 21, ", chroma-site=v-cosited",
      GST_VIDEO_CHROMA_SITE_V_COSITED);
  check_format (
      "P010_10LE", 34, 22, ", chroma-site=mpeg2", GST_VIDEO_CHROMA_SITE_MPEG2);
  check_format (
      "Y42B", 34, 22, ", chroma-site=mpeg2", GST_VIDEO_CHROMA_SITE_MPEG2);
}

/* A copy of the buffer with rows and planes far apart, which only its
 * GstVideoMeta tells. */
static GstBuffer *
spread (GstBuffer *buffer, const GstVideoInfo *info)
{
  GstVideoInfo padded = *info;
  GstVideoAlignment align;
  GstVideoFrame from, to;

  gst_video_alignment_reset (&align);
  align.padding_left = 16;
  align.padding_right = 22;
  align.padding_top = 4;
  align.padding_bottom = 6;
  g_assert_true (gst_video_info_align (&padded, &align));
  GstBuffer *copy = gst_buffer_new_and_alloc (padded.size);
  gst_buffer_memset (copy, 0, 0xa5, padded.size);
  gst_buffer_add_video_meta_full (copy, 0, GST_VIDEO_INFO_FORMAT (info),
      info->width, info->height, GST_VIDEO_INFO_N_PLANES (info), padded.offset,
      padded.stride);
  g_assert_true (gst_video_frame_map (&from, info, buffer, GST_MAP_READ));
  g_assert_true (gst_video_frame_map (&to, info, copy, GST_MAP_WRITE));
  g_assert_cmpint (GST_VIDEO_FRAME_PLANE_STRIDE (&to, 0), !=,
      GST_VIDEO_FRAME_PLANE_STRIDE (&from, 0));
  g_assert_true (gst_video_frame_copy (&to, &from));
  gst_video_frame_unmap (&from);
  gst_video_frame_unmap (&to);
  gst_buffer_copy_into (copy, buffer, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  gst_buffer_unref (buffer);
  return copy;
}

static void
test_padded (gconstpointer format)
{
  GstHarness *h =
      test_harness (test_element ("x2", 0), test_caps (format, 33, 25));
  GstHarness *padded =
      test_harness (test_element ("x2", 0), test_caps (format, 33, 25));
  GstVideoInfo info = test_src_info (h);

  for (guint n = 0; n < 3; n++) {
    GstBuffer *frame = spread (test_frame (&info, n), &info);
    g_assert_cmpint (gst_harness_push (padded, frame), ==, GST_FLOW_OK);
    test_push (h, n);
    GstBuffer *a = test_pull (h), *b = test_pull (padded);
    GstVideoInfo out_info = test_sink_info (h);
    GstVideoFrame va, vb;
    g_assert_true (gst_video_frame_map (&va, &out_info, a, GST_MAP_READ));
    g_assert_true (gst_video_frame_map (&vb, &out_info, b, GST_MAP_READ));
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&va); c++) {
      gint bytes = GST_VIDEO_FRAME_COMP_DEPTH (&va, c) > 8 ? 2 : 1;
      for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&va, c); y++)
        for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH (&va, c); x++)
          g_assert_cmpmem (
              sample (&va, c, x, y), bytes, sample (&vb, c, x, y), bytes);
    }
    gst_video_frame_unmap (&va);
    gst_video_frame_unmap (&vb);
    gst_buffer_unref (a);
    gst_buffer_unref (b);
  }
  test_teardown (h);
  test_teardown (padded);
}

static const guint8 colours[][3] = {{0, 0, 0}, {255, 255, 255}, {255, 0, 0},
    {0, 255, 0}, {0, 0, 255}, {128, 128, 128}, {17, 200, 99}, {250, 128, 3}};

/* A picture of one colour has it everywhere afterwards, edges included. */
static void
test_flat (gconstpointer format)
{
  GstHarness *h =
      test_harness (test_element ("x2-zero", 0), test_caps (format, 21, 11));
  GstVideoInfo in_info = test_src_info (h);
  gint tolerance = GST_VIDEO_INFO_IS_RGB (&in_info) ? 2 : 0;

  for (guint i = 0; i < G_N_ELEMENTS (colours); i++) {
    GstBuffer *buffer = test_frame (&in_info, i);
    GstVideoFrame video;
    g_assert_true (
        gst_video_frame_map (&video, &in_info, buffer, GST_MAP_WRITE));
    for (guint c = 0; c < 3; c++)
      for (gint y = 0; y < 11; y++)
        for (gint x = 0; x < 21; x++)
          *sample (&video, c, x, y) = colours[i][c];
    gst_video_frame_unmap (&video);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);

    GstVideoInfo out_info = test_sink_info (h);
    buffer = test_pull (h);
    g_assert_true (
        gst_video_frame_map (&video, &out_info, buffer, GST_MAP_READ));
    for (guint c = 0; c < 3; c++)
      for (gint y = 0; y < 22; y++)
        for (gint x = 0; x < 42; x++) {
          gint got = *sample (&video, c, x, y);
          g_assert_cmpint (ABS (got - colours[i][c]), <=, tolerance);
        }
    gst_video_frame_unmap (&video);
    gst_buffer_unref (buffer);
  }
  test_teardown (h);
}

/* Linear interpolation of a component at a pixel of the enlarged picture. */
static gint
interpolate (const GstVideoFrame *in, guint component, gint x, gint y)
{
  gint right = GST_VIDEO_FRAME_WIDTH (in) - 1;
  gint bottom = GST_VIDEO_FRAME_HEIGHT (in) - 1;
  gint sum = 8;

  for (gint i = 0; i < 4; i++) {
    gint sx = x / 2 + (i & 1 ? (x & 1 ? 1 : -1) : 0);
    gint sy = y / 2 + (i & 2 ? (y & 1 ? 1 : -1) : 0);
    sum +=
        (i & 1 ? 1 : 3) * (i & 2 ? 1 : 3)
        * *sample (in, component, CLAMP (sx, 0, right), CLAMP (sy, 0, bottom));
  }
  return sum / 16;
}

/* A model of RGB without residual: each colour by itself, with its linear base;
 * the byte that is no colour is set. */
static void
test_rgb_model (gconstpointer format)
{
  GstHarness *h = test_harness (
      test_element ("x2-rgb-zero", 1), test_caps (format, 21, 11));
  GstVideoInfo in_info, out_info;
  GstVideoFrame in, out;

  for (guint n = 0; n < 3; n++)
    test_push (h, n);
  test_expect_frame (h, 0);
  in_info = test_src_info (h);
  out_info = test_sink_info (h);
  g_assert_cmpstr (GST_VIDEO_INFO_NAME (&out_info), ==, format);
  GstBuffer *sent = test_frame (&in_info, 1), *got = test_pull (h);
  g_assert_true (gst_video_frame_map (&in, &in_info, sent, GST_MAP_READ));
  g_assert_true (gst_video_frame_map (&out, &out_info, got, GST_MAP_READ));
  for (gint y = 0; y < 22; y++) {
    for (gint x = 0; x < 42; x++) {
      gint rest = 6; /* the offset that no colour has */
      for (guint c = 0; c < 3; c++) {
        g_assert_cmpint (
            *sample (&out, c, x, y), ==, interpolate (&in, c, x, y));
        rest -= GST_VIDEO_FRAME_COMP_POFFSET (&out, c);
      }
      if (GST_VIDEO_FRAME_COMP_PSTRIDE (&out, 0) == 4)
        g_assert_cmpint (
            ((guint8 *)GST_VIDEO_FRAME_PLANE_DATA (&out,
                0))[y * GST_VIDEO_FRAME_PLANE_STRIDE (&out, 0) + 4 * x + rest],
            ==, 255);
    }
  }
  gst_video_frame_unmap (&in);
  gst_video_frame_unmap (&out);
  gst_buffer_unref (sent);
  gst_buffer_unref (got);
  test_teardown (h);
}

/* Buffers are laid out freely only where downstream reads GstVideoMeta. */
static void
test_output_meta (void)
{
  for (gint offered = 0; offered < 2; offered++) {
    GstHarness *h = test_harness (test_element ("x2-zero", 0), NULL);
    if (offered)
      gst_harness_add_propose_allocation_meta (
          h, GST_VIDEO_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str (
        h, "video/x-raw, format=I420, width=33, height=25, framerate=25/1");
    test_push (h, 0);
    GstBuffer *buffer = test_pull (h);
    g_assert_cmpint (gst_buffer_get_video_meta (buffer) != NULL, ==, offered);
    gst_buffer_unref (buffer);
    test_teardown (h);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (yuv_formats); i++) {
    g_autofree gchar *name = g_strconcat ("/formats/", yuv_formats[i], NULL);
    g_test_add_data_func (name, yuv_formats[i], test_format);
    g_autofree gchar *padded = g_strconcat ("/padded/", yuv_formats[i], NULL);
    g_test_add_data_func (padded, yuv_formats[i], test_padded);
  }
  for (guint i = 0; i < G_N_ELEMENTS (rgb_formats); i++) {
    g_autofree gchar *name = g_strconcat ("/flat/", rgb_formats[i], NULL);
    g_test_add_data_func (name, rgb_formats[i], test_flat);
    g_autofree gchar *rgb = g_strconcat ("/rgb-model/", rgb_formats[i], NULL);
    g_test_add_data_func (rgb, rgb_formats[i], test_rgb_model);
    g_autofree gchar *padded = g_strconcat ("/padded/", rgb_formats[i], NULL);
    g_test_add_data_func (padded, rgb_formats[i], test_padded);
  }
  g_test_add_data_func ("/flat/Y444", "Y444", test_flat);
  g_test_add_func ("/siting", test_siting);
  g_test_add_func ("/output-meta", test_output_meta);
  return test_run ();
}
