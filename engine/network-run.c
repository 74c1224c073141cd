/* The work for a frame as one list of items, which threads take in order: the
 * steps of the frame stage for each new frame, the steps of enlarging, bands of
 * the planes that the network does not see. An item waits only for items before
 * it, which other threads have, so the wait always ends; and nobody waits for
 * all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/network.h"

#include <stdatomic.h>
#include <time.h>

/* Rows of an enlarged plane that are a unit of work. */
#define BAND_ROWS 64

typedef struct {
  DssrNetwork *network;
  const DssrJob *job;
  int n_frame_steps, n_enlarge_steps; /* of all new frames; all, or none */
  atomic_int next;                    /* item */
} List;

static guint64
read_clock (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (guint64)now.tv_sec * 1000000000 + (guint64)now.tv_nsec;
}

static void
stop_time (DssrWorker *worker)
{
  worker->time_ns[worker->what] += read_clock () - worker->since;
  worker->since = 0;
}

/* What follows is spent on this. The clock is read when that is news: it would
 * cost a hundredth of the time otherwise. */
static void
start_time (DssrWorker *worker, DssrTime what)
{
  if (worker->since && worker->what == what)
    return;
  guint64 now = read_clock ();
  if (worker->since)
    worker->time_ns[worker->what] += now - worker->since;
  worker->what = what;
  worker->since = now;
}

static DssrTime
get_time (const DssrNode *node)
{
  switch (node->op->kind) {
    case DSSR_OP_DEFORM:
      return DSSR_TIME_SAMPLE;
    case DSSR_OP_HEAD:
      return DSSR_TIME_HEAD;
    default:
      return node->stage == DSSR_STAGE_FRAME   ? DSSR_TIME_FRAME
             : node->stage == DSSR_STAGE_ALIGN ? DSSR_TIME_ALIGN
                                               : DSSR_TIME_FUSE;
  }
}

static void
wait_for (DssrWorker *worker, DssrProgress *progress, int step, int n_ops)
{
  if (dssr_progress_is (progress, step, n_ops))
    return;
  start_time (worker, DSSR_TIME_WAIT);
  dssr_progress_wait (progress, step, n_ops);
}

/* One step of a program; `number` counts its steps over all new frames. */
static void
run_step (const DssrNetwork *network, DssrWorker *worker, DssrProgramKind kind,
    const DssrRun *run, int number)
{
  const DssrPlan *plan = network->plan;
  const DssrProgram *program = &plan->programs[kind];
  DssrProgress *progress = network->progress[kind];

  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    int y0 = worker->begins[i], y1 = worker->ends[i];
    if (y0 == y1)
      continue;
    if (number > 0 && node->after > 0)
      wait_for (worker, progress, number - 1, node->after);
    start_time (worker, get_time (node));
    dssr_network_run_node (network, worker, kind, i, run, y0, y1);
    if (node->shared)
      dssr_progress_set (progress, number, i + 1);
  }
  if (number > 0)
    wait_for (worker, progress, number - 1, dssr_program_end (program));
  dssr_progress_set (progress, number, dssr_program_end (program));
}

/* Step `number` of the frame stage. A new frame has the rings of the one
 * before. */
static void
run_frame_step (const List *list, DssrWorker *worker, int number)
{
  const DssrNetwork *network = list->network;
  const DssrPlan *plan = network->plan;
  const DssrProgram *program = &plan->programs[DSSR_PROGRAM_FRAME];
  int frame = number / program->n_steps, step = number % program->n_steps;
  const DssrRun run = {
      .slot = list->job->new_frames[frame].slot,
      .in = list->job->new_frames[frame].planes,
  };

  dssr_program_ends (plan, DSSR_PROGRAM_FRAME, step - 1, worker->begins);
  dssr_program_ends (plan, DSSR_PROGRAM_FRAME, step, worker->ends);
  if (step == 0 && frame > 0)
    wait_for (worker, network->progress[DSSR_PROGRAM_FRAME], number - 1,
        dssr_program_end (program));
  run_step (network, worker, DSSR_PROGRAM_FRAME, &run, number);
}

static void
run_enlarge_step (const List *list, DssrWorker *worker, int step)
{
  const DssrNetwork *network = list->network;
  const DssrPlan *plan = network->plan;
  const DssrProgram *frame = &plan->programs[DSSR_PROGRAM_FRAME];
  const DssrJob *job = list->job;
  const DssrRun run = {
      .slot = job->centre,
      .aligned = job->aligned,
      .pans = job->pans,
      .in = job->in,
      .out = job->out,
      .contrast = job->contrast,
  };

  dssr_program_ends (plan, DSSR_PROGRAM_ENLARGE, step - 1, worker->begins);
  int rows = dssr_program_ends (plan, DSSR_PROGRAM_ENLARGE, step, worker->ends);
  if (job->n_new_frames > 0)
    wait_for (worker, network->progress[DSSR_PROGRAM_FRAME],
        list->n_frame_steps - frame->n_steps
            + dssr_program_find_step (frame, rows),
        dssr_program_end (frame));
  run_step (network, worker, DSSR_PROGRAM_ENLARGE, &run, step);
}

/* FALSE when there are not that many bands. */
static gboolean
run_band (const List *list, DssrWorker *worker, int band)
{
  const DssrNetwork *network = list->network;
  const DssrJob *job = list->job;
  int band_rows = network->band_rows ? network->band_rows : BAND_ROWS;

  for (int i = 0; i < job->n_planes; i++) {
    const DssrSamples *out = &job->planes[i].out;
    int n_bands = (out->height + band_rows - 1) / band_rows;
    if (band < n_bands) {
      int y0 = band * band_rows, y1 = MIN (y0 + band_rows, out->height);
      start_time (worker, DSSR_TIME_BASE);
      network->kernels->bicubic (
          out, &job->planes[i].in, &job->planes[i].bicubic, y0, y1);
      if (job->contrast && !job->enlarge && i < network->model->n_planes)
        network->kernels->contrast (
            out, &job->planes[i].in, &network->contrast, y0, y1);
      return TRUE;
    }
    band -= n_bands;
  }
  return FALSE;
}

static void
work (gpointer data, int thread)
{
  List *list = data;
  DssrWorker *worker = &list->network->workers[thread];
  gboolean more = TRUE;

  while (more) {
    int item = atomic_fetch_add (&list->next, 1);
    int enlarge = item - list->n_frame_steps;
    int band = enlarge - list->n_enlarge_steps;
    if (enlarge < 0)
      run_frame_step (list, worker, item);
    else if (band < 0)
      run_enlarge_step (list, worker, enlarge);
    else
      more = run_band (list, worker, band);
  }
  if (worker->since)
    stop_time (worker);
}

void
dssr_network_run (DssrNetwork *network, const DssrJob *job, guint64 *time_ns)
{
  const DssrProgram *programs = network->plan->programs;
  List list = {
      .network = network,
      .job = job,
      .n_frame_steps = job->n_new_frames * programs[DSSR_PROGRAM_FRAME].n_steps,
      .n_enlarge_steps =
          job->enlarge ? programs[DSSR_PROGRAM_ENLARGE].n_steps : 0,
  };

  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++)
    dssr_progress_reset (network->progress[kind]);
  dssr_pool_run (network->pool, work, &list);
  for (int i = 0; i < network->plan->threads; i++) {
    DssrWorker *worker = &network->workers[i];
    for (int t = 0; t < DSSR_N_TIMES; t++) {
      time_ns[t] += worker->time_ns[t];
      worker->time_ns[t] = 0;
    }
  }
}
