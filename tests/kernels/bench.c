/* Times every kernel of every table on one core, at 480x270.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/kernels.h"

enum {
  WIDTH = 480,
  HEIGHT = 270,
  MAX_QUADS = 36,
  MARGINS = DSSR_MARGIN_LEFT + DSSR_MARGIN_RIGHT
};

#define ALIGN(size) (((size) + DSSR_ALIGNMENT - 1) & -DSSR_ALIGNMENT)

/* Enough for any tensor and plane here. */
typedef struct {
  guint8 *memory[4];
  gint8 weight[64 * 9 * 64];
  gint32 bias[64];
  gint16 mult[64], mult_neg[64];
  guint8 table[256];
} Buffers;

typedef struct {
  const char *name;
  void (*run) (const DssrKernels *kernels, const Buffers *b);
  double macs; /* a pixel */
} Kernel;

static DssrTensor
tensor (const Buffers *b, int i, int quads, int scale)
{
  const int width = WIDTH * scale, height = HEIGHT * scale;

  const int stride = ALIGN (4 * (width + MARGINS));

  return (DssrTensor){.data = b->memory[i] + 4 * DSSR_MARGIN_LEFT,
      .stride = stride,
      .plane = (ptrdiff_t)stride * height,
      .width = width,
      .height = height,
      .quads = quads};
}

static DssrTensor
wide_tensor (const Buffers *b, int i, int quads)
{
  const int stride = ALIGN (8 * (WIDTH + MARGINS));

  return (DssrTensor){.data = b->memory[i] + 8 * DSSR_MARGIN_LEFT,
      .stride = stride,
      .plane = (ptrdiff_t)stride * HEIGHT,
      .width = WIDTH,
      .height = HEIGHT,
      .quads = quads};
}

static DssrSamples
plane (const Buffers *b, int i, int scale)
{
  return (DssrSamples){
      b->memory[i], WIDTH * scale, 1, WIDTH * scale, HEIGHT * scale, 8, 0};
}

static void
conv (const DssrKernels *k, const Buffers *b, int kernel, int stride,
    int in_quads, int out_quads)
{
  const DssrTensor in = tensor (b, 0, in_quads, 1);
  DssrTensor out = tensor (b, 1, out_quads, 1);
  DssrConv conv = {.kernel = kernel,
      .stride = stride,
      .in_quads = in_quads,
      .out_quads = out_quads,
      .weight = b->weight,
      .bias = b->bias,
      .mult = b->mult,
      .mult_neg = b->mult_neg,
      .act = DSSR_ACT_LEAKY,
      .shift = 8,
      .zero = 10,
      .max = 255};
  void *packed =
      aligned_alloc (DSSR_ALIGNMENT, ALIGN (k->conv_packed_size (&conv) + 1));

  k->conv_pack (&conv, packed);
  conv.packed = packed;
  out.width /= stride;
  out.height /= stride;
  k->conv (&out, &in, 1, &conv, 0, out.height);
  free (packed);
}

#define CONV(name, ...)                                                        \
  static void name (const DssrKernels *k, const Buffers *b)                    \
  {                                                                            \
    conv (k, b, __VA_ARGS__);                                                  \
  }
CONV (conv_16_16, 3, 1, 4, 4)
CONV (conv_8_8, 3, 1, 2, 2)
CONV (conv_4_8, 3, 1, 1, 2)
CONV (conv_64_64, 3, 1, 16, 16)
CONV (conv_8_16_stride, 3, 2, 2, 4)
CONV (conv_1x1_16_16, 1, 1, 4, 4)
CONV (conv_1x1_144_16, 1, 1, 36, 4)

static void
input (const DssrKernels *k, const Buffers *b)
{
  const DssrTensor out = tensor (b, 1, 1, 1);
  const DssrSamples luma = plane (b, 0, 1);

  k->input (&out, &luma, 1, 0, HEIGHT);
}

static void
deform (const DssrKernels *k, const Buffers *b)
{
  const DssrTensor feature = tensor (b, 0, 4, 1), out = tensor (b, 1, 36, 1);
  const DssrTensor offset = wide_tensor (b, 2, 27);
  const DssrDeform d = {3, 4, 128, 10, b->table};

  k->deform (&out, &feature, &offset, &d, 0, HEIGHT);
}

static void
add (const DssrKernels *k, const Buffers *b)
{
  const DssrTensor a = tensor (b, 0, 4, 1), c = tensor (b, 2, 4, 1);
  const DssrTensor out = tensor (b, 1, 4, 1);

  k->add (&out, &a, &c, &(DssrAdd){9, 8, 7, 255, 9000, 8000}, 0, HEIGHT);
}

static void
up2 (const DssrKernels *k, const Buffers *b)
{
  const DssrTensor in = tensor (b, 0, 4, 1), out = tensor (b, 1, 4, 2);

  k->up2 (&out, &in, 0, 2 * HEIGHT);
}

