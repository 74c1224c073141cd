/* Reading and writing a row of a picture's plane.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/scalar/common.h"

/* Samples x0 to x0 + n - 1 of row y, of which at least one lies in the picture;
 * those outside are the edge's. Bits that a sample of this depth cannot have
 * count as its greatest value. */
static inline void
load_samples (int16_t *restrict dst, const DssrSamples *s, int x0, int n, int y)
{
  const char *row =
      (const char *)s->data + clamp (y, 0, s->height - 1) * s->stride;
  const int begin = max_int (-x0, 0), end = min_int (s->width - x0, n);

  if (s->depth == 8) {
    const uint8_t *p = (const uint8_t *)row;
    if (s->step == 1)
      for (int i = begin; i < end; i++)
        dst[i] = p[x0 + i];
    else
      for (int i = begin; i < end; i++)
        dst[i] = p[(x0 + i) * s->step];
  } else {
    const uint16_t *p = (const uint16_t *)row;
    const int step = s->step / 2, shift = s->shift, max = (1 << s->depth) - 1;
    if (step == 1)
      for (int i = begin; i < end; i++)
        dst[i] = min_int (p[x0 + i] >> shift, max);
    else
      for (int i = begin; i < end; i++)
        dst[i] = min_int (p[(x0 + i) * step] >> shift, max);
  }

  for (int i = 0; i < begin; i++)
    dst[i] = dst[begin];
  for (int i = end; i < n; i++)
    dst[i] = dst[end - 1];
}

/* The other way round, for samples that all lie in the picture. */
static inline void
put_samples (
    const DssrSamples *s, const int16_t *restrict samples, int x0, int n, int y)
{
  char *row = (char *)s->data + y * s->stride + x0 * (ptrdiff_t)s->step;

  if (s->depth == 8 && s->step == 1)
    for (int i = 0; i < n; i++)
      ((uint8_t *)row)[i] = samples[i];
  else if (s->depth == 8)
    for (int i = 0; i < n; i++)
      ((uint8_t *)row)[i * (ptrdiff_t)s->step] = samples[i];
  else
    for (int i = 0; i < n; i++)
      *(uint16_t *)(row + i * (ptrdiff_t)s->step) = samples[i] << s->shift;
}
