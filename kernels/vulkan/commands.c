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
  /* What was submitted before is over, and seen. */
  add_barrier (commands->buffer, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
      VK_ACCESS_MEMORY_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
      VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
  return commands;
}

static size_t
count_pools (const DssrVulkanCommands *commands)
{
  return (commands->n_operations + DSSR_POOL_SETS - 1) / DSSR_POOL_SETS;
}

void
dssr_vulkan_commands_free (DssrVulkanCommands *commands)
{
  DssrVulkanMemory *memory = commands->memory;
  const VkDevice device = memory->vulkan->device;

  if (commands->buffer && dssr_vulkan_is_idle (memory->vulkan)) {
    vkFreeCommandBuffers (device, memory->pool, 1, &commands->buffer);
    for (size_t i = 0; i < count_pools (commands); i++)
      vkDestroyDescriptorPool (device, commands->pools[i], NULL);
  }
  free (commands->pools);
  free (commands);
}

/* ---- Barriers ---- */

static bool
share_buffer (const DssrOperand *a, const DssrOperand *b)
{
  return a->shared == b->shared && (a->shared || a->buffer == b->buffer);
}

static bool
overlaps (const DssrOperand *pending, int n, const DssrOperand *operand)
{
  for (int i = 0; i < n; i++)
    if (share_buffer (&pending[i], operand) && pending[i].begin < operand->end
        && operand->begin < pending[i].end)
      return true;
  return false;
}

/* Whether an operation must wait for some that are side by side so far. */
static bool
depends (const DssrVulkanCommands *commands, const DssrOperation *operation)
{
  if (commands->n_reads + operation->n_in > DSSR_MAX_PENDING
      || commands->n_writes + operation->n_out > DSSR_MAX_PENDING)
    return true;
  for (int i = 0; i < operation->n_in; i++)
    if (overlaps (commands->writes, commands->n_writes, &operation->in[i]))
      return true;
  for (int i = 0; i < operation->n_out; i++)
    if (overlaps (commands->writes, commands->n_writes, &operation->out[i])
        || overlaps (commands->reads, commands->n_reads, &operation->out[i]))
      return true;
  return false;
}

static void
wait_for_operands (DssrVulkanCommands *commands, const DssrOperation *operation)
{
  if (depends (commands, operation)) {
    add_barrier (commands->buffer, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
        VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
        VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    commands->n_barriers++;
    commands->n_reads = commands->n_writes = 0;
  }
  for (int i = 0; i < operation->n_in; i++)
    commands->reads[commands->n_reads++] = operation->in[i];
  for (int i = 0; i < operation->n_out; i++)
    commands->writes[commands->n_writes++] = operation->out[i];
}

/* ---- dma-bufs ---- */

/* Takes a dma-buf from other devices, or gives it back, with what it holds. */
static void
pass_foreign (
    DssrVulkanCommands *commands, const DssrVulkanShared *shared, bool take)
{
  const DssrVulkan *vulkan = commands->memory->vulkan;
  const VkAccessFlags access =
      VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
  const VkBufferMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
      .srcAccessMask = take ? 0 : access,
      .dstAccessMask = take ? access : 0,
      .srcQueueFamilyIndex =
          take ? VK_QUEUE_FAMILY_FOREIGN_EXT : vulkan->family,
      .dstQueueFamilyIndex =
          take ? vulkan->family : VK_QUEUE_FAMILY_FOREIGN_EXT,
      .buffer = shared->buffer.buffer,
      .size = VK_WHOLE_SIZE,
  };
  vkCmdPipelineBarrier (commands->buffer,
      take ? VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT
           : VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
      take ? VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT
           : VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
      0, 0, NULL, 1, &barrier, 0, NULL);
}

static void
take_foreign (DssrVulkanCommands *commands, const DssrVulkanShared *shared)
{
  if (!shared || !shared->foreign)
    return;
  for (int i = 0; i < commands->n_foreign; i++)
    if (commands->foreign[i] == shared)
      return;
  if (commands->n_foreign == DSSR_MAX_FOREIGN) {
    commands->result = VK_ERROR_FEATURE_NOT_PRESENT;
    return;
  }
  commands->foreign[commands->n_foreign++] = shared;
  pass_foreign (commands, shared, true);
}

/* ---- Descriptors ---- */

