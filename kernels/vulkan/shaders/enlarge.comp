#version 460
// Interpolated enlargement of a plane, and the head: the same, plus the network's residual, in_b. Four
// samples of a row, so that whole words are written.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "samples.glsl"

layout (local_size_x = 8, local_size_y = 8) in;
layout (constant_id = 2) const int SCALE = 2;
layout (constant_id = 3) const int PHASE_X = -4;
layout (constant_id = 4) const int SHUFFLE = 0; // 0: no residual
layout (constant_id = 5) const bool PAIR = false; // of planes whose samples alternate
layout (constant_id = 6) const bool LINEAR = false;

layout (push_constant) uniform Push
{
  uint out_size, in_size;
  uint out_at, in_at;
  uint out_pitch, in_pitch;
  uint residual_size;
  int phase_y;
  uint first_channel; // of the residual
} p;

// dssr_bicubic_taps
const ivec4 bicubic_taps[16] = ivec4[] (ivec4 (0, 128, 0, 0), ivec4 (-4, 127, 5, 0), ivec4 (-6, 123, 12, -1),
  ivec4 (-8, 118, 20, -2), ivec4 (-9, 111, 29, -3), ivec4 (-9, 102, 39, -4), ivec4 (-9, 93, 50, -6),
  ivec4 (-9, 83, 61, -7), ivec4 (-8, 72, 72, -8), ivec4 (-7, 61, 83, -9), ivec4 (-6, 50, 93, -9),
  ivec4 (-4, 39, 102, -9), ivec4 (-3, 29, 111, -9), ivec4 (-2, 20, 118, -8), ivec4 (-1, 12, 123, -6),
  ivec4 (0, 5, 127, -4));

// At a place in 1/16 sample.
ivec4
taps (int place)
{
  const int part = place & 15;
  return LINEAR ? ivec4 (0, 128 - 8 * part, 8 * part, 0) : bicubic_taps[part];
}

// The columns that the taps of four outputs reach, counted from the small sample of the first.
const int FIRST = (PHASE_X >> 4) - 1;
const int COLUMNS = ((48 / SCALE + PHASE_X) >> 4) + 2 - FIRST + 1, MAX_COLUMNS = 6;

int
residual (int x, int y)
{
  const ivec2 size = halves (p.residual_size);
  const uint channel = p.first_channel + uint (y % SHUFFLE * SHUFFLE + x % SHUFFLE);
  // Outputs after the last of a row, which fill its last word, have no pixel.
  const uint pixel = uint (y / SHUFFLE * size.x + min (x / SHUFFLE, size.x - 1));
  const uint at = 2 * ((channel >> 2) * size.x * size.y + pixel) + (channel >> 1 & 1);
  return bitfieldExtract (int (in_b[at]), int (16 * (channel & 1)), 16);
}

const int STEP = PAIR ? 2 : 1;

// Four samples of plane c.
ivec4
enlarge (int x0, int y, ivec2 in_size, int c)
{
  const int place_y = 16 / SCALE * y + p.phase_y;
  const ivec4 down = taps (place_y);
  uvec4 rows;
  [[unroll]] for (int k = 0; k < 4; k++)
    rows[k] = p.in_at + p.in_pitch * uint (clamp ((place_y >> 4) - 1 + k, 0, in_size.y - 1));

  int columns[MAX_COLUMNS];
  [[unroll]] for (int i = 0; i < COLUMNS; i++) {
    const int x = STEP * clamp (x0 / SCALE + FIRST + i, 0, in_size.x - 1) + c;
    const int sum = down.x * load_sample (rows.x, x) + down.y * load_sample (rows.y, x)
                    + down.z * load_sample (rows.z, x) + down.w * load_sample (rows.w, x);
    columns[i] = (sum + rounding (DEPTH - 7)) >> (DEPTH - 7);
  }

  ivec4 samples;
  [[unroll]] for (int i = 0; i < 4; i++) {
    const int place = 16 * i / SCALE + PHASE_X, k = (place >> 4) - 1 - FIRST;
    const ivec4 across = taps (place);
    int sum = across.x * columns[k] + across.y * columns[k + 1] + across.z * columns[k + 2]
              + across.w * columns[k + 3];
    if (SHUFFLE > 0)
      sum += residual (x0 + i, y) * 128;
    samples[i] = clamp ((sum + rounding (21 - DEPTH)) >> (21 - DEPTH), 0, MAX_SAMPLE);
  }
  return samples;
}

void
main ()
{
  const ivec2 out_size = halves (p.out_size), in_size = halves (p.in_size);
  const int x0 = 4 * int (gl_GlobalInvocationID.x), y = int (gl_GlobalInvocationID.y);
  if (x0 >= out_size.x || y >= out_size.y)
    return;

  // What of this is needed is made word by word: a row may end in the middle of four samples, and
  // what follows it is not ours.
  uvec4 words;
  if (PAIR) {
    const ivec4 a = enlarge (x0, y, in_size, 0), b = enlarge (x0, y, in_size, 1);
    if (DEPTH == 8)
      words = uvec4 (pack (ivec4 (a.x, b.x, a.y, b.y)), pack (ivec4 (a.z, b.z, a.w, b.w)), 0, 0);
    else
      words = uvec4 (a << SHIFT | b << SHIFT + 16);
  } else {
    const ivec4 a = enlarge (x0, y, in_size, 0);
    if (DEPTH == 8)
      words.x = pack (a);
    else
      words.xy = pack_wide (a << SHIFT);
  }
  const int bits = STEP * (DEPTH == 8 ? 8 : 16);
  const int first = x0 * bits / 32, end = (out_size.x * bits + 31) / 32;
  const uint row = p.out_at + y * p.out_pitch;
  [[unroll]] for (int i = 0; i < bits / 8; i++)
    if (first + i < end)
      made[row + first + i] = words[i];
}
