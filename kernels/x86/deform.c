/* Modulated deformable sampling, four groups of channels at a time: as in the
 * offsets' tensor, their offsets are the four lanes of a pixel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdalign.h>

#include "kernels/x86/vector.h"

enum {
  GROUPS = 4,
  PIXELS = 256,              /* of a row, in a block */
  HALF = VEC_WORDS / GROUPS, /* pixels whose four offsets fill a vector */
};

/* Where HALF pixels sample, and how their corners are mixed. */
typedef struct {
  /* Pixels from the quad's first to the left corners, of each group of the even
   * and the odd pixels. The margins beside a row make the pair of corners at
   * each of its ends that of the edge pixel. */
  alignas (VEC_BYTES) int32_t top[2][VEC_PIXELS], below[2][VEC_PIXELS];
  Vec x; /* bytes 16 - fx and fx, of each group of each pixel */
  Vec y; /* words fy */
  /* With zero outside, the corners there have no weight, and rows and columns
   * the sum that the zero point makes in their place. */
  Vec top_weight, below_weight, outside_x, outside_y; /* words */
} Places;

/* What does not change within a call. A copy on the stack, so that gcc knows
 * that no store changes it. */
typedef struct {
  DssrTensor out, feature;
  const uint8_t *table;
  int limit, zero;
  bool zero_outside;
} Context;

/* Offsets of up to four groups. */
typedef struct {
  const int16_t *dy, *dx, *modulation;
} Offsets;

/* Shuffles for each group: its word of two pixels, and its byte of two of a
 * half's pixels, four times each. */
#define WORDS(a, b)                                                            \
  a, a + 1, a, a + 1, a, a + 1, a, a + 1, b, b + 1, b, b + 1, b, b + 1, b, b + 1
#define BYTES(a, b)                                                            \
  a, 128, a, 128, a, 128, a, 128, b, 128, b, 128, b, 128, b, 128
alignas (16) static const uint8_t spread_word[GROUPS][16] = {
    {WORDS (0, 8)}, {WORDS (2, 10)}, {WORDS (4, 12)}, {WORDS (6, 14)}};
alignas (16) static const uint8_t spread_byte[2][GROUPS][16] = {
    {{BYTES (0, 4)}, {BYTES (1, 5)}, {BYTES (2, 6)}, {BYTES (3, 7)}},
    {{BYTES (8, 12)}, {BYTES (9, 13)}, {BYTES (10, 14)}, {BYTES (11, 15)}}};

DSSR_INLINE Vec
spread (Vec v, const uint8_t *shuffle)
{
  return VEC (shuffle_epi8) (
      v, vec_repeat (_mm_load_si128 ((const __m128i *)shuffle)));
}

#ifdef __AVX512BW__

/* The pixels at a group's places and those on their right. */
DSSR_INLINE Vec
load_pairs (const uint8_t *quad, const int32_t places[2][VEC_PIXELS], int group)
{
  const Vec order = _mm512_add_epi32 (_mm512_set1_epi32 (group),
      _mm512_setr_epi32 (0, 16, 4, 20, 8, 24, 12, 28, 0, 0, 0, 0, 0, 0, 0, 0));
  const Vec p = _mm512_permutex2var_epi32 (
      vec_load (places[0]), order, vec_load (places[1]));

  return _mm512_i32gather_epi64 (_mm512_castsi512_si256 (p), quad, 4);
}

/* 1 for each word with 0 <= y < bottom, else 0. */
DSSR_INLINE Vec
is_inside (Vec y, Vec bottom)
{
  return _mm512_maskz_set1_epi16 (_mm512_cmplt_epu16_mask (y, bottom), 1);
}

/* Puts the 64-bit parts of two packed halves in the pixels' order. */
DSSR_INLINE Vec
join_halves (Vec v)
{
  return _mm512_permutexvar_epi64 (
      _mm512_setr_epi64 (0, 2, 4, 6, 1, 3, 5, 7), v);
}

#else

