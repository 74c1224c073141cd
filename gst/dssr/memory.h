/* An allocator of memory that the GPU shares.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "engine/dssr.h"

G_BEGIN_DECLS

#define GST_TYPE_DSSR_ALLOCATOR (gst_dssr_allocator_get_type ())
G_DECLARE_FINAL_TYPE (
    GstDssrAllocator, gst_dssr_allocator, GST, DSSR_ALLOCATOR, GstAllocator)

/* System memory, to whoever maps it. What the GPU cannot give is the CPU's own.
 */
GstAllocator *gst_dssr_allocator_new (DssrDevice *device);

G_END_DECLS
