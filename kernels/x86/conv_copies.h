/* Convolution with many quads of weights missing, by AVX-VNNI.
 *
 * One channel uses a vector of pixels, so that loading it costs as much as
 * multiplying it, and twice as much where it lies across cache lines, as those
 * of taps beside the centre do. So the pixels that the taps of a tile multiply
 * are first copied, aligned; tiles follow each other downwards, so that each
 * row is copied once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>

#include "kernels/x86/conv_tile.h"

enum {
  COPIES_VECTORS = 6,
  COPIES_OUT_QUADS = 4, /* output quads that share the copies of a part */
  COPIES_QUADS = 8,     /* input quads that are copied at once */
  COPIES_ROWS = 4, /* of each: of the kernel's, rounded up to a power of two */
  COPIES_TAPS = 9 * COPIES_QUADS,
};

/* What the taps multiply. Row y of the input, and of its margins, is where y
 * modulo COPIES_ROWS is. */
typedef struct {
  Vector pixels[COPIES_ROWS][COPIES_QUADS][3][COPIES_VECTORS];
  /* [first row modulo COPIES_ROWS][quad][tap] */
  const Vector *taps[COPIES_ROWS][COPIES_TAPS];
} Copies;

/* The taps that both channels of a pair have weights for, and those of only the
 * first and only the second; then their weights, in this order. */
typedef struct {
  size_t offset;
  uint16_t both, first, second;
} Pair;

/* Does STEP (k) for k = n, n - 1... 1: jumps into a sequence of 8, because the
 * end of a loop of a few turns would be mispredicted. The lists of taps and
 * weights are read at -k, and there are `weights` of these a step. */
#define COPIES_STEPS(n, weights, STEP)                                         \
  {                                                                            \
    int left = n;                                                              \
    tap += left & 7;                                                           \
    weight += (weights) * (left & 7);                                          \
    switch (left & 7) {                                                        \
      case 0:                                                                  \
        while (left >= 8) {                                                    \
          left -= 8;                                                           \
          tap += 8;                                                            \
          weight += 8 * (weights);                                             \
          STEP (8)                                                             \
          __attribute__ ((fallthrough));                                       \
          case 7:                                                              \
            STEP (7)                                                           \
            __attribute__ ((fallthrough));                                     \
          case 6:                                                              \
            STEP (6)                                                           \
            __attribute__ ((fallthrough));                                     \
          case 5:                                                              \
            STEP (5)                                                           \
            __attribute__ ((fallthrough));                                     \
          case 4:                                                              \
            STEP (4)                                                           \
            __attribute__ ((fallthrough));                                     \
          case 3:                                                              \
            STEP (3)                                                           \
            __attribute__ ((fallthrough));                                     \
          case 2:                                                              \
            STEP (2)                                                           \
            __attribute__ ((fallthrough));                                     \
          case 1:                                                              \
            STEP (1)                                                           \
        }                                                                      \
    }                                                                          \
  }

#define COPIES_ONE(o, k)                                                       \
  {                                                                            \
    const Vector *p = taps[tap[-(k)]];                                         \
    const Vector w = splat (weight - (k));                                     \
    DSSR_UNROLL                                                                \
    for (int v = 0; v < vectors; v++)                                          \
      s[o][v] = dot (s[o][v], p[v], w);                                        \
  }
#define COPIES_FIRST(k) COPIES_ONE (0, k)
#define COPIES_SECOND(k) COPIES_ONE (1, k)
#define COPIES_BOTH(k)                                                         \
  {                                                                            \
    const Vector *p = taps[tap[-(k)]];                                         \
    const Vector w0 = splat (weight - 2 * (k));                                \
    const Vector w1 = splat (weight - 2 * (k) + 1);                            \
    DSSR_UNROLL                                                                \
    for (int v = 0; v < vectors; v++) {                                        \
      s[0][v] = dot (s[0][v], p[v], w0);                                       \
      s[1][v] = dot (s[1][v], p[v], w1);                                       \
    }                                                                          \
  }

