/* dma-bufs: what upstream and downstream give, and what is made for downstream.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/video/video.h>

#include "engine/dssr.h"

G_BEGIN_DECLS

gboolean gst_dssr_dmabuf_is (GstBuffer *buffer);

/* Whether they are as large as the buffer says: to read what is not there
 * would end the program. */
gboolean gst_dssr_dmabuf_is_whole (GstBuffer *buffer);

/* Waits until other devices have done with a buffer of dma-bufs: to read it
 * (GST_MAP_READ), or to write it. */
void gst_dssr_dmabuf_wait (GstBuffer *buffer, GstMapFlags flags);

/* Begins and ends the CPU's work on a buffer of dma-bufs: caches. */
void gst_dssr_dmabuf_sync (GstBuffer *buffer, gboolean begin);

/* Fills `video` with planes in memory that the device shares: the buffer's
 * dma-bufs, each imported once and kept with its GstMemory. FALSE with an
 * error: it has to be mapped. */
gboolean gst_dssr_dmabuf_import (GstVideoFrame *video, const GstVideoInfo *info,
    GstBuffer *buffer, DssrDevice *device, GError **error);

/* An allocator of dma-bufs of the device. */
GstAllocator *gst_dssr_dmabuf_allocator_new (DssrDevice *device);

G_END_DECLS
