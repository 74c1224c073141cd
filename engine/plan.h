/* What is computed where and when, for one size of picture.
 *
 * A model at work is two programs: one makes the features of a new frame (the
 * frame stage), one enlarges a frame (the align stage once for each neighbour,
 * then the fuse stage). A program runs depth-first in steps down the picture:
 * in a step, each operation makes those few rows that have become needed. So
 * what one operation makes is still in cache when the next reads it, and only
 * the rows that later steps read are kept, in rings.
 *
 * Steps run side by side, on a thread each: an operation of a step begins when
 * the same operation of the step before has ended. Nothing is computed twice.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/model.h"

typedef enum {
  DSSR_PROGRAM_FRAME,
  DSSR_PROGRAM_ENLARGE,
} DssrProgramKind;
#define DSSR_N_PROGRAMS 2

/* Where an operation's output lies. */
typedef enum {
  DSSR_PLACE_NONE,  /* nowhere: nothing needs it, or it is the picture */
  DSSR_PLACE_KEPT,  /* whole, in the slot of the frame: enlarging reads it */
  DSSR_PLACE_RING,  /* some rows: later steps read them */
  DSSR_PLACE_LOCAL, /* some rows for each thread: only the step that makes them
                       reads them */
} DssrPlace;

/* The rows of an input that an output row y reads, borders left aside: step * y
 * - before to step * y + after, or for up2 and shuffle (step 0) (y - before) >>
 * 1 to (y + after) >> 1. */
typedef struct {
  int step;
  int before, after;
} DssrReach;

#define DSSR_OWN (-2)

/* What an operation reads. */
typedef struct {
  int frame; /* DSSR_OWN: made by the same program; else a feature of
                DSSR_CENTRE or of a neighbour */
  int node;  /* of the same program or of the frame's */
  DssrReach reach;
} DssrSource;

/* An operation in a program. */
typedef struct {
  const DssrOp *op;
  DssrStage stage;
  int index;     /* in the stage */
  int neighbour; /* in the align stage */
  DssrSource sources[DSSR_MAX_INPUTS];

  bool needed; /* otherwise, it never runs */
  bool sink;   /* all its rows are wanted for their own sake */
  DssrPlace place;
  DssrTensor tensor; /* without data */
  guint64 offset; /* of pixel 0 in the slot, the shared or a thread's memory */
  bool shared;    /* other steps read it */
  int after;      /* operations that the step before must have ended: 0 for what
                     touches nothing of other steps */
} DssrNode;

typedef struct {
  DssrNode *nodes; /* in the order of execution */
  int n_nodes;
  int rows;      /* at level 0 */
  int step_rows; /* of these in a step */
  int lead; /* rows that the last operations are behind the first: the first
               steps are for these alone */
  int n_steps;
} DssrProgram;

typedef struct {
  DssrProgram programs[DSSR_N_PROGRAMS];
  int threads;
  guint64 kept;   /* bytes for each frame */
  guint64 shared; /* bytes of rings */
  guint64 local;  /* bytes for each thread */
} DssrPlan;

/* width, height: of the small picture's luma
 * threads: the steps that may run at once
 * step_rows: 0: chosen by what fits into a cache */
DssrPlan *dssr_plan_new (
    const DssrModel *model, int width, int height, int threads, int step_rows);
void dssr_plan_free (DssrPlan *plan);

/* The rows of each operation that are made when `step` has ended; for -1, 0.
 * Returns the rows, at level 0, of the features that this needs. */
int dssr_program_ends (
    const DssrPlan *plan, DssrProgramKind kind, int step, int *ends);

/* Sets the rows of a step, and what follows from it. */
void dssr_program_set_steps (
    DssrPlan *plan, DssrProgramKind kind, int step_rows);

/* The step after which features are made up to `rows` at level 0. */
int dssr_program_find_step (const DssrProgram *program, int rows);

/* What a step has done when it has ended: its operations, and that the step
 * before has ended, which a step without some of them would not show. */
static inline int
dssr_program_end (const DssrProgram *program)
{
  return program->n_nodes + 1;
}

/* Bytes of a tensor's row, of all its quads. */
gsize dssr_node_row_bytes (const DssrNode *node);

DssrReach dssr_reach (const DssrOp *op, int input);
/* The end of the input rows that output rows before `end` need, and the first
 * that those from `begin` on need; both may lie outside the picture. */
int dssr_reach_end (const DssrReach *reach, int end);
int dssr_reach_begin (const DssrReach *reach, int begin);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrPlan, dssr_plan_free)
