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
#define DSSR_UNROLL _Pragma ("GCC unroll 8")
#endif

enum {
  /* Output quads and vectors that a tile may have. */
  TILE_QUADS = DSSR_TILE_QUADS,
  TILE_CHANNELS = 4 * TILE_QUADS,
  TILE_VECTORS = DSSR_TILE_VECTORS,
  MAX_ROWS = 384, /* of the input quads that are summed over at once */
};

/* [output channel][vector]. */
typedef Vector Sums[TILE_CHANNELS][TILE_VECTORS];

/* What the sums of an output quad begin with and what becomes of them. */
typedef struct {
  alignas (16) int32_t bias[4]; /* with what rounds the shift */
  int16_t mult[4][4]; /* each channel's four times: two fill 128 bits */
  int16_t mult_neg[4][4];
  int16_t mult_pairs[4], mult_neg_pairs[4];
} Channels;

/* Rows of consecutive input quads, [quad][tap_y], and where in them the tile
 * begins. */
typedef struct {
  const uint8_t *rows[MAX_ROWS];
  int n_rows;
  ptrdiff_t x; /* bytes */
} Window;

/* Input quads that fill a window. */
static inline int
window_quads (const DssrConv *conv)
{
  return MAX_ROWS / conv->kernel;
}

/* A way to store weights and to sum over them. */
typedef struct {
  int vectors; /* of the widest tile */
  size_t (*size) (const DssrConv *conv);
  void (*pack) (const DssrConv *conv, void *weights);
  /* Adds the products of the window, whose first input quad is in_quad, to
   * the sums, or to `first` if it is not NULL: the channels of out_quad. */
  void (*sum) (Sums sums, const Window *window, const void *weights,
      const DssrConv *conv, int out_quad, int in_quad, const Channels *first,
      int vectors);
} Method;

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
