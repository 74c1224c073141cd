/* Interpolated enlargement of a row of a plane.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "kernels/scalar/samples.h"

enum {
  MAX_SCALE = 4,
  MARGIN = 4, /* columns that a block's taps reach beyond its own */
};

/* The block's small columns first to first + n + MARGIN - 1, filtered
 * vertically. */
static inline void
filter_columns (int16_t *restrict dst, const DssrSamples *in,
    const int16_t table[16][4], int first, int n, int position)
{
  int16_t rows[4][BLOCK + MARGIN];
  const int16_t *taps = table[position & 15];
  const int shift = in->depth - 7, round = round_of (shift);

  for (int k = 0; k < 4; k++)
    load_samples (rows[k], in, first, n + MARGIN, (position >> 4) - 1 + k);
  for (int x = 0; x < n + MARGIN; x++)
    dst[x] = (taps[0] * rows[0][x] + taps[1] * rows[1][x] + taps[2] * rows[2][x]
                 + taps[3] * rows[3][x] + round)
             >> shift;
}

/* base[scale * x + k] is the row's filter at position 16 * k / scale + phase
 * from column x. */
static inline __attribute__ ((always_inline)) void
filter_row (int32_t *restrict base, const int16_t *columns,
    const int16_t table[16][4], int scale, int phase, int n)
{
  for (int k = 0; k < scale; k++) {
    const int position = 16 * k / scale + (phase & 15);
    const int16_t *taps = table[position & 15];
    const int16_t *c = columns + (position >> 4);
    for (int x = 0; x < n; x++)
      base[scale * x + k] = taps[0] * c[x] + taps[1] * c[x + 1]
                            + taps[2] * c[x + 2] + taps[3] * c[x + 3];
  }
}

/* The unrounded values of output row y over small columns x0 to x0 + n - 1, by
 * a table of taps. */
static inline void
enlarge (int32_t *base, const DssrSamples *in, const DssrBicubic *bicubic,
    const int16_t table[16][4], int x0, int n, int y)
{
  int16_t columns[BLOCK + MARGIN];
  const int phase = bicubic->phase_x;

  filter_columns (columns, in, table, x0 + (phase >> 4) - 1, n,
      16 / bicubic->scale * y + bicubic->phase_y);
  if (bicubic->scale == 2)
    filter_row (base, columns, table, 2, phase, n);
  else
    filter_row (base, columns, table, 4, phase, n);
}

/* Rounds and clips the values of row y from column x on. */
static inline void
store_samples (const DssrSamples *out, const int32_t *base, int x, int n, int y)
{
  const int shift = 21 - out->depth, round = round_of (shift);
  const int max = (1 << out->depth) - 1, step = out->step;
  char *row = (char *)out->data + y * out->stride + x * (ptrdiff_t)step;

  if (out->depth == 8 && step == 1) {
    uint8_t *dst = (uint8_t *)row;
    for (int i = 0; i < n; i++)
      dst[i] = clamp ((base[i] + round) >> shift, 0, max);
  } else if (out->depth == 8) {
    uint8_t *dst = (uint8_t *)row;
    for (int i = 0; i < n; i++)
      dst[i * step] = clamp ((base[i] + round) >> shift, 0, max);
  } else {
    uint16_t *dst = (uint16_t *)row;
    for (int i = 0; i < n; i++)
      dst[i * (step / 2)] = clamp ((base[i] + round) >> shift, 0, max)
                            << out->shift;
  }
}
