#version 460
// The sum of two tensors of different scales.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint size;
  int zero_a, zero_b, zero, greatest;
  int mult_a, mult_b;
} p;

void
main ()
{
  const ivec2 size = halves (p.size), at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= size.x || at.y >= size.y)
    return;

  const uint pixel = (gl_WorkGroupID.z * size.y + at.y) * size.x + at.x;
  const ivec4 a = (unpack (in_a[pixel]) - p.zero_a) * 64;
  const ivec4 b = (unpack (in_b[pixel]) - p.zero_b) * 64;
  const ivec4 sum = ((a * p.mult_a + 0x4000) >> 15) + ((b * p.mult_b + 0x4000) >> 15);
  made[pixel] = pack (clamp (p.zero + ((sum + 16) >> 5), 0, p.greatest));
}
