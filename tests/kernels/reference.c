/* docs/integer-contract.md, operations on tensors: slow, and as near to the
 * text as C comes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <math.h>

static gint64
sat16 (gint64 x)
{
  return limit (x, -32768, 32767);
}

static gint64
mulhrs (gint64 a, gint64 b)
{
  return floor_shift (a * b + 0x4000, 15);
}

static void *
pixel (const DssrTensor *t, int channel, int x, int y, int bytes)
{
  return (char *)t->data + channel / 4 * t->plane + y * t->stride
         + (4 * x + channel % 4) * bytes;
}

/* The value of the nearest pixel in the picture. */
static gint64
narrow (const DssrTensor *t, int channel, int x, int y)
{
  return *(guint8 *)pixel (
      t, channel, limit (x, 0, t->width - 1), limit (y, 0, t->height - 1), 1);
}

static gint64
wide (const DssrTensor *t, int channel, int x, int y)
{
  return *(gint16 *)pixel (t, channel, x, y, 2);
}

static void
set (const DssrTensor *t, int channel, int x, int y, gint64 q)
{
  g_assert_true (q >= 0 && q <= 255);
  *(guint8 *)pixel (t, channel, x, y, 1) = q;
}

static gboolean
is_outside (const DssrTensor *t, int x, int y)
{
  return x < 0 || y < 0 || x >= t->width || y >= t->height;
}

/* A channel of all inputs; outside the picture, its edge or what `conv` says.
 */
static gint64
concatenated (
    const DssrTensor *in, const DssrConv *conv, int channel, int x, int y)
{
  if (conv->outside && is_outside (in, x, y))
    return conv->outside[channel / 4];
  while (channel >= 4 * in->quads)
    channel -= 4 * in++->quads;
  return narrow (in, channel, x, y);
}

static gint64
accumulate (const DssrTensor *in, const DssrConv *conv, int o, int x, int y)
{
  const int half = conv->kernel / 2, taps = conv->kernel * conv->kernel;
  gint64 acc = conv->bias[o];

  for (int tap_y = -half; tap_y <= half; tap_y++) {
    for (int tap_x = -half; tap_x <= half; tap_x++) {
      const int tap = (tap_y + half) * conv->kernel + tap_x + half;
      for (int i = 0; i < 4 * conv->in_quads; i++) {
        const int quad = (o * taps + tap) * conv->in_quads + i / 4;
        if (conv->mask && !(conv->mask[quad >> 3] >> (quad & 7) & 1))
          continue;
        acc += conv->weight[4 * quad + i % 4]
               * concatenated (in, conv, i, conv->stride * x + tap_x,
                   conv->stride * y + tap_y);
      }
    }
  }
  g_assert_true (acc >= G_MININT32 && acc <= G_MAXINT32);
  return acc;
}

static gint64
requantised (const DssrConv *conv, int o, gint64 acc)
{
  const gint64 t =
      sat16 (floor_shift (acc + rounding (conv->shift), conv->shift));
  gint64 y = mulhrs (t, conv->mult[o]);

  if (conv->act == DSSR_ACT_RELU)
    y = MAX (y, 0);
  if (conv->act == DSSR_ACT_LEAKY)
    y = MAX (y, mulhrs (t, conv->mult_neg[o]));
  return conv->wide ? sat16 (y) : limit (y + conv->zero, 0, conv->max);
}

static void
reference_conv (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  for (int o = 0; o < 4 * conv->out_quads; o++) {
    for (int y = y0; y < y1; y++) {
      for (int x = 0; x < out->width; x++) {
        const gint64 q = requantised (conv, o, accumulate (in, conv, o, x, y));
        if (conv->wide)
          *(gint16 *)pixel (out, o, x, y, 2) = q;
        else
          set (out, o, x, y, q);
      }
    }
  }
}

/* The reference's conv is whole at once. */
static void
reference_conv_border (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
}

/* The value of a pixel, or what lies outside the picture: its edge if `outside`
 * is negative. */
