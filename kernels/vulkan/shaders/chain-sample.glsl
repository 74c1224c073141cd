// Deformable convolution: for each tap and group, the three channels of the convolution that makes
// offsets, a sample of the feature, and what it adds to the outputs. Nothing of it is in memory.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sample.glsl"

const int OFFSET_TAPS = OFFSET_KERNEL * OFFSET_KERNEL;
const int MAX_SAMPLED = 8, MAX_WINDOW_QUADS = 4; // quads

// What the offsets are made of: rows of the window around the pixels.
int window[MAX_WINDOW_QUADS][3][MAX_COLUMNS];

void
fill_window (int x0, int y)
{
  const ivec2 size = halves (p.out_size), low = halves (p.low_size);
  const int bound = input_bound (OFFSET_FROM);

  [[unroll]] for (int k = 0; k < input_quads (OFFSET_FROM); k++) {
    [[unroll]] for (int r = 0; r < OFFSET_KERNEL; r++) {
      const int row = clamp (y + r - OFFSET_KERNEL / 2, 0, size.y - 1);
      int pixels[MAX_COLUMNS];
      if (bound < 0)
        [[unroll]] for (int i = 0; i < PIXELS; i++)
          pixels[i] = int (values[input_value (OFFSET_FROM) + k][i]);
      else if (input_up (OFFSET_FROM))
        load_up (bound, k * low.x * low.y, OFFSET_KERNEL, x0, row, pixels);
      else
        [[unroll]] for (int c = 0; c < PIXELS + OFFSET_KERNEL - 1; c++)
          pixels[c] = int (word (bound,
            (k * size.y + row) * size.x + clamp (x0 + c - OFFSET_KERNEL / 2, 0, size.x - 1)));
      [[unroll]] for (int c = 0; c < PIXELS + OFFSET_KERNEL - 1; c++)
        window[k][r][c] = pixels[c] ^ SIGNS;
    }
  }
}

// A channel of the offsets.
void
make_channel (uint channel, out int made_channel[MAX_PIXELS])
{
  const uint quad = channel >> 2, lane = channel & 3, at = p.list[FIRST_SAMPLE];
  const uint offset_quads = (3 * SAMPLE_KERNEL * SAMPLE_KERNEL * GROUPS + 3) / 4;
  const uint params = at + 3 * quad;
  const int shift = int (p.list[FIRST_SAMPLE + 3] >> 24);
  const int bias = int (weights[params][lane]);
  const int mult = int (weights[params + 1][lane]), other = int (weights[params + 2][lane]);
  uint w = at + 3 * offset_quads + quad * input_quads (OFFSET_FROM) * OFFSET_TAPS;

  [[unroll]] for (int i = 0; i < PIXELS; i++)
    made_channel[i] = bias;
  [[unroll]] for (int k = 0; k < input_quads (OFFSET_FROM); k++)
    [[unroll]] for (int r = 0; r < OFFSET_KERNEL; r++)
      [[unroll]] for (int c = 0; c < OFFSET_KERNEL; c++, w++) {
        const int weight = int (weights[w][lane]);
        [[unroll]] for (int i = 0; i < PIXELS; i++)
          made_channel[i] += dot4 (window[k][r][i + c], weight);
      }
  [[unroll]] for (int i = 0; i < PIXELS; i++) {
    const int t = sat16 ((made_channel[i] + rounding (shift)) >> shift);
    made_channel[i] = sat16 (max (mulhrs (t, mult), mulhrs (t, other)));
  }
}

void
sample_feature (int x0, int y)
{
  const ivec2 size = halves (p.out_size);
  const uint plane = uint (size.x * size.y), parts_of = SAMPLE_KERNEL * SAMPLE_KERNEL * GROUPS;
  const uint conv_at = p.list[FIRST_SAMPLE + 1], table_at = p.list[FIRST_SAMPLE + 2];
  const uint quantise = p.list[FIRST_SAMPLE + 3] & 0xffffffu;
  const ivec2 limit_and_zero = halves (p.list[FIRST_SAMPLE + 4]);
  const int most = limit_and_zero.x, zero = limit_and_zero.y;
  const int n = input_quads (SAMPLE_TO), to = input_value (SAMPLE_TO);
  ivec4 acc[MAX_SAMPLED][MAX_PIXELS];

  fill_window (x0, y);
  [[unroll]] for (int q = 0; q < n; q++)
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      acc[q][i] = ivec4 (weights[conv_at + 3 * q]);

  for (uint part = 0; part < parts_of; part++) {
    const uint tap = part / GROUPS, group = part % GROUPS;
    const ivec2 tap_at = ivec2 (tap % SAMPLE_KERNEL, tap / SAMPLE_KERNEL) - SAMPLE_KERNEL / 2;
    int dy[MAX_PIXELS], dx[MAX_PIXELS], m[MAX_PIXELS];
    make_channel (part, dy);
    make_channel (parts_of + part, dx);
    make_channel (2 * parts_of + part, m);
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      m[i] = look_up (table_at, clamp (m[i] + 128, 0, 255));

    for (uint q = 0; q < GROUP_QUADS; q++) {
      const uint from = (group * GROUP_QUADS + q) * plane;
      const uint w = conv_at + 3 * n + part * GROUP_QUADS + q;
      int sampled[MAX_PIXELS];
      [[unroll]] for (int i = 0; i < PIXELS; i++) {
        const ivec2 place = 16 * (ivec2 (min (x0 + i, size.x - 1), y) + tap_at)
                            + clamp (ivec2 (dx[i], dy[i]), -most, most);
        sampled[i] = int (sample_quad (FEATURE, from, place, size, m[i], zero, false)) ^ SIGNS;
      }
      [[unroll]] for (int o = 0; o < n; o++) {
        const ivec4 weight = ivec4 (weights[w + o * parts_of * GROUP_QUADS]);
        [[unroll]] for (int i = 0; i < PIXELS; i++)
          acc[o][i] += dot4_by_4 (sampled[i], weight);
      }
    }
  }
  [[unroll]] for (int q = 0; q < n; q++)
    [[unroll]] for (int i = 0; i < PIXELS; i++)
      values[to + q][i] =
        pack (limit (requantise (acc[q][i], conv_at + 3 * q, quantise), quantise));
}
