/* Convolution for Armv8.0, which has no dot product: the channels of a pixel
 * are kept apart, in 16 bits, and each is multiplied by one weight (SMLAL).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/neon/conv.h"

enum {
  PIXEL_BYTES = 8,
  COLUMN_BYTES = 2, /* from a pixel to the next of the same channel */
  TAP_BYTES = 8,    /* an output channel's weights of a tap and quad */
  PIXEL_ZERO = 0,
};

/* A weight quad that is there. */
typedef struct {
  int32_t place; /* of its pixels in the buffer, in bytes */
  int16_t weight[4];
} Entry;

/* Pixels from src on: n of them and up to seven more; `row` is the length of a
 * channel's row. */
static void
load_row (uint8_t *dst, const uint8_t *src, int n, int row)
{
  uint16_t *d = (uint16_t *)dst;

  for (int x = 0; x < n; x += 8) {
    const uint8x8x4_t p = vld4_u8 (src + 4 * x);
    for (int c = 0; c < 4; c++)
      vst1q_u16 (d + c * row + x, vmovl_u8 (p.val[c]));
  }
}

/* Every second pixel from src on, and those between from COLUMNS on. */
static void
load_row_2 (uint8_t *dst, const uint8_t *src, int n, int row)
{
  uint16_t *d = (uint16_t *)dst;

  for (int x = 0; x < n; x += 8) {
    const uint8x16x4_t p = vld4q_u8 (src + 8 * x);
    for (int c = 0; c < 4; c++) {
      const uint16x8_t pair = vreinterpretq_u16_u8 (p.val[c]);
      vst1q_u16 (d + c * row + x, vandq_u16 (pair, vdupq_n_u16 (255)));
      vst1q_u16 (d + c * row + x + COLUMNS, vshrq_n_u16 (pair, 8));
    }
  }
}

/* The weights of a tap and quad, of n_channels output channels. */
static void
pack_tap (void *dst, const int8_t *weight, size_t channel, int n_channels)
{
  for (int c = 0; c < 4; c++)
    for (int o = 0; o < n_channels; o++)
      ((int16_t *)dst)[c * n_channels + o] = weight[o * channel + c];
}

/* Two vectors of sums += eight pixels of a channel times one weight. */
#define MULTIPLY(s, p, w, lane)                                                \
  do {                                                                         \
    (s)[0] = vmlal_lane_s16 ((s)[0], vget_low_s16 (p), w, lane);               \
    (s)[1] = vmlal_high_lane_s16 ((s)[1], p, w, lane);                         \
  } while (0)

/* sum[o * n_vectors + v] += output channel o's weights times the v-th four
 * pixels; n_vectors is even. */
INLINE void
multiply_tap (int32x4_t *sum, const uint8_t *pixels, const void *weight,
    int row, int n_channels, int n_vectors)
{
  for (int c = 0; c < 4; c++) {
    const int16_t *src = (const int16_t *)pixels + c * row;
    const int16_t *w = (const int16_t *)weight + c * n_channels;
    for (int v = 0; v < n_vectors; v += 2) {
      const int16x8_t p = vld1q_s16 (src + 4 * v);
      for (int o = 0; o < n_channels; o += 4) {
        const int16x4_t lanes = vld1_s16 (w + o);
        int32x4_t *s = sum + o * n_vectors + v;
        MULTIPLY (s, p, lanes, 0);
        MULTIPLY (s + n_vectors, p, lanes, 1);
        MULTIPLY (s + 2 * n_vectors, p, lanes, 2);
        MULTIPLY (s + 3 * n_vectors, p, lanes, 3);
      }
    }
  }
}

/* sum[v] += an entry's weights times four pixels. */
INLINE void
multiply_entry (
    int32x4_t *sum, const uint8_t *window, const Entry *entry, int row)
{
  const int16_t *pixels = (const int16_t *)(window + entry->place);
  const int16x4_t w = vld1_s16 (entry->weight);

  for (int v = 0; v < PIXELS / 4; v += 2) {
    const int16_t *p = pixels + 4 * v;
    MULTIPLY (sum + v, vld1q_s16 (p), w, 0);
    MULTIPLY (sum + v, vld1q_s16 (p + row), w, 1);
    MULTIPLY (sum + v, vld1q_s16 (p + 2 * row), w, 2);
    MULTIPLY (sum + v, vld1q_s16 (p + 3 * row), w, 3);
  }
}
