/* Convolution for NEON. For a block of output pixels the windows' rows are
 * copied into a small buffer, in the form that the instruction set multiplies
 * best; a tile of output channels is multiplied into 32-bit sums, densely or by
 * a list of the weight quads that are there; the sums are requantised.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <arm_neon.h>

#include "kernels/scalar/common.h"

#define INLINE static inline __attribute__ ((always_inline))

enum {
  PIXELS = 32,          /* output pixels of a block */
  CHANNELS = 8,         /* output channels of a tile */
  COLUMNS = 40,         /* of a block's window, rounded up */
  BUFFER_PIXELS = 4096, /* of the rows that are worked on together */
};

/* The sums of a tile, output channel by output channel. */
typedef int32_t Sums[CHANNELS][PIXELS];

/* The rows of a block in the buffer: row k of quad q is row q * kernel + k. At
 * stride 2 a row holds every second column, and those between from COLUMNS on.
 */
static inline int
row_pixels (const DssrConv *conv)
{
  return conv->stride * COLUMNS;
}

/* Quads whose rows fit into the buffer. */
static inline int
chunk_quads (const DssrConv *conv)
{
  return BUFFER_PIXELS / (conv->kernel * row_pixels (conv));
}
