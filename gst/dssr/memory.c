/* An allocator of memory that the GPU shares: what upstream writes there is
 * what shaders read, and what they write is what downstream reads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory.h"

#include <string.h>

/* Vulkan maps memory at multiples of 64 at least. */
#define MAX_ALIGN 63

typedef struct {
  GstMemory parent;
  guint8 *data;
  DssrMemory *memory; /* NULL: a part of its parent's */
} Memory;

struct _GstDssrAllocator {
  GstAllocator parent;
  DssrDevice *device;
};

G_DEFINE_FINAL_TYPE (GstDssrAllocator, gst_dssr_allocator, GST_TYPE_ALLOCATOR)

static GstMemory *
make_memory (GstDssrAllocator *self, Memory *memory, GstMemoryFlags flags,
    GstMemory *parent, gsize maxsize, gsize align, gsize offset, gsize size)
{
  gst_memory_init (GST_MEMORY_CAST (memory), flags, GST_ALLOCATOR (self),
      parent, maxsize, align, offset, size);
  return GST_MEMORY_CAST (memory);
}

static GstMemory *
alloc (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  GstDssrAllocator *self = GST_DSSR_ALLOCATOR (allocator);
  gsize maxsize = params->prefix + size + params->padding;
  DssrMemory *shared = NULL;

  if (params->align <= MAX_ALIGN)
    shared = dssr_memory_new (self->device, maxsize, NULL);
  if (!shared)
    return gst_allocator_alloc (NULL, size, params);

  Memory *memory = g_new0 (Memory, 1);
  memory->memory = shared;
  memory->data = dssr_memory_get_data (shared);
  if (params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED)
    memset (memory->data, 0, params->prefix);
  if (params->flags & GST_MEMORY_FLAG_ZERO_PADDED)
    memset (memory->data + params->prefix + size, 0, params->padding);
  return make_memory (self, memory, params->flags, NULL, maxsize, params->align,
      params->prefix, size);
}

static void
free_memory (GstAllocator *allocator, GstMemory *base)
{
  Memory *memory = (Memory *)base;

  g_clear_pointer (&memory->memory, dssr_memory_free);
  g_free (memory);
}

static gpointer
map (GstMemory *base, gsize maxsize, GstMapFlags flags)
{
  return ((Memory *)base)->data;
}

static void
unmap (GstMemory *base)
{
}

static GstMemory *
share (GstMemory *base, gssize offset, gssize size)
{
  GstMemory *parent = base->parent ? base->parent : base;
  Memory *memory = g_new0 (Memory, 1);

  if (size == -1)
    size = (gssize)base->size - offset;
  memory->data = ((Memory *)base)->data;
  return make_memory (GST_DSSR_ALLOCATOR (base->allocator), memory,
      GST_MINI_OBJECT_FLAGS (parent) | GST_MINI_OBJECT_FLAG_LOCK_READONLY,
      parent, base->maxsize, base->align,
      (gsize)((gssize)base->offset + offset), (gsize)size);
}

static void
finalize (GObject *object)
{
  g_clear_pointer (&GST_DSSR_ALLOCATOR (object)->device, dssr_device_unref);
  G_OBJECT_CLASS (gst_dssr_allocator_parent_class)->finalize (object);
}

static void
gst_dssr_allocator_class_init (GstDssrAllocatorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = alloc;
  GST_ALLOCATOR_CLASS (klass)->free = free_memory;
}

static void
gst_dssr_allocator_init (GstDssrAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR (self);

  allocator->mem_type = "DssrMemory";
  allocator->mem_map = map;
  allocator->mem_unmap = unmap;
  allocator->mem_share = share;
}

GstAllocator *
gst_dssr_allocator_new (DssrDevice *device)
{
  GstDssrAllocator *self = g_object_new (GST_TYPE_DSSR_ALLOCATOR, NULL);

  gst_object_ref_sink (self);
  self->device = dssr_device_ref (device);
  return GST_ALLOCATOR (self);
}
