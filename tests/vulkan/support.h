/* What tests of the Vulkan backend share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/vulkan/commands.h"

/* Copies a tensor to a word of the buffer for downloads. */
void copy_out (
    DssrVulkanCommands *commands, const DssrVulkanTensor *tensor, uint64_t to);
