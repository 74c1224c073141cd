/* Modulated deformable sampling.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "kernels/scalar/common.h"

/* Where a block of pixels samples: the four corners' places in a quad, their
 * weights (sum 256) and the modulation, the last two once for each lane. */
typedef struct {
  int place[4][BLOCK];
  uint16_t weight[4][4 * BLOCK];
  int16_t modulation[4 * BLOCK];
} Samples;

/* Lane c & 3 of a wide channel's row. */
static const int16_t *
wide_channel (const DssrTensor *t, int channel, int x, int y)
{
  return (const int16_t *)tensor_row (t, channel >> 2, y) + 4 * x
         + (channel & 3);
}

static void
locate (Samples *s, const DssrTensor *feature, const DssrTensor *offset,
    const DssrDeform *d, int tap, int group, int x0, int n, int y)
{
  const int taps = d->kernel * d->kernel;
  const int channel = tap * d->groups + group, part = taps * d->groups;
  const int tap_y = tap / d->kernel - d->kernel / 2;
  const int tap_x = tap % d->kernel - d->kernel / 2;
  const int16_t *dy = wide_channel (offset, channel, x0, y);
  const int16_t *dx = wide_channel (offset, channel + part, x0, y);
  const int16_t *m = wide_channel (offset, channel + 2 * part, x0, y);
  const int right = feature->width - 1, bottom = feature->height - 1;
  const int stride = feature->stride;

  for (int x = 0; x < n; x++) {
    const int py = 16 * (y + tap_y) + clamp (dy[4 * x], -d->limit, d->limit);
    const int px =
        16 * (x0 + x + tap_x) + clamp (dx[4 * x], -d->limit, d->limit);
    const int fy = py & 15, fx = px & 15;
    const int top = clamp (py >> 4, 0, bottom) * stride;
    const int below = clamp ((py >> 4) + 1, 0, bottom) * stride;
    const int left = 4 * clamp (px >> 4, 0, right);
    const int next = 4 * clamp ((px >> 4) + 1, 0, right);

    s->place[0][x] = top + left;
    s->place[1][x] = top + next;
    s->place[2][x] = below + left;
    s->place[3][x] = below + next;
    for (int l = 0; l < 4; l++) {
      s->weight[0][4 * x + l] = (16 - fx) * (16 - fy);
      s->weight[1][4 * x + l] = fx * (16 - fy);
      s->weight[2][4 * x + l] = (16 - fx) * fy;
      s->weight[3][4 * x + l] = fx * fy;
    }
  }
  for (int x = 0; x < n; x++) {
    const int modulation = d->table[clamp (m[4 * x] + 128, 0, 255)];
    for (int l = 0; l < 4; l++)
      s->modulation[4 * x + l] = modulation;
  }
}

static void
sample (uint8_t *restrict dst, const uint8_t *src, const Samples *s, int zero,
    int n)
{
  uint8_t corner[4][4 * BLOCK];

  for (int c = 0; c < 4; c++)
    for (int x = 0; x < n; x++)
      memcpy (&corner[c][4 * x], src + s->place[c][x], 4);

  for (int i = 0; i < 4 * n; i++) {
    const uint16_t sum =
        corner[0][i] * s->weight[0][i] + corner[1][i] * s->weight[1][i]
        + corner[2][i] * s->weight[2][i] + corner[3][i] * s->weight[3][i] + 128;
    const int16_t v = (sum >> 8) - zero;
    dst[i] = zero + ((v * s->modulation[i] + 128) >> 8);
  }
}

void
DSSR_KERNEL (deform) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  const int taps = deform->kernel * deform->kernel;
  const int quads = feature->quads / deform->groups;
  Samples samples;

  for (int y = y0; y < y1; y++) {
    for (int x0 = 0; x0 < out->width; x0 += BLOCK) {
      const int n = min_int (out->width - x0, BLOCK);
      for (int tap = 0; tap < taps; tap++) {
        for (int g = 0; g < deform->groups; g++) {
          locate (&samples, feature, offset, deform, tap, g, x0, n, y);
          for (int i = g * quads; i < (g + 1) * quads; i++) {
            uint8_t *dst = tensor_row (out, tap * feature->quads + i, y);
            sample (dst + 4 * x0, tensor_row (feature, i, 0), &samples,
                deform->zero, n);
          }
        }
      }
    }
  }
}
