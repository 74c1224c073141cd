/* Bicubic enlargement of a plane, and the head: the same of luma, plus the
 * network's residual.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "kernels/scalar/samples.h"

enum {
  MAX_SCALE = 4,
  MARGIN = 4, /* columns that a block's taps reach beyond its own */
};

/* The block's small columns first to first + n + MARGIN - 1, filtered
 * vertically. */
static void
filter_columns (int16_t *restrict dst, const DssrSamples *in, int first, int n,
    int position)
{
  int16_t rows[4][BLOCK + MARGIN];
  const int16_t *taps = dssr_bicubic_taps[position & 15];
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
filter_row (
    int32_t *restrict base, const int16_t *columns, int scale, int phase, int n)
{
  for (int k = 0; k < scale; k++) {
    const int position = 16 * k / scale + (phase & 15);
    const int16_t *taps = dssr_bicubic_taps[position & 15];
    const int16_t *c = columns + (position >> 4);
    for (int x = 0; x < n; x++)
      base[scale * x + k] = taps[0] * c[x] + taps[1] * c[x + 1]
                            + taps[2] * c[x + 2] + taps[3] * c[x + 3];
  }
}

/* The unrounded bicubic values of output row y over small columns x0 to x0 + n
 * - 1. */
static void
enlarge (int32_t *base, const DssrSamples *in, const DssrBicubic *bicubic,
    int x0, int n, int y)
{
  int16_t columns[BLOCK + MARGIN];
  const int phase = bicubic->phase_x;

  filter_columns (columns, in, x0 + (phase >> 4) - 1, n,
      16 / bicubic->scale * y + bicubic->phase_y);
  if (bicubic->scale == 2)
    filter_row (base, columns, 2, phase, n);
  else
    filter_row (base, columns, 4, phase, n);
}

/* Rounds and clips the values of row y from column x on. */
static void
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

void
DSSR_KERNEL (bicubic) (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1)
{
  const int scale = bicubic->scale;
  int32_t base[MAX_SCALE * BLOCK];

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; scale * x0 < out->width; x0 += BLOCK) {
      const int n = min_int (in->width - x0, BLOCK);
      const int n_out = min_int (out->width - scale * x0, scale * n);
      enlarge (base, in, bicubic, x0, n, y);
      store_samples (out, base, scale * x0, n_out, y);
    }
  }
}

/* base[x] += 128 * the residual of output pixels x0 to x0 + n - 1 of row y,
 * where x0 is a multiple of shuffle and n one of scale: the outputs of a small
 * pixel come from one quad of the residual. */
static void
add_residual (int32_t *restrict base, const DssrTensor *residual, int shuffle,
    int scale, int x0, int n, int y)
{
  for (int i = 0; i < shuffle; i += scale) {
    const int channel = y % shuffle * shuffle + i;
    const int16_t *r = tensor_row (residual, channel >> 2, y / shuffle);
    r += 4 * (x0 / shuffle) + (channel & 3);
    for (int x = i; x < n; x += shuffle, r += 4)
      for (int k = 0; k < scale; k++)
        base[x + k] += 128 * r[k];
  }
}

void
DSSR_KERNEL (head) (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1)
{
  const int scale = bicubic->scale;
  int32_t base[MAX_SCALE * BLOCK];

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < luma->width; x0 += BLOCK) {
      const int n = min_int (luma->width - x0, BLOCK);
      enlarge (base, luma, bicubic, x0, n, y);
      add_residual (base, residual, shuffle, scale, scale * x0, scale * n, y);
      store_samples (out, base, scale * x0, scale * n, y);
    }
  }
}
