/* The order of the operations on a GPU, and the places of what they make.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-fuse.h"

/* The frames' alignment side by side: the same operation of each, then the
 * next. Between two that need nothing of each other there is no barrier. */
static int *
order_nodes (const DssrProgram *plan, int n_align, int frames, int *n)
{
  int *order = g_new (int, plan->n_nodes), aligned = n_align * frames;

  *n = 0;
  for (int i = 0; i < plan->n_nodes; i++) {
    int node = i < aligned ? i % frames * n_align + i / frames : i;
    if (plan->nodes[node].needed)
      order[(*n)++] = node;
  }
  return order;
}

static guint64
align (guint64 words)
{
  return (words + DSSR_VULKAN_ALIGNMENT - 1) / DSSR_VULKAN_ALIGNMENT
         * DSSR_VULKAN_ALIGNMENT;
}

/* Words of the shared part while the groups from `first` to `last` run. */
typedef struct {
  int first, last;
  guint64 begin, end;
} Life;

/* The last group that reads each node. */
static int *
find_last (const DssrGpuProgram *program, const DssrProgram *plan)
{
  int *last = g_new (int, plan->n_nodes);

  for (int i = 0; i < program->n_groups; i++) {
    const DssrGpuGroup *group = &program->groups[i];
    for (int j = 0; j < group->n_nodes; j++) {
      int node = group->nodes[j];
      last[node] = i;
      for (int k = 0; k < plan->nodes[node].op->n_inputs; k++) {
        const DssrSource source =
            dssr_gpu_source (plan, program->virtual, node, k);
        if (source.frame == DSSR_OWN)
          last[source.node] = i;
      }
    }
  }
  return last;
}

/* The lowest place that is free from then on; `lives` are in the order of
 * `begin`. */
static guint64
place (GArray *lives, int first, int last, guint64 words)
{
  Life life = {.first = first, .last = last};
  guint i;

  for (i = 0; i < lives->len; i++) {
    const Life *other = &g_array_index (lives, Life, i);
    if (other->last < first)
      continue;
    if (other->begin >= life.begin + words)
      break;
    life.begin = MAX (life.begin, other->end);
  }
  life.end = life.begin + words;
  for (i = 0; i < lives->len; i++)
    if (g_array_index (lives, Life, i).begin > life.begin)
      break;
  g_array_insert_val (lives, i, life);
  return life.begin;
}

/* Places what a node makes, if others than its group read it; returns the end
 * of its place in the shared part. */
static guint64
place_node (DssrGpuProgram *program, const DssrNode *node, int i, GArray *lives,
    int first, int last, guint64 *slot_words)
{
  DssrVulkanTensor *tensor = &program->tensors[i];
  guint64 size = align (dssr_vulkan_tensor_words (tensor));

  program->kept[i] = node->sink;
  if (node->sink) {
    tensor->at = (guint32)*slot_words;
    *slot_words += size;
    return 0;
  }
  guint64 at = place (lives, first, last, size);
  tensor->at = (guint32)at;
  return at + size;
}

/* Returns the words of the shared part that the program needs. */
static guint64
place_nodes (
    DssrGpuProgram *program, const DssrProgram *plan, guint64 *slot_words)
{
  g_autoptr (GArray) lives = g_array_new (FALSE, FALSE, sizeof (Life));
  g_autofree int *last = find_last (program, plan);
  guint64 words = 0;

  for (int i = 0; i < program->n_groups; i++) {
    const DssrGpuGroup *group = &program->groups[i];
    for (int j = 0; j < group->n_nodes; j++) {
      const DssrNode *node = &plan->nodes[group->nodes[j]];
      program->tensors[group->nodes[j]] = (DssrVulkanTensor){
          .width = node->tensor.width,
          .height = node->tensor.height,
          .quads = node->tensor.quads,
          .wide = node->op->wide,
      };
      if (node->op->kind == DSSR_OP_HEAD || !group->stored[j])
        continue;
      guint64 end = place_node (program, node, group->nodes[j], lives, i,
          last[group->nodes[j]], slot_words);
      words = MAX (words, end);
    }
  }
  return words;
}

guint64
dssr_gpu_plan (DssrGpuNetwork *network, guint64 *slot_words)
{
  const DssrModel *model = network->model;
  guint64 words = 0;

  *slot_words = 0;
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++) {
    const DssrProgram *plans = network->plan->programs, *plan = &plans[kind];
    DssrGpuProgram *program = &network->programs[kind];
    bool enlarge = kind == DSSR_PROGRAM_ENLARGE;
    int n_order;
    g_autofree int *order =
        order_nodes (plan, enlarge ? model->stages[DSSR_STAGE_ALIGN].n_ops : 0,
            model->n_aligned, &n_order);
    program->tensors = g_new0 (DssrVulkanTensor, plan->n_nodes);
    program->kept = g_new0 (bool, plan->n_nodes);
    dssr_gpu_fuse (program, plan, &plans[DSSR_PROGRAM_FRAME], order, n_order);
    guint64 needed = place_nodes (program, plan, slot_words);
    words = MAX (words, needed);
  }
  return words;
}
