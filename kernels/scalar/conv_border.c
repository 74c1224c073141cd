/* What convolution makes at the picture's border where zero lies outside.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/conv_block.h"

void
DSSR_KERNEL (conv_border) (const DssrTensor *out, const DssrTensor *in,
    int n_in, const DssrConv *conv, int y0, int y1)
{
  const int right = out->width - 1, bottom = out->height - 1;

  for (int y = y0; y < y1; y++) {
    if (y == 0 || y == bottom) {
      for (int x0 = 0; x0 <= right; x0 += BLOCK)
        conv_block (out, in, conv, conv->outside, x0,
            min_int (right + 1 - x0, BLOCK), y);
    } else {
      conv_block (out, in, conv, conv->outside, 0, 1, y);
      if (right > 0)
        conv_block (out, in, conv, conv->outside, right, 1, y);
    }
  }
  if (!conv->wide)
    fill_margins (out, y0, y1);
}
