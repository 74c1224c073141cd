/* docs/integer-contract.md, operations on pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

/* The value of the nearest sample in the picture. */
static gint64
get (const DssrSamples *s, int x, int y)
{
  const char *p = (const char *)s->data
                  + limit (y, 0, s->height - 1) * s->stride
                  + limit (x, 0, s->width - 1) * s->step;
  const gint64 stored = s->depth == 8 ? *(guint8 *)p : *(guint16 *)p;
  return MIN (floor_shift (stored, s->shift), (1 << s->depth) - 1);
}

static void
set (const DssrSamples *s, int x, int y, gint64 value)
{
  char *p = (char *)s->data + y * s->stride + x * s->step;
  if (s->depth == 8)
    *(guint8 *)p = value;
  else
    *(guint16 *)p = value << s->shift;
}

void
reference_input (const DssrTensor *out, const DssrSamples *planes, int n_planes,
    int unshuffle, int y0, int y1)
{
  const int u = unshuffle, d = planes->depth;

  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x++) {
      for (int c = 0; c < 4 * out->quads; c++) {
        guint8 *q = (guint8 *)out->data + c / 4 * out->plane + y * out->stride
                    + 4 * x + c % 4;
        const int p = c / (u * u), j = c / u % u, i = c % u;
        if (p >= n_planes) {
          *q = 0;
          continue;
        }
        const gint64 sample = get (&planes[p], u * x + i, u * y + j);
        *q = MIN (floor_shift (sample + rounding (d - 8), d - 8), 255);
      }
    }
  }
}

/* The unrounded value of output sample (X, Y), by a table of taps. */
static gint64
interpolated (const DssrSamples *in, const DssrBicubic *bicubic,
    const gint16 taps[16][4], int X, int Y)
{
  const int px = 16 * X / bicubic->scale + bicubic->phase_x;
  const int py = 16 * Y / bicubic->scale + bicubic->phase_y;
  const int ix = floor_shift (px, 4), iy = floor_shift (py, 4);
  const int d = in->depth;
  gint64 b = 0;

  for (int i = 0; i < 4; i++) {
    gint64 v = 0;
    for (int j = 0; j < 4; j++)
      v += taps[py - 16 * iy][j] * get (in, ix - 1 + i, iy - 1 + j);
    b += taps[px - 16 * ix][i] * floor_shift (v + rounding (d - 7), d - 7);
  }
  return b;
}

static gint64
base (const DssrSamples *in, const DssrBicubic *bicubic, int X, int Y)
{
  return interpolated (in, bicubic, dssr_bicubic_taps, X, Y);
}

static gint64
clipped (gint64 b, int d)
{
  return limit (floor_shift (b + rounding (21 - d), 21 - d), 0, (1 << d) - 1);
}

void
reference_bicubic (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1)
{
  for (int y = y0; y < y1; y++)
    for (int x = 0; x < out->width; x++)
      set (out, x, y, clipped (base (in, bicubic, x, y), out->depth));
}

static gint64
wide_channel (const DssrTensor *t, int channel, int x, int y)
{
  const char *row =
      (const char *)t->data + channel / 4 * t->plane + y * t->stride;
  return ((const gint16 *)row)[4 * x + channel % 4];
}

void
reference_head (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1)
{
  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x++) {
      const int channel = y % shuffle * shuffle + x % shuffle;
      const gint64 r =
          wide_channel (residual, channel, x / shuffle, y / shuffle);
      set (out, x, y,
          clipped (base (luma, bicubic, x, y) + 128 * r, out->depth));
    }
  }
}

void
reference_head_planes (const DssrSamples *out, const DssrSamples *in,
    int n_planes, const DssrTensor *residual, const DssrBicubic *bicubic,
    bool linear, int shuffle, int y0, int y1)
{
  for (int p = 0; p < n_planes; p++) {
    for (int y = y0; y < y1; y++) {
      for (int x = 0; x < out[p].width; x++) {
        const int channel = (p * shuffle + y % shuffle) * shuffle + x % shuffle;
        const gint64 r =
            wide_channel (residual, channel, x / shuffle, y / shuffle);
        const gint64 b = interpolated (&in[p], bicubic,
            linear ? dssr_linear_taps : dssr_bicubic_taps, x, y);
        set (&out[p], x, y, clipped (b + 128 * r, out[p].depth));
      }
    }
  }
}

/* The means of the squares of the small plane, in 1/16 of a step of 8 bits. */
typedef struct {
  int width, height; /* squares */
  gint64 *means;
} Squares;

