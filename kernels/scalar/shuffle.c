/* Pixel shuffle.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/common.h"

void
DSSR_KERNEL (shuffle) (
    const DssrTensor *out, const DssrTensor *in, int zero, int y0, int y1)
{
  for (int c = 0; c < 4 * out->quads; c++) {
    for (int y = y0; y < y1; y++) {
      uint8_t *dst = (uint8_t *)tensor_row (out, c >> 2, y) + (c & 3);
      if (c >= in->quads) {
        for (int x = 0; x < out->width; x++)
          dst[4 * x] = zero;
        continue;
      }
      const uint8_t *src = (uint8_t *)tensor_row (in, c, y >> 1) + 2 * (y & 1);
      for (int x = 0; x < out->width; x++)
        dst[4 * x] = src[4 * (x >> 1) + (x & 1)];
    }
  }
  fill_margins (out, y0, y1);
}
