/* Convolution with many quads of weights missing, a channel at a time.
 *
 * One channel at a time uses a vector of pixels, which is therefore loaded for
 * each dot product, and twice where it lies across cache lines, as those of
 * taps beside the centre do. So the pixels that the taps of a tile multiply are
 * first copied, aligned; tiles follow each other downwards, so that each row is
 * copied once. A channel has many vectors, so that a turn of the loop over its
 * weights has as much to do as its end costs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>

#include "kernels/x86/conv_tile.h"

enum {
  COPIES_OUT_QUADS = 16, /* output quads that share the copies of a part */
  COPIES_MOST = 24, /* of a row, one for each tap_x of an input quad: three rows
                       of them stay in the first cache */
  COPIES_ROWS = 4,  /* of the kernel's, rounded up to a power of two: row y of
                       the input, and of its margins, is where y modulo it is */
  COPIES_ROW = 256, /* vectors of a row: [quad][tap_x][vector]; likewise */
};

/* A tap of an input quad that a channel has weights for. */
typedef struct {
  uint32_t pixels; /* bytes from the copies of the first row to the tap's */
  int8_t weight[4];
} CopyEntry;

/* Where the entries of a channel and a part of the input are. */
typedef struct {
  uint32_t offset, n;
} CopyList;

/* What is the same for all channels of a tile. */
typedef struct {
  Vector pixels[COPIES_ROWS * COPIES_ROW];
  size_t first_row;                 /* bytes to it */
  const uint8_t *rows[COPIES_MOST]; /* that are being copied */
} Copies;

/* Adds the products of the lists, each n_parts after the one before, to the
 * sums of as many channels, or to `first` if it is not NULL. */
DSSR_INLINE void
add_lists (Sums sums, const Copies *copies, const void *weights,
    const CopyList *list, int n_parts, int channels, const Channels *first,
    int vectors)
{
  for (int o = 0; o < channels; o++, list += n_parts) {
    const CopyEntry *entry =
        (const CopyEntry *)((const char *)weights + list->offset);
    const CopyEntry *end = entry + list->n;
    Vector s[TILE_VECTORS];

    DSSR_UNROLL
    for (int v = 0; v < vectors; v++)
      s[v] = first ? splat (&first[o / 4].bias[o % 4]) : sums[o][v];

    for (; entry < end; entry++) {
      const size_t offset =
          (copies->first_row + entry->pixels) & (sizeof copies->pixels - 1);
      const Vector *p = copies->pixels + offset / sizeof (Vector);
      const Vector w = splat (entry->weight);
      DSSR_UNROLL
      for (int v = 0; v < vectors; v++)
        s[v] = dot (s[v], p[v], w);
    }

    DSSR_UNROLL
    for (int v = 0; v < vectors; v++)
      sums[o][v] = s[v];
  }
}

/* Copies `n` rows for the taps of a kernel, each `step` after the one before.
 */
DSSR_INLINE void
copy_rows (Vector *dst, const uint8_t *const *rows, int n, int kernel, int step,
    int vectors)
{
  for (int i = 0; i < n; i++) {
    for (int x = -(kernel / 2); x <= kernel / 2; x++, dst += step) {
      DSSR_UNROLL
      for (int v = 0; v < vectors; v++)
        dst[v] = load (rows[i] + 4 * x + v * sizeof (Vector));
    }
  }
}

typedef struct {
  void (*add) (Sums sums, const Copies *copies, const void *weights,
      const CopyList *list, int n_parts, int channels, const Channels *first);
  void (*copy) (
      Vector *dst, const uint8_t *const *rows, int n, int kernel, int step);
} CopiesKernels;

#define COPIES(vectors)                                                        \
  static void add_##vectors (Sums sums, const Copies *copies,                  \
      const void *weights, const CopyList *list, int n_parts, int channels,    \
      const Channels *first)                                                   \
  {                                                                            \
    add_lists (                                                                \
        sums, copies, weights, list, n_parts, channels, first, vectors);       \
  }                                                                            \
  static void copy_##vectors (                                                 \
      Vector *dst, const uint8_t *const *rows, int n, int kernel, int step)    \
  {                                                                            \
    copy_rows (dst, rows, n, kernel, step, vectors);                           \
  }

COPIES (1)
COPIES (2)
COPIES (3)
COPIES (4)
COPIES (5)
COPIES (6)
COPIES (7)
COPIES (8)
COPIES (9)
COPIES (10)
COPIES (11)
COPIES (12)

static const CopiesKernels copies_kernels[TILE_VECTORS] = {
    {add_1, copy_1},
    {add_2, copy_2},
    {add_3, copy_3},
    {add_4, copy_4},
    {add_5, copy_5},
    {add_6, copy_6},
    {add_7, copy_7},
    {add_8, copy_8},
    {add_9, copy_9},
    {add_10, copy_10},
    {add_11, copy_11},
    {add_12, copy_12},
};

