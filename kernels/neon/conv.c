/* The convolution of one instruction set, which the compiler's flags choose.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/neon/conv.h"

#ifdef __ARM_FEATURE_DOTPROD
#include "kernels/neon/conv_dot.h"
#else
#include "kernels/neon/conv_mla.h"
#endif

#define KERNEL 1
#define STRIDE 1
#define QUADS 1
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 1
#define STRIDE 1
#define QUADS 2
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 1
#define STRIDE 2
#define QUADS 1
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 1
#define STRIDE 2
#define QUADS 2
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 3
#define STRIDE 1
#define QUADS 1
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 3
#define STRIDE 1
#define QUADS 2
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 3
#define STRIDE 2
#define QUADS 1
#include "kernels/neon/conv_tmpl.c"
#define KERNEL 3
#define STRIDE 2
#define QUADS 2
#include "kernels/neon/conv_tmpl.c"

typedef void (*Multiply) (Sums sums, const uint8_t *window, const void *weights,
    const int32_t *bias, int n_quads, int n);

/* By kernel, stride and output quads. */
static const Multiply multiply[2][2][2] = {
    {{multiply_1_1_1, multiply_1_1_2}, {multiply_1_2_1, multiply_1_2_2}},
    {{multiply_3_1_1, multiply_3_1_2}, {multiply_3_2_1, multiply_3_2_2}},
};

/* What conv_pack writes begins with this: where the arrays are, in bytes. */
typedef struct {
  uint32_t bias;  /* int32_t[4 * out_quads], the rounding included */
  uint32_t mult;  /* int16_t[4 * out_quads] */
  uint32_t other; /* int16_t[4 * out_quads]: the activation's other factor */
  uint32_t
      starts;       /* uint32_t[n_chunks][4 * out_quads] and one more: where an
                       output channel's entries begin; 0: the weights are dense */
  uint32_t weights; /* Entry[], or the tiles' weights one after the other */
  uint32_t size;
} Packed;

/* From this share of the quads on, zeros cost less than a list. */
enum { DENSE_PERCENT = 50 };

static bool
is_present (const DssrConv *conv, size_t quad)
{
  return conv->mask[quad >> 3] >> (quad & 7) & 1;
}

static int
count_chunks (const DssrConv *conv)
{
  const int quads = chunk_quads (conv);
  return (conv->in_quads + quads - 1) / quads;
}

static Packed
plan (const DssrConv *conv)
{
  const size_t channels = 4 * (size_t)conv->out_quads;
  const size_t quads = channels * conv->kernel * conv->kernel * conv->in_quads;
  size_t present = 0;
  Packed p = {.bias = DSSR_ALIGNMENT};

  p.mult = p.bias + 4 * channels;
  p.other = p.mult + 2 * channels;
  p.weights = p.other + 2 * channels;
  for (size_t i = 0; conv->mask && i < quads; i++)
    present += is_present (conv, i);
  if (conv->mask && 100 * present < DENSE_PERCENT * quads) {
    p.starts = p.weights;
    p.weights = p.starts + 4 * (count_chunks (conv) * channels + 1);
    p.size = p.weights + sizeof (Entry) * present;
  } else {
    p.weights = (p.weights + DSSR_ALIGNMENT - 1) & -DSSR_ALIGNMENT;
    p.size = p.weights + TAP_BYTES * quads;
  }
  return p;
}

size_t
DSSR_KERNEL (conv_packed_size) (const DssrConv *conv)
{
  return plan (conv).size;
}

/* The place of a tap's first pixel in its row, in bytes. */
static int
tap_place (const DssrConv *conv, int tap_x)
{
  if (conv->stride == 2)
    return COLUMN_BYTES * (tap_x == 1 ? COLUMNS : tap_x / 2);
  return COLUMN_BYTES * tap_x;
}

static const int8_t *
weight_of (const DssrConv *conv, int channel, int tap, int quad)
{
  const int taps = conv->kernel * conv->kernel;
  return conv->weight
         + 4 * (((size_t)channel * taps + tap) * conv->in_quads + quad);
}

