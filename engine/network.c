/* A model at work: its plan, its memory, and the run of its stages.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/network.h"
#include "engine/plan.h"

#include <stdlib.h>

/* Far above what a sound model needs for the largest picture. */
#define MAX_MEMORY ((guint64)8 << 30)

struct _DssrNetwork {
  DssrModel *model;
  DssrPlan *plan;
  const DssrKernels *kernels;
  const DssrBands *bands;
  DssrBicubic bicubic;
  DssrConv *convs[DSSR_N_STAGES]; /* the model's, with packed weights */

  gsize size;
  guint8 *scratch; /* the whole allocation begins here */
  guint8 *aligned; /* kept tensors of each neighbour */
  guint8 *slots;   /* kept tensors of each frame */
  guint8 *packed;

  /* The run in progress. */
  int centre; /* slots */
  const int *neighbours;
  int current; /* the neighbour being aligned */
  const DssrSamples *luma, *out;
};

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

DssrNetwork *
dssr_network_new (DssrModel *model, const DssrFormat *format, int slots,
    const DssrKernels *kernels, const DssrBands *bands, GError **error)
{
  g_autoptr (DssrNetwork) network = g_new0 (DssrNetwork, 1);
  network->model = dssr_model_ref (model);
  network->plan = dssr_plan_new (model, format->width, format->height);
  network->kernels = kernels;
  network->bands = bands;
  network->bicubic = dssr_picture_bicubic (format, 0, model->scale);

  const DssrPlan *plan = network->plan;
  guint64 aligned = plan->kept[DSSR_STAGE_ALIGN] * (guint64)(model->window - 1);
  guint64 frames = plan->kept[DSSR_STAGE_FRAME] * (guint64)slots;
  guint64 size = plan->scratch + aligned + frames + pack (network, NULL);
  void *memory = NULL;
  if (size > MIN (MAX_MEMORY, G_MAXSIZE / 2)
      || posix_memalign (
          &memory, DSSR_ALIGNMENT, MAX ((gsize)size, DSSR_ALIGNMENT))) {
    g_set_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
        "Not enough memory: this model needs %" G_GUINT64_FORMAT
        " MiB for pictures of %dx%d",
        size >> 20, format->width, format->height);
    return NULL;
  }
  network->size = (gsize)size;
  network->scratch = memory;
  network->aligned = network->scratch + plan->scratch;
  network->slots = network->aligned + aligned;
  network->packed = network->slots + frames;
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    network->convs[stage] = g_new0 (DssrConv, model->stages[stage].n_ops);
  pack (network, network->packed);
  return g_steal_pointer (&network);
}

void
dssr_network_free (DssrNetwork *network)
{
  free (network->scratch);
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    g_free (network->convs[stage]);
  dssr_plan_free (network->plan);
  dssr_model_unref (network->model);
  g_free (network);
}

DssrModel *
dssr_network_get_model (const DssrNetwork *network)
{
  return network->model;
}

gsize
dssr_network_get_memory (const DssrNetwork *network)
{
  return network->size;
}

/* A tensor of this frame (DSSR_CENTRE or a neighbour) with its data. */
static DssrTensor
get_tensor (
    const DssrNetwork *network, DssrStage stage, int neighbour, int index)
{
  const DssrPlan *plan = network->plan;
  const DssrPlace *place = &plan->places[stage][index];
  guint8 *base = network->scratch;

  if (place->kept && stage == DSSR_STAGE_FRAME) {
    int slot = neighbour == DSSR_CENTRE ? network->centre
                                        : network->neighbours[neighbour];
    base = network->slots + plan->kept[stage] * (guint64)slot;
  } else if (place->kept) {
    base = network->aligned + plan->kept[stage] * (guint64)neighbour;
  }
  DssrTensor tensor = place->tensor;
  tensor.data = base + place->offset
                + (ptrdiff_t)DSSR_MARGIN_LEFT
                      * (network->model->stages[stage].ops[index].wide ? 8 : 4);
  return tensor;
}

