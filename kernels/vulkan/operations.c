/* The operations: the numbers that each shader wants. The structures are the
 * shaders' push constants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

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
      .out_size = dssr_tensor_size (out),
      .luma_size = dssr_pack_size (luma->width, luma->height),
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
                                    .out = {dssr_tensor_operand (out)},
                                    .n_out = 1,
                                    .in = {in},
                                    .n_in = 1,
                                });
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
      .size = dssr_tensor_size (out),
      .table_at = table,
      .groups = (uint32_t)deform->groups,
      .group_quads = (uint32_t)(feature->quads / deform->groups),
      .limit = deform->limit,
      .zero = deform->zero,
  };

  dssr_vulkan_record (commands,
      &(DssrOperation){
          .shader = DSSR_SHADER_DEFORM,
          CONSTANTS (constants),
          PUSH (push),
          .width = out->width,
          .height = out->height,
          .depth = deform->kernel * deform->kernel * deform->groups,
          .out = {dssr_tensor_operand (out)},
          .n_out = 1,
          .in = {dssr_tensor_operand (feature), dssr_tensor_operand (offset)},
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
      .size = dssr_tensor_size (out),
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
                    .out = {dssr_tensor_operand (out)},
                    .n_out = 1,
                    .in = {dssr_tensor_operand (a), dssr_tensor_operand (b)},
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
      .in_size = dssr_tensor_size (in),
      .out_size = dssr_tensor_size (out),
  };

  dssr_vulkan_record (commands, &(DssrOperation){
                                    .shader = DSSR_SHADER_UP2,
                                    PUSH (push),
                                    .width = out->width,
                                    .height = out->height,
                                    .depth = out->quads,
                                    .out = {dssr_tensor_operand (out)},
                                    .n_out = 1,
                                    .in = {dssr_tensor_operand (in)},
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
      .size = dssr_tensor_size (out),
      .table_at = table,
      .embedding_quads = (uint32_t)a->quads,
      .quads = (uint32_t)v->quads,
      .zero_a = attention->zero_a,
      .zero_b = attention->zero_b,
      .zero_v = attention->zero_v,
      .shift = attention->shift,
      .mult = attention->mult,
  };

  dssr_vulkan_record (
      commands, &(DssrOperation){
                    .shader = DSSR_SHADER_ATTENTION,
                    PUSH (push),
                    .width = out->width,
                    .height = out->height,
                    .depth = 1,
                    .out = {dssr_tensor_operand (out)},
                    .n_out = 1,
                    .in = {dssr_tensor_operand (a), dssr_tensor_operand (b),
                        dssr_tensor_operand (v)},
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
      .out_size = dssr_pack_size (out->width, out->height),
      .in_size = dssr_pack_size (in->width, in->height),
      .out_pitch = out->pitch,
      .in_pitch = in->pitch,
      .residual_size = residual ? dssr_tensor_size (residual) : 0,
      .phase_y = bicubic->phase_y,
  };
  DssrOperation operation = {
      .shader = DSSR_SHADER_ENLARGE,
      CONSTANTS (constants),
      PUSH (push),
      .width = (out->width + 3) / 4,
      .height = out->height,
      .depth = 1,
      .out = {plane_operand (out, DSSR_BUFFER_DOWNLOAD, &push.out_at)},
      .n_out = 1,
      .in = {plane_operand (in, DSSR_BUFFER_UPLOAD, &push.in_at)},
      .n_in = 1,
  };

  if (residual)
    operation.in[operation.n_in++] = dssr_tensor_operand (residual);
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
      .out_size = dssr_pack_size (out->width, out->height),
      .in_size = dssr_pack_size (in->width, in->height),
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
          .out = {plane_operand (out, DSSR_BUFFER_DOWNLOAD, &push.out_at)},
          .n_out = 1,
          .in = {plane_operand (in, DSSR_BUFFER_UPLOAD, &push.in_at)},
          .n_in = 1,
      });
}
