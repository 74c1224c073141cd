/* How much noise there is in a scene that stands still.
 *
 * Of squares that have more texture than they differ from the frame before, in
 * a way that motion of that texture does not explain, all the difference is
 * noise. If there are such squares, so the camera stands still, and the calmest
 * quarter of them says how much.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"

enum {
  SIDE = 16,         /* of a square */
  MAX_SQUARES = 256, /* that are looked at, evenly over the picture */
  DEPTH = 10,        /* of what is computed */
  TEXTURE = 8,       /* energy of the gradient, in that of the difference */
  /* A part of the difference's energy, in its mean, that chance explains by a
   * motion or a change of brightness in 1 square of 200. */
  CHANCE = 8,
  PATCH = 4,       /* side of the parts of a square that are summed */
  MOST_COARSE = 8, /* times white noise */
  LEAST_SQUARES = 4,
  LEAST_PART = 10,   /* 1 in so many squares */
  LEAST_NOISE = 2048 /* energy of a square, of half a step of 8 bits */
};

typedef struct {
  int64_t difference;             /* energy */
  int64_t gradient_x, gradient_y; /* energy, 16 times */
  int64_t motion_x, motion_y;     /* difference by gradient, 4 times */
  int64_t change;                 /* sum of differences */
  int64_t coarse;                 /* energy of the sums of patches */
} Sums;

static inline __attribute__ ((always_inline)) void
load_row (int16_t *row, const DssrSamples *plane, int x, int y)
{
  const int depth = plane->depth;

  load_samples (row, plane, x - 1, SIDE + 2, y);
  for (int i = 0; i < SIDE + 2; i++)
    row[i] =
        depth > DEPTH ? row[i] >> (depth - DEPTH) : row[i] << (DEPTH - depth);
}

static int64_t
sum_patches (int16_t difference[SIDE + 2][SIDE + 2])
{
  int64_t energy = 0;

  for (int y0 = 1; y0 <= SIDE; y0 += PATCH) {
    for (int x0 = 1; x0 <= SIDE; x0 += PATCH) {
      int sum = 0;
      for (int y = y0; y < y0 + PATCH; y++)
        for (int x = x0; x < x0 + PATCH; x++)
          sum += difference[y][x];
      energy += (int64_t)sum * sum;
    }
  }
  return energy;
}

/* Of the square whose first sample is (x0, y0). */
static Sums
measure (const DssrSamples *in, const DssrSamples *before, int x0, int y0)
{
  int16_t difference[SIDE + 2][SIDE + 2], mean[SIDE + 2][SIDE + 2];
  int difference_sum = 0, gradient_x = 0, gradient_y = 0;
  int motion_x = 0, motion_y = 0, change = 0;

  for (int y = 0; y < SIDE + 2; y++) {
    int16_t a[SIDE + 2] = {0}, b[SIDE + 2] = {0};
    load_row (a, in, x0, y0 + y - 1);
    load_row (b, before, x0, y0 + y - 1);
    for (int x = 0; x < SIDE + 2; x++) {
      difference[y][x] = a[x] - b[x];
      mean[y][x] = a[x] + b[x];
    }
  }
  for (int y = 1; y <= SIDE; y++) {
    for (int x = 1; x <= SIDE; x++) {
      const int d = difference[y][x];
      const int gx = mean[y][x + 1] - mean[y][x - 1];
      const int gy = mean[y + 1][x] - mean[y - 1][x];
      difference_sum += d * d;
      gradient_x += gx * gx;
      gradient_y += gy * gy;
      motion_x += gx * d;
      motion_y += gy * d;
      change += d;
    }
  }
  return (Sums){
      .difference = difference_sum,
      .gradient_x = gradient_x,
      .gradient_y = gradient_y,
      .motion_x = motion_x,
      .motion_y = motion_y,
      .change = change,
      .coarse = sum_patches (difference),
  };
}

/* Textured, and still but for noise. */
static bool
is_noisy (const Sums *s)
{
  enum { SAMPLES = SIDE * SIDE };
  const int64_t d = s->difference;

  return s->gradient_x + s->gradient_y > 16 * TEXTURE * d
         && s->motion_x * s->motion_x <= s->gradient_x * d / (SAMPLES / CHANCE)
         && s->motion_y * s->motion_y <= s->gradient_y * d / (SAMPLES / CHANCE)
         && s->change * s->change <= CHANCE * d;
}

static int
count_parts (int n, int part)
{
  return (n + part - 1) / part;
}

/* Keeps the list sorted. */
static void
insert (int *list, int n, int value)
{
  for (; n > 0 && list[n - 1] > value; n--)
    list[n] = list[n - 1];
  list[n] = value;
}

DssrNoise
DSSR_KERNEL (noise) (const DssrSamples *in, const DssrSamples *before)
{
  const int columns = in->width / SIDE, rows = in->height / SIDE;
  int step = 1, noises[MAX_SQUARES], n = 0;
  int64_t difference = 0, coarse = 0;

  while (count_parts (columns, step) * count_parts (rows, step) > MAX_SQUARES)
    step++;
  for (int y = 0; y < rows; y += step) {
    for (int x = 0; x < columns; x += step) {
      const Sums sums = measure (in, before, SIDE * x, SIDE * y);
      if (!is_noisy (&sums))
        continue;
      insert (noises, n++, (int)sums.difference);
      difference += sums.difference;
      coarse += sums.coarse;
    }
  }
  const int squares = count_parts (columns, step) * count_parts (rows, step);
  if (n < LEAST_SQUARES || LEAST_PART * n < squares
      || noises[n / 4] < LEAST_NOISE)
    return (DssrNoise){0};
  const int variance = noises[n / 4] / 32;
  const int times =
      clamp ((int)(16 * coarse / difference), 16, 16 * MOST_COARSE);
  return (DssrNoise){variance, variance * times >> 4};
}
