/* Time on the GPU, and what is timed to know what a device reaches.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

VkResult
dssr_vulkan_make_marks (DssrVulkanMemory *memory)
{
  const DssrVulkan *vulkan = memory->vulkan;
  const VkQueryPoolCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
      .queryType = VK_QUERY_TYPE_TIMESTAMP,
      .queryCount = DSSR_VULKAN_MARKS,
  };
  if (vulkan->clock_bits == 0)
    return VK_SUCCESS;
  return vkCreateQueryPool (vulkan->device, &info, NULL, &memory->marks);
}

void
dssr_vulkan_mark (DssrVulkanCommands *commands, int mark)
{
  const VkQueryPool marks = commands->memory->marks;

  if (!marks)
    return;
  vkCmdResetQueryPool (commands->buffer, marks, (uint32_t)mark, 1);
  vkCmdWriteTimestamp (commands->buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
      marks, (uint32_t)mark);
}

uint64_t
dssr_vulkan_elapsed (const DssrVulkanMemory *memory, int from, int to)
{
  const DssrVulkan *vulkan = memory->vulkan;
  const int marks[] = {from, to};
  uint64_t ticks[2];

  for (int i = 0; memory->marks && i < 2; i++)
    if (vkGetQueryPoolResults (vulkan->device, memory->marks,
            (uint32_t)marks[i], 1, sizeof ticks[i], &ticks[i], sizeof ticks[i],
            VK_QUERY_RESULT_64_BIT)
        != VK_SUCCESS)
      return 0;
  if (!memory->marks)
    return 0;
  const uint64_t elapsed =
      (ticks[1] - ticks[0]) & (~(uint64_t)0 >> (64 - vulkan->clock_bits));
  return (uint64_t)((double)elapsed * (double)vulkan->limits.timestampPeriod);
}

static DssrOperand
words_operand (uint32_t at, uint32_t words)
{
  return (DssrOperand){
      .buffer = DSSR_BUFFER_ARENA, .begin = at, .end = (uint64_t)at + words};
}

void
dssr_vulkan_bench (DssrVulkanCommands *commands, DssrVulkanBench bench,
    uint32_t to, uint32_t from, uint32_t words, int rounds)
{
  enum { GROUP = DSSR_GROUP_SIDE * DSSR_GROUP_SIDE, ROW = 1024 };
  const int32_t constants[] = {(int32_t)bench};
  const struct {
    uint32_t n;
    uint32_t rounds;
  } push = {.n = words / 4, .rounds = (uint32_t)rounds};
  const int groups = (int)((push.n + GROUP - 1) / GROUP);
  const int across = groups < ROW ? groups : ROW;

  dssr_vulkan_record (commands,
      &(DssrOperation){
          .shader = commands->memory->vulkan->dot ? DSSR_SHADER_BENCH_DOT
                                                  : DSSR_SHADER_BENCH,
          .constants = constants,
          .n_constants = 1,
          .push = &push,
          .push_size = sizeof push,
          .width = DSSR_GROUP_SIDE * across,
          .height = DSSR_GROUP_SIDE * ((groups + across - 1) / across),
          .depth = 1,
          .out = {words_operand (to, words)},
          .n_out = 1,
          .in = {words_operand (from, words)},
          .n_in = bench == DSSR_VULKAN_COPY,
      });
}
