/* GStreamer's video frames as the engine's pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frames.h"
#include "dmabuf.h"

#include <string.h>

static DssrChroma
chroma_of (const GstVideoFormatInfo *format)
{
  if (GST_VIDEO_FORMAT_INFO_IS_RGB (format))
    return DSSR_CHROMA_RGB;
  if (GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format) == 1)
    return DSSR_CHROMA_NONE;
  if (GST_VIDEO_FORMAT_INFO_H_SUB (format, 1))
    return DSSR_CHROMA_420;
  return GST_VIDEO_FORMAT_INFO_W_SUB (format, 1) ? DSSR_CHROMA_422
                                                 : DSSR_CHROMA_444;
}

DssrFormat
gst_dssr_frames_format (const GstVideoInfo *info)
{
  GstVideoChromaSite site = info->chroma_site;

  /* MPEG-2's, which H.264 and later assume where nothing is said. */
  if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
    site = GST_VIDEO_CHROMA_SITE_MPEG2;
  return (DssrFormat){
      .width = GST_VIDEO_INFO_WIDTH (info),
      .height = GST_VIDEO_INFO_HEIGHT (info),
      .depth = GST_VIDEO_INFO_COMP_DEPTH (info, 0),
      .shift = GST_VIDEO_FORMAT_INFO_SHIFT (info->finfo, 0),
      .chroma = chroma_of (info->finfo),
      .cosited_x = (site & GST_VIDEO_CHROMA_SITE_H_COSITED) != 0,
      .cosited_y = (site & GST_VIDEO_CHROMA_SITE_V_COSITED) != 0,
      .full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
  };
}

DssrPicture
gst_dssr_frames_picture (const GstVideoFrame *video)
{
  DssrPicture picture = {0};

  for (guint i = 0; i < GST_VIDEO_FRAME_N_COMPONENTS (video); i++) {
    /* GStreamer 1.22 says that V of P010 begins in the middle of a sample. */
    gint bytes = GST_VIDEO_FRAME_COMP_DEPTH (video, i) > 8 ? 2 : 1;
    gint offset = GST_VIDEO_FRAME_COMP_POFFSET (video, i);
    guint8 *plane = GST_VIDEO_FRAME_PLANE_DATA (
        video, GST_VIDEO_FRAME_COMP_PLANE (video, i));
    picture.planes[i] = (DssrPlane){
        .data = plane + GST_ROUND_UP_N (offset, bytes),
        .stride = GST_VIDEO_FRAME_COMP_STRIDE (video, i),
        .step = GST_VIDEO_FRAME_COMP_PSTRIDE (video, i),
    };
  }
  return picture;
}

void
gst_dssr_frames_fill (GstVideoFrame *video)
{
  guint8 *row = GST_VIDEO_FRAME_PLANE_DATA (video, 0);
  gsize size = (gsize)GST_VIDEO_FRAME_WIDTH (video)
               * GST_VIDEO_FRAME_COMP_PSTRIDE (video, 0);

  for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT (video); y++) {
    memset (row, 0xff, size);
    row += GST_VIDEO_FRAME_PLANE_STRIDE (video, 0);
  }
}

gboolean
gst_dssr_frames_map (GstVideoFrame *video, const GstVideoInfo *info,
    GstBuffer *buffer, GstMapFlags flags, DssrDevice *device, GError **refusal)
{
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);

  /* It may say another size or format than the caps. */
  if (meta
      && (meta->width < (guint)GST_VIDEO_INFO_WIDTH (info)
          || meta->height < (guint)GST_VIDEO_INFO_HEIGHT (info)
          || meta->format != GST_VIDEO_INFO_FORMAT (info)))
    return FALSE;
  if (!gst_dssr_dmabuf_is (buffer))
    return gst_video_frame_map (video, info, buffer, flags);

  if (!gst_dssr_dmabuf_is_whole (buffer))
    return FALSE;
  gst_dssr_dmabuf_wait (buffer, flags);
  if (device && gst_dssr_dmabuf_import (video, info, buffer, device, refusal))
    return TRUE;
  gst_dssr_dmabuf_sync (buffer, TRUE);
  if (gst_video_frame_map (video, info, buffer, flags))
    return TRUE;
  gst_dssr_dmabuf_sync (buffer, FALSE);
  return FALSE;
}

gboolean
gst_dssr_frames_is_mapped (const GstVideoFrame *video)
{
  return video->map[0].memory != NULL;
}

void
gst_dssr_frames_unmap (GstVideoFrame *video)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_ref (video->buffer);

  if (!gst_dssr_frames_is_mapped (video)) {
    gst_buffer_unref (video->buffer);
    return;
  }
  gst_video_frame_unmap (video);
  if (gst_dssr_dmabuf_is (buffer))
    gst_dssr_dmabuf_sync (buffer, FALSE);
}

GstDssrFrame *
gst_dssr_frame_new (GstBuffer *buffer, GstBuffer *pixels,
    const GstVideoInfo *info, DssrDevice *device, GError **refusal)
{
  GstDssrFrame *frame = g_new (GstDssrFrame, 1);

  if (!gst_dssr_frames_map (
          &frame->video, info, pixels, GST_MAP_READ, device, refusal)) {
    g_free (frame);
    return NULL;
  }
  frame->buffer = buffer;
  return frame;
}

void
gst_dssr_frame_free (GstDssrFrame *frame)
{
  gst_dssr_frames_unmap (&frame->video);
  gst_buffer_unref (frame->buffer);
  g_free (frame);
}
