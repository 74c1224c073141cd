/* Convolution and requantisation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <string.h>

typedef struct {
  DssrConv conv;
  int n_in;
} Parameters;

/* The weights as the table wants them, in memory that ends with them as near as
 * their alignment allows. */
static void
pack (DssrConv *conv, Guarded *memory, const DssrKernels *table)
{
  const gsize size = table->conv_packed_size (conv);
  const gsize slack = -size % DSSR_ALIGNMENT;

  if (size == 0)
    return;
  guarded_init (memory, size + slack, FALSE);
  g_autofree guint8 *before = g_memdup2 (memory->data + size, slack);
  table->conv_pack (conv, memory->data);
  g_assert_cmpmem (memory->data + size, slack, before, slack);
  guarded_make_read_only (memory);
  conv->packed = memory->data;
}

static void
call (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;
  DssrConv conv = p->conv;
  g_auto (Guarded) packed = {0};

  pack (&conv, &packed, table);
  table->conv (&o->out, o->in, p->n_in, &conv, y0, y1);
}

static void
need (const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  const DssrConv *conv = &((const Parameters *)parameters)->conv;

  *first = conv->stride * y0 - conv->kernel / 2;
  *end = conv->stride * (y1 - 1) + conv->kernel / 2 + 1;
}

static const Operation operation = {call, need,
    G_STRUCT_OFFSET (DssrKernels, conv_packed_size),
    G_STRUCT_OFFSET (DssrKernels, deform)
        - G_STRUCT_OFFSET (DssrKernels, conv_packed_size)};

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
  g_auto (Case) c = {0};
  g_auto (Guarded) weight = {0};
  g_autofree guint8 *mask =
      options->sparse ? g_malloc0 ((n_quads + 7) / 8) : NULL;
  g_autofree gint32 *bias = g_new (gint32, n_out);
  g_autofree gint16 *mult = g_new (gint16, n_out);
  g_autofree gint16 *mult_neg = g_new (gint16, n_out);
  int quads[MAX_INPUTS];
  Parameters p = {.n_in = split (quads, options->in_quads)};

  guarded_init (&weight, 4 * n_quads, g_test_rand_bit ());
  fill_weights ((gint8 *)weight.data, mask, n_quads, options->weights);
  guarded_make_read_only (&weight);

  p.conv = (DssrConv){.kernel = options->kernel,
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
  if (p.conv.act == DSSR_ACT_LEAKY)
    p.conv.mult_neg = mult_neg;
  for (int o = 0; o < n_out; o++) {
    bias[o] = random_bias (p.conv.weight + o * row, row, p.conv.shift);
    mult[o] = random_value (random_int (0, N_FILLS - 1), 0, 32767);
    mult_neg[o] = random_int (0, mult[o]);
  }

  for (int i = 0; i < p.n_in; i++)
    case_add_input (
        &c, quads[i], options->width, options->height, FALSE, options->pixels);
  const int s = options->stride;
  case_set_output (&c, options->out_quads, (options->width + s - 1) / s,
      (options->height + s - 1) / s, p.conv.wide);

  c.description = g_strdup_printf (
      "%d inputs, %d quads to %d, %dx%d, kernel %d, stride %d, shift %d, "
      "act %d, max %d%s%s",
      p.n_in, options->in_quads, options->out_quads, options->width,
      options->height, options->kernel, s, p.conv.shift, p.conv.act, p.conv.max,
      p.conv.wide ? ", wide" : "", mask ? ", sparse" : "");
  check_kernel (&operation, &c, &p);
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
check_by_hand (const DssrKernels *table)
{
  enum { ROW_SIZE = 512 };
  _Alignas(DSSR_ALIGNMENT) guint8 in_memory[ROW_SIZE], out_memory[ROW_SIZE];
  guint8 *in_row = in_memory + 4 * DSSR_MARGIN_LEFT;
  guint8 *out_row = out_memory + 8 * DSSR_MARGIN_LEFT;
  const gint8 weight[4][4] = {
      {1, 2, 3, 0}, {-1, -2, -3, 0}, {0, 0, 0, 127}, {0, 0, 0, -128}};
  const gint32 bias[4] = {4, 0, 100, 0};
  const gint16 mult[4] = {16384, 16384, 32767, 32767};
  const gint16 mult_neg[4] = {1638, 3277, 0, 16384};
  Operands o = {.in[0] = {.data = in_row,
                    .stride = ROW_SIZE,
                    .plane = ROW_SIZE,
                    .width = 1,
                    .height = 1,
                    .quads = 1}};
  Parameters p = {.n_in = 1,
      .conv = {.kernel = 1,
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
          .max = 255}};

  o.out = o.in[0];
  o.out.data = out_row;
  for (int x = -1; x <= 1; x++)
    memcpy (in_row + 4 * x, ((guint8[]){10, 20, 30, 255}), 4);

  /* acc 144, -140, 32485, -32640; t 72, -70, 16243, -16320; mult gives 36,
   * -35, 16243, -16320; mult_neg 4, -7, 0, -8160. */
  call (table, &o, 0, 1, &p);
  g_assert_cmpmem (out_row, 4, ((guint8[]){136, 93, 255, 0}), 4);

  p.conv.act = DSSR_ACT_RELU;
  p.conv.mult_neg = NULL;
  call (table, &o, 0, 1, &p);
  g_assert_cmpmem (out_row, 4, ((guint8[]){136, 100, 255, 100}), 4);

  p.conv.act = DSSR_ACT_NONE;
  p.conv.wide = true;
  call (table, &o, 0, 1, &p);
  g_assert_cmpmem (out_row, 8, ((gint16[]){36, -35, 16243, -16320}), 8);
}

static void
test_by_hand (void)
{
  for_each_table (check_by_hand, operation.offset, operation.size);
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
