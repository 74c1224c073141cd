/* A model at work: its plan, its weights, and the run of its programs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/arena.h"
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
  DssrContrast contrast;          /* the same */
  DssrConv *convs[DSSR_N_STAGES]; /* the model's, with packed weights */
  DssrProgress *progress[DSSR_N_PROGRAMS];
  DssrWorker *workers;

  guint8 *weights; /* packed */
  gsize weights_size;
  /* In the arena that it was placed in. */
  guint8 *shared;
  guint8 *slots; /* kept tensors of each frame */
} DssrNetwork;

/* What is to be done for a frame. */
typedef struct {
  struct {
    int slot;
    DssrSamples planes[3];       /* that the network sees */
  } new_frames[DSSR_MAX_WINDOW]; /* which get features */
  int n_new_frames;

  bool contrast; /* is high, of what the network sees or would */
  bool enlarge;  /* by the network; all that follows up to `out` is set */
  int centre;    /* slots; all have features by then */
  int aligned[DSSR_MAX_WINDOW];  /* in order of time */
  DssrPan pans[DSSR_MAX_WINDOW]; /* of these, if the model follows */
  DssrSamples in[3], out[3];     /* planes that the network sees */

  struct {
    DssrSamples out, in;
    DssrBicubic bicubic;
  } planes[3]; /* which get the bicubic enlargement alone */
  int n_planes;
} DssrJob;

/* Makes all but the place that it works in.
 * band_rows: 0: chosen here */
DssrNetwork *dssr_network_new (DssrModel *model, const DssrFormat *format,
    const DssrKernels *kernels, DssrPool *pool, int band_rows);
void dssr_network_free (DssrNetwork *network);

/* Bytes of the arena that it needs.
 * slots: frames whose features are kept */
guint64 dssr_network_get_size (const DssrNetwork *network, int slots);
/* It works there from now on, and has no features. Grows the arena if that is
 * too small. FALSE with DSSR_ERROR_FORMAT when there is not enough memory. */
gboolean dssr_network_place (
    DssrNetwork *network, DssrArena *arena, int slots, GError **error);

/* Adds the time that it takes to time_ns[DSSR_N_TIMES]. */
void dssr_network_run (
    DssrNetwork *network, const DssrJob *job, guint64 *time_ns);

/* What a program works on. */
typedef struct {
  int slot;                    /* of the new frame, or of the centre */
  const int *aligned;          /* slots */
  const DssrPan *pans;         /* of these */
  const DssrSamples *in, *out; /* planes */
  bool contrast;               /* is high */
} DssrRun;

static inline bool
dssr_pan_is_zero (DssrPan pan)
{
  return pan.x == 0 && pan.y == 0;
}

/* The rows from y0 to y1 - 1 of one operation. */
void dssr_network_run_node (const DssrNetwork *network,
    const DssrWorker *worker, DssrProgramKind kind, int index,
    const DssrRun *run, int y0, int y1);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrNetwork, dssr_network_free)
