#version 460
// Pooling 3x3, stride 2: the average, of which what is outside the picture is zero, or the greatest.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint in_size, out_size;
  int average, zero;
} p;

void
main ()
{
  const ivec2 in_size = halves (p.in_size), out_size = halves (p.out_size);
  const ivec2 at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= out_size.x || at.y >= out_size.y)
    return;

  const uint plane = gl_WorkGroupID.z * in_size.x * in_size.y;
  ivec4 sum = ivec4 (0), greatest = ivec4 (0);
  for (int k = 0; k < 9; k++) {
    const ivec2 from = 2 * at + ivec2 (k % 3, k / 3) - 1;
    if (from != clamp (from, ivec2 (0), in_size - 1)) {
      sum += p.zero;
      continue;
    }
    const ivec4 value = unpack (in_a[plane + from.y * in_size.x + from.x]);
    sum += value;
    greatest = max (greatest, value);
  }
  made[(gl_WorkGroupID.z * out_size.y + at.y) * out_size.x + at.x] =
    pack (p.average != 0 ? (2 * sum + 9) / 18 : greatest);
}
