/* High contrast: a curve that lifts what is dark, and more difference from the
 * mean of the surroundings, in place.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"

enum {
  MAX_SCALE = 4,
  SIDE = 8, /* of a square of the small plane that has one mean */
  SQUARES = 4096 / SIDE,
  DEPTH = 12,  /* of means, and of what is computed */
  PART = 64,   /* weights are squares of distances in this part of a side */
  CHUNK = 128, /* outputs that are worked on together */
};

/* Means of the squares of three rows of them, and one more on both sides. */
typedef struct {
  int row; /* of squares, which rows[1] has */
  int16_t rows[3][SQUARES + 2];
} Means;

static int
count_squares (int n)
{
  return (n + SIDE - 1) / SIDE;
}

/* The means of a row of squares; what is outside the picture is its edge. */
static void
add_means (int16_t *means, const DssrSamples *in, int row)
{
  const int n = count_squares (in->width);
  const int down = in->depth - (DEPTH - 6), round = round_of (down);
  int16_t *dst = means + 1;

  row = clamp (row, 0, count_squares (in->height) - 1);
  for (int x0 = 0; x0 < in->width; x0 += BLOCK) {
    int16_t sums[BLOCK] = {0}, samples[BLOCK];
    for (int y = 0; y < SIDE; y++) {
      load_samples (samples, in, x0, BLOCK, SIDE * row + y);
      for (int x = 0; x < BLOCK; x++)
        sums[x] += samples[x];
    }
    for (int i = 0; i < BLOCK / SIDE && x0 / SIDE + i < n; i++) {
      int sum = 0;
      for (int x = 0; x < SIDE; x++)
        sum += sums[SIDE * i + x];
      dst[x0 / SIDE + i] = (sum + round) >> down;
    }
  }
  means[0] = dst[0];
  dst[n] = dst[n - 1];
}

/* Three rows around row `row` of squares, of which those that are there are
 * kept. */
static void
move_means (Means *means, const DssrSamples *in, int row)
{
  const size_t size = sizeof means->rows[0];

  if (row == means->row)
    return;
  if (row == means->row + 1) {
    memcpy (means->rows[0], means->rows[1], size);
    memcpy (means->rows[1], means->rows[2], size);
    add_means (means->rows[2], in, row + 1);
  } else {
    for (int i = 0; i < 3; i++)
      add_means (means->rows[i], in, row - 1 + i);
  }
  means->row = row;
}

/* The weights of the square before, the own and the next for each output of a
 * square: a quadratic B-spline. */
typedef struct {
  int before[MAX_SCALE * SIDE], own[MAX_SCALE * SIDE], next[MAX_SCALE * SIDE];
} Weights;

static void
set_weights (Weights *w, int scale)
{
  for (int i = 0; i < SIDE * scale; i++) {
    const int a = (2 * i + 1) * (PART / 2 / SIDE) / scale;
    w->before[i] = (PART - a) * (PART - a);
    w->next[i] = a * a;
    w->own[i] = 2 * PART * PART - w->before[i] - w->next[i];
  }
}

/* The mean around the outputs of row i of a square, for every square and one
 * more on both sides. */
static void
mix_rows (int16_t *restrict dst, const Means *m, const Weights *w, int i, int n)
{
  const int before = w->before[i], own = w->own[i], next = w->next[i];

  for (int x = 0; x < n; x++)
    dst[x] = (before * m->rows[0][x] + own * m->rows[1][x]
                 + next * m->rows[2][x] + PART * PART)
             >> 13;
}

/* The mean around each output of `n` squares. */
static inline __attribute__ ((always_inline)) void
spread (int16_t *restrict dst, const int16_t *squares, const Weights *w,
    int side, int n)
{
  for (; n > 0; n--, dst += side, squares++)
    for (int i = 0; i < side; i++)
      dst[i] = (w->before[i] * squares[0] + w->own[i] * squares[1]
                   + w->next[i] * squares[2] + PART * PART)
               >> 13;
}

static void
adjust (int16_t *restrict samples, const int16_t *restrict means,
    const DssrContrast *c, int depth, int n)
{
  const int up = DEPTH - depth, round = round_of (up);
  const int black = c->black, range = c->range, white = black + range;
  const int lift = c->lift, gain = c->gain, limit = c->limit;

  for (int i = 0; i < n; i++) {
    const int e = samples[i] << up;
    const int s = clamp (e - black, 0, range);
    const int curve = ((s * (range - s) >> 8) * lift + (1 << 19)) >> 20;
    const int local = ((e - means[i]) * gain + 128) >> 8;
    const int t = clamp (e + curve + clamp (local, -limit, limit),
        min_int (e, black), max_int (e, white));
    samples[i] = (t + round) >> up;
  }
}

void
DSSR_KERNEL (contrast) (const DssrSamples *out, const DssrSamples *in,
    const DssrContrast *contrast, int y0, int y1)
{
  const int side = SIDE * contrast->scale;
  int16_t squares[SQUARES + 2], samples[CHUNK], around[CHUNK];
  Means means = {.row = -2};
  Weights weights;

  set_weights (&weights, contrast->scale);
  for (int y = y0; y < y1; y++) {
    move_means (&means, in, y / side);
    mix_rows (
        squares, &means, &weights, y % side, count_squares (in->width) + 2);
    for (int x = 0; x < out->width; x += CHUNK) {
      const int n = min_int (out->width - x, CHUNK);
      if (contrast->scale == 2)
        spread (around, squares + x / side, &weights, 2 * SIDE,
            (n + side - 1) / side);
      else
        spread (around, squares + x / side, &weights, 4 * SIDE,
            (n + side - 1) / side);
      load_samples (samples, out, x, n, y);
      adjust (samples, around, contrast, out->depth, n);
      put_samples (out, samples, x, n, y);
    }
  }
}
