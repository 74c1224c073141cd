/* Which operations a GPU does together, so that what one makes for another is
 * in no memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-fuse.h"

/* Quads that the first of two convolutions reads, where it is done one and a
 * half times to save memory. */
#define MAX_PAIR_INPUT 3

/* How a node is read. */
typedef struct {
  int n_readers;
  int reader; /* the last one */
  bool kept;  /* another program reads it too */
} Use;

typedef struct {
  const DssrProgram *plan;
  Use *uses;
  bool *virtual; /* up2 that its readers do as they read */
  int *ready;    /* the position in the order from which on a node is made */
  int *group;    /* number of its group, or -1 */
} Fuser;

typedef struct {
  const DssrProgram *plan;
  DssrGpuGroup group;
  DssrSource tensors[DSSR_VULKAN_CHAIN_INPUTS];
  int n_tensors;
  int n_steps; /* after the first and after sampling */
  int values;
  bool fits;
} Builder;

/* ---- Inputs ---- */

DssrSource
dssr_gpu_source (const DssrProgram *plan, const bool *virtual, int node, int i)
{
  DssrSource source = plan->nodes[node].sources[i];
  if (source.frame == DSSR_OWN && virtual[source.node])
    source = plan->nodes[source.node].sources[0];
  return source;
}

static int
source_quads (
    const DssrProgram *plan, const DssrProgram *frame, const DssrSource *source)
{
  const DssrProgram *from = source->frame == DSSR_OWN ? plan : frame;
  return from->nodes[source->node].tensor.quads;
}

static void
find_uses (Fuser *fuser)
{
  const DssrProgram *plan = fuser->plan;

  for (int i = 0; i < plan->n_nodes; i++) {
    const DssrNode *node = &plan->nodes[i];
    fuser->uses[i].kept = node->sink;
    for (int j = 0; node->needed && j < node->op->n_inputs; j++) {
      if (node->sources[j].frame != DSSR_OWN)
        continue;
      Use *use = &fuser->uses[node->sources[j].node];
      use->n_readers++;
      use->reader = i;
    }
  }
}

/* Whether a convolution can read its input as up2 would make it. */
static bool
reads_up (const DssrOp *op, int input)
{
  return op->kind == DSSR_OP_CONV && op->conv.stride == 1
         && (op->n_inputs <= DSSR_VULKAN_CHAIN_INPUTS
             || input < DSSR_VULKAN_CHAIN_INPUTS - 1);
}

static void
find_virtual (Fuser *fuser)
{
  const DssrProgram *plan = fuser->plan;

  for (int i = 0; i < plan->n_nodes; i++)
    fuser->virtual[i] = plan->nodes[i].op->kind == DSSR_OP_UP2
                        && fuser->uses[i].n_readers > 0 && !plan->nodes[i].sink;
  for (int i = 0; i < plan->n_nodes; i++) {
    const DssrNode *node = &plan->nodes[i];
    for (int j = 0; node->needed && j < node->op->n_inputs; j++) {
      const DssrSource *source = &node->sources[j];
      if (source->frame == DSSR_OWN && !reads_up (node->op, j))
        fuser->virtual[source->node] = false;
    }
  }
}

/* ---- Groups ---- */

static int
find_member (const DssrGpuGroup *group, int node)
{
  for (int i = 0; i < group->n_nodes; i++)
    if (group->nodes[i] == node)
      return i;
  return -1;
}

/* Takes an input into account that is in memory. */
static void
add_tensor (Builder *builder, const DssrSource *source)
{
  for (int i = 0; i < builder->n_tensors; i++)
    if (builder->tensors[i].frame == source->frame
        && builder->tensors[i].node == source->node)
      return;
  if (builder->n_tensors == DSSR_VULKAN_CHAIN_INPUTS) {
    builder->fits = false;
    return;
  }
  builder->tensors[builder->n_tensors++] = *source;
}

static void
add_node (Builder *builder, int node)
{
  if (builder->group.n_nodes == DSSR_GPU_MAX_GROUP)
    builder->fits = false;
  else
    builder->group.nodes[builder->group.n_nodes++] = node;
}

/* Whether an input is made by the group, or before it. */
static bool
is_there (const Fuser *fuser, const Builder *builder, const DssrSource *source)
{
  return source->frame != DSSR_OWN
         || fuser->ready[source->node] < builder->group.position;
}

/* A convolution that a chain may have other than as its first. */
static bool
is_pointwise (const DssrNode *node)
{
  const DssrOp *op = node->op;
  return op->kind == DSSR_OP_CONV && op->conv.kernel == 1
         && op->conv.stride == 1 && !op->wide;
}

static bool
is_read_by_one (const Fuser *fuser, int node)
{
  return fuser->uses[node].n_readers == 1 && !fuser->uses[node].kept;
}

