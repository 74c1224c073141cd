/* Temporal attention.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "kernels/scalar/common.h"

/* The attention that n pixels get, in 1/256, once for each lane. */
static void
attend (int16_t *restrict m, const DssrTensor *a, const DssrTensor *b,
    const DssrAttention *att, int x0, int n, int y)
{
  const int zero_a = att->zero_a, zero_b = att->zero_b;
  const int shift = att->shift, round = round_of (shift);
  int32_t dot[4 * BLOCK];

  memset (dot, 0, sizeof dot);
  for (int q = 0; q < a->quads; q++) {
    const uint8_t *pa = (const uint8_t *)tensor_row (a, q, y) + 4 * x0;
    const uint8_t *pb = (const uint8_t *)tensor_row (b, q, y) + 4 * x0;
    for (int i = 0; i < 4 * n; i++) {
      const int16_t da = pa[i] - zero_a, db = pb[i] - zero_b;
      dot[i] += da * db;
    }
  }
  for (int x = 0; x < n; x++) {
    const int32_t *d = dot + 4 * x;
    const int16_t t = sat16 ((d[0] + d[1] + d[2] + d[3] + round) >> shift);
    const int value = att->table[clamp (mulhrs (t, att->mult) + 128, 0, 255)];
    for (int l = 0; l < 4; l++)
      m[4 * x + l] = value;
  }
}

void
DSSR_KERNEL (attention) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrTensor *v, const DssrAttention *attention,
    int y0, int y1)
{
  const int zero = attention->zero_v;
  int16_t m[4 * BLOCK];

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < out->width; x0 += BLOCK) {
      const int n = min_int (out->width - x0, BLOCK);
      attend (m, a, b, attention, x0, n, y);
      for (int q = 0; q < out->quads; q++) {
        const uint8_t *src = (const uint8_t *)tensor_row (v, q, y) + 4 * x0;
        uint8_t *dst = (uint8_t *)tensor_row (out, q, y) + 4 * x0;
        for (int i = 0; i < 4 * n; i++) {
          const int16_t d = src[i] - zero;
          dst[i] = zero + ((d * m[i] + 128) >> 8);
        }
      }
    }
  }
  fill_margins (out, y0, y1);
}
