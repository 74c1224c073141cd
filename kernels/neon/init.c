/* The NEON kernels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/cpu.h"

#define DSSR_ISA neon
#include "kernels/scalar/common.h"

#define DECLARE_CONV(isa)                                                      \
  size_t dssr_##isa##_conv_packed_size (const DssrConv *conv);                 \
  void dssr_##isa##_conv_pack (const DssrConv *conv, void *packed);            \
  void dssr_##isa##_conv (const DssrTensor *out, const DssrTensor *in,         \
      int n_in, const DssrConv *conv, int y0, int y1)

#define USE_CONV(table, isa)                                                   \
  do {                                                                         \
    (table)->name = #isa;                                                      \
    (table)->conv_packed_size = dssr_##isa##_conv_packed_size;                 \
    (table)->conv_pack = dssr_##isa##_conv_pack;                               \
    (table)->conv = dssr_##isa##_conv;                                         \
  } while (0)

DECLARE_CONV (dotprod);
DECLARE_CONV (i8mm);

void
dssr_kernels_init_neon (DssrKernels *table, DssrCpuFlags flags)
{
  USE_CONV (table, neon);
  table->deform = dssr_neon_deform;
  table->add = dssr_neon_add;
  table->up2 = dssr_neon_up2;
  table->attention = dssr_neon_attention;
  table->bicubic = dssr_neon_bicubic;
  table->head = dssr_neon_head;
  if (!(flags & DSSR_CPU_DOTPROD))
    return;
  USE_CONV (table, dotprod);
  if (!(flags & DSSR_CPU_I8MM))
    return;
  USE_CONV (table, i8mm);
}
