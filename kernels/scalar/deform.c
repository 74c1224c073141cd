/* Modulated deformable sampling.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "kernels/scalar/common.h"

/* Where a block of pixels samples: the four corners' places in a quad, and
 * whether they lie in the picture; for each lane, where between them in 1/16,
 * and the modulation. */
typedef struct {
  int32_t place[4][BLOCK];
  bool inside[4][BLOCK];
  uint16_t fx[4 * BLOCK], fy[4 * BLOCK], modulation[4 * BLOCK];
} Samples;

/* Stores a value four times. */
static void
splat (uint16_t *dst, uint64_t value)
{
  value *= 0x0001000100010001;
  memcpy (dst, &value, sizeof value);
}

/* Lane c & 3 of a wide channel's row. */
static const int16_t *
wide_channel (const DssrTensor *t, int channel, int x, int y)
{
  return (const int16_t *)tensor_row (t, channel >> 2, y) + 4 * x
         + (channel & 3);
}

static bool
is_inside (int i, int last)
{
  return i >= 0 && i <= last;
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
  const int stride = feature->stride, limit = d->limit;
  const int rows = feature->ring - 1;

  for (int x = 0; x < n; x++) {
    const int py = 16 * (y + tap_y) + clamp (dy[4 * x], -limit, limit);
    const int px = 16 * (x0 + x + tap_x) + clamp (dx[4 * x], -limit, limit);
    const int top = (clamp (py >> 4, 0, bottom) & rows) * stride;
    const int below = (clamp ((py >> 4) + 1, 0, bottom) & rows) * stride;
    const int left = 4 * clamp (px >> 4, 0, right);
    const int next = 4 * clamp ((px >> 4) + 1, 0, right);

    const bool in_top = is_inside (py >> 4, bottom);
    const bool in_below = is_inside ((py >> 4) + 1, bottom);
    const bool in_left = is_inside (px >> 4, right);
    const bool in_next = is_inside ((px >> 4) + 1, right);

    s->inside[0][x] = in_top && in_left;
    s->inside[1][x] = in_top && in_next;
    s->inside[2][x] = in_below && in_left;
    s->inside[3][x] = in_below && in_next;
    s->place[0][x] = top + left;
    s->place[1][x] = top + next;
    s->place[2][x] = below + left;
    s->place[3][x] = below + next;
    splat (&s->fx[4 * x], px & 15);
    splat (&s->fy[4 * x], py & 15);
  }
  for (int x = 0; x < n; x++)
    splat (&s->modulation[4 * x], d->table[clamp (m[4 * x] + 128, 0, 255)]);
}

/* With `zero_outside`, pixels outside the picture are zero, not its edge. */
static inline __attribute__ ((always_inline)) void
sample (uint8_t *restrict dst, const uint8_t *src, const Samples *s,
    bool zero_outside, int zero, int n)
{
  uint8_t corner[4][4 * BLOCK];

  for (int c = 0; c < 4; c++)
    for (int x = 0; x < n; x++) {
      memcpy (&corner[c][4 * x], src + s->place[c][x], 4);
      if (zero_outside && !s->inside[c][x])
        memset (&corner[c][4 * x], zero, 4);
    }

  /* The contract's sum, at most 65280, with fewer products, modulo 2^16. */
  for (int i = 0; i < 4 * n; i++) {
    const uint16_t top =
        16 * corner[0][i] + (corner[1][i] - corner[0][i]) * s->fx[i];
    const uint16_t below =
        16 * corner[2][i] + (corner[3][i] - corner[2][i]) * s->fx[i];
    const uint16_t sum = 16 * top + (below - top) * s->fy[i] + 128;
    const int16_t v = (sum >> 8) - zero;
    dst[i] = zero + ((v * s->modulation[i] + 128) >> 8);
  }
}

static inline __attribute__ ((always_inline)) void
deform_rows (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, bool zero_outside,
    int y0, int y1)
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
                zero_outside, deform->zero, n);
          }
        }
      }
    }
  }
  fill_margins (out, y0, y1);
}

void
DSSR_KERNEL (deform) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  deform_rows (out, feature, offset, deform, false, y0, y1);
}

void
DSSR_KERNEL (deform_zero) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  deform_rows (out, feature, offset, deform, true, y0, y1);
}
