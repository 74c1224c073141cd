/* The vectors that these kernels are written in: 64 bytes with AVX-512, 32 with
 * AVX2. VEC (add_epi16) names an intrinsic that both have.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <immintrin.h>
#include <stdalign.h>

#include "kernels/scalar/common.h"

#define DSSR_INLINE static inline __attribute__ ((always_inline))

#ifdef __AVX512BW__
#define VEC(name) _mm512_##name
typedef __m512i Vec;
#else
#define VEC(name) _mm256_##name
typedef __m256i Vec;
#endif

enum {
  VEC_BYTES = sizeof (Vec),
  VEC_PIXELS = VEC_BYTES / 4, /* of 8-bit channels */
  VEC_WORDS = VEC_BYTES / 2,
};

DSSR_INLINE Vec
vec_load (const void *p)
{
#ifdef __AVX512BW__
  return _mm512_loadu_si512 (p);
#else
  return _mm256_loadu_si256 (p);
#endif
}

DSSR_INLINE void
vec_store (void *p, Vec v)
{
#ifdef __AVX512BW__
  _mm512_storeu_si512 (p, v);
#else
  _mm256_storeu_si256 (p, v);
#endif
}

DSSR_INLINE Vec
vec_and (Vec a, Vec b)
{
#ifdef __AVX512BW__
  return _mm512_and_si512 (a, b);
#else
  return _mm256_and_si256 (a, b);
#endif
}

/* The same 16 bytes in each 128-bit lane. */
DSSR_INLINE Vec
vec_repeat (__m128i v)
{
#ifdef __AVX512BW__
  return _mm512_broadcast_i32x4 (v);
#else
  return _mm256_broadcastsi128_si256 (v);
#endif
}

/* 0, 1, 2... */
DSSR_INLINE Vec
vec_iota_words (void)
{
  alignas (VEC_BYTES) static const int16_t iota[32] = {0, 1, 2, 3, 4, 5, 6, 7,
      8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
      27, 28, 29, 30, 31};
  return vec_load (iota);
}

/* Alternating signed bytes, for the second operand of maddubs. */
DSSR_INLINE Vec
vec_byte_pairs (int even, int odd)
{
  return VEC (set1_epi16) ((int16_t)((odd & 255) << 8 | (even & 255)));
}

/* Alternating words, for madd. */
DSSR_INLINE Vec
vec_word_pairs (int even, int odd)
{
  return VEC (set1_epi32) ((int)((unsigned)odd << 16 | (even & 65535)));
}

/* Eight words from p, p + 4, p + 8..., one window to a 128-bit lane. */
DSSR_INLINE Vec
vec_load_windows (const int16_t *p)
{
#ifdef __AVX512BW__
  return _mm512_permutexvar_epi64 (
      _mm512_setr_epi64 (0, 1, 1, 2, 2, 3, 3, 4), vec_load (p));
#else
  return _mm256_permute4x64_epi64 (vec_load (p), 0x94);
#endif
}

/* The even and the odd 128-bit lanes of a and b. */
DSSR_INLINE void
vec_split_lanes (Vec out[2], Vec a, Vec b)
{
#ifdef __AVX512BW__
  out[0] = _mm512_shuffle_i64x2 (a, b, 0x88);
  out[1] = _mm512_shuffle_i64x2 (a, b, 0xdd);
#else
  out[0] = _mm256_permute2x128_si256 (a, b, 0x20);
  out[1] = _mm256_permute2x128_si256 (a, b, 0x31);
#endif
}

/* The 128-bit lanes of a and b in turn. */
DSSR_INLINE void
vec_join_lanes (Vec out[2], Vec a, Vec b)
{
#ifdef __AVX512BW__
  out[0] = _mm512_permutex2var_epi64 (
      a, _mm512_setr_epi64 (0, 1, 8, 9, 2, 3, 10, 11), b);
  out[1] = _mm512_permutex2var_epi64 (
      a, _mm512_setr_epi64 (4, 5, 12, 13, 6, 7, 14, 15), b);
#else
  vec_split_lanes (out, a, b);
#endif
}

/* The even dwords of each 128-bit lane of a, then those of b. */
DSSR_INLINE Vec
vec_even_dwords (Vec a, Vec b)
{
#ifdef __AVX512BW__
  return _mm512_castps_si512 (_mm512_shuffle_ps (
      _mm512_castsi512_ps (a), _mm512_castsi512_ps (b), 0x88));
#else
  return _mm256_castps_si256 (_mm256_shuffle_ps (
      _mm256_castsi256_ps (a), _mm256_castsi256_ps (b), 0x88));
#endif
}

DSSR_INLINE Vec
vec_odd_dwords (Vec a, Vec b)
{
#ifdef __AVX512BW__
  return _mm512_castps_si512 (_mm512_shuffle_ps (
      _mm512_castsi512_ps (a), _mm512_castsi512_ps (b), 0xdd));
#else
  return _mm256_castps_si256 (_mm256_shuffle_ps (
      _mm256_castsi256_ps (a), _mm256_castsi256_ps (b), 0xdd));
#endif
}

/* Bytes of a table whose middle is at index 0. */
DSSR_INLINE Vec
vec_look_up (const uint8_t table[256], Vec index)
{
#ifdef __AVX512BW__
  const Vec positive = _mm512_permutex2var_epi8 (
      vec_load (table + 128), index, vec_load (table + 192));
  const Vec negative =
      _mm512_permutex2var_epi8 (vec_load (table), index, vec_load (table + 64));

  return _mm512_mask_blend_epi8 (
      _mm512_movepi8_mask (index), positive, negative);
#else
  int8_t bytes[VEC_BYTES];

  vec_store (bytes, index);
  for (int i = 0; i < VEC_BYTES; i++)
    bytes[i] = table[bytes[i] + 128];
  return vec_load (bytes);
#endif
}
