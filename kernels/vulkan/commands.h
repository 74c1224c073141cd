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
  DssrOperand out, in[DSSR_MAX_OPERANDS];
  int n_in;
  uint64_t n_read; /* words; 0: those of the inputs */
} DssrOperation;

/* Records an operation, after a barrier if it must wait for some before it. */
void dssr_vulkan_record (
    DssrVulkanCommands *commands, const DssrOperation *operation);
