/* Planes to the network's input: 8 bits, pixel-unshuffled.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"

enum { MAX_UNSHUFFLE = 4 };

/* A row of n * u samples from column u * x0 on, in 8 bits. */
static void
load_row (int16_t *row, const DssrSamples *plane, int u, int x0, int n, int y)
{
  const int shift = plane->depth - 8, round = round_of (shift);

  load_samples (row, plane, u * x0, u * n, y);
  for (int x = 0; x < u * n; x++)
    row[x] = min_int ((row[x] + round) >> shift, 255);
}

/* Luma alone: a whole pixel at once, whose first lane is its lowest byte. */
static void
store_pixels (const DssrTensor *out, const int16_t *row, int x0, int n, int y)
{
  uint32_t *dst = tensor_row (out, 0, y);

  for (int x = 0; x < n; x++)
    dst[x0 + x] = (uint16_t)row[x];
}

/* Every u-th sample into a channel. */
static void
store_channel (const DssrTensor *out, int channel, const int16_t *row, int u,
    int x0, int n, int y)
{
  uint8_t *dst = tensor_row (out, channel >> 2, y);

  for (int x = 0; x < n; x++)
    dst[4 * (x0 + x) + (channel & 3)] = row[u * x];
}

void
DSSR_KERNEL (input) (const DssrTensor *out, const DssrSamples *planes,
    int n_planes, int unshuffle, int y0, int y1)
{
  const int u = unshuffle, n_channels = n_planes * u * u;
  static const int16_t zeros[BLOCK];
  int16_t row[MAX_UNSHUFFLE * BLOCK];

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < out->width; x0 += BLOCK) {
      const int n = min_int (out->width - x0, BLOCK);

      if (n_channels == 1) {
        load_row (row, planes, u, x0, n, y);
        store_pixels (out, row, x0, n, y);
        continue;
      }
      for (int j = 0; j < n_planes * u; j++) {
        load_row (row, &planes[j / u], u, x0, n, u * y + j % u);
        for (int i = 0; i < u; i++)
          store_channel (out, j * u + i, row + i, u, x0, n, y);
      }
      for (int c = n_channels; c < 4 * out->quads; c++)
        store_channel (out, c, zeros, 1, x0, n, y);
    }
  }
  fill_margins (out, y0, y1);
}
