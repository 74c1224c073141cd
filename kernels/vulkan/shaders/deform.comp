#version 460
// Modulated deformable sampling: of the feature in_a by the offsets in_b. One pixel,
// one tap, the quads of one group.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

uint
word (int bound, uint at)
{
  return in_a[at];
}

#include "sample.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 0) const int KERNEL = 1;
layout (constant_id = 1) const bool ZERO_OUTSIDE = false;

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
  const int modulation =
    look_up (p.table_at, clamp (wide (2 * part + gl_WorkGroupID.z, pixel, plane) + 128, 0, 255));

  uint from = group * p.group_quads * plane;
  uint to = (tap * p.groups + group) * p.group_quads * plane + pixel;
  for (uint q = 0; q < p.group_quads; q++, from += plane, to += plane)
    made[to] = sample_quad (0, from, place, size, modulation, p.zero, ZERO_OUTSIDE);
}
