/* The tile of a convolution whose weights are all there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_rows.h"

enum {
  DENSE_QUADS = DSSR_REGISTERS == 32 ? 2 : 1,
  DENSE_VECTORS = 3,
};

/* Adds the window's products to the sums, or to `first` if it is not NULL.
 * Weights are in the order of use: [row][tap_x][channel][4]. */
DSSR_INLINE void
dense (Sums sums, const Window *window, const int8_t *weights,
    const Channels *first, int kernel, int stride, int quads, int vectors)
{
  Vector s[4 * DENSE_QUADS][DENSE_VECTORS];

  DSSR_UNROLL
  for (int o = 0; o < 4 * quads; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    s[o][v] = first ? splat (&first[o / 4].bias[o % 4]) : sums[o][v];

  for (int r = 0; r < window->n_rows; r++) {
    const uint8_t *row = window->rows[r] + window->x;

    DSSR_UNROLL
    for (int tap = 0; tap < kernel; tap++) {
      Vector pixels[DENSE_VECTORS];

      DSSR_UNROLL
      for (int v = 0; v < vectors; v++)
        pixels[v] = load_tap (
            row + v * stride * sizeof (Vector), tap - kernel / 2, stride);
      DSSR_UNROLL
      for (int o = 0; o < 4 * quads; o++, weights += 4) {
        const Vector w = splat (weights);
        DSSR_UNROLL
        for (int v = 0; v < vectors; v++)
          s[o][v] = dot (s[o][v], pixels[v], w);
      }
    }
  }

  DSSR_UNROLL
  for (int o = 0; o < 4 * quads; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    sums[o][v] = s[o][v];
}

/* The same for any kernel and stride, an output quad and a vector at a time:
 * for what no template is made for, and to tell what they are worth. */
static void
generic_sum (Sums sums, const Window *window, const void *weights,
    const DssrConv *conv, int out_quad, int quads, int in_quad,
    const Channels *first, int vectors)
{
  const int kernel = conv->kernel, stride = conv->stride;
  const size_t skip = (size_t)out_quad * conv->in_quads + quads * in_quad;

  for (int q = 0; q < quads; q++) {
    for (int v = 0; v < vectors; v++) {
      const int8_t *w =
          (const int8_t *)weights + 16 * (kernel * kernel * skip + q);
      Vector s[4];

      for (int o = 0; o < 4; o++)
        s[o] = first ? splat (&first[q].bias[o]) : sums[4 * q + o][v];
      for (int r = 0; r < window->n_rows; r++) {
        const uint8_t *row =
            window->rows[r] + window->x + v * stride * sizeof (Vector);
        for (int tap = 0; tap < kernel; tap++, w += 16 * quads) {
          const Vector pixels = load_tap (row, tap - kernel / 2, stride);
          for (int o = 0; o < 4; o++)
            s[o] = dot (s[o], pixels, splat (w + 4 * o));
        }
      }
      for (int o = 0; o < 4; o++)
        sums[4 * q + o][v] = s[o];
    }
  }
}

typedef void (*DenseKernel) (Sums sums, const Window *window,
    const int8_t *weights, const Channels *first);

#define DENSE(kernel, stride, quads, vectors)                                  \
  static void dense_##kernel##_##stride##_##quads##_##vectors (Sums sums,      \
      const Window *window, const int8_t *weights, const Channels *first)      \
  {                                                                            \
    dense (sums, window, weights, first, kernel, stride, quads, vectors);      \
  }
#define DENSE_WIDTHS(kernel, stride, quads)                                    \
  DENSE (kernel, stride, quads, 1)                                             \
  DENSE (kernel, stride, quads, 2)                                             \
  DENSE (kernel, stride, quads, 3)
#define DENSE_SHAPES(quads)                                                    \
  DENSE_WIDTHS (1, 1, quads)                                                   \
  DENSE_WIDTHS (3, 1, quads)                                                   \
  DENSE_WIDTHS (3, 2, quads)

#define DENSE_NAMES(kernel, stride, quads)                                     \
  {                                                                            \
    dense_##kernel##_##stride##_##quads##_1,                                   \
        dense_##kernel##_##stride##_##quads##_2,                               \
        dense_##kernel##_##stride##_##quads##_3                                \
  }
#define DENSE_TABLE(quads)                                                     \
  {                                                                            \
    DENSE_NAMES (1, 1, quads), DENSE_NAMES (3, 1, quads),                      \
        DENSE_NAMES (3, 2, quads)                                              \
  }

DENSE_SHAPES (1)
#if DSSR_REGISTERS == 32
DENSE_SHAPES (2)
#endif

/* [quads - 1][kernel / 2 + stride - 1][vectors - 1] */
static const DenseKernel dense_kernels[DENSE_QUADS][3][DENSE_VECTORS] = {
    DENSE_TABLE (1),
#if DSSR_REGISTERS == 32
    DENSE_TABLE (2),
#endif
};

static size_t
dense_size (const DssrConv *conv)
{
  return (size_t)16 * conv->out_quads * conv->in_quads * conv->kernel
         * conv->kernel;
}

static void
dense_pack (const DssrConv *conv, void *weights)
{
  const int taps = conv->kernel * conv->kernel;
  int8_t *dst = weights;

  for (int q = 0; q < conv->out_quads; q += DENSE_QUADS) {
    const int n = 4 * min_int (DENSE_QUADS, conv->out_quads - q);
    for (int i = 0; i < conv->in_quads; i++)
      for (int tap = 0; tap < taps; tap++)
        for (int o = 4 * q; o < 4 * q + n; o++, dst += 4)
          memcpy (dst, weight_quad (conv, o, i, tap), 4);
  }
}

static void
dense_sum (Sums sums, const Window *window, const void *weights,
    const DssrConv *conv, int out_quad, int quads, int in_quad,
    const Channels *first, int vectors)
{
  const int taps = conv->kernel * conv->kernel;
  const size_t skip = (size_t)out_quad * conv->in_quads + quads * in_quad;

  dense_kernels[quads - 1][conv->kernel / 2 + conv->stride - 1][vectors - 1](
      sums, window, (const int8_t *)weights + 16 * taps * skip, first);
}

static void
generic_run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1)
{
  run_rows (
      out, in, conv, job, y0, y1, generic_sum, DENSE_QUADS, DENSE_VECTORS);
}

static void
dense_run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1)
{
  if (conv->kernel == 1 && conv->stride == 2)
    generic_run (out, in, conv, job, y0, y1);
  else
    run_rows (
        out, in, conv, job, y0, y1, dense_sum, DENSE_QUADS, DENSE_VECTORS);
}

static const Method dense_method = {dense_size, dense_pack, dense_run};
