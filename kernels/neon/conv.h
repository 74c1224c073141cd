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
  PIXELS = 32,          /* output columns of a block */
  MAX_ROWS = 4,         /* output rows */
  CHANNELS = 8,         /* output channels of a tile */
  COLUMNS = 40,         /* of a block's window, rounded up */
  BUFFER_PIXELS = 4096, /* of the rows that are worked on together */
};

/* The sums of a tile, output channel by output channel. */
typedef int32_t Sums[CHANNELS][PIXELS];

/* The length of a window's row. At stride 2 it holds every second column, and
 * those between from COLUMNS on. */
static inline int
row_pixels (const DssrConv *conv)
{
  return conv->stride * COLUMNS;
}

static inline int
window_rows (const DssrConv *conv, int block_rows)
{
  return conv->stride * (block_rows - 1) + conv->kernel;
}

/* Output rows of a block: more than one where they share rows of the window, if
 * all input quads fit into the buffer. */
static inline int
block_rows (const DssrConv *conv)
{
  int rows = conv->kernel == 1 ? 1 : MAX_ROWS;
  while (rows > 1
         && conv->in_quads * window_rows (conv, rows) * row_pixels (conv)
                > BUFFER_PIXELS)
    rows /= 2;
  return rows;
}

/* The buffer's pixels of an input quad. */
static inline int
quad_pixels (const DssrConv *conv)
{
  return window_rows (conv, block_rows (conv)) * row_pixels (conv);
}

/* Input quads that fit into the buffer. */
static inline int
chunk_quads (const DssrConv *conv)
{
  return BUFFER_PIXELS / quad_pixels (conv);
}
