/* The memory of a network, and its operations one by one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/network.h"
#include "engine/picture.h"

/* Copies the convolutions, whose weights as the kernels want them lie one after
 * the other from `begin` on; returns where they end. NULL: only measures. */
static guint64
pack (DssrNetwork *network, guint8 *begin)
{
  const DssrKernels *kernels = network->kernels;
  guint64 end = 0;

  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    const DssrOps *ops = &network->model->stages[stage];
    for (int i = 0; i < ops->n_ops; i++) {
      if (ops->ops[i].kind != DSSR_OP_CONV)
        continue;
      const DssrConv *conv = &ops->ops[i].conv;
      gsize size = kernels->conv_packed_size (conv);
      if (begin) {
        network->convs[stage][i] = *conv;
        network->convs[stage][i].packed = begin + end;
        kernels->conv_pack (conv, begin + end);
      }
      end += (size + DSSR_ALIGNMENT - 1) & -(gsize)DSSR_ALIGNMENT;
    }
  }
  return end;
}

static void
make_workers (DssrNetwork *network)
{
  const DssrPlan *plan = network->plan;
  int n_nodes = 0;
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++)
    n_nodes = MAX (n_nodes, plan->programs[kind].n_nodes);
  gsize row_numbers = ((gsize)n_nodes * sizeof (int) + 63) & ~(gsize)63;
  network->workers =
      g_aligned_alloc0 ((gsize)plan->threads, sizeof (DssrWorker), 64);
  for (int i = 0; i < plan->threads; i++) {
    DssrWorker *worker = &network->workers[i];
    worker->begins = g_aligned_alloc0 (2, row_numbers, 64);
    worker->ends = worker->begins + row_numbers / sizeof (int);
  }
}

DssrNetwork *
dssr_network_new (DssrModel *model, const DssrFormat *format,
    const DssrKernels *kernels, DssrPool *pool, int band_rows)
{
  DssrNetwork *network = g_new0 (DssrNetwork, 1);
  int threads = dssr_pool_get_threads (pool);
  network->model = dssr_model_ref (model);
  network->plan =
      dssr_plan_new (model, format->width, format->height, threads, band_rows);
  network->bicubic = dssr_picture_bicubic (format, 0, model->scale);
  network->contrast = dssr_picture_contrast (format, model->scale);
  network->kernels = kernels;
  network->pool = pool;
  network->band_rows = band_rows;

  make_workers (network);
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    network->convs[stage] = g_new0 (DssrConv, model->stages[stage].n_ops);
  network->weights_size = (gsize)pack (network, NULL);
  network->weights = g_aligned_alloc0 (
      1, MAX (network->weights_size, DSSR_ALIGNMENT), DSSR_ALIGNMENT);
  pack (network, network->weights);
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++)
    network->progress[kind] = dssr_progress_new (
        threads, dssr_program_end (&network->plan->programs[kind]));
  return network;
}

guint64
dssr_network_get_size (const DssrNetwork *network, int slots)
{
  const DssrPlan *plan = network->plan;
  return plan->shared + plan->kept * (guint64)slots
         + plan->local * (guint64)plan->threads;
}

gboolean
dssr_network_place (
    DssrNetwork *network, DssrArena *arena, int slots, GError **error)
{
  const DssrPlan *plan = network->plan;
  guint64 size = dssr_network_get_size (network, slots);
  if (!dssr_arena_reserve (arena, size)) {
    g_set_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
        "Not enough memory: this model needs %" G_GUINT64_FORMAT
        " MiB for pictures of this size",
        size >> 20);
    return FALSE;
  }
  network->shared = arena->data;
  network->slots = network->shared + plan->shared;
  guint8 *local = network->slots + plan->kept * (guint64)slots;
  for (int i = 0; i < plan->threads; i++)
    network->workers[i].local = local + plan->local * (guint64)i;
  return TRUE;
}

void
dssr_network_free (DssrNetwork *network)
{
  for (int i = 0; i < network->plan->threads; i++)
    g_aligned_free (network->workers[i].begins);
  g_aligned_free (network->workers);
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++)
    dssr_progress_free (network->progress[kind]);
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    g_free (network->convs[stage]);
  g_aligned_free (network->weights);
  dssr_plan_free (network->plan);
  dssr_model_unref (network->model);
  g_free (network);
}

/* A node's tensor with its data. */
static DssrTensor
get_tensor (const DssrNetwork *network, const DssrWorker *worker,
    const DssrNode *node, int slot)
{
  guint8 *base = network->shared;
  if (node->place == DSSR_PLACE_KEPT)
    base = network->slots + network->plan->kept * (guint64)slot;
  else if (node->place == DSSR_PLACE_LOCAL)
    base = worker->local;
  DssrTensor tensor = node->tensor;
  tensor.data = base + node->offset;
  return tensor;
}

