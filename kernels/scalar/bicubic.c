/* Bicubic enlargement of a plane, and the head: the same of luma, plus the
 * network's residual.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/enlarge.h"

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
      enlarge (base, in, bicubic, dssr_bicubic_taps, x0, n, y);
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
      enlarge (base, luma, bicubic, dssr_bicubic_taps, x0, n, y);
      add_residual (base, residual, shuffle, scale, scale * x0, scale * n, y);
      store_samples (out, base, scale * x0, scale * n, y);
    }
  }
}
