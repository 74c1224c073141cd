/* Convolution: dot products of four channels of many pixels at once.
 *
 * A vector holds a quad of consecutive pixels of a row. A tile is a few vectors
 * side by side by 4 or 8 output channels, whose sums stay in registers while
 * each vector of the input that is loaded is multiplied by a quad of weights of
 * each of these channels. Rows have margins, so that a vector may begin before
 * the row and end behind it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/x86/conv_dense.h"
#include "kernels/x86/conv_requantise.h"

/* Channels of each output quad, then the weights: [tile][in quad][tap][channel
 * of the tile][4]. */
static size_t
channels_size (const DssrConv *conv)
{
  return (conv->out_quads * sizeof (Channels) + DSSR_ALIGNMENT - 1)
         & -DSSR_ALIGNMENT;
}

size_t
DSSR_KERNEL (conv_packed_size) (const DssrConv *conv)
{
  return channels_size (conv)
         + (size_t)16 * conv->out_quads * conv->in_quads * conv->kernel
               * conv->kernel;
}

static void
pack_channels (const DssrConv *conv, Channels *channels)
{
  for (int o = 0; o < 4 * conv->out_quads; o++) {
    Channels *c = &channels[o / 4];
    /* Overflow is taken back when the products are added. */
    c->bias[o % 4] =
        (int32_t)((uint32_t)conv->bias[o] + (uint32_t)round_of (conv->shift));
    for (int i = 0; i < 4; i++) {
      c->mult[o % 4][i] = conv->mult[o];
      c->mult_neg[o % 4][i] = conv->mult_neg ? conv->mult_neg[o] : 0;
    }
  }
}

void
DSSR_KERNEL (conv_pack) (const DssrConv *conv, void *packed)
{
  const int taps = conv->kernel * conv->kernel, in_quads = conv->in_quads;
  int8_t *dst = (int8_t *)packed + channels_size (conv);

  pack_channels (conv, packed);
  for (int q = 0; q < conv->out_quads; q += TILE_QUADS) {
    const int channels = 4 * min_int (TILE_QUADS, conv->out_quads - q);
    for (int i = 0; i < in_quads; i++)
      for (int tap = 0; tap < taps; tap++)
        for (int o = 4 * q; o < 4 * q + channels; o++, dst += 4)
          memcpy (dst,
              conv->weight + 4 * (((size_t)o * taps + tap) * in_quads + i), 4);
  }
}

/* The rows of input quads i0 to i0 + n - 1 that output row y needs. */
static void
set_rows (Window *window, const DssrTensor *in, const DssrConv *conv, int i0,
    int n, int y)
{
  const int kernel = conv->kernel;

  window->n_rows = 0;
  for (int i = 0; i < n; i++, i0++) {
    while (i0 >= in->quads)
      i0 -= in++->quads;
    for (int k = 0; k < kernel; k++) {
      const int row = y * conv->stride + k - kernel / 2;
      window->rows[window->n_rows++] =
          tensor_row (in, i0, clamp (row, 0, in->height - 1));
    }
  }
}

/* One tile of output quads q to q + quads - 1. */
static void
sum (Sums sums, const DssrTensor *in, Window *window, const DssrConv *conv,
    int q, int quads, int y, int vectors)
{
  const int kernel = conv->kernel, most = MAX_ROWS / kernel;
  const Dense kernel_ =
      dense_kernels[quads - 1][kernel / 2][conv->stride - 1][vectors - 1];
  const Channels *channels = conv->packed;
  const int8_t *weights = (const int8_t *)conv->packed + channels_size (conv)
                          + (size_t)16 * q * conv->in_quads * kernel * kernel;

  if (conv->in_quads <= most) {
    kernel_ (sums, window, weights, channels + q);
    return;
  }
  for (int i = 0; i < conv->in_quads; i += most) {
    const int n = min_int (most, conv->in_quads - i);
    set_rows (window, in, conv, i, n, y);
    kernel_ (sums, window, weights, i == 0 ? channels + q : NULL);
    weights += (size_t)16 * quads * n * kernel * kernel;
  }
}

void
DSSR_KERNEL (conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  const Channels *channels = conv->packed;
  const Requantise requantise_ = requantise_kernels[conv->wide][conv->act];
  const int pixel = conv->wide ? 8 : 4;
  const int n_vectors = (out->width + LANES - 1) / LANES;
  Window window;
  Sums sums;

  for (int y = y0; y < y1; y++) {
    set_rows (&window, in, conv, 0,
        min_int (conv->in_quads, MAX_ROWS / conv->kernel), y);
    for (int v = 0, n; v < n_vectors; v += n) {
      /* The tiles of a row are nearly as wide as each other. */
      const int tiles = (n_vectors - v + TILE_VECTORS - 1) / TILE_VECTORS;
      n = (n_vectors - v + tiles - 1) / tiles;
      window.x = 4 * conv->stride * LANES * v;
      for (int q = 0; q < conv->out_quads; q += TILE_QUADS) {
        const int quads = min_int (TILE_QUADS, conv->out_quads - q);
        sum (sums, in, &window, conv, q, quads, y, n);
        requantise_ ((uint8_t *)tensor_row (out, q, y) + pixel * LANES * v,
            out->plane, (const Vector (*)[TILE_VECTORS])sums, channels + q,
            quads, n, conv);
      }
    }
  }
  if (!conv->wide)
    fill_margins (out, y0, y1);
}
