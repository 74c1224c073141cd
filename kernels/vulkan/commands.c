/* Lists of operations: their beginning and end, what they wait for, and their
 * way to the GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

#include <stdlib.h>

/* What a frame may take at most. A CPU in the guise of a GPU is slow. */
#define TIMEOUT_NS ((uint64_t)10 * 1000000000)
#define CPU_TIMEOUT_NS ((uint64_t)600 * 1000000000)

static void
add_barrier (VkCommandBuffer buffer, VkPipelineStageFlags from,
    VkAccessFlags made, VkPipelineStageFlags to, VkAccessFlags used)
{
  const VkMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask = made,
      .dstAccessMask = used,
  };
  vkCmdPipelineBarrier (buffer, from, to, 0, 1, &barrier, 0, NULL, 0, NULL);
}

DssrVulkanCommands *
dssr_vulkan_commands_new (DssrVulkanMemory *memory, DssrVulkanMessage *message)
{
  const VkCommandBufferAllocateInfo allocation = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
      .commandPool = memory->pool,
      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
      .commandBufferCount = 1,
  };
  const VkCommandBufferBeginInfo begin = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
  };
  DssrVulkanCommands *commands = calloc (1, sizeof *commands);
  if (!commands) {
    dssr_vulkan_fail (message, "out of memory");
    return NULL;
  }

  commands->memory = memory;
  commands->result = vkAllocateCommandBuffers (
      memory->vulkan->device, &allocation, &commands->buffer);
  if (commands->result == VK_SUCCESS)
    commands->result = vkBeginCommandBuffer (commands->buffer, &begin);
  if (!dssr_vulkan_check (message, "commands", commands->result)) {
    dssr_vulkan_commands_free (commands);
    return NULL;
  }
  vkCmdBindDescriptorSets (commands->buffer, VK_PIPELINE_BIND_POINT_COMPUTE,
      memory->vulkan->layout, 0, 1, &memory->set, 0, NULL);
  /* What was submitted before is over, and seen. */
  add_barrier (commands->buffer, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
      VK_ACCESS_MEMORY_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
      VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
  return commands;
}

void
dssr_vulkan_commands_free (DssrVulkanCommands *commands)
{
  DssrVulkanMemory *memory = commands->memory;

  if (commands->buffer && dssr_vulkan_is_idle (memory->vulkan))
    vkFreeCommandBuffers (
        memory->vulkan->device, memory->pool, 1, &commands->buffer);
  free (commands);
}

static bool
overlaps (const DssrRange *ranges, int n, const DssrRange *range)
{
  for (int i = 0; i < n; i++)
    if (ranges[i].begin < range->end && range->begin < ranges[i].end)
      return true;
  return false;
}

/* Whether an operation must wait for some that are side by side so far. */
static bool
depends (const DssrVulkanCommands *commands, const DssrRange *reads,
    int n_reads, const DssrRange *write)
{
  if (commands->n_reads + n_reads > DSSR_MAX_PENDING
      || commands->n_writes + 1 > DSSR_MAX_PENDING)
    return true;
  for (int i = 0; i < n_reads; i++)
    if (overlaps (commands->writes, commands->n_writes, &reads[i]))
      return true;
  return overlaps (commands->writes, commands->n_writes, write)
         || overlaps (commands->reads, commands->n_reads, write);
}

static DssrRange
get_range (const DssrVulkanTensor *tensor)
{
  return (DssrRange){
      tensor->at, tensor->at + dssr_vulkan_tensor_words (tensor)};
}

