// A sample of a quad, whose plane begins at `from`, at a place in 1/16 pixel. Outside the picture is its
// edge, or zero.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
uint
sample_quad (int bound, uint from, ivec2 place, ivec2 size, int modulation, int zero,
  bool zero_outside)
{
  const uvec2 f = uvec2 (place & 15);
  const ivec2 wanted = place >> 4;
  const ivec2 least = clamp (wanted, ivec2 (0), size - 1);
  const ivec2 next = clamp (wanted + 1, ivec2 (0), size - 1);
  const bvec2 least_out = notEqual (least, wanted), next_out = notEqual (next, wanted + 1);
  const bvec4 outside = bvec4 (least_out.y || least_out.x, least_out.y || next_out.x,
    next_out.y || least_out.x, next_out.y || next_out.x);
  const uvec4 corners = uvec4 (ivec4 (least.y, least.y, next.y, next.y) * size.x
                               + ivec4 (least.x, next.x, least.x, next.x));
  const uvec4 parts = uvec4 ((16 - f.x) * (16 - f.y), f.x * (16 - f.y), (16 - f.x) * f.y, f.x * f.y);
  // Two lanes in a word: a sum is at most 255 * 256 + 128, which is 16 bits.
  uint even = 0x00800080u, odd = 0x00800080u;

  [[unroll]] for (int c = 0; c < 4; c++) {
    const uint v =
      zero_outside && outside[c] ? uint (zero) * 0x01010101u : word (bound, from + corners[c]);
    even += (v & 0x00ff00ffu) * parts[c];
    odd += (v >> 8 & 0x00ff00ffu) * parts[c];
  }
  const ivec4 v = ivec4 (even >> 8 & 255u, odd >> 8 & 255u, even >> 24, odd >> 24);
  return pack (zero + (((v - zero) * modulation + 128) >> 8));
}
