/* dssr-bench: the memory that a kernel works on, and the call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench-kernels.h"

#include <string.h>

/* Rows of the small picture that a call works on; a ring holds those that a
 * stride of 2 needs, and the power of two. */
enum { BAND = 8, RING = 32 };

#define MAX_TENSORS 4

struct _BenchWork {
  const BenchShape *shape;
  int width, height;
  DssrTensor out, in[3];
  DssrSamples small[BENCH_MAX_PLANES], large[BENCH_MAX_PLANES];
  DssrSamples mean, next; /* of denoise */
  guint8 *memory[MAX_TENSORS + 2 * BENCH_MAX_PLANES];
  int n_memory;
  GRand *rand;
  guint8 table[256], outside[64];
  DssrConv conv;
  gsize weight_quads; /* that are not zero */
  int8_t *weight;
  guint8 *mask;
  gint32 *bias;
  gint16 *mult, *mult_neg;
};

static guint8 *
allocate (BenchWork *work, gsize size, int max)
{
  guint8 *memory = g_aligned_alloc (1, size, DSSR_ALIGNMENT);
  for (gsize i = 0; i < size; i++)
    memory[i] = (guint8)g_rand_int_range (work->rand, 0, max + 1);
  work->memory[work->n_memory++] = memory;
  return memory;
}

static void
init_tensor (BenchWork *work, DssrTensor *tensor, int channels, int width,
    int height, gboolean wide, int ring)
{
  const int pixel = wide ? 8 : 4;
  const gsize row =
      (gsize)pixel * (DSSR_MARGIN_LEFT + width + DSSR_MARGIN_RIGHT);
  const int rows = ring ? ring : height;
  tensor->width = width;
  tensor->height = height;
  tensor->quads = (channels + 3) / 4;
  tensor->ring = ring;
  tensor->stride =
      (ptrdiff_t)((row + DSSR_ALIGNMENT - 1) & -(gsize)DSSR_ALIGNMENT);
  tensor->plane = tensor->stride * rows;
  guint8 *memory = allocate (work, (gsize)tensor->plane * (gsize)tensor->quads,
      work->shape->bits == 4 ? 15 : 255);
  tensor->data = memory + pixel * DSSR_MARGIN_LEFT;
}

static void
init_plane (BenchWork *work, DssrSamples *samples, int scale, int depth)
{
  const int bytes = depth > 8 ? 2 : 1;
  samples->width = work->width * scale;
  samples->height = work->height * scale;
  samples->depth = depth;
  samples->step = bytes;
  samples->stride = (ptrdiff_t)bytes * samples->width;
  const gsize size = (gsize)samples->stride * (gsize)samples->height;
  samples->data = allocate (work, size, 255);
  for (gsize i = 1; bytes == 2 && i < size; i += 2)
    ((guint8 *)samples->data)[i] &= (1 << (samples->depth - 8)) - 1;
}

static void
init_samples (BenchWork *work, DssrSamples *planes, int scale)
{
  const int n = work->shape->kernel == BENCH_HEAD_PLANES ? BENCH_MAX_PLANES : 1;
  for (int i = 0; i < n; i++)
    init_plane (work, &planes[i], scale, MAX (work->shape->depth, 8));
}

static void
init_weights (BenchWork *work)
{
  const BenchShape *shape = work->shape;
  const DssrConv *conv = &work->conv;
  const int limit = shape->bits == 4 ? 7 : 127;
  const gsize n =
      (gsize)4 * conv->out_quads * shape->taps * shape->taps * conv->in_quads;
  work->weight = g_new0 (int8_t, 4 * n);
  work->mask = g_new0 (guint8, n / 8 + 1);
  for (gsize i = 0; i < n; i++) {
    if (shape->density
        && g_rand_int_range (work->rand, 0, 100) >= shape->density)
      continue;
    work->weight_quads++;
    work->mask[i >> 3] |= 1 << (i & 7);
    for (int j = 0; j < 4; j++)
      work->weight[4 * i + j] =
          (int8_t)g_rand_int_range (work->rand, -limit, limit + 1);
  }
  const int channels = 4 * conv->out_quads;
  work->bias = g_new0 (gint32, channels);
  work->mult = g_new (gint16, channels);
  work->mult_neg = g_new (gint16, channels);
  for (int i = 0; i < channels; i++) {
    work->mult[i] = 2000;
    work->mult_neg[i] = 200;
  }
}

