/* Convolution.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/conv_block.h"

void
DSSR_KERNEL (conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  for (int y = y0; y < y1; y++)
    for (int x0 = 0; x0 < out->width; x0 += BLOCK)
      conv_block (out, in, conv, NULL, x0, min_int (out->width - x0, BLOCK), y);
  if (!conv->wide)
    fill_margins (out, y0, y1);
}

size_t
DSSR_KERNEL (conv_packed_size) (const DssrConv *conv)
{
  return 0;
}

void
DSSR_KERNEL (conv_pack) (const DssrConv *conv, void *packed)
{
}