/* Adds the products of a pair of channels to the sums, or to `first` if it is
 * not NULL. */
DSSR_INLINE void
copies_pair (Vector (*sums)[TILE_VECTORS], const Vector *const *taps,
    const Pair *pair, const void *list, const int32_t *first, int vectors)
{
  const uint16_t *tap = list;
  const int32_t *weight =
      (const int32_t *)list + (pair->both + pair->first + pair->second + 1) / 2;
  Vector s[2][TILE_VECTORS];

  DSSR_UNROLL
  for (int o = 0; o < 2; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    s[o][v] = first ? splat (first + o) : sums[o][v];

  COPIES_STEPS (pair->both, 2, COPIES_BOTH)
  COPIES_STEPS (pair->first, 1, COPIES_FIRST)
  COPIES_STEPS (pair->second, 1, COPIES_SECOND)

  DSSR_UNROLL
  for (int o = 0; o < 2; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    sums[o][v] = s[o][v];
}

typedef void (*CopiesKernel) (Vector (*sums)[TILE_VECTORS],
    const Vector *const *taps, const Pair *pair, const void *list,
    const int32_t *first);

#define COPIES(vectors)                                                        \
  static void copies_##vectors (Vector (*sums)[TILE_VECTORS],                  \
      const Vector *const *taps, const Pair *pair, const void *list,           \
      const int32_t *first)                                                    \
  {                                                                            \
    copies_pair (sums, taps, pair, list, first, vectors);                      \
  }

COPIES (1)
COPIES (2)
COPIES (3)
COPIES (4)
COPIES (5)
COPIES (6)

static const CopiesKernel copies_kernels[COPIES_VECTORS] = {
    copies_1,
    copies_2,
    copies_3,
    copies_4,
    copies_5,
    copies_6,
};

/* Parts of the input that are summed over one after the other. */
static int
copies_parts (const DssrConv *conv)
{
  return (conv->in_quads + COPIES_QUADS - 1) / COPIES_QUADS;
}

static size_t
pairs_size (const DssrConv *conv)
{
  return (size_t)2 * conv->out_quads * copies_parts (conv) * sizeof (Pair);
}

static size_t
copies_size (const DssrConv *conv)
{
  const size_t n = (size_t)4 * conv->out_quads * conv->in_quads * conv->kernel
                   * conv->kernel;
  size_t present = 0;

  for (size_t i = 0; i < n; i++)
    present += !is_zero (conv->weight + 4 * i);
  return pairs_size (conv) + present * (sizeof (uint16_t) + sizeof (int32_t))
         + (size_t)2 * conv->out_quads * copies_parts (conv)
               * sizeof (uint16_t);
}

/* The taps that have weights for both channels of a pair, or only for one:
 * `which` is 3, 1 or 2. Returns their number. */
static int
pack_pair (const DssrConv *conv, int channel, int part, int which,
    uint16_t *tap, int8_t **weight)
{
  const int n_taps = conv->kernel * conv->kernel, first = part * COPIES_QUADS;
  const int last = min_int (first + COPIES_QUADS, conv->in_quads);
  int n = 0;

  for (int i = first; i < last; i++) {
    for (int t = 0; t < n_taps; t++) {
      const int8_t *w0 = weight_quad (conv, channel, i, t);
      const int8_t *w1 = weight_quad (conv, channel + 1, i, t);
      if ((is_zero (w0) ? 0 : 1) + (is_zero (w1) ? 0 : 2) != which)
        continue;
      tap[n++] = (i - first) * n_taps + t;
      if (which & 1)
        *weight = (int8_t *)memcpy (*weight, w0, 4) + 4;
      if (which & 2)
        *weight = (int8_t *)memcpy (*weight, w1, 4) + 4;
    }
  }
  return n;
}

static void
copies_pack (const DssrConv *conv, void *packed)
{
  Pair *pair = packed;
  int8_t *dst = (int8_t *)packed + pairs_size (conv);

  for (int o = 0; o < 4 * conv->out_quads; o += 2) {
    for (int part = 0; part < copies_parts (conv); part++, pair++) {
      uint16_t taps[COPIES_TAPS];
      int8_t weights[2 * 4 * COPIES_TAPS], *end = weights;
      int n = pair->both = pack_pair (conv, o, part, 3, taps, &end);
      n += pair->first = pack_pair (conv, o, part, 1, taps + n, &end);
      n += pair->second = pack_pair (conv, o, part, 2, taps + n, &end);

      pair->offset = dst - (int8_t *)packed;
      memcpy (dst, taps, n * sizeof *taps);
      dst += (n + 1) / 2 * sizeof (int32_t);
      memcpy (dst, weights, end - weights);
      dst += end - weights;
    }
  }
}

/* Where the taps' copies will be. */
static void
set_taps (Copies *copies, int kernel)
{
  for (int row = 0; row < COPIES_ROWS; row++) {
    const Vector **tap = copies->taps[row];
    for (int i = 0; i < COPIES_QUADS; i++)
      for (int ty = 0; ty < kernel; ty++)
        for (int tx = 0; tx < kernel; tx++)
          *tap++ = copies->pixels[(row + ty) & (COPIES_ROWS - 1)][i][tx];
  }
}

/* Copies row y, or the edge row that stands for it, of a part of the input. */
static void
copy_row (Copies *copies, const DssrTensor *in, const DssrConv *conv, int part,
    int x, int vectors, int y)
{
  const int kernel = conv->kernel;
  const int n = min_int (COPIES_QUADS, conv->in_quads - part * COPIES_QUADS);
  int quad = part * COPIES_QUADS;

  for (int i = 0; i < n; i++, quad++) {
    while (quad >= in->quads)
      quad -= in++->quads;
    const uint8_t *row =
        (const uint8_t *)tensor_row (in, quad, clamp (y, 0, in->height - 1))
        + 4 * x;
    for (int tx = 0; tx < kernel; tx++) {
      Vector *dst = copies->pixels[y & (COPIES_ROWS - 1)][i][tx];
      for (int v = 0; v < vectors; v++)
        dst[v] = load (row + 4 * (tx - kernel / 2) + v * sizeof (Vector));
    }
  }
}

/* Output row y of a tile. */
static void
copies_tile (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, Copies *copies, int *next, int x, int vectors, int y)
{
  const int first = y - conv->kernel / 2;
  const int n_parts = copies_parts (conv);
  const Vector *const *taps = copies->taps[first & (COPIES_ROWS - 1)];
  Vector sums[4 * COPIES_OUT_QUADS][TILE_VECTORS];

  for (int q = 0; q < conv->out_quads; q += COPIES_OUT_QUADS) {
    const int quads = min_int (COPIES_OUT_QUADS, conv->out_quads - q);
    for (int part = 0; part < n_parts; part++) {
      *next = n_parts > 1 ? first : max_int (*next, first);
      for (; *next < first + conv->kernel; ++*next)
        copy_row (copies, in, conv, part, x, vectors, *next);
      for (int o = 0; o < 4 * quads; o += 2) {
        const Channels *channels = job->channels + q + o / 4;
        const Pair *pair =
            (const Pair *)job->weights + (2 * q + o / 2) * n_parts + part;
        copies_kernels[vectors - 1](sums + o, taps, pair,
            (const char *)job->weights + pair->offset,
            part == 0 ? channels->bias + o % 4 : NULL);
      }
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

  set_taps (&copies, conv->kernel);
  for (int v = 0, n; v < n_vectors; v += n) {
    int next = INT_MIN; /* the row to be copied */
    n = tile_vectors (n_vectors - v, COPIES_VECTORS);
    for (int y = y0; y < y1; y++)
      copies_tile (out, in, conv, job, &copies, &next, LANES * v, n, y);
  }
}

static const Method copies_method = {copies_size, copies_pack, copies_run};
