/* The operations: the numbers that each shader wants. The structures are the
 * shaders' push constants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

#define COUNT(array) ((int)(sizeof (array) / sizeof *(array)))

static uint32_t
pack_size (int width, int height)
{
  return (uint32_t)width | (uint32_t)height << 16;
}

static uint32_t
tensor_size (const DssrVulkanTensor *tensor)
{
  return pack_size (tensor->width, tensor->height);
}

void
dssr_vulkan_input (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanPlane *luma, int unshuffle)
{
  const int32_t constants[] = {luma->depth, luma->shift};
  const struct {
    uint32_t out_size, luma_size;
    uint32_t out_at, luma_at, pitch;
    int32_t unshuffle;
  } push = {
      .out_size = tensor_size (out),
      .luma_size = pack_size (luma->width, luma->height),
      .out_at = out->at,
      .luma_at = luma->at,
      .pitch = luma->pitch,
      .unshuffle = unshuffle,
  };

  dssr_vulkan_use (commands, out, NULL, 0);
  dssr_vulkan_dispatch (commands, DSSR_SHADER_INPUT, constants,
      COUNT (constants), &push, sizeof push, out->width, out->height,
      out->quads);
}

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

void
dssr_vulkan_conv (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, int n_in, const DssrConv *conv,
    uint32_t weights)
{
  enum { MAX_INPUTS = 16 };
  const DssrVulkanTensor *inputs[MAX_INPUTS];
  struct {
    uint32_t in_size, out_size;
    uint32_t out_at, weights_at;
    uint32_t in_quads, quantise, n_in;
    uint32_t in_at[MAX_INPUTS], quads[MAX_INPUTS / 2];
  } push = {
      .in_size = tensor_size (&in[0]),
      .out_size = tensor_size (out),
      .out_at = out->at,
      .weights_at = weights,
      .in_quads = (uint32_t)conv->in_quads,
      .quantise = (uint32_t)conv->shift,
      .n_in = (uint32_t)n_in,
  };
  int quads, pixels;

  choose_tile (conv, &quads, &pixels);
  if (!conv->wide)
    push.quantise |= (uint32_t)conv->zero << 8 | (uint32_t)conv->max << 16;
  for (int i = 0; i < n_in; i++) {
    inputs[i] = &in[i];
    push.in_at[i] = in[i].at;
    push.quads[i / 2] |= (uint32_t)in[i].quads << 16 * (i & 1);
  }
  const int32_t constants[] = {
      conv->kernel, conv->stride, pixels, quads, conv->wide};

  dssr_vulkan_use (commands, out, inputs, n_in);
  dssr_vulkan_dispatch (commands,
      commands->memory->vulkan->dot ? DSSR_SHADER_CONV_DOT : DSSR_SHADER_CONV,
      constants, COUNT (constants), &push, sizeof push,
      (out->width + pixels - 1) / pixels, out->height, conv->out_quads / quads);
}

void
dssr_vulkan_deform (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *feature, const DssrVulkanTensor *offset,
    const DssrDeform *deform, uint32_t table)
{
  const int32_t constants[] = {deform->kernel};
  const struct {
    uint32_t size;
    uint32_t out_at, feature_at, offset_at, table_at;
    uint32_t groups, group_quads;
    int32_t limit, zero;
  } push = {
      .size = tensor_size (out),
      .out_at = out->at,
      .feature_at = feature->at,
      .offset_at = offset->at,
      .table_at = table,
      .groups = (uint32_t)deform->groups,
      .group_quads = (uint32_t)(feature->quads / deform->groups),
      .limit = deform->limit,
      .zero = deform->zero,
  };

  dssr_vulkan_use (
      commands, out, (const DssrVulkanTensor *[]){feature, offset}, 2);
  dssr_vulkan_dispatch (commands, DSSR_SHADER_DEFORM, constants,
      COUNT (constants), &push, sizeof push, out->width, out->height,
      deform->kernel * deform->kernel * deform->groups);
}

void
dssr_vulkan_add (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *a, const DssrVulkanTensor *b, const DssrAdd *add)
{
  const struct {
    uint32_t size;
    uint32_t out_at, a_at, b_at;
    int32_t zero_a, zero_b, zero, greatest;
    int32_t mult_a, mult_b;
  } push = {
      .size = tensor_size (out),
      .out_at = out->at,
      .a_at = a->at,
      .b_at = b->at,
      .zero_a = add->zero_a,
      .zero_b = add->zero_b,
      .zero = add->zero,
      .greatest = add->max,
      .mult_a = add->mult_a,
      .mult_b = add->mult_b,
  };

  dssr_vulkan_use (commands, out, (const DssrVulkanTensor *[]){a, b}, 2);
  dssr_vulkan_dispatch (commands, DSSR_SHADER_ADD, NULL, 0, &push, sizeof push,
      out->width, out->height, out->quads);
}

void
dssr_vulkan_up2 (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in)
{
  const struct {
    uint32_t in_size, out_size;
    uint32_t out_at, in_at;
  } push = {
      .in_size = tensor_size (in),
      .out_size = tensor_size (out),
      .out_at = out->at,
      .in_at = in->at,
  };

  dssr_vulkan_use (commands, out, &in, 1);
  dssr_vulkan_dispatch (commands, DSSR_SHADER_UP2, NULL, 0, &push, sizeof push,
      out->width, out->height, out->quads);
}

void
dssr_vulkan_attention (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *a,
    const DssrVulkanTensor *b, const DssrVulkanTensor *v,
    const DssrAttention *attention, uint32_t table)
{
  const struct {
    uint32_t size;
    uint32_t out_at, a_at, b_at, v_at, table_at;
    uint32_t embedding_quads, quads;
    int32_t zero_a, zero_b, zero_v;
    int32_t shift, mult;
  } push = {
      .size = tensor_size (out),
      .out_at = out->at,
      .a_at = a->at,
      .b_at = b->at,
      .v_at = v->at,
      .table_at = table,
      .embedding_quads = (uint32_t)a->quads,
      .quads = (uint32_t)v->quads,
      .zero_a = attention->zero_a,
      .zero_b = attention->zero_b,
      .zero_v = attention->zero_v,
      .shift = attention->shift,
      .mult = attention->mult,
  };

  dssr_vulkan_use (commands, out, (const DssrVulkanTensor *[]){a, b, v}, 3);
  dssr_vulkan_dispatch (commands, DSSR_SHADER_ATTENTION, NULL, 0, &push,
      sizeof push, out->width, out->height, 1);
}

/* shuffle 0: no residual. */
static void
enlarge (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrVulkanTensor *residual,
    const DssrBicubic *bicubic, int shuffle)
{
  const int32_t constants[] = {
      in->depth, in->shift, bicubic->scale, bicubic->phase_x, shuffle};
  const struct {
    uint32_t out_size, in_size;
    uint32_t out_at, out_pitch, in_at, in_pitch;
    uint32_t residual_at, residual_size;
    int32_t phase_y;
  } push = {
      .out_size = pack_size (out->width, out->height),
      .in_size = pack_size (in->width, in->height),
      .out_at = out->at,
      .out_pitch = out->pitch,
      .in_at = in->at,
      .in_pitch = in->pitch,
      .residual_at = residual ? residual->at : 0,
      .residual_size = residual ? tensor_size (residual) : 0,
      .phase_y = bicubic->phase_y,
  };

  dssr_vulkan_use (commands, NULL, &residual, residual ? 1 : 0);
  dssr_vulkan_dispatch (commands, DSSR_SHADER_ENLARGE, constants,
      COUNT (constants), &push, sizeof push, (out->width + 3) / 4, out->height,
      1);
}

void
dssr_vulkan_bicubic (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrBicubic *bicubic)
{
  enlarge (commands, out, in, NULL, bicubic, 0);
}

void
dssr_vulkan_head (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *luma, const DssrVulkanTensor *residual,
    const DssrBicubic *bicubic, int shuffle)
{
  enlarge (commands, out, luma, residual, bicubic, shuffle);
}