static void
pack_dense (const DssrConv *conv, char *dst)
{
  const int taps = conv->kernel * conv->kernel;
  const size_t channel = 4 * (size_t)taps * conv->in_quads;

  for (int o = 0, n; o < 4 * conv->out_quads; o += n) {
    n = min_int (4 * conv->out_quads - o, CHANNELS);
    for (int q = 0; q < conv->in_quads; q++)
      for (int tap = 0; tap < taps; tap++, dst += n * TAP_BYTES)
        pack_tap (dst, weight_of (conv, o, tap, q), channel, n);
  }
}

static void
pack_sparse (const DssrConv *conv, uint32_t *starts, Entry *entry)
{
  const int kernel = conv->kernel, taps = kernel * kernel;
  const int quads = chunk_quads (conv);
  const int row = PIXEL_BYTES * row_pixels (conv);
  const Entry *first = entry;

  for (int q0 = 0; q0 < conv->in_quads; q0 += quads) {
    const int n = min_int (conv->in_quads - q0, quads);
    for (int o = 0; o < 4 * conv->out_quads; o++) {
      *starts++ = entry - first;
      for (int i = 0; i < n * taps; i++) {
        const int q = i / taps, tap = i % taps;
        const int8_t *weight = weight_of (conv, o, tap, q0 + q);
        if (!is_present (conv, (weight - conv->weight) / 4))
          continue;
        entry->place =
            (q * kernel + tap / kernel) * row + tap_place (conv, tap % kernel);
        for (int l = 0; l < 4; l++)
          entry->weight[l] = weight[l];
        entry++;
      }
    }
  }
  *starts = entry - first;
}

void
DSSR_KERNEL (conv_pack) (const DssrConv *conv, void *packed)
{
  const Packed p = plan (conv);
  const int channels = 4 * conv->out_quads;
  const int weights = 4 * conv->kernel * conv->kernel * conv->in_quads;
  char *base = packed;

  memcpy (packed, &p, sizeof p);
  for (int o = 0; o < channels; o++) {
    const int8_t *weight = weight_of (conv, o, 0, 0);
    uint32_t bias = conv->bias[o] + round_of (conv->shift);
    for (int i = 0; i < weights; i++)
      bias += PIXEL_ZERO * weight[i];
    ((uint32_t *)(base + p.bias))[o] = bias;
    ((int16_t *)(base + p.mult))[o] = conv->mult[o];
    ((int16_t *)(base + p.other))[o] =
        conv->act == DSSR_ACT_LEAKY  ? conv->mult_neg[o]
        : conv->act == DSSR_ACT_RELU ? 0
                                     : conv->mult[o];
  }
  if (p.starts)
    pack_sparse (
        conv, (uint32_t *)(base + p.starts), (Entry *)(base + p.weights));
  else
    pack_dense (conv, base + p.weights);
}

/* The rows of input quads q0 to q0 + n_quads - 1 that n pixels of output row y
 * need. */
static void
load_window (uint8_t *dst, const DssrTensor *in, const DssrConv *conv, int q0,
    int n_quads, int x0, int n, int y)
{
  const int kernel = conv->kernel, stride = conv->stride;
  const int row = row_pixels (conv), half = kernel / 2;

  for (int i = 0; i < n_quads; i++, q0++) {
    while (q0 >= in->quads)
      q0 -= in++->quads;
    for (int k = 0; k < kernel; k++, dst += row * PIXEL_BYTES) {
      const int sy = clamp (y * stride + k - half, 0, in->height - 1);
      const uint8_t *src =
          (const uint8_t *)tensor_row (in, q0, sy) + 4 * (stride * x0 - half);
      if (stride == 1)
        load_row (dst, src, n + 2 * half, row);
      else
        load_row_2 (dst, src, n + half, row);
    }
  }
}

/* The sums of an output channel of `entries` alone. */
static void
multiply_list (int32_t *restrict sums, const uint8_t *window,
    const Entry *entry, int n_entries, const int32_t *bias, int row)
{
  int32x4_t sum[PIXELS / 4];

  for (int v = 0; v < PIXELS / 4; v++)
    sum[v] = bias ? vdupq_n_s32 (*bias) : vld1q_s32 (sums + 4 * v);
  for (int i = 0; i < n_entries; i++)
    multiply_entry (sum, window, entry + i, row);
  for (int v = 0; v < PIXELS / 4; v++)
    vst1q_s32 (sums + 4 * v, sum[v]);
}

