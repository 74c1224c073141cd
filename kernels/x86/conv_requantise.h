/* From a tile's sums to the output.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_tile.h"

/* One product of 16-bit values, by two channels' factors, and the activation.
 */
DSSR_INLINE Vector
activate (Vector t, Vector mult, Vector mult_neg, DssrActivation act)
{
  const Vector y = V (mulhrs_epi16) (t, mult);

  if (act == DSSR_ACT_NONE)
    return y;
  return V (max_epi16) (
      y, act == DSSR_ACT_RELU ? ZERO : V (mulhrs_epi16) (t, mult_neg));
}

DSSR_INLINE void
requantise (uint8_t *dst, ptrdiff_t plane, const Sums sums,
    const Channels *channels, int quads, int vectors, const DssrConv *conv,
    DssrActivation act, bool wide)
{
  const Vector shift = V (set1_epi32) (conv->shift);
  const Vector zero = V (set1_epi16) (conv->zero);
  const Vector max = V (set1_epi8) (conv->max);
  const Vector transpose =
      splat_part (&(const __m128i){0x0d0905010c080400, 0x0f0b07030e0a0602});

  for (int q = 0; q < quads; q++, sums += 4, channels++, dst += plane) {
    const Vector mult01 = splat_part (channels->mult[0]);
    const Vector mult23 = splat_part (channels->mult[2]);
    const Vector neg01 = splat_part (channels->mult_neg[0]);
    const Vector neg23 = splat_part (channels->mult_neg[2]);

    for (int v = 0; v < vectors; v++) {
      const Vector s0 = V (srav_epi32) (sums[0][v], shift);
      const Vector s1 = V (srav_epi32) (sums[1][v], shift);
      const Vector s2 = V (srav_epi32) (sums[2][v], shift);
      const Vector s3 = V (srav_epi32) (sums[3][v], shift);
      /* In each 128-bit part, four pixels of two channels, one after the other.
       */
      const Vector a = activate (V (packs_epi32) (s0, s1), mult01, neg01, act);
      const Vector b = activate (V (packs_epi32) (s2, s3), mult23, neg23, act);

      if (wide) {
        const Vector lo = V (unpacklo_epi16) (a, b);
        const Vector hi = V (unpackhi_epi16) (a, b);
        store_parts (dst + 2 * v * sizeof (Vector), V (unpacklo_epi16) (lo, hi),
            V (unpackhi_epi16) (lo, hi));
      } else {
        const Vector y = V (packus_epi16) (
            V (adds_epi16) (a, zero), V (adds_epi16) (b, zero));
        store (dst + v * sizeof (Vector),
            V (shuffle_epi8) (V (min_epu8) (y, max), transpose));
      }
    }
  }
}

typedef void (*Requantise) (uint8_t *dst, ptrdiff_t plane, const Sums sums,
    const Channels *channels, int quads, int vectors, const DssrConv *conv);

#define REQUANTISE(name, act, wide)                                            \
  static void requantise_##name (uint8_t *dst, ptrdiff_t plane,                \
      const Sums sums, const Channels *channels, int quads, int vectors,       \
      const DssrConv *conv)                                                    \
  {                                                                            \
    requantise (dst, plane, sums, channels, quads, vectors, conv, act, wide);  \
  }

REQUANTISE (none, DSSR_ACT_NONE, false)
REQUANTISE (relu, DSSR_ACT_RELU, false)
REQUANTISE (leaky, DSSR_ACT_LEAKY, false)
REQUANTISE (wide_none, DSSR_ACT_NONE, true)
REQUANTISE (wide_relu, DSSR_ACT_RELU, true)
REQUANTISE (wide_leaky, DSSR_ACT_LEAKY, true)

/* [wide][activation] */
static const Requantise requantise_kernels[2][3] = {
    {requantise_none, requantise_relu, requantise_leaky},
    {requantise_wide_none, requantise_wide_relu, requantise_wide_leaky},
};
