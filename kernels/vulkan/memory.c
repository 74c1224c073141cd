/* The buffers of a network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <stdlib.h>
#include <string.h>

enum { N_WANTED = 3 };

/* The memory that each kind of buffer had best be in, then what will do. Vulkan
 * has host-visible, coherent memory everywhere. */
static const struct {
  const char *name;
  VkMemoryPropertyFlags wanted[N_WANTED];
  bool mapped;
} uses[DSSR_N_BUFFERS] = {
    [DSSR_BUFFER_ARENA] = {"features", {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0},
        false},
    [DSSR_BUFFER_WEIGHTS] = {"weights",
        {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0}, false},
    [DSSR_BUFFER_UPLOAD] = {"pictures",
        {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
                | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
                | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
                | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
                | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
        true},
    /* The CPU reads it: slowly, unless it is cached. Where CPU and GPU share
     * their memory, it is local as well. */
    [DSSR_BUFFER_DOWNLOAD] = {"enlarged pictures",
        {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
                | VK_MEMORY_PROPERTY_HOST_CACHED_BIT
                | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
                | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
            VK_MEMORY_PROPERTY_HOST_CACHED_BIT
                | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
                | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
                | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
        true},
};

bool
dssr_vulkan_find_type (const DssrVulkan *vulkan, uint32_t types,
    VkMemoryPropertyFlags wanted, uint32_t *type)
{
  for (uint32_t i = 0; i < vulkan->heaps.memoryTypeCount; i++) {
    const VkMemoryPropertyFlags flags =
        vulkan->heaps.memoryTypes[i].propertyFlags;
    if (types >> i & 1 && (flags & wanted) == wanted) {
      *type = i;
      return true;
    }
  }
  return false;
}

static VkResult
allocate (const DssrVulkan *vulkan, DssrBuffer *buffer,
    const VkMemoryPropertyFlags *wanted)
{
  VkMemoryRequirements needs;
  VkMemoryAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
  };
  VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;

  vkGetBufferMemoryRequirements (vulkan->device, buffer->buffer, &needs);
  info.allocationSize = needs.size;
  /* A heap may be too small for the best type. */
  for (int i = 0; i < N_WANTED && result != VK_SUCCESS; i++)
    if (dssr_vulkan_find_type (
            vulkan, needs.memoryTypeBits, wanted[i], &info.memoryTypeIndex))
      result = vkAllocateMemory (vulkan->device, &info, NULL, &buffer->memory);
  if (result != VK_SUCCESS)
    return result;
  return vkBindBufferMemory (vulkan->device, buffer->buffer, buffer->memory, 0);
}

static void
count_bytes (DssrVulkan *vulkan, uint64_t more, uint64_t less)
{
  pthread_mutex_lock (&vulkan->lock);
  vulkan->allocated += more - less;
  pthread_mutex_unlock (&vulkan->lock);
}

static VkResult
make_buffer (DssrVulkan *vulkan, DssrBuffer *buffer, DssrBufferUse use,
    uint64_t size, VkBufferUsageFlags usage)
{
  const VkBufferCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
      .size = size,
      .usage = usage,
      .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
  };
  buffer->size = size;
  count_bytes (vulkan, size, 0);
  VkResult result =
      vkCreateBuffer (vulkan->device, &info, NULL, &buffer->buffer);
  if (result == VK_SUCCESS)
    result = allocate (vulkan, buffer, uses[use].wanted);
  if (result == VK_SUCCESS && uses[use].mapped)
    result = vkMapMemory (
        vulkan->device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map);
  return result;
}

void
dssr_vulkan_release (DssrVulkan *vulkan, DssrBuffer *buffer)
{
  pthread_mutex_lock (&vulkan->lock);
  const bool last = !buffer->users || --*buffer->users == 0;
  pthread_mutex_unlock (&vulkan->lock);
  if (!last)
    return;
  count_bytes (vulkan, 0, buffer->size);
  vkDestroyBuffer (vulkan->device, buffer->buffer, NULL);
  vkFreeMemory (vulkan->device, buffer->memory, NULL);
  free (buffer->users);
}

/* As make_buffer, but takes the common one if that is large enough, and makes
 * what it made the common one if not. */
static VkResult
share_buffer (DssrVulkan *vulkan, DssrBuffer *buffer, DssrBufferUse use,
    uint64_t size, VkBufferUsageFlags usage)
{
  DssrBuffer *common = &vulkan->common[use];

  pthread_mutex_lock (&vulkan->lock);
  const bool fits = common->users && common->size >= size;
  if (fits) {
    *buffer = *common;
    ++*buffer->users;
  }
  pthread_mutex_unlock (&vulkan->lock);
  if (fits)
    return VK_SUCCESS;

  const VkResult result = make_buffer (vulkan, buffer, use, size, usage);
  if (result != VK_SUCCESS)
    return result;
  buffer->users = malloc (sizeof *buffer->users);
  if (!buffer->users)
    return VK_ERROR_OUT_OF_HOST_MEMORY;
  *buffer->users = 2;
  pthread_mutex_lock (&vulkan->lock);
  DssrBuffer before = *common;
  *common = *buffer;
  pthread_mutex_unlock (&vulkan->lock);
  dssr_vulkan_release (vulkan, &before);
  return VK_SUCCESS;
}

static VkResult
make_pool (DssrVulkanMemory *memory)
{
  const VkCommandPoolCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
      .queueFamilyIndex = memory->vulkan->family,
  };
  return vkCreateCommandPool (
      memory->vulkan->device, &info, NULL, &memory->pool);
}

