/* The x86 kernels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/cpu.h"
#include "kernels/x86/conv_generic.h"
#define DSSR_ISA avx512
#include "kernels/scalar/common.h"

const DssrKernels *dssr_kernels_avx2 (void);

#define DECLARE_CONV(isa)                                                      \
  size_t dssr_##isa##_conv_packed_size (const DssrConv *conv);                 \
  void dssr_##isa##_conv_pack (const DssrConv *conv, void *packed);            \
  void dssr_##isa##_conv (const DssrTensor *out, const DssrTensor *in,         \
      int n_in, const DssrConv *conv, int y0, int y1)
#define SET_CONV(table, isa)                                                   \
  ((table)->name = #isa,                                                       \
      (table)->conv_packed_size = dssr_##isa##_conv_packed_size,               \
      (table)->conv_pack = dssr_##isa##_conv_pack,                             \
      (table)->conv = dssr_##isa##_conv)

DECLARE_CONV (avxvnni);
DECLARE_CONV (avx512vnni);

void
dssr_kernels_init_x86 (DssrKernels *table, DssrCpuFlags flags)
{
  if (!(flags & DSSR_CPU_AVX2))
    return;
  *table = *dssr_kernels_avx2 ();

  if (flags & DSSR_CPU_AVXVNNI)
    SET_CONV (table, avxvnni);

  if (!(flags & DSSR_CPU_AVX512))
    return;
  table->deform = dssr_avx512_deform;
  table->deform_zero = dssr_avx512_deform_zero;
  table->add = dssr_avx512_add;
  table->up2 = dssr_avx512_up2;
  table->attention = dssr_avx512_attention;
  table->bicubic = dssr_avx512_bicubic;
  table->head = dssr_avx512_head;
  if (flags & DSSR_CPU_AVX512VNNI)
    SET_CONV (table, avx512vnni);
}

bool
dssr_kernels_set_generic_x86 (DssrKernels *table)
{
  if (table->conv == dssr_avx512vnni_conv)
    table->conv = dssr_avx512vnni_conv_generic;
  else if (table->conv == dssr_avxvnni_conv)
    table->conv = dssr_avxvnni_conv_generic;
  else
    return false;
  return true;
}
