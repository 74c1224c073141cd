/* Convolution and requantisation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

enum { MAX_INPUTS = 4 };

typedef struct {
  DssrTensor out, in[MAX_INPUTS];
  int n_in;
  DssrConv conv;
} Case;

static void
call (const DssrKernels *table, void *data, int y0, int y1, gpointer closure)
{
  const Case *c = closure;
  DssrTensor out = c->out;

  out.data = data;
  table->conv (&out, c->in, c->n_in, &c->conv, y0, y1);
}

/* What a random case is made of; the rest is drawn. */
typedef struct {
  int in_quads, out_quads, width, height, kernel, stride;
  gboolean sparse;
  Fill weights, pixels;
} Options;

/* The number of channels' quads of each input, which add up to `total`. */
static int
split (int *quads, int total)
{
  int n = 0;

  while (total > 0 && n < MAX_INPUTS - 1) {
    quads[n] = random_int (1, total);
    total -= quads[n++];
  }
  if (total > 0)
    quads[n++] = total;
  return n;
}

static void
fill_weights (gint8 *weight, guint8 *mask, int n_quads, Fill fill)
{
  for (int i = 0; i < n_quads; i++) {
    const gboolean present = !mask || random_int (0, 3) == 0;
    for (int l = 0; l < 4; l++)
      weight[4 * i + l] = present ? random_value (fill, -128, 127) : 0;
    if (mask && present)
      mask[i >> 3] |= 1 << (i & 7);
  }
}

/* As large as the loader allows for these weights, or near zero. */
static int
random_bias (const gint8 *weight, int n, int shift)
{
  gint64 sum = 0;

  for (int i = 0; i < n; i++)
    sum += 255 * ABS (weight[i]);
  const int most = G_MAXINT32 - sum - rounding (shift);
  return random_int (0, 3)    ? random_int (-sum / 2, sum / 2)
         : g_test_rand_bit () ? most
                              : -most;
}

static void
check_random (const Options *options)
{
  const int taps = options->kernel * options->kernel;
  const int n_out = 4 * options->out_quads;
  const int row = 4 * taps * options->in_quads;
  const int n_quads = n_out * row / 4;
  g_auto (Guarded) weight = {0};
  g_auto (Guarded) out = {0};
  Guarded in[MAX_INPUTS] = {{0}};
  g_autofree guint8 *mask =
      options->sparse ? g_malloc0 ((n_quads + 7) / 8) : NULL;
  g_autofree gint32 *bias = g_new (gint32, n_out);
  g_autofree gint16 *mult = g_new (gint16, n_out);
  g_autofree gint16 *mult_neg = g_new (gint16, n_out);
  int quads[MAX_INPUTS];
  Case c = {.n_in = split (quads, options->in_quads)};

  guarded_init (&weight, 4 * n_quads, g_test_rand_bit ());
  fill_weights ((gint8 *)weight.data, mask, n_quads, options->weights);
  guarded_make_read_only (&weight);

  c.conv = (DssrConv){.kernel = options->kernel,
      .stride = options->stride,
      .in_quads = options->in_quads,
      .out_quads = options->out_quads,
      .weight = (const gint8 *)weight.data,
      .mask = mask,
      .bias = bias,
      .mult = mult,
      .act = random_int (DSSR_ACT_NONE, DSSR_ACT_LEAKY),
      .shift = random_int (0, 3) ? random_int (0, 12) : random_int (0, 24),
      .wide = random_int (0, 3) == 0,
      .zero = random_int (0, 3) ? random_int (0, 255) : 0,
      .max = random_int (0, 3) ? 255 : 15};
  if (c.conv.act == DSSR_ACT_LEAKY)
    c.conv.mult_neg = mult_neg;
  for (int o = 0; o < n_out; o++) {
    bias[o] = random_bias (c.conv.weight + o * row, row, c.conv.shift);
    mult[o] = random_value (random_int (0, N_FILLS - 1), 0, 32767);
    mult_neg[o] = random_int (0, mult[o]);
  }

  for (int i = 0; i < c.n_in; i++) {
    tensor_init (
        &c.in[i], &in[i], quads[i], options->width, options->height, FALSE);
    tensor_fill (&c.in[i], FALSE, options->pixels);
    guarded_make_read_only (&in[i]);
  }
  const int s = options->stride;
  tensor_init (&c.out, &out, options->out_quads, (options->width + s - 1) / s,
      (options->height + s - 1) / s, c.conv.wide);

  g_test_message (
      "%d+ inputs, %d quads to %d, %dx%d, kernel %d, stride %d, shift %d",
      c.n_in, options->in_quads, options->out_quads, options->width,
      options->height, options->kernel, options->stride, c.conv.shift);
  check_kernel (&out, c.out.height, call, &c);
  for (int i = 0; i < c.n_in; i++)
    guarded_clear (&in[i]);
}

