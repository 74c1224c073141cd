/* What the parts of the convolution share: a tile of the output, in work.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdalign.h>

#include "kernels/scalar/common.h"
#include "kernels/x86/conv_vector.h"

#define DSSR_UNROLL _Pragma ("GCC unroll 8")

enum {
  TILE_VECTORS = 3, /* side by side */
  TILE_QUADS = DSSR_TILE_QUADS,
  TILE_CHANNELS = 4 * TILE_QUADS,
  MAX_ROWS = 384, /* of all input quads that are summed over at once */
};

/* [output channel][vector]. */
typedef Vector Sums[TILE_CHANNELS][TILE_VECTORS];

/* What the sums of an output quad begin with and what becomes of them. */
typedef struct {
  alignas (16) int32_t bias[4]; /* with what rounds the shift */
  int16_t mult[4][4]; /* each channel's four times: two fill 128 bits */
  int16_t mult_neg[4][4];
} Channels;

/* The input's rows, [quad][tap_y], and where in them the tile begins. */
typedef struct {
  const uint8_t *rows[MAX_ROWS];
  int n_rows;
  ptrdiff_t x; /* bytes */
} Window;

/* The pixels that a tap multiplies; tap_x is -1 to 1. */
DSSR_INLINE Vector
load_tap (const uint8_t *p, int tap_x, int stride)
{
  if (stride == 1)
    return load (p + 4 * tap_x);
  return tap_x == 1 ? load_every_second (p, 1)
                    : load_every_second (p + 4 * tap_x, 0);
}
