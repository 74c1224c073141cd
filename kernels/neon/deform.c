/* Modulated deformable sampling. Rows and columns fit into 16 bits, and two
 * neighbours in a row are one load of 64 bits: the margins hold the pixels
 * beside the picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/neon/modulate.h"
#include "kernels/scalar/common.h"

enum { PIXELS = 16 };

/* Where sixteen pixels sample: the places of the left neighbours in a quad, in
 * bytes; where between the four they lie, in 1/16; the modulation. */
typedef struct {
  int32_t top[PIXELS], below[PIXELS];
  uint8_t fx[PIXELS], fy[PIXELS], m[PIXELS];
} Samples;

/* One wide channel of eight pixels. */
static inline int16x8_t
load_channel (const DssrTensor *t, int channel, int x, int y)
{
  const uint64_t *p = (const uint64_t *)tensor_row (t, channel >> 2, y) + x;
  const int64x2_t shift = vdupq_n_s64 (-16 * (channel & 3));
  uint32x4_t pair[2];

  for (int i = 0; i < 2; i++, p += 4)
    pair[i] = vmovn_high_u64 (vmovn_u64 (vshlq_u64 (vld1q_u64 (p), shift)),
        vshlq_u64 (vld1q_u64 (p + 2), shift));
  return vreinterpretq_s16_u16 (vmovn_high_u32 (vmovn_u32 (pair[0]), pair[1]));
}

static inline int16x8_t
clamp_s16 (int16x8_t v, int lo, int hi)
{
  return vminq_s16 (vmaxq_s16 (v, vdupq_n_s16 (lo)), vdupq_n_s16 (hi));
}

/* Stores the places of eight pixels. */
static inline void
store_places (int32_t *dst, int16x8_t x, int16x8_t y, int stride)
{
  const int16x8_t row = vdupq_n_s16 (stride / 4);
  const int32x4_t lo = vmlal_s16 (
      vmovl_s16 (vget_low_s16 (x)), vget_low_s16 (y), vget_low_s16 (row));
  const int32x4_t hi = vmlal_high_s16 (vmovl_high_s16 (x), y, row);

  vst1q_s32 (dst, vshlq_n_s32 (lo, 2));
  vst1q_s32 (dst + 4, vshlq_n_s32 (hi, 2));
}

static inline void
store_fractions (uint8_t *dst, int16x8_t offset)
{
  vst1_u8 (dst,
      vand_u8 (vmovn_u16 (vreinterpretq_u16_s16 (offset)), vdup_n_u8 (15)));
}

