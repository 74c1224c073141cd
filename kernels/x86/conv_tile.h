/* What the parts of the convolution share: a tile of the output, in work.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdalign.h>

#include "kernels/scalar/common.h"
#include "kernels/x86/conv_vector.h"

/* Arrays of vectors become registers only where loops are unrolled early. */
#ifdef __clang__
#define DSSR_UNROLL _Pragma ("clang loop unroll(full)")
#else
#define DSSR_UNROLL _Pragma ("GCC unroll 16")
#endif

enum {
  TILE_VECTORS = 12, /* of the widest tile */
  MAX_ROWS = 384,    /* of the input quads that are summed over at once */
};

/* [output channel][vector] of a tile. */
typedef Vector (*Sums)[TILE_VECTORS];

/* What the sums of an output quad begin with and what becomes of them. */
typedef struct {
  alignas (16) int32_t bias[4]; /* with what rounds the shift */
  int16_t mult[4][4]; /* each channel's four times: two fill 128 bits */
  int16_t mult_neg[4][4];
  int16_t mult_pairs[4], mult_neg_pairs[4];
} Channels;

/* Turns sums into the output's pixels. */
typedef void (*Requantise) (uint8_t *dst, ptrdiff_t plane, Sums sums,
    const Channels *channels, int quads, int vectors, const DssrConv *conv);

/* What is the same for all tiles. */
typedef struct {
  const Channels *channels; /* of each output quad */
  const void *weights;      /* as the method has packed them */
  Requantise requantise;
} Job;

/* Convolves rows y0 to y1 - 1. */
typedef void Run (const DssrTensor *out, const DssrTensor *in,
    const DssrConv *conv, const Job *job, int y0, int y1);

/* A way to store weights and to convolve with them. */
typedef struct {
  size_t (*size) (const DssrConv *conv);
  void (*pack) (const DssrConv *conv, void *weights);
  Run *run;
} Method;

/* Vectors of the next tile, of those that are left of a row: tiles of at most
 * `most` that are nearly as wide as each other. */
static inline int
tile_vectors (int left, int most)
{
  const int n_tiles = (left + most - 1) / most;
  return (left + n_tiles - 1) / n_tiles;
}

static inline uint8_t *
output_pixels (
    const DssrTensor *out, const DssrConv *conv, int quad, int x, int y)
{
  return (uint8_t *)tensor_row (out, quad, y) + (conv->wide ? 8 : 4) * x;
}

/* A channel's weights for a tap of an input quad. */
static inline const int8_t *
weight_quad (const DssrConv *conv, int channel, int in_quad, int tap)
{
  const int taps = conv->kernel * conv->kernel;
  const size_t i = ((size_t)channel * taps + tap) * conv->in_quads + in_quad;
  return conv->weight + 4 * i;
}

static inline bool
is_zero (const int8_t *quad)
{
  return !(quad[0] | quad[1] | quad[2] | quad[3]);
}

/* The pixels that a tap multiplies; tap_x is -1 to 1. */
DSSR_INLINE Vector
load_tap (const uint8_t *p, int tap_x, int stride)
{
  if (stride == 1)
    return load (p + 4 * tap_x);
  return tap_x == 1 ? load_every_second (p, 1)
                    : load_every_second (p + 4 * tap_x, 0);
}
