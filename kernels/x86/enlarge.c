/* Bicubic enlargement of a plane, and the head: the same of luma, plus the
 * network's residual. Blocks of columns are filtered vertically, then
 * horizontally.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"
#include "kernels/x86/vector.h"

enum {
  MAX_SCALE = 4,
  COLUMNS = 256, /* of the small plane, in a block */
  REACH = 4,     /* columns that a block's taps reach beyond its own */
  ROW = COLUMNS + 2 * VEC_WORDS,
};

/* A block's four rows of the small plane that the vertical filter mixes. */
typedef struct {
  const DssrSamples *in;
  int first, n;                             /* columns */
  int next;                                 /* the row that is not yet loaded */
  alignas (VEC_BYTES) int16_t rows[4][ROW]; /* row y is in y & 3 */
} Window;

/* The horizontal filter. 16 bytes of output from a 128-bit lane of columns,
 * four in each part. */
typedef struct {
  __m128i near[4], far[4]; /* shuffles: the first and the last two columns of
                              each of a part's outputs */
  __m128i near_taps, far_taps;
  int shift, max; /* of the output */
  int left;       /* its shift in a uint16_t */
} Filter;

static void
make_filter (Filter *f, const DssrBicubic *bicubic, const DssrSamples *out)
{
  const int scale = bicubic->scale, step = 4 / scale;
  int16_t taps[2][8];

  for (int part = 0; part < 4; part++) {
    int8_t near[16], far[16];

    for (int i = 0; i < 4; i++) {
      const int position = 16 * (i % scale) / scale + (bicubic->phase_x & 15);
      const int pixel = scale == 4 ? part : part % 2 * step + i / scale;
      const int column = pixel + (position >> 4);

      for (int j = 0; j < 4; j++) {
        near[4 * i + j] = 2 * column + j;
        far[4 * i + j] = 2 * column + j + 4;
      }
      for (int j = 0; j < 2; j++) {
        taps[0][2 * i + j] = dssr_bicubic_taps[position & 15][j];
        taps[1][2 * i + j] = dssr_bicubic_taps[position & 15][j + 2];
      }
    }
    f->near[part] = _mm_loadu_si128 ((const __m128i *)near);
    f->far[part] = _mm_loadu_si128 ((const __m128i *)far);
  }
  f->near_taps = _mm_loadu_si128 ((const __m128i *)taps[0]);
  f->far_taps = _mm_loadu_si128 ((const __m128i *)taps[1]);
  f->shift = 21 - out->depth;
  f->max = (1 << out->depth) - 1;
  f->left = out->shift;
}

/* The block's columns at a vertical position. */
static void
filter_columns (int16_t *restrict columns, Window *w, int position)
{
  const int16_t *taps = dssr_bicubic_taps[position & 15];
  const int first = (position >> 4) - 1;
  const int shift = w->in->depth - 7;
  const __m128i count = _mm_cvtsi32_si128 (shift);
  const Vec round = VEC (set1_epi32) (round_of (shift));
  const Vec above = vec_word_pairs (taps[0], taps[1]);
  const Vec below = vec_word_pairs (taps[2], taps[3]);

  for (; w->next < first + 4; w->next++)
    load_samples (w->rows[w->next & 3], w->in, w->first, w->n, w->next);

  for (int x = 0; x < w->n; x += VEC_WORDS) {
    const Vec a = vec_load (&w->rows[first & 3][x]);
    const Vec b = vec_load (&w->rows[(first + 1) & 3][x]);
    const Vec c = vec_load (&w->rows[(first + 2) & 3][x]);
    const Vec d = vec_load (&w->rows[(first + 3) & 3][x]);
    const Vec lo =
        VEC (add_epi32) (VEC (madd_epi16) (VEC (unpacklo_epi16) (a, b), above),
            VEC (madd_epi16) (VEC (unpacklo_epi16) (c, d), below));
    const Vec hi =
        VEC (add_epi32) (VEC (madd_epi16) (VEC (unpackhi_epi16) (a, b), above),
            VEC (madd_epi16) (VEC (unpackhi_epi16) (c, d), below));

    vec_store (columns + x,
        VEC (packs_epi32) (VEC (sra_epi32) (VEC (add_epi32) (lo, round), count),
            VEC (sra_epi32) (VEC (add_epi32) (hi, round), count)));
  }
}

