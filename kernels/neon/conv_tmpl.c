/* multiply_KERNEL_STRIDE_QUADS: the sums of a tile of QUADS output quads, for
 * convolutions of one kernel and stride. The weights are in the order [input
 * quad][tap].
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define JOIN_(k, s, q) multiply_##k##_##s##_##q
#define JOIN(k, s, q) JOIN_ (k, s, q)

static void
JOIN (KERNEL, STRIDE, QUADS) (Sums sums, const uint8_t *window, int quad_bytes,
    const void *weights, const int32_t *bias, int n_quads, int n)
{
  enum {
    ROW = STRIDE * COLUMNS,
    VECTORS = 4 / QUADS, /* of four pixels */
    TILE = 4 * QUADS,
  };

  for (int x = 0; x < n; x += 4 * VECTORS) {
    const uint8_t *pixels = window + x * COLUMN_BYTES;
    const char *w = weights;
    int32x4_t sum[TILE * VECTORS];

    for (int o = 0; o < TILE; o++)
      for (int v = 0; v < VECTORS; v++)
        sum[o * VECTORS + v] =
            bias ? vdupq_n_s32 (bias[o]) : vld1q_s32 (&sums[o][x + 4 * v]);

#if KERNEL == 1
#pragma GCC unroll 4
#endif
    for (int q = 0; q < n_quads; q++) {
#if KERNEL == 1
      multiply_tap (sum, pixels, w, ROW, TILE, VECTORS);
#else
      for (int k = 0; k < 3; k++) {
        const uint8_t *p = pixels + k * ROW * PIXEL_BYTES;
        const char *row_weights = w + 3 * k * TILE * TAP_BYTES;
        multiply_tap (sum, p, row_weights, ROW, TILE, VECTORS);
        multiply_tap (sum, p + COLUMN_BYTES * (STRIDE == 1 ? 1 : COLUMNS),
            row_weights + TILE * TAP_BYTES, ROW, TILE, VECTORS);
        multiply_tap (sum, p + COLUMN_BYTES * (STRIDE == 1 ? 2 : 1),
            row_weights + 2 * TILE * TAP_BYTES, ROW, TILE, VECTORS);
      }
#endif
      pixels += quad_bytes;
      w += KERNEL * KERNEL * TILE * TAP_BYTES;
    }

    for (int o = 0; o < TILE; o++)
      for (int v = 0; v < VECTORS; v++)
        vst1q_s32 (&sums[o][x + 4 * v], sum[o * VECTORS + v]);
  }
}

#undef JOIN
#undef JOIN_
#undef KERNEL
#undef STRIDE
#undef QUADS