/* The sums of a tile of n output channels from o on, over a chunk's quads. */
static void
multiply_tile (Sums sums, const uint8_t *window, const DssrConv *conv, int o,
    int n_channels, int chunk, int n_quads, int n)
{
  const char *base = conv->packed;
  const Packed *p = conv->packed;
  const int32_t *bias =
      chunk == 0 ? (const int32_t *)(base + p->bias) + o : NULL;

  if (p->starts) {
    const Entry *entries = (const Entry *)(base + p->weights);
    const uint32_t *starts = (const uint32_t *)(base + p->starts)
                             + (size_t)chunk * 4 * conv->out_quads + o;
    for (int i = 0; i < n_channels; i++)
      multiply_list (sums[i], window, entries + starts[i],
          starts[i + 1] - starts[i], bias ? bias + i : NULL, row_pixels (conv));
  } else {
    const size_t quad = conv->kernel * conv->kernel * TAP_BYTES;
    const char *weights = base + p->weights + quad * conv->in_quads * o
                          + quad * n_channels * chunk_quads (conv) * chunk;
    multiply[conv->kernel / 2][conv->stride - 1][n_channels / 4 - 1](
        sums, window, weights, bias, n_quads, n);
  }
}

/* Requantises output quad q: n pixels from column x0 on, rounded up to 8. */
static void
requantise (const DssrTensor *out, const DssrConv *conv,
    const int32_t (*sums)[PIXELS], int q, int x0, int n, int y)
{
  const char *base = conv->packed;
  const Packed *p = conv->packed;
  const int16_t *mult = (const int16_t *)(base + p->mult) + 4 * q;
  const int16_t *other = (const int16_t *)(base + p->other) + 4 * q;
  const int32x4_t shift = vdupq_n_s32 (-conv->shift);
  const int16x8_t zero = vdupq_n_s16 (conv->zero);
  const uint8x8_t max = vdup_n_u8 (conv->max);
  char *row = tensor_row (out, q, y);

  for (int x = 0; x < n; x += 8) {
    int16x8x4_t wide;
    uint8x8x4_t narrow;
    for (int o = 0; o < 4; o++) {
      const int32_t *s = &sums[o][x];
      const int16x8_t t =
          vqmovn_high_s32 (vqmovn_s32 (vshlq_s32 (vld1q_s32 (s), shift)),
              vshlq_s32 (vld1q_s32 (s + 4), shift));
      wide.val[o] = vmaxq_s16 (
          vqrdmulhq_n_s16 (t, mult[o]), vqrdmulhq_n_s16 (t, other[o]));
      narrow.val[o] =
          vmin_u8 (vqmovun_s16 (vqaddq_s16 (wide.val[o], zero)), max);
    }
    if (conv->wide)
      vst4q_s16 ((int16_t *)row + 4 * (x0 + x), wide);
    else
      vst4_u8 ((uint8_t *)row + 4 * (x0 + x), narrow);
  }
}

/* n pixels of row y from column x0 on. */
static void
conv_block (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    int x0, int n, int y)
{
  const int quads = chunk_quads (conv), channels = 4 * conv->out_quads;
  uint8_t window[BUFFER_PIXELS * PIXEL_BYTES];
  Sums sums;

  for (int o = 0; o < channels; o += CHANNELS) {
    const int n_channels = min_int (channels - o, CHANNELS);
    for (int q = 0; q < conv->in_quads; q += quads) {
      const int n_quads = min_int (conv->in_quads - q, quads);
      if (o == 0 || quads < conv->in_quads)
        load_window (window, in, conv, q, n_quads, x0, n, y);
      multiply_tile (sums, window, conv, o, n_channels, q / quads, n_quads, n);
    }
    for (int i = 0; i < n_channels; i += 4)
      requantise (out, conv, sums + i, (o + i) / 4, x0, n, y);
  }
}

void
DSSR_KERNEL (conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  for (int y = y0; y < y1; y++)
    for (int x0 = 0; x0 < out->width; x0 += PIXELS)
      conv_block (
          out, in, conv, x0, min_int ((out->width - x0 + 7) & -8, PIXELS), y);
  if (!conv->wide)
    fill_margins (out, y0, y1);
}
