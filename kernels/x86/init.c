/* The x86 kernels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/cpu.h"

const DssrKernels *dssr_kernels_avx2 (void);

void
dssr_kernels_init_x86 (DssrKernels *table, DssrCpuFlags flags)
{
  if (!(flags & DSSR_CPU_AVX2))
    return;
  *table = *dssr_kernels_avx2 ();
}