/* Faster than gathering on many CPUs. */
DSSR_INLINE Vec
load_pairs (const uint8_t *quad, const int32_t places[2][VEC_PIXELS], int group)
{
  const int32_t *even = places[0] + group, *odd = places[1] + group;
  __m128i lo, hi;

  lo = _mm_loadu_si64 (quad + 4 * (ptrdiff_t)even[0]);
  hi = _mm_loadu_si64 (quad + 4 * (ptrdiff_t)even[4]);
  lo = _mm_unpacklo_epi64 (lo, _mm_loadu_si64 (quad + 4 * (ptrdiff_t)odd[0]));
  hi = _mm_unpacklo_epi64 (hi, _mm_loadu_si64 (quad + 4 * (ptrdiff_t)odd[4]));
  return _mm256_set_m128i (hi, lo);
}

DSSR_INLINE Vec
is_inside (Vec y, Vec bottom)
{
  const Vec mask = _mm256_andnot_si256 (
      _mm256_srai_epi16 (y, 15), _mm256_cmpgt_epi16 (bottom, y));

  return _mm256_srli_epi16 (mask, 15);
}

DSSR_INLINE Vec
join_halves (Vec v)
{
  return _mm256_permute4x64_epi64 (v, 0xd8);
}

#endif

DSSR_INLINE Vec
clamp_words (Vec v, int lo, int hi)
{
  return VEC (min_epi16) (
      VEC (max_epi16) (v, VEC (set1_epi16) (lo)), VEC (set1_epi16) (hi));
}

/* All ones for each word with lo <= v <= hi. */
DSSR_INLINE Vec
is_between (Vec v, int lo, int hi)
{
  const Vec clamped = clamp_words (v, lo, hi);
#ifdef __AVX512BW__
  return _mm512_movm_epi16 (_mm512_cmpeq_epi16_mask (clamped, v));
#else
  return _mm256_cmpeq_epi16 (clamped, v);
#endif
}

/* The weights of the corners that are inside, and what the others come to. */
DSSR_INLINE void
weigh_inside (
    Places *places, Vec row, Vec column, int right, int bottom, int zero)
{
  const Vec sixteen = VEC (set1_epi16) (16), z = VEC (set1_epi16) (zero);
  const Vec left = vec_and (is_between (column, 0, right),
      vec_and (places->x, VEC (set1_epi16) (255)));
  const Vec next = vec_and (
      is_between (column, -1, right - 1), VEC (srli_epi16) (places->x, 8));

  places->top_weight = vec_and (
      is_between (row, 0, bottom), VEC (sub_epi16) (sixteen, places->y));
  places->below_weight = vec_and (is_between (row, -1, bottom - 1), places->y);
  places->x = VEC (add_epi16) (left, VEC (slli_epi16) (next, 8));
  places->outside_x = VEC (mullo_epi16) (
      VEC (sub_epi16) (VEC (sub_epi16) (sixteen, left), next), z);
  places->outside_y = VEC (slli_epi16) (
      VEC (mullo_epi16) (
          VEC (sub_epi16) (VEC (sub_epi16) (sixteen, places->top_weight),
              places->below_weight),
          z),
      4);
}

/* x and y are where the first pixel samples without an offset. A row and a
 * stride, in pixels, fit 16 bits. */
