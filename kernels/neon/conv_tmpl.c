/* multiply_KERNEL_STRIDE_QUADS: the sums of a tile of QUADS output quads, for
 * convolutions of one kernel and stride. The weights are in the order [input
 * quad][tap].
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define JOIN_(k, s, q) multiply_##k##_##s##_##q
#define JOIN(k, s, q) JOIN_ (k, s, q)

static void
JOIN (KERNEL, STRIDE, QUADS) (Sums sums, const uint8_t *window,
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

    for (int i = 0; i < n_quads * KERNEL; i++) {
      multiply_tap (sum, pixels, w, ROW, TILE, VECTORS);
#if KERNEL == 3
      multiply_tap (sum, pixels + COLUMN_BYTES * (STRIDE == 1 ? 1 : COLUMNS),
          w + TILE * TAP_BYTES, ROW, TILE, VECTORS);
      multiply_tap (sum, pixels + COLUMN_BYTES * (STRIDE == 1 ? 2 : 1),
          w + 2 * TILE * TAP_BYTES, ROW, TILE, VECTORS);
#endif
      pixels += ROW * PIXEL_BYTES;
      w += KERNEL * TILE * TAP_BYTES;
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
