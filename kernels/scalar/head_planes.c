/* The head of several planes, of any shuffle and base.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/enlarge.h"

/* base[x] += 128 * the residual of output pixels x0 to x0 + n - 1 of row y,
 * whose channels begin at `first`. */
static void
add_residual (int32_t *restrict base, const DssrTensor *residual, int first,
    int shuffle, int x0, int n, int y)
{
  const int part = first + y % shuffle * shuffle;

  for (int i = 0; i < shuffle; i++) {
    const int channel = part + (x0 + i) % shuffle;
    const int16_t *r = tensor_row (residual, channel >> 2, y / shuffle);
    r += channel & 3;
    for (int x = i; x < n; x += shuffle)
      base[x] += 128 * r[4 * ((x0 + x) / shuffle)];
  }
}

void
DSSR_KERNEL (head_planes) (const DssrSamples *out, const DssrSamples *in,
    int n_planes, const DssrTensor *residual, const DssrBicubic *bicubic,
    bool linear, int shuffle, int y0, int y1)
{
  const int16_t (*table)[4] = linear ? dssr_linear_taps : dssr_bicubic_taps;
  const int scale = bicubic->scale;
  int32_t base[MAX_SCALE * BLOCK];

  for (int p = 0; p < n_planes; p++) {
    for (int y = y0; y < y1; y++) {
      for (int x0 = 0; x0 < in[p].width; x0 += BLOCK) {
        const int n = min_int (in[p].width - x0, BLOCK);
        enlarge (base, &in[p], bicubic, table, x0, n, y);
        add_residual (base, residual, p * shuffle * shuffle, shuffle,
            scale * x0, scale * n, y);
        store_samples (&out[p], base, scale * x0, scale * n, y);
      }
    }
  }
}