static VkResult
add_pool (DssrVulkanCommands *commands, VkDescriptorPool *pool)
{
  const VkDescriptorPoolSize size = {
      .type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
      .descriptorCount = DSSR_POOL_SETS * DSSR_N_BINDINGS,
  };
  const VkDescriptorPoolCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
      .maxSets = DSSR_POOL_SETS,
      .poolSizeCount = 1,
      .pPoolSizes = &size,
  };
  const size_t n = count_pools (commands);
  VkDescriptorPool *pools = realloc (commands->pools, (n + 1) * sizeof *pools);
  if (!pools)
    return VK_ERROR_OUT_OF_HOST_MEMORY;
  commands->pools = pools;
  const VkResult result = vkCreateDescriptorPool (
      commands->memory->vulkan->device, &info, NULL, &pools[n]);
  *pool = pools[n];
  return result;
}

static VkResult
allocate_set (DssrVulkanCommands *commands, VkDescriptorSet *set)
{
  const DssrVulkan *vulkan = commands->memory->vulkan;
  VkDescriptorSetAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
      .descriptorSetCount = 1,
      .pSetLayouts = &vulkan->set_layout,
  };

  if (commands->n_operations % DSSR_POOL_SETS == 0) {
    const VkResult result = add_pool (commands, &info.descriptorPool);
    if (result != VK_SUCCESS)
      return result;
  } else {
    info.descriptorPool =
        commands->pools[commands->n_operations / DSSR_POOL_SETS];
  }
  commands->n_operations++;
  return vkAllocateDescriptorSets (vulkan->device, &info, set);
}

static VkDescriptorBufferInfo
show (const DssrVulkanMemory *memory, const DssrOperand *operand)
{
  return (VkDescriptorBufferInfo){
      .buffer = operand->shared ? operand->shared->buffer.buffer
                                : memory->buffers[operand->buffer].buffer,
      .offset = 4 * operand->begin,
      .range = 4 * (operand->end - operand->begin),
  };
}

/* Each operand is shown to the shader as exactly what it is, so that Vulkan's
 * validation sees which operation touches what. */
static VkResult
bind_operands (DssrVulkanCommands *commands, const DssrOperation *operation)
{
  const DssrVulkanMemory *memory = commands->memory;
  const DssrVulkan *vulkan = memory->vulkan;
  VkDescriptorBufferInfo buffers[DSSR_N_BINDINGS];
  VkDescriptorSet set;
  const VkResult result = allocate_set (commands, &set);
  if (result != VK_SUCCESS)
    return result;

  buffers[0] = show (memory, &operation->out[0]);
  for (int i = 1; i <= DSSR_WEIGHTS_BINDING; i++)
    buffers[i] = i <= operation->n_in
                     ? show (memory, &operation->in[i - 1])
                     : (VkDescriptorBufferInfo){
                         .buffer = memory->buffers[DSSR_BUFFER_WEIGHTS].buffer,
                         .range = VK_WHOLE_SIZE,
                     };
  buffers[DSSR_ALSO_BINDING] =
      show (memory, &operation->out[operation->n_out - 1]);
  for (int i = 0; i < DSSR_N_BINDINGS; i++)
    if (buffers[i].range != VK_WHOLE_SIZE
        && buffers[i].range > vulkan->limits.maxStorageBufferRange)
      return VK_ERROR_FEATURE_NOT_PRESENT;
  VkWriteDescriptorSet writes[DSSR_N_BINDINGS];
  for (uint32_t i = 0; i < DSSR_N_BINDINGS; i++)
    writes[i] = (VkWriteDescriptorSet){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .dstBinding = i,
        .descriptorCount = 1,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = &buffers[i],
    };
  vkUpdateDescriptorSets (vulkan->device, DSSR_N_BINDINGS, writes, 0, NULL);
  vkCmdBindDescriptorSets (commands->buffer, VK_PIPELINE_BIND_POINT_COMPUTE,
      vulkan->layout, 0, 1, &set, 0, NULL);
  return VK_SUCCESS;
}

/* ---- Operations ---- */

static uint32_t
count_groups (int invocations)
{
  return ((uint32_t)invocations + DSSR_GROUP_SIDE - 1) / DSSR_GROUP_SIDE;
}

