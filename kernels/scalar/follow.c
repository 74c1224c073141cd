/* A feature shifted by whole pixels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/common.h"

static void
shift_row (uint32_t *restrict dst, const uint32_t *src, int width, int by)
{
  const int begin = clamp (-by, 0, width), end = clamp (width - by, 0, width);

  for (int x = 0; x < begin; x++)
    dst[x] = src[0];
  if (end > begin)
    memcpy (dst + begin, src + begin + by, sizeof *dst * (size_t)(end - begin));
  for (int x = max_int (begin, end); x < width; x++)
    dst[x] = src[width - 1];
}

void
DSSR_KERNEL (follow) (
    const DssrTensor *out, const DssrTensor *in, DssrPan pan, int y0, int y1)
{
  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      const int from = clamp (y + pan.y, 0, in->height - 1);
      shift_row (
          tensor_row (out, q, y), tensor_row (in, q, from), out->width, pan.x);
    }
  }
  fill_margins (out, y0, y1);
}
