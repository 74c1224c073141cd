/* Convolution with the instructions that multiply four bytes at a time: USDOT,
 * or SDOT of pixels less 128, which the bias makes up for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/neon/conv.h"

enum {
  PIXEL_BYTES = 4,
  COLUMN_BYTES = 4, /* from a pixel to the next */
  TAP_BYTES = 4,    /* an output channel's weights of a tap and quad */
#ifdef __ARM_FEATURE_MATMUL_INT8
  PIXEL_ZERO = 0,
#else
  PIXEL_ZERO = 128,
#endif
};

/* A weight quad that is there. */
typedef struct {
  int32_t place; /* of its pixels in the buffer, in bytes */
  int8_t weight[4];
} Entry;

#ifdef __ARM_FEATURE_MATMUL_INT8
typedef uint8x16_t Pixels;
#define AS_PIXELS(v) (v)
#define DOT_LANE vusdotq_laneq_s32
#define DOT vusdotq_s32
#else
typedef int8x16_t Pixels;
#define AS_PIXELS vreinterpretq_s8_u8
#define DOT_LANE vdotq_laneq_s32
#define DOT vdotq_s32
#endif

INLINE void
store_pixels (uint8_t *dst, uint32x4_t pixels)
{
  vst1q_u8 (
      dst, veorq_u8 (vreinterpretq_u8_u32 (pixels), vdupq_n_u8 (PIXEL_ZERO)));
}

/* Pixels from src on: n of them and up to seven more. */
static void
load_row (uint8_t *dst, const uint8_t *src, int n, int row)
{
  for (int x = 0; x < n; x += 8, src += 32, dst += 32) {
    const uint8x16_t a = vld1q_u8 (src), b = vld1q_u8 (src + 16);
    store_pixels (dst, vreinterpretq_u32_u8 (a));
    store_pixels (dst + 16, vreinterpretq_u32_u8 (b));
  }
}

/* Every second pixel from src on, and those between from COLUMNS on. */
static void
load_row_2 (uint8_t *dst, const uint8_t *src, int n, int row)
{
  for (int x = 0; x < n; x += 4) {
    const uint32x4x2_t p = vld2q_u32 ((const uint32_t *)(src + 8 * x));
    store_pixels (dst + 4 * x, p.val[0]);
    store_pixels (dst + 4 * (x + COLUMNS), p.val[1]);
  }
}

/* The weights of a tap and quad, of n_channels output channels. */
static void
pack_tap (void *dst, const int8_t *weight, size_t channel, int n_channels)
{
  for (int o = 0; o < n_channels; o++)
    memcpy ((int8_t *)dst + 4 * o, weight + o * channel, 4);
}

/* sum[o * n_vectors + v] += output channel o's weights times the v-th four
 * pixels. */
INLINE void
multiply_tap (int32x4_t *sum, const uint8_t *pixels, const void *weight,
    int row, int n_channels, int n_vectors)
{
  Pixels p[4];

  for (int v = 0; v < n_vectors; v++)
    p[v] = AS_PIXELS (vld1q_u8 (pixels + 16 * v));
  for (int o = 0; o < n_channels; o += 4, sum += 4 * n_vectors) {
    const int8x16_t w = vld1q_s8 ((const int8_t *)weight + 4 * o);
    int32x4_t *s = sum;
    for (int v = 0; v < n_vectors; v++, s++) {
      s[0] = DOT_LANE (s[0], p[v], w, 0);
      s[n_vectors] = DOT_LANE (s[n_vectors], p[v], w, 1);
      s[2 * n_vectors] = DOT_LANE (s[2 * n_vectors], p[v], w, 2);
      s[3 * n_vectors] = DOT_LANE (s[3 * n_vectors], p[v], w, 3);
    }
  }
}

/* sum[v] += an entry's weights times four pixels. */
INLINE void
multiply_entry (
    int32x4_t *sum, const uint8_t *window, const Entry *entry, int row)
{
  const uint8_t *pixels = window + entry->place;
  const int8x16_t w =
      vreinterpretq_s8_s32 (vld1q_dup_s32 ((const int32_t *)entry->weight));

  for (int v = 0; v < PIXELS / 4; v += 4) {
    const uint8x16x4_t p = vld1q_u8_x4 (pixels + 16 * v);
    for (int i = 0; i < 4; i++)
      sum[v + i] = DOT (sum[v + i], AS_PIXELS (p.val[i]), w);
  }
}