static void
init_conv (BenchWork *work)
{
  const BenchShape *shape = work->shape;
  work->conv = (DssrConv){
      .kernel = shape->taps,
      .stride = shape->stride,
      .in_quads = (shape->in + 3) / 4,
      .out_quads = (shape->out + 3) / 4,
      .act = shape->wide ? DSSR_ACT_NONE : DSSR_ACT_LEAKY,
      .shift = 4,
      .wide = shape->wide,
      .zero = shape->wide ? 0 : 10,
      .max = shape->bits == 4 ? 15 : 255,
  };
  init_weights (work);
  memset (work->outside, 10, sizeof work->outside);
  work->conv.outside =
      shape->kernel == BENCH_CONV_BORDER ? work->outside : NULL;
  work->conv.weight = work->weight;
  work->conv.mask = shape->density ? work->mask : NULL;
  work->conv.bias = work->bias;
  work->conv.mult = work->mult;
  work->conv.mult_neg = shape->wide ? NULL : work->mult_neg;
}

/* Offsets of up to two pixels. */
static void
init_offsets (BenchWork *work, DssrTensor *offset, int taps)
{
  const int channels = 3 * taps * taps * work->in[0].quads;
  init_tensor (work, offset, channels, work->width, work->height, TRUE, RING);
  gint16 *values = (gint16 *)work->memory[work->n_memory - 1];
  const gsize n = (gsize)offset->plane * (gsize)offset->quads / 2;
  for (gsize i = 0; i < n; i++)
    values[i] = (gint16)g_rand_int_range (work->rand, -32, 33);
}

BenchWork *
bench_work_new (const BenchShape *shape, int width, int height)
{
  BenchWork *work = g_new0 (BenchWork, 1);
  work->shape = shape;
  work->width = width;
  work->height = height;
  work->rand = g_rand_new_with_seed (1);
  for (int i = 0; i < 256; i++)
    work->table[i] = (guint8)i;

  int out_width = width, out_height = height;
  switch (shape->kernel) {
    case BENCH_CONV:
    case BENCH_CONV_BORDER:
      init_conv (work);
      out_width = (width + shape->stride - 1) / shape->stride;
      out_height = (height + shape->stride - 1) / shape->stride;
      init_tensor (work, &work->in[0], shape->in, width, height, FALSE, RING);
      break;
    case BENCH_FOLLOW:
      init_tensor (work, &work->in[0], shape->in, width, height, FALSE, 0);
      break;
    case BENCH_DEFORM:
    case BENCH_DEFORM_ZERO:
      init_tensor (work, &work->in[0], shape->in, width, height, FALSE, 0);
      init_offsets (work, &work->in[1], shape->taps);
      break;
    case BENCH_POOL:
      out_width = (width + 1) / 2;
      out_height = (height + 1) / 2;
      init_tensor (work, &work->in[0], shape->in, width, height, FALSE, RING);
      break;
    case BENCH_UP2:
    case BENCH_SHUFFLE:
      out_width *= 2;
      out_height *= 2;
      init_tensor (work, &work->in[0], shape->in, width, height, FALSE, RING);
      break;
    case BENCH_ATTENTION:
    case BENCH_MODULATE:
      init_tensor (work, &work->in[2], shape->out, width, height, FALSE, RING);
      /* fall through */
    case BENCH_ADD:
      init_tensor (work, &work->in[0], shape->in, width, height, FALSE, RING);
      init_tensor (work, &work->in[1], shape->in, width, height, FALSE, RING);
      break;
    case BENCH_HEAD:
    case BENCH_HEAD_PLANES:
      init_tensor (work, &work->in[0], shape->in, width, height, TRUE, RING);
      /* fall through */
    case BENCH_BICUBIC:
    case BENCH_CONTRAST:
    case BENCH_NOISE:
    case BENCH_DENOISE:
    case BENCH_PAN:
      init_samples (work, work->large, shape->scale);
      /* fall through */
    case BENCH_INPUT:
      init_samples (work, work->small, 1);
      break;
  }
  if (shape->kernel == BENCH_DENOISE) {
    init_plane (work, &work->mean, 1, 12);
    init_plane (work, &work->next, 1, 12);
  }
  if (shape->out)
    init_tensor (
        work, &work->out, shape->out, out_width, out_height, shape->wide, RING);
  return work;
}

void
bench_work_free (BenchWork *work)
{
  for (int i = 0; i < work->n_memory; i++)
    g_aligned_free (work->memory[i]);
  g_rand_free (work->rand);
  g_free (work->weight);
  g_free (work->mask);
  g_free (work->bias);
  g_free (work->mult);
  g_free (work->mult_neg);
  g_free (work);
}

