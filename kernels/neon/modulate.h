/* Values drawn towards their zero point by a table's factor, for attention and
 * deformable sampling.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <arm_neon.h>

/* table[clamp (i + 128, 0, 255)] of sixteen values. */
static inline uint8x16_t
look_up (const uint8_t *table, int16x8_t lo, int16x8_t hi)
{
  const int8x16_t i = vqmovn_high_s16 (vqmovn_s16 (lo), hi);
  uint8x16_t place = veorq_u8 (vreinterpretq_u8_s8 (i), vdupq_n_u8 (128));
  uint8x16_t value = vdupq_n_u8 (0);

  for (int t = 0; t < 256; t += 64) {
    value = vqtbx4q_u8 (value, vld1q_u8_x4 (table + t), place);
    place = vsubq_u8 (place, vdupq_n_u8 (64));
  }
  return value;
}

/* Bytes 4 * k to 4 * k + 3 of sixteen, each for the four channels of a pixel.
 */
static inline uint8x16_t
spread (uint8x16_t v, int k)
{
  const uint8x16_t first = vreinterpretq_u8_u32 (
      (uint32x4_t){0, 0x01010101, 0x02020202, 0x03030303});
  return vqtbl1q_u8 (v, vaddq_u8 (first, vdupq_n_u8 (4 * k)));
}

/* zero + (((v - zero) * m + 128) >> 8), as (v * m + zero * (256 - m) + 128) >>
 * 8, which stays within 16 bits. */
static inline uint8x16_t
modulate (uint8x16_t v, uint8x16_t m, uint8x16_t zero)
{
  const uint16x8_t base = vshll_n_u8 (vget_low_u8 (zero), 8);
  const uint8x8_t m_lo = vget_low_u8 (m), zero_lo = vget_low_u8 (zero);
  const uint16x8_t lo =
      vmlsl_u8 (vmlal_u8 (base, vget_low_u8 (v), m_lo), zero_lo, m_lo);
  const uint16x8_t hi = vmlsl_high_u8 (vmlal_high_u8 (base, v, m), zero, m);

  return vrshrn_high_n_u16 (vrshrn_n_u16 (lo, 8), hi, 8);
}
