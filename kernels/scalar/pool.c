/* Pooling 3x3, stride 2.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/common.h"

/* A window's column from x on: its greatest value, or its sum. Rows outside are
 * NULL. */
static int
pool_column (const uint8_t *const rows[3], const DssrPooling *pool, int x)
{
  int result = 0;

  for (int k = 0; k < 3; k++) {
    const int value = rows[k] ? rows[k][x] : pool->zero;
    if (pool->average)
      result += value;
    else if (rows[k])
      result = max_int (result, value);
  }
  return result;
}

static int
combine (const DssrPooling *pool, int left, int middle, int right)
{
  if (pool->average)
    return (2 * (left + middle + right) + 9) / 18;
  return max_int (max_int (left, middle), right);
}

static void
pool_row (uint8_t *restrict dst, const uint8_t *const rows[3],
    const DssrPooling *pool, int in_width, int out_width)
{
  const int outside = pool->average ? 3 * pool->zero : 0;

  for (int lane = 0; lane < 4; lane++) {
    int left = outside;
    for (int x = 0; x < out_width; x++) {
      const int middle = pool_column (rows, pool, 8 * x + lane);
      const int right = 2 * x + 1 < in_width
                            ? pool_column (rows, pool, 8 * x + 4 + lane)
                            : outside;
      dst[4 * x + lane] = combine (pool, left, middle, right);
      left = right;
    }
  }
}

void
DSSR_KERNEL (pool) (const DssrTensor *out, const DssrTensor *in,
    const DssrPooling *pool, int y0, int y1)
{
  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      const uint8_t *rows[3];
      for (int k = 0; k < 3; k++) {
        const int row = 2 * y + k - 1;
        rows[k] = row < 0 || row >= in->height ? NULL : tensor_row (in, q, row);
      }
      pool_row (tensor_row (out, q, y), rows, pool, in->width, out->width);
    }
  }
  fill_margins (out, y0, y1);
}
