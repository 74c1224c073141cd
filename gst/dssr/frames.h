/* GStreamer's video frames as the engine's pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/video/video.h>

#include "engine/dssr.h"

G_BEGIN_DECLS

/* A frame that the engine reads: the pixels stay mapped until it is freed. */
typedef struct {
  GstBuffer *buffer; /* as it came, for its times and metas */
  GstVideoFrame video;
} GstDssrFrame;

/* `info` is of planar or half-planar YUV, grey, or packed RGB. */
DssrFormat gst_dssr_frames_format (const GstVideoInfo *info);

/* The planes of a mapped frame: luma, U, V, or red, green, blue, whatever their
 * order in memory. */
DssrPicture gst_dssr_frames_picture (const GstVideoFrame *video);

/* Sets every byte of the pixels of packed RGB, the one that is no colour among
 * them. */
void gst_dssr_frames_fill (GstVideoFrame *video);

/* Maps `pixels` for reading, as gst_dssr_frames_map; strides and offsets are
 * those of its GstVideoMeta, else of `info`. Takes `buffer`, which is often the
 * same; NULL, and `buffer` untouched, if it cannot be mapped or is smaller than
 * `info` says. */
GstDssrFrame *gst_dssr_frame_new (GstBuffer *buffer, GstBuffer *pixels,
    const GstVideoInfo *info, DssrDevice *device, GError **refusal);
void gst_dssr_frame_free (GstDssrFrame *frame);

/* Maps a buffer; FALSE if it cannot be or is smaller than `info` says. A
 * dma-buf is waited for. If there is a GPU, `device`, it is imported rather
 * than mapped, or `refusal` says why not. */
gboolean gst_dssr_frames_map (GstVideoFrame *video, const GstVideoInfo *info,
    GstBuffer *buffer, GstMapFlags flags, DssrDevice *device, GError **refusal);
/* Whether the CPU may read it; FALSE: it was imported. */
gboolean gst_dssr_frames_is_mapped (const GstVideoFrame *video);
void gst_dssr_frames_unmap (GstVideoFrame *video);

G_END_DECLS
