#version 460
// A curve and local contrast, in place. A group makes the outputs of one square of 8x8 small samples,
// from the means of this and the eight around it.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#define MADE_ACCESS restrict
#include "common.glsl"
#include "samples.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 2) const int SCALE = 2;

layout (push_constant) uniform Push
{
  uint out_size, in_size;
  uint out_at, in_at;
  uint out_pitch, in_pitch;
  int black, range;
  int lift, gain, limit;
} p;

const int UP = 12 - DEPTH, SIDE = 8 * SCALE, FOURS = SIDE / 4;

shared int sums[9];

// The mean at output i of a square, between those of the squares before, at and after it.
int
spline (ivec3 means, int i)
{
  const int a = (2 * i + 1) * 4 / SCALE;
  const int w0 = (64 - a) * (64 - a), w2 = a * a;
  return (w0 * means.x + (8192 - w0 - w2) * means.y + w2 * means.z + 4096) >> 13;
}

int
adjust (int value, int mean)
{
  const int e = value << UP;
  const int s = clamp (e - p.black, 0, p.range);
  const int curve = ((s * (p.range - s) >> 8) * p.lift + (1 << 19)) >> 20;
  const int local = clamp (((e - mean) * p.gain + 128) >> 8, -p.limit, p.limit);
  const int t = clamp (e + curve + local, min (e, p.black), max (e, p.black + p.range));
  return (t + rounding (UP)) >> UP;
}

void
main ()
{
  const ivec2 out_size = halves (p.out_size), in_size = halves (p.in_size);
  const ivec2 square = ivec2 (gl_WorkGroupID.xy);
  const int own = int (gl_LocalInvocationIndex);

  if (own < 9)
    sums[own] = 0;
  barrier ();
  [[unroll]] for (int k = 0; k < 9; k++) {
    const ivec2 other = clamp (square + ivec2 (k % 3, k / 3) - 1, ivec2 (0), (in_size - 1) >> 3);
    const ivec2 at = min (8 * other + ivec2 (gl_LocalInvocationID.xy), in_size - 1);
    atomicAdd (sums[k], load_sample (p.in_at + p.in_pitch * uint (at.y), at.x));
  }
  barrier ();

  int means[9];
  [[unroll]] for (int k = 0; k < 9; k++)
    means[k] = (sums[k] + rounding (DEPTH - 6)) >> (DEPTH - 6);

  for (int i = own; i < SIDE * FOURS; i += 64) {
    const int column = 4 * (i % FOURS), row = i / FOURS;
    const int x = SIDE * square.x + column, y = SIDE * square.y + row;
    if (x >= out_size.x || y >= out_size.y)
      continue;
    ivec3 across;
    [[unroll]] for (int k = 0; k < 3; k++)
      across[k] = spline (ivec3 (means[k], means[3 + k], means[6 + k]), row);

    // A row may end in the middle of four samples, and what follows it is not ours.
    const bool whole = DEPTH == 8 || x + 2 < out_size.x;
    const uint at = p.out_at + uint (y) * p.out_pitch + uint (DEPTH == 8 ? x / 4 : x / 2);
    ivec4 samples;
    if (DEPTH == 8)
      samples = unpack (made[at]);
    else
      samples = min (ivec4 (halves (made[at]), whole ? halves (made[at + 1]) : ivec2 (0)) >> SHIFT,
        MAX_SAMPLE);
    [[unroll]] for (int k = 0; k < 4; k++)
      samples[k] = adjust (samples[k], spline (across, column + k));
    if (DEPTH == 8) {
      made[at] = pack (samples);
    } else {
      const uvec2 words = pack_wide (samples << SHIFT);
      made[at] = words.x;
      if (whole)
        made[at + 1] = words.y;
    }
  }
}