double
bench_work_macs (const BenchWork *work)
{
  /* A border's are few. */
  return work->shape->kernel == BENCH_CONV
             ? 4. * (double)work->weight_quads * work->out.width
                   * work->out.height
             : 0;
}

void *
bench_work_pack (const BenchWork *work, const DssrKernels *table)
{
  const gsize size = work->shape->kernel == BENCH_CONV
                         ? table->conv_packed_size (&work->conv)
                         : 0;
  if (size == 0)
    return NULL;
  void *packed = g_aligned_alloc0 (1, size, DSSR_ALIGNMENT);
  table->conv_pack (&work->conv, packed);
  return packed;
}

BenchParts
bench_work_parts (const BenchWork *work)
{
  const BenchShape *shape = work->shape;
  const int phase = shape->scale == 2 ? -4 : -6;
  return (BenchParts){
      .out = &work->out,
      .in = work->in,
      .small = work->small,
      .large = work->large,
      .conv = &work->conv,
      .deform = {shape->taps, work->in[0].quads, 256, 10, work->table},
      .add = {9, 8, 7, 255, 9000, 8000},
      .attention = {9, 9, 9, 4, 9000, work->table},
      .modulate = {9, 8, 7, 255, 9000, 8000, work->table},
      .bicubic = {shape->scale, phase, phase},
      .contrast = {shape->scale, 256, 3504, 20000, 128, 320},
  };
}

static void
run_band (BenchWork *work, const DssrKernels *table, int y0, int y1)
{
  const BenchShape *shape = work->shape;
  const DssrTensor *out = &work->out, *in = work->in;
  const BenchParts parts = bench_work_parts (work);

  switch (shape->kernel) {
    case BENCH_INPUT:
      table->input (out, work->small, 1, 1, y0, y1);
      break;
    case BENCH_CONV:
      table->conv (out, in, 1, &work->conv, y0, y1);
      break;
    case BENCH_DEFORM:
      table->deform (out, &in[0], &in[1], &parts.deform, y0, y1);
      break;
    case BENCH_ADD:
      table->add (out, &in[0], &in[1], &parts.add, y0, y1);
      break;
    case BENCH_UP2:
      table->up2 (out, &in[0], y0, y1);
      break;
    case BENCH_ATTENTION:
      table->attention (out, &in[0], &in[1], &in[2], &parts.attention, y0, y1);
      break;
    case BENCH_BICUBIC:
      table->bicubic (work->large, work->small, &parts.bicubic, y0, y1);
      break;
    case BENCH_HEAD:
      table->head (work->large, work->small, &in[0], &parts.bicubic,
          shape->scale, y0, y1);
      break;
    case BENCH_CONTRAST:
      table->contrast (work->large, work->small, &parts.contrast, y0, y1);
      break;
    case BENCH_NOISE:
      table->noise (work->small, work->large);
      break;
    case BENCH_DENOISE: {
      const DssrDenoise denoise = {
          {1000, 1000}, work->small[0], work->mean, work->next};
      table->denoise (work->large, work->small, &denoise, y0, y1);
      break;
    }
    case BENCH_PAN:
      table->pan (work->small, work->large);
      break;
    case BENCH_CONV_BORDER:
      table->conv_border (out, in, 1, &work->conv, y0, y1);
      break;
    case BENCH_DEFORM_ZERO:
      table->deform_zero (out, &in[0], &in[1], &parts.deform, y0, y1);
      break;
    case BENCH_SHUFFLE:
      table->shuffle (out, &in[0], 7, y0, y1);
      break;
    case BENCH_FOLLOW:
      table->follow (out, &in[0], (DssrPan){3, -2}, y0, y1);
      break;
    case BENCH_POOL: {
      const DssrPooling pool = {.average = TRUE, .zero = 7};
      table->pool (out, &in[0], &pool, y0, y1);
      break;
    }
    case BENCH_MODULATE:
      table->modulate (out, &in[0], &in[1], &in[2], &parts.modulate, y0, y1);
      break;
    case BENCH_HEAD_PLANES:
      table->head_planes (work->large, work->small, BENCH_MAX_PLANES, &in[0],
          &parts.bicubic, FALSE, shape->scale, y0, y1);
      break;
  }
}

void
bench_work_run (BenchWork *work, const DssrKernels *table, const void *packed)
{
  const int rows = work->large->data ? work->large->height : work->out.height;
  const int band = bench_shape_is_whole (work->shape)
                       ? rows
                       : MAX (1, BAND * rows / work->height);
  work->conv.packed = packed;
  for (int y = 0; y < rows; y += band)
    run_band (work, table, y, MIN (y + band, rows));
}