static VkResult
dispatch (DssrVulkanCommands *commands, const DssrOperation *operation)
{
  DssrVulkan *vulkan = commands->memory->vulkan;
  const uint32_t *most = vulkan->limits.maxComputeWorkGroupCount;
  const uint32_t x = count_groups (operation->width);
  const uint32_t y = count_groups (operation->height);
  const uint32_t z = (uint32_t)operation->depth;
  VkPipeline pipeline;

  if (x > most[0] || y > most[1] || z > most[2])
    return VK_ERROR_FEATURE_NOT_PRESENT;
  VkResult result = dssr_vulkan_get_pipeline (vulkan, operation->shader,
      operation->constants, operation->n_constants, &pipeline);
  if (result == VK_SUCCESS)
    result = bind_operands (commands, operation);
  if (result != VK_SUCCESS)
    return result;
  if (pipeline != commands->bound)
    vkCmdBindPipeline (
        commands->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
  commands->bound = pipeline;
  vkCmdPushConstants (commands->buffer, vulkan->layout,
      VK_SHADER_STAGE_COMPUTE_BIT, 0, operation->push_size, operation->push);
  vkCmdDispatch (commands->buffer, x, y, z);
  return VK_SUCCESS;
}

static void
count_traffic (DssrVulkanCommands *commands, const DssrOperation *operation)
{
  uint64_t words = operation->n_read;

  for (int i = 0; operation->n_read == 0 && i < operation->n_in; i++)
    words += operation->in[i].end - operation->in[i].begin;
  for (int i = 0; i < operation->n_out; i++)
    words += operation->out[i].end - operation->out[i].begin;
  commands->traffic += 4 * words;
}

void
dssr_vulkan_record (
    DssrVulkanCommands *commands, const DssrOperation *operation)
{
  if (commands->result != VK_SUCCESS)
    return;
  for (int i = 0; i < operation->n_in; i++)
    take_foreign (commands, operation->in[i].shared);
  for (int i = 0; i < operation->n_out; i++)
    take_foreign (commands, operation->out[i].shared);
  if (commands->result != VK_SUCCESS)
    return;
  wait_for_operands (commands, operation);
  commands->result = dispatch (commands, operation);
  count_traffic (commands, operation);
}

bool
dssr_vulkan_end (DssrVulkanCommands *commands, DssrVulkanMessage *message)
{
  for (int i = 0; i < commands->n_foreign; i++)
    pass_foreign (commands, commands->foreign[i], false);
  add_barrier (commands->buffer, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
      VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
      VK_ACCESS_HOST_READ_BIT);
  const VkResult result = vkEndCommandBuffer (commands->buffer);
  if (commands->result == VK_SUCCESS)
    commands->result = result;
  return dssr_vulkan_check (message, "commands", commands->result);
}

int
dssr_vulkan_operations (const DssrVulkanCommands *commands)
{
  return (int)commands->n_operations;
}

int
dssr_vulkan_barriers (const DssrVulkanCommands *commands)
{
  return commands->n_barriers;
}

uint64_t
dssr_vulkan_traffic (const DssrVulkanCommands *commands)
{
  return commands->traffic;
}

/* Whether the submission of this number, from 1, is to fail in this way. */
static bool
is_faulty (const DssrVulkan *vulkan, uint64_t number, DssrFault fault)
{
  return vulkan->fault == fault && vulkan->fault_at + 1 == number;
}

bool
dssr_vulkan_submit (DssrVulkanCommands *commands, DssrVulkanMessage *message)
{
  DssrVulkan *vulkan = commands->memory->vulkan;
  pthread_mutex_lock (&vulkan->lock);
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

  if (!is_faulty (vulkan, value, DSSR_FAULT_OUT_OF_MEMORY))
    result = vkQueueSubmit (vulkan->queue, 1, &info, VK_NULL_HANDLE);
  pthread_mutex_unlock (&vulkan->lock);
  return dssr_vulkan_check (message, "a frame for the GPU", result);
}

bool
dssr_vulkan_wait (
    DssrVulkan *vulkan, uint64_t submissions, DssrVulkanMessage *message)
{
  const VkSemaphoreWaitInfo info = {
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
      .semaphoreCount = 1,
      .pSemaphores = &vulkan->timeline,
      .pValues = &submissions,
  };
  VkResult result = vkWaitSemaphores (vulkan->device, &info,
      vulkan->info.kind == DSSR_VULKAN_CPU ? CPU_TIMEOUT_NS : TIMEOUT_NS);

  /* What hangs writes nothing more; so the test's fault waits, too. */
  if (is_faulty (vulkan, submissions, DSSR_FAULT_TIMEOUT))
    result = VK_TIMEOUT;
  if (is_faulty (vulkan, submissions, DSSR_FAULT_LOST)
      || is_faulty (vulkan, submissions, DSSR_FAULT_MISSING))
    result = VK_ERROR_DEVICE_LOST;
  pthread_mutex_lock (&vulkan->lock);
  vulkan->hung = result == VK_TIMEOUT;
  pthread_mutex_unlock (&vulkan->lock);
  return dssr_vulkan_check (message, "a frame on the GPU", result);
}
