#version 460
// Twice as large, bilinear.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint in_size, out_size;
} p;

void
main ()
{
  const ivec2 in_size = halves (p.in_size), out_size = halves (p.out_size);
  const ivec2 at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= out_size.x || at.y >= out_size.y)
    return;

  const ivec2 near = at >> 1;
  const ivec2 far = clamp (near + 2 * (at & 1) - 1, ivec2 (0), in_size - 1);
  const uint plane = gl_WorkGroupID.z * in_size.x * in_size.y;
  const ivec4 n = unpack (in_a[plane + near.y * in_size.x + near.x]);
  const ivec4 h = unpack (in_a[plane + near.y * in_size.x + far.x]);
  const ivec4 v = unpack (in_a[plane + far.y * in_size.x + near.x]);
  const ivec4 d = unpack (in_a[plane + far.y * in_size.x + far.x]);
  made[(gl_WorkGroupID.z * out_size.y + at.y) * out_size.x + at.x] =
    pack ((9 * n + 3 * h + 3 * v + d + 8) >> 4);
}
