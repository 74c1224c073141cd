/* dma-bufs, as memory in which the GPU works.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dmabuf.h"

#include <errno.h>
#include <gst/allocators/gstdmabuf.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a device may take to finish with a buffer. */
#define WAIT_MS 1000

gboolean
gst_dssr_dmabuf_is (GstBuffer *buffer)
{
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++)
    if (!gst_is_dmabuf_memory (gst_buffer_peek_memory (buffer, i)))
      return FALSE;
  return gst_buffer_n_memory (buffer) > 0;
}

gboolean
gst_dssr_dmabuf_is_whole (GstBuffer *buffer)
{
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++) {
    const GstMemory *memory = gst_buffer_peek_memory (buffer, i);
    off_t size =
        lseek (gst_dmabuf_memory_get_fd ((GstMemory *)memory), 0, SEEK_END);
    if (size >= 0 && (gsize)size < memory->offset + memory->size)
      return FALSE;
  }
  return TRUE;
}

/* The fences of those who write it, or of all: as a file of their own where the
 * kernel makes one, so that who comes later is not waited for. */
static void
wait_for_fences (gint fd, gboolean write)
{
  struct pollfd fences = {.fd = fd, .events = write ? POLLOUT : POLLIN};
#ifdef DMA_BUF_IOCTL_EXPORT_SYNC_FILE
  struct dma_buf_export_sync_file file = {
      .flags = write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ,
      .fd = -1,
  };
  if (ioctl (fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &file) == 0)
    fences = (struct pollfd){.fd = file.fd, .events = POLLIN};
#endif
  while (poll (&fences, 1, WAIT_MS) < 0 && errno == EINTR)
    ;
  if (fences.fd != fd)
    close (fences.fd);
}

void
gst_dssr_dmabuf_wait (GstBuffer *buffer, GstMapFlags flags)
{
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++)
    wait_for_fences (
        gst_dmabuf_memory_get_fd (gst_buffer_peek_memory (buffer, i)),
        (flags & GST_MAP_WRITE) != 0);
}

void
gst_dssr_dmabuf_sync (GstBuffer *buffer, gboolean begin)
{
  struct dma_buf_sync sync = {
      .flags =
          DMA_BUF_SYNC_RW | (begin ? DMA_BUF_SYNC_START : DMA_BUF_SYNC_END),
  };
  for (guint i = 0; i < gst_buffer_n_memory (buffer); i++)
    while (ioctl (gst_dmabuf_memory_get_fd (gst_buffer_peek_memory (buffer, i)),
               DMA_BUF_IOCTL_SYNC, &sync)
               < 0
           && (errno == EINTR || errno == EAGAIN))
      ;
}

/* ---- Import ---- */

typedef struct {
  DssrDevice *device;
  DssrMemory *memory; /* NULL: it cannot be imported */
} Import;

static GQuark
import_quark (void)
{
  return g_quark_from_static_string ("GstDssrImport");
}

static void
free_import (gpointer data)
{
  Import *import = data;

  g_clear_pointer (&import->memory, dssr_memory_free);
  dssr_device_unref (import->device);
  g_free (import);
}

static void
keep (GstMemory *memory, DssrDevice *device, DssrMemory *shared)
{
  Import *import = g_new (Import, 1);

  import->device = dssr_device_ref (device);
  import->memory = shared;
  gst_mini_object_set_qdata (
      GST_MINI_OBJECT (memory), import_quark (), import, free_import);
}

static DssrMemory *
find_import (GstMemory *memory, DssrDevice *device, GError **error)
{
  const Import *import =
      gst_mini_object_get_qdata (GST_MINI_OBJECT (memory), import_quark ());

  if (!import || import->device != device) {
    keep (memory, device,
        dssr_memory_import (device, gst_dmabuf_memory_get_fd (memory), error));
    import =
        gst_mini_object_get_qdata (GST_MINI_OBJECT (memory), import_quark ());
  }
  if (!import->memory && error && !*error)
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
        "a dma-buf could not be imported");
  return import->memory;
}

/* Where a plane of `size` bytes begins. */
static guint8 *
find_plane (GstBuffer *buffer, gsize offset, gsize size, DssrDevice *device,
    GError **error)
{
  guint index, length;
  gsize skip;

  if (!gst_buffer_find_memory (buffer, offset, size, &index, &length, &skip)
      || length != 1) {
    g_set_error_literal (
        error, DSSR_ERROR, DSSR_ERROR_BACKEND, "a plane is not in one dma-buf");
    return NULL;
  }
  GstMemory *memory = gst_buffer_peek_memory (buffer, index);
  DssrMemory *shared = find_import (memory, device, error);
  if (!shared)
    return NULL;
  return (guint8 *)dssr_memory_get_data (shared) + memory->offset + skip;
}

