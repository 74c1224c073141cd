/* What the kernel tests share: buffers between guard pages, random contents,
 * and the comparison of every table with the reference.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "kernels/kernels.h"

/* docs/integer-contract.md once more, a pixel at a time in 64 bits, for tensors
 * that are no rings and without a look at their margins; reference.c,
 * reference-picture.c. */
const DssrKernels *reference_kernels (void);
void reference_input (const DssrTensor *out, const DssrSamples *planes,
    int n_planes, int unshuffle, int y0, int y1);
void reference_bicubic (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1);
void reference_head (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1);
void reference_head_planes (const DssrSamples *out, const DssrSamples *in,
    int n_planes, const DssrTensor *residual, const DssrBicubic *bicubic,
    bool linear, int shuffle, int y0, int y1);
void reference_contrast (const DssrSamples *out, const DssrSamples *in,
    const DssrContrast *contrast, int y0, int y1);
DssrNoise reference_noise (const DssrSamples *in, const DssrSamples *before);
DssrPan reference_pan (const DssrSamples *in, const DssrSamples *before);
void reference_denoise (const DssrSamples *out, const DssrSamples *in,
    const DssrDenoise *denoise, int y0, int y1);

/* floor (a / 2^s): gcc and clang shift as the contract does. */
static inline gint64
floor_shift (gint64 a, int s)
{
  return a >> s;
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

/* Random bytes whose last one (or, if `at_start`, first one) touches a page
 * that faults. */
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
  FILL_MIXED,    /* near zero, here and there any or an extreme */
  N_FILLS,
} Fill;

gboolean random_bit (void);
/* lo or hi or between, as `fill` says. */
int random_value (Fill fill, int lo, int hi);
/* lo to hi, both included. */
int random_int (int lo, int hi);
/* What is drawn from here on depends on GLib's generator, whose seed a failed
 * test prints, and on nothing drawn before. */
void random_restart (void);
/* How often the tests repeat each kind of case with other random values: 1, or
 * more with "-m slow". */
int repetitions (void);
/* Widths that matter: small ones and those around multiples of what kernels
 * work on at once; i modulo N_SIDES chooses. */
enum { N_SIDES = 64, LARGEST_SIDE = 8192 };
int side (int i);

/* A tensor of random bytes, in its margins too, with random gaps between its
 * rows and its planes; ring as in DssrTensor. */
void tensor_init (DssrTensor *tensor, Guarded *memory, int quads, int width,
    int height, int ring, gboolean wide);
/* Every value as `fill` says, up to `max` if 8-bit, with the edges repeated as
 * the interface wants. */
void tensor_fill (const DssrTensor *tensor, gboolean wide, int max, Fill fill);

/* A plane with random gaps. `step` as in DssrSamples. */
void samples_init (DssrSamples *samples, Guarded *memory, int width, int height,
    int depth, int step, int shift);
void samples_fill (const DssrSamples *samples, Fill fill);

enum { MAX_INPUTS = 16 };

/* What a kernel works on: `plane_out` is its output if it has a width. */
typedef struct {
  DssrTensor out, in[MAX_INPUTS];
  DssrSamples plane_out, plane_in;
} Operands;

typedef struct {
  Operands operands; /* inputs of which all rows are in memory; outputs whose
                        memory the check provides */
  Guarded memory[MAX_INPUTS], plane_memory;
  int n_in;
  gboolean wide[MAX_INPUTS], wide_out;
  char *description;
} Case;

void case_clear (Case *c);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Case, case_clear)

void case_add_input (
    Case *c, int quads, int width, int height, gboolean wide, Fill fill);
/* An 8-bit one whose values are up to `max`. */
void case_add_limited_input (
    Case *c, int quads, int width, int height, int max, Fill fill);
void case_set_output (Case *c, int quads, int width, int height, gboolean wide);

/* How to call a kernel and what it needs. */
typedef struct {
  void (*call) (const DssrKernels *table, const Operands *operands, int y0,
      int y1, const void *parameters);
  /* The rows [*first, *end) of input i that rows [y0, y1) are made of; those
   * outside the picture do not count. */
  void (*need) (
      const void *parameters, int i, int y0, int y1, int *first, int *end);
  gsize offset, size; /* of its functions in DssrKernels */
} Operation;

/* An operation's `offset` and `size` if it is one function. */
#define OPERATION(name)                                                        \
  G_STRUCT_OFFSET (DssrKernels, name), sizeof ((DssrKernels *)NULL)->name

/* Every table writes the rows that the reference does, with their edges, and
 * nothing else but margins: all rows at once, and in bands, for which inputs
 * and output are rings by chance. */
void check_kernel (
    const Operation *operation, const Case *c, const void *parameters);

/* The tables to check, NULL at the end; or NULL: all that this CPU can run.
 * Each program has its own. */
const DssrKernels *const *given_tables (void);
/* Of cases whose every format or phase costs a compilation, one in so many. */
extern const int picture_step;

/* Calls `check` for every table that differs. */
void for_each_table (
    void (*check) (const DssrKernels *table), gsize offset, gsize size);
