#version 460
// Convolution: several pixels of a row by several output quads. What reads its outputs pixel by pixel may
// follow in the same invocation.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "dot.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 0) const int KERNEL = 3; // 0: there is none, a chain begins with sampling
layout (constant_id = 1) const int STRIDE = 1;
layout (constant_id = 2) const int PIXELS = 4;
layout (constant_id = 3) const int QUADS = 2;
layout (constant_id = 4) const bool WIDE = false;
layout (constant_id = 5) const int INPUTS = 1; // 5: or more
layout (constant_id = 6) const int UPS = 0;    // a bit for each input that is half as large
layout (constant_id = 7) const bool ZERO_OUTSIDE = false; // else the picture's edge
#ifdef CHAIN
layout (constant_id = 8) const int PASSES = 1; // of QUADS outputs each
// As input_quads and input_value say; made, and made as well.
layout (constant_id = 9) const int STORE = 0;
layout (constant_id = 10) const int ALSO_STORE = 0;
// Sampling: kernels of the convolution that makes the offsets (0: no sampling) and of the samples.
layout (constant_id = 11) const int OFFSET_KERNEL = 0;
layout (constant_id = 12) const int OFFSET_FROM = 0;
layout (constant_id = 13) const int SAMPLE_KERNEL = 1;
layout (constant_id = 14) const int GROUPS = 1;
layout (constant_id = 15) const int GROUP_QUADS = 1;
layout (constant_id = 16) const int FEATURE = 0;
layout (constant_id = 17) const int SAMPLE_TO = 0;
// Steps, and what each reads.
layout (constant_id = 18) const int STEP_0 = 0;
layout (constant_id = 19) const int FROM_0_A = 0;
layout (constant_id = 20) const int FROM_0_B = 0;
layout (constant_id = 21) const int FROM_0_C = 0;
layout (constant_id = 22) const int STEP_1 = 0;
layout (constant_id = 23) const int FROM_1_A = 0;
layout (constant_id = 24) const int FROM_1_B = 0;
layout (constant_id = 25) const int FROM_1_C = 0;
layout (constant_id = 26) const int STEP_2 = 0;
layout (constant_id = 27) const int FROM_2_A = 0;
layout (constant_id = 28) const int FROM_2_B = 0;
layout (constant_id = 29) const int FROM_2_C = 0;
layout (constant_id = 30) const int STEP_3 = 0;
layout (constant_id = 31) const int FROM_3_A = 0;
layout (constant_id = 32) const int FROM_3_B = 0;
layout (constant_id = 33) const int FROM_3_C = 0;
layout (constant_id = 34) const int PAIR_QUADS = 0; // that another convolution makes, which comes first
#endif
#ifdef SPARSE
layout (constant_id = 41) const int QUADS_A = 1; // of each input
layout (constant_id = 42) const int QUADS_B = 0;
layout (constant_id = 43) const int QUADS_C = 0;
layout (constant_id = 44) const int QUADS_D = 0;
layout (constant_id = 45) const int QUADS_E = 0;
#include "conv-mask.glsl"
#endif

layout (push_constant) uniform Push
{
  uint in_size, out_size, low_size; // width, height; of inputs that are half as large
  uint params_at, weights_at;
  uint in_quads; // of all inputs
  uint quantise; // shift, zero << 8, max << 16
  uint n_in;
  // Of each input its quads, two in a word. Then, where in in_e the inputs from the fifth on begin; or the
  // numbers of sampling or of the convolution that comes first, and of four steps.
  uint list[24];
} p;

const int FIRST_AT = 8, FIRST_SAMPLE = 3, FIRST_PAIR = 3, FIRST_STEP = 8; // in the list
const int TAPS = KERNEL * KERNEL;
const int MAX_PIXELS = 4, MAX_QUADS = 4;
const int COLUMNS = (PIXELS - 1) * STRIDE + KERNEL, MAX_COLUMNS = (MAX_PIXELS - 1) * 2 + 3;
const int SIGNS = int (0x80808080u);

uint
word (int bound, uint at)
{
  if (bound == 0)
    return in_a[at];
  if (bound == 1)
    return in_b[at];
  if (bound == 2)
    return in_c[at];
  if (bound == 3)
    return in_d[at];
  return in_e[at];
}

#include "conv-up.glsl"

// Before the weights, bias, product and the other product of the activation of each output quad.
ivec4
requantise (ivec4 acc, uint params, uint quantise)
{
  const int shift = int (quantise & 255u);
  const ivec4 mult = ivec4 (weights[params + 1]), other = ivec4 (weights[params + 2]);
  const ivec4 t = clamp ((acc + rounding (shift)) >> shift, -32768, 32767);
  return max ((t * mult + 0x4000) >> 15, (t * other + 0x4000) >> 15);
}

ivec4
limit (ivec4 y, uint quantise)
{
  return clamp (y + int (quantise >> 8 & 255u), 0, int (quantise >> 16));
}

#ifdef CHAIN
#include "chain-pair.glsl"
#include "chain.glsl"
#include "chain-sample.glsl"
#endif

uint
quads (uint i)
{
  return p.list[i >> 1] >> 16 * (i & 1) & 0xffffu;
}