/* Shaders of chains find the picture's edge outside it. */
static bool
is_edge_outside (const DssrOp *op)
{
  return op->kind == DSSR_OP_CONV ? !op->conv.outside : !op->zero_outside;
}

/* Offsets, the sampling at them, and what convolves the samples, each of which
 * nobody else reads. */
static bool
is_sampling (const Fuser *fuser, int offset, int *deform, int *conv)
{
  const DssrNode *nodes = fuser->plan->nodes;
  const DssrOp *op = nodes[offset].op;

  if (op->kind != DSSR_OP_CONV || !op->wide || op->conv.stride != 1
      || !is_edge_outside (op) || op->n_inputs != 1
      || op->conv.in_quads > DSSR_VULKAN_CHAIN_WINDOW
      || !is_read_by_one (fuser, offset))
    return false;
  *deform = fuser->uses[offset].reader;
  if (nodes[*deform].op->kind != DSSR_OP_DEFORM
      || !is_edge_outside (nodes[*deform].op)
      || !is_read_by_one (fuser, *deform))
    return false;
  *conv = fuser->uses[*deform].reader;
  op = nodes[*conv].op;
  return is_pointwise (&nodes[*conv]) && op->n_inputs == 1
         && op->quads <= DSSR_VULKAN_CHAIN_SAMPLED;
}

/* Takes three nodes into a group that is empty or has one node. */
static void
add_sampling (
    const Fuser *fuser, Builder *builder, int offset, int deform, int conv)
{
  const DssrSource from =
      dssr_gpu_source (fuser->plan, fuser->virtual, offset, 0);
  const DssrSource feature = fuser->plan->nodes[deform].sources[0];
  const bool member =
      from.frame == DSSR_OWN && find_member (&builder->group, from.node) >= 0;

  if (!is_there (fuser, builder, &feature)
      || (!member && !is_there (fuser, builder, &from))) {
    builder->fits = false;
    return;
  }
  if (!member)
    add_tensor (builder, &from);
  add_tensor (builder, &feature);
  add_node (builder, offset);
  add_node (builder, deform);
  add_node (builder, conv);
  builder->values += fuser->plan->nodes[conv].tensor.quads;
}

/* Takes a node into a group that makes one of its inputs. */
static void
add_step (
    const Fuser *fuser, const DssrProgram *frame, Builder *builder, int node)
{
  const DssrOp *op = fuser->plan->nodes[node].op;
  bool member = false;

  if (op->n_inputs > DSSR_VULKAN_STEP_INPUTS
      || builder->n_steps == DSSR_VULKAN_CHAIN_STEPS)
    builder->fits = false;
  for (int i = 0; builder->fits && i < op->n_inputs; i++) {
    const DssrSource source =
        dssr_gpu_source (fuser->plan, fuser->virtual, node, i);
    const bool up = source.node != fuser->plan->nodes[node].sources[i].node;
    if (source.frame == DSSR_OWN && !up
        && find_member (&builder->group, source.node) >= 0) {
      member = true;
      continue;
    }
    builder->fits = is_there (fuser, builder, &source);
    builder->values += source_quads (fuser->plan, frame, &source);
    add_tensor (builder, &source);
  }
  add_node (builder, node);
  builder->n_steps++;
  builder->values += op->quads;
  builder->fits =
      builder->fits && member && builder->values <= DSSR_VULKAN_CHAIN_VALUES;
}

/* Those of a group that others read. */
static void
find_stored (const Fuser *fuser, DssrGpuGroup *group)
{
  const DssrProgram *plan = fuser->plan;

  for (int i = 0; i < group->n_nodes; i++)
    group->stored[i] = fuser->uses[group->nodes[i]].kept;
  for (int i = 0; i < plan->n_nodes; i++) {
    const DssrNode *node = &plan->nodes[i];
    if (!node->needed || fuser->virtual[i] || find_member (group, i) >= 0)
      continue;
    for (int j = 0; j < node->op->n_inputs; j++) {
      const DssrSource source = dssr_gpu_source (plan, fuser->virtual, i, j);
      const int member =
          source.frame == DSSR_OWN ? find_member (group, source.node) : -1;
      if (member >= 0)
        group->stored[member] = true;
    }
  }
}

static int
count_stored (const DssrGpuGroup *group)
{
  int n = 0;
  for (int i = 0; i < group->n_nodes; i++)
    n += group->stored[i];
  return n;
}

/* Tries to take a node in, with those that only make sense together. */
static bool
try_to_add (
    const Fuser *fuser, const DssrProgram *frame, Builder *builder, int node)
{
  const DssrOp *op = fuser->plan->nodes[node].op;
  Builder more = *builder;
  int deform, conv;

  if (is_sampling (fuser, node, &deform, &conv)) {
    const DssrSource *source = &fuser->plan->nodes[node].sources[0];
    if (builder->group.n_nodes != 1 || op->conv.kernel != 1
        || source->frame != DSSR_OWN || source->node != builder->group.nodes[0])
      return false;
    add_sampling (fuser, &more, node, deform, conv);
  } else if (op->kind == DSSR_OP_ADD || op->kind == DSSR_OP_ATTENTION
             || is_pointwise (&fuser->plan->nodes[node])) {
    add_step (fuser, frame, &more, node);
  } else {
    return false;
  }
  if (more.fits)
    *builder = more;
  return more.fits;
}

