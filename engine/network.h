/* A model at work: its plan, its memory, and the run of its programs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/plan.h"
#include "engine/pool.h"
#include "engine/progress.h"

/* What a thread has of its own, cache lines too. */
typedef struct {
  _Alignas(64) guint8 *local; /* rows */
  int *begins, *ends;         /* the rows of each operation that a step makes */
  DssrTime what;              /* it spends its time on, */
  guint64 since;              /* since this time in ns; 0: on nothing */
  guint64 time_ns[DSSR_N_TIMES];
} DssrWorker;

typedef struct {
  DssrModel *model;
  DssrPlan *plan;
  const DssrKernels *kernels;
  DssrPool *pool;
  int band_rows;
  DssrBicubic bicubic;            /* of what the network sees */
  DssrConv *convs[DSSR_N_STAGES]; /* the model's, with packed weights */
  DssrProgress *progress[DSSR_N_PROGRAMS];
  DssrWorker *workers;

  gsize size;
  guint8 *shared; /* the whole allocation begins here */
  guint8 *slots;  /* kept tensors of each frame */
} DssrNetwork;

/* What is to be done for a frame. */
typedef struct {
  struct {
    int slot;
    DssrSamples planes[3];       /* that the network sees */
  } new_frames[DSSR_MAX_WINDOW]; /* which get features */
  int n_new_frames;

  bool enlarge; /* by the network; all that follows up to `out` is set */
  int centre;   /* slots; all have features by then */
  int aligned[DSSR_MAX_WINDOW]; /* in order of time */
  DssrSamples in[3], out[3];    /* planes that the network sees */

  struct {
    DssrSamples out, in;
    DssrBicubic bicubic;
  } planes[3]; /* which get the bicubic enlargement alone */
  int n_planes;
} DssrJob;

/* slots: frames whose features are kept
 * band_rows: 0: chosen here
 * NULL with DSSR_ERROR_FORMAT when there is not enough memory. */
DssrNetwork *dssr_network_new (DssrModel *model, const DssrFormat *format,
    int slots, const DssrKernels *kernels, DssrPool *pool, int band_rows,
    GError **error);
void dssr_network_free (DssrNetwork *network);

/* Adds the time that it takes to time_ns[DSSR_N_TIMES]. */
void dssr_network_run (
    DssrNetwork *network, const DssrJob *job, guint64 *time_ns);

/* What a program works on. */
typedef struct {
  int slot;                    /* of the new frame, or of the centre */
  const int *aligned;          /* slots */
  const DssrSamples *in, *out; /* planes */
} DssrRun;

/* The rows from y0 to y1 - 1 of one operation. */
void dssr_network_run_node (const DssrNetwork *network,
    const DssrWorker *worker, DssrProgramKind kind, int index,
    const DssrRun *run, int y0, int y1);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrNetwork, dssr_network_free)
