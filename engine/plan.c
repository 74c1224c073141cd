/* Sizes, lifetimes and a first-fit arena.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/plan.h"

/* Operations of the stage between which a tensor in the scratch is alive. */
typedef struct {
  int first, last;
  guint64 begin, end;
} Life;

static int
level_size (int size, int unshuffle, int level)
{
  size = (size + unshuffle - 1) / unshuffle;
  for (int i = 0; i < level; i++)
    size = (size + 1) / 2;
  return size;
}

static DssrTensor
make_tensor (const DssrModel *model, const DssrOp *op, int width, int height)
{
  DssrTensor tensor = {
      .width = level_size (width, model->unshuffle, op->level),
      .height = level_size (height, model->unshuffle, op->level),
      .quads = op->quads,
  };
  ptrdiff_t row =
      DSSR_MARGIN_LEFT + (ptrdiff_t)tensor.width + DSSR_MARGIN_RIGHT;
  row *= op->wide ? 8 : 4;
  tensor.stride = (row + DSSR_ALIGNMENT - 1) & -DSSR_ALIGNMENT;
  tensor.plane = tensor.stride * tensor.height;
  return tensor;
}

/* The lowest place that is free during the whole life of `lives[index]`. */
static guint64
first_fit (const Life *lives, int index, guint64 size)
{
  const Life *life = &lives[index];
  guint64 begin = 0;
  for (gboolean moved = TRUE; moved;) {
    moved = FALSE;
    for (int i = 0; i < index; i++) {
      const Life *other = &lives[i];
      if (other->last >= life->first && other->begin < begin + size
          && begin < other->end) {
        begin = other->end;
        moved = TRUE;
      }
    }
  }
  return begin;
}

static void
mark_kept (DssrPlan *plan, const DssrModel *model)
{
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    const DssrOps *ops = &model->stages[stage];
    for (int i = 0; i < ops->n_ops; i++) {
      for (int j = 0; j < ops->ops[i].n_inputs; j++) {
        const DssrInput *input = &ops->ops[i].inputs[j];
        if ((int)input->stage != stage)
          plan->places[input->stage][input->index].kept = true;
      }
    }
  }
}

static void
place_stage (DssrPlan *plan, const DssrModel *model, DssrStage stage)
{
  const DssrOps *ops = &model->stages[stage];
  DssrPlace *places = plan->places[stage];
  g_autofree Life *lives = g_new0 (Life, ops->n_ops);

  for (int i = 0; i < ops->n_ops; i++) {
    lives[i].first = lives[i].last = i;
    for (int j = 0; j < ops->ops[i].n_inputs; j++) {
      if (ops->ops[i].inputs[j].stage == stage)
        lives[ops->ops[i].inputs[j].index].last = i;
    }
  }
  for (int i = 0; i < ops->n_ops; i++) {
    DssrPlace *place = &places[i];
    guint64 size = (guint64)place->tensor.plane * (guint64)place->tensor.quads;
    if (place->kept) {
      place->offset = plan->kept[stage];
      plan->kept[stage] += size;
    } else if (ops->ops[i].kind != DSSR_OP_HEAD) {
      place->offset = first_fit (lives, i, size);
      lives[i].begin = place->offset;
      lives[i].end = place->offset + size;
      plan->scratch = MAX (plan->scratch, lives[i].end);
    }
  }
}

DssrPlan *
dssr_plan_new (const DssrModel *model, int width, int height)
{
  DssrPlan *plan = g_new0 (DssrPlan, 1);
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    const DssrOps *ops = &model->stages[stage];
    plan->places[stage] = g_new0 (DssrPlace, ops->n_ops);
    for (int i = 0; i < ops->n_ops; i++)
      plan->places[stage][i].tensor =
          make_tensor (model, &ops->ops[i], width, height);
  }
  mark_kept (plan, model);
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    place_stage (plan, model, stage);
  return plan;
}

void
dssr_plan_free (DssrPlan *plan)
{
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    g_free (plan->places[stage]);
  g_free (plan);
}