static DssrTensor
get_input (const DssrNetwork *network, DssrStage stage, const DssrInput *input)
{
  int neighbour = input->neighbour;
  if (stage == DSSR_STAGE_ALIGN
      && (input->stage == DSSR_STAGE_ALIGN || neighbour != DSSR_CENTRE))
    neighbour = network->current;
  return get_tensor (network, input->stage, neighbour, input->index);
}

typedef struct {
  const DssrNetwork *network;
  const DssrOp *op;
  const DssrConv *conv;
  DssrTime time;
  DssrTensor out;
  DssrTensor in[DSSR_MAX_INPUTS];
} Job;

static void
run_band (gpointer data, int y0, int y1)
{
  const Job *job = data;
  const DssrNetwork *network = job->network;
  const DssrKernels *kernels = network->kernels;
  const DssrModel *model = network->model;
  const DssrOp *op = job->op;
  const DssrTensor *out = &job->out, *in = job->in;
  guint64 start = dssr_bands_clock ();

  switch (op->kind) {
    case DSSR_OP_INPUT:
      kernels->input (out, network->luma, model->unshuffle, y0, y1);
      break;
    case DSSR_OP_CONV:
      kernels->conv (out, in, op->n_inputs, job->conv, y0, y1);
      break;
    case DSSR_OP_DEFORM:
      kernels->deform (out, &in[0], &in[1], &op->deform, y0, y1);
      break;
    case DSSR_OP_ADD:
      kernels->add (out, &in[0], &in[1], &op->add, y0, y1);
      break;
    case DSSR_OP_UP2:
      kernels->up2 (out, &in[0], y0, y1);
      break;
    case DSSR_OP_ATTENTION:
      kernels->attention (out, &in[0], &in[1], &in[2], &op->attention, y0, y1);
      break;
    case DSSR_OP_HEAD:
      kernels->head (network->out, network->luma, &in[0], &network->bicubic,
          model->scale * model->unshuffle, y0, y1);
      break;
  }
  dssr_bands_add_time (network->bands, job->time, start);
}

static DssrTime
get_time (DssrStage stage, DssrOpKind kind)
{
  switch (kind) {
    case DSSR_OP_DEFORM:
      return DSSR_TIME_SAMPLE;
    case DSSR_OP_HEAD:
      return DSSR_TIME_HEAD;
    default:
      return stage == DSSR_STAGE_FRAME   ? DSSR_TIME_FRAME
             : stage == DSSR_STAGE_ALIGN ? DSSR_TIME_ALIGN
                                         : DSSR_TIME_FUSE;
  }
}

static void
run_stage (const DssrNetwork *network, DssrStage stage)
{
  const DssrOps *ops = &network->model->stages[stage];
  Job job = {.network = network};

  for (int i = 0; i < ops->n_ops; i++) {
    job.op = &ops->ops[i];
    job.conv = &network->convs[stage][i];
    job.time = get_time (stage, job.op->kind);
    for (int j = 0; j < job.op->n_inputs; j++)
      job.in[j] = get_input (network, stage, &job.op->inputs[j]);
    int rows;
    if (job.op->kind == DSSR_OP_HEAD) {
      rows = network->out->height;
    } else {
      int neighbour =
          stage == DSSR_STAGE_ALIGN ? network->current : DSSR_CENTRE;
      job.out = get_tensor (network, stage, neighbour, i);
      rows = job.out.height;
    }
    dssr_bands_run (network->bands, rows, run_band, &job);
  }
}

void
dssr_network_see (DssrNetwork *network, int slot, const DssrSamples *luma)
{
  network->centre = slot;
  network->luma = luma;
  run_stage (network, DSSR_STAGE_FRAME);
}

void
dssr_network_enlarge (DssrNetwork *network, int centre, const int *neighbours,
    const DssrSamples *luma, const DssrSamples *out)
{
  network->centre = centre;
  network->neighbours = neighbours;
  network->luma = luma;
  network->out = out;
  for (network->current = 0; network->current < network->model->window - 1;
       network->current++)
    run_stage (network, DSSR_STAGE_ALIGN);
  run_stage (network, DSSR_STAGE_FUSE);
}
