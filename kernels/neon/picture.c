/* Bicubic enlargement of a plane, and the head: the same of luma, plus the
 * network's residual. Planes have no margins, so a row is made in a buffer and
 * its samples copied.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arm_neon.h>

#include "kernels/scalar/samples.h"

#define INLINE static inline __attribute__ ((always_inline))

enum {
  MAX_SCALE = 4,
  MARGIN = 4, /* columns that a block's taps reach beyond its own */
  VECTOR = 8, /* blocks are rounded up to this */
};

/* What the outputs of a block's row are made of. */
typedef struct {
  int16_t columns[BLOCK + MARGIN + VECTOR]; /* filtered vertically */
  int16_t residual[MAX_SCALE][BLOCK]; /* by the output's place in its pixel */
} Row;

INLINE int16x8_t
filter_column (const int16x8_t *rows, int16x4_t taps, int32x4_t shift)
{
  int32x4_t lo = vmull_lane_s16 (vget_low_s16 (rows[0]), taps, 0);
  int32x4_t hi = vmull_high_lane_s16 (rows[0], taps, 0);

  lo = vmlal_lane_s16 (lo, vget_low_s16 (rows[1]), taps, 1);
  hi = vmlal_high_lane_s16 (hi, rows[1], taps, 1);
  lo = vmlal_lane_s16 (lo, vget_low_s16 (rows[2]), taps, 2);
  hi = vmlal_high_lane_s16 (hi, rows[2], taps, 2);
  lo = vmlal_lane_s16 (lo, vget_low_s16 (rows[3]), taps, 3);
  hi = vmlal_high_lane_s16 (hi, rows[3], taps, 3);
  return vmovn_high_s32 (
      vmovn_s32 (vrshlq_s32 (lo, shift)), vrshlq_s32 (hi, shift));
}

/* The small columns first to first + n - 1, filtered vertically. */
static void
filter_columns (
    int16_t *dst, const DssrSamples *in, int first, int n, int position)
{
  const int16x4_t taps = vld1_s16 (dssr_bicubic_taps[position & 15]);
  const int32x4_t shift = vdupq_n_s32 (7 - in->depth);
  const int y = (position >> 4) - 1, last = in->height - 1;
  int16x8_t rows[4];

  if (in->depth == 8 && in->step == 1 && first >= 0
      && first + n + VECTOR <= in->width) {
    const uint8_t *src[4];
    for (int k = 0; k < 4; k++)
      src[k] = (const uint8_t *)in->data + clamp (y + k, 0, last) * in->stride
               + first;
    for (int x = 0; x < n; x += VECTOR) {
      for (int k = 0; k < 4; k++)
        rows[k] = vreinterpretq_s16_u16 (vmovl_u8 (vld1_u8 (src[k] + x)));
      vst1q_s16 (dst + x, filter_column (rows, taps, shift));
    }
  } else {
    int16_t samples[4][BLOCK + MARGIN + VECTOR];
    for (int k = 0; k < 4; k++)
      load_samples (samples[k], in, first, n, y + k);
    for (int x = 0; x < n; x += VECTOR) {
      for (int k = 0; k < 4; k++)
        rows[k] = vld1q_s16 (samples[k] + x);
      vst1q_s16 (dst + x, filter_column (rows, taps, shift));
    }
  }
}

/* Eight outputs at one place in their pixels, not yet clipped to the depth. */
INLINE uint16x8_t
filter_row (
    const Row *row, int x, int k, int position, int depth, bool residual)
{
  const int16_t *c = row->columns + x + (position >> 4);
  const int16x4_t taps = vld1_s16 (dssr_bicubic_taps[position & 15]);
  int32x4_t lo = vdupq_n_s32 (0), hi = lo;

  if (residual) {
    const int16x8_t r = vld1q_s16 (row->residual[k] + x);
    lo = vshll_n_s16 (vget_low_s16 (r), 7);
    hi = vshll_high_n_s16 (r, 7);
  }
  lo = vmlal_lane_s16 (lo, vld1_s16 (c), taps, 0);
  hi = vmlal_lane_s16 (hi, vld1_s16 (c + 4), taps, 0);
  lo = vmlal_lane_s16 (lo, vld1_s16 (c + 1), taps, 1);
  hi = vmlal_lane_s16 (hi, vld1_s16 (c + 5), taps, 1);
  lo = vmlal_lane_s16 (lo, vld1_s16 (c + 2), taps, 2);
  hi = vmlal_lane_s16 (hi, vld1_s16 (c + 6), taps, 2);
  lo = vmlal_lane_s16 (lo, vld1_s16 (c + 3), taps, 3);
  hi = vmlal_lane_s16 (hi, vld1_s16 (c + 7), taps, 3);
  if (depth == 8)
    return vqrshrun_high_n_s32 (vqrshrun_n_s32 (lo, 13), hi, 13);
  const int32x4_t shift = vdupq_n_s32 (depth - 21);
  return vqmovun_high_s32 (
      vqmovun_s32 (vrshlq_s32 (lo, shift)), vrshlq_s32 (hi, shift));
}

/* Makes the outputs of n pixels, rounded up, as they are stored: bytes or
 * uint16_t side by side. */
