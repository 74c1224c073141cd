/* Recording one operation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/vulkan/internal.h"

/* The next operation writes `out` (or a picture: NULL) and reads `in`; waits
 * for the operations before it, if it must. */
void dssr_vulkan_use (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *const *in, int n_in);

/* Runs a shader for width * height * depth invocations. */
void dssr_vulkan_dispatch (DssrVulkanCommands *commands, DssrShader shader,
    const int32_t *constants, int n_constants, const void *push,
    uint32_t push_size, int width, int height, int depth);
