#version 460
// A feature shifted by whole pixels.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint size;
  int x, y;
} p;

void
main ()
{
  const ivec2 size = halves (p.size), at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= size.x || at.y >= size.y)
    return;

  const uint plane = gl_WorkGroupID.z * size.x * size.y;
  const ivec2 from = clamp (at + ivec2 (p.x, p.y), ivec2 (0), size - 1);
  made[plane + at.y * size.x + at.x] = in_a[plane + from.y * size.x + from.x];
}
