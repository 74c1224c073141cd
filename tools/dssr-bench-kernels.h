/* dssr-bench: what the parts that time kernels share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dssr-bench.h"
#include "kernels/cpu.h"

/* ---- Shapes ---- */

typedef enum {
  BENCH_INPUT,
  BENCH_CONV,
  BENCH_DEFORM,
  BENCH_ADD,
  BENCH_UP2,
  BENCH_FOLLOW,
  BENCH_ATTENTION,
  BENCH_BICUBIC,
  BENCH_HEAD,
  BENCH_CONTRAST,
  /* Those that a GPU leaves to the CPU, of a plane as a whole. */
  BENCH_NOISE,
  BENCH_DENOISE,
  BENCH_PAN,
  /* Those of imported models. */
  BENCH_CONV_BORDER,
  BENCH_DEFORM_ZERO,
  BENCH_SHUFFLE,
  BENCH_POOL,
  BENCH_MODULATE,
  BENCH_HEAD_PLANES,
} BenchKernel;

typedef struct {
  const char *name;
  BenchKernel kernel;
  int taps, stride; /* taps: 1 or 3 a side */
  int in, out;      /* channels */
  int density;      /* percent of the weights' quads that are not zero; 0: all,
                       without a mask */
  int bits;         /* of weights and activations; 0: 8 */
  gboolean wide;
  int scale, depth;
} BenchShape;

/* Ends with a NULL name. */
extern const BenchShape bench_shapes[];

/* Whether it is of a plane as a whole, which the CPU works on. */
gboolean bench_shape_is_whole (const BenchShape *shape);

/* A shape with the memory it works on, at a size of the picture. Tensors are
 * rings of rows that a kernel goes through in bands, as the engine does. */
typedef struct _BenchWork BenchWork;

BenchWork *bench_work_new (const BenchShape *shape, int width, int height);
void bench_work_free (BenchWork *work);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchWork, bench_work_free)

enum { BENCH_MAX_PLANES = 3 };

/* What a kernel works on, and how; the shape says which of it there is. */
typedef struct {
  const DssrTensor *out, *in;
  const DssrSamples *small, *large; /* BENCH_MAX_PLANES, or the first alone */
  const DssrConv *conv;
  DssrDeform deform;
  DssrAdd add;
  DssrAttention attention;
  DssrModulate modulate;
  DssrBicubic bicubic;
  DssrContrast contrast;
} BenchParts;

BenchParts bench_work_parts (const BenchWork *work);

/* Executed multiply-accumulates; 0 unless it is a convolution. */
double bench_work_macs (const BenchWork *work);
/* The weights as a table wants them; free with g_aligned_free. */
void *bench_work_pack (const BenchWork *work, const DssrKernels *table);
void bench_work_run (
    BenchWork *work, const DssrKernels *table, const void *packed);

/* ---- Peaks ---- */

typedef struct {
  const char *instruction;
  const char *variant; /* that uses it, or NULL */
  double gmacs;        /* multiply-accumulates a nanosecond on one core */
} BenchPeak;

#define BENCH_MAX_PEAKS 8

/* Measures those that this CPU has; returns how many. */
int bench_peaks (BenchPeak *results);