void
dssr_vulkan_use (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *const *in, int n_in)
{
  const DssrRange write = out ? get_range (out) : (DssrRange){0};
  DssrRange reads[DSSR_MAX_PENDING];

  for (int i = 0; i < n_in; i++)
    reads[i] = get_range (in[i]);
  if (depends (commands, reads, n_in, &write)) {
    add_barrier (commands->buffer, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
        VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
        VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    commands->n_barriers++;
    commands->n_reads = commands->n_writes = 0;
  }
  for (int i = 0; i < n_in; i++)
    commands->reads[commands->n_reads++] = reads[i];
  if (out)
    commands->writes[commands->n_writes++] = write;
}

void
dssr_vulkan_dispatch (DssrVulkanCommands *commands, DssrShader shader,
    const int32_t *constants, int n_constants, const void *push,
    uint32_t push_size, int width, int height, int depth)
{
  DssrVulkan *vulkan = commands->memory->vulkan;
  const VkPhysicalDeviceLimits *limits = &vulkan->limits;
  const uint32_t x = ((uint32_t)width + DSSR_GROUP_SIDE - 1) / DSSR_GROUP_SIDE;
  const uint32_t y = ((uint32_t)height + DSSR_GROUP_SIDE - 1) / DSSR_GROUP_SIDE;
  VkPipeline pipeline;

  if (commands->result != VK_SUCCESS)
    return;
  if (x > limits->maxComputeWorkGroupCount[0]
      || y > limits->maxComputeWorkGroupCount[1]
      || (uint32_t)depth > limits->maxComputeWorkGroupCount[2]) {
    commands->result = VK_ERROR_FEATURE_NOT_PRESENT;
    return;
  }
  commands->result = dssr_vulkan_get_pipeline (
      vulkan, shader, constants, n_constants, &pipeline);
  if (commands->result != VK_SUCCESS)
    return;
  if (pipeline != commands->bound)
    vkCmdBindPipeline (
        commands->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
  commands->bound = pipeline;
  vkCmdPushConstants (commands->buffer, vulkan->layout,
      VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size, push);
  vkCmdDispatch (commands->buffer, x, y, (uint32_t)depth);
}

bool
dssr_vulkan_end (DssrVulkanCommands *commands, DssrVulkanMessage *message)
{
  add_barrier (commands->buffer, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
      VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
      VK_ACCESS_HOST_READ_BIT);
  const VkResult result = vkEndCommandBuffer (commands->buffer);
  if (commands->result == VK_SUCCESS)
    commands->result = result;
  return dssr_vulkan_check (message, "commands", commands->result);
}

int
dssr_vulkan_barriers (const DssrVulkanCommands *commands)
{
  return commands->n_barriers;
}

/* Whether the submission that was counted last is to fail in this way. */
static bool
is_faulty (const DssrVulkan *vulkan, DssrFault fault)
{
  return vulkan->fault == fault && vulkan->fault_at + 1 == vulkan->submitted;
}

bool
dssr_vulkan_submit (DssrVulkanCommands *commands, DssrVulkanMessage *message)
{
  DssrVulkan *vulkan = commands->memory->vulkan;
  const uint64_t value = ++vulkan->submitted;
  const VkTimelineSemaphoreSubmitInfo timeline = {
      .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
      .signalSemaphoreValueCount = 1,
      .pSignalSemaphoreValues = &value,
  };
  const VkSubmitInfo info = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
      .pNext = &timeline,
      .commandBufferCount = 1,
      .pCommandBuffers = &commands->buffer,
      .signalSemaphoreCount = 1,
      .pSignalSemaphores = &vulkan->timeline,
  };
  VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;

  if (!is_faulty (vulkan, DSSR_FAULT_OUT_OF_MEMORY))
    result = vkQueueSubmit (vulkan->queue, 1, &info, VK_NULL_HANDLE);
  return dssr_vulkan_check (message, "a frame for the GPU", result);
}

bool
dssr_vulkan_wait (DssrVulkan *vulkan, DssrVulkanMessage *message)
{
  const VkSemaphoreWaitInfo info = {
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
      .semaphoreCount = 1,
      .pSemaphores = &vulkan->timeline,
      .pValues = &vulkan->submitted,
  };
  VkResult result = VK_TIMEOUT;

  if (!is_faulty (vulkan, DSSR_FAULT_TIMEOUT))
    result = vkWaitSemaphores (vulkan->device, &info,
        vulkan->info.kind == DSSR_VULKAN_CPU ? CPU_TIMEOUT_NS : TIMEOUT_NS);
  if (is_faulty (vulkan, DSSR_FAULT_LOST))
    result = VK_ERROR_DEVICE_LOST;
  vulkan->hung = result == VK_TIMEOUT;
  return dssr_vulkan_check (message, "a frame on the GPU", result);
}
