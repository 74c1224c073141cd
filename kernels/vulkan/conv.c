/* Convolutions: dense ones, of which few pipelines are enough, and sparse ones,
 * which have a pipeline each, in which the weights that are zero do not occur.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

#include <string.h>

enum { MAX_INPUTS = 16, OWN = DSSR_MAX_OPERANDS - 1 };

/* The constants of both shaders; those of the sparse one alone. */
enum {
  N_DENSE = 6,
  N_MASK = 32,
  N_SPARSE = N_DENSE + DSSR_MAX_OPERANDS + N_MASK
};

/* The push constants. */
typedef struct {
  uint32_t in_size, out_size;
  uint32_t params_at, weights_at;
  uint32_t in_quads, quantise, n_in;
  uint32_t in_at[MAX_INPUTS - OWN], quads[MAX_INPUTS / 2];
} Push;

/* Output quads and pixels that an invocation makes: up to 32 sums. */
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
      || 4 * quads * conv->in_quads * taps > 32 * N_MASK)
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

  memset (mask, 0, N_MASK * sizeof *mask);
  for (int i = 0; i < conv->in_quads; i++)
    for (int tap = 0; tap < taps; tap++)
      for (int channel = 0; channel < 4 * conv->out_quads; channel++, bit++)
        if (has_weights (conv, channel, tap, i))
          mask[bit / 32] =
              (int32_t)((uint32_t)mask[bit / 32] | (uint32_t)1 << bit % 32);
}

static void
add_inputs (
    DssrOperation *operation, Push *push, const DssrVulkanTensor *in, int n_in)
{
  for (int i = 0; i < n_in; i++) {
    const DssrOperand operand = dssr_tensor_operand (&in[i]);
    push->quads[i / 2] |= (uint32_t)in[i].quads << 16 * (i & 1);
    operation->n_read += operand.end - operand.begin;
    if (i <= OWN) {
      operation->in[i] = operand;
      continue;
    }
    /* The last one is what holds all that are left. */
    DssrOperand *rest = &operation->in[OWN];
    if (operand.begin < rest->begin)
      rest->begin = operand.begin;
    if (operand.end > rest->end)
      rest->end = operand.end;
  }
  for (int i = OWN; i < n_in; i++)
    push->in_at[i - OWN] = in[i].at - (uint32_t)operation->in[OWN].begin;
}

static void
record_sparse (DssrVulkanCommands *commands, const DssrVulkanTensor *in,
    const DssrConv *conv, DssrOperation *operation)
{
  int32_t constants[N_SPARSE];

  memcpy (constants, operation->constants, N_DENSE * sizeof *constants);
  for (int i = 0; i < DSSR_MAX_OPERANDS; i++)
    constants[N_DENSE + i] = i < operation->n_in ? in[i].quads : 0;
  fill_mask (conv, constants + N_DENSE + DSSR_MAX_OPERANDS);
  operation->shader = commands->memory->vulkan->dot
                          ? DSSR_SHADER_CONV_SPARSE_DOT
                          : DSSR_SHADER_CONV_SPARSE;
  operation->constants = constants;
  operation->n_constants = N_SPARSE;
  dssr_vulkan_record (commands, operation);
}

void
dssr_vulkan_conv (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv,
    uint32_t weights)
{
  Push push = {
      .in_size = dssr_tensor_size (&in[0]),
      .out_size = dssr_tensor_size (out),
      .params_at = weights,
      .weights_at = weights + 3 * (uint32_t)conv->out_quads,
      .in_quads = (uint32_t)conv->in_quads,
      .quantise = (uint32_t)conv->shift,
      .n_in = (uint32_t)n_in,
  };
  int quads, pixels;

  choose_tile (conv, &quads, &pixels);
  const int bound = n_in < DSSR_MAX_OPERANDS ? n_in : DSSR_MAX_OPERANDS;
  const int32_t constants[N_DENSE] = {
      conv->kernel, conv->stride, pixels, quads, conv->wide, bound};
  DssrOperation operation = {
      .shader = commands->memory->vulkan->dot ? DSSR_SHADER_CONV_DOT
                                              : DSSR_SHADER_CONV,
      CONSTANTS (constants),
      PUSH (push),
      .width = (out->width + pixels - 1) / pixels,
      .height = out->height,
      .depth = conv->out_quads / quads,
      .out = dssr_tensor_operand (out),
      .n_in = bound,
  };

  if (!conv->wide)
    push.quantise |= (uint32_t)conv->zero << 8 | (uint32_t)conv->max << 16;
  add_inputs (&operation, &push, in, n_in);
  if (commands->memory->vulkan->sparse && is_sparse (conv, n_in, quads))
    record_sparse (commands, in, conv, &operation);
  else
    dssr_vulkan_record (commands, &operation);
}