/* A vector's outputs: bytes, or if `deep` twice as many words. `residual` may
 * be NULL. */
DSSR_INLINE void
filter_part (void *dst, const Filter *f, const int16_t *columns,
    const int16_t *residual, int scale, bool deep)
{
  const Vec near_taps = vec_repeat (f->near_taps);
  const Vec far_taps = vec_repeat (f->far_taps);
  const __m128i count = _mm_cvtsi32_si128 (f->shift);
  const int round = round_of (f->shift);
  Vec window[2], extra[2], v[4];

  if (scale == 4) {
    window[0] = window[1] = vec_load_windows (columns);
  } else {
    window[0] = vec_load (columns);
    window[1] = vec_load (columns + 4);
  }
  if (residual)
    vec_split_lanes (
        extra, vec_load (residual), vec_load (residual + VEC_WORDS));

  for (int i = 0; i < 4; i++) {
    const Vec w = window[i / 2];
    Vec sum = VEC (set1_epi32) (round);

    if (residual) {
      const Vec one = VEC (set1_epi16) (1);
      const Vec r = i % 2 ? VEC (unpackhi_epi16) (extra[i / 2], one)
                          : VEC (unpacklo_epi16) (extra[i / 2], one);
      sum = VEC (madd_epi16) (r, vec_word_pairs (128, round));
    }
    sum = VEC (add_epi32) (sum,
        VEC (add_epi32) (
            VEC (madd_epi16) (
                VEC (shuffle_epi8) (w, vec_repeat (f->near[i])), near_taps),
            VEC (madd_epi16) (
                VEC (shuffle_epi8) (w, vec_repeat (f->far[i])), far_taps)));
    v[i] = VEC (sra_epi32) (sum, count);
  }

  const Vec a = VEC (packs_epi32) (v[0], v[1]);
  const Vec b = VEC (packs_epi32) (v[2], v[3]);
  if (deep) {
    const Vec zero = VEC (set1_epi16) (0), max = VEC (set1_epi16) (f->max);
    const __m128i left = _mm_cvtsi32_si128 (f->left);
    Vec joined[2];

    vec_join_lanes (joined, a, b);
    for (int i = 0; i < 2; i++)
      vec_store ((uint16_t *)dst + i * VEC_WORDS,
          VEC (sll_epi16) (
              VEC (min_epi16) (VEC (max_epi16) (joined[i], zero), max), left));
  } else {
    vec_store (dst, VEC (packus_epi16) (a, b));
  }
}

/* n outputs of a row. */
DSSR_INLINE void
filter_row (void *dst, const Filter *f, const int16_t *columns,
    const int16_t *residual, int n, int scale, bool deep)
{
  const int bytes = deep ? 2 : 1;
  char *p = dst;
  int x = 0;

  for (; x <= n - VEC_BYTES; x += VEC_BYTES)
    filter_part (p + bytes * x, f, columns + x / scale,
        residual ? residual + x : NULL, scale, deep);
  if (x < n) {
    uint16_t rest[VEC_BYTES];
    filter_part (rest, f, columns + x / scale, residual ? residual + x : NULL,
        scale, deep);
    memcpy (p + bytes * x, rest, bytes * (n - x));
  }
}

static void
filter_row_any (void *dst, const Filter *f, const int16_t *columns,
    const int16_t *residual, int n, int scale, bool deep)
{
#define CASE(deep_)                                                            \
  if (deep == deep_) {                                                         \
    if (scale == 2 && residual)                                                \
      filter_row (dst, f, columns, residual, n, 2, deep_);                     \
    else if (scale == 2)                                                       \
      filter_row (dst, f, columns, NULL, n, 2, deep_);                         \
    else if (residual)                                                         \
      filter_row (dst, f, columns, residual, n, 4, deep_);                     \
    else                                                                       \
      filter_row (dst, f, columns, NULL, n, 4, deep_);                         \
  }
  CASE (false)
  CASE (true)
#undef CASE
}

#ifdef __AVX512BW__

/* As many samples of `bytes` bytes as there are in 32 bytes, or n if that is
 * less, with as many bytes between them. */
