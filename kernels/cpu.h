/* The instruction sets of this CPU, and the table that they give.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/kernels.h"

/* Instruction sets beyond the architecture's first. */
typedef enum {
  DSSR_CPU_AVX2 = 1 << 0,
  DSSR_CPU_AVXVNNI = 1 << 1,
  DSSR_CPU_AVX512 = 1 << 2, /* F, BW, DQ, VL, VBMI */
  DSSR_CPU_AVX512VNNI = 1 << 3,
  DSSR_CPU_DOTPROD = 1 << 4,
  DSSR_CPU_I8MM = 1 << 5,
} DssrCpuFlags;

typedef struct {
  const char *name; /* as in DSSR_CPU_FLAGS */
  DssrCpuFlags flag;
} DssrCpuFlagName;

/* All flags that the architecture may have; ends with a NULL name. A flag that
 * needs others comes after them. */
extern const DssrCpuFlagName dssr_cpu_flag_names[];

/* What this CPU has, less what the environment variable DSSR_CPU_FLAGS (a list
 * of names joined by "+", or "none") does not name. */
DssrCpuFlags dssr_cpu_flags (void);

/* The fastest table for a CPU that has `flags`, which this one must. */
void dssr_kernels_init (DssrKernels *table, DssrCpuFlags flags);

/* Replaces a table's convolution by the one of the same instruction set that
 * has run-time loops in place of templates, for comparison; false: there is
 * none.
 */
bool dssr_kernels_set_generic (DssrKernels *table);

/* The overrides of an architecture: later instruction sets over earlier ones.
 */
void dssr_kernels_init_x86 (DssrKernels *table, DssrCpuFlags flags);
void dssr_kernels_init_neon (DssrKernels *table, DssrCpuFlags flags);
bool dssr_kernels_set_generic_x86 (DssrKernels *table);