/* Input quads that are copied at once. */
static int
part_quads (const DssrConv *conv)
{
  return min_int (COPIES_MOST / conv->kernel, conv->in_quads);
}

/* Parts of the input that are summed over one after the other. */
static int
copies_parts (const DssrConv *conv)
{
  return (conv->in_quads + part_quads (conv) - 1) / part_quads (conv);
}

/* Vectors of the widest tile whose copies there is room for. */
static int
copies_vectors (const DssrConv *conv)
{
  return min_int (
      TILE_VECTORS, COPIES_ROW / (conv->kernel * part_quads (conv)));
}

static size_t
copies_lists_size (const DssrConv *conv)
{
  return (size_t)4 * conv->out_quads * copies_parts (conv) * sizeof (CopyList);
}

static size_t
copies_size (const DssrConv *conv)
{
  const size_t n = (size_t)4 * conv->out_quads * conv->in_quads * conv->kernel
                   * conv->kernel;
  size_t present = 0;

  for (size_t i = 0; i < n; i++)
    present += !is_zero (conv->weight + 4 * i);
  return copies_lists_size (conv) + present * sizeof (CopyEntry);
}

/* The entries of a channel and a part; returns their number. */
static int
pack_copy_entries (
    const DssrConv *conv, CopyEntry *entries, int channel, int part)
{
  const int kernel = conv->kernel, first = part * part_quads (conv);
  const int end = min_int (first + part_quads (conv), conv->in_quads);
  int n = 0;

  for (int i = first; i < end; i++) {
    for (int tap = 0; tap < kernel * kernel; tap++) {
      const int8_t *w = weight_quad (conv, channel, i, tap);
      const int copy = (i - first) * kernel + tap % kernel;
      if (is_zero (w))
        continue;
      entries[n].pixels =
          (tap / kernel * COPIES_ROW + copy * copies_vectors (conv))
          * sizeof (Vector);
      memcpy (entries[n++].weight, w, 4);
    }
  }
  return n;
}

static void
copies_pack (const DssrConv *conv, void *weights)
{
  CopyList *list = weights;
  size_t offset = copies_lists_size (conv);

  for (int o = 0; o < 4 * conv->out_quads; o++) {
    for (int part = 0; part < copies_parts (conv); part++, list++) {
      CopyEntry *entries = (CopyEntry *)((char *)weights + offset);
      *list = (CopyList){offset, pack_copy_entries (conv, entries, o, part)};
      offset += list->n * sizeof (CopyEntry);
    }
  }
}

/* Copies row y, or the edge row that stands for it, of a part of the input. */
static void
copy_row (Copies *copies, const DssrTensor *in, const DssrConv *conv, int part,
    int x, int vectors, int y)
{
  int quad = part * part_quads (conv);
  const int n = min_int (part_quads (conv), conv->in_quads - quad);

  for (int i = 0; i < n; i++, quad++) {
    while (quad >= in->quads)
      quad -= in++->quads;
    copies->rows[i] =
        (const uint8_t *)tensor_row (in, quad, clamp (y, 0, in->height - 1))
        + 4 * x;
  }
  copies_kernels[vectors - 1].copy (
      copies->pixels + (y & (COPIES_ROWS - 1)) * COPIES_ROW, copies->rows, n,
      conv->kernel, copies_vectors (conv));
}

/* Output row y of a tile. */
static void
copies_tile (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, Copies *copies, int *next, int x, int vectors, int y)
{
  const int first = y - conv->kernel / 2;
  const int n_parts = copies_parts (conv);
  Vector sums[4 * COPIES_OUT_QUADS][TILE_VECTORS];

  copies->first_row =
      (first & (COPIES_ROWS - 1)) * COPIES_ROW * sizeof (Vector);
  for (int q = 0; q < conv->out_quads; q += COPIES_OUT_QUADS) {
    const int quads = min_int (COPIES_OUT_QUADS, conv->out_quads - q);
    const CopyList *list = (const CopyList *)job->weights + 4 * q * n_parts;
    for (int part = 0; part < n_parts; part++, list++) {
      *next = n_parts > 1 ? first : max_int (*next, first);
      for (; *next < first + conv->kernel; ++*next)
        copy_row (copies, in, conv, part, x, vectors, *next);
      copies_kernels[vectors - 1].add (sums, copies, job->weights, list,
          n_parts, 4 * quads, part == 0 ? job->channels + q : NULL);
    }
    job->requantise (output_pixels (out, conv, q, x, y), out->plane, sums,
        job->channels + q, quads, vectors, conv);
  }
}

static void
copies_run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1)
{
  const int n_vectors = (out->width + LANES - 1) / LANES;
  Copies copies;

  for (int v = 0, n; v < n_vectors; v += n) {
    int next = INT_MIN; /* the row to be copied */
    n = tile_vectors (n_vectors - v, copies_vectors (conv));
    for (int y = y0; y < y1; y++)
      copies_tile (out, in, conv, job, &copies, &next, LANES * v, n, y);
  }
}

static const Method copies_method = {copies_size, copies_pack, copies_run};