/* Whether an operation would shift by nothing: it is left out. */
static bool
is_still (const DssrNode *node, const DssrRun *run)
{
  return node->op->kind == DSSR_OP_FOLLOW
         && dssr_pan_is_zero (run->pans[node->neighbour]);
}

static DssrTensor
get_input (const DssrNetwork *network, const DssrWorker *worker,
    const DssrProgram *program, const DssrSource *source, const DssrRun *run)
{
  if (source->frame == DSSR_OWN
      && is_still (&program->nodes[source->node], run))
    source = &program->nodes[source->node].sources[0];
  const DssrNode *node = &program->nodes[source->node];
  int slot = run->slot;
  if (source->frame != DSSR_OWN) {
    node = &network->plan->programs[DSSR_PROGRAM_FRAME].nodes[source->node];
    slot =
        source->frame == DSSR_CENTRE ? run->slot : run->aligned[source->frame];
  }
  return get_tensor (network, worker, node, slot);
}

/* The head; most models have the one that is fast. */
static void
run_head (const DssrNetwork *network, const DssrOp *op,
    const DssrTensor *residual, const DssrRun *run, int y0, int y1)
{
  const DssrModel *model = network->model;
  int shuffle = model->scale * model->unshuffle >> -op->level;
  int begin = shuffle * y0, end = MIN (shuffle * y1, run->out->height);

  if (model->n_planes == 1 && !model->linear && op->level == 0)
    network->kernels->head (
        run->out, run->in, residual, &network->bicubic, shuffle, begin, end);
  else
    network->kernels->head_planes (run->out, run->in, model->n_planes, residual,
        &network->bicubic, model->linear, shuffle, begin, end);
  for (int i = 0; run->contrast && i < model->n_planes; i++)
    network->kernels->contrast (
        &run->out[i], &run->in[i], &network->contrast, begin, end);
}

static void
run_conv (const DssrNetwork *network, const DssrNode *node,
    const DssrTensor *out, const DssrTensor *in, int y0, int y1)
{
  const DssrConv *conv = &network->convs[node->stage][node->index];
  int n_in = node->op->n_inputs;

  network->kernels->conv (out, in, n_in, conv, y0, y1);
  if (conv->outside)
    network->kernels->conv_border (out, in, n_in, conv, y0, y1);
}

void
dssr_network_run_node (const DssrNetwork *network, const DssrWorker *worker,
    DssrProgramKind kind, int index, const DssrRun *run, int y0, int y1)
{
  const DssrKernels *kernels = network->kernels;
  const DssrProgram *program = &network->plan->programs[kind];
  const DssrNode *node = &program->nodes[index];
  const DssrOp *op = node->op;
  const DssrModel *model = network->model;
  DssrTensor out = get_tensor (network, worker, node, run->slot);
  DssrTensor in[DSSR_MAX_INPUTS];
  for (int i = 0; i < op->n_inputs; i++)
    in[i] = get_input (network, worker, program, &node->sources[i], run);

  switch (op->kind) {
    case DSSR_OP_INPUT:
      kernels->input (&out, run->in, model->n_planes, model->unshuffle, y0, y1);
      break;
    case DSSR_OP_CONV:
      run_conv (network, node, &out, in, y0, y1);
      break;
    case DSSR_OP_DEFORM:
      (op->zero_outside ? kernels->deform_zero : kernels->deform) (
          &out, &in[0], &in[1], &op->deform, y0, y1);
      break;
    case DSSR_OP_ADD:
      kernels->add (&out, &in[0], &in[1], &op->add, y0, y1);
      break;
    case DSSR_OP_UP2:
      kernels->up2 (&out, &in[0], y0, y1);
      break;
    case DSSR_OP_SHUFFLE:
      kernels->shuffle (&out, &in[0], op->zero, y0, y1);
      break;
    case DSSR_OP_FOLLOW:
      if (!is_still (node, run))
        kernels->follow (&out, &in[0], run->pans[node->neighbour], y0, y1);
      break;
    case DSSR_OP_POOL:
      kernels->pool (&out, &in[0], &op->pool, y0, y1);
      break;
    case DSSR_OP_MODULATE:
      kernels->modulate (&out, &in[0], &in[1], &in[2], &op->modulate, y0, y1);
      break;
    case DSSR_OP_ATTENTION:
      kernels->attention (&out, &in[0], &in[1], &in[2], &op->attention, y0, y1);
      break;
    case DSSR_OP_HEAD:
      run_head (network, op, &in[0], run, y0, y1);
      break;
  }
}