static Squares
make_squares (const DssrSamples *in)
{
  Squares squares = {(in->width + 7) / 8, (in->height + 7) / 8, NULL};
  const int d = in->depth;

  squares.means = g_new (gint64, squares.width * squares.height);
  for (int y = 0; y < squares.height; y++) {
    for (int x = 0; x < squares.width; x++) {
      gint64 sum = 0;
      for (int j = 0; j < 8; j++)
        for (int i = 0; i < 8; i++)
          sum += get (in, 8 * x + i, 8 * y + j);
      squares.means[y * squares.width + x] =
          floor_shift (sum + rounding (d - 6), d - 6);
    }
  }
  return squares;
}

/* Of the nearest square that there is. */
static gint64
square_mean (const Squares *squares, int x, int y)
{
  return squares->means[limit (y, 0, squares->height - 1) * squares->width
                        + limit (x, 0, squares->width - 1)];
}

/* Three values weighted for output i of a square. */
static gint64
spline (const gint64 v[3], int scale, int i)
{
  const int a = (2 * i + 1) * 4 / scale;
  const gint64 w0 = (64 - a) * (64 - a), w2 = a * a;

  return floor_shift (
      w0 * v[0] + (8192 - w0 - w2) * v[1] + w2 * v[2] + 4096, 13);
}

static gint64
contrasted (gint64 p, gint64 mean, const DssrContrast *c, int d)
{
  const gint64 e = p << (12 - d), white = c->black + c->range;
  const gint64 s = limit (e - c->black, 0, c->range);
  const gint64 lifted = floor_shift (
      floor_shift (s * (c->range - s), 8) * c->lift + (1 << 19), 20);
  const gint64 local = floor_shift ((e - mean) * c->gain + 128, 8);
  const gint64 t = limit (e + lifted + limit (local, -c->limit, c->limit),
      MIN (e, c->black), MAX (e, white));

  return floor_shift (t + rounding (12 - d), 12 - d);
}

void
reference_contrast (const DssrSamples *out, const DssrSamples *in,
    const DssrContrast *contrast, int y0, int y1)
{
  const int side = 8 * contrast->scale;
  const Squares squares = make_squares (in);

  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x++) {
      gint64 rows[3], columns[3];
      for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
          rows[j] = square_mean (&squares, x / side - 1 + i, y / side - 1 + j);
        columns[i] = spline (rows, contrast->scale, y % side);
      }
      set (out, x, y,
          contrasted (get (out, x, y),
              spline (columns, contrast->scale, x % side), contrast,
              out->depth));
    }
  }
  g_free (squares.means);
}

/* In quarters of a step of 8 bits. */
static gint64
quarters (const DssrSamples *s, int x, int y)
{
  const gint64 value = get (s, x, y);
  return s->depth > 10 ? floor_shift (value, s->depth - 10)
                       : value << (10 - s->depth);
}

static gint64
both (const DssrSamples *a, const DssrSamples *b, int x, int y)
{
  return quarters (a, x, y) + quarters (b, x, y);
}

typedef struct {
  gint64 difference; /* energy; -1: it is no noise */
  gint64 coarse;
} NoiseOfSquare;

static NoiseOfSquare
noise_of_square (
    const DssrSamples *in, const DssrSamples *before, int x0, int y0)
{
  gint64 D = 0, X = 0, Y = 0, MX = 0, MY = 0, S = 0, C = 0, patches[16] = {0};

  for (int y = 0; y < 16; y++) {
    for (int x = 0; x < 16; x++) {
      const int u = x0 + x, v = y0 + y;
      const gint64 d = quarters (in, u, v) - quarters (before, u, v);
      const gint64 gx =
          both (in, before, u + 1, v) - both (in, before, u - 1, v);
      const gint64 gy =
          both (in, before, u, v + 1) - both (in, before, u, v - 1);
      D += d * d;
      X += gx * gx;
      Y += gy * gy;
      MX += gx * d;
      MY += gy * d;
      S += d;
      patches[y / 4 * 4 + x / 4] += d;
    }
  }
  for (int i = 0; i < 16; i++)
    C += patches[i] * patches[i];
  const gboolean noisy = X + Y > 128 * D && MX * MX <= X * D / 32
                         && MY * MY <= Y * D / 32 && S * S <= 8 * D;
  return (NoiseOfSquare){noisy ? D : -1, C};
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
  return x < y ? -1 : x > y;
}