static void
attention (const DssrKernels *k, const Buffers *b)
{
  const DssrTensor x = tensor (b, 0, 4, 1), y = tensor (b, 2, 4, 1);
  const DssrTensor out = tensor (b, 1, 4, 1);

  k->attention (&out, &x, &y, &x, &(DssrAttention){9, 9, 9, 4, 9000, b->table},
      0, HEIGHT);
}

static void
bicubic_2 (const DssrKernels *k, const Buffers *b)
{
  const DssrSamples in = plane (b, 0, 1), out = plane (b, 1, 2);

  k->bicubic (&out, &in, &(DssrBicubic){2, -4, -4}, 0, out.height);
}

static void
bicubic_4 (const DssrKernels *k, const Buffers *b)
{
  const DssrSamples in = plane (b, 0, 1), out = plane (b, 1, 4);

  k->bicubic (&out, &in, &(DssrBicubic){4, -6, -6}, 0, out.height);
}

static void
head_2 (const DssrKernels *k, const Buffers *b)
{
  const DssrSamples in = plane (b, 0, 1), out = plane (b, 1, 2);
  const DssrTensor residual = wide_tensor (b, 2, 1);

  k->head (&out, &in, &residual, &(DssrBicubic){2, -4, -4}, 2, 0, out.height);
}

static void
head_4 (const DssrKernels *k, const Buffers *b)
{
  const DssrSamples in = plane (b, 0, 1), out = plane (b, 1, 4);
  const DssrTensor residual = wide_tensor (b, 2, 4);

  k->head (&out, &in, &residual, &(DssrBicubic){4, -6, -6}, 4, 0, out.height);
}

static const Kernel kernels[] = {
    {"conv 3x3 16 to 16", conv_16_16, 9 * 16 * 16},
    {"conv 3x3 8 to 8", conv_8_8, 9 * 8 * 8},
    {"conv 3x3 4 to 8", conv_4_8, 9 * 4 * 8},
    {"conv 3x3 64 to 64", conv_64_64, 9 * 64 * 64},
    {"conv 3x3 8 to 16, stride 2", conv_8_16_stride, 9 * 8 * 16 / 4.},
    {"conv 1x1 16 to 16", conv_1x1_16_16, 16 * 16},
    {"conv 1x1 144 to 16", conv_1x1_144_16, 144 * 16},
    {"input", input, 0},
    {"deform 3x3 16, 4 groups", deform, 0},
    {"add 16", add, 0},
    {"up2 16, per small pixel", up2, 0},
    {"attention 16", attention, 0},
    {"bicubic x2, per small pixel", bicubic_2, 0},
    {"bicubic x4, per small pixel", bicubic_4, 0},
    {"head x2, per small pixel", head_2, 0},
    {"head x4, per small pixel", head_4, 0},
};

static double
cpu_seconds (void)
{
  struct timespec t;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* The best of some runs. */
static double
seconds (const Kernel *kernel, const DssrKernels *table, const Buffers *b)
{
  double best = G_MAXDOUBLE, total = 0;

  for (int i = 0; i < 3 || total < 0.15; i++) {
    const double start = cpu_seconds ();
    kernel->run (table, b);
    const double t = cpu_seconds () - start;
    best = MIN (best, t);
    total += t;
  }
  return best;
}

int
main (void)
{
  const DssrKernels *tables[] = {dssr_kernels_scalar (), dssr_kernels_cpu ()};
  const int n_tables = tables[0] == tables[1] ? 1 : 2;
  const gsize size = (gsize)4 * (WIDTH + MARGINS) * HEIGHT * MAX_QUADS * 2;
  g_autofree Buffers *b = g_new0 (Buffers, 1);

  for (guint i = 0; i < G_N_ELEMENTS (b->memory); i++) {
    b->memory[i] = aligned_alloc (DSSR_ALIGNMENT, ALIGN (size));
    for (gsize j = 0; j < size; j++)
      b->memory[i][j] = j * 2654435761u >> 13;
  }
  for (guint i = 0; i < sizeof b->weight; i++)
    b->weight[i] = i * 2654435761u >> 20;
  for (int i = 0; i < 64; i++) {
    b->mult[i] = 20000;
    b->mult_neg[i] = 2000;
  }

  for (guint i = 0; i < G_N_ELEMENTS (kernels); i++) {
    g_print ("%-28s", kernels[i].name);
    for (int t = 0; t < n_tables; t++) {
      const double s = seconds (&kernels[i], tables[t], b) / (WIDTH * HEIGHT);
      g_print ("  %s %8.2f ns/pixel", tables[t]->name, 1e9 * s);
      if (kernels[i].macs > 0)
        g_print (" %6.1f GMAC/s", 1e-9 * kernels[i].macs / s);
    }
    g_print ("\n");
  }
  for (guint i = 0; i < G_N_ELEMENTS (b->memory); i++)
    free (b->memory[i]);
  return 0;
}
