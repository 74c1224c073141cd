/* Chains: operations that are done together, pixel by pixel, so that what one
 * makes for the next is in registers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/setup.h"

/* An invocation with few values makes more pixels: weights are read less often.
 */
enum { FEW_VALUES = 12 };

typedef struct {
  const DssrVulkanStep *steps;
  const DssrVulkanTensor *size; /* one that is made */
  DssrConvSetup setup;
  DssrOperation operation;
  int values[DSSR_VULKAN_CHAIN_LENGTH]; /* the first of each step */
  int n_values;
} Chain;

/* The number under which the shader finds a tensor. */
static int
bind_tensor (Chain *chain, const DssrVulkanTensor *tensor)
{
  const DssrOperand operand = dssr_tensor_operand (tensor);
  DssrOperation *operation = &chain->operation;

  for (int i = 0; i < operation->n_in; i++)
    if (operation->in[i].begin == operand.begin)
      return i;
  operation->in[operation->n_in] = operand;
  return operation->n_in++;
}

static int
take_values (Chain *chain, int quads)
{
  const int first = chain->n_values;
  chain->n_values += quads;
  return first;
}

/* An input, as the shader wants it. `copied`: one in memory becomes values. */
static int32_t
refer (Chain *chain, const DssrVulkanInput *in, bool copied)
{
  const DssrVulkanTensor *tensor = &in->tensor;

  if (in->step >= 0)
    return dssr_vulkan_step_quads (chain->steps, in->step)
           | chain->values[in->step] << 8;
  const int first = copied ? take_values (chain, tensor->quads) : 0;
  return tensor->quads | first << 8 | (bind_tensor (chain, tensor) + 1) << 16
         | dssr_conv_is_up (tensor, chain->size) << 20;
}

/* Whether a chain begins with two convolutions. */
static bool
is_pair (const DssrVulkanStep *steps, int n)
{
  return n > 1 && steps[0].kind == DSSR_VULKAN_STEP_CONV
         && steps[1].kind == DSSR_VULKAN_STEP_CONV
         && steps[1].conv->kernel == 3;
}

/* The first of two. */
static void
add_first (Chain *chain)
{
  const DssrVulkanStep *step = &chain->steps[0];
  uint32_t *list = chain->setup.push.list + DSSR_LIST_PAIR;

  chain->setup.constants[DSSR_CHAIN_PAIR_QUADS] = step->conv->out_quads;
  bind_tensor (chain, &step->in[0].tensor);
  list[0] = step->place;
  list[1] = dssr_conv_quantise (step->conv);
  list[2] = (uint32_t)step->conv->in_quads;
}

/* The convolution that a chain begins with, or the second one. */
static bool
add_head (Chain *chain, const DssrVulkan *vulkan, int number)
{
  const DssrVulkanStep *step = &chain->steps[number];
  const DssrVulkanTensor out = {.width = chain->size->width,
      .height = chain->size->height,
      .quads = step->conv->out_quads};
  DssrVulkanTensor in[DSSR_MAX_OPERANDS];
  int32_t *constants = chain->setup.constants;

  if (number > 0) {
    in[0] = out;
    in[0].quads = step->conv->in_quads;
  } else {
    for (int i = 0; i < step->n_in; i++) {
      in[i] = step->in[i].tensor;
      /* The shader counts inputs and bindings in the same order. */
      chain->operation.in[i] = dssr_tensor_operand (&in[i]);
    }
    chain->operation.n_in = step->n_in;
  }
  dssr_conv_set_up (
      &chain->setup, &out, in, step->n_in, step->conv, step->place);
  constants[DSSR_CHAIN_PASSES] =
      step->conv->out_quads / constants[DSSR_CONV_QUADS];
  chain->values[number] = take_values (chain, step->conv->out_quads);
  return dssr_conv_set_mask (&chain->setup, vulkan, in, step->n_in, step->conv);
}

static void
add_sampling (Chain *chain, int number)
{
  const DssrVulkanStep *step = &chain->steps[number];
  const DssrDeform *deform = step->deform;
  int32_t *constants = chain->setup.constants;
  uint32_t *list = chain->setup.push.list + DSSR_LIST_SAMPLE;

  constants[DSSR_CHAIN_OFFSET_KERNEL] = step->offset->kernel;
  constants[DSSR_CHAIN_OFFSET_FROM] = refer (chain, &step->in[0], false);
  constants[DSSR_CHAIN_SAMPLE_KERNEL] = deform->kernel;
  constants[DSSR_CHAIN_GROUPS] = deform->groups;
  constants[DSSR_CHAIN_GROUP_QUADS] = step->in[1].tensor.quads / deform->groups;
  constants[DSSR_CHAIN_FEATURE] = bind_tensor (chain, &step->in[1].tensor);
  chain->values[number] = take_values (chain, step->conv->out_quads);
  constants[DSSR_CHAIN_SAMPLE_TO] =
      step->conv->out_quads | chain->values[number] << 8;
  list[0] = step->offset_place;
  list[1] = step->place;
  list[2] = step->table;
  list[3] =
      dssr_conv_quantise (step->conv) | (uint32_t)step->offset->shift << 24;
  list[4] = (uint32_t)deform->limit | (uint32_t)deform->zero << 16;
}