static void
locate (Samples *s, const DssrTensor *feature, const DssrTensor *offset,
    const DssrDeform *d, int tap, int group, int x0, int y)
{
  static const int16_t steps[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const int taps = d->kernel * d->kernel;
  const int channel = tap * d->groups + group, part = taps * d->groups;
  const int tap_y = tap / d->kernel - d->kernel / 2;
  const int tap_x = tap % d->kernel - d->kernel / 2;
  const int bottom = feature->height - 1;
  const int16x8_t rows = vdupq_n_s16 (feature->ring - 1);
  int16x8_t m[2];

  for (int i = 0; i < 2; i++) {
    const int x = x0 + 8 * i;
    const int16x8_t dy =
        clamp_s16 (load_channel (offset, channel, x, y), -d->limit, d->limit);
    const int16x8_t dx = clamp_s16 (
        load_channel (offset, channel + part, x, y), -d->limit, d->limit);
    const int16x8_t column =
        vaddq_s16 (vdupq_n_s16 (x + tap_x), vld1q_s16 (steps));
    /* Left of -1 and right of the last column both neighbours are the edge. */
    const int16x8_t left =
        clamp_s16 (vsraq_n_s16 (column, dx, 4), -1, feature->width - 1);
    const int16x8_t top = vsraq_n_s16 (vdupq_n_s16 (y + tap_y), dy, 4);

    m[i] = load_channel (offset, channel + 2 * part, x, y);
    store_places (s->top + 8 * i, left,
        vandq_s16 (clamp_s16 (top, 0, bottom), rows), feature->stride);
    store_places (s->below + 8 * i, left,
        vandq_s16 (
            clamp_s16 (vaddq_s16 (top, vdupq_n_s16 (1)), 0, bottom), rows),
        feature->stride);
    store_fractions (s->fx + 8 * i, dx);
    store_fractions (s->fy + 8 * i, dy);
  }
  vst1q_u8 (s->m, look_up (d->table, m[0], m[1]));
}

/* Four pixels of two channels' neighbours mixed horizontally, in 1/16. */
static inline uint16x8x2_t
mix_columns (const uint8_t *src, const int32_t *place, uint8x16_t fx)
{
  const uint32x4_t a = vreinterpretq_u32_u8 (
      vcombine_u8 (vld1_u8 (src + place[0]), vld1_u8 (src + place[1])));
  const uint32x4_t b = vreinterpretq_u32_u8 (
      vcombine_u8 (vld1_u8 (src + place[2]), vld1_u8 (src + place[3])));
  const uint8x16_t left = vreinterpretq_u8_u32 (vuzp1q_u32 (a, b));
  const uint8x16_t right = vreinterpretq_u8_u32 (vuzp2q_u32 (a, b));
  const uint8x16_t rest = vsubq_u8 (vdupq_n_u8 (16), fx);

  return (uint16x8x2_t){
      {vmlal_u8 (vmull_u8 (vget_low_u8 (left), vget_low_u8 (rest)),
           vget_low_u8 (right), vget_low_u8 (fx)),
          vmlal_high_u8 (vmull_high_u8 (left, rest), right, fx)}};
}

static void
sample (uint8_t *dst, const uint8_t *src, const Samples *s, int zero)
{
  const uint8x16_t fx = vld1q_u8 (s->fx), fy = vld1q_u8 (s->fy);
  const uint8x16_t m = vld1q_u8 (s->m);

  for (int k = 0; k < PIXELS / 4; k++) {
    const uint8x16_t fx4 = spread (fx, k), fy4 = spread (fy, k);
    const uint8x16_t rest = vsubq_u8 (vdupq_n_u8 (16), fy4);
    const uint16x8x2_t top = mix_columns (src, s->top + 4 * k, fx4);
    const uint16x8x2_t below = mix_columns (src, s->below + 4 * k, fx4);
    const uint16x8_t lo =
        vmlaq_u16 (vmulq_u16 (top.val[0], vmovl_u8 (vget_low_u8 (rest))),
            below.val[0], vmovl_u8 (vget_low_u8 (fy4)));
    const uint16x8_t hi =
        vmlaq_u16 (vmulq_u16 (top.val[1], vmovl_high_u8 (rest)), below.val[1],
            vmovl_high_u8 (fy4));
    const uint8x16_t v = vrshrn_high_n_u16 (vrshrn_n_u16 (lo, 8), hi, 8);
    vst1q_u8 (dst + 16 * k, modulate (v, spread (m, k), vdupq_n_u8 (zero)));
  }
}

void
DSSR_KERNEL (deform) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  const int taps = deform->kernel * deform->kernel;
  const int quads = feature->quads / deform->groups;
  Samples samples;

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < out->width; x0 += PIXELS) {
      for (int tap = 0; tap < taps; tap++) {
        for (int g = 0; g < deform->groups; g++) {
          locate (&samples, feature, offset, deform, tap, g, x0, y);
          for (int i = g * quads; i < (g + 1) * quads; i++) {
            uint8_t *dst = tensor_row (out, tap * feature->quads + i, y);
            sample (dst + 4 * x0, tensor_row (feature, i, 0), &samples,
                deform->zero);
          }
        }
      }
    }
  }
  fill_margins (out, y0, y1);
}
