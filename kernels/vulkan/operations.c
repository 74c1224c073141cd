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

/* Records an operation on tensors: one invocation for each pixel and quad of
 * the output, unless its depth is said. */
static void
record_tensors (DssrVulkanCommands *commands, DssrOperation operation,
    const DssrVulkanTensor *out, const DssrVulkanTensor *const *in, int n_in)
{
  operation.width = out->width;
  operation.height = out->height;
  if (!operation.depth)
    operation.depth = out->quads;
  operation.out[operation.n_out++] = dssr_tensor_operand (out);
  for (int i = 0; i < n_in; i++)
    operation.in[operation.n_in++] = dssr_tensor_operand (in[i]);
  dssr_vulkan_record (commands, &operation);
}

void
dssr_vulkan_input (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanPlane *planes, int n_planes, int unshuffle)
{
  const int32_t constants[] = {planes->depth, planes->shift};
  struct {
    uint32_t out_size, size;
    uint32_t at[3], pitch[3];
    int32_t unshuffle, n_planes;
  } push = {
      .out_size = dssr_tensor_size (out),
      .size = dssr_pack_size (planes->width, planes->height),
      .unshuffle = unshuffle,
      .n_planes = n_planes,
  };
  DssrOperation operation = {
      .shader = DSSR_SHADER_INPUT,
      CONSTANTS (constants),
      PUSH (push),
      .n_in = n_planes,
  };

  for (int i = 0; i < n_planes; i++) {
    push.pitch[i] = planes[i].pitch;
    operation.in[i] =
        plane_operand (&planes[i], DSSR_BUFFER_UPLOAD, &push.at[i]);
  }
  record_tensors (commands, operation, out, NULL, 0);
}

void
dssr_vulkan_deform (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *feature, const DssrVulkanTensor *offset,
    const DssrDeform *deform, bool zero_outside, uint32_t table)
{
  const int32_t constants[] = {deform->kernel, zero_outside};
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

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_DEFORM,
          CONSTANTS (constants),
          PUSH (push),
          .depth = deform->kernel * deform->kernel * deform->groups},
      out, (const DssrVulkanTensor *[]){feature, offset}, 2);
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

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_ADD, PUSH (push)}, out,
      (const DssrVulkanTensor *[]){a, b}, 2);
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

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_UP2, PUSH (push)}, out,
      (const DssrVulkanTensor *[]){in}, 1);
}

void
dssr_vulkan_shuffle (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, int zero)
{
  const struct {
    uint32_t in_size, out_size;
    uint32_t in_quads;
    int32_t zero;
  } push = {
      .in_size = dssr_tensor_size (in),
      .out_size = dssr_tensor_size (out),
      .in_quads = (uint32_t)in->quads,
      .zero = zero,
  };

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_SHUFFLE, PUSH (push)}, out,
      (const DssrVulkanTensor *[]){in}, 1);
}

void
dssr_vulkan_follow (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, DssrPan pan)
{
  const struct {
    uint32_t size;
    int32_t x, y;
  } push = {
      .size = dssr_tensor_size (out),
      .x = pan.x,
      .y = pan.y,
  };

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_FOLLOW, PUSH (push)}, out,
      (const DssrVulkanTensor *[]){in}, 1);
}

void
dssr_vulkan_pool (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in, const DssrPooling *pool)
{
  const struct {
    uint32_t in_size, out_size;
    int32_t average, zero;
  } push = {
      .in_size = dssr_tensor_size (in),
      .out_size = dssr_tensor_size (out),
      .average = pool->average,
      .zero = pool->zero,
  };

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_POOL, PUSH (push)}, out,
      (const DssrVulkanTensor *[]){in}, 1);
}

void
dssr_vulkan_modulate (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *v, const DssrVulkanTensor *gate,
    const DssrVulkanTensor *b, const DssrModulate *modulate, uint32_t table)
{
  const struct {
    uint32_t size;
    uint32_t table_at;
    int32_t zero_v, zero_b, zero, greatest;
    int32_t mult_v, mult_b;
  } push = {
      .size = dssr_tensor_size (out),
      .table_at = table,
      .zero_v = modulate->zero_v,
      .zero_b = modulate->zero_b,
      .zero = modulate->zero,
      .greatest = modulate->max,
      .mult_v = modulate->mult_v,
      .mult_b = modulate->mult_b,
  };

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_MODULATE, PUSH (push)}, out,
      (const DssrVulkanTensor *[]){v, gate, b}, 3);
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

  record_tensors (commands,
      (DssrOperation){.shader = DSSR_SHADER_ATTENTION, PUSH (push), .depth = 1},
      out, (const DssrVulkanTensor *[]){a, b, v}, 3);
}

/* head NULL: there is no residual. */
static void
enlarge (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrVulkanTensor *residual,
    const DssrBicubic *bicubic, const DssrVulkanHead *head)
{
  const int32_t constants[] = {in->depth, in->shift, bicubic->scale,
      bicubic->phase_x, head ? head->shuffle : 0, in->pair,
      head && head->linear};
  struct {
    uint32_t out_size, in_size;
    uint32_t out_at, in_at;
    uint32_t out_pitch, in_pitch;
    uint32_t residual_size;
    int32_t phase_y;
    uint32_t first_channel;
  } push = {
      .out_size = dssr_pack_size (out->width, out->height),
      .in_size = dssr_pack_size (in->width, in->height),
      .out_pitch = out->pitch,
      .in_pitch = in->pitch,
      .residual_size = head ? dssr_tensor_size (residual) : 0,
      .phase_y = bicubic->phase_y,
      .first_channel = head ? (uint32_t)head->first : 0,
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

  if (head)
    operation.in[operation.n_in++] = dssr_tensor_operand (residual);
  dssr_vulkan_record (commands, &operation);
}

void
dssr_vulkan_bicubic (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrBicubic *bicubic)
{
  enlarge (commands, out, in, NULL, bicubic, NULL);
}

void
dssr_vulkan_head (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrVulkanTensor *residual,
    const DssrBicubic *bicubic, const DssrVulkanHead *head)
{
  enlarge (commands, out, in, residual, bicubic, head);
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
