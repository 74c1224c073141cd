#version 460
// Modulated deformable sampling: of the feature in_a by the offsets in_b. One pixel,
// one tap, the quads of one group.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 0) const int KERNEL = 1;

layout (push_constant) uniform Push
{
  uint size; // width, height
  uint table_at;
  uint groups, group_quads;
  int limit, zero;
} p;

// Channel of pixel x of a wide tensor.
int
wide (uint channel, uint pixel, uint plane)
{
  const uint word = in_b[2 * ((channel >> 2) * plane + pixel) + (channel >> 1 & 1)];
  return bitfieldExtract (int (word), int (16 * (channel & 1)), 16);
}

void
main ()
{
  const ivec2 size = halves (p.size), at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= size.x || at.y >= size.y)
    return;

  const uint tap = gl_WorkGroupID.z / p.groups, group = gl_WorkGroupID.z % p.groups;
  const uint part = KERNEL * KERNEL * p.groups, plane = uint (size.x * size.y);
  const uint pixel = uint (at.y * size.x + at.x);
  const ivec2 tap_at = ivec2 (tap % KERNEL, tap / KERNEL) - KERNEL / 2;
  const ivec2 shift = clamp (ivec2 (wide (part + gl_WorkGroupID.z, pixel, plane),
                               wide (gl_WorkGroupID.z, pixel, plane)), -p.limit, p.limit);
  const ivec2 place = 16 * (at + tap_at) + shift;
  const uvec2 f = uvec2 (place & 15);
  const ivec2 least = clamp (place >> 4, ivec2 (0), size - 1);
  const ivec2 next = clamp ((place >> 4) + 1, ivec2 (0), size - 1);
  const uvec4 corners = uvec4 (ivec4 (least.y, least.y, next.y, next.y) * size.x
                               + ivec4 (least.x, next.x, least.x, next.x));
  const uvec4 parts = uvec4 ((16 - f.x) * (16 - f.y), f.x * (16 - f.y), (16 - f.x) * f.y, f.x * f.y);
  const int modulation =
    look_up (p.table_at, clamp (wide (2 * part + gl_WorkGroupID.z, pixel, plane) + 128, 0, 255));

  uint from = group * p.group_quads * plane;
  uint to = (tap * p.groups + group) * p.group_quads * plane + pixel;
  for (uint q = 0; q < p.group_quads; q++, from += plane, to += plane) {
    // Two lanes in a word: a sum is at most 255 * 256 + 128, which is 16 bits.
    uint even = 0x00800080u, odd = 0x00800080u;
    [[unroll]] for (int c = 0; c < 4; c++) {
      const uint v = in_a[from + corners[c]];
      even += (v & 0x00ff00ffu) * parts[c];
      odd += (v >> 8 & 0x00ff00ffu) * parts[c];
    }
    const ivec4 v = ivec4 (even >> 8 & 255u, odd >> 8 & 255u, even >> 24, odd >> 24);
    made[to] = pack (p.zero + (((v - p.zero) * modulation + 128) >> 8));
  }
}
