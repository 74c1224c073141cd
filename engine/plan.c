/* Programs, the places of what they make, and the memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/plan.h"

#include <string.h>

/* What a step may make: with the rows of the step before it, and with local
 * rows in each other's place, this stays in a core's second cache of 2 MiB.
 * Lower steps cost threads more rows of each other's. Higher ones than
 * MAX_STEP_ROWS gain nothing. */
#define STEP_BYTES (2400 << 10)
#define MAX_STEP_ROWS 16

/* Steps are whole rows of the levels up to this one. */
#define WHOLE_LEVEL 2

static int
level_size (int size, int unshuffle, int level)
{
  size = (size + unshuffle - 1) / unshuffle;
  for (int i = 0; i < level; i++)
    size = (size + 1) / 2;
  return level < 0 ? size << -level : size;
}

static ptrdiff_t
pixel_bytes (const DssrNode *node)
{
  return node->op->wide ? 8 : 4;
}

gsize
dssr_node_row_bytes (const DssrNode *node)
{
  return (gsize)(node->tensor.width * pixel_bytes (node)) * node->tensor.quads;
}

static DssrTensor
make_tensor (
    const DssrModel *model, const DssrNode *node, int width, int height)
{
  const DssrOp *op = node->op;
  DssrTensor tensor = {
      .width = level_size (width, model->unshuffle, op->level),
      .height = level_size (height, model->unshuffle, op->level),
      .quads = op->quads,
  };
  ptrdiff_t row =
      DSSR_MARGIN_LEFT + (ptrdiff_t)tensor.width + DSSR_MARGIN_RIGHT;
  row *= pixel_bytes (node);
  tensor.stride = (row + DSSR_ALIGNMENT - 1) & -DSSR_ALIGNMENT;
  return tensor;
}

/* ---- Programs ---- */

/* Where in a program an input of a node is. */
static DssrSource
find_source (const DssrModel *model, const DssrNode *node, int i)
{
  const DssrInput *input = &node->op->inputs[i];
  int n_align = model->stages[DSSR_STAGE_ALIGN].n_ops;
  DssrSource source = {
      .frame = DSSR_OWN,
      .node = input->index,
      .reach = dssr_reach (node->op, i),
  };

  if (node->stage == DSSR_STAGE_FRAME)
    return source;
  if (input->stage == DSSR_STAGE_FRAME)
    source.frame =
        input->neighbour == DSSR_CENTRE ? DSSR_CENTRE : node->neighbour;
  else if (input->stage == DSSR_STAGE_FUSE)
    source.node += model->n_aligned * n_align;
  else if (node->stage == DSSR_STAGE_FUSE)
    source.node += input->neighbour * n_align;
  else
    source.node += node->neighbour * n_align;
  return source;
}

/* Appends the operations of a stage. */
static void
add_stage (DssrProgram *program, const DssrModel *model, DssrStage stage,
    int neighbour, int width, int height)
{
  const DssrOps *ops = &model->stages[stage];
  for (int i = 0; i < ops->n_ops; i++) {
    DssrNode *node = &program->nodes[program->n_nodes++];
    node->op = &ops->ops[i];
    node->stage = stage;
    node->index = i;
    node->neighbour = neighbour;
    node->tensor = make_tensor (model, node, width, height);
    for (int j = 0; j < node->op->n_inputs; j++)
      node->sources[j] = find_source (model, node, j);
  }
}

/* From what is wanted back to all that is needed. */
static void
mark_needed (DssrPlan *plan, DssrProgramKind kind)
{
  DssrProgram *program = &plan->programs[kind];
  DssrNode *frame = plan->programs[DSSR_PROGRAM_FRAME].nodes;

  for (int i = program->n_nodes - 1; i >= 0; i--) {
    DssrNode *node = &program->nodes[i];
    node->needed = node->needed || node->sink;
    for (int j = 0; node->needed && j < node->op->n_inputs; j++) {
      const DssrSource *source = &node->sources[j];
      if (source->frame == DSSR_OWN)
        program->nodes[source->node].needed = true;
      else
        frame[source->node].sink = true;
    }
  }
}