static bool
is_3x3 (const DssrOp *op)
{
  return op->kind == DSSR_OP_CONV && op->conv.kernel == 3
         && op->conv.stride == 1 && op->n_inputs == 1 && !op->wide
         && is_edge_outside (op);
}

/* Whether a node and the only one that reads it are convolutions which are
 * better done together: the first is done one and a half times, for its part of
 * the neighbours' edges, and may not leave out what is zero. With more inputs,
 * that takes longer than memory does (docs/gpu.md). */
static bool
is_pair (const Fuser *fuser, int node)
{
  const DssrProgram *plan = fuser->plan;
  const DssrOp *op = plan->nodes[node].op;
  const DssrSource *source = &plan->nodes[node].sources[0];

  return is_3x3 (op) && !op->conv.mask && op->conv.in_quads <= MAX_PAIR_INPUT
         && op->quads <= DSSR_VULKAN_CHAIN_PAIR
         && (source->frame != DSSR_OWN || !fuser->virtual[source->node])
         && is_read_by_one (fuser, node)
         && is_3x3 (plan->nodes[fuser->uses[node].reader].op);
}

/* Begins a group with a node. */
static Builder
begin (const Fuser *fuser, int position, int node)
{
  const DssrOp *op = fuser->plan->nodes[node].op;
  Builder builder = {.group.position = position, .fits = true};
  int deform, conv;

  if (is_sampling (fuser, node, &deform, &conv)) {
    add_sampling (fuser, &builder, node, deform, conv);
    if (builder.fits)
      return builder;
    builder = (Builder){.group.position = position};
  }
  add_node (&builder, node);
  builder.fits = op->kind == DSSR_OP_CONV && !op->wide && is_edge_outside (op)
                 && op->n_inputs <= DSSR_VULKAN_CHAIN_INPUTS;
  for (int i = 0; builder.fits && i < op->n_inputs; i++) {
    const DssrSource source =
        dssr_gpu_source (fuser->plan, fuser->virtual, node, i);
    add_tensor (&builder, &source);
  }
  if (builder.fits && is_pair (fuser, node)) {
    add_node (&builder, fuser->uses[node].reader);
    op = fuser->plan->nodes[fuser->uses[node].reader].op;
  }
  builder.values = op->quads;
  builder.fits = builder.fits && builder.values <= DSSR_VULKAN_CHAIN_VALUES;
  return builder;
}

/* The longest group that begins with a node and has few enough outputs. */
static DssrGpuGroup
grow (const Fuser *fuser, const DssrProgram *frame, const int *order,
    int n_order, int position)
{
  Builder builder = begin (fuser, position, order[position]);
  DssrGpuGroup best = builder.group;

  find_stored (fuser, &best);
  if (!builder.fits)
    return best;
  for (int i = position + 1; i < n_order; i++) {
    if (fuser->group[order[i]] >= 0
        || find_member (&builder.group, order[i]) >= 0
        || !try_to_add (fuser, frame, &builder, order[i]))
      continue;
    find_stored (fuser, &builder.group);
    if (count_stored (&builder.group) <= DSSR_VULKAN_CHAIN_OUTPUTS)
      best = builder.group;
  }
  return best;
}

void
dssr_gpu_fuse (DssrGpuProgram *program, const DssrProgram *plan,
    const DssrProgram *frame, const int *order, int n_order)
{
  const gsize n = (gsize)plan->n_nodes;
  g_autofree Use *uses = g_new0 (Use, n);
  g_autofree int *ready = g_new (int, n);
  g_autofree int *groups = g_new (int, n);
  Fuser fuser = {.plan = plan,
      .uses = uses,
      .virtual = g_new0 (bool, n),
      .ready = ready,
      .group = groups};

  for (gsize i = 0; i < n; i++) {
    ready[i] = n_order;
    groups[i] = -1;
  }
  find_uses (&fuser);
  find_virtual (&fuser);
  program->virtual = fuser.virtual;
  program->groups = g_new0 (DssrGpuGroup, n_order);
  for (int i = 0; i < n_order; i++) {
    if (groups[order[i]] >= 0 || fuser.virtual[order[i]])
      continue;
    DssrGpuGroup *group = &program->groups[program->n_groups];
    *group = grow (&fuser, frame, order, n_order, i);
    for (int j = 0; j < group->n_nodes; j++) {
      groups[group->nodes[j]] = program->n_groups;
      ready[group->nodes[j]] = i;
    }
    program->n_groups++;
  }
}
