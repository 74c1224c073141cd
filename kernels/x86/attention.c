/* Temporal attention.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/x86/vector.h"

enum { VECTORS = 4 }; /* whose attention is looked up at once */

/* a - zero; half the bytes of each 128-bit lane, beside as many zeros. */
DSSR_INLINE Vec
difference (Vec bytes)
{
  return VEC (maddubs_epi16) (bytes, vec_byte_pairs (1, -1));
}

/* The dot products of a vector of pixels from x on. */
DSSR_INLINE Vec
dot (const DssrTensor *a, const DssrTensor *b, const DssrAttention *att, int x,
    int y)
{
  const Vec zero_a = VEC (set1_epi8) (att->zero_a);
  const Vec zero_b = VEC (set1_epi8) (att->zero_b);
  Vec lo = VEC (set1_epi32) (0), hi = lo;

  for (int q = 0; q < a->quads; q++) {
    const Vec va = vec_load ((uint8_t *)tensor_row (a, q, y) + 4 * x);
    const Vec vb = vec_load ((uint8_t *)tensor_row (b, q, y) + 4 * x);
    lo = VEC (add_epi32) (
        lo, VEC (madd_epi16) (difference (VEC (unpacklo_epi8) (va, zero_a)),
                difference (VEC (unpacklo_epi8) (vb, zero_b))));
    hi = VEC (add_epi32) (
        hi, VEC (madd_epi16) (difference (VEC (unpackhi_epi8) (va, zero_a)),
                difference (VEC (unpackhi_epi8) (vb, zero_b))));
  }
  return VEC (add_epi32) (vec_even_dwords (lo, hi), vec_odd_dwords (lo, hi));
}

/* The attention of n vectors of pixels, in 1/256: bytes 4 * i to 4 * i + 3 of
 * each 128-bit lane are those of vector i. */
DSSR_INLINE Vec
attend (const DssrTensor *a, const DssrTensor *b, const DssrAttention *att,
    int x, int n, int y)
{
  const __m128i shift = _mm_cvtsi32_si128 (att->shift);
  const Vec round = VEC (set1_epi32) (round_of (att->shift));
  const Vec mult = VEC (set1_epi16) (att->mult);
  Vec t[VECTORS];

  for (int i = 0; i < VECTORS; i++) {
    t[i] = VEC (set1_epi32) (0);
    if (i < n)
      t[i] = VEC (sra_epi32) (
          VEC (add_epi32) (dot (a, b, att, x + i * VEC_PIXELS, y), round),
          shift);
  }
  const Vec lo = VEC (mulhrs_epi16) (VEC (packs_epi32) (t[0], t[1]), mult);
  const Vec hi = VEC (mulhrs_epi16) (VEC (packs_epi32) (t[2], t[3]), mult);
  return vec_look_up (att->table, VEC (packs_epi16) (lo, hi));
}

/* A vector of a quad's pixels; `m` is twice the attention of each half's. */
DSSR_INLINE Vec
scale (Vec v, const Vec m[2], int zero_v)
{
  const Vec zero = VEC (set1_epi8) (zero_v), words = VEC (set1_epi16) (zero_v);
  const Vec taps = vec_byte_pairs (64, -64);
  const Vec lo = VEC (maddubs_epi16) (VEC (unpacklo_epi8) (v, zero), taps);
  const Vec hi = VEC (maddubs_epi16) (VEC (unpackhi_epi8) (v, zero), taps);

  return VEC (packus_epi16) (
      VEC (add_epi16) (VEC (mulhrs_epi16) (lo, m[0]), words),
      VEC (add_epi16) (VEC (mulhrs_epi16) (hi, m[1]), words));
}

void
DSSR_KERNEL (attention) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrTensor *v, const DssrAttention *attention,
    int y0, int y1)
{
  const Vec byte_0_1 = vec_repeat (
      _mm_setr_epi8 (0, -1, 0, -1, 0, -1, 0, -1, 1, -1, 1, -1, 1, -1, 1, -1));

  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x += VECTORS * VEC_PIXELS) {
      const int n =
          min_int ((out->width - x + VEC_PIXELS - 1) / VEC_PIXELS, VECTORS);
      const Vec m = attend (a, b, attention, x, n, y);

      for (int i = 0; i < n; i++) {
        Vec twice[2];

        for (int half = 0; half < 2; half++) {
          const Vec byte = VEC (set1_epi16) (4 * i + 2 * half);
          const Vec words =
              VEC (shuffle_epi8) (m, VEC (add_epi16) (byte_0_1, byte));
          twice[half] = VEC (add_epi16) (words, words);
        }
        for (int q = 0; q < out->quads; q++) {
          const int at = 4 * (x + i * VEC_PIXELS);
          vec_store ((uint8_t *)tensor_row (out, q, y) + at,
              scale (vec_load ((uint8_t *)tensor_row (v, q, y) + at), twice,
                  attention->zero_v));
        }
      }
    }
  }
  fill_margins (out, y0, y1);
}
