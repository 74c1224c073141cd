/* The tile of a convolution whose weights are all there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_tile.h"

/* Adds the window's products to the sums, or to `first` if it is not NULL.
 * Weights are in the order of use: [row][tap_x][channel][4]. */
DSSR_INLINE void
dense (Sums sums, const Window *window, const int8_t *weights,
    const Channels *first, int kernel, int stride, int quads, int vectors)
{
  Vector s[TILE_CHANNELS][TILE_VECTORS];

  DSSR_UNROLL
  for (int o = 0; o < 4 * quads; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    s[o][v] = first ? splat (&first[o / 4].bias[o % 4]) : sums[o][v];

  for (int r = 0; r < window->n_rows; r++) {
    const uint8_t *row = window->rows[r] + window->x;

    DSSR_UNROLL
    for (int tap = 0; tap < kernel; tap++) {
      Vector pixels[TILE_VECTORS];

      DSSR_UNROLL
      for (int v = 0; v < vectors; v++)
        pixels[v] = load_tap (
            row + v * stride * sizeof (Vector), tap - kernel / 2, stride);
      DSSR_UNROLL
      for (int o = 0; o < 4 * quads; o++, weights += 4) {
        const Vector w = splat (weights);
        DSSR_UNROLL
        for (int v = 0; v < vectors; v++)
          s[o][v] = dot (s[o][v], pixels[v], w);
      }
    }
  }

  DSSR_UNROLL
  for (int o = 0; o < 4 * quads; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    sums[o][v] = s[o][v];
}

typedef void (*Dense) (Sums sums, const Window *window, const int8_t *weights,
    const Channels *first);

#define DENSE(kernel, stride, quads, vectors)                                  \
  static void dense_##kernel##_##stride##_##quads##_##vectors (Sums sums,      \
      const Window *window, const int8_t *weights, const Channels *first)      \
  {                                                                            \
    dense (sums, window, weights, first, kernel, stride, quads, vectors);      \
  }
#define DENSE_VECTORS(kernel, stride, quads)                                   \
  DENSE (kernel, stride, quads, 1)                                             \
  DENSE (kernel, stride, quads, 2)                                             \
  DENSE (kernel, stride, quads, 3)
#define DENSE_QUADS(quads)                                                     \
  DENSE_VECTORS (1, 1, quads)                                                  \
  DENSE_VECTORS (1, 2, quads)                                                  \
  DENSE_VECTORS (3, 1, quads)                                                  \
  DENSE_VECTORS (3, 2, quads)

#define DENSE_NAMES(kernel, stride, quads)                                     \
  {                                                                            \
    dense_##kernel##_##stride##_##quads##_1,                                   \
        dense_##kernel##_##stride##_##quads##_2,                               \
        dense_##kernel##_##stride##_##quads##_3                                \
  }
#define DENSE_TABLE(quads)                                                     \
  {                                                                            \
    {DENSE_NAMES (1, 1, quads), DENSE_NAMES (1, 2, quads)},                    \
    {                                                                          \
      DENSE_NAMES (3, 1, quads), DENSE_NAMES (3, 2, quads)                     \
    }                                                                          \
  }

DENSE_QUADS (1)
#if DSSR_TILE_QUADS == 2
DENSE_QUADS (2)
#endif

/* [quads - 1][kernel / 2][stride - 1][vectors - 1] */
static const Dense dense_kernels[TILE_QUADS][2][2][TILE_VECTORS] = {
    DENSE_TABLE (1),
#if DSSR_TILE_QUADS == 2
    DENSE_TABLE (2),
#endif
};
