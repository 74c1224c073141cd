/* What tests of the Vulkan backend share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vulkan/support.h"

void
copy_out (
    DssrVulkanCommands *commands, const DssrVulkanTensor *tensor, uint64_t to)
{
  const DssrVulkanMemory *memory = commands->memory;
  const VkBufferCopy region = {.srcOffset = 4 * (VkDeviceSize)tensor->at,
      .dstOffset = 4 * to,
      .size = 4 * dssr_vulkan_tensor_words (tensor)};
  const VkMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
      .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT,
  };
  vkCmdPipelineBarrier (commands->buffer, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
      VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
  vkCmdCopyBuffer (commands->buffer, memory->buffers[DSSR_BUFFER_ARENA].buffer,
      memory->buffers[DSSR_BUFFER_DOWNLOAD].buffer, 1, &region);
  vkCmdPipelineBarrier (commands->buffer, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
      VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
}
