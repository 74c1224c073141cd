/* Residual add and bilinear doubling.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "kernels/scalar/common.h"

void
DSSR_KERNEL (add) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrAdd *add, int y0, int y1)
{
  const int zero_a = add->zero_a, zero_b = add->zero_b, zero = add->zero;
  const int mult_a = add->mult_a, mult_b = add->mult_b, max = add->max;
  const int n = 4 * out->width;

  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      uint8_t *dst = tensor_row (out, q, y);
      const uint8_t *pa = tensor_row (a, q, y), *pb = tensor_row (b, q, y);
      for (int i = 0; i < n; i++) {
        const int16_t ta = (pa[i] - zero_a) * 64, tb = (pb[i] - zero_b) * 64;
        const int16_t sum = mulhrs (ta, mult_a) + mulhrs (tb, mult_b) + 16;
        dst[i] = clamp (zero + (sum >> 5), 0, max);
      }
    }
  }
  fill_margins (out, y0, y1);
}

/* The block's columns x0 - 1 to x0 + n of an output row, mixed vertically: 3 *
 * nearest + next. */
static void
mix_rows (
    int16_t *restrict dst, const DssrTensor *in, int quad, int x0, int n, int y)
{
  const int next = clamp (y / 2 + (y & 1 ? 1 : -1), 0, in->height - 1);
  const uint8_t *nearest = tensor_row (in, quad, y / 2);
  const uint8_t *other = tensor_row (in, quad, next);
  const int begin = x0 == 0 ? 4 : 0;
  const int end = x0 + n == in->width ? 4 * n + 4 : 4 * n + 8;

  for (int i = begin; i < end; i++)
    dst[i] = 3 * nearest[4 * x0 - 4 + i] + other[4 * x0 - 4 + i];
  for (int i = 0; i < begin; i++)
    dst[i] = dst[i + 4];
  for (int i = end; i < 4 * n + 8; i++)
    dst[i] = dst[i - 4];
}

void
DSSR_KERNEL (up2) (const DssrTensor *out, const DssrTensor *in, int y0, int y1)
{
  int16_t mixed[4 * (BLOCK + 2)];
  uint8_t doubled[8 * BLOCK];

  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      for (int x0 = 0; x0 < in->width; x0 += BLOCK) {
        const int n = min_int (in->width - x0, BLOCK);
        const int n_out = min_int (out->width - 2 * x0, 2 * n);

        mix_rows (mixed, in, q, x0, n, y);
        for (int x = 0; x < n; x++) {
          const int16_t *m = mixed + 4 * x + 4;
          for (int l = 0; l < 4; l++) {
            doubled[8 * x + l] = (3 * m[l] + m[l - 4] + 8) >> 4;
            doubled[8 * x + 4 + l] = (3 * m[l] + m[l + 4] + 8) >> 4;
          }
        }
        memcpy ((uint8_t *)tensor_row (out, q, y) + 8 * x0, doubled, 4 * n_out);
      }
    }
  }
  fill_margins (out, y0, y1);
}
