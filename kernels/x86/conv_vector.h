/* The vectors that conv.c is written in: NV pixels of a quad, as 32-bit lanes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define DSSR_INLINE static inline __attribute__ ((always_inline))

#if defined __AVX512VNNI__ || defined __AVXVNNI__
#define DSSR_HAVE_DOT
#endif

#if defined __AVX512VNNI__

typedef __m512i Vector;
#define DSSR_REGISTERS 32
#define ZERO _mm512_setzero_si512 ()

DSSR_INLINE Vector
load (const void *p)
{
  return _mm512_loadu_si512 (p);
}

DSSR_INLINE void
store (void *p, Vector a)
{
  _mm512_storeu_si512 (p, a);
}

DSSR_INLINE Vector
splat (const void *p)
{
  return _mm512_set1_epi32 (*(const int32_t *)p);
}

/* 16 bytes, in each of the vector's 128-bit parts. */
DSSR_INLINE Vector
splat_part (const void *p)
{
  return _mm512_broadcast_i32x4 (_mm_load_si128 (p));
}

/* acc + the dot products of four unsigned and four signed bytes. */
DSSR_INLINE Vector
dot (Vector acc, Vector pixels, Vector weights)
{
  return _mm512_dpbusd_epi32 (acc, pixels, weights);
}

/* Lanes first, first + 2... of the two vectors from p. */
DSSR_INLINE Vector
load_every_second (const uint8_t *p, int first)
{
  const Vector even = _mm512_set_epi32 (
      30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const Vector odd = _mm512_set_epi32 (
      31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);

  return _mm512_permutex2var_epi32 (
      load (p), first ? odd : even, load (p + sizeof (Vector)));
}

/* The 128-bit parts of a and b in turn: two vectors. */
DSSR_INLINE void
store_parts (uint8_t *p, Vector a, Vector b)
{
  const Vector lo = _mm512_set_epi64 (11, 10, 3, 2, 9, 8, 1, 0);
  const Vector hi = _mm512_set_epi64 (15, 14, 7, 6, 13, 12, 5, 4);

  store (p, _mm512_permutex2var_epi64 (a, lo, b));
  store (p + sizeof a, _mm512_permutex2var_epi64 (a, hi, b));
}

#define V(name) _mm512_##name

#else

typedef __m256i Vector;
#define DSSR_REGISTERS 16
#define ZERO _mm256_setzero_si256 ()

DSSR_INLINE Vector
load (const void *p)
{
  return _mm256_loadu_si256 (p);
}

DSSR_INLINE void
store (void *p, Vector a)
{
  _mm256_storeu_si256 (p, a);
}

DSSR_INLINE Vector
splat (const void *p)
{
  return _mm256_set1_epi32 (*(const int32_t *)p);
}

DSSR_INLINE Vector
splat_part (const void *p)
{
  return _mm256_broadcastsi128_si256 (_mm_load_si128 (p));
}

#ifdef __AVXVNNI__
DSSR_INLINE Vector
dot (Vector acc, Vector pixels, Vector weights)
{
  return _mm256_dpbusd_avx_epi32 (acc, pixels, weights);
}
#endif

DSSR_INLINE Vector
load_every_second (const uint8_t *p, int first)
{
  const __m256 a = _mm256_castsi256_ps (load (p));
  const __m256 b = _mm256_castsi256_ps (load (p + sizeof (Vector)));
  const __m256 c =
      first ? _mm256_shuffle_ps (a, b, 0xdd) : _mm256_shuffle_ps (a, b, 0x88);

  return _mm256_permute4x64_epi64 (_mm256_castps_si256 (c), 0xd8);
}

DSSR_INLINE void
store_parts (uint8_t *p, Vector a, Vector b)
{
  store (p, _mm256_permute2x128_si256 (a, b, 0x20));
  store (p + sizeof a, _mm256_permute2x128_si256 (a, b, 0x31));
}

#define V(name) _mm256_##name

#endif

enum { LANES = sizeof (Vector) / 4 };
