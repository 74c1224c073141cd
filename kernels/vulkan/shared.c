/* Memory for pictures that the CPU shares with the GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Upstream may read its own pictures again, and downstream reads what it gets:
 * without a cache that takes longer than a copy would. */
#define HOST_FLAGS                                                             \
  (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT  \
      | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

/* How a dma-buf is made or taken. */
#define DMA_BUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT

static DssrVulkanShared *
make_shared (DssrVulkan *vulkan, uint64_t size, DssrVulkanMessage *message)
{
  DssrVulkanShared *shared = calloc (1, sizeof *shared);

  if (!shared) {
    dssr_vulkan_fail (message, "out of memory");
    return NULL;
  }
  shared->vulkan = vulkan;
  shared->serial = atomic_fetch_add (&vulkan->shared, 1) + 1;
  shared->buffer.size = size;
  return shared;
}

/* external: a VkExternalMemoryBufferCreateInfo, or NULL */
static VkResult
make_buffer (
    DssrVulkanShared *shared, const void *external, VkMemoryRequirements *needs)
{
  const VkDevice device = shared->vulkan->device;
  const VkBufferCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
      .pNext = external,
      .size = shared->buffer.size,
      .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
      .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
  };
  const VkResult result =
      vkCreateBuffer (device, &info, NULL, &shared->buffer.buffer);

  if (result == VK_SUCCESS)
    vkGetBufferMemoryRequirements (device, shared->buffer.buffer, needs);
  return result;
}

static VkResult
allocate (DssrVulkanShared *shared, const void *next, uint64_t size,
    uint32_t types, VkMemoryPropertyFlags wanted)
{
  const VkDevice device = shared->vulkan->device;
  DssrBuffer *buffer = &shared->buffer;
  VkMemoryAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
      .pNext = next,
      .allocationSize = size,
  };
  if (!dssr_vulkan_find_type (shared->vulkan, types,
          wanted | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, &info.memoryTypeIndex)
      && !dssr_vulkan_find_type (
          shared->vulkan, types, wanted, &info.memoryTypeIndex))
    return VK_ERROR_FEATURE_NOT_PRESENT;

  const VkResult result =
      vkAllocateMemory (device, &info, NULL, &buffer->memory);
  if (result != VK_SUCCESS)
    return result;
  return vkBindBufferMemory (device, buffer->buffer, buffer->memory, 0);
}

static VkResult
make_host_memory (DssrVulkanShared *shared)
{
  VkMemoryRequirements needs;
  VkResult result = make_buffer (shared, NULL, &needs);

  if (result == VK_SUCCESS)
    result =
        allocate (shared, NULL, needs.size, needs.memoryTypeBits, HOST_FLAGS);
  if (result == VK_SUCCESS)
    result = vkMapMemory (shared->vulkan->device, shared->buffer.memory, 0,
        VK_WHOLE_SIZE, 0, &shared->buffer.map);
  return result;
}

static DssrVulkanShared *
check (DssrVulkanShared *shared, const char *what, VkResult result,
    DssrVulkanMessage *message)
{
  if (dssr_vulkan_check (message, what, result))
    return shared;
  dssr_vulkan_shared_free (shared);
  return NULL;
}

DssrVulkanShared *
dssr_vulkan_shared_new (
    DssrVulkan *vulkan, uint64_t size, DssrVulkanMessage *message)
{
  DssrVulkanShared *shared = make_shared (vulkan, size, message);

  if (!shared)
    return NULL;
  return check (
      shared, "memory for pictures", make_host_memory (shared), message);
}

static const VkExternalMemoryBufferCreateInfo dma_buf_info = {
    .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
    .handleTypes = DMA_BUF,
};

static VkResult
import (DssrVulkanShared *shared, int fd)
{
  const VkDevice device = shared->vulkan->device;
  VkMemoryFdPropertiesKHR properties = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR,
  };
  VkMemoryRequirements needs;
  VkResult result = make_buffer (shared, &dma_buf_info, &needs);
  if (result == VK_SUCCESS)
    result = vkGetMemoryFdPropertiesKHR (device, DMA_BUF, fd, &properties);
  if (result != VK_SUCCESS)
    return result;
  if (needs.size > shared->buffer.size)
    return VK_ERROR_INVALID_EXTERNAL_HANDLE;

  const VkMemoryDedicatedAllocateInfo dedicated = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
      .buffer = shared->buffer.buffer,
  };
  const VkImportMemoryFdInfoKHR info = {
      .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
      .pNext = &dedicated,
      .handleType = DMA_BUF,
      .fd = fcntl (fd, F_DUPFD_CLOEXEC, 0),
  };
  if (info.fd < 0)
    return VK_ERROR_TOO_MANY_OBJECTS;
  result = allocate (shared, &info, shared->buffer.size,
      needs.memoryTypeBits & properties.memoryTypeBits, 0);
  /* Memory that was made has it. */
  if (!shared->buffer.memory)
    close (info.fd);
  return result;
}

DssrVulkanShared *
dssr_vulkan_shared_import (
    DssrVulkan *vulkan, int fd, uint64_t size, DssrVulkanMessage *message)
{
  if (!vulkan->info.imports) {
    dssr_vulkan_fail (
        message, "%.100s cannot import dma-bufs", vulkan->info.name);
    return NULL;
  }
  DssrVulkanShared *shared = make_shared (vulkan, size, message);
  if (!shared)
    return NULL;
  shared->foreign = true;
  return check (shared, "a dma-buf", import (shared, fd), message);
}

static VkResult export(DssrVulkanShared *shared, int *fd)
{
  const VkDevice device = shared->vulkan->device;
  VkMemoryRequirements needs;
  VkResult result = make_buffer (shared, &dma_buf_info, &needs);
  if (result != VK_SUCCESS)
    return result;

  const VkMemoryDedicatedAllocateInfo dedicated = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
      .buffer = shared->buffer.buffer,
  };
  const VkExportMemoryAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
      .pNext = &dedicated,
      .handleTypes = DMA_BUF,
  };
  result = allocate (shared, &info, needs.size, needs.memoryTypeBits, 0);
  if (result != VK_SUCCESS)
    return result;
  const VkMemoryGetFdInfoKHR get = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
      .memory = shared->buffer.memory,
      .handleType = DMA_BUF,
  };
  return vkGetMemoryFdKHR (device, &get, fd);
}

DssrVulkanShared *
dssr_vulkan_shared_export (
    DssrVulkan *vulkan, uint64_t size, int *fd, DssrVulkanMessage *message)
{
  if (!vulkan->info.exports) {
    dssr_vulkan_fail (
        message, "%.100s cannot export dma-bufs", vulkan->info.name);
    return NULL;
  }
  DssrVulkanShared *shared = make_shared (vulkan, size, message);
  if (!shared)
    return NULL;
  shared->foreign = true;
  return check (shared, "a dma-buf", export(shared, fd), message);
}

void
dssr_vulkan_shared_free (DssrVulkanShared *shared)
{
  const DssrVulkan *vulkan = shared->vulkan;

  /* A GPU that hangs may still write there: it is lost to this process. */
  if (!vulkan->hung) {
    vkDestroyBuffer (vulkan->device, shared->buffer.buffer, NULL);
    vkFreeMemory (vulkan->device, shared->buffer.memory, NULL);
  }
  free (shared);
}

void *
dssr_vulkan_shared_map (const DssrVulkanShared *shared)
{
  return shared->buffer.map;
}

uint64_t
dssr_vulkan_shared_serial (const DssrVulkanShared *shared)
{
  return shared->serial;
}
