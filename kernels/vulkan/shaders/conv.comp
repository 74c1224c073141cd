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

layout (push_constant) uniform Push
{
  uint in_size, out_size; // width, height
  uint out_at;
  uint weights_at;
  uint in_quads;   // of all inputs
  uint quantise;   // shift, zero << 8, max << 16
  uint n_in;
  uint in_at[16];
  uint quads[8]; // of each input, two in a word
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
      acc[q][i] = ivec4 (weights[p.weights_at + 3 * (quad0 + q)]);

  int columns[MAX_COLUMNS];
  [[unroll]] for (int c = 0; c < COLUMNS; c++)
    columns[c] = clamp (x0 * STRIDE + c - KERNEL / 2, 0, in_size.x - 1);
  int rows[3];
  [[unroll]] for (int r = 0; r < KERNEL; r++)
    rows[r] = clamp (y * STRIDE + r - KERNEL / 2, 0, in_size.y - 1) * in_size.x;

  const uint plane = uint (in_size.x * in_size.y);
  const uint out_quads_step = p.in_quads * TAPS;
  uint w = p.weights_at + 3 * QUADS * gl_NumWorkGroups.z + quad0 * out_quads_step;
  for (uint input_index = 0; input_index < p.n_in; input_index++) {
    const uint n = p.quads[input_index >> 1] >> 16 * (input_index & 1) & 0xffffu;
    uint at = p.in_at[input_index];
    for (uint k = 0; k < n; k++, at += plane, w += TAPS) {
      [[unroll]] for (int r = 0; r < KERNEL; r++) {
        int pixels[MAX_COLUMNS];
        // Signed bytes: 128 less, which the bias makes up for.
        [[unroll]] for (int c = 0; c < COLUMNS; c++)
          pixels[c] = int (arena[at + rows[r] + columns[c]] ^ 0x80808080u);
        [[unroll]] for (int c = 0; c < KERNEL; c++) {
          [[unroll]] for (int q = 0; q < QUADS; q++) {
            const ivec4 weight = ivec4 (weights[w + q * out_quads_step + r * KERNEL + c]);
            [[unroll]] for (int i = 0; i < PIXELS; i++) {
              const int a = pixels[i * STRIDE + c];
              acc[q][i] += ivec4 (
                dot4 (a, weight.x), dot4 (a, weight.y), dot4 (a, weight.z), dot4 (a, weight.w));
            }
          }
        }
      }
    }
  }

  const uint out_plane = uint (out_size.x * out_size.y);
  [[unroll]] for (int q = 0; q < QUADS; q++) {
    const uint params = p.weights_at + 3 * (quad0 + q);
    [[unroll]] for (int i = 0; i < PIXELS; i++) {
      if (x0 + i >= out_size.x)
        break;
      const ivec4 lanes = requantise (acc[q][i], params);
      const uint pixel = (quad0 + q) * out_plane + uint (y * out_size.x + x0 + i);
      if (WIDE) {
        const uvec2 words = pack_wide (lanes);
        arena[p.out_at + 2 * pixel] = words.x;
        arena[p.out_at + 2 * pixel + 1] = words.y;
      } else {
        arena[p.out_at + pixel] = pack (lanes);
      }
    }
  }
}
