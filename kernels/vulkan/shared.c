/* Memory for pictures that the CPU shares with the GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <stdlib.h>

/* Upstream may read its own pictures again, and downstream reads what it gets:
 * without a cache that takes longer than a copy would. */
#define HOST_FLAGS                                                             \
  (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT  \
      | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

static VkResult
make_shared (DssrVulkanShared *shared)
{
  const DssrVulkan *vulkan = shared->vulkan;
  DssrBuffer *buffer = &shared->buffer;
  const VkBufferCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
      .size = buffer->size,
      .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
      .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
  };
  VkMemoryRequirements needs;
  VkResult result =
      vkCreateBuffer (vulkan->device, &info, NULL, &buffer->buffer);
  if (result != VK_SUCCESS)
    return result;

  vkGetBufferMemoryRequirements (vulkan->device, buffer->buffer, &needs);
  VkMemoryAllocateInfo allocation = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
      .allocationSize = needs.size,
  };
  if (!dssr_vulkan_find_type (vulkan, needs.memoryTypeBits,
          HOST_FLAGS | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
          &allocation.memoryTypeIndex)
      && !dssr_vulkan_find_type (vulkan, needs.memoryTypeBits, HOST_FLAGS,
          &allocation.memoryTypeIndex))
    return VK_ERROR_FEATURE_NOT_PRESENT;
  result =
      vkAllocateMemory (vulkan->device, &allocation, NULL, &buffer->memory);
  if (result == VK_SUCCESS)
    result =
        vkBindBufferMemory (vulkan->device, buffer->buffer, buffer->memory, 0);
  if (result == VK_SUCCESS)
    result = vkMapMemory (
        vulkan->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map);
  return result;
}

DssrVulkanShared *
dssr_vulkan_shared_new (
    DssrVulkan *vulkan, uint64_t size, DssrVulkanMessage *message)
{
  DssrVulkanShared *shared = calloc (1, sizeof *shared);

  if (!shared) {
    dssr_vulkan_fail (message, "out of memory");
    return NULL;
  }
  shared->vulkan = vulkan;
  shared->serial = atomic_fetch_add (&vulkan->shared, 1) + 1;
  shared->buffer.size = size;
  if (dssr_vulkan_check (message, "memory for pictures", make_shared (shared)))
    return shared;
  dssr_vulkan_shared_free (shared);
  return NULL;
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