DssrNoise
reference_noise (const DssrSamples *in, const DssrSamples *before)
{
  g_autoptr (GArray) noises = g_array_new (FALSE, FALSE, sizeof (gint64));
  const int columns = in->width / 16, rows = in->height / 16;
  int step = 1, squares = 0;
  gint64 difference = 0, coarse = 0;

  while (((columns + step - 1) / step) * ((rows + step - 1) / step) > 256)
    step++;
  for (int y = 0; y < rows; y += step) {
    for (int x = 0; x < columns; x += step) {
      const NoiseOfSquare noise = noise_of_square (in, before, 16 * x, 16 * y);
      squares++;
      if (noise.difference < 0)
        continue;
      g_array_append_val (noises, noise.difference);
      difference += noise.difference;
      coarse += noise.coarse;
    }
  }
  if (noises->len < 4 || 10 * (int)noises->len < squares)
    return (DssrNoise){0};
  g_array_sort (noises, compare);
  const gint64 noise = g_array_index (noises, gint64, noises->len / 4);
  if (noise < 2048)
    return (DssrNoise){0};
  const gint64 times = limit (16 * coarse / difference, 16, 128);
  return (DssrNoise){noise / 32, floor_shift (noise / 32 * times, 4)};
}

/* What squares of the picture differ from the frame before, shifted: their
 * samples, or sums of 4x4 of them. */
static gint64
difference_of (const DssrSamples *in, const DssrSamples *before, int patch,
    int shift_x, int shift_y)
{
  const int columns = MAX (in->width - 32, 0) / 32;
  const int rows = MAX (in->height - 32, 0) / 32, s = in->depth - 8;
  int step = 1;
  gint64 sum = 0;

  while (((columns + step - 1) / step) * ((rows + step - 1) / step) > 64)
    step++;
  for (int k = 0; k < rows * columns; k++) {
    if (k / columns % step || k % columns % step)
      continue;
    const int x0 = 16 + 32 * (k % columns), y0 = 16 + 32 * (k / columns);
    for (int y = y0; y < y0 + 32; y += patch) {
      for (int x = x0; x < x0 + 32; x += patch) {
        gint64 difference = 0;
        for (int i = 0; i < patch * patch; i++) {
          const int u = x + i % patch, v = y + i / patch;
          difference +=
              limit (floor_shift (get (in, u, v) + (1 << s >> 1), s), 0, 255);
          difference -= limit (
              floor_shift (
                  get (before, u + shift_x, v + shift_y) + (1 << s >> 1), s),
              0, 255);
        }
        sum += ABS (difference);
      }
    }
  }
  return sum;
}

/* The first shift around one that differs least, if less than (0, 0). */
static DssrPan
least_of (const DssrSamples *in, const DssrSamples *before, int patch,
    DssrPan around, gint64 *least)
{
  DssrPan best = {0, 0};

  for (int i = 0; i < 49; i++) {
    const DssrPan pan = {
        around.x + patch * (i % 7 - 3), around.y + patch * (i / 7 - 3)};
    const gint64 sum = difference_of (in, before, patch, pan.x, pan.y);
    if (sum >= *least)
      continue;
    *least = sum;
    best = pan;
  }
  return best;
}

DssrPan
reference_pan (const DssrSamples *in, const DssrSamples *before)
{
  gint64 least = difference_of (in, before, 4, 0, 0);
  const DssrPan near = least_of (in, before, 4, (DssrPan){0, 0}, &least);
  const gint64 still = difference_of (in, before, 1, 0, 0);
  least = still;
  const DssrPan pan = least_of (in, before, 1, near, &least);
  return 8 * least < 7 * still ? pan : (DssrPan){0, 0};
}

void
reference_denoise (const DssrSamples *out, const DssrSamples *in,
    const DssrDenoise *denoise, int y0, int y1)
{
  const int up = 12 - in->depth, mean_up = 12 - denoise->mean.depth;
  gint64 deviation = 0;

  while ((deviation + 1) * (deviation + 1) <= denoise->noise.coarse)
    deviation++;
  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < in->width; x++) {
      gint64 sum = 0, squares = 0;
      for (int j = -2; j <= 2; j++) {
        for (int i = -2; i <= 2; i++) {
          const gint64 r = (get (in, x + i, y + j) << up)
                           - (get (&denoise->mean, x + i, y + j) << mean_up);
          sum += r;
          squares += r * r;
        }
      }
      const gint64 now = get (in, x, y) << up, mean = get (&denoise->mean, x, y)
                                                      << mean_up;
      const gint64 beyond =
          limit (ABS (sum) - 10 * deviation, 0, 14 * deviation);
      const gint64 slope = (28 << 16) / (14 * deviation) + 1;
      gint64 part = 32;
      if (squares <= 100 * denoise->noise.variance)
        part = 4 + floor_shift (beyond * slope, 16);
      const gint64 next = mean + floor_shift (part * (now - mean) + 16, 5);
      const gint64 before = get (&denoise->before, x, y);
      set (&denoise->next, x, y, next);
      if (ABS (next - (before << up)) < 1 << up)
        set (out, x, y, before);
      else
        set (out, x, y,
            MIN (floor_shift (next + rounding (up), up), (1 << in->depth) - 1));
    }
  }
}
