/* How a picture moves as a whole.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

/* Depth, step and shift of planes, as in test-picture.c. */
static const struct {
  int depth, step, shift;
} layouts[] = {
    {8, 1, 0}, {8, 2, 0}, {10, 2, 0}, {10, 2, 6}, {12, 2, 0}, {9, 4, 0}};

enum { N_LAYOUTS = G_N_ELEMENTS (layouts) };

static const DssrSamples *now, *earlier;
static DssrPan expected;

static void
check_pan (const DssrKernels *kernels)
{
  const DssrPan is = kernels->pan (now, earlier);
  g_assert_cmpint (is.x, ==, expected.x);
  g_assert_cmpint (is.y, ==, expected.y);
}

static void
set (const DssrSamples *s, int x, int y, int value)
{
  guint8 *p = (guint8 *)s->data + y * s->stride + x * s->step;
  if (s->depth == 8)
    *p = value;
  else
    *(guint16 *)p = value << s->shift;
}

/* Squares of 12x12 samples, without a period. */
static int
cell (guint x, guint y)
{
  const guint hash = (x / 12 * 73856093u) ^ (y / 12 * 19349663u);
  return (int)((hash * 2654435761u) >> 24);
}

/* Those, moved, and a part of the samples replaced. */
static void
draw (const DssrSamples *s, int dx, int dy, double noise)
{
  for (int y = 0; y < s->height; y++) {
    for (int x = 0; x < s->width; x++) {
      int value = cell (x + dx + 1000, y + dy + 1000);
      if (random_int (1, 1000) <= 1000 * noise)
        value = random_int (0, 255);
      set (s, x, y, value << (s->depth - 8));
    }
  }
}

/* What every table finds, as the reference says. */
static DssrPan
find (
    int layout, int width, int height, int dx, int dy, double noise, Fill fill)
{
  const int depth = layouts[layout].depth, step = layouts[layout].step;
  const int shift = layouts[layout].shift;
  DssrSamples in, before;
  g_auto (Guarded) memory = {0}, memory_before = {0};

  samples_init (&in, &memory, width, height, depth, step, shift);
  samples_init (&before, &memory_before, width, height, depth, step, shift);
  samples_fill (&in, fill);
  samples_fill (&before, fill);
  if (fill == FILL_RANDOM) {
    draw (&in, dx, dy, noise);
    draw (&before, 0, 0, noise);
  }
  now = &in;
  earlier = &before;
  expected = reference_pan (now, earlier);
  for_each_table (check_pan, OPERATION (pan));
  return expected;
}

/* Each motion that can be found is, in each way that samples lie. */
static void
test_found (void)
{
  for (int i = 0; i < 40 * repetitions (); i++) {
    const int x = random_int (-DSSR_MAX_PAN, DSSR_MAX_PAN);
    const int y = random_int (-DSSR_MAX_PAN, DSSR_MAX_PAN);
    const int width = random_int (128, 300), height = random_int (128, 200);
    const DssrPan pan =
        find (i % N_LAYOUTS, width, height, x, y, 0.1, FILL_RANDOM);
    g_assert_cmpint (pan.x, ==, x);
    g_assert_cmpint (pan.y, ==, y);
  }
}

/* More than can be looked for, what explains too little, and pictures of which
 * no square can be shifted, are no pan. */
static void
test_none (void)
{
  const struct {
    int width, height, x;
    double noise;
  } cases[] = {{320, 200, 40, 0}, {320, 200, 5, 0.97}, {63, 200, 5, 0},
      {200, 63, 5, 0}, {3, 3, 1, 0}};

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    const DssrPan pan = find (0, cases[i].width, cases[i].height, cases[i].x, 0,
        cases[i].noise, FILL_RANDOM);
    g_assert_cmpint (pan.x, ==, 0);
    g_assert_cmpint (pan.y, ==, 0);
  }
}

/* Also samples that their depth cannot have. */
static void
test_extremes (void)
{
  for (int i = 0; i < 4 * N_FILLS; i++)
    find (i % N_LAYOUTS, random_int (64, 150), random_int (64, 150), 0, 0, 0,
        i % N_FILLS);
  /* More squares than are looked at. */
  const DssrPan pan = find (0, 1003, 430, -7, 13, 0, FILL_RANDOM);
  g_assert_cmpint (pan.x, ==, -7);
  g_assert_cmpint (pan.y, ==, 13);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/pan/found", test_found);
  g_test_add_func ("/kernels/pan/none", test_none);
  g_test_add_func ("/kernels/pan/extremes", test_extremes);
  return g_test_run ();
}
