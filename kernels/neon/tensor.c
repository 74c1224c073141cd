/* Residual add, bilinear doubling and temporal attention.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/neon/modulate.h"
#include "kernels/scalar/common.h"

/* mulhrs ((v - zero) << 6, mult) of eight values. */
#define SCALE(v, zero, mult)                                                   \
  vqrdmulhq_n_s16 (                                                            \
      vshlq_n_s16 (vreinterpretq_s16_u16 (vsubl_u8 (v, zero)), 6), mult)

void
DSSR_KERNEL (add) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrAdd *add, int y0, int y1)
{
  const uint8x8_t zero_a = vdup_n_u8 (add->zero_a);
  const uint8x8_t zero_b = vdup_n_u8 (add->zero_b);
  const int16x8_t zero = vdupq_n_s16 (add->zero);
  const uint8x16_t max = vdupq_n_u8 (add->max);
  const int mult_a = add->mult_a, mult_b = add->mult_b;

  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      uint8_t *dst = tensor_row (out, q, y);
      const uint8_t *pa = tensor_row (a, q, y), *pb = tensor_row (b, q, y);
      for (int i = 0; i < 4 * out->width; i += 16) {
        const uint8x16_t va = vld1q_u8 (pa + i), vb = vld1q_u8 (pb + i);
        const int16x8_t lo =
            vaddq_s16 (SCALE (vget_low_u8 (va), zero_a, mult_a),
                SCALE (vget_low_u8 (vb), zero_b, mult_b));
        const int16x8_t hi =
            vaddq_s16 (SCALE (vget_high_u8 (va), zero_a, mult_a),
                SCALE (vget_high_u8 (vb), zero_b, mult_b));
        const uint8x16_t sum =
            vqmovun_high_s16 (vqmovun_s16 (vrsraq_n_s16 (zero, lo, 5)),
                vrsraq_n_s16 (zero, hi, 5));
        vst1q_u8 (dst + i, vminq_u8 (sum, max));
      }
    }
  }
  fill_margins (out, y0, y1);
}

/* Two pixels mixed vertically: 3 * nearest + other. */
static inline uint16x8_t
mix_rows (const uint8_t *nearest, const uint8_t *other)
{
  return vaddw_u8 (
      vmull_u8 (vld1_u8 (nearest), vdup_n_u8 (3)), vld1_u8 (other));
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
      uint16x8_t before = mix_rows (nearest - 8, other - 8);
      uint16x8_t now = mix_rows (nearest, other);

      for (int x = 0; x < in->width; x += 4) {
        const uint8_t *n = nearest + 4 * x, *o = other + 4 * x;
        const uint16x8_t after = mix_rows (n + 8, o + 8);
        const uint16x8_t last = mix_rows (n + 16, o + 16);
        const uint16x8_t middle = vextq_u16 (now, after, 4);
        const uint16x8_t a = vmulq_n_u16 (now, 3), b = vmulq_n_u16 (after, 3);
        uint32x4x2_t pixels;

        pixels.val[0] = vreinterpretq_u32_u8 (vrshrn_high_n_u16 (
            vrshrn_n_u16 (vaddq_u16 (a, vextq_u16 (before, now, 4)), 4),
            vaddq_u16 (b, middle), 4));
        pixels.val[1] = vreinterpretq_u32_u8 (
            vrshrn_high_n_u16 (vrshrn_n_u16 (vaddq_u16 (a, middle), 4),
                vaddq_u16 (b, vextq_u16 (after, last, 4)), 4));
        vst2q_u32 ((uint32_t *)dst + 2 * x, pixels);
        before = after;
        now = last;
      }
    }
  }
  fill_margins (out, y0, y1);
}

/* The dot products of four pixels' embeddings. */
static inline int32x4_t
embeddings (const DssrTensor *a, const DssrTensor *b, const DssrAttention *att,
    int x, int y)
{
  const uint8x8_t zero_a = vdup_n_u8 (att->zero_a);
  const uint8x8_t zero_b = vdup_n_u8 (att->zero_b);
  int32x4_t dot[4] = {
      vdupq_n_s32 (0), vdupq_n_s32 (0), vdupq_n_s32 (0), vdupq_n_s32 (0)};

  for (int q = 0; q < a->quads; q++) {
    const uint8_t *pa = (const uint8_t *)tensor_row (a, q, y) + 4 * x;
    const uint8_t *pb = (const uint8_t *)tensor_row (b, q, y) + 4 * x;
    const uint8x16_t va = vld1q_u8 (pa), vb = vld1q_u8 (pb);
    const int16x8_t a_lo =
        vreinterpretq_s16_u16 (vsubl_u8 (vget_low_u8 (va), zero_a));
    const int16x8_t b_lo =
        vreinterpretq_s16_u16 (vsubl_u8 (vget_low_u8 (vb), zero_b));
    const int16x8_t a_hi =
        vreinterpretq_s16_u16 (vsubl_u8 (vget_high_u8 (va), zero_a));
    const int16x8_t b_hi =
        vreinterpretq_s16_u16 (vsubl_u8 (vget_high_u8 (vb), zero_b));
    dot[0] = vmlal_s16 (dot[0], vget_low_s16 (a_lo), vget_low_s16 (b_lo));
    dot[1] = vmlal_high_s16 (dot[1], a_lo, b_lo);
    dot[2] = vmlal_s16 (dot[2], vget_low_s16 (a_hi), vget_low_s16 (b_hi));
    dot[3] = vmlal_high_s16 (dot[3], a_hi, b_hi);
  }
  return vpaddq_s32 (vpaddq_s32 (dot[0], dot[1]), vpaddq_s32 (dot[2], dot[3]));
}

/* The attention that sixteen pixels get, in 1/256. */
static uint8x16_t
attend (const DssrTensor *a, const DssrTensor *b, const DssrAttention *att,
    int x, int y)
{
  const int32x4_t round = vdupq_n_s32 (round_of (att->shift));
  const int32x4_t shift = vdupq_n_s32 (-att->shift);
  int16x8_t t[2];

  for (int i = 0; i < 2; i++) {
    const int32x4_t lo =
        vaddq_s32 (embeddings (a, b, att, x + 8 * i, y), round);
    const int32x4_t hi =
        vaddq_s32 (embeddings (a, b, att, x + 8 * i + 4, y), round);
    t[i] = vqrdmulhq_n_s16 (vqmovn_high_s32 (vqmovn_s32 (vshlq_s32 (lo, shift)),
                                vshlq_s32 (hi, shift)),
        att->mult);
  }
  return look_up (att->table, t[0], t[1]);
}

void
DSSR_KERNEL (attention) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrTensor *v, const DssrAttention *attention,
    int y0, int y1)
{
  const uint8x16_t zero = vdupq_n_u8 (attention->zero_v);

  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x += 16) {
      const uint8x16_t m = attend (a, b, attention, x, y);
      const uint8x16_t factors[4] = {
          spread (m, 0), spread (m, 1), spread (m, 2), spread (m, 3)};
      for (int q = 0; q < out->quads; q++) {
        const uint8_t *src = (const uint8_t *)tensor_row (v, q, y) + 4 * x;
        uint8_t *dst = (uint8_t *)tensor_row (out, q, y) + 4 * x;
        for (int k = 0; k < 4; k++)
          vst1q_u8 (dst + 16 * k,
              modulate (vld1q_u8 (src + 16 * k), factors[k], zero));
      }
    }
  }
  fill_margins (out, y0, y1);
}
