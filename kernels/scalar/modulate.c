/* Spatial attention: a factor for each value, and a sum.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/common.h"

void
DSSR_KERNEL (modulate) (const DssrTensor *out, const DssrTensor *v,
    const DssrTensor *gate, const DssrTensor *b, const DssrModulate *modulate,
    int y0, int y1)
{
  const DssrModulate m = *modulate;

  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      uint8_t *dst = tensor_row (out, q, y);
      const uint8_t *pv = tensor_row (v, q, y), *pg = tensor_row (gate, q, y);
      const uint8_t *pb = tensor_row (b, q, y);
      for (int i = 0; i < 4 * out->width; i++) {
        const int16_t tv = ((pv[i] - m.zero_v) * m.table[pg[i]] + 2) >> 2;
        const int16_t tb = (pb[i] - m.zero_b) * 64;
        const int sum = mulhrs (tv, m.mult_v) + mulhrs (tb, m.mult_b) + 16;
        dst[i] = clamp (m.zero + (sum >> 5), 0, m.max);
      }
    }
  }
  fill_margins (out, y0, y1);
}
