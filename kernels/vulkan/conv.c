/* Convolutions: dense ones, of which few pipelines are enough, and sparse ones,
 * which have a pipeline each, in which the weights that are zero do not occur.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/setup.h"

#include <string.h>

enum { OWN = DSSR_MAX_OPERANDS - 1 };

/* Output quads and pixels that an invocation makes: up to 32 sums. The pixels
 * are an even number, which inputs that are half as large want. */
static void
choose_tile (const DssrConv *conv, int *quads, int *pixels)
{
  *quads = conv->out_quads % 4 == 0   ? 4
           : conv->out_quads % 3 == 0 ? 3
           : conv->out_quads % 2 == 0 ? 2
                                      : 1;
  *pixels = *quads > 2 ? 2 : 4;
}

static bool
has_weights (const DssrConv *conv, int channel, int tap, int in_quad)
{
  const int taps = conv->kernel * conv->kernel;
  const size_t i = ((size_t)channel * taps + tap) * conv->in_quads + in_quad;
  return conv->mask[i >> 3] >> (i & 7) & 1;
}

/* Whether a pipeline of its own is worth it: an invocation makes all outputs,
 * enough is absent, and the code, in which no loop is left, is not too long. */
static bool
is_sparse (const DssrConv *conv, int n_in, int quads)
{
  const int taps = conv->kernel * conv->kernel;
  int all = 4 * conv->out_quads * conv->in_quads * taps, present = 0;

  if (!conv->mask || quads < conv->out_quads || n_in > DSSR_MAX_OPERANDS
      || 4 * quads * conv->in_quads * taps > 32 * DSSR_SPARSE_MASK_SIZE)
    return false;
  for (int i = 0; i < all; i++)
    present += conv->mask[i >> 3] >> (i & 7) & 1;
  return 4 * present <= 3 * all;
}

/* Bits of the weights: [in quad][tap][out channel]. */
static void
fill_mask (const DssrConv *conv, int32_t *mask)
{
  const int taps = conv->kernel * conv->kernel;
  int bit = 0;

  for (int i = 0; i < conv->in_quads; i++)
    for (int tap = 0; tap < taps; tap++)
      for (int channel = 0; channel < 4 * conv->out_quads; channel++, bit++)
        if (has_weights (conv, channel, tap, i))
          mask[bit / 32] =
              (int32_t)((uint32_t)mask[bit / 32] | (uint32_t)1 << bit % 32);
}

bool
dssr_conv_set_mask (DssrConvSetup *setup, const DssrVulkan *vulkan,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv)
{
  if (!vulkan->sparse
      || !is_sparse (conv, n_in, setup->constants[DSSR_CONV_QUADS]))
    return false;
  for (int i = 0; i < n_in; i++)
    setup->constants[DSSR_SPARSE_QUADS + i] = in[i].quads;
  fill_mask (conv, setup->constants + DSSR_SPARSE_MASK);
  return true;
}

void
dssr_conv_set_up (DssrConvSetup *setup, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv,
    uint32_t weights)
{
  int quads, pixels;

  choose_tile (conv, &quads, &pixels);
  setup->constants[DSSR_CONV_KERNEL] = conv->kernel;
  setup->constants[DSSR_CONV_STRIDE] = conv->stride;
  setup->constants[DSSR_CONV_PIXELS] = pixels;
  setup->constants[DSSR_CONV_QUADS] = quads;
  setup->constants[DSSR_CONV_WIDE] = conv->wide;
  setup->constants[DSSR_CONV_INPUTS] =
      n_in < DSSR_MAX_OPERANDS ? n_in : DSSR_MAX_OPERANDS;
  setup->constants[DSSR_CONV_ZERO_OUTSIDE] = conv->outside && conv->kernel > 1;
  setup->push.in_size = dssr_tensor_size (conv->stride > 1 ? &in[0] : out);
  setup->push.out_size = dssr_tensor_size (out);
  setup->push.low_size =
      dssr_pack_size ((out->width + 1) / 2, (out->height + 1) / 2);
  setup->push.params_at = weights;
  setup->push.weights_at = weights + 3 * (uint32_t)conv->out_quads;
  if (conv->outside)
    setup->push.weights_at += (uint32_t)conv->in_quads;
  setup->push.in_quads = (uint32_t)conv->in_quads;
  setup->push.quantise = dssr_conv_quantise (conv);
  setup->push.n_in = (uint32_t)n_in;
  for (int i = 0; i < n_in; i++) {
    setup->push.list[i / 2] |= (uint32_t)in[i].quads << 16 * (i & 1);
    if (dssr_conv_is_up (&in[i], out))
      setup->constants[DSSR_CONV_UPS] |= 1 << (i < OWN ? i : OWN);
  }
}

/* The last one that is bound is what holds all that are left. */
static void
add_inputs (DssrOperation *operation, DssrConvPush *push,
    const DssrVulkanTensor *in, int n_in)
{
  for (int i = 0; i < n_in; i++) {
    const DssrOperand operand = dssr_tensor_operand (&in[i]);
    operation->n_read += operand.end - operand.begin;
    if (i <= OWN) {
      operation->in[i] = operand;
      continue;
    }
    DssrOperand *rest = &operation->in[OWN];
    if (operand.begin < rest->begin)
      rest->begin = operand.begin;
    if (operand.end > rest->end)
      rest->end = operand.end;
  }
  for (int i = OWN; i < n_in; i++)
    push->list[DSSR_LIST_AT + i - OWN] =
        in[i].at - (uint32_t)operation->in[OWN].begin;
}

void
dssr_vulkan_conv (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv,
    uint32_t weights)
{
  const DssrVulkan *vulkan = commands->memory->vulkan;
  DssrConvSetup setup = {0};

  dssr_conv_set_up (&setup, out, in, n_in, conv, weights);
  const int pixels = setup.constants[DSSR_CONV_PIXELS];
  const bool sparse = dssr_conv_set_mask (&setup, vulkan, in, n_in, conv);
  const DssrShader shaders[2][2] = {
      {DSSR_SHADER_CONV, DSSR_SHADER_CONV_DOT},
      {DSSR_SHADER_CONV_SPARSE, DSSR_SHADER_CONV_SPARSE_DOT},
  };
  DssrOperation operation = {
      .shader = shaders[sparse][vulkan->dot],
      .constants = setup.constants,
      .n_constants = sparse ? DSSR_SPARSE_END : DSSR_CONV_END,
      PUSH (setup.push),
      .width = (out->width + pixels - 1) / pixels,
      .height = out->height,
      .depth = conv->out_quads / setup.constants[DSSR_CONV_QUADS],
      .out = {dssr_tensor_operand (out)},
      .n_out = 1,
      .n_in = setup.constants[DSSR_CONV_INPUTS],
  };

  add_inputs (&operation, &setup.push, in, n_in);
  dssr_vulkan_record (commands, &operation);
}
