/* How noise of a still scene is measured, and averaged over time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <math.h>

/* Depth, step and shift of planes, as in test-picture.c. */
static const struct {
  int depth, step, shift;
} layouts[] = {
    {8, 1, 0}, {8, 2, 0}, {10, 2, 0}, {10, 2, 6}, {12, 2, 0}, {9, 4, 0}};

enum { N_LAYOUTS = G_N_ELEMENTS (layouts) };

typedef struct {
  DssrSamples samples;
  Guarded memory;
} Plane;

static void
plane_clear (Plane *plane)
{
  guarded_clear (&plane->memory);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Plane, plane_clear)

static void
plane_init (Plane *plane, int layout, int width, int height)
{
  samples_init (&plane->samples, &plane->memory, width, height,
      layouts[layout].depth, layouts[layout].step, layouts[layout].shift);
}

static void
mean_init (Plane *plane, int width, int height)
{
  samples_init (&plane->samples, &plane->memory, width, height, 12, 2, 0);
}

static int
get (const Plane *plane, int x, int y)
{
  const DssrSamples *s = &plane->samples;
  const guint8 *p = (guint8 *)s->data + y * s->stride + x * s->step;
  return s->depth == 8 ? *p : *(guint16 *)p >> s->shift;
}

static void
set (const Plane *plane, int x, int y, int value)
{
  const DssrSamples *s = &plane->samples;
  guint8 *p = (guint8 *)s->data + y * s->stride + x * s->step;
  value = CLAMP (value, 0, (1 << s->depth) - 1);
  if (s->depth == 8)
    *p = value;
  else
    *(guint16 *)p = value << s->shift;
}

/* About normal, with the deviation. */
static double
noise (double deviation)
{
  int sum = 0;
  for (int i = 0; i < 12; i++)
    sum += random_int (-1000, 1000);
  return deviation * sum / 2000;
}

/* A picture with texture all over; motion in samples, the rest in steps of 8
 * bits. */
static void
draw (const Plane *plane, double motion, double brighter, double deviation)
{
  const int unit = 1 << (plane->samples.depth - 8);

  for (int y = 0; y < plane->samples.height; y++) {
    for (int x = 0; x < plane->samples.width; x++) {
      const double u = x - motion;
      const double value = 115 + 60 * sin (u / 3.1 + y / 5.3)
                           + 40 * sin (u / 7.7 - y / 2.3) + brighter
                           + noise (deviation);
      set (plane, x, y, (int)floor (value * unit + 0.5));
    }
  }
}

/* ---- The noise that is measured ---- */

static const DssrSamples *now, *earlier;
static DssrNoise expected;

static void
check_noise (const DssrKernels *kernels)
{
  const DssrNoise is = kernels->noise (now, earlier);
  g_assert_cmpint (is.variance, ==, expected.variance);
  g_assert_cmpint (is.coarse, ==, expected.coarse);
}

/* Every table says what the reference says. */
static int
measure (const Plane *in, const Plane *before)
{
  now = &in->samples;
  earlier = &before->samples;
  expected = reference_noise (now, earlier);
  for_each_table (check_noise, OPERATION (noise));
  return expected.variance;
}

/* Of a scene that moves by `motion` and gets brighter between its two frames.
 */
static int
measure_scene (int layout, int width, int height, double motion,
    double brighter, double deviation)
{
  g_auto (Plane) in = {0}, before = {0};

  plane_init (&in, layout, width, height);
  plane_init (&before, layout, width, height);
  draw (&before, 0, 0, deviation);
  draw (&in, motion, brighter, deviation);
  return measure (&in, &before);
}

static void
test_noise_random (void)
{
  for (int i = 0; i < 200 * repetitions (); i++) {
    const int width = side (random_int (0, N_SIDES)),
              height = random_int (1, 90);
    const int layout = random_int (0, N_LAYOUTS - 1);
    g_auto (Plane) in = {0}, before = {0};
    plane_init (&in, layout, width, height);
    plane_init (&before, layout, width, height);
    if (random_bit ())
      samples_fill (&in.samples, random_int (0, N_FILLS - 1));
    if (random_bit ())
      samples_fill (&before.samples, random_int (0, N_FILLS - 1));
    measure (&in, &before);
    measure_scene (layout, width, height, random_int (0, 3) / 8.0,
        random_int (0, 2), random_int (0, 12) / 4.0);
  }
  /* As many squares as are looked at, and more. */
  for (int i = 0; i < 10; i++) {
    measure_scene (0, 256, 256, 0, 0, 2);
    measure_scene (0, 272, 256, 0, 0, 2);
  }
  measure_scene (0, LARGEST_SIDE / 2, 40, 0, 0, 2);
  measure_scene (0, 40, LARGEST_SIDE / 2, 0, 0, 2);
}

