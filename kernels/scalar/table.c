/* The table of this build's functions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/common.h"

#define DSSR_STRING_(name) #name
#define DSSR_STRING(name) DSSR_STRING_ (name)

const DssrKernels *
DSSR_PASTE (kernels, DSSR_ISA) (void)
{
  static const DssrKernels table = {
      .name = DSSR_STRING (DSSR_ISA),
      .input = DSSR_KERNEL (input),
      .conv_packed_size = DSSR_KERNEL (conv_packed_size),
      .conv_pack = DSSR_KERNEL (conv_pack),
      .conv = DSSR_KERNEL (conv),
      .conv_border = DSSR_KERNEL (conv_border),
      .deform = DSSR_KERNEL (deform),
      .deform_zero = DSSR_KERNEL (deform_zero),
      .add = DSSR_KERNEL (add),
      .up2 = DSSR_KERNEL (up2),
      .shuffle = DSSR_KERNEL (shuffle),
      .follow = DSSR_KERNEL (follow),
      .pool = DSSR_KERNEL (pool),
      .modulate = DSSR_KERNEL (modulate),
      .attention = DSSR_KERNEL (attention),
      .bicubic = DSSR_KERNEL (bicubic),
      .head = DSSR_KERNEL (head),
      .head_planes = DSSR_KERNEL (head_planes),
      .contrast = DSSR_KERNEL (contrast),
      .noise = DSSR_KERNEL (noise),
      .denoise = DSSR_KERNEL (denoise),
      .pan = DSSR_KERNEL (pan),
  };
  return &table;
}
