#version 460
// Luma, or red, green and blue, in_a, in_b and in_c, to the network's input: 8 bits, pixel-unshuffled.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "samples.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint out_size, size; // of each plane
  uint at[3], pitch[3];
  int unshuffle, n_planes;
} p;

uint
plane_word (int plane, uint at)
{
  if (plane == 0)
    return in_a[at];
  if (plane == 1)
    return in_b[at];
  return in_c[at];
}

int
load (int plane, ivec2 at)
{
  const uint row = p.at[plane] + at.y * p.pitch[plane];
  return extract_sample (plane_word (plane, row + word_of_sample (at.x)), at.x);
}

void
main ()
{
  const ivec2 out_size = halves (p.out_size), size = halves (p.size);
  const ivec2 at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= out_size.x || at.y >= out_size.y)
    return;

  const int n_channels = p.unshuffle * p.unshuffle; // of a plane
  ivec4 lanes = ivec4 (0);
  [[unroll]] for (int l = 0; l < 4; l++) {
    const int channel = 4 * int (gl_WorkGroupID.z) + l;
    if (channel >= p.n_planes * n_channels)
      break;
    const int part = channel % n_channels;
    const ivec2 sample_at = at * p.unshuffle + ivec2 (part % p.unshuffle, part / p.unshuffle);
    const int value = load (channel / n_channels, min (sample_at, size - 1));
    lanes[l] = min ((value + rounding (DEPTH - 8)) >> (DEPTH - 8), 255);
  }
  made[(gl_WorkGroupID.z * out_size.y + at.y) * out_size.x + at.x] = pack (lanes);
}
