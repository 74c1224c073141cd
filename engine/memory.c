/* Memory that CPU and GPU share. Pictures are found in it by their addresses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/memory.h"

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

DssrMemory *
dssr_memory_new (DssrDevice *device, gsize size, GError **error)
{
  DssrVulkanMessage message;
  DssrVulkanShared *shared =
      dssr_vulkan_shared_new (device->vulkan, MAX (size, 1), &message);
  if (!shared) {
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND, message.text);
    return NULL;
  }

  DssrMemory *memory = g_new0 (DssrMemory, 1);
  memory->device = dssr_device_ref (device);
  memory->shared = shared;
  memory->data = dssr_vulkan_shared_map (shared);
  memory->size = size;
  g_mutex_lock (&device->lock);
  g_ptr_array_add (device->memories, memory);
  g_mutex_unlock (&device->lock);
  return memory;
}

void
dssr_memory_free (DssrMemory *memory)
{
  DssrDevice *device = memory->device;

  g_mutex_lock (&device->lock);
  g_ptr_array_remove_fast (device->memories, memory);
  g_mutex_unlock (&device->lock);
  dssr_vulkan_shared_free (memory->shared);
  dssr_device_unref (device);
  g_free (memory);
}

void *
dssr_memory_get_data (const DssrMemory *memory)
{
  return memory->data;
}
