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
requantise (uint8_t *dst, ptrdiff_t plane, Sums sums, const Channels *channels,
    int quads, int vectors, const DssrConv *conv, DssrActivation act, bool wide)
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

#ifdef __AVX512VBMI__
/* The same where no 16-bit value saturates, and shift is at most 16: one
 * instruction shifts and packs. */
DSSR_INLINE void
requantise_exact (uint8_t *dst, ptrdiff_t plane, Sums sums,
    const Channels *channels, int quads, int vectors, const DssrConv *conv,
    DssrActivation act, bool wide)
{
  /* The 16 bits from bit `shift` of each sum, twice. */
  const Vector bits = V (add_epi8) (
      V (set1_epi8) (conv->shift), V (set1_epi64) (0x2820282008000800));
  const __mmask64 odd = 0xcccccccccccccccc;
  const Vector zero = V (set1_epi16) (conv->zero);
  const Vector max = V (set1_epi8) (conv->max);
  const Vector transpose =
      splat_part (&(const __m128i){0x0b0a030209080100, 0x0f0e07060d0c0504});
  const Vector lo =
      V (set_epi32) (23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const Vector hi = V (add_epi32) (lo, V (set1_epi32) (8));

  for (int q = 0; q < quads; q++, sums += 4, channels++, dst += plane) {
    const Vector mult01 = splat (channels->mult_pairs);
    const Vector mult23 = splat (channels->mult_pairs + 2);
    const Vector neg01 = splat (channels->mult_neg_pairs);
    const Vector neg23 = splat (channels->mult_neg_pairs + 2);

    for (int v = 0; v < vectors; v++) {
      /* Two channels of a pixel, side by side. */
      Vector a = V (multishift_epi64_epi8) (bits, sums[0][v]);
      Vector b = V (multishift_epi64_epi8) (bits, sums[2][v]);
      a = V (mask_multishift_epi64_epi8) (a, odd, bits, sums[1][v]);
      b = V (mask_multishift_epi64_epi8) (b, odd, bits, sums[3][v]);
      a = activate (a, mult01, neg01, act);
      b = activate (b, mult23, neg23, act);

      if (wide) {
        uint8_t *p = dst + 2 * v * sizeof (Vector);
        store (p, V (permutex2var_epi32) (a, lo, b));
        store (p + sizeof (Vector), V (permutex2var_epi32) (a, hi, b));
      } else {
        Vector y =
            V (packus_epi16) (V (add_epi16) (a, zero), V (add_epi16) (b, zero));
        if (conv->max < 255)
          y = V (min_epu8) (y, max);
        store (dst + v * sizeof (Vector), V (shuffle_epi8) (y, transpose));
      }
    }
  }
}
#endif

#define REQUANTISE(name, function, act, wide)                                  \
  static void name (uint8_t *dst, ptrdiff_t plane, Sums sums,                  \
      const Channels *channels, int quads, int vectors, const DssrConv *conv)  \
  {                                                                            \
    function (dst, plane, sums, channels, quads, vectors, conv, act, wide);    \
  }
#define REQUANTISE_ACTS(name, function, wide)                                  \
  REQUANTISE (name##_none, function, DSSR_ACT_NONE, wide)                      \
  REQUANTISE (name##_relu, function, DSSR_ACT_RELU, wide)                      \
  REQUANTISE (name##_leaky, function, DSSR_ACT_LEAKY, wide)
#define REQUANTISE_NAMES(name)                                                 \
  {                                                                            \
    name##_none, name##_relu, name##_leaky                                     \
  }

REQUANTISE_ACTS (saturating, requantise, false)
REQUANTISE_ACTS (saturating_wide, requantise, true)
#ifdef __AVX512VBMI__
REQUANTISE_ACTS (exact, requantise_exact, false)
REQUANTISE_ACTS (exact_wide, requantise_exact, true)
#endif

static Requantise
requantise_kernel (const DssrConv *conv, bool exact)
{
  /* [wide][activation] */
  static const Requantise saturating[2][3] = {
      REQUANTISE_NAMES (saturating), REQUANTISE_NAMES (saturating_wide)};
#ifdef __AVX512VBMI__
  static const Requantise exact_[2][3] = {
      REQUANTISE_NAMES (exact), REQUANTISE_NAMES (exact_wide)};
  if (exact)
    return exact_[conv->wide][conv->act];
#endif
  return saturating[conv->wide][conv->act];
}