DSSR_INLINE void
store_every_second (char *row, __m256i samples, int n, int bytes)
{
  const __mmask64 first = UINT64_MAX >> (64 - min_int (2 * bytes * n, 64));

  if (bytes == 1)
    _mm512_mask_storeu_epi8 (
        row, first & 0x5555555555555555, _mm512_cvtepu8_epi16 (samples));
  else
    _mm512_mask_storeu_epi8 (
        row, first & 0x3333333333333333, _mm512_cvtepu16_epi32 (samples));
}

#endif

/* Writes n samples that are not side by side; what lies between them may be
 * another thread's. */
DSSR_INLINE void
store_interleaved (char *row, int step, const char *samples, int n, int bytes)
{
  int i = 0;

#ifdef __AVX512BW__
  if (step == 2 * bytes)
    for (; i < n; i += 32 / bytes)
      store_every_second (row + i * step,
          _mm256_loadu_si256 ((const __m256i *)(samples + i * bytes)), n - i,
          bytes);
#endif
  for (row += i * step; i < n; i++, row += step)
    memcpy (row, samples + i * bytes, bytes);
}

/* The residual of n output pixels from x on of row y, side by side: where it is
 * in the tensor if it is so there, else a copy. */
static const int16_t *
load_residual (int16_t *restrict copy, const DssrTensor *residual, int shuffle,
    int x, int n, int y)
{
  const int channel = y % shuffle * shuffle;
  const int pixels = (n + shuffle - 1) / shuffle;

  if (shuffle == 4)
    return (const int16_t *)tensor_row (residual, channel / 4, y / 4) + x;
  for (int c = 0; c < shuffle; c += 4) {
    const int16_t *src = tensor_row (residual, (channel + c) / 4, y / shuffle);
    src += 4 * (x / shuffle) + channel % 4;
    if (shuffle == 2)
      for (int i = 0; i < pixels; i++)
        memcpy (copy + 2 * i, src + 4 * i, 4);
    else
      for (int i = 0; i < pixels; i++)
        memcpy (copy + shuffle * i + c, src + 4 * i, 8);
  }
  return copy;
}

/* The bicubic values plus the residual, if there is one. */
static void
enlarge (const DssrSamples *out, const DssrSamples *in,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1)
{
  const int scale = bicubic->scale, bytes = out->depth == 8 ? 1 : 2;
  alignas (VEC_BYTES) int16_t columns[ROW];
  alignas (VEC_BYTES) int16_t copy[MAX_SCALE * COLUMNS + VEC_BYTES];
  char line[2 * MAX_SCALE * COLUMNS];
  Filter filter;
  Window w = {.in = in};

  make_filter (&filter, bicubic, out);
  for (int x0 = 0; scale * x0 < out->width; x0 += COLUMNS) {
    const int n = min_int (in->width - x0, COLUMNS);
    const int n_out = min_int (out->width - scale * x0, scale * n);

    w.first = x0 + (bicubic->phase_x >> 4) - 1;
    w.n = n + REACH;
    w.next = ((16 / scale * y0 + bicubic->phase_y) >> 4) - 1;
    for (int y = y0; y < y1; y++) {
      char *row = (char *)out->data + y * out->stride
                  + scale * x0 * (ptrdiff_t)out->step;
      const int16_t *r = NULL;

      filter_columns (columns, &w, 16 / scale * y + bicubic->phase_y);
      if (residual)
        r = load_residual (copy, residual, shuffle, scale * x0, n_out, y);
      if (out->step == bytes) {
        filter_row_any (row, &filter, columns, r, n_out, scale, bytes == 2);
      } else {
        filter_row_any (line, &filter, columns, r, n_out, scale, bytes == 2);
        if (bytes == 1)
          store_interleaved (row, out->step, line, n_out, 1);
        else
          store_interleaved (row, out->step, line, n_out, 2);
      }
    }
  }
}

void
DSSR_KERNEL (bicubic) (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1)
{
  enlarge (out, in, NULL, bicubic, 0, y0, y1);
}

void
DSSR_KERNEL (head) (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1)
{
  enlarge (out, luma, residual, bicubic, shuffle, y0, y1);
}
