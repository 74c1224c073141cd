/* The tests of the CPU's kernels check all that this CPU can run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kernels/support.h"

const int picture_step = 1;

const DssrKernels *const *
given_tables (void)
{
  return NULL;
}
