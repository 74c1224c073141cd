/* What the kernel tests share: buffers between guard pages, random contents,
 * and the comparison of every table with the reference.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "kernels/kernels.h"

/* docs/integer-contract.md once more, a pixel at a time in 64 bits;
 * reference.c, reference-picture.c. */
const DssrKernels *reference_kernels (void);
void reference_input (const DssrTensor *out, const DssrSamples *luma,
    int unshuffle, int y0, int y1);
void reference_bicubic (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1);
void reference_head (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1);

/* floor (a / 2^s). */
static inline gint64
floor_shift (gint64 a, int s)
{
  const gint64 d = (gint64)1 << s;
  return a >= 0 ? a / d : -((-a + d - 1) / d);
}

/* The contract's round (s). */
static inline gint64
rounding (int s)
{
  return s == 0 ? 0 : (gint64)1 << (s - 1);
}

static inline gint64
limit (gint64 x, gint64 lo, gint64 hi)
{
  return x < lo ? lo : x > hi ? hi : x;
}

/* Memory whose last byte (or, if `at_start`, first) touches a page that faults.
 */
typedef struct {
  guint8 *data;
  gsize size;
  void *map;
  gsize map_size;
} Guarded;

void guarded_init (Guarded *guarded, gsize size, gboolean at_start);
/* From now on a write to it faults as well. */
void guarded_make_read_only (Guarded *guarded);
void guarded_clear (Guarded *guarded);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Guarded, guarded_clear)

typedef enum {
  FILL_RANDOM,
  FILL_LEAST,
  FILL_GREATEST,
  FILL_EXTREMES, /* the least or the greatest, by chance */
  FILL_SMALL,    /* near zero */
  N_FILLS,
} Fill;

/* lo or hi or between, as `fill` says. */
int random_value (Fill fill, int lo, int hi);
/* lo to hi, both included. */
int random_int (int lo, int hi);
/* Often small, sometimes at or beyond a boundary of the kernels' blocks. */
int random_side (void);

/* A tensor with random gaps between its rows and its planes, which hold random
 * bytes, as do its pixels. */
void tensor_init (DssrTensor *tensor, Guarded *memory, int quads, int width,
    int height, gboolean wide);
/* Every value as `fill` says. */
void tensor_fill (const DssrTensor *tensor, gboolean wide, Fill fill);

/* A plane with random gaps. `step` as in DssrSamples. */
void samples_init (DssrSamples *samples, Guarded *memory, int width, int height,
    int depth, int step, int shift);
void samples_fill (const DssrSamples *samples, Fill fill);

/* Calls a kernel of `table` for rows y0 to y1 - 1, with `data` as its output's
 * memory. */
typedef void (*CallFunc) (
    const DssrKernels *table, void *data, int y0, int y1, gpointer closure);

/* Every table writes into `out`, of `rows` rows, what the reference does, and
 * nothing else: for all rows at once, in bands, and for some rows only. */
void check_kernel (
    const Guarded *out, int rows, CallFunc call, gpointer closure);
