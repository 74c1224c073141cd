/* Memory that CPU and GPU share. Pictures are found in it by their addresses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

struct _DssrDevice {
  gatomicrefcount references;
  DssrVulkan *vulkan;
  GMutex lock;
  GPtrArray *memories; /* DssrMemory. Under the lock */
};

struct _DssrMemory {
  DssrDevice *device;
  DssrVulkanShared *shared;
  guint8 *data;
  gsize size;
  int fd; /* of a dma-buf that was exported, or -1 */
};

DssrDevice *
dssr_device_new (DssrVulkan *vulkan)
{
  DssrDevice *device = g_new0 (DssrDevice, 1);
  g_atomic_ref_count_init (&device->references);
  device->vulkan = vulkan;
  g_mutex_init (&device->lock);
  device->memories = g_ptr_array_new ();
  return device;
}

DssrDevice *
dssr_device_ref (DssrDevice *device)
{
  g_atomic_ref_count_inc (&device->references);
  return device;
}

void
dssr_device_unref (DssrDevice *device)
{
  if (!g_atomic_ref_count_dec (&device->references))
    return;
  dssr_vulkan_close (device->vulkan);
  g_ptr_array_unref (device->memories);
  g_mutex_clear (&device->lock);
  g_free (device);
}

const DssrVulkanShared *
dssr_device_find (
    DssrDevice *device, const void *data, gsize size, gsize *offset)
{
  const DssrVulkanShared *found = NULL;

  g_mutex_lock (&device->lock);
  for (guint i = 0; i < device->memories->len && !found; i++) {
    const DssrMemory *memory = device->memories->pdata[i];
    guintptr at = (guintptr)data - (guintptr)memory->data;
    if (at > memory->size || size > memory->size - at)
      continue;
    found = memory->shared;
    *offset = at;
  }
  g_mutex_unlock (&device->lock);
  return found;
}

/* Takes the memory. */
static DssrMemory *
add_memory (DssrDevice *device, DssrVulkanShared *shared, void *data,
    gsize size, int fd)
{
  DssrMemory *memory = g_new0 (DssrMemory, 1);

  memory->device = dssr_device_ref (device);
  memory->shared = shared;
  memory->data = data;
  memory->size = size;
  memory->fd = fd;
  g_mutex_lock (&device->lock);
  g_ptr_array_add (device->memories, memory);
  g_mutex_unlock (&device->lock);
  return memory;
}

static DssrMemory *
fail (const DssrVulkanMessage *message, GError **error)
{
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND, message->text);
  return NULL;
}

DssrMemory *
dssr_memory_new (DssrDevice *device, gsize size, GError **error)
{
  DssrVulkanMessage message;
  DssrVulkanShared *shared =
      dssr_vulkan_shared_new (device->vulkan, MAX (size, 1), &message);

  if (!shared)
    return fail (&message, error);
  return add_memory (device, shared, dssr_vulkan_shared_map (shared), size, -1);
}

/* The CPU's view of a dma-buf, in case it is to compute. */
static void *
map_fd (int fd, gsize size, GError **error)
{
  void *data = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  /* What a camera gives may be read only. */
  if (data == MAP_FAILED)
    data = mmap (NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (data != MAP_FAILED)
    return data;
  g_set_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
      "a dma-buf cannot be mapped: %s", g_strerror (errno));
  return NULL;
}

DssrMemory *
dssr_memory_import (DssrDevice *device, int fd, GError **error)
{
  DssrVulkanMessage message;
  off_t size = lseek (fd, 0, SEEK_END);

  if (size <= 0) {
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
        "a dma-buf does not tell its size");
    return NULL;
  }
  void *data = map_fd (fd, (gsize)size, error);
  if (!data)
    return NULL;
  DssrVulkanShared *shared =
      dssr_vulkan_shared_import (device->vulkan, fd, (guint64)size, &message);
  if (shared)
    return add_memory (device, shared, data, (gsize)size, -1);
  munmap (data, (gsize)size);
  return fail (&message, error);
}

DssrMemory *
dssr_memory_export (DssrDevice *device, gsize size, GError **error)
{
  DssrVulkanMessage message;
  int fd = -1;
  DssrVulkanShared *shared =
      dssr_vulkan_shared_export (device->vulkan, MAX (size, 1), &fd, &message);

  if (!shared)
    return fail (&message, error);
  void *data = map_fd (fd, size, error);
  if (data)
    return add_memory (device, shared, data, size, fd);
  dssr_vulkan_shared_free (shared);
  close (fd);
  return NULL;
}

gboolean
dssr_device_imports (const DssrDevice *device)
{
  return dssr_vulkan_info (device->vulkan)->imports;
}

gboolean
dssr_device_exports (const DssrDevice *device)
{
  return dssr_vulkan_info (device->vulkan)->exports;
}

void
dssr_memory_free (DssrMemory *memory)
{
  DssrDevice *device = memory->device;

  g_mutex_lock (&device->lock);
  g_ptr_array_remove_fast (device->memories, memory);
  g_mutex_unlock (&device->lock);
  if (memory->data != dssr_vulkan_shared_map (memory->shared))
    munmap (memory->data, memory->size);
  dssr_vulkan_shared_free (memory->shared);
  if (memory->fd >= 0)
    close (memory->fd);
  dssr_device_unref (device);
  g_free (memory);
}

void *
dssr_memory_get_data (const DssrMemory *memory)
{
  return memory->data;
}

int
dssr_memory_get_fd (const DssrMemory *memory)
{
  return memory->fd;
}
