#version 460
// Convolution: several pixels of a row by several output quads.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "dot.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 0) const int KERNEL = 3;
layout (constant_id = 1) const int STRIDE = 1;
layout (constant_id = 2) const int PIXELS = 4;
layout (constant_id = 3) const int QUADS = 2;
layout (constant_id = 4) const bool WIDE = false;
layout (constant_id = 5) const int INPUTS = 1; // 4: or more
#ifdef SPARSE
layout (constant_id = 6) const int QUADS_A = 1; // of each input
layout (constant_id = 7) const int QUADS_B = 0;
layout (constant_id = 8) const int QUADS_C = 0;
layout (constant_id = 9) const int QUADS_D = 0;
#include "conv-mask.glsl"
#endif

layout (push_constant) uniform Push
{
  uint in_size, out_size; // width, height
  uint params_at, weights_at;
  uint in_quads; // of all inputs
  uint quantise; // shift, zero << 8, max << 16
  uint n_in;
  uint in_at[13]; // where in in_d the inputs from the fourth on begin
  uint quads[8];  // of each input, two in a word
} p;

const int TAPS = KERNEL * KERNEL;
const int MAX_PIXELS = 4, MAX_QUADS = 4;
const int COLUMNS = (PIXELS - 1) * STRIDE + KERNEL, MAX_COLUMNS = (MAX_PIXELS - 1) * 2 + 3;

// Before the weights, bias, product and the other product of the activation of each output quad.
ivec4
requantise (ivec4 acc, uint params)
{
  const int shift = int (p.quantise & 255u);
  const ivec4 mult = ivec4 (weights[params + 1]), other = ivec4 (weights[params + 2]);
  const ivec4 t = clamp ((acc + rounding (shift)) >> shift, -32768, 32767);
  const ivec4 y = max ((t * mult + 0x4000) >> 15, (t * other + 0x4000) >> 15);

  if (WIDE)
    return clamp (y, -32768, 32767);
  return clamp (y + int (p.quantise >> 8 & 255u), 0, int (p.quantise >> 16));
}

uint
quads (uint i)
{
  return p.quads[i >> 1] >> 16 * (i & 1) & 0xffffu;
}

void
main ()
{
  const ivec2 in_size = halves (p.in_size), out_size = halves (p.out_size);
  const int x0 = PIXELS * int (gl_GlobalInvocationID.x), y = int (gl_GlobalInvocationID.y);
  const uint quad0 = QUADS * gl_WorkGroupID.z;

  if (x0 >= out_size.x || y >= out_size.y)
    return;

  ivec4 acc[MAX_QUADS][MAX_PIXELS];
  [[unroll]] for (int q = 0; q < QUADS; q++)
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      acc[q][i] = ivec4 (weights[p.params_at + 3 * (quad0 + q)]);

  int columns[MAX_COLUMNS];
  [[unroll]] for (int c = 0; c < COLUMNS; c++)
    columns[c] = clamp (x0 * STRIDE + c - KERNEL / 2, 0, in_size.x - 1);
  int rows[3];
  [[unroll]] for (int r = 0; r < KERNEL; r++)
    rows[r] = clamp (y * STRIDE + r - KERNEL / 2, 0, in_size.y - 1) * in_size.x;

  const uint plane = uint (in_size.x * in_size.y);
  const uint out_quads_step = p.in_quads * TAPS;
  uint w = p.weights_at + quad0 * out_quads_step, at = 0;
#ifdef SPARSE
  const uint mask[32] = MASK;
  int bit = 0;
#define COUNT(input, known) const int n = known
#else
#define COUNT(input, known) const uint n = quads (input)
#endif
  {
    COUNT (0, QUADS_A);
#define SOURCE in_a
#include "conv-input.glsl"
#undef SOURCE
  }
  if (INPUTS > 1) {
    COUNT (1, QUADS_B);
    at = 0;
#define SOURCE in_b
#include "conv-input.glsl"
#undef SOURCE
  }
  if (INPUTS > 2) {
    COUNT (2, QUADS_C);
    at = 0;
#define SOURCE in_c
#include "conv-input.glsl"
#undef SOURCE
  }
  if (INPUTS > 3) {
#ifdef SPARSE
    const uint i = 3;
#else
    for (uint i = 3; i < p.n_in; i++)
#endif
    {
      COUNT (i, QUADS_D);
      at = p.in_at[i - 3];
#define SOURCE in_d
#include "conv-input.glsl"
#undef SOURCE
    }
  }

  const uint out_plane = uint (out_size.x * out_size.y);
  [[unroll]] for (int q = 0; q < QUADS; q++) {
    const uint params = p.params_at + 3 * (quad0 + q);
    [[unroll]] for (int i = 0; i < PIXELS; i++) {
      if (x0 + i >= out_size.x)
        break;
      const ivec4 lanes = requantise (acc[q][i], params);
      const uint pixel = (quad0 + q) * out_plane + uint (y * out_size.x + x0 + i);
      if (WIDE) {
        const uvec2 words = pack_wide (lanes);
        made[2 * pixel] = words.x;
        made[2 * pixel + 1] = words.y;
      } else {
        made[pixel] = pack (lanes);
      }
    }
  }
}
