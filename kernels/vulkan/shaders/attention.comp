#version 460
// Temporal attention: of the values in_c by the embeddings in_a and in_b. One pixel, all quads.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint size;
  uint table_at;
  uint embedding_quads, quads;
  int zero_a, zero_b, zero_v;
  int shift, mult;
} p;

void
main ()
{
  const ivec2 size = halves (p.size), at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= size.x || at.y >= size.y)
    return;

  const uint plane = uint (size.x * size.y), pixel = uint (at.y * size.x + at.x);
  ivec4 products = ivec4 (0);
  for (uint q = 0; q < p.embedding_quads; q++)
    products += (unpack (in_a[q * plane + pixel]) - p.zero_a)
                * (unpack (in_b[q * plane + pixel]) - p.zero_b);
  const int sum = products.x + products.y + products.z + products.w;
  const int t = sat16 ((sum + rounding (p.shift)) >> p.shift);
  const int m = look_up (p.table_at, clamp (mulhrs (t, p.mult) + 128, 0, 255));

  for (uint q = 0; q < p.quads; q++) {
    const ivec4 v = unpack (in_c[q * plane + pixel]);
    made[q * plane + pixel] = pack (p.zero_v + (((v - p.zero_v) * m + 128) >> 8));
  }
}
