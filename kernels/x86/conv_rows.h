/* Convolution row by row, in tiles, straight from the input.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_tile.h"

/* Rows of consecutive input quads, [quad][tap_y], and where in them the tile
 * begins. */
typedef struct {
  const uint8_t *rows[MAX_ROWS];
  int n_rows;
  ptrdiff_t x; /* bytes */
} Window;

/* Adds the products of the window, whose first input quad is in_quad, to the
 * sums of `quads` output quads from out_quad on, or to `first` if it is not
 * NULL. */
typedef void (*Sum) (Sums sums, const Window *window, const void *weights,
    const DssrConv *conv, int out_quad, int quads, int in_quad,
    const Channels *first, int vectors);

/* Input quads that fill a window. */
static inline int
window_quads (const DssrConv *conv)
{
  return MAX_ROWS / conv->kernel;
}

/* The rows that output row y needs of the input quads from in_quad on. */
static void
set_rows (Window *window, const DssrTensor *in, const DssrConv *conv,
    int in_quad, int y)
{
  const int kernel = conv->kernel;
  const int n = min_int (window_quads (conv), conv->in_quads - in_quad);

  window->n_rows = 0;
  for (int i = 0; i < n; i++, in_quad++) {
    while (in_quad >= in->quads)
      in_quad -= in++->quads;
    for (int k = 0; k < kernel; k++) {
      const int row = y * conv->stride + k - kernel / 2;
      window->rows[window->n_rows++] =
          tensor_row (in, in_quad, clamp (row, 0, in->height - 1));
    }
  }
}

/* Tiles of at most `most_quads` and `most_vectors`. */
DSSR_INLINE void
run_rows (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1, Sum sum, int most_quads, int most_vectors)
{
  const int n_vectors = (out->width + LANES - 1) / LANES;
  const bool one_window = conv->in_quads <= window_quads (conv);
  Window window;
  Vector sums[4 * 2][TILE_VECTORS];

  for (int y = y0; y < y1; y++) {
    set_rows (&window, in, conv, 0, y);
    for (int v = 0, n; v < n_vectors; v += n) {
      n = tile_vectors (n_vectors - v, most_vectors);
      window.x = (ptrdiff_t)4 * conv->stride * LANES * v;
      for (int q = 0; q < conv->out_quads; q += most_quads) {
        const Channels *channels = job->channels + q;
        const int quads = min_int (most_quads, conv->out_quads - q);
        for (int i = 0; i < conv->in_quads; i += window_quads (conv)) {
          if (!one_window)
            set_rows (&window, in, conv, i, y);
          sum (sums, &window, job->weights, conv, q, quads, i,
              i == 0 ? channels : NULL, n);
        }
        job->requantise (output_pixels (out, conv, q, LANES * v, y), out->plane,
            sums, channels, quads, n, conv);
      }
    }
  }
}
