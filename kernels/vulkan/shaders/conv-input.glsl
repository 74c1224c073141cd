// One input of a convolution: `n` quads of input INPUT, which is bound as number BOUND, from `at` on.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
{
  const bool up = (UPS >> BOUND & 1) != 0;
  const uint step = up ? low_plane : plane;
#ifdef SPARSE
  [[unroll]] for (int k = 0; k < n; k++, at += step, w += TAPS, outside_at++) {
#else
  for (uint k = 0; k < n; k++, at += step, w += TAPS, outside_at++) {
#endif
    [[unroll]] for (int r = 0; r < KERNEL; r++) {
      int pixels[MAX_COLUMNS];
#ifdef CHAIN
      if (BOUND == 0 && PAIR_QUADS > 0) {
        const uvec2 local = gl_LocalInvocationID.xy;
        [[unroll]] for (int c = 0; c < COLUMNS; c++)
          pixels[c] = int (tile[k * TILE_PLANE + (local.y + r) * TILE_WIDTH + PIXELS * local.x + c]);
      } else
#endif
      if (up)
        load_up (BOUND, at, KERNEL, x0, rows[r], pixels);
      else
        [[unroll]] for (int c = 0; c < COLUMNS; c++)
          pixels[c] = int (word (BOUND, at + rows[r] * in_size.x + columns[c]));
      if (ZERO_OUTSIDE)
        [[unroll]] for (int c = 0; c < COLUMNS; c++)
          if (rows[r] != y * STRIDE + r - KERNEL / 2 || columns[c] != x0 * STRIDE + c - KERNEL / 2)
            pixels[c] = int (weights[outside_at].x);
      // Signed bytes: 128 less, which the bias makes up for.
      [[unroll]] for (int c = 0; c < COLUMNS; c++)
        pixels[c] ^= SIGNS;
      [[unroll]] for (int c = 0; c < KERNEL; c++) {
        [[unroll]] for (int q = 0; q < QUADS; q++) {
#ifdef SPARSE
          const uint lanes = mask[bit >> 5] >> (bit & 31) & 15u;
          bit += 4;
          if (lanes == 0)
            continue;
#endif
          const ivec4 weight = ivec4 (weights[w + q * out_quads_step + r * KERNEL + c]);
          [[unroll]] for (int i = 0; i < PIXELS; i++) {
            const int a = pixels[i * STRIDE + c];
#ifdef SPARSE
            [[unroll]] for (int lane = 0; lane < 4; lane++)
              if ((lanes >> lane & 1u) != 0)
                acc[q][i][lane] += dot4 (a, weight[lane]);
#else
            acc[q][i] += dot4_by_4 (a, weight);
#endif
          }
        }
      }
    }
  }
}
