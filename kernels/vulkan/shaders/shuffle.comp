#version 460
// Pixel shuffle: channels 4c to 4c + 3, which are quad c, become 2x2 pixels of channel c.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint in_size, out_size;
  uint in_quads;
  int zero;
} p;

void
main ()
{
  const ivec2 in_size = halves (p.in_size), out_size = halves (p.out_size);
  const ivec2 at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= out_size.x || at.y >= out_size.y)
    return;

  const ivec2 from = at >> 1;
  const int part = 2 * (at.y & 1) + (at.x & 1);
  ivec4 lanes = ivec4 (p.zero);
  [[unroll]] for (int l = 0; l < 4; l++) {
    const uint quad = 4 * gl_WorkGroupID.z + l;
    if (quad >= p.in_quads)
      break;
    lanes[l] = unpack (in_a[(quad * in_size.y + from.y) * in_size.x + from.x])[part];
  }
  made[(gl_WorkGroupID.z * out_size.y + at.y) * out_size.x + at.x] = pack (lanes);
}