static gint64
corner (const DssrTensor *t, int channel, int x, int y, int outside)
{
  return outside >= 0 && is_outside (t, x, y) ? outside
                                              : narrow (t, channel, x, y);
}

static void
sample_all (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int outside, int y0,
    int y1)
{
  const int k = deform->kernel, n_taps = k * k, groups = deform->groups;
  const int n_channels = 4 * feature->quads, l = deform->limit;

  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x++) {
      for (int tap = 0; tap < n_taps; tap++) {
        for (int c = 0; c < n_channels; c++) {
          const int g = c / 4 / (feature->quads / groups);
          const int at = tap * groups + g;
          const gint64 dy = wide (offset, at, x, y);
          const gint64 dx = wide (offset, n_taps * groups + at, x, y);
          const gint64 m = wide (offset, 2 * n_taps * groups + at, x, y);
          const gint64 py = 16 * (y + tap / k - k / 2) + limit (dy, -l, l);
          const gint64 px = 16 * (x + tap % k - k / 2) + limit (dx, -l, l);
          const gint64 iy = floor_shift (py, 4), fy = py - 16 * iy;
          const gint64 ix = floor_shift (px, 4), fx = px - 16 * ix;
          const gint64 v = floor_shift (
              corner (feature, c, ix, iy, outside) * (16 - fx) * (16 - fy)
                  + corner (feature, c, ix + 1, iy, outside) * fx * (16 - fy)
                  + corner (feature, c, ix, iy + 1, outside) * (16 - fx) * fy
                  + corner (feature, c, ix + 1, iy + 1, outside) * fx * fy
                  + 128,
              8);
          const int table = deform->table[limit (m + 128, 0, 255)];
          set (out, tap * n_channels + c, x, y,
              deform->zero + floor_shift ((v - deform->zero) * table + 128, 8));
        }
      }
    }
  }
}

static void
reference_deform (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  sample_all (out, feature, offset, deform, -1, y0, y1);
}

static void
reference_deform_zero (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  sample_all (out, feature, offset, deform, deform->zero, y0, y1);
}

static void
reference_shuffle (
    const DssrTensor *out, const DssrTensor *in, int zero, int y0, int y1)
{
  for (int c = 0; c < 4 * out->quads; c++)
    for (int y = y0; y < y1; y++)
      for (int x = 0; x < out->width; x++)
        set (out, c, x, y,
            c < in->quads
                ? narrow (in, 4 * c + 2 * (y % 2) + x % 2, x / 2, y / 2)
                : zero);
}

static void
reference_follow (
    const DssrTensor *out, const DssrTensor *in, DssrPan pan, int y0, int y1)
{
  for (int c = 0; c < 4 * out->quads; c++)
    for (int y = y0; y < y1; y++)
      for (int x = 0; x < out->width; x++)
        set (out, c, x, y,
            narrow (in, c, CLAMP (x + pan.x, 0, in->width - 1),
                CLAMP (y + pan.y, 0, in->height - 1)));
}

static void
reference_pool (const DssrTensor *out, const DssrTensor *in,
    const DssrPooling *pool, int y0, int y1)
{
  for (int c = 0; c < 4 * out->quads; c++) {
    for (int y = y0; y < y1; y++) {
      for (int x = 0; x < out->width; x++) {
        gint64 most = 0, sum = 0;
        for (int i = 0; i < 9; i++) {
          const int in_x = 2 * x + i % 3 - 1, in_y = 2 * y + i / 3 - 1;
          const gboolean outside = is_outside (in, in_x, in_y);
          sum += outside ? pool->zero : narrow (in, c, in_x, in_y);
          if (!outside)
            most = MAX (most, narrow (in, c, in_x, in_y));
        }
        set (out, c, x, y,
            pool->average ? (gint64)floor (sum / 9.0 + 0.5) : most);
      }
    }
  }
}

