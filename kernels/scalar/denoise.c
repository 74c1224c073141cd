/* Averages a still scene over time: what differs from the mean of the frames
 * before by no more than noise is taken for noise.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"

enum {
  MAX_WIDTH = 4096,
  REACH = 2, /* of the window around a sample that judges it: 5x5 */
  SIDE = 2 * REACH + 1,
  DEPTH = 12, /* of means, and of what is computed */
  /* By how much a window may differ from the mean, on the whole, in 1/25 of the
   * coarse noise's deviation: up to LEAST_SUM it is noise, from MOST_SUM on it
   * is not. And what its mean square may be, in 1/25 of the noise's variance.
   * The first frame and the next differ by two variances; the mean of 25 such
   * samples by 7/25 of a deviation. */
  LEAST_SUM = 10,
  MOST_SUM = 24,
  MOST_SQUARES = 100,
  WHOLE = 32,
  PART = 4, /* of a new sample that differs by noise, in 1/WHOLE */
};

/* Sums over the rows of a window, of what a column differs from the mean by. */
typedef struct {
  int32_t sum[MAX_WIDTH + 2 * REACH], squares[MAX_WIDTH + 2 * REACH];
} Columns;

/* `sign` is -1 for a row that leaves the window. */
static void
add_row (Columns *columns, const DssrSamples *in, const DssrSamples *mean,
    int y, int sign)
{
  const int up = DEPTH - in->depth, mean_up = DEPTH - mean->depth;
  int16_t samples[BLOCK], means[BLOCK];

  for (int x0 = 0; x0 < in->width; x0 += BLOCK) {
    const int n = min_int (in->width - x0, BLOCK);
    int32_t *restrict sum = columns->sum + REACH + x0;
    int32_t *restrict squares = columns->squares + REACH + x0;
    load_samples (samples, in, x0, n, y);
    load_samples (means, mean, x0, n, y);
    for (int i = 0; i < n; i++) {
      const int r = (samples[i] << up) - (means[i] << mean_up);
      sum[i] += sign * r;
      squares[i] += sign * r * r;
    }
  }
}

/* What is outside the picture is its edge. */
static void
fill_edges (Columns *columns, int width)
{
  const int last = REACH + width - 1;

  for (int i = 0; i < REACH; i++) {
    columns->sum[i] = columns->sum[REACH];
    columns->squares[i] = columns->squares[REACH];
    columns->sum[last + 1 + i] = columns->sum[last];
    columns->squares[last + 1 + i] = columns->squares[last];
  }
}

static int
square_root (int x)
{
  int root = 0;

  for (int bit = 1 << 12; bit; bit >>= 1)
    if ((root + bit) * (root + bit) <= x)
      root += bit;
  return root;
}

static void
put_row (const DssrSamples *out, const DssrSamples *in, const DssrDenoise *d,
    const Columns *columns, int y)
{
  const int up = DEPTH - in->depth, round = round_of (up);
  const int mean_up = DEPTH - d->mean.depth;
  const int max = (1 << in->depth) - 1, step = 1 << up;
  const int deviation = square_root (d->noise.coarse);
  const int least = LEAST_SUM * deviation;
  const int span = (MOST_SUM - LEAST_SUM) * deviation;
  const int slope = ((WHOLE - PART) << 16) / span + 1;
  const int most_squares = MOST_SQUARES * d->noise.variance;
  int16_t samples[BLOCK], before[BLOCK], mean[BLOCK], next[BLOCK];

  for (int x0 = 0; x0 < in->width; x0 += BLOCK) {
    const int n = min_int (in->width - x0, BLOCK);
    const int32_t *sum = columns->sum + x0;
    const int32_t *squares = columns->squares + x0;
    load_samples (samples, in, x0, n, y);
    load_samples (before, &d->before, x0, n, y);
    load_samples (mean, &d->mean, x0, n, y);
    for (int i = 0; i < n; i++) {
      int s = 0, q = 0;
      for (int j = 0; j < SIDE; j++) {
        s += sum[i + j];
        q += squares[i + j];
      }
      const int now = samples[i] << up, old = mean[i] << mean_up;
      const int beyond = clamp (max_int (s, -s) - least, 0, span);
      const int part = q > most_squares ? WHOLE : PART + (beyond * slope >> 16);
      const int t = old + ((part * (now - old) + WHOLE / 2) >> 5);
      const int off = t - (before[i] << up);
      const int held = (off < step) & (off > -step);
      next[i] = t;
      samples[i] = held ? before[i] : min_int ((t + round) >> up, max);
    }
    put_samples (&d->next, next, x0, n, y);
    put_samples (out, samples, x0, n, y);
  }
}

void
DSSR_KERNEL (denoise) (const DssrSamples *out, const DssrSamples *in,
    const DssrDenoise *denoise, int y0, int y1)
{
  Columns columns;

  memset (&columns, 0, sizeof columns);
  for (int y = y0 - REACH; y < y0 + REACH; y++)
    add_row (&columns, in, &denoise->mean, y, 1);
  for (int y = y0; y < y1; y++) {
    add_row (&columns, in, &denoise->mean, y + REACH, 1);
    fill_edges (&columns, in->width);
    put_row (out, in, denoise, &columns, y);
    add_row (&columns, in, &denoise->mean, y - REACH, -1);
  }
}