/* Submits without waiting for what other threads submit. */
static VkResult
run (DssrVulkan *vulkan, const VkSubmitInfo *submit)
{
  const VkFenceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
  };
  VkFence fence;
  VkResult result = vkCreateFence (vulkan->device, &info, NULL, &fence);

  if (result != VK_SUCCESS)
    return result;
  pthread_mutex_lock (&vulkan->lock);
  result = vkQueueSubmit (vulkan->queue, 1, submit, fence);
  pthread_mutex_unlock (&vulkan->lock);
  if (result == VK_SUCCESS)
    result = vkWaitForFences (vulkan->device, 1, &fence, VK_TRUE, UINT64_MAX);
  vkDestroyFence (vulkan->device, fence, NULL);
  return result;
}

/* Copies between two buffers and waits for it. */
static VkResult
copy (DssrVulkanMemory *memory, const DssrBuffer *from, const DssrBuffer *to)
{
  const DssrVulkan *vulkan = memory->vulkan;
  const VkCommandBufferAllocateInfo allocation = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
      .commandPool = memory->pool,
      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
      .commandBufferCount = 1,
  };
  const VkCommandBufferBeginInfo begin = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
  };
  const VkBufferCopy region = {.size = from->size};
  VkCommandBuffer commands;
  VkResult result =
      vkAllocateCommandBuffers (vulkan->device, &allocation, &commands);

  if (result != VK_SUCCESS)
    return result;
  result = vkBeginCommandBuffer (commands, &begin);
  if (result == VK_SUCCESS) {
    vkCmdCopyBuffer (commands, from->buffer, to->buffer, 1, &region);
    result = vkEndCommandBuffer (commands);
  }
  const VkSubmitInfo submit = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
      .commandBufferCount = 1,
      .pCommandBuffers = &commands,
  };
  if (result == VK_SUCCESS)
    result = run (memory->vulkan, &submit);
  vkFreeCommandBuffers (vulkan->device, memory->pool, 1, &commands);
  return result;
}

static VkResult
upload_weights (DssrVulkanMemory *memory, const DssrVulkanWeights *weights)
{
  const size_t size = weights->n_words * sizeof *weights->words;
  DssrBuffer staging = {0};
  VkResult result = make_buffer (memory->vulkan, &staging, DSSR_BUFFER_UPLOAD,
      size, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);

  if (result == VK_SUCCESS) {
    memcpy (staging.map, weights->words, size);
    result = copy (memory, &staging, &memory->buffers[DSSR_BUFFER_WEIGHTS]);
  }
  dssr_vulkan_release (memory->vulkan, &staging);
  return result;
}

static bool
make_buffers (DssrVulkanMemory *memory, const uint64_t *sizes, bool turns,
    DssrVulkanMessage *message)
{
  DssrVulkan *vulkan = memory->vulkan;

  for (int i = 0; i < DSSR_N_BUFFERS; i++) {
    /* A buffer may not be empty. */
    const uint64_t size = sizes[i] ? sizes[i] : 16;
    /* Weights are copied; for tests, features too. */
    const VkBufferUsageFlags usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT
                                     | VK_BUFFER_USAGE_TRANSFER_SRC_BIT
                                     | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    const bool own = !turns || i == DSSR_BUFFER_WEIGHTS;
    if (!dssr_vulkan_check (message, uses[i].name,
            (own ? make_buffer : share_buffer) (
                vulkan, &memory->buffers[i], i, size, usage)))
      return false;
  }
  return true;
}

DssrVulkanMemory *
dssr_vulkan_memory_new (DssrVulkan *vulkan, uint64_t arena,
    const DssrVulkanWeights *weights, uint64_t upload, uint64_t download,
    bool turns, DssrVulkanMessage *message)
{
  const uint64_t sizes[DSSR_N_BUFFERS] = {
      [DSSR_BUFFER_ARENA] = 4 * arena,
      [DSSR_BUFFER_WEIGHTS] = 4 * weights->n_words,
      [DSSR_BUFFER_UPLOAD] = 4 * upload,
      [DSSR_BUFFER_DOWNLOAD] = 4 * download,
  };
  DssrVulkanMemory *memory = calloc (1, sizeof *memory);

  if (!memory || weights->failed) {
    free (memory);
    dssr_vulkan_fail (message, "out of memory");
    return NULL;
  }
  memory->vulkan = vulkan;
  if (make_buffers (memory, sizes, turns, message)
      && dssr_vulkan_check (message, "commands", make_pool (memory))
      && dssr_vulkan_check (message, "clock", dssr_vulkan_make_marks (memory))
      && (weights->n_words == 0
          || dssr_vulkan_check (
              message, "weights", upload_weights (memory, weights))))
    return memory;
  dssr_vulkan_memory_free (memory);
  return NULL;
}

void
dssr_vulkan_memory_free (DssrVulkanMemory *memory)
{
  DssrVulkan *vulkan = memory->vulkan;

  if (dssr_vulkan_is_idle (vulkan)) {
    vkDestroyCommandPool (vulkan->device, memory->pool, NULL);
    vkDestroyQueryPool (vulkan->device, memory->marks, NULL);
    for (int i = 0; i < DSSR_N_BUFFERS; i++)
      dssr_vulkan_release (vulkan, &memory->buffers[i]);
  }
  free (memory);
}

uint64_t
dssr_vulkan_memory_size (DssrVulkan *vulkan)
{
  pthread_mutex_lock (&vulkan->lock);
  const uint64_t size = vulkan->allocated;
  pthread_mutex_unlock (&vulkan->lock);
  return size;
}

uint64_t
dssr_vulkan_tensor_words (const DssrVulkanTensor *tensor)
{
  return (uint64_t)tensor->width * (uint64_t)tensor->height
         * (uint64_t)tensor->quads * (tensor->wide ? 2 : 1);
}
