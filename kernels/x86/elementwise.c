/* Residual add and bilinear doubling.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/x86/vector.h"

/* mulhrs ((a - zero) << 6, mult); `operand` is bytes a, zero, a, zero... */
DSSR_INLINE Vec
scale_words (Vec operand, Vec mult)
{
  return VEC (mulhrs_epi16) (
      VEC (maddubs_epi16) (operand, vec_byte_pairs (64, -64)), mult);
}

void
DSSR_KERNEL (add) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrAdd *add, int y0, int y1)
{
  const Vec zero_a = VEC (set1_epi8) (add->zero_a);
  const Vec zero_b = VEC (set1_epi8) (add->zero_b);
  const Vec mult_a = VEC (set1_epi16) (add->mult_a);
  const Vec mult_b = VEC (set1_epi16) (add->mult_b);
  const Vec offset = VEC (set1_epi16) (32 * add->zero + 16);
  const Vec max = VEC (set1_epi8) (add->max);

  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      uint8_t *dst = tensor_row (out, q, y);
      const uint8_t *pa = tensor_row (a, q, y), *pb = tensor_row (b, q, y);

      for (int i = 0; i < 4 * out->width; i += VEC_BYTES) {
        const Vec va = vec_load (pa + i), vb = vec_load (pb + i);
        Vec lo = VEC (add_epi16) (
            scale_words (VEC (unpacklo_epi8) (va, zero_a), mult_a),
            scale_words (VEC (unpacklo_epi8) (vb, zero_b), mult_b));
        Vec hi = VEC (add_epi16) (
            scale_words (VEC (unpackhi_epi8) (va, zero_a), mult_a),
            scale_words (VEC (unpackhi_epi8) (vb, zero_b), mult_b));

        /* A sum that saturates is beyond 255 all the same. */
        lo = VEC (srai_epi16) (VEC (adds_epi16) (lo, offset), 5);
        hi = VEC (srai_epi16) (VEC (adds_epi16) (hi, offset), 5);
        vec_store (dst + i, VEC (min_epu8) (VEC (packus_epi16) (lo, hi), max));
      }
    }
  }
  fill_margins (out, y0, y1);
}

/* 3 * nearest + other of half the bytes of each 128-bit lane. */
DSSR_INLINE void
mix_rows (Vec mixed[2], const uint8_t *nearest, const uint8_t *other)
{
  const Vec n = vec_load (nearest), o = vec_load (other);
  const Vec taps = vec_byte_pairs (3, 1);

  mixed[0] = VEC (maddubs_epi16) (VEC (unpacklo_epi8) (n, o), taps);
  mixed[1] = VEC (maddubs_epi16) (VEC (unpackhi_epi8) (n, o), taps);
}

/* (3 * mixed + side + 8) >> 4. */
DSSR_INLINE Vec
mix_columns (const Vec mixed[2], const Vec side[2])
{
  Vec v[2];

  for (int i = 0; i < 2; i++) {
    const Vec twice = VEC (add_epi16) (mixed[i], mixed[i]);
    const Vec thrice = VEC (add_epi16) (
        VEC (add_epi16) (mixed[i], VEC (set1_epi16) (8)), twice);
    v[i] = VEC (srli_epi16) (VEC (add_epi16) (thrice, side[i]), 4);
  }
  return VEC (packus_epi16) (v[0], v[1]);
}

void
DSSR_KERNEL (up2) (const DssrTensor *out, const DssrTensor *in, int y0, int y1)
{
  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      const int next = clamp (y / 2 + (y & 1 ? 1 : -1), 0, in->height - 1);
      const uint8_t *nearest = tensor_row (in, q, y / 2);
      const uint8_t *other = tensor_row (in, q, next);
      uint8_t *dst = tensor_row (out, q, y);

      /* The margins have the pixels beside the edges. */
      for (int i = 0; i < 4 * in->width; i += VEC_BYTES) {
        Vec left[2], mixed[2], right[2], joined[2];

        mix_rows (left, nearest + i - 4, other + i - 4);
        mix_rows (mixed, nearest + i, other + i);
        mix_rows (right, nearest + i + 4, other + i + 4);
        const Vec even = mix_columns (mixed, left);
        const Vec odd = mix_columns (mixed, right);
        vec_join_lanes (joined, VEC (unpacklo_epi32) (even, odd),
            VEC (unpackhi_epi32) (even, odd));
        vec_store (dst + 2 * i, joined[0]);
        vec_store (dst + 2 * i + VEC_BYTES, joined[1]);
      }
    }
  }
  fill_margins (out, y0, y1);
}