static void
test_channels (void)
{
  for (int quads = 1; quads <= 32; quads++)
    for (int kernel = 1; kernel <= 3; kernel += 2)
      check_random (&(Options){.in_quads = quads,
          .out_quads = random_int (1, 4),
          .width = random_int (1, 9),
          .height = random_int (1, 5),
          .kernel = kernel,
          .stride = random_int (1, 2),
          .sparse = g_test_rand_bit (),
          .weights = FILL_RANDOM,
          .pixels = FILL_RANDOM});
  for (int quads = 5; quads <= 17; quads += 3)
    check_random (&(Options){.in_quads = 2,
        .out_quads = quads,
        .width = 7,
        .height = 3,
        .kernel = 3,
        .stride = 1});
}

static void
test_shapes (void)
{
  for (int i = 0; i < 150; i++)
    check_random (&(Options){.in_quads = random_int (1, 4),
        .out_quads = random_int (1, 3),
        .width = random_side (),
        .height = random_int (1, 9),
        .kernel = g_test_rand_bit () ? 3 : 1,
        .stride = random_int (1, 2),
        .sparse = g_test_rand_bit ()});
  check_random (&(Options){.in_quads = 2,
      .out_quads = 2,
      .width = 1,
      .height = 1,
      .kernel = 3,
      .stride = 2});
}

static void
test_extremes (void)
{
  for (Fill weights = 0; weights < N_FILLS; weights++)
    for (Fill pixels = 0; pixels < N_FILLS; pixels++)
      for (int i = 0; i < 4; i++)
        check_random (&(Options){.in_quads = random_int (1, 12),
            .out_quads = 1,
            .width = 9,
            .height = 4,
            .kernel = 3,
            .stride = 1 + i % 2,
            .weights = weights,
            .pixels = pixels});
}

/* One pixel, 4 channels to 4, all of the arithmetic by hand. */
static void
test_by_hand (void)
{
  guint8 pixel[4] = {10, 20, 30, 255};
  guint8 result[4];
  gint16 wide_result[4];
  const gint8 weight[4][4] = {
      {1, 2, 3, 0}, {-1, -2, -3, 0}, {0, 0, 0, 127}, {0, 0, 0, -128}};
  const gint32 bias[4] = {4, 0, 100, 0};
  const gint16 mult[4] = {16384, 16384, 32767, 32767};
  const gint16 mult_neg[4] = {1638, 3277, 0, 16384};
  const DssrTensor in = {.data = pixel,
      .stride = 4,
      .plane = 4,
      .width = 1,
      .height = 1,
      .quads = 1};
  DssrTensor out = {.data = result,
      .stride = 4,
      .plane = 4,
      .width = 1,
      .height = 1,
      .quads = 1};
  DssrConv conv = {.kernel = 1,
      .stride = 1,
      .in_quads = 1,
      .out_quads = 1,
      .weight = weight[0],
      .bias = bias,
      .mult = mult,
      .mult_neg = mult_neg,
      .act = DSSR_ACT_LEAKY,
      .shift = 1,
      .zero = 100,
      .max = 255};
  const DssrKernels *tables[] = {dssr_kernels_scalar (), dssr_kernels_cpu ()};

  for (guint i = 0; i < G_N_ELEMENTS (tables); i++) {
    /* acc 144, -140, 32485, -32640; t 72, -70, 16243, -16320; mult gives 36,
     * -35, 16243, -16320; mult_neg 4, -7, 0, -8160. */
    conv.act = DSSR_ACT_LEAKY;
    conv.wide = false;
    out.data = result;
    tables[i]->conv (&out, &in, 1, &conv, 0, 1);
    g_assert_cmpmem (result, 4, ((guint8[]){136, 93, 255, 0}), 4);

    conv.act = DSSR_ACT_RELU;
    tables[i]->conv (&out, &in, 1, &conv, 0, 1);
    g_assert_cmpmem (result, 4, ((guint8[]){136, 100, 255, 100}), 4);

    conv.act = DSSR_ACT_NONE;
    conv.wide = true;
    out.data = wide_result;
    tables[i]->conv (&out, &in, 1, &conv, 0, 1);
    g_assert_cmpmem (wide_result, 8, ((gint16[]){36, -35, 16243, -16320}), 8);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/conv/by-hand", test_by_hand);
  g_test_add_func ("/kernels/conv/channels", test_channels);
  g_test_add_func ("/kernels/conv/shapes", test_shapes);
  g_test_add_func ("/kernels/conv/extremes", test_extremes);
  return g_test_run ();
}
