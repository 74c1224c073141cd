/* Luma to the network's input: 8 bits, pixel-unshuffled.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"

enum { MAX_UNSHUFFLE = 4 };

void
DSSR_KERNEL (input) (const DssrTensor *out, const DssrSamples *luma,
    int unshuffle, int y0, int y1)
{
  const int u = unshuffle, shift = luma->depth - 8, round = round_of (shift);
  int16_t row[MAX_UNSHUFFLE * BLOCK];

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < out->width; x0 += BLOCK) {
      const int n = min_int (out->width - x0, BLOCK);

      for (int j = 0; j < u; j++) {
        load_samples (row, luma, u * x0, u * n, u * y + j);
        for (int x = 0; x < u * n; x++)
          row[x] = min_int ((row[x] + round) >> shift, 255);

        /* A whole pixel at once, whose first lane is its lowest byte. */
        if (u == 1) {
          uint32_t *dst = tensor_row (out, 0, y);
          for (int x = 0; x < n; x++)
            dst[x0 + x] = (uint16_t)row[x];
          continue;
        }
        for (int i = 0; i < u; i++) {
          const int channel = j * u + i;
          uint8_t *dst = tensor_row (out, channel >> 2, y);
          for (int x = 0; x < n; x++)
            dst[4 * (x0 + x) + (channel & 3)] = row[u * x + i];
        }
      }
    }
  }
  fill_margins (out, y0, y1);
}