INLINE void
filter_rows (void *line, const Row *row, const DssrSamples *out, int scale,
    int phase, int n, bool eight, bool residual)
{
  const int depth = eight ? 8 : out->depth;
  const uint16x8_t max = vdupq_n_u16 ((1 << depth) - 1);
  const int16x8_t shift = vdupq_n_s16 (out->shift);

  for (int x = 0; x < n; x += VECTOR) {
    uint16x8_t v[MAX_SCALE];
    for (int k = 0; k < scale; k++)
      v[k] = filter_row (
          row, x, k, 16 * k / scale + (phase & 15), depth, residual);
    if (eight && scale == 2) {
      const uint8x8x2_t q = {{vqmovn_u16 (v[0]), vqmovn_u16 (v[1])}};
      vst2_u8 ((uint8_t *)line + 2 * x, q);
    } else if (eight) {
      const uint8x8x4_t q = {{vqmovn_u16 (v[0]), vqmovn_u16 (v[1]),
          vqmovn_u16 (v[2]), vqmovn_u16 (v[3])}};
      vst4_u8 ((uint8_t *)line + 4 * x, q);
    } else {
      for (int k = 0; k < scale; k++)
        v[k] = vshlq_u16 (vminq_u16 (v[k], max), shift);
      const uint16x8x2_t two = {{v[0], v[1]}};
      const uint16x8x4_t four = {{v[0], v[1], v[2], v[3]}};
      if (scale == 2)
        vst2q_u16 ((uint16_t *)line + 2 * x, two);
      else
        vst4q_u16 ((uint16_t *)line + 4 * x, four);
    }
  }
}

/* Copies n samples of a line to row y of the plane, from column x on. */
static void
store_line (const DssrSamples *out, const void *line, int x, int n, int y)
{
  const int bytes = out->depth == 8 ? 1 : 2, step = out->step;
  char *dst = (char *)out->data + y * out->stride + x * (ptrdiff_t)step;

  if (step == bytes)
    memcpy (dst, line, (size_t)n * bytes);
  else if (bytes == 1)
    for (int i = 0; i < n; i++)
      dst[(ptrdiff_t)i * step] = ((const char *)line)[i];
  else
    for (int i = 0; i < n; i++)
      memcpy (dst + (ptrdiff_t)i * step, (const char *)line + 2 * i, 2);
}

/* Outputs of row y, n small pixels from column x0 on, of which the plane has
 * n_out. */
INLINE void
enlarge (const DssrSamples *out, const DssrSamples *in, Row *row,
    const DssrBicubic *bicubic, int x0, int n, int n_out, int y, bool residual)
{
  const int scale = bicubic->scale, phase = bicubic->phase_x;
  uint16_t line[MAX_SCALE * BLOCK];

  filter_columns (row->columns, in, x0 + (phase >> 4) - 1, n + MARGIN,
      16 / scale * y + bicubic->phase_y);
  if (out->depth == 8 && scale == 2)
    filter_rows (line, row, out, 2, phase, n, true, residual);
  else if (out->depth == 8)
    filter_rows (line, row, out, 4, phase, n, true, residual);
  else if (scale == 2)
    filter_rows (line, row, out, 2, phase, n, false, residual);
  else
    filter_rows (line, row, out, 4, phase, n, false, residual);
  store_line (out, line, scale * x0, n_out, y);
}

void
DSSR_KERNEL (bicubic) (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1)
{
  const int scale = bicubic->scale;
  Row row;

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; scale * x0 < out->width; x0 += BLOCK) {
      const int n = min_int (in->width - x0, BLOCK);
      const int n_out = min_int (out->width - scale * x0, scale * n);
      enlarge (out, in, &row, bicubic, x0, n, n_out, y, false);
    }
  }
}

/* The residual of output row y, by the output's place in its pixel: n pixels
 * from column x0 on. */
static void
load_residual (Row *row, const DssrTensor *residual, int shuffle, int scale,
    int x0, int n, int y)
{
  const int channel = y % shuffle * shuffle;

  if (shuffle == scale) {
    const int16_t *r = tensor_row (residual, channel >> 2, y / shuffle);
    for (int x = 0; x < n; x += VECTOR) {
      const int16x8x4_t v = vld4q_s16 (r + 4 * (x0 + x));
      for (int k = 0; k < 4; k++)
        vst1q_s16 (row->residual[k] + x, v.val[k]);
    }
    if (channel & 3)
      memcpy (row->residual[0], row->residual[2], 2 * sizeof row->residual[0]);
    return;
  }
  for (int x = 0; x < n; x++) {
    const int first = scale * (x0 + x) % shuffle + channel;
    const int16_t *r = tensor_row (residual, first >> 2, y / shuffle);
    r += 4 * (scale * (x0 + x) / shuffle) + (first & 3);
    for (int k = 0; k < scale; k++)
      row->residual[k][x] = r[k];
  }
}

void
DSSR_KERNEL (head) (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1)
{
  const int scale = bicubic->scale;
  Row row;

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < luma->width; x0 += BLOCK) {
      const int n = min_int (luma->width - x0, BLOCK);
      load_residual (&row, residual, shuffle, scale, x0, n, y);
      enlarge (out, luma, &row, bicubic, x0, n, scale * n, y, true);
    }
  }
}
