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
      .deform = DSSR_KERNEL (deform),
      .add = DSSR_KERNEL (add),
      .up2 = DSSR_KERNEL (up2),
      .attention = DSSR_KERNEL (attention),
      .bicubic = DSSR_KERNEL (bicubic),
      .head = DSSR_KERNEL (head),
  };
  return &table;
}
