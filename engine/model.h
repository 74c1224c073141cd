/* A model in memory: what docs/model-file.md describes, checked and ready to
 * run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dssr.h"
#include "kernels/kernels.h"

#define DSSR_MAX_WINDOW 7
#define DSSR_MAX_OPS 256
#define DSSR_MAX_INPUTS 16
#define DSSR_MAX_CHANNELS 4096
#define DSSR_MAX_LEVELS 16

typedef enum {
  DSSR_STAGE_FRAME,
  DSSR_STAGE_ALIGN,
  DSSR_STAGE_FUSE,
} DssrStage;
#define DSSR_N_STAGES 3

typedef enum {
  DSSR_OP_INPUT,
  DSSR_OP_CONV,
  DSSR_OP_DEFORM,
  DSSR_OP_ADD,
  DSSR_OP_UP2,
  DSSR_OP_SHUFFLE,
  DSSR_OP_FOLLOW, /* of the align stage: a feature of the neighbour, shifted by
                     the pan */
  DSSR_OP_POOL,
  DSSR_OP_MODULATE,
  DSSR_OP_ATTENTION,
  DSSR_OP_HEAD,
} DssrOpKind;

/* A tensor that an operation reads: the output of operation `index` of `stage`,
 * of the centre frame or of a neighbour (in the align stage, 0 is the one being
 * aligned). For a tensor of the operation's own stage, `neighbour` has no
 * meaning. */
#define DSSR_CENTRE (-1)
typedef struct {
  DssrStage stage;
  int neighbour;
  int index;
} DssrInput;

/* An operation and the tensor that it makes. */
typedef struct {
  DssrOpKind kind;
  char *name;
  DssrInput inputs[DSSR_MAX_INPUTS]; /* luma is not among them */
  int n_inputs;

  int channels;
  int quads;
  int level; /* 0 is the input's; each next one is half as large */
  bool wide;
  int zero; /* 0 if wide */
  int max;

  union {
    DssrConv conv;
    DssrDeform deform;
    DssrAdd add;
    DssrPooling pool;
    DssrModulate modulate;
    DssrAttention attention;
  };
  bool zero_outside;  /* deform: outside the picture is zero, not its edge */
  int bits;           /* of a stored weight */
  gsize weight_quads; /* those that are stored */
  gsize bytes;        /* of all its tensors in the file */
  void *arrays[6];    /* what the parameters point to; g_aligned_free */
} DssrOp;

typedef struct {
  DssrOp *ops;
  int n_ops;
} DssrOps;

struct _DssrModel {
  gatomicrefcount ref_count;
  GHashTable *metadata; /* strings to strings */
  int scale;
  int window;
  int n_planes;  /* of a picture that the network sees: 1 is luma, 3 are red,
                    green and blue */
  int n_aligned; /* frames that are aligned: the neighbours, and the centre
                    too if it is among them */
  bool follows;  /* neighbours are shifted by the pan */
  bool linear;   /* the base is linear interpolation, not bicubic */
  int unshuffle;
  DssrOps stages[DSSR_N_STAGES];
};

extern const char *const dssr_stage_names[DSSR_N_STAGES];
extern const char *const dssr_op_names[DSSR_OP_HEAD + 1];

/* As dssr_model_open, from memory. Keeps no reference to `bytes`. */
DssrModel *dssr_model_new_from_bytes (GBytes *bytes, GError **error);

/* Multiply-accumulates of one operation per output pixel, over the window. */
double dssr_model_get_op_macs (
    const DssrModel *model, DssrStage stage, const DssrOp *op);

/* The least level, whose pixels are no smaller than the enlarged picture's. */
int dssr_model_get_min_level (const DssrModel *model);

/* The operation that makes an input of an operation. */
const DssrOp *dssr_model_get_input (
    const DssrModel *model, const DssrInput *input);
