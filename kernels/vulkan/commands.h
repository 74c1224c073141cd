/* Recording one operation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/vulkan/internal.h"

/* A shader at work. */
typedef struct {
  DssrShader shader;
  const int32_t *constants;
  int n_constants;
  const void *push;
  uint32_t push_size;
  int width, height, depth; /* invocations */
  DssrOperand out[2], in[DSSR_MAX_OPERANDS];
  int n_out, n_in;
  uint64_t n_read; /* words; 0: those of the inputs */
} DssrOperation;

/* Records an operation, after a barrier if it must wait for some before it. */
void dssr_vulkan_record (
    DssrVulkanCommands *commands, const DssrOperation *operation);

/* In an operation, an array of constants, and a structure that is pushed. */
#define CONSTANTS(array)                                                       \
  .constants = (array), .n_constants = (int)(sizeof (array) / sizeof *(array))
#define PUSH(structure) .push = &(structure), .push_size = sizeof (structure)

static inline uint32_t
dssr_pack_size (int width, int height)
{
  return (uint32_t)width | (uint32_t)height << 16;
}

static inline uint32_t
dssr_tensor_size (const DssrVulkanTensor *tensor)
{
  return dssr_pack_size (tensor->width, tensor->height);
}

static inline DssrOperand
dssr_tensor_operand (const DssrVulkanTensor *tensor)
{
  return (DssrOperand){
      .buffer = DSSR_BUFFER_ARENA,
      .begin = tensor->at,
      .end = tensor->at + dssr_vulkan_tensor_words (tensor),
  };
}
