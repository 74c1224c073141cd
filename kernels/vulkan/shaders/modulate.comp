#version 460
// Spatial attention: the values in_a times factors that a table has for the gate in_b, plus in_c.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint size;
  uint table_at;
  int zero_v, zero_b, zero, greatest;
  int mult_v, mult_b;
} p;

void
main ()
{
  const ivec2 size = halves (p.size), at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= size.x || at.y >= size.y)
    return;

  const uint pixel = (gl_WorkGroupID.z * size.y + at.y) * size.x + at.x;
  const ivec4 gate = unpack (in_b[pixel]);
  ivec4 factors;
  [[unroll]] for (int l = 0; l < 4; l++)
    factors[l] = look_up (p.table_at, gate[l]);
  const ivec4 v = ((unpack (in_a[pixel]) - p.zero_v) * factors + 2) >> 2;
  const ivec4 b = (unpack (in_c[pixel]) - p.zero_b) * 64;
  const ivec4 sum = ((v * p.mult_v + 0x4000) >> 15) + ((b * p.mult_b + 0x4000) >> 15);
  made[pixel] = pack (clamp (p.zero + ((sum + 16) >> 5), 0, p.greatest));
}