static void
test_noise_still (void)
{
  for (int layout = 0; layout < N_LAYOUTS; layout++) {
    for (int deviation = 1; deviation <= 4; deviation++) {
      const double variance = 256 * deviation * deviation;
      const int is = measure_scene (layout, 200, 150, 0, 0, deviation);
      g_assert_cmpfloat_with_epsilon (is, variance * 0.95, variance * 0.15);
    }
  }
}

/* A still scene, with noise that is the mean of four neighbours', or one for
 * each 4x4 samples. */
static void
draw_coarse (const Plane *plane, double deviation, gboolean patches)
{
  const int width = plane->samples.width, height = plane->samples.height;
  const int row = width + 1, n = row * (height + 1);
  g_autofree double *noises = g_new (double, n);

  for (int i = 0; i < n; i++)
    noises[i] = noise (deviation);
  draw (plane, 0, 0, 0);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      const double *p = noises + y * row + x;
      const double value = patches ? noises[y / 4 * row + x / 4]
                                   : (p[0] + p[1] + p[row] + p[row + 1]) / 2;
      set (plane, x, y, get (plane, x, y) + (int)floor (value + 0.5));
    }
  }
}

/* Of the coarse variance to the variance. */
static double
measure_coarse (gboolean patches)
{
  g_auto (Plane) in = {0}, before = {0};

  plane_init (&in, 0, 320, 240);
  plane_init (&before, 0, 320, 240);
  /* Of the squares, noise in patches leaves about as many as there must be. */
  for (int i = 0; i < 20; i++) {
    draw_coarse (&in, 1, patches);
    draw_coarse (&before, 1, patches);
    if (measure (&in, &before))
      break;
  }
  g_assert_cmpint (expected.variance, >, 0);
  return expected.coarse / (double)expected.variance;
}

/* Sums over 4x4 of noise that 2x2 samples share are three times as strong as of
 * white noise, and 16 times if all samples share it, of which 8 count. */
static void
test_noise_coarse (void)
{
  g_assert_cmpfloat_with_epsilon (measure_coarse (FALSE), 2.8, 0.5);
  g_assert_cmpfloat (measure_coarse (TRUE), ==, 8);
  measure_scene (0, 200, 150, 0, 0, 2);
  g_assert_cmpfloat_with_epsilon (
      expected.coarse / (double)expected.variance, 1.05, 0.15);
}

/* What moves, however slowly, what gets brighter, and what has no noise. */
static void
test_noise_none (void)
{
  static const double motions[] = {0.03, 0.1, 0.4, 1, 2.5, 7};

  for (int layout = 0; layout < N_LAYOUTS; layout++) {
    for (guint i = 0; i < G_N_ELEMENTS (motions); i++) {
      g_assert_cmpint (
          measure_scene (layout, 200, 150, motions[i], 0, 0), ==, 0);
      if (motions[i] >= 0.1)
        g_assert_cmpint (
            measure_scene (layout, 200, 150, motions[i], 0, 1), ==, 0);
    }
    g_assert_cmpint (measure_scene (layout, 200, 150, 0, 1, 1), ==, 0);
    g_assert_cmpint (measure_scene (layout, 200, 150, 0, 0, 0), ==, 0);
    g_assert_cmpint (measure_scene (layout, 200, 150, 0, 0, 0.25), ==, 0);
    /* Three squares are too few to tell. */
    g_assert_cmpint (measure_scene (layout, 63, 31, 0, 0, 2), ==, 0);
    g_assert_cmpint (measure_scene (layout, 80, 32, 0, 0, 2), >, 0);
  }
}

/* Without texture nothing tells noise from motion; a tenth of the squares is
 * enough, those beside textured ones included. */
