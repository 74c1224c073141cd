/* What convolutions and chains share: the numbers of their shader, conv.comp.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/vulkan/commands.h"

/* The specialisation constants. */
enum {
  DSSR_CONV_KERNEL,
  DSSR_CONV_STRIDE,
  DSSR_CONV_PIXELS,
  DSSR_CONV_QUADS,
  DSSR_CONV_WIDE,
  DSSR_CONV_INPUTS,
  DSSR_CONV_UPS,
  DSSR_CONV_ZERO_OUTSIDE,
  DSSR_CONV_END,
  /* Of chains. */
  DSSR_CHAIN_PASSES = DSSR_CONV_END,
  DSSR_CHAIN_STORE,
  DSSR_CHAIN_ALSO_STORE,
  DSSR_CHAIN_OFFSET_KERNEL,
  DSSR_CHAIN_OFFSET_FROM,
  DSSR_CHAIN_SAMPLE_KERNEL,
  DSSR_CHAIN_GROUPS,
  DSSR_CHAIN_GROUP_QUADS,
  DSSR_CHAIN_FEATURE,
  DSSR_CHAIN_SAMPLE_TO,
  DSSR_CHAIN_STEP,
  DSSR_CHAIN_STEP_SIZE = 1 + DSSR_VULKAN_STEP_INPUTS,
  DSSR_CHAIN_PAIR_QUADS =
      DSSR_CHAIN_STEP + DSSR_VULKAN_CHAIN_STEPS * DSSR_CHAIN_STEP_SIZE,
  DSSR_CHAIN_END,
  /* Of those that are sparse. */
  DSSR_SPARSE_QUADS = 41,
  DSSR_SPARSE_MASK = DSSR_SPARSE_QUADS + DSSR_MAX_OPERANDS,
  DSSR_SPARSE_MASK_SIZE = 32,
  DSSR_SPARSE_END = DSSR_SPARSE_MASK + DSSR_SPARSE_MASK_SIZE
};

/* Where in the list of the push constants things begin. */
enum {
  DSSR_LIST_AT = 8,
  DSSR_LIST_SAMPLE = 3,
  DSSR_LIST_PAIR = 3,
  DSSR_LIST_STEP = 8,
  DSSR_LIST_STEP_SIZE = 4,
  DSSR_LIST_SIZE = 24
};

typedef struct {
  uint32_t in_size, out_size, low_size;
  uint32_t params_at, weights_at;
  uint32_t in_quads, quantise, n_in;
  uint32_t list[DSSR_LIST_SIZE];
} DssrConvPush;

/* A convolution about to be recorded. */
typedef struct {
  int32_t constants[DSSR_SPARSE_END];
  DssrConvPush push;
} DssrConvSetup;

/* What convolves is set; the pixels of an invocation may be made fewer. */
void dssr_conv_set_up (DssrConvSetup *setup, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv,
    uint32_t weights);
/* Whether a pipeline of its own is worth it; then the constants for that are
 * set. */
bool dssr_conv_set_mask (DssrConvSetup *setup, const DssrVulkan *vulkan,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv);

/* Whether an input is half as large as what is made of it. */
static inline bool
dssr_conv_is_up (const DssrVulkanTensor *in, const DssrVulkanTensor *out)
{
  return in->width < out->width || in->height < out->height;
}

static inline uint32_t
dssr_conv_quantise (const DssrConv *conv)
{
  if (conv->wide)
    return (uint32_t)conv->shift;
  return (uint32_t)conv->shift | (uint32_t)conv->zero << 8
         | (uint32_t)conv->max << 16;
}
