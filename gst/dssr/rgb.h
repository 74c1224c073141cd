/* Packed RGB by way of 4:4:4 YUV, which is what the engine enlarges.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct _GstDssrRgb GstDssrRgb;

/* `in` and `out` are RGB of the small and the large size; `threads` 0 is all
 * cores. NULL if a pool cannot be had. */
GstDssrRgb *gst_dssr_rgb_new (
    const GstVideoInfo *in, const GstVideoInfo *out, guint threads);
void gst_dssr_rgb_free (GstDssrRgb *rgb);

/* YUV info of the small picture. */
const GstVideoInfo *gst_dssr_rgb_get_info (const GstDssrRgb *rgb);

/* A new buffer with `buffer`'s picture as YUV, or NULL. */
GstBuffer *gst_dssr_rgb_to_yuv (GstDssrRgb *rgb, GstBuffer *buffer);

/* The enlarged YUV picture to write; then gst_dssr_rgb_from_yuv makes RGB of
 * it. It belongs to `rgb` and stays mapped. */
GstVideoFrame *gst_dssr_rgb_get_enlarged (GstDssrRgb *rgb);
void gst_dssr_rgb_from_yuv (GstDssrRgb *rgb, GstVideoFrame *out);

G_END_DECLS
