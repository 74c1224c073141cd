// Two convolutions one after the other: what the workgroup's pixels need of the first one is in shared
// memory. Its edges are made by the neighbours too.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
const int TILE_WIDTH = 8 * PIXELS + 2, TILE_HEIGHT = 8 + 2, TILE_PLANE = TILE_WIDTH * TILE_HEIGHT;
// Quads that an invocation makes at once, of two pixels.
const int PAIR_STEP = PAIR_QUADS % 4 == 0 ? 4 : PAIR_QUADS % 3 == 0 ? 3 : PAIR_QUADS % 2 == 0 ? 2 : 1;

shared uint tile[PAIR_QUADS * TILE_PLANE + 1];

// Quads from quad0 on at two columns, of which x is the first, in row y.
void
convolve_first (int quad0, int x, int y, out ivec4 acc[4][2])
{
  const ivec2 size = halves (p.out_size);
  const uint params_at = p.list[FIRST_PAIR], in_quads = p.list[FIRST_PAIR + 2];
  uint w = params_at + 3 * PAIR_QUADS + quad0 * in_quads * 9, at = 0;

  [[unroll]] for (int q = 0; q < PAIR_STEP; q++)
    [[unroll]] for (int i = 0; i < 2; i++)
      acc[q][i] = ivec4 (weights[params_at + 3 * (quad0 + q)]);
  for (uint k = 0; k < in_quads; k++, at += uint (size.x * size.y), w += 9) {
    [[unroll]] for (int r = 0; r < 3; r++) {
      const uint row = at + clamp (y + r - 1, 0, size.y - 1) * size.x;
      int pixels[4];
      [[unroll]] for (int c = 0; c < 4; c++)
        pixels[c] = int (in_a[row + clamp (x + c - 1, 0, size.x - 1)]) ^ SIGNS;
      [[unroll]] for (int c = 0; c < 3; c++)
        [[unroll]] for (int q = 0; q < PAIR_STEP; q++) {
          const ivec4 weight = ivec4 (weights[w + q * in_quads * 9 + r * 3 + c]);
          [[unroll]] for (int i = 0; i < 2; i++)
            acc[q][i] += dot4_by_4 (pixels[i + c], weight);
        }
    }
  }
}

// Outside the picture is its edge.
void
fill_tile ()
{
  const ivec2 size = halves (p.out_size);
  const ivec2 corner = ivec2 (8 * PIXELS, 8) * ivec2 (gl_WorkGroupID.xy) - 1;

  for (int i = int (gl_LocalInvocationIndex); i < TILE_PLANE / 2; i += 64) {
    const ivec2 place = ivec2 (i % (TILE_WIDTH / 2) * 2, i / (TILE_WIDTH / 2));
    const int x = min (corner.x + place.x, size.x - 1);
    const int y = clamp (corner.y + place.y, 0, size.y - 1);
    for (int quad0 = 0; quad0 < PAIR_QUADS; quad0 += PAIR_STEP) {
      ivec4 acc[4][2];
      convolve_first (quad0, x, y, acc);
      [[unroll]] for (int q = 0; q < PAIR_STEP; q++) {
        const uint params = p.list[FIRST_PAIR] + 3 * (quad0 + q), quantise = p.list[FIRST_PAIR + 1];
        const uint left = pack (limit (requantise (acc[q][0], params, quantise), quantise));
        const uint right = pack (limit (requantise (acc[q][1], params, quantise), quantise));
        const int at = (quad0 + q) * TILE_PLANE + place.y * TILE_WIDTH + place.x;
        tile[at] = x < 0 ? right : left;
        tile[at + 1] = x == size.x - 1 ? left : right;
      }
    }
  }
}
