// One input of a convolution: `n` quads of the buffer SOURCE from `at` on.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
#ifdef SPARSE
[[unroll]] for (int k = 0; k < n; k++, at += plane, w += TAPS) {
#else
for (uint k = 0; k < n; k++, at += plane, w += TAPS) {
#endif
  [[unroll]] for (int r = 0; r < KERNEL; r++) {
    int pixels[MAX_COLUMNS];
    // Signed bytes: 128 less, which the bias makes up for.
    [[unroll]] for (int c = 0; c < COLUMNS; c++)
      pixels[c] = int (SOURCE[at + rows[r] + columns[c]] ^ 0x80808080u);
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
          acc[q][i] +=
            ivec4 (dot4 (a, weight.x), dot4 (a, weight.y), dot4 (a, weight.z), dot4 (a, weight.w));
#endif
        }
      }
    }
  }
}
