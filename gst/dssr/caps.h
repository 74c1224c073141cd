/* Which caps the element takes and what it makes of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* The same for both pads: the formats, any size, progressive or not. Sizes and
 * interlacing that are refused are refused in set_caps, where the reason can be
 * told. */
GstCaps *gst_dssr_caps_template (void);

/* What of `caps` a model of RGB can take: new caps of packed RGB. */
GstCaps *gst_dssr_caps_keep_rgb (const GstCaps *caps);

/* What the other pad can have if the pad of `direction` has `caps`: width and
 * height times (or divided by) `scale`, or by 2 or 4 if it is 0; system memory
 * or dma-bufs, the same first, dma-bufs out only if the GPU `exports` them; all
 * else the same. New caps, not intersected with anything. */
GstCaps *gst_dssr_caps_transform (GstPadDirection direction,
    const GstCaps *caps, gint scale, gboolean exports);

gboolean gst_dssr_caps_is_dmabuf (const GstCaps *caps);

/* As gst_video_info_from_caps, whose 1.22 forgets the chroma siting of caps
 * with no colorimetry. */
gboolean gst_dssr_caps_parse (GstVideoInfo *info, const GstCaps *caps);

/* Fixates `othercaps` (taken): the smallest scale comes first. Colorimetry and
 * chroma siting that `caps` leave to a default are written out, as the default
 * depends on the height. */
GstCaps *gst_dssr_caps_fixate (
    GstPadDirection direction, GstCaps *caps, GstCaps *othercaps);

G_END_DECLS
