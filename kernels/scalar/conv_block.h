/* Convolution of a block of pixels, as dot products: the window of a pixel is
 * made contiguous, [column][row][channel], so that gcc multiplies and adds
 * eight or sixteen pairs of int16 in one instruction (pmaddwd).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "kernels/scalar/common.h"

enum {
  OUT_QUADS = 8,     /* output quads that share the windows */
  COLUMN_QUADS = 24, /* of all rows of a window's column, worked on together */
  COLUMNS = 2 * (BLOCK - 1) + 3,
  WINDOW = 3 * 4 * COLUMN_QUADS,
  PAD = 16, /* windows are rounded up to this, with weights of zero */
};

/* What is outside the picture, of a quad with this zero point. */
static inline void
fill_outside (int16_t *dst, int zero, int n)
{
  for (int i = 0; i < 4 * n; i++)
    dst[i] = zero;
}

/* Pixels x0 to x0 + n - 1 of a row, widened; those outside the picture are the
 * edge's, or `outside` if that is not NULL. */
static inline void
load_row (int16_t *restrict dst, const uint8_t *src, int width, int x0, int n,
    const uint8_t *outside)
{
  const int begin = max_int (-x0, 0), end = min_int (width - x0, n);

  for (int i = 4 * begin; i < 4 * end; i++)
    dst[i] = src[4 * x0 + i];
  if (outside) {
    fill_outside (dst, *outside, begin);
    fill_outside (dst + 4 * end, *outside, n - end);
    return;
  }
  for (int i = 0; i < begin; i++)
    memcpy (dst + 4 * i, dst + 4 * begin, 4 * sizeof *dst);
  for (int i = end; i < n; i++)
    memcpy (dst + 4 * i, dst + 4 * (end - 1), 4 * sizeof *dst);
}

/* The columns from x0 on of the rows that output row y needs, of input quads i0
 * to i0 + n_quads - 1, whose zero points are `outside`, or NULL for edges. */
static inline void
load_columns (int16_t *dst, const DssrTensor *in, const DssrConv *conv,
    const uint8_t *outside, int i0, int n_quads, int x0, int n_columns, int y)
{
  const int kernel = conv->kernel, column = kernel * 4 * n_quads;
  int16_t row[4 * COLUMNS];

  for (int i = 0; i < n_quads; i++, i0++) {
    const uint8_t *zero = outside ? outside + i : NULL;
    while (i0 >= in->quads)
      i0 -= in++->quads;
    for (int k = 0; k < kernel; k++) {
      const int row_y = y * conv->stride + k - kernel / 2;
      const int sy = clamp (row_y, 0, in->height - 1);
      int16_t *d = dst + 4 * (k * n_quads + i);
      if (zero && sy != row_y)
        fill_outside (row, *zero, n_columns);
      else
        load_row (row, tensor_row (in, i0, sy), in->width, x0, n_columns, zero);
      for (int c = 0; c < n_columns; c++)
        memcpy (d + c * column, row + 4 * c, 4 * sizeof *d);
    }
  }
}

/* The weights of four output channels in the order of load_columns, each padded
 * to `length`. Weights that the mask calls absent are zero: leaving single
 * quads out would cost a dot product more than it saves. */
static inline void
load_weights (int16_t *restrict dst, const DssrConv *conv, int out_quad, int i0,
    int n_quads, int length)
{
  const int kernel = conv->kernel;

  memset (dst, 0, 4 * length * sizeof *dst);
  for (int o = 0; o < 4; o++) {
    for (int ty = 0; ty < kernel; ty++) {
      for (int tx = 0; tx < kernel; tx++) {
        const int taps = kernel * kernel, tap = ty * kernel + tx;
        const size_t quad =
            ((size_t)(4 * out_quad + o) * taps + tap) * conv->in_quads + i0;
        int16_t *d = dst + o * length + 4 * (tx * kernel + ty) * n_quads;
        for (int i = 0; i < 4 * n_quads; i++)
          d[i] = conv->weight[4 * quad + i];
      }
    }
  }
}

/* acc[o][x] += the dot product of four output channels' weights and pixel x's
 * window. */
