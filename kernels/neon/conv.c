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

typedef void (*Multiply) (Sums sums, const uint8_t *window, int quad_bytes,
    const void *weights, const int32_t *bias, int n_quads, int n);

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
  int block_rows, quad_bytes, chunk_quads; /* as in conv.h */
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
  Packed p = {.bias = DSSR_ALIGNMENT,
      .block_rows = block_rows (conv),
      .quad_bytes = PIXEL_BYTES * quad_pixels (conv),
      .chunk_quads = chunk_quads (conv)};

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
  const int quad = PIXEL_BYTES * quad_pixels (conv);
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
            q * quad + tap / kernel * row + tap_place (conv, tap % kernel);
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

/* What n_rows output rows from y on, n pixels from column x0 on, need of input
 * quads q0 to q0 + n_quads - 1. */
static void
load_window (uint8_t *dst, const DssrTensor *in, const DssrConv *conv, int q0,
    int n_quads, int x0, int n, int y, int n_rows)
{
  const int stride = conv->stride, half = conv->kernel / 2;
  const int row = row_pixels (conv);
  const int quad = ((const Packed *)conv->packed)->quad_bytes;
  const int rows = window_rows (conv, n_rows);

  for (int i = 0; i < n_quads; i++, q0++, dst += quad) {
    while (q0 >= in->quads)
      q0 -= in++->quads;
    for (int k = 0; k < rows; k++) {
      const int sy = clamp (y * stride + k - half, 0, in->height - 1);
      const uint8_t *src =
          (const uint8_t *)tensor_row (in, q0, sy) + 4 * (stride * x0 - half);
      uint8_t *d = dst + k * row * PIXEL_BYTES;
      if (stride == 1)
        load_row (d, src, n + 2 * half, row);
      else
        load_row_2 (d, src, n + half, row);
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
                          + quad * n_channels * p->chunk_quads * chunk;
    multiply[conv->kernel / 2][conv->stride - 1][n_channels / 4 - 1](
        sums, window, p->quad_bytes, weights, bias, n_quads, n);
  }
}

/* The factors of an output quad, and what all have in common. */
typedef struct {
  int16x4_t mult, other;
  int32x4_t shift;
  int16x8_t zero;
  uint8x16_t max;
} Factors;

/* One channel of eight pixels before the zero point. */
#define SCALE(f, sums, o)                                                      \
  vmaxq_s16 (vqrdmulhq_lane_s16 (shift_sums ((sums)[o], f), (f)->mult, o),     \
      vqrdmulhq_lane_s16 (shift_sums ((sums)[o], f), (f)->other, o))

INLINE int16x8_t
shift_sums (const int32_t *sums, const Factors *f)
{
  return vqmovn_high_s32 (vqmovn_s32 (vshlq_s32 (vld1q_s32 (sums), f->shift)),
      vshlq_s32 (vld1q_s32 (sums + 4), f->shift));
}

INLINE int16x8x4_t
scale (const int32_t *sums, const Factors *f)
{
  const int32_t (*s)[PIXELS] = (const int32_t (*)[PIXELS])sums;
  return (int16x8x4_t){
      {SCALE (f, s, 0), SCALE (f, s, 1), SCALE (f, s, 2), SCALE (f, s, 3)}};
}

INLINE uint8x16_t
narrow (int16x8_t a, int16x8_t b, const Factors *f)
{
  return vminq_u8 (vqmovun_high_s16 (vqmovun_s16 (vqaddq_s16 (a, f->zero)),
                       vqaddq_s16 (b, f->zero)),
      f->max);
}

/* Requantises an output quad: n pixels, rounded up to 16, from dst on. */
static void
requantise (void *dst, const int32_t (*sums)[PIXELS], const DssrConv *conv,
    int quad, int n)
{
  const char *base = conv->packed;
  const Packed *p = conv->packed;
  const Factors f = {
      .mult = vld1_s16 ((const int16_t *)(base + p->mult) + 4 * quad),
      .other = vld1_s16 ((const int16_t *)(base + p->other) + 4 * quad),
      .shift = vdupq_n_s32 (-conv->shift),
      .zero = vdupq_n_s16 (conv->zero),
      .max = vdupq_n_u8 (conv->max),
  };

  if (conv->wide) {
    for (int x = 0; x < n; x += 8)
      vst4q_s16 ((int16_t *)dst + 4 * x, scale (&sums[0][x], &f));
    return;
  }
  for (int x = 0; x < n; x += 16) {
    const int16x8x4_t a = scale (&sums[0][x], &f);
    const int16x8x4_t b = scale (&sums[0][x + 8], &f);
    uint8x16x4_t q;
    for (int o = 0; o < 4; o++)
      q.val[o] = narrow (a.val[o], b.val[o], &f);
    vst4q_u8 ((uint8_t *)dst + 4 * x, q);
  }
}

/* n pixels, a multiple of 8, of rows y to y + n_rows - 1 from column x0 on. */
static void
conv_block (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    int x0, int n, int y, int n_rows)
{
  const int quads = ((const Packed *)conv->packed)->chunk_quads;
  const int channels = 4 * conv->out_quads;
  const int row = PIXEL_BYTES * conv->stride * row_pixels (conv);
  const bool whole = quads >= conv->in_quads;
  uint8_t window[BUFFER_PIXELS * PIXEL_BYTES];
  Sums sums;

  if (whole)
    load_window (window, in, conv, 0, conv->in_quads, x0, n, y, n_rows);
  for (int k = 0; k < n_rows; k++) {
    for (int o = 0; o < channels; o += CHANNELS) {
      const int n_channels = min_int (channels - o, CHANNELS);
      for (int q = 0; q < conv->in_quads; q += quads) {
        const int n_quads = min_int (conv->in_quads - q, quads);
        if (!whole)
          load_window (window, in, conv, q, n_quads, x0, n, y, 1);
        multiply_tile (
            sums, window + k * row, conv, o, n_channels, q / quads, n_quads, n);
      }
      for (int i = 0; i < n_channels; i += 4) {
        const int quad = (o + i) / 4;
        char *dst = tensor_row (out, quad, y + k);
        requantise (dst + (conv->wide ? 8 : 4) * x0, sums + i, conv, quad, n);
      }
    }
  }
}

void
DSSR_KERNEL (conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  const int rows = ((const Packed *)conv->packed)->block_rows;

  for (int y = y0; y < y1; y += rows)
    for (int x0 = 0; x0 < out->width; x0 += PIXELS)
      conv_block (out, in, conv, x0,
          min_int ((out->width - x0 + 7) & -8, PIXELS), y,
          min_int (y1 - y, rows));
  if (!conv->wide)
    fill_margins (out, y0, y1);
}
