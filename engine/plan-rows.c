/* Which rows need which.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/plan.h"

#include <string.h>

/* Of an operation that no wanted row needs. */
#define NOTHING G_MININT

DssrReach
dssr_reach (const DssrOp *op, int input)
{
  DssrReach reach = {.step = 1};
  switch (op->kind) {
    case DSSR_OP_CONV:
      reach.step = op->conv.stride;
      reach.before = reach.after = op->conv.kernel / 2;
      break;
    case DSSR_OP_DEFORM:
      if (input == 0) { /* offsets in 1/16, and the next pixel to mix with */
        reach.before = op->deform.kernel / 2 + (op->deform.limit + 15) / 16;
        reach.after = op->deform.kernel / 2 + op->deform.limit / 16 + 1;
      }
      break;
    case DSSR_OP_FOLLOW:
      reach.before = reach.after = DSSR_MAX_PAN;
      break;
    case DSSR_OP_POOL:
      reach = (DssrReach){.step = 2, .before = 1, .after = 1};
      break;
    case DSSR_OP_SHUFFLE:
      reach = (DssrReach){.step = 0};
      break;
    case DSSR_OP_UP2:
      reach = (DssrReach){.step = 0, .before = 1, .after = 1};
      break;
    default:
      break;
  }
  return reach;
}

int
dssr_reach_end (const DssrReach *reach, int end)
{
  int last = end - 1;
  if (reach->step == 0)
    return ((last + reach->after) >> 1) + 1;
  return reach->step * last + reach->after + 1;
}

int
dssr_reach_begin (const DssrReach *reach, int begin)
{
  if (reach->step == 0)
    return (begin - reach->before) >> 1;
  return reach->step * begin - reach->before;
}

/* Rows of a level up to those that lie above `rows` of level 0. */
static int
rows_at_level (int rows, int level)
{
  if (level < 0)
    return rows * (1 << -level);
  return (rows + (1 << level) - 1) >> level;
}

/* Rows of level 0 up to the one that lies above row `last` of a level. */
static int
rows_above (int last, int level)
{
  return (level < 0 ? last >> -level : last * (1 << level)) + 1;
}

/* The rows of each operation, some of them before the picture's first, that
 * make the wanted ones above `rows` of level 0. Returns the rows of the
 * features. */
static int
find_ends (const DssrPlan *plan, DssrProgramKind kind, int rows, int *ends)
{
  const DssrProgram *program = &plan->programs[kind];
  const DssrNode *frame = plan->programs[DSSR_PROGRAM_FRAME].nodes;
  int features = 0;

  for (int i = 0; i < program->n_nodes; i++)
    ends[i] = NOTHING;
  for (int i = program->n_nodes - 1; i >= 0; i--) {
    const DssrNode *node = &program->nodes[i];
    if (node->sink)
      ends[i] = MAX (ends[i],
          MIN (rows_at_level (rows, node->op->level), node->tensor.height));
    if (ends[i] == NOTHING)
      continue;
    for (int j = 0; j < node->op->n_inputs; j++) {
      const DssrSource *source = &node->sources[j];
      int end = dssr_reach_end (&source->reach, ends[i]);
      if (source->frame == DSSR_OWN) {
        int height = program->nodes[source->node].tensor.height;
        ends[source->node] = MAX (ends[source->node], MIN (end, height));
      } else {
        const DssrNode *feature = &frame[source->node];
        int last = MIN (end, feature->tensor.height) - 1;
        features = MAX (features, rows_above (last, feature->op->level));
      }
    }
  }
  return features;
}

int
dssr_program_ends (
    const DssrPlan *plan, DssrProgramKind kind, int step, int *ends)
{
  const DssrProgram *program = &plan->programs[kind];
  if (step < 0) {
    memset (ends, 0, sizeof *ends * (gsize)program->n_nodes);
    return 0;
  }
  int rows = (step + 1) * program->step_rows - program->lead;
  int features = find_ends (plan, kind, rows, ends);
  for (int i = 0; i < program->n_nodes; i++)
    ends[i] = MAX (ends[i], 0);
  return features;
}

int
dssr_program_find_step (const DssrProgram *program, int rows)
{
  int step = (rows + program->lead - 1) / program->step_rows;
  return MIN (step, program->n_steps - 1);
}

static gboolean
any_rows (const DssrPlan *plan, DssrProgramKind kind, int rows, int *ends)
{
  find_ends (plan, kind, rows, ends);
  for (int i = 0; i < plan->programs[kind].n_nodes; i++) {
    if (ends[i] > 0)
      return TRUE;
  }
  return FALSE;
}

void
dssr_program_set_steps (DssrPlan *plan, DssrProgramKind kind, int step_rows)
{
  DssrProgram *program = &plan->programs[kind];
  g_autofree int *ends = g_new (int, program->n_nodes);

  program->step_rows = step_rows;
  program->lead = 0;
  while (program->lead < program->rows
         && any_rows (plan, kind, -program->lead, ends))
    program->lead++;
  program->n_steps =
      (program->rows + program->lead + step_rows - 1) / step_rows;
}