static void
reference_modulate (const DssrTensor *out, const DssrTensor *v,
    const DssrTensor *gate, const DssrTensor *b, const DssrModulate *m, int y0,
    int y1)
{
  for (int c = 0; c < 4 * out->quads; c++) {
    for (int y = y0; y < y1; y++) {
      for (int x = 0; x < out->width; x++) {
        const int factor = m->table[narrow (gate, c, x, y)];
        const gint64 tv =
            floor_shift ((narrow (v, c, x, y) - m->zero_v) * factor + 2, 2);
        const gint64 tb = 64 * (narrow (b, c, x, y) - m->zero_b);
        const gint64 sum = mulhrs (tv, m->mult_v) + mulhrs (tb, m->mult_b);
        set (out, c, x, y,
            limit (m->zero + floor_shift (sum + 16, 5), 0, m->max));
      }
    }
  }
}

static void
reference_add (const DssrTensor *out, const DssrTensor *a, const DssrTensor *b,
    const DssrAdd *add, int y0, int y1)
{
  for (int c = 0; c < 4 * out->quads; c++) {
    for (int y = y0; y < y1; y++) {
      for (int x = 0; x < out->width; x++) {
        const gint64 ta = 64 * (narrow (a, c, x, y) - add->zero_a);
        const gint64 tb = 64 * (narrow (b, c, x, y) - add->zero_b);
        const gint64 sum = mulhrs (ta, add->mult_a) + mulhrs (tb, add->mult_b);
        set (out, c, x, y,
            limit (add->zero + floor_shift (sum + 16, 5), 0, add->max));
      }
    }
  }
}

static void
reference_up2 (const DssrTensor *out, const DssrTensor *in, int y0, int y1)
{
  for (int c = 0; c < 4 * out->quads; c++) {
    for (int Y = y0; Y < y1; Y++) {
      for (int X = 0; X < out->width; X++) {
        const int x = X / 2, y = Y / 2;
        const int next_x = X % 2 ? x + 1 : x - 1;
        const int next_y = Y % 2 ? y + 1 : y - 1;
        const gint64 sum =
            9 * narrow (in, c, x, y) + 3 * narrow (in, c, next_x, y)
            + 3 * narrow (in, c, x, next_y) + narrow (in, c, next_x, next_y);
        set (out, c, X, Y, floor_shift (sum + 8, 4));
      }
    }
  }
}

static void
reference_attention (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrTensor *v, const DssrAttention *att, int y0,
    int y1)
{
  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x++) {
      gint64 dot = 0;
      for (int c = 0; c < 4 * a->quads; c++)
        dot += (narrow (a, c, x, y) - att->zero_a)
               * (narrow (b, c, x, y) - att->zero_b);
      const gint64 t =
          sat16 (floor_shift (dot + rounding (att->shift), att->shift));
      const int m = att->table[limit (mulhrs (t, att->mult) + 128, 0, 255)];
      for (int c = 0; c < 4 * out->quads; c++)
        set (out, c, x, y,
            att->zero_v
                + floor_shift (
                    (narrow (v, c, x, y) - att->zero_v) * m + 128, 8));
    }
  }
}

static size_t
reference_conv_packed_size (const DssrConv *conv)
{
  return 0;
}

const DssrKernels *
reference_kernels (void)
{
  static const DssrKernels table = {
      .name = "reference",
      .input = reference_input,
      .conv_packed_size = reference_conv_packed_size,
      .conv = reference_conv,
      .conv_border = reference_conv_border,
      .deform = reference_deform,
      .deform_zero = reference_deform_zero,
      .add = reference_add,
      .up2 = reference_up2,
      .shuffle = reference_shuffle,
      .follow = reference_follow,
      .pool = reference_pool,
      .modulate = reference_modulate,
      .attention = reference_attention,
      .bicubic = reference_bicubic,
      .head = reference_head,
      .head_planes = reference_head_planes,
      .contrast = reference_contrast,
      .noise = reference_noise,
      .denoise = reference_denoise,
      .pan = reference_pan,
  };
  return &table;
}