static void
make_programs (DssrPlan *plan, const DssrModel *model, int width, int height)
{
  const DssrOps *stages = model->stages;
  DssrProgram *frame = &plan->programs[DSSR_PROGRAM_FRAME];
  DssrProgram *enlarge = &plan->programs[DSSR_PROGRAM_ENLARGE];
  int neighbours = model->n_aligned;

  frame->nodes = g_new0 (DssrNode, stages[DSSR_STAGE_FRAME].n_ops);
  add_stage (frame, model, DSSR_STAGE_FRAME, DSSR_CENTRE, width, height);

  enlarge->nodes = g_new0 (DssrNode, neighbours * stages[DSSR_STAGE_ALIGN].n_ops
                                         + stages[DSSR_STAGE_FUSE].n_ops);
  for (int i = 0; i < neighbours; i++)
    add_stage (enlarge, model, DSSR_STAGE_ALIGN, i, width, height);
  add_stage (enlarge, model, DSSR_STAGE_FUSE, DSSR_CENTRE, width, height);
  enlarge->nodes[enlarge->n_nodes - 1].sink = true; /* the head */

  frame->rows = enlarge->rows = level_size (height, model->unshuffle, 0);
  mark_needed (plan, DSSR_PROGRAM_ENLARGE);
  mark_needed (plan, DSSR_PROGRAM_FRAME);
}

/* Rows of level 0 in a step. */
static int
choose_step (const DssrPlan *plan, const DssrProgram *program)
{
  guint64 bytes = 0; /* of all that is made for a row */
  int top = 0;
  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    if (node->needed) {
      int level = node->op->level;
      guint64 row = dssr_node_row_bytes (node);
      bytes += level < 0 ? row << -level : row >> level;
      top = MAX (top, node->op->level);
    }
  }
  int rows = 1 << MIN (top, WHOLE_LEVEL);
  /* The steps that follow each other on a thread, so that none is idle for long
   * at the end. */
  while (2 * rows <= MAX_STEP_ROWS && 2 * rows * bytes <= STEP_BYTES
         && 2 * rows * 4 * plan->threads <= program->rows)
    rows *= 2;
  return rows;
}

/* ---- Places ---- */

/* What becomes of an operation's rows over the steps. */
typedef struct {
  int made;  /* rows in a step, at most */
  int alive; /* rows between the first that a step may still read and the last
                that is made, at most */
  bool local;
  int last; /* operation of the program that reads it */
} Use;

static void
watch_reader (const DssrProgram *program, int reader, Use *uses,
    const int *oldest, const int *begins, const int *ends)
{
  const DssrNode *node = &program->nodes[reader];

  for (int j = 0; j < node->op->n_inputs; j++) {
    const DssrSource *source = &node->sources[j];
    if (source->frame != DSSR_OWN)
      continue;
    Use *use = &uses[source->node];
    use->last = reader;
    if (ends[reader] > begins[reader]
        && dssr_reach_begin (&source->reach, begins[reader])
               < begins[source->node])
      use->local = false;
    if (oldest[reader] < node->tensor.height) {
      int first = dssr_reach_begin (&source->reach, oldest[reader]);
      use->alive = MAX (use->alive, ends[source->node] - MAX (first, 0));
    }
  }
}

/* Runs through the steps. While one is at work, those from `threads` - 1 before
 * it on may be too. */
static Use *
watch_rows (const DssrPlan *plan, DssrProgramKind kind)
{
  const DssrProgram *program = &plan->programs[kind];
  int n = program->n_nodes;
  Use *uses = g_new0 (Use, n);
  g_autofree int *rows = g_new0 (int, 3 * (gsize)n);
  int *oldest = rows, *begins = rows + n, *ends = rows + 2 * n;

  for (int i = 0; i < n; i++)
    uses[i].local = true;
  for (int step = 0; step < program->n_steps; step++) {
    memcpy (begins, ends, sizeof *ends * (gsize)n);
    dssr_program_ends (plan, kind, step, ends);
    dssr_program_ends (plan, kind, step - plan->threads, oldest);
    for (int i = 0; i < n; i++) {
      uses[i].made = MAX (uses[i].made, ends[i] - begins[i]);
      if (program->nodes[i].needed)
        watch_reader (program, i, uses, oldest, begins, ends);
    }
  }
  return uses;
}

static int
round_up_to_power (int n)
{
  int power = 1;
  while (power < n)
    power *= 2;
  return power;
}

/* Gives the tensor memory for `rows` of its rows; returns its bytes. */
static guint64
set_rows (DssrNode *node, int rows)
{
  DssrTensor *tensor = &node->tensor;
  rows = round_up_to_power (rows);
  if (rows < tensor->height)
    tensor->ring = rows;
  else
    rows = tensor->height;
  tensor->plane = tensor->stride * rows;
  return (guint64)tensor->plane * (guint64)tensor->quads;
}