DSSR_INLINE void
locate (Places *places, const Context *c, const int16_t *dy, const int16_t *dx,
    int x, int y)
{
  const int right = c->feature.width - 1, bottom = c->feature.height - 1;
  const Vec fraction = VEC (set1_epi16) (15);
  const Vec pixel = VEC (srli_epi16) (vec_iota_words (), 2);
  const Vec by_stride = VEC (set1_epi32) (1 << 16 | c->feature.stride / 4);
  const Vec v = clamp_words (vec_load (dy), -c->limit, c->limit);
  const Vec h = clamp_words (vec_load (dx), -c->limit, c->limit);

  const Vec row =
      VEC (add_epi16) (VEC (srai_epi16) (v, 4), VEC (set1_epi16) (y));
  const Vec top = clamp_words (row, 0, bottom);
  const Vec below =
      VEC (add_epi16) (top, is_inside (row, VEC (set1_epi16) (bottom)));
  const Vec column = VEC (add_epi16) (
      VEC (srai_epi16) (h, 4), VEC (add_epi16) (pixel, VEC (set1_epi16) (x)));
  const Vec left = clamp_words (column, -1, right);
  const Vec rows = VEC (set1_epi16) (c->feature.ring - 1);
  const Vec t = vec_and (top, rows), b = vec_and (below, rows);

  vec_store (places->top[0],
      VEC (madd_epi16) (VEC (unpacklo_epi16) (t, left), by_stride));
  vec_store (places->top[1],
      VEC (madd_epi16) (VEC (unpackhi_epi16) (t, left), by_stride));
  vec_store (places->below[0],
      VEC (madd_epi16) (VEC (unpacklo_epi16) (b, left), by_stride));
  vec_store (places->below[1],
      VEC (madd_epi16) (VEC (unpackhi_epi16) (b, left), by_stride));

  places->x = VEC (add_epi16) (
      VEC (mullo_epi16) (vec_and (h, fraction), VEC (set1_epi16) (255)),
      VEC (set1_epi16) (16));
  places->y = vec_and (v, fraction);
  if (c->zero_outside)
    weigh_inside (places, row, column, right, bottom, c->zero);
}

/* The samples of a half's pixels, as words. */
DSSR_INLINE Vec
sample (const Context *c, const uint8_t *quad, const Places *p, int group,
    Vec modulation)
{
  const int zero = c->zero;
  const Vec by_channel = vec_repeat (
      _mm_setr_epi8 (0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15));
  const Vec x = spread (p->x, spread_word[group]);
  Vec top = VEC (maddubs_epi16) (
      VEC (shuffle_epi8) (load_pairs (quad, p->top, group), by_channel), x);
  Vec below = VEC (maddubs_epi16) (
      VEC (shuffle_epi8) (load_pairs (quad, p->below, group), by_channel), x);

  /* The contract's sum without its 128: at most 65280, modulo 2^16. */
  Vec sum;
  if (c->zero_outside) {
    const Vec outside = spread (p->outside_x, spread_word[group]);
    top = VEC (mullo_epi16) (VEC (add_epi16) (top, outside),
        spread (p->top_weight, spread_word[group]));
    below = VEC (mullo_epi16) (VEC (add_epi16) (below, outside),
        spread (p->below_weight, spread_word[group]));
    sum = VEC (add_epi16) (VEC (add_epi16) (top, below),
        spread (p->outside_y, spread_word[group]));
  } else {
    const Vec y = spread (p->y, spread_word[group]);
    sum = VEC (add_epi16) (VEC (slli_epi16) (top, 4),
        VEC (mullo_epi16) (VEC (sub_epi16) (below, top), y));
  }
  /* (sum + 127 + 1) >> 1. */
  const Vec half = VEC (avg_epu16) (sum, VEC (set1_epi16) (127));
  /* 128 * (((sum + 128) >> 8) - zero), so that a rounding product shifts by 8.
   */
  const Vec v = VEC (sub_epi16) (
      vec_and (half, VEC (set1_epi16) (0x7f80)), VEC (set1_epi16) (128 * zero));
  return VEC (add_epi16) (
      VEC (mulhrs_epi16) (v, modulation), VEC (set1_epi16) (zero));
}

/* n groups, of `quads` quads each, from `group` on of two halves, into the
 * quads from out_quad on. */
DSSR_INLINE void
sample_groups (const Context *c, const Offsets *offsets, int out_quad,
    int group, int n, int quads, int x, int y, int tap_x, int tap_y)
{
  Places p[2];

  for (int h = 0; h < 2; h++)
    locate (&p[h], c, offsets->dy + h * VEC_WORDS, offsets->dx + h * VEC_WORDS,
        x + h * HALF + tap_x, y + tap_y);
  const Vec modulation =
      vec_look_up (c->table, VEC (packs_epi16) (vec_load (offsets->modulation),
                                 vec_load (offsets->modulation + VEC_WORDS)));

  for (int g = 0; g < n; g++) {
    for (int i = 0; i < quads; i++) {
      const int quad = (group + g) * quads + i;
      const uint8_t *src = tensor_row (&c->feature, quad, 0);
      uint8_t *dst = tensor_row (&c->out, out_quad + quad, y);
      Vec v[2];
      for (int h = 0; h < 2; h++)
        v[h] =
            sample (c, src, &p[h], g, spread (modulation, spread_byte[h][g]));
      vec_store (dst + 4 * x, join_halves (VEC (packus_epi16) (v[0], v[1])));
    }
  }
}