/* Bytes of a plane, the last row without what follows its samples. */
static gsize
plane_size (const GstVideoInfo *info, guint plane)
{
  gsize rows = 1, row = 1;

  for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS (info); c++) {
    if ((guint)GST_VIDEO_INFO_COMP_PLANE (info, c) != plane)
      continue;
    rows = (gsize)GST_VIDEO_INFO_COMP_HEIGHT (info, c);
    row = (gsize)GST_VIDEO_INFO_COMP_WIDTH (info, c)
          * (gsize)GST_VIDEO_INFO_COMP_PSTRIDE (info, c);
  }
  return (gsize)GST_VIDEO_INFO_PLANE_STRIDE (info, plane) * (rows - 1) + row;
}

/* Strides and offsets, which a GstVideoMeta may have. */
static void
fill_layout (GstVideoFrame *video, const GstVideoInfo *info, GstBuffer *buffer)
{
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);

  *video = (GstVideoFrame){.info = *info};
  if (!meta)
    return;
  for (guint i = 0; i < meta->n_planes; i++) {
    video->info.offset[i] = meta->offset[i];
    video->info.stride[i] = meta->stride[i];
  }
}

gboolean
gst_dssr_dmabuf_import (GstVideoFrame *video, const GstVideoInfo *info,
    GstBuffer *buffer, DssrDevice *device, GError **error)
{
  fill_layout (video, info, buffer);
  for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES (info); i++) {
    if (GST_VIDEO_INFO_PLANE_STRIDE (&video->info, i) <= 0) {
      g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
          "rows go from the bottom to the top");
      return FALSE;
    }
    video->data[i] =
        find_plane (buffer, GST_VIDEO_INFO_PLANE_OFFSET (&video->info, i),
            plane_size (&video->info, i), device, error);
    if (!video->data[i])
      return FALSE;
  }
  video->buffer = gst_buffer_ref (buffer);
  return TRUE;
}

/* ---- Export ---- */

#define GST_TYPE_DSSR_DMABUF_ALLOCATOR (gst_dssr_dmabuf_allocator_get_type ())
G_DECLARE_FINAL_TYPE (GstDssrDmabufAllocator, gst_dssr_dmabuf_allocator, GST,
    DSSR_DMABUF_ALLOCATOR, GstDmaBufAllocator)

struct _GstDssrDmabufAllocator {
  GstDmaBufAllocator parent;
  DssrDevice *device;
};

G_DEFINE_FINAL_TYPE (GstDssrDmabufAllocator, gst_dssr_dmabuf_allocator,
    GST_TYPE_DMABUF_ALLOCATOR)

static GstMemory *
alloc (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  DssrDevice *device = GST_DSSR_DMABUF_ALLOCATOR (allocator)->device;
  gsize whole = params->prefix + size + params->padding;
  g_autoptr (GError) error = NULL;
  DssrMemory *shared = dssr_memory_export (device, whole, &error);

  if (!shared) {
    GST_WARNING_OBJECT (allocator, "%s", error->message);
    return NULL;
  }
  GstMemory *memory = gst_dmabuf_allocator_alloc_with_flags (allocator,
      dssr_memory_get_fd (shared), whole, GST_FD_MEMORY_FLAG_DONT_CLOSE);
  gst_memory_resize (memory, (gssize)params->prefix, size);
  keep (memory, device, shared);
  return memory;
}

static void
finalize (GObject *object)
{
  g_clear_pointer (
      &GST_DSSR_DMABUF_ALLOCATOR (object)->device, dssr_device_unref);
  G_OBJECT_CLASS (gst_dssr_dmabuf_allocator_parent_class)->finalize (object);
}

static void
gst_dssr_dmabuf_allocator_class_init (GstDssrDmabufAllocatorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = alloc;
}

static void
gst_dssr_dmabuf_allocator_init (GstDssrDmabufAllocator *self)
{
  GST_OBJECT_FLAG_UNSET (self, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

GstAllocator *
gst_dssr_dmabuf_allocator_new (DssrDevice *device)
{
  GstDssrDmabufAllocator *self =
      g_object_new (GST_TYPE_DSSR_DMABUF_ALLOCATOR, NULL);

  gst_object_ref_sink (self);
  self->device = dssr_device_ref (device);
  return GST_ALLOCATOR (self);
}
