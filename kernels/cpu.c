/* The choice of a table for this CPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/cpu.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

const DssrCpuFlagName dssr_cpu_flag_names[] = {
#if defined __x86_64__
    {"avx2", DSSR_CPU_AVX2},
    {"avxvnni", DSSR_CPU_AVXVNNI},
    {"avx512", DSSR_CPU_AVX512},
    {"avx512vnni", DSSR_CPU_AVX512VNNI},
#elif defined __aarch64__
    {"dotprod", DSSR_CPU_DOTPROD},
    {"i8mm", DSSR_CPU_I8MM},
#endif
    {NULL, 0},
};

#if defined __x86_64__
#include <cpuid.h>

/* clang 14's __builtin_cpu_supports does not know it. */
static bool
has_avxvnni (void)
{
  unsigned a, b, c, d;
  return __get_cpuid_count (7, 1, &a, &b, &c, &d) && (a & 1 << 4);
}
#endif

static DssrCpuFlags
detect (void)
{
  DssrCpuFlags flags = 0;
#if defined __x86_64__
  __builtin_cpu_init ();
  if (__builtin_cpu_supports ("avx2")) {
    flags |= DSSR_CPU_AVX2;
    if (has_avxvnni ())
      flags |= DSSR_CPU_AVXVNNI;
    if (__builtin_cpu_supports ("avx512f")
        && __builtin_cpu_supports ("avx512bw")
        && __builtin_cpu_supports ("avx512dq")
        && __builtin_cpu_supports ("avx512vl")
        && __builtin_cpu_supports ("avx512vbmi")) {
      flags |= DSSR_CPU_AVX512;
      if (__builtin_cpu_supports ("avx512vnni"))
        flags |= DSSR_CPU_AVX512VNNI;
    }
  }
#elif defined __aarch64__
  if (getauxval (AT_HWCAP) & HWCAP_ASIMDDP)
    flags |= DSSR_CPU_DOTPROD;
  if (getauxval (AT_HWCAP2) & HWCAP2_I8MM)
    flags |= DSSR_CPU_I8MM;
#endif
  return flags;
}

/* Whether the list begins with this name, whose length there is `length`. */
static bool
begins_with (const char *list, size_t length, const char *name)
{
  return strlen (name) == length && strncmp (name, list, length) == 0;
}

/* The flags that a list of names allows; a name that no flag has is reported.
 */
static DssrCpuFlags
parse (const char *list)
{
  DssrCpuFlags flags = 0;
  while (*list) {
    const size_t length = strcspn (list, "+");
    const DssrCpuFlagName *name = dssr_cpu_flag_names;
    while (name->name && !begins_with (list, length, name->name))
      name++;
    flags |= name->flag;
    if (!name->name && !begins_with (list, length, "none"))
      fprintf (stderr, "DSSR_CPU_FLAGS: this architecture has no \"%.*s\"\n",
          (int)length, list);
    list += length + (list[length] == '+');
  }
  return flags;
}

DssrCpuFlags
dssr_cpu_flags (void)
{
  const char *mask = getenv ("DSSR_CPU_FLAGS");
  return mask ? detect () & parse (mask) : detect ();
}

void
dssr_kernels_init (DssrKernels *table, DssrCpuFlags flags)
{
  *table = *dssr_kernels_scalar ();
#ifdef DSSR_HAVE_X86
  dssr_kernels_init_x86 (table, flags);
#endif
#ifdef DSSR_HAVE_NEON
  dssr_kernels_init_neon (table, flags);
#endif
}

bool
dssr_kernels_set_generic (DssrKernels *table)
{
#ifdef DSSR_HAVE_X86
  return dssr_kernels_set_generic_x86 (table);
#else
  return false;
#endif
}

static DssrKernels cpu_table;

static void
init_cpu_table (void)
{
  dssr_kernels_init (&cpu_table, dssr_cpu_flags ());
}

const DssrKernels *
dssr_kernels_cpu (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, init_cpu_table);
  return &cpu_table;
}