static inline void
multiply (int32_t acc[4][BLOCK], const int16_t *weights, const int16_t *columns,
    int step, int length, int n)
{
  const int16_t *w0 = weights, *w1 = w0 + length, *w2 = w1 + length,
                *w3 = w2 + length;

  for (int x = 0; x < n; x++) {
    const int16_t *window = columns + x * step;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    for (int i = 0; i < (length & -PAD); i++) {
      a0 += w0[i] * window[i];
      a1 += w1[i] * window[i];
      a2 += w2[i] * window[i];
      a3 += w3[i] * window[i];
    }
    acc[0][x] += a0;
    acc[1][x] += a1;
    acc[2][x] += a2;
    acc[3][x] += a3;
  }
}

/* Requantises output channel o. */
static inline void
requantise (
    int16_t *restrict y, const int32_t *acc, const DssrConv *conv, int o)
{
  const int shift = conv->shift, round = round_of (shift);
  const int lo = conv->wide ? INT16_MIN : 0;
  const int hi = conv->wide ? INT16_MAX : conv->max;
  const int zero = conv->wide ? 0 : conv->zero;
  const int16_t mult = conv->mult[o];
  const int16_t other = conv->act == DSSR_ACT_LEAKY  ? conv->mult_neg[o]
                        : conv->act == DSSR_ACT_RELU ? 0
                                                     : mult;

  for (int x = 0; x < BLOCK; x++) {
    const int16_t t = sat16 ((acc[x] + round) >> shift);
    const int16_t p = mulhrs (t, mult), q = mulhrs (t, other);
    y[x] = clamp ((p > q ? p : q) + zero, lo, hi);
  }
}

static inline void
store (const DssrTensor *out, int out_quad, bool wide,
    const int16_t y[restrict 4][BLOCK], int x0, int n, int row)
{
  if (wide) {
    int16_t *dst = (int16_t *)tensor_row (out, out_quad, row) + 4 * x0;
    for (int x = 0; x < n; x++)
      for (int o = 0; o < 4; o++)
        dst[4 * x + o] = y[o][x];
  } else {
    uint8_t *dst = (uint8_t *)tensor_row (out, out_quad, row) + 4 * x0;
    for (int x = 0; x < n; x++)
      for (int o = 0; o < 4; o++)
        dst[4 * x + o] = y[o][x];
  }
}

/* One block of pixels of output quads o0 to o0 + n_out - 1. */
static inline void
conv_quads (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const uint8_t *outside, int o0, int n_out, int x0, int n, int y)
{
  int16_t columns[COLUMNS * 4 * COLUMN_QUADS + PAD];
  int16_t weights[4 * WINDOW];
  int32_t acc[OUT_QUADS][4][BLOCK];
  const int kernel = conv->kernel, stride = conv->stride;
  const int n_columns = stride * (n - 1) + kernel;

  for (int q = 0; q < n_out; q++)
    for (int o = 0; o < 4; o++)
      for (int x = 0; x < BLOCK; x++)
        acc[q][o][x] = conv->bias[4 * (o0 + q) + o];

  for (int i0 = 0; i0 < conv->in_quads; i0 += COLUMN_QUADS / kernel) {
    const int n_in = min_int (conv->in_quads - i0, COLUMN_QUADS / kernel);
    const int column = kernel * 4 * n_in;
    const int length = (kernel * column + PAD - 1) & -PAD;

    load_columns (columns, in, conv, outside ? outside + i0 : NULL, i0, n_in,
        stride * x0 - kernel / 2, n_columns, y);
    memset (columns + n_columns * column, 0, PAD * sizeof *columns);
    for (int q = 0; q < n_out; q++) {
      load_weights (weights, conv, o0 + q, i0, n_in, length);
      multiply (acc[q], weights, columns, stride * column, length, n);
    }
  }

  for (int q = 0; q < n_out; q++) {
    int16_t result[4][BLOCK];
    for (int o = 0; o < 4; o++)
      requantise (result[o], acc[q][o], conv, 4 * (o0 + q) + o);
    store (out, o0 + q, conv->wide, result, x0, n, y);
  }
}

/* Pixels x0 to x0 + n - 1 of a row; n is at most BLOCK. Outside the picture is
 * its edge, or, if `outside` is not NULL, the zero point of each input quad. */
static inline void
conv_block (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const uint8_t *outside, int x0, int n, int y)
{
  for (int o0 = 0; o0 < conv->out_quads; o0 += OUT_QUADS)
    conv_quads (out, in, conv, outside, o0,
        min_int (conv->out_quads - o0, OUT_QUADS), x0, n, y);
}
