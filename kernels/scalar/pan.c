/* How the picture moved as a whole, in whole samples.
 *
 * Squares all over the picture are compared with the frame before: first sums
 * of patches, which tell large motion for little work, then samples around what
 * that found.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/scalar/samples.h"

#include <stdlib.h>

enum {
  SIDE = 32, /* of a square */
  PATCH = 4, /* side of the sums */
  REACH = 3, /* how far is looked, in patches and then in samples */
  MARGIN = PATCH * REACH + REACH + 1, /* around the squares */
  MAX_SQUARES = 64,
  PATCHES = SIDE / PATCH,
  AROUND = PATCHES + 2 * REACH, /* patches of the frame before */
  SHIFTS = 2 * REACH + 1,
  /* A pan explains that part of the difference at least, in eighths. */
  EXPLAINED = 1
};

_Static_assert(PATCH *REACH + REACH == DSSR_MAX_PAN, "reach of both");

/* Sums of absolute differences, of each shift. */
typedef struct {
  int cost[SHIFTS][SHIFTS];
} Costs;

/* Samples of n rows and columns from (x, y) on, in 8 bits. */
static void
load (uint8_t *restrict dst, const DssrSamples *plane, int x, int y, int n)
{
  const int s = plane->depth - 8;
  int16_t row[SIDE + 2 * PATCH * REACH];

  for (int i = 0; i < n; i++) {
    load_samples (row, plane, x, n, y + i);
    for (int j = 0; j < n; j++)
      dst[i * n + j] = min_int ((row[j] + round_of (s)) >> s, 255);
  }
}

/* Of n patches in a row and in a column. */
static void
sum_patches (int16_t *restrict dst, const uint8_t *src, int n)
{
  for (int y = 0; y < n; y++) {
    for (int x = 0; x < n; x++) {
      int sum = 0;
      for (int i = 0; i < PATCH; i++)
        for (int j = 0; j < PATCH; j++)
          sum += src[(PATCH * y + i) * PATCH * n + PATCH * x + j];
      dst[y * n + x] = sum;
    }
  }
}

static void
compare_patches (const DssrSamples *in, const DssrSamples *before, int x, int y,
    Costs *costs)
{
  enum { FAR = PATCH * REACH };
  uint8_t centre[SIDE * SIDE], wide[(SIDE + 2 * FAR) * (SIDE + 2 * FAR)];
  int16_t a[PATCHES * PATCHES], b[AROUND * AROUND];

  load (centre, in, x, y, SIDE);
  load (wide, before, x - FAR, y - FAR, SIDE + 2 * FAR);
  sum_patches (a, centre, PATCHES);
  sum_patches (b, wide, AROUND);
  for (int dy = 0; dy < SHIFTS; dy++) {
    for (int dx = 0; dx < SHIFTS; dx++) {
      int sum = 0;
      for (int i = 0; i < PATCHES; i++)
        for (int j = 0; j < PATCHES; j++)
          sum += abs (a[i * PATCHES + j] - b[(i + dy) * AROUND + j + dx]);
      costs->cost[dy][dx] += sum;
    }
  }
}

static int
compare (const uint8_t *restrict a, const uint8_t *restrict b, int stride)
{
  int sum = 0;

  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++)
      sum += abs (a[i * SIDE + j] - b[i * stride + j]);
  return sum;
}

/* Returns what the square differs where nothing is shifted. */
static int
compare_samples (const DssrSamples *in, const DssrSamples *before, int x, int y,
    DssrPan coarse, Costs *costs)
{
  enum { WIDE = SIDE + 2 * REACH };
  uint8_t centre[SIDE * SIDE], still[SIDE * SIDE], wide[WIDE * WIDE];

  load (centre, in, x, y, SIDE);
  load (still, before, x, y, SIDE);
  load (wide, before, x + coarse.x - REACH, y + coarse.y - REACH, WIDE);
  for (int dy = 0; dy < SHIFTS; dy++)
    for (int dx = 0; dx < SHIFTS; dx++)
      costs->cost[dy][dx] += compare (centre, wide + dy * WIDE + dx, WIDE);
  return compare (centre, still, SIDE);
}

/* The first shift of those that cost least, if less than *cost: else (0, 0).
 * `step` samples lie between two of them. */
static DssrPan
find_least (const Costs *costs, DssrPan around, int step, int *cost)
{
  DssrPan least = {0, 0};

  for (int dy = 0; dy < SHIFTS; dy++) {
    for (int dx = 0; dx < SHIFTS; dx++) {
      if (costs->cost[dy][dx] >= *cost)
        continue;
      *cost = costs->cost[dy][dx];
      least.x = around.x + step * (dx - REACH);
      least.y = around.y + step * (dy - REACH);
    }
  }
  return least;
}

static int
count_parts (int n, int part)
{
  return (n + part - 1) / part;
}

DssrPan
DSSR_KERNEL (pan) (const DssrSamples *in, const DssrSamples *before)
{
  const int columns = max_int (in->width - 2 * MARGIN, 0) / SIDE;
  const int rows = max_int (in->height - 2 * MARGIN, 0) / SIDE;
  int step = 1, still = 0;
  Costs coarse = {0}, fine = {0};

  while (count_parts (columns, step) * count_parts (rows, step) > MAX_SQUARES)
    step++;
  for (int y = 0; y < rows; y += step)
    for (int x = 0; x < columns; x += step)
      compare_patches (
          in, before, MARGIN + SIDE * x, MARGIN + SIDE * y, &coarse);
  int cost = coarse.cost[REACH][REACH];
  const DssrPan near = find_least (&coarse, (DssrPan){0, 0}, PATCH, &cost);

  for (int y = 0; y < rows; y += step)
    for (int x = 0; x < columns; x += step)
      still += compare_samples (
          in, before, MARGIN + SIDE * x, MARGIN + SIDE * y, near, &fine);
  cost = still;
  const DssrPan pan = find_least (&fine, near, 1, &cost);
  return 8 * cost < (8 - EXPLAINED) * still ? pan : (DssrPan){0, 0};
}
