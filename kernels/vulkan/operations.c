/* The operations: the numbers that each shader wants. The structures are the
 * shaders' push constants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

#define CONSTANTS(array)                                                       \
  .constants = (array), .n_constants = (int)(sizeof (array) / sizeof *(array))
#define PUSH(structure) .push = &(structure), .push_size = sizeof (structure)

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

static DssrOperand
tensor_operand (const DssrVulkanTensor *tensor)
{
  return (DssrOperand){
      .buffer = DSSR_BUFFER_ARENA,
      .begin = tensor->at,
      .end = tensor->at + dssr_vulkan_tensor_words (tensor),
  };
}

/* Planes begin anywhere in memory that is shared; what is shown to a shader
 * does not. The plane begins *at words after it. */
static DssrOperand
plane_operand (const DssrVulkanPlane *plane, DssrBufferUse buffer, uint32_t *at)
{
  *at = plane->at % DSSR_VULKAN_ALIGNMENT;
  return (DssrOperand){
      .buffer = buffer,
      .begin = plane->at - *at,
      .end = plane->at + dssr_vulkan_plane_words (plane),
      .shared = plane->shared,
  };
}

void
dssr_vulkan_input (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanPlane *luma, int unshuffle)
{
  const int32_t constants[] = {luma->depth, luma->shift};
  struct {
    uint32_t out_size, luma_size;
    uint32_t at, pitch;
    int32_t unshuffle;
  } push = {
      .out_size = tensor_size (out),
      .luma_size = pack_size (luma->width, luma->height),
      .pitch = luma->pitch,
      .unshuffle = unshuffle,
  };
  const DssrOperand in = plane_operand (luma, DSSR_BUFFER_UPLOAD, &push.at);

  dssr_vulkan_record (commands, &(DssrOperation){
                                    .shader = DSSR_SHADER_INPUT,
                                    CONSTANTS (constants),
                                    PUSH (push),
                                    .width = out->width,
                                    .height = out->height,
                                    .depth = out->quads,
                                    .out = tensor_operand (out),
                                    .in = {in},
                                    .n_in = 1,
                                });
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
  enum { MAX_INPUTS = 16, OWN = DSSR_MAX_OPERANDS - 1 };
  struct {
    uint32_t in_size, out_size;
    uint32_t weights_at;
    uint32_t in_quads, quantise, n_in;
    uint32_t in_at[MAX_INPUTS - OWN], quads[MAX_INPUTS / 2];
  } push = {
      .in_size = tensor_size (&in[0]),
      .out_size = tensor_size (out),
      .weights_at = weights,
      .in_quads = (uint32_t)conv->in_quads,
      .quantise = (uint32_t)conv->shift,
      .n_in = (uint32_t)n_in,
  };
  int quads, pixels;

  choose_tile (conv, &quads, &pixels);
  const int bound = n_in < DSSR_MAX_OPERANDS ? n_in : DSSR_MAX_OPERANDS;
  const int32_t constants[] = {
      conv->kernel, conv->stride, pixels, quads, conv->wide, bound};
  DssrOperation operation = {
      .shader = commands->memory->vulkan->dot ? DSSR_SHADER_CONV_DOT
                                              : DSSR_SHADER_CONV,
      CONSTANTS (constants),
      PUSH (push),
      .width = (out->width + pixels - 1) / pixels,
      .height = out->height,
      .depth = conv->out_quads / quads,
      .out = tensor_operand (out),
      .n_in = bound,
  };

  if (!conv->wide)
    push.quantise |= (uint32_t)conv->zero << 8 | (uint32_t)conv->max << 16;
  for (int i = 0; i < n_in; i++) {
    const DssrOperand operand = tensor_operand (&in[i]);
    push.quads[i / 2] |= (uint32_t)in[i].quads << 16 * (i & 1);
    operation.n_read += operand.end - operand.begin;
    if (i <= OWN) {
      operation.in[i] = operand;
      continue;
    }
    /* The last one is what holds all that are left. */
    DssrOperand *rest = &operation.in[OWN];
    if (operand.begin < rest->begin)
      rest->begin = operand.begin;
    if (operand.end > rest->end)
      rest->end = operand.end;
  }
  for (int i = OWN; i < n_in; i++)
    push.in_at[i - OWN] = in[i].at - (uint32_t)operation.in[OWN].begin;
  dssr_vulkan_record (commands, &operation);
}

void
dssr_vulkan_deform (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *feature, const DssrVulkanTensor *offset,
    const DssrDeform *deform, uint32_t table)
{
  const int32_t constants[] = {deform->kernel};
  const struct {
    uint32_t size;
    uint32_t table_at;
    uint32_t groups, group_quads;
    int32_t limit, zero;
  } push = {
      .size = tensor_size (out),
      .table_at = table,
      .groups = (uint32_t)deform->groups,
      .group_quads = (uint32_t)(feature->quads / deform->groups),
      .limit = deform->limit,
      .zero = deform->zero,
  };

  dssr_vulkan_record (
      commands, &(DssrOperation){
                    .shader = DSSR_SHADER_DEFORM,
                    CONSTANTS (constants),
                    PUSH (push),
                    .width = out->width,
                    .height = out->height,
                    .depth = deform->kernel * deform->kernel * deform->groups,
                    .out = tensor_operand (out),
                    .in = {tensor_operand (feature), tensor_operand (offset)},
                    .n_in = 2,
                });
}