/* Bytes of a thread's memory that a tensor has from one operation to another
 * one. */
typedef struct {
  int first, last;
  guint64 begin, end;
} Life;

/* The lowest place that is free from the operation `life->first` on. `lives`
 * are in the order of `begin`; all began before. */
static guint64
first_fit (const GArray *lives, const Life *life, guint64 size)
{
  guint64 begin = 0;
  for (guint i = 0; i < lives->len; i++) {
    const Life *other = &g_array_index (lives, Life, i);
    if (other->begin >= begin + size)
      break;
    if (other->last >= life->first)
      begin = MAX (begin, other->end);
  }
  return begin;
}

static void
place_local (
    DssrPlan *plan, DssrNode *node, GArray *lives, Life life, guint64 size)
{
  life.begin = first_fit (lives, &life, size);
  life.end = life.begin + size;
  guint i = 0;
  while (i < lives->len && g_array_index (lives, Life, i).begin < life.begin)
    i++;
  g_array_insert_val (lives, i, life);
  node->offset = life.begin;
  plan->local = MAX (plan->local, life.end);
}

static DssrPlace
choose_place (const DssrProgram *program, int i, const Use *use)
{
  const DssrNode *node = &program->nodes[i];
  if (!node->needed || node->op->kind == DSSR_OP_HEAD)
    return DSSR_PLACE_NONE;
  if (node->sink)
    return DSSR_PLACE_KEPT;
  return use->local ? DSSR_PLACE_LOCAL : DSSR_PLACE_RING;
}

static guint64
take (guint64 *end, guint64 size)
{
  guint64 begin = *end;
  *end += size;
  return begin;
}

static void
place_nodes (DssrPlan *plan, DssrProgramKind kind)
{
  DssrProgram *program = &plan->programs[kind];
  g_autofree Use *uses = watch_rows (plan, kind);
  g_autoptr (GArray) lives = g_array_new (FALSE, FALSE, sizeof (Life));

  for (int i = 0; i < program->n_nodes; i++) {
    DssrNode *node = &program->nodes[i];
    const Use *use = &uses[i];
    node->place = choose_place (program, i, use);
    switch (node->place) {
      case DSSR_PLACE_NONE:
        continue;
      case DSSR_PLACE_KEPT:
        node->offset = take (&plan->kept, set_rows (node, node->tensor.height));
        break;
      case DSSR_PLACE_RING:
        node->offset = take (&plan->shared, set_rows (node, use->alive));
        break;
      case DSSR_PLACE_LOCAL:
        place_local (plan, node, lives, (Life){.first = i, .last = use->last},
            set_rows (node, use->made));
        break;
    }
    node->offset += (guint64)(DSSR_MARGIN_LEFT * pixel_bytes (node));
  }
}

/* An operation whose rows other steps read follows the same operation of the
 * step before, so that these rows are made in order; one that reads such rows
 * follows their maker. */
static void
order_nodes (DssrProgram *program)
{
  for (int i = 0; i < program->n_nodes; i++) {
    DssrNode *node = &program->nodes[i];
    node->shared =
        node->place != DSSR_PLACE_NONE && node->place != DSSR_PLACE_LOCAL;
    if (node->shared) {
      node->after = i + 1;
      continue;
    }
    for (int j = 0; j < node->op->n_inputs; j++) {
      const DssrSource *source = &node->sources[j];
      if (source->frame == DSSR_OWN && program->nodes[source->node].shared)
        node->after = MAX (node->after, source->node + 1);
    }
  }
}

DssrPlan *
dssr_plan_new (
    const DssrModel *model, int width, int height, int threads, int step_rows)
{
  DssrPlan *plan = g_new0 (DssrPlan, 1);
  plan->threads = threads;
  make_programs (plan, model, width, height);
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++) {
    DssrProgram *program = &plan->programs[kind];
    dssr_program_set_steps (plan, kind,
        step_rows ? MIN (step_rows, program->rows)
                  : choose_step (plan, program));
    place_nodes (plan, kind);
    order_nodes (program);
  }
  return plan;
}

void
dssr_plan_free (DssrPlan *plan)
{
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++)
    g_free (plan->programs[kind].nodes);
  g_free (plan);
}
