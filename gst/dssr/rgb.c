/* Packed RGB by way of 4:4:4 YUV, which is what the engine enlarges.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rgb.h"
#include "frames.h"

struct _GstDssrRgb {
  GstVideoInfo in, yuv_in;
  GstVideoConverter *to_yuv, *from_yuv;
  GstBufferPool *pool;
  GstVideoFrame enlarged;
};

/* Full range loses least; primaries and transfer stay, so that only the matrix
 * is applied. */
static gboolean
make_yuv_info (GstVideoInfo *yuv, const GstVideoInfo *rgb)
{
  if (!gst_video_info_set_format (yuv, GST_VIDEO_FORMAT_Y444,
          GST_VIDEO_INFO_WIDTH (rgb), GST_VIDEO_INFO_HEIGHT (rgb)))
    return FALSE;
  yuv->fps_n = rgb->fps_n;
  yuv->fps_d = rgb->fps_d;
  yuv->colorimetry = rgb->colorimetry;
  yuv->colorimetry.range = GST_VIDEO_COLOR_RANGE_0_255;
  yuv->colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_BT709;
  return TRUE;
}

static GstVideoConverter *
make_converter (const GstVideoInfo *in, const GstVideoInfo *out, guint threads)
{
  return gst_video_converter_new (in, out,
      gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_THREADS,
          G_TYPE_UINT, threads, GST_VIDEO_CONVERTER_OPT_DITHER_METHOD,
          GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE, NULL));
}

static GstBufferPool *
make_pool (const GstVideoInfo *info)
{
  GstBufferPool *pool = gst_video_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  g_autoptr (GstCaps) caps = gst_video_info_to_caps (info);

  gst_buffer_pool_config_set_params (config, caps, info->size, 0, 0);
  if (gst_buffer_pool_set_config (pool, config)
      && gst_buffer_pool_set_active (pool, TRUE))
    return pool;
  gst_object_unref (pool);
  return NULL;
}

GstDssrRgb *
gst_dssr_rgb_new (
    const GstVideoInfo *in, const GstVideoInfo *out, guint threads)
{
  GstDssrRgb *rgb = g_new0 (GstDssrRgb, 1);
  GstVideoInfo yuv_out;

  rgb->in = *in;
  if (!make_yuv_info (&rgb->yuv_in, in) || !make_yuv_info (&yuv_out, out))
    goto error;
  rgb->pool = make_pool (&rgb->yuv_in);
  rgb->to_yuv = make_converter (in, &rgb->yuv_in, threads);
  rgb->from_yuv = make_converter (&yuv_out, out, threads);
  if (!rgb->pool || !rgb->to_yuv || !rgb->from_yuv)
    goto error;

  GstBuffer *buffer = gst_buffer_new_allocate (NULL, yuv_out.size, NULL);
  gboolean mapped =
      gst_video_frame_map (&rgb->enlarged, &yuv_out, buffer, GST_MAP_READWRITE);
  gst_buffer_unref (buffer);
  if (mapped)
    return rgb;

error:
  gst_dssr_rgb_free (rgb);
  return NULL;
}

void
gst_dssr_rgb_free (GstDssrRgb *rgb)
{
  if (rgb->enlarged.buffer)
    gst_video_frame_unmap (&rgb->enlarged);
  g_clear_pointer (&rgb->to_yuv, gst_video_converter_free);
  g_clear_pointer (&rgb->from_yuv, gst_video_converter_free);
  if (rgb->pool)
    gst_buffer_pool_set_active (rgb->pool, FALSE);
  gst_clear_object (&rgb->pool);
  g_free (rgb);
}

const GstVideoInfo *
gst_dssr_rgb_get_info (const GstDssrRgb *rgb)
{
  return &rgb->yuv_in;
}

GstBuffer *
gst_dssr_rgb_to_yuv (GstDssrRgb *rgb, GstBuffer *buffer)
{
  GstVideoFrame in, out;
  g_autoptr (GstBuffer) yuv = NULL;

  if (gst_buffer_pool_acquire_buffer (rgb->pool, &yuv, NULL) != GST_FLOW_OK)
    return NULL;
  if (!gst_dssr_frames_map (&in, &rgb->in, buffer, GST_MAP_READ, NULL, NULL))
    return NULL;
  if (!gst_video_frame_map (&out, &rgb->yuv_in, yuv, GST_MAP_WRITE)) {
    gst_dssr_frames_unmap (&in);
    return NULL;
  }
  gst_video_converter_frame (rgb->to_yuv, &in, &out);
  gst_video_frame_unmap (&out);
  gst_dssr_frames_unmap (&in);
  return g_steal_pointer (&yuv);
}

GstVideoFrame *
gst_dssr_rgb_get_enlarged (GstDssrRgb *rgb)
{
  return &rgb->enlarged;
}

void
gst_dssr_rgb_from_yuv (GstDssrRgb *rgb, GstVideoFrame *out)
{
  gst_video_converter_frame (rgb->from_yuv, &rgb->enlarged, out);
}
