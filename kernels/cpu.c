/* The choice of a table for this CPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/kernels.h"

#ifdef DSSR_HAVE_AVX2
const DssrKernels *dssr_kernels_avx2 (void);
#endif

const DssrKernels *
dssr_kernels_cpu (void)
{
#ifdef DSSR_HAVE_AVX2
  if (__builtin_cpu_supports ("avx2"))
    return dssr_kernels_avx2 ();
#endif
  return dssr_kernels_scalar ();
}