static void
test_noise_flat (void)
{
  enum { W = 11 * 16, H = 10 * 16, FEW = 2, MANY = 20 };
  g_auto (Plane) in = {0}, before = {0};

  plane_init (&in, 0, W, H);
  plane_init (&before, 0, W, H);
  for (int textured = FEW; textured <= MANY; textured++) {
    draw (&in, 0, 0, 2);
    draw (&before, 0, 0, 2);
    for (int y = 0; y < H; y++) {
      for (int x = 0; x < W; x++) {
        if (y / 16 * 11 + x / 16 < textured)
          continue;
        set (&in, x, y, 100 + (int)noise (2));
        set (&before, x, y, 100 + (int)noise (2));
      }
    }
    const int variance = measure (&in, &before);
    if (textured == FEW || textured == MANY)
      g_assert_cmpint (variance > 0, ==, textured == MANY);
  }
}

/* ---- The average ---- */

typedef struct {
  DssrDenoise denoise;
  DssrSamples other; /* the output that is not compared */
  gboolean next;     /* the mean is compared */
} Parameters;

static void
call_denoise (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;
  DssrDenoise denoise = p->denoise;

  denoise.next = p->next ? o->plane_out : p->other;
  table->denoise (
      p->next ? &p->other : &o->plane_out, &o->plane_in, &denoise, y0, y1);
}

/* Values about the samples, or anything. */
static void
fill_mean (const Plane *mean, const Plane *in, int spread)
{
  const int up = mean->samples.depth - in->samples.depth;

  if (random_int (0, 3) == 0)
    return;
  for (int y = 0; y < mean->samples.height; y++)
    for (int x = 0; x < mean->samples.width; x++)
      set (mean, x, y, (get (in, x, y) << up) + random_int (-spread, spread));
}

static void
check_denoise (int layout, int width, int height)
{
  static const Operation operation = {call_denoise, NULL, OPERATION (denoise)};
  g_auto (Plane) in = {0}, before = {0}, mean = {0}, other = {0};
  const int spread = random_int (0, 60);
  const gboolean next = random_bit ();
  g_auto (Case) c = {0};

  plane_init (&in, layout, width, height);
  plane_init (&before, layout, width, height);
  if (random_bit ())
    mean_init (&mean, width, height);
  else
    plane_init (&mean, layout, width, height);
  if (random_bit ())
    draw (&in, 0, 0, random_int (0, 3));
  else
    samples_fill (&in.samples, random_int (0, N_FILLS - 1));
  fill_mean (&before, &in, random_int (0, 3));
  fill_mean (&mean, &in, spread);
  if (next)
    plane_init (&other, layout, width, height);
  else
    mean_init (&other, width, height);
  guarded_make_read_only (&in.memory);
  guarded_make_read_only (&before.memory);
  guarded_make_read_only (&mean.memory);

  const int variance = random_int (0, 3) ? 1 + spread * spread / 3
                                         : random_int (1, (1 << 23) - 1);
  const Parameters p = {
      .denoise =
          {
              .noise = {variance, variance * random_int (1, 8)},
              .before = before.samples,
              .mean = mean.samples,
          },
      .other = other.samples,
      .next = next,
  };
  c.operands.plane_in = in.samples;
  c.operands.plane_out = in.samples;
  if (next)
    c.operands.plane_out =
        (DssrSamples){.width = width, .height = height, .depth = 12, .step = 2};
  c.description = g_strdup_printf ("denoise %dx%d, depth %d, variance %d",
      width, height, in.samples.depth, variance);
  check_kernel (&operation, &c, &p);
}

static void
test_denoise_random (void)
{
  for (int i = 0; i < 6 * N_SIDES * repetitions (); i++)
    check_denoise (i % N_LAYOUTS, side (i / N_LAYOUTS), random_int (1, 12));
  check_denoise (0, LARGEST_SIDE / 2, 3);
  check_denoise (0, 2, LARGEST_SIDE / 2);
}

enum { WIDTH = 96, HEIGHT = 80, DEVIATION = 2 };

/* Frames of a still scene through one table, with a bright square in frame
 * `square`; the last two that came out. */
typedef struct {
  Plane in, out[2], mean[2];
} Series;

