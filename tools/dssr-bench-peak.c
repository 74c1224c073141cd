/* dssr-bench: what this core's dot instructions reach when nothing but
 * registers is read.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench-kernels.h"

enum { ITERATIONS = 20000, RUNS = 15 };

/* A loop of one instruction on twelve registers, which do not wait for each
 * other. `text` has \r for the number of a register. */
#if defined __x86_64__
#define LOOP(name, text)                                                       \
  static void loop_##name (long n)                                             \
  {                                                                            \
    __asm__ volatile("1:\n"                                                    \
                     ".irp r,0,1,2,3,4,5,6,7,8,9,10,11\n" text "\n"            \
                     ".endr\n"                                                 \
                     "dec %0\n"                                                \
                     "jnz 1b\n"                                                \
                     "vzeroupper"                                              \
                     : "+r"(n)                                                 \
                     :                                                         \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",   \
                     "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",         \
                     "xmm12", "xmm13");                                        \
  }
LOOP (pmaddwd, "vpmaddwd %%ymm12, %%ymm13, %%ymm\\r")
LOOP (pmaddubsw, "vpmaddubsw %%ymm12, %%ymm13, %%ymm\\r")
LOOP (pmaddubsw_zmm, "vpmaddubsw %%zmm12, %%zmm13, %%zmm\\r")
LOOP (dpbusd, "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm\\r")
LOOP (dpbusd_zmm, "vpdpbusd %%zmm12, %%zmm13, %%zmm\\r")

#elif defined __aarch64__
#define LOOP(name, text)                                                       \
  static void loop_##name (long n)                                             \
  {                                                                            \
    __asm__ volatile(".arch armv8.2-a+dotprod+i8mm\n"                          \
                     "1:\n"                                                    \
                     ".irp r,0,1,2,3,4,5,6,7,16,17,18,19\n" text "\n"          \
                     ".endr\n"                                                 \
                     "subs %0, %0, #1\n"                                       \
                     "b.ne 1b"                                                 \
                     : "+r"(n)                                                 \
                     :                                                         \
                     : "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",   \
                     "v16", "v17", "v18", "v19", "v20", "v21");                \
  }
LOOP (smlal, "smlal v\\r\\().4s, v20.4h, v21.4h")
LOOP (sdot, "sdot v\\r\\().4s, v20.16b, v21.16b")
LOOP (usdot, "usdot v\\r\\().4s, v20.16b, v21.16b")
LOOP (usmmla, "usmmla v\\r\\().4s, v20.16b, v21.16b")
#endif

/* Those that need more come later. */
static const struct {
  const char *instruction;
  DssrCpuFlags flag;
  const char *variant; /* whose convolution is made of it, at best */
  int macs;
  void (*loop) (long n);
} peaks[] = {
#if defined __x86_64__
    {"vpmaddwd ymm", DSSR_CPU_AVX2, NULL, 16, loop_pmaddwd},
    {"vpmaddubsw ymm", DSSR_CPU_AVX2, "avx2", 32, loop_pmaddubsw},
    {"vpdpbusd ymm", DSSR_CPU_AVXVNNI, "avxvnni", 32, loop_dpbusd},
    {"vpmaddubsw zmm", DSSR_CPU_AVX512, NULL, 64, loop_pmaddubsw_zmm},
    {"vpdpbusd zmm", DSSR_CPU_AVX512VNNI, "avx512vnni", 64, loop_dpbusd_zmm},
#elif defined __aarch64__
    {"smlal", 0, "neon", 4, loop_smlal},
    {"sdot", DSSR_CPU_DOTPROD, "dotprod", 16, loop_sdot},
    {"usdot", DSSR_CPU_I8MM, "i8mm", 16, loop_usdot},
    {"usmmla", DSSR_CPU_I8MM, NULL, 32, loop_usmmla},
#endif
    {NULL, 0, NULL, 0, NULL},
};

int
bench_peaks (BenchPeak *results)
{
  int n = 0;
  for (int i = 0; peaks[i].instruction; i++) {
    double rates[RUNS];
    if ((dssr_cpu_flags () & peaks[i].flag) != peaks[i].flag)
      continue;
    peaks[i].loop (ITERATIONS);
    for (int r = 0; r < RUNS; r++) {
      double start = bench_seconds ();
      peaks[i].loop (ITERATIONS);
      rates[r] =
          12e-9 * ITERATIONS * peaks[i].macs / (bench_seconds () - start);
    }
    results[n++] = (BenchPeak){peaks[i].instruction, peaks[i].variant,
        bench_quantile (rates, RUNS, 0.5)};
  }
  return n;
}