static uint32_t
pack_bytes (int a, int b, int c, int d)
{
  return (uint32_t)a | (uint32_t)b << 8 | (uint32_t)c << 16 | (uint32_t)d << 24;
}

/* One of the steps that follow: the shader counts them from 0. */
static void
add_step (Chain *chain, int number, int at)
{
  const DssrVulkanStep *step = &chain->steps[number];
  const int quads = dssr_vulkan_step_quads (chain->steps, number);
  int32_t *constants =
      chain->setup.constants + DSSR_CHAIN_STEP + at * DSSR_CHAIN_STEP_SIZE;
  uint32_t *list =
      chain->setup.push.list + DSSR_LIST_STEP + at * DSSR_LIST_STEP_SIZE;

  for (int i = 0; i < step->n_in; i++)
    constants[1 + i] = refer (chain, &step->in[i], true);
  chain->values[number] = take_values (chain, quads);
  constants[0] = (int32_t)step->kind | quads << 8 | chain->values[number] << 16;
  switch (step->kind) {
    case DSSR_VULKAN_STEP_ADD:
      list[0] = pack_bytes (step->add->zero_a, step->add->zero_b,
          step->add->zero, step->add->max);
      list[1] = (uint32_t)step->add->mult_a | (uint32_t)step->add->mult_b << 16;
      break;
    case DSSR_VULKAN_STEP_ATTENTION:
      list[0] = step->place;
      list[1] = pack_bytes (step->attention->zero_a, step->attention->zero_b,
          step->attention->zero_v, step->attention->shift);
      list[2] = (uint32_t)step->attention->mult;
      break;
    default:
      list[0] = step->place;
      list[1] = dssr_conv_quantise (step->conv);
  }
}

static void
add_stores (Chain *chain, int n)
{
  DssrOperation *operation = &chain->operation;

  for (int i = 0; i < n; i++) {
    const DssrVulkanTensor *out = chain->steps[i].out;
    if (!out)
      continue;
    chain->setup.constants[DSSR_CHAIN_STORE + operation->n_out] =
        out->quads | chain->values[i] << 8;
    operation->out[operation->n_out++] = dssr_tensor_operand (out);
  }
}

static const DssrVulkanTensor *
find_size (const DssrVulkanStep *steps)
{
  while (!steps->out)
    steps++;
  return steps->out;
}

int
dssr_vulkan_step_quads (const DssrVulkanStep *steps, int number)
{
  const DssrVulkanStep *step = &steps[number];

  if (step->conv)
    return step->conv->out_quads;
  /* The sum has as many as what is added, attention as many as its values. */
  const DssrVulkanInput *in = &step->in[step->n_in - 1];
  return in->step >= 0 ? dssr_vulkan_step_quads (steps, in->step)
                       : in->tensor.quads;
}

void
dssr_vulkan_chain (
    DssrVulkanCommands *commands, const DssrVulkanStep *steps, int n)
{
  const DssrVulkan *vulkan = commands->memory->vulkan;
  Chain chain = {.steps = steps, .size = find_size (steps)};
  DssrOperation *operation = &chain.operation;
  int32_t *constants = chain.setup.constants;
  const bool headed = steps[0].kind == DSSR_VULKAN_STEP_CONV;
  const bool pair = is_pair (steps, n);
  bool sparse = false;
  int at = 0;

  chain.setup.push.out_size = dssr_tensor_size (chain.size);
  chain.setup.push.low_size = dssr_pack_size (
      (chain.size->width + 1) / 2, (chain.size->height + 1) / 2);
  constants[DSSR_CONV_PIXELS] = 4;
  if (pair)
    add_first (&chain);
  if (headed)
    sparse = add_head (&chain, vulkan, pair);
  for (int i = headed + pair; i < n; i++) {
    if (steps[i].kind == DSSR_VULKAN_STEP_SAMPLE)
      add_sampling (&chain, i);
    else
      add_step (&chain, i, at++);
  }
  add_stores (&chain, n);
  if (chain.n_values > FEW_VALUES)
    constants[DSSR_CONV_PIXELS] = 2;

  const int pixels = constants[DSSR_CONV_PIXELS];
  const DssrShader shaders[2][2] = {
      {DSSR_SHADER_CHAIN, DSSR_SHADER_CHAIN_DOT},
      {DSSR_SHADER_CHAIN_SPARSE, DSSR_SHADER_CHAIN_SPARSE_DOT},
  };
  operation->shader = shaders[sparse][vulkan->dot];
  operation->constants = constants;
  operation->n_constants = sparse ? DSSR_SPARSE_END : DSSR_CHAIN_END;
  operation->push = &chain.setup.push;
  operation->push_size = sizeof chain.setup.push;
  operation->width = (chain.size->width + pixels - 1) / pixels;
  operation->height = chain.size->height;
  operation->depth = 1;
  dssr_vulkan_record (commands, operation);
}
