/* Runs one kernel over some rows of a picture of 128 columns, for
 * arm64-count.sh: arm64-count NAME ROWS. Without arguments it prints the names,
 * and of convolutions the products per pixel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 128, HEIGHT = 8, MAX_SCALE = 4 };

typedef struct {
  const char *name;
  int kernel, stride, in_quads, out_quads, percent;   /* of a convolution */
  void (*run) (const DssrKernels *kernels, int rows); /* of anything else */
} Kernel;

static void *
allocate (size_t size)
{
  size = (size + DSSR_ALIGNMENT - 1) / DSSR_ALIGNMENT * DSSR_ALIGNMENT;
  void *memory = aligned_alloc (DSSR_ALIGNMENT, size);
  if (!memory)
    abort ();
  return memset (memory, 0, size);
}

static DssrTensor
tensor (int quads, int scale, int bytes)
{
  const int width = scale * WIDTH, height = scale * HEIGHT;
  const size_t row = 4 * bytes * (DSSR_MARGIN_LEFT + width + DSSR_MARGIN_RIGHT);
  const size_t stride =
      (row + DSSR_ALIGNMENT - 1) / DSSR_ALIGNMENT * DSSR_ALIGNMENT;
  char *memory = allocate (stride * height * quads);

  return (DssrTensor){memory + 4 * bytes * DSSR_MARGIN_LEFT, stride,
      stride * height, width, height, quads, 0};
}

static DssrSamples
plane (int scale)
{
  return (DssrSamples){allocate (scale * scale * WIDTH * HEIGHT), scale * WIDTH,
      1, scale * WIDTH, scale * HEIGHT, 8, 0};
}

static void
conv (const DssrKernels *kernels, const Kernel *k, int rows)
{
  const int n_out = 4 * k->out_quads;
  const int n_quads = n_out * k->kernel * k->kernel * k->in_quads;
  uint8_t *mask = allocate (n_quads / 8 + 1);
  DssrConv c = {.kernel = k->kernel,
      .stride = k->stride,
      .in_quads = k->in_quads,
      .out_quads = k->out_quads,
      .weight = allocate (4 * n_quads),
      .mask = k->percent < 100 ? mask : NULL,
      .bias = allocate (4 * n_out),
      .mult = allocate (2 * n_out),
      .mult_neg = allocate (2 * n_out),
      .act = DSSR_ACT_LEAKY,
      .shift = 8,
      .max = 255};
  const DssrTensor in = tensor (k->in_quads, k->stride, 1);
  const DssrTensor out = tensor (k->out_quads, 1, 1);

  for (int i = 0; i < n_quads; i++)
    if (i * k->percent / 100 != (i + 1) * k->percent / 100)
      mask[i >> 3] |= 1 << (i & 7);
  void *packed = allocate (kernels->conv_packed_size (&c));
  kernels->conv_pack (&c, packed);
  c.packed = packed;
  kernels->conv (&out, &in, 1, &c, 0, rows);
}

static void
deform (const DssrKernels *kernels, int rows)
{
  static const uint8_t table[256];
  const DssrTensor feature = tensor (4, 1, 1), offset = tensor (27, 1, 2);
  const DssrTensor out = tensor (36, 1, 1);

  kernels->deform (
      &out, &feature, &offset, &(DssrDeform){3, 4, 128, 10, table}, 0, rows);
}

static void
add (const DssrKernels *kernels, int rows)
{
  const DssrTensor a = tensor (4, 1, 1), b = tensor (4, 1, 1);
  const DssrTensor out = tensor (4, 1, 1);

  kernels->add (&out, &a, &b, &(DssrAdd){9, 8, 7, 255, 9000, 8000}, 0, rows);
}

static void
up2 (const DssrKernels *kernels, int rows)
{
  const DssrTensor in = tensor (4, 1, 1), out = tensor (4, 2, 1);

  kernels->up2 (&out, &in, 0, 2 * rows);
}

static void
attention (const DssrKernels *kernels, int rows)
{
  static const uint8_t table[256];
  const DssrTensor a = tensor (4, 1, 1), out = tensor (4, 1, 1);

  kernels->attention (
      &out, &a, &a, &a, &(DssrAttention){9, 9, 9, 4, 9000, table}, 0, rows);
}

static void
input (const DssrKernels *kernels, int rows)
{
  const DssrSamples luma = plane (1);
  const DssrTensor out = tensor (1, 1, 1);

  kernels->input (&out, &luma, 1, 0, rows);
}

static void
head (const DssrKernels *kernels, int scale, int rows)
{
  const DssrSamples luma = plane (1), out = plane (scale);
  const DssrTensor residual = tensor (4, 1, 2);
  const int phase = scale == 2 ? -4 : -6;

  kernels->head (&out, &luma, &residual, &(DssrBicubic){scale, phase, phase},
      scale, 0, scale * rows);
}

static void
head_2 (const DssrKernels *kernels, int rows)
{
  head (kernels, 2, rows);
}

static void
head_4 (const DssrKernels *kernels, int rows)
{
  head (kernels, 4, rows);
}

static const Kernel all[] = {
    {"conv-3x3-16-16", 3, 1, 4, 4, 100, NULL},
    {"conv-3x3-8-8", 3, 1, 2, 2, 100, NULL},
    {"conv-3x3-4-8", 3, 1, 1, 2, 100, NULL},
    {"conv-3x3-8-4", 3, 1, 2, 1, 100, NULL},
    {"conv-3x3-64-64", 3, 1, 16, 16, 100, NULL},
    {"conv-3x3-8-16-stride-2", 3, 2, 2, 4, 100, NULL},
    {"conv-1x1-16-16", 1, 1, 4, 4, 100, NULL},
    {"conv-1x1-144-16", 1, 1, 36, 4, 100, NULL},
    {"conv-3x3-16-16-25%", 3, 1, 4, 4, 25, NULL},
    {"deform-3x3-16", 0, 0, 0, 0, 0, deform},
    {"add-16", 0, 0, 0, 0, 0, add},
    {"up2-16", 0, 0, 0, 0, 0, up2},
    {"attention-16", 0, 0, 0, 0, 0, attention},
    {"input", 0, 0, 0, 0, 0, input},
    {"head-x2", 0, 0, 0, 0, 0, head_2},
    {"head-x4", 0, 0, 0, 0, 0, head_4},
};

int
main (int argc, char **argv)
{
  DssrKernels kernels;

  dssr_kernels_init (&kernels, dssr_cpu_flags ());
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const Kernel *k = &all[i];
    if (argc < 3)
      printf ("%s %d\n", k->name,
          16 * k->kernel * k->kernel * k->in_quads * k->out_quads * k->percent
              / 100);
    else if (strcmp (argv[1], k->name) == 0 && k->run)
      k->run (&kernels, atoi (argv[2]));
    else if (strcmp (argv[1], k->name) == 0)
      conv (&kernels, k, atoi (argv[2]));
  }
  return 0;
}