/* n channels of a block's pixels, in the first lanes of a quad: where they are
 * in the tensor if they are so there, else a copy. */
static const int16_t *
channels (int16_t copy[4 * PIXELS], const DssrTensor *t, int channel, int n,
    int x, int y, int n_pixels)
{
  if (channel % 4 == 0)
    return (const int16_t *)tensor_row (t, channel / 4, y) + 4 * x;
  for (int i = 0; i < n; i++, channel++) {
    const int16_t *src = tensor_row (t, channel / 4, y);
    for (int j = 0; j < n_pixels; j++)
      copy[4 * j + i] = src[4 * (x + j) + channel % 4];
  }
  return copy;
}

/* The block of pixels from x0 on. */
DSSR_INLINE void
sample_block (const Context *context, const DssrTensor *offset,
    const DssrDeform *deform, bool zero_outside, int tap, int x0, int y)
{
  Context c = *context;
  c.zero_outside = zero_outside;
  const int groups = deform->groups;
  const int quads = c.feature.quads / groups;
  const int part = deform->kernel * deform->kernel * groups;
  const int tap_x = tap % deform->kernel - deform->kernel / 2;
  const int tap_y = tap / deform->kernel - deform->kernel / 2;
  const int step = 2 * HALF;
  const int n_pixels =
      (min_int (c.out.width - x0, PIXELS) + step - 1) / step * step;
  int16_t copy[3][4 * PIXELS];

  for (int g = 0; g < groups; g += GROUPS) {
    const int n = min_int (groups - g, GROUPS);
    const int16_t *o[3];

    for (int i = 0; i < 3; i++)
      o[i] = channels (
          copy[i], offset, i * part + tap * groups + g, n, x0, y, n_pixels);
    for (int x = 0; x < n_pixels; x += step) {
      const Offsets at = {o[0] + 4 * x, o[1] + 4 * x, o[2] + 4 * x};
      if (quads == 1)
        sample_groups (
            &c, &at, tap * c.feature.quads, g, n, 1, x0 + x, y, tap_x, tap_y);
      else
        sample_groups (&c, &at, tap * c.feature.quads, g, n, quads, x0 + x, y,
            tap_x, tap_y);
    }
  }
}

/* Two copies of the code, one for each kind of border. */
static void
sample_block_edge (const Context *context, const DssrTensor *offset,
    const DssrDeform *deform, int tap, int x0, int y)
{
  sample_block (context, offset, deform, false, tap, x0, y);
}

static void
sample_block_zero (const Context *context, const DssrTensor *offset,
    const DssrDeform *deform, int tap, int x0, int y)
{
  sample_block (context, offset, deform, true, tap, x0, y);
}

typedef void SampleBlock (const Context *context, const DssrTensor *offset,
    const DssrDeform *deform, int tap, int x0, int y);

static void
sample_rows (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform,
    SampleBlock *sample_block_kind, int y0, int y1)
{
  const Context c = {.out = *out,
      .feature = *feature,
      .table = deform->table,
      .limit = deform->limit,
      .zero = deform->zero};

  for (int y = y0; y < y1; y++)
    for (int x = 0; x < out->width; x += PIXELS)
      for (int tap = 0; tap < deform->kernel * deform->kernel; tap++)
        sample_block_kind (&c, offset, deform, tap, x, y);
  fill_margins (out, y0, y1);
}

void
DSSR_KERNEL (deform) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  sample_rows (out, feature, offset, deform, sample_block_edge, y0, y1);
}

void
DSSR_KERNEL (deform_zero) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  sample_rows (out, feature, offset, deform, sample_block_zero, y0, y1);
}