void
dssr_vulkan_add (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *a, const DssrVulkanTensor *b, const DssrAdd *add)
{
  const struct {
    uint32_t size;
    int32_t zero_a, zero_b, zero, greatest;
    int32_t mult_a, mult_b;
  } push = {
      .size = tensor_size (out),
      .zero_a = add->zero_a,
      .zero_b = add->zero_b,
      .zero = add->zero,
      .greatest = add->max,
      .mult_a = add->mult_a,
      .mult_b = add->mult_b,
  };

  dssr_vulkan_record (
      commands, &(DssrOperation){
                    .shader = DSSR_SHADER_ADD,
                    PUSH (push),
                    .width = out->width,
                    .height = out->height,
                    .depth = out->quads,
                    .out = tensor_operand (out),
                    .in = {tensor_operand (a), tensor_operand (b)},
                    .n_in = 2,
                });
}

void
dssr_vulkan_up2 (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in)
{
  const struct {
    uint32_t in_size, out_size;
  } push = {
      .in_size = tensor_size (in),
      .out_size = tensor_size (out),
  };

  dssr_vulkan_record (commands, &(DssrOperation){
                                    .shader = DSSR_SHADER_UP2,
                                    PUSH (push),
                                    .width = out->width,
                                    .height = out->height,
                                    .depth = out->quads,
                                    .out = tensor_operand (out),
                                    .in = {tensor_operand (in)},
                                    .n_in = 1,
                                });
}

void
dssr_vulkan_attention (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *a,
    const DssrVulkanTensor *b, const DssrVulkanTensor *v,
    const DssrAttention *attention, uint32_t table)
{
  const struct {
    uint32_t size;
    uint32_t table_at;
    uint32_t embedding_quads, quads;
    int32_t zero_a, zero_b, zero_v;
    int32_t shift, mult;
  } push = {
      .size = tensor_size (out),
      .table_at = table,
      .embedding_quads = (uint32_t)a->quads,
      .quads = (uint32_t)v->quads,
      .zero_a = attention->zero_a,
      .zero_b = attention->zero_b,
      .zero_v = attention->zero_v,
      .shift = attention->shift,
      .mult = attention->mult,
  };

  dssr_vulkan_record (commands,
      &(DssrOperation){
          .shader = DSSR_SHADER_ATTENTION,
          PUSH (push),
          .width = out->width,
          .height = out->height,
          .depth = 1,
          .out = tensor_operand (out),
          .in = {tensor_operand (a), tensor_operand (b), tensor_operand (v)},
          .n_in = 3,
      });
}

/* shuffle 0: no residual. */
static void
enlarge (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrVulkanTensor *residual,
    const DssrBicubic *bicubic, int shuffle)
{
  const int32_t constants[] = {in->depth, in->shift, bicubic->scale,
      bicubic->phase_x, shuffle, in->pair};
  struct {
    uint32_t out_size, in_size;
    uint32_t out_at, in_at;
    uint32_t out_pitch, in_pitch;
    uint32_t residual_size;
    int32_t phase_y;
  } push = {
      .out_size = pack_size (out->width, out->height),
      .in_size = pack_size (in->width, in->height),
      .out_pitch = out->pitch,
      .in_pitch = in->pitch,
      .residual_size = residual ? tensor_size (residual) : 0,
      .phase_y = bicubic->phase_y,
  };
  DssrOperation operation = {
      .shader = DSSR_SHADER_ENLARGE,
      CONSTANTS (constants),
      PUSH (push),
      .width = (out->width + 3) / 4,
      .height = out->height,
      .depth = 1,
      .out = plane_operand (out, DSSR_BUFFER_DOWNLOAD, &push.out_at),
      .in = {plane_operand (in, DSSR_BUFFER_UPLOAD, &push.in_at)},
      .n_in = 1,
  };

  if (residual)
    operation.in[operation.n_in++] = tensor_operand (residual);
  dssr_vulkan_record (commands, &operation);
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

void
dssr_vulkan_contrast (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrContrast *contrast)
{
  const int32_t constants[] = {in->depth, in->shift, contrast->scale};
  struct {
    uint32_t out_size, in_size;
    uint32_t out_at, in_at;
    uint32_t out_pitch, in_pitch;
    int32_t black, range;
    int32_t lift, gain, limit;
  } push = {
      .out_size = pack_size (out->width, out->height),
      .in_size = pack_size (in->width, in->height),
      .out_pitch = out->pitch,
      .in_pitch = in->pitch,
      .black = contrast->black,
      .range = contrast->range,
      .lift = contrast->lift,
      .gain = contrast->gain,
      .limit = contrast->limit,
  };

  /* A group for each square of 8x8 small samples. */
  dssr_vulkan_record (commands,
      &(DssrOperation){
          .shader = DSSR_SHADER_CONTRAST,
          CONSTANTS (constants),
          PUSH (push),
          .width = in->width,
          .height = in->height,
          .depth = 1,
          .out = plane_operand (out, DSSR_BUFFER_DOWNLOAD, &push.out_at),
          .in = {plane_operand (in, DSSR_BUFFER_UPLOAD, &push.in_at)},
          .n_in = 1,
      });
}
