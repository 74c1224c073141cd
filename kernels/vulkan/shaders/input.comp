#version 460
// Luma to the network's input: 8 bits, pixel-unshuffled.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "samples.glsl"

layout (local_size_x = 8, local_size_y = 8) in;

layout (push_constant) uniform Push
{
  uint out_size, luma_size;
  uint at, pitch;
  int unshuffle;
} p;

void
main ()
{
  const ivec2 out_size = halves (p.out_size), luma_size = halves (p.luma_size);
  const ivec2 at = ivec2 (gl_GlobalInvocationID.xy);
  if (at.x >= out_size.x || at.y >= out_size.y)
    return;

  ivec4 lanes = ivec4 (0);
  [[unroll]] for (int l = 0; l < 4; l++) {
    const int channel = 4 * int (gl_WorkGroupID.z) + l;
    if (channel >= p.unshuffle * p.unshuffle)
      break;
    const ivec2 sample_at =
      min (at * p.unshuffle + ivec2 (channel % p.unshuffle, channel / p.unshuffle), luma_size - 1);
    const int value = load_sample (p.at + sample_at.y * p.pitch, sample_at.x);
    lanes[l] = min ((value + rounding (DEPTH - 8)) >> (DEPTH - 8), 255);
  }
  made[(gl_WorkGroupID.z * out_size.y + at.y) * out_size.x + at.x] = pack (lanes);
}