// QUADS output quads from quad0 on.
void
convolve (uint quad0, int x0, int y, out ivec4 acc[MAX_QUADS][MAX_PIXELS])
{
  const ivec2 in_size = halves (p.in_size), low = halves (p.low_size);

  [[unroll]] for (int q = 0; q < QUADS; q++)
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      acc[q][i] = ivec4 (weights[p.params_at + 3 * (quad0 + q)]);

  int columns[MAX_COLUMNS];
  [[unroll]] for (int c = 0; c < COLUMNS; c++)
    columns[c] = clamp (x0 * STRIDE + c - KERNEL / 2, 0, in_size.x - 1);
  int rows[3];
  [[unroll]] for (int r = 0; r < KERNEL; r++)
    rows[r] = clamp (y * STRIDE + r - KERNEL / 2, 0, in_size.y - 1);

  const uint plane = uint (in_size.x * in_size.y), low_plane = uint (low.x * low.y);
  const uint out_quads_step = p.in_quads * TAPS;
  uint w = p.weights_at + quad0 * out_quads_step, at = 0;
  // Before the weights, what is outside the picture of each quad.
  uint outside_at = p.weights_at - p.in_quads;
#ifdef SPARSE
  const uint mask[32] = MASK;
  int bit = 0;
#define COUNT(input, known) const int n = known
#else
#define COUNT(input, known) const uint n = quads (input)
#endif
  {
    COUNT (0, QUADS_A);
#define BOUND 0
#include "conv-input.glsl"
#undef BOUND
  }
  if (INPUTS > 1) {
    COUNT (1, QUADS_B);
    at = 0;
#define BOUND 1
#include "conv-input.glsl"
#undef BOUND
  }
  if (INPUTS > 2) {
    COUNT (2, QUADS_C);
    at = 0;
#define BOUND 2
#include "conv-input.glsl"
#undef BOUND
  }
  if (INPUTS > 3) {
    COUNT (3, QUADS_D);
    at = 0;
#define BOUND 3
#include "conv-input.glsl"
#undef BOUND
  }
  if (INPUTS > 4) {
#if defined SPARSE || defined CHAIN
    const uint i = 4;
#else
    for (uint i = 4; i < p.n_in; i++)
#endif
    {
      COUNT (i, QUADS_E);
#ifdef CHAIN
      at = 0;
#else
      at = p.list[FIRST_AT + i - 4];
#endif
#define BOUND 4
#include "conv-input.glsl"
#undef BOUND
    }
  }
}

#ifndef CHAIN
void
store (uint quad0, int x0, int y, ivec4 acc[MAX_QUADS][MAX_PIXELS])
{
  const ivec2 out_size = halves (p.out_size);
  const uint out_plane = uint (out_size.x * out_size.y);

  [[unroll]] for (int q = 0; q < QUADS; q++) {
    const uint params = p.params_at + 3 * (quad0 + q);
    [[unroll]] for (int i = 0; i < PIXELS; i++) {
      if (x0 + i >= out_size.x)
        break;
      const ivec4 lanes = requantise (acc[q][i], params, p.quantise);
      const uint pixel = (quad0 + q) * out_plane + uint (y * out_size.x + x0 + i);
      if (WIDE) {
        const uvec2 words = pack_wide (clamp (lanes, -32768, 32767));
        made[2 * pixel] = words.x;
        made[2 * pixel + 1] = words.y;
      } else {
        made[pixel] = pack (limit (lanes, p.quantise));
      }
    }
  }
}
#endif

void
main ()
{
  const ivec2 out_size = halves (p.out_size);
  const int x0 = PIXELS * int (gl_GlobalInvocationID.x), y = int (gl_GlobalInvocationID.y);
  ivec4 acc[MAX_QUADS][MAX_PIXELS];

#ifdef CHAIN
  if (PAIR_QUADS > 0) {
    fill_tile ();
    barrier ();
  }
#endif
  if (x0 >= out_size.x || y >= out_size.y)
    return;
#ifndef CHAIN
  convolve (QUADS * gl_WorkGroupID.z, x0, y, acc);
  store (QUADS * gl_WorkGroupID.z, x0, y, acc);
#else
  if (KERNEL > 0)
    [[unroll]] for (int pass = 0; pass < PASSES; pass++) {
      convolve (QUADS * pass, x0, y, acc);
      [[unroll]] for (int q = 0; q < QUADS; q++)
        [[unroll]] for (int i = 0; i < PIXELS; i++)
          values[QUADS * pass + q][i] = pack (
            limit (requantise (acc[q][i], p.params_at + 3 * (QUADS * pass + q), p.quantise), p.quantise));
    }
  if (OFFSET_KERNEL > 0)
    sample_feature (x0, y);
  run_step (STEP_0, FROM_0_A, FROM_0_B, FROM_0_C, 0, x0, y);
  run_step (STEP_1, FROM_1_A, FROM_1_B, FROM_1_C, 1, x0, y);
  run_step (STEP_2, FROM_2_A, FROM_2_B, FROM_2_C, 2, x0, y);
  run_step (STEP_3, FROM_3_A, FROM_3_B, FROM_3_C, 3, x0, y);
  store_values (STORE, false, x0, y);
  store_values (ALSO_STORE, true, x0, y);
#endif
}