static void
series_clear (Series *s)
{
  plane_clear (&s->in);
  for (int i = 0; i < 2; i++) {
    plane_clear (&s->out[i]);
    plane_clear (&s->mean[i]);
  }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Series, series_clear)

static void
draw_square (const Plane *plane, int brighter)
{
  for (int y = 30; y < 50; y++)
    for (int x = 30; x < 50; x++)
      set (plane, x, y, get (plane, x, y) + brighter);
}

static void
series_run (
    Series *s, const DssrKernels *kernels, int frames, int from, int brighter)
{
  plane_init (&s->in, 0, WIDTH, HEIGHT);
  for (int i = 0; i < 2; i++) {
    plane_init (&s->out[i], 0, WIDTH, HEIGHT);
    mean_init (&s->mean[i], WIDTH, HEIGHT);
  }
  draw (&s->in, 0, 0, DEVIATION);
  for (int y = 0; y < HEIGHT; y++) {
    for (int x = 0; x < WIDTH; x++) {
      set (&s->out[0], x, y, get (&s->in, x, y));
      set (&s->mean[0], x, y, get (&s->in, x, y) << 4);
    }
  }
  for (int i = 1; i < frames; i++) {
    const DssrDenoise denoise = {
        .noise = {256 * DEVIATION * DEVIATION, 256 * DEVIATION * DEVIATION},
        .before = s->out[(i - 1) % 2].samples,
        .mean = s->mean[(i - 1) % 2].samples,
        .next = s->mean[i % 2].samples,
    };
    draw (&s->in, 0, 0, DEVIATION);
    if (i >= from)
      draw_square (&s->in, brighter);
    kernels->denoise (
        &s->out[i % 2].samples, &s->in.samples, &denoise, 0, HEIGHT);
  }
}

/* Of the area outside the square. */
static double
mean_square (const Plane *a, const Plane *b)
{
  double sum = 0;
  for (int y = 0; y < 25; y++)
    for (int x = 0; x < WIDTH; x++)
      sum += (get (a, x, y) - get (b, x, y)) * (get (a, x, y) - get (b, x, y));
  return sum / 25 / WIDTH;
}

static void
check_still (const DssrKernels *kernels)
{
  g_auto (Series) s = {0};
  g_auto (Plane) clean = {0};
  enum { FRAMES = 30 };

  plane_init (&clean, 0, WIDTH, HEIGHT);
  draw (&clean, 0, 0, 0);
  series_run (&s, kernels, FRAMES, FRAMES, 0);
  const Plane *last = &s.out[(FRAMES - 1) % 2];
  const double noisy = mean_square (&s.in, &clean);
  g_assert_cmpfloat_with_epsilon (noisy, DEVIATION * DEVIATION, 0.8);
  g_assert_cmpfloat (mean_square (last, &clean), <, 0.2 * noisy);
  g_assert_cmpfloat (
      mean_square (last, &s.out[FRAMES % 2]), <, 0.05 * 2 * noisy);
}

static void
test_still (void)
{
  for_each_table (check_still, OPERATION (denoise));
}

/* What changes by more than noise is there at once, and leaves nothing behind.
 */
static void
check_square (const DssrKernels *kernels)
{
  static const int changes[] = {-40, -10, -6, 6, 10, 40};

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++) {
    g_auto (Series) s = {0};
    series_run (&s, kernels, 11, 10, changes[i]);
    for (int y = 32; y < 48; y++)
      for (int x = 32; x < 48; x++)
        g_assert_cmpint (get (&s.out[0], x, y), ==, get (&s.in, x, y));
  }
}

static void
test_square (void)
{
  for_each_table (check_square, OPERATION (denoise));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/noise/random", test_noise_random);
  g_test_add_func ("/kernels/noise/still", test_noise_still);
  g_test_add_func ("/kernels/noise/coarse", test_noise_coarse);
  g_test_add_func ("/kernels/noise/none", test_noise_none);
  g_test_add_func ("/kernels/noise/flat", test_noise_flat);
  g_test_add_func ("/kernels/denoise/random", test_denoise_random);
  g_test_add_func ("/kernels/denoise/still", test_still);
  g_test_add_func ("/kernels/denoise/square", test_square);
  return g_test_run ();
}
