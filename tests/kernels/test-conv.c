/* Convolution and requantisation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <math.h>
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
  if (conv.outside)
    table->conv_border (&o->out, o->in, p->n_in, &conv, y0, y1);
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

/* What a random case is made of. */
typedef struct {
  int in_quads, out_quads, width, height, kernel, stride;
  int bits;      /* of the weights */
  int pair;      /* pairs of weights add up to this, or sometimes to one
                    more, or to the negative of it; 0: to anything */
  int per_cent;  /* of weight quads that are there; DENSE: all, and no mask */
  int pixel_max; /* of the inputs */
  Fill weights, pixels;
  DssrActivation act;
  gboolean wide;
  int max, shift;
  gboolean zero_outside;
} Options;

enum {
  DENSE = -1,
  NATURAL = -1, /* shift and products such that few outputs are clipped */
};

static const int densities[] = {DENSE, 0, 10, 25, 50, 100};

static Options
random_options (void)
{
  return (Options){.in_quads = random_int (1, 4),
      .out_quads = random_int (1, 4),
      .width = side (random_int (0, N_SIDES - 1)),
      .height = random_int (1, 6),
      .kernel = random_bit () ? 3 : 1,
      .stride = random_int (1, 2),
      .bits = random_int (2, 8),
      .per_cent = densities[random_int (0, G_N_ELEMENTS (densities) - 1)],
      .pixel_max = random_int (0, 3) ? 255 : 15,
      .act = random_int (DSSR_ACT_NONE, DSSR_ACT_LEAKY),
      .wide = random_int (0, 3) == 0,
      .max = random_int (0, 3) ? 255 : 15,
      .shift = random_int (0, 2) ? NATURAL : random_int (0, 24),
      .zero_outside = random_bit ()};
}

/* The number of channels' quads of each input, which add up to `total`. */
static int
split (int *quads, int total)
{
  const int most = random_int (1, MAX_INPUTS);
  int n = 0;

  while (total > 0 && n < most - 1) {
    quads[n] = random_int (1, total);
    total -= quads[n++];
  }
  if (total > 0)
    quads[n++] = total;
  return n;
}

static void
fill_weights (gint8 *weight, guint8 *mask, int n_quads, const Options *options)
{
  const int most = 1 << (options->bits - 1);

  for (int i = 0; i < n_quads; i++) {
    const gboolean present = !mask || random_int (1, 100) <= options->per_cent;
    for (int l = 0; l < 4; l++)
      weight[4 * i + l] =
          present ? random_value (options->weights, -most, most - 1) : 0;
    for (int l = 0; l < 4 && present && options->pair; l += 2) {
      const int pair = options->pair + (random_int (0, 7) == 0);
      const int a = random_int (MAX (pair - 127, 0), MIN (pair, 127));
      const int sign = random_int (0, 3) ? 1 : -1;
      weight[4 * i + l] = sign * a;
      weight[4 * i + l + 1] = sign * (pair - a);
    }
    if (mask && present)
      mask[i >> 3] |= 1 << (i & 7);
  }
}

/* Of several kinds: as large as the loader allows for these weights; such that
 * the greatest or the least sum is around what 16 bits hold after the shift;
 * such that there is something left to see after it, most often of sums around
 * the usual. */
static int
random_bias (const gint8 *weight, int n, int shift, const Options *options)
{
  const gint64 seen = (gint64)1 << MIN (15 + shift, 30);
  gint64 greatest = 0, least = 0;

  for (int i = 0; i < n; i++) {
    greatest += options->pixel_max * MAX (weight[i], 0);
    least += options->pixel_max * MIN (weight[i], 0);
  }
  const gint64 most = G_MAXINT32 - greatest + least - rounding (shift);
  g_assert_cmpint (most, >=, 0);
  switch (random_int (0, 7)) {
    case 0:
      return random_bit () ? most : -most;
    case 1:
      return limit (
          seen - rounding (shift) - greatest + random_int (-2, 1), -most, most);
    case 2:
      return limit (
          -seen - rounding (shift) - least + random_int (-2, 1), -most, most);
    case 3:
      return limit (random_int (-seen, seen - 1), -most, most);
    default:
      return limit (random_int (-seen / 4, seen / 4) - (greatest + least) / 2,
          -most, most);
  }
}

/* A shift that makes sums of n random products about 14 bits wide. */
static int
natural_shift (int n, const Options *options)
{
  const double typical =
      sqrt (n) * options->pixel_max / 2 * (1 << (options->bits - 2));

  return MAX ((int)g_bit_storage ((gulong)typical) - 14, 0);
}

static char *
describe (const Options *o, int n_in, int shift)
{
  return g_strdup_printf (
      "conv %dx%d, %d quads of %d inputs to %d, stride %d, %dx%d pixels up to "
      "%d, %d bits, %d %%, act %d, shift %d, %s %d, outside %s",
      o->kernel, o->kernel, o->in_quads, n_in, o->out_quads, o->stride,
      o->width, o->height, o->pixel_max, o->bits, o->per_cent, o->act, shift,
      o->wide ? "wide" : "max", o->max, o->zero_outside ? "zero" : "edge");
}

static void
check_conv (const Options *options)
{
  const int taps = options->kernel * options->kernel;
  const int n_out = 4 * options->out_quads, s = options->stride;
  const int row = 4 * taps * options->in_quads;
  const gboolean natural = options->shift == NATURAL;
  const int shift = natural ? natural_shift (row, options) : options->shift;
  const int n_quads = n_out * row / 4;
  g_auto (Case) c = {0};
  g_auto (Guarded) weight = {0};
  g_auto (Guarded) mask = {0};
  g_autofree gint32 *bias = g_new (gint32, n_out);
  g_autofree gint16 *mult = g_new (gint16, n_out);
  g_autofree gint16 *mult_neg = g_new (gint16, n_out);
  g_autofree guint8 *outside = g_new (guint8, options->in_quads);
  int quads[MAX_INPUTS];
  Parameters p = {.n_in = split (quads, options->in_quads)};

  guarded_init (&weight, 4 * n_quads, random_bit ());
  if (options->per_cent != DENSE) {
    guarded_init (&mask, (n_quads + 7) / 8, random_bit ());
    memset (mask.data, 0, mask.size);
  }
  fill_weights ((gint8 *)weight.data, mask.data, n_quads, options);
  guarded_make_read_only (&weight);

  p.conv = (DssrConv){.kernel = options->kernel,
      .stride = s,
      .in_quads = options->in_quads,
      .out_quads = options->out_quads,
      .weight = (const gint8 *)weight.data,
      .mask = mask.data,
      .bias = bias,
      .mult = mult,
      .mult_neg = options->act == DSSR_ACT_LEAKY ? mult_neg : NULL,
      .act = options->act,
      .shift = shift,
      .wide = options->wide,
      .zero = random_value (random_int (0, N_FILLS - 1), 0, options->max),
      .max = options->max,
      .outside = options->zero_outside ? outside : NULL};
  for (int i = 0; i < options->in_quads; i++)
    outside[i] = random_int (0, options->pixel_max);
  for (int o = 0; o < n_out; o++) {
    bias[o] = random_bias (p.conv.weight + o * row, row, shift, options);
    mult[o] = natural ? random_int (100, 1500)
                      : random_value (random_int (0, N_FILLS - 1), 0, 32767);
    mult_neg[o] = random_int (0, mult[o]);
  }

  for (int i = 0; i < p.n_in; i++)
    case_add_limited_input (&c, quads[i], options->width, options->height,
        options->pixel_max, options->pixels);
  case_set_output (&c, options->out_quads, (options->width + s - 1) / s,
      (options->height + s - 1) / s, options->wide);
  c.description = describe (options, p.n_in, shift);
  check_kernel (&operation, &c, &p);
}

/* Each number of channels from 4 to 128, in and out. */
static void
test_channels (void)
{
  const int most = g_test_slow () ? 32 : 5;

  for (int i = 0; i < 4 * 32 * repetitions (); i++) {
    const int quads = i / 4 % 32 + 1;
    Options options = random_options ();

    options.kernel = i & 1 ? 3 : 1;
    options.stride = i & 2 ? 2 : 1;
    options.width = random_int (1, 20);
    options.height = random_int (1, 4);
    options.in_quads = quads;
    options.out_quads = random_int (1, most);
    check_conv (&options);
    options.in_quads = random_int (1, most);
    options.out_quads = quads;
    check_conv (&options);
  }
}

/* As many as a model file can ask for, and more than fit a kernel's arrays. */
static void
test_many_channels (void)
{
  for (int i = 0; i < 8 * repetitions (); i++) {
    Options options = random_options ();

    options.kernel = i & 1 ? 3 : 1;
    options.height = 2;
    options.bits = 4;
    options.in_quads = i & 2 ? 1 : random_int (100, 1024);
    options.out_quads = i & 2 ? random_int (100, 1024) : 1;
    options.width = random_int (1, 10);
    options.per_cent = i & 4 ? 25 : DENSE;
    check_conv (&options);
  }

  Options most = random_options ();
  most.bits = 4;
  most.in_quads = 16 * 1024;
  most.out_quads = 1;
  most.width = 2;
  most.height = 1;
  check_conv (&most);
}

static void
test_largest (void)
{
  for (int i = 0; i < 8; i++) {
    Options options = random_options ();

    options.kernel = i & 1 ? 3 : 1;
    options.stride = i & 2 ? 2 : 1;
    options.width = i & 4 ? LARGEST_SIDE : 2;
    options.height = i & 4 ? 2 : LARGEST_SIDE;
    options.in_quads = options.out_quads = 1;
    check_conv (&options);
  }
}

static void
test_shapes (void)
{
  for (int i = 0; i < 4 * N_SIDES * repetitions (); i++) {
    Options options = random_options ();

    options.kernel = i & 1 ? 3 : 1;
    options.stride = i & 2 ? 2 : 1;
    options.width = side (i / 4);
    check_conv (&options);
    if (options.width > 2)
      continue;
    options.height = 1;
    check_conv (&options);
  }
}

static void
test_densities (void)
{
  for (guint i = 0; i < 12 * G_N_ELEMENTS (densities) * repetitions (); i++) {
    Options options = random_options ();

    options.kernel = i & 1 ? 3 : 1;
    options.stride = i & 2 ? 2 : 1;
    options.bits = 4 + 2 * (i / 4 % 3);
    options.per_cent = densities[i / 12 % G_N_ELEMENTS (densities)];
    options.in_quads = random_int (1, 12);
    options.width = random_int (1, 70);
    check_conv (&options);
  }
}

static void
test_extremes (void)
{
  for (int i = 0; i < 3 * N_FILLS * N_FILLS * repetitions (); i++) {
    Options options = random_options ();

    options.bits = 4 + 2 * (i % 3);
    options.weights = i / 3 % N_FILLS;
    options.pixels = i / 3 / N_FILLS % N_FILLS;
    options.kernel = random_int (0, 3) ? 3 : 1;
    options.per_cent = random_int (0, 3) ? DENSE : 50;
    options.in_quads = random_int (1, 12);
    options.width = random_int (1, 20);
    check_conv (&options);
  }
}

/* Sums as far from zero as they come. */
static void
test_greatest_sums (void)
{
  for (int i = 0; i < 2 * 7 * 4 * repetitions (); i++) {
    Options options = random_options ();

    options.bits = 2 + i / 2 % 7;
    options.weights = i & 1 ? FILL_LEAST : FILL_GREATEST;
    options.pixels = FILL_GREATEST;
    options.per_cent = random_bit () ? DENSE : 50;
    options.shift = random_int (0, 16);
    options.width = random_int (1, 20);
    check_conv (&options);
  }
}

/* Pairs of products, and sums of two and of four of them, that are around what
 * 16 bits hold. */
static void
test_pairs (void)
{
  static const int limits[] = {32, 64, 128};

  for (int i = 0; i < 3 * 5 * 4 * repetitions (); i++) {
    Options options = random_options ();

    options.pair = limits[i % 3] + i / 3 % 5 - 1;
    options.bits = 8;
    options.pixels = random_bit () ? FILL_GREATEST : FILL_EXTREMES;
    options.pixel_max = 255;
    options.per_cent = random_bit () ? DENSE : 50;
    options.in_quads = random_int (1, 2);
    options.wide = TRUE;
    options.shift = random_int (1, 5);
    options.width = random_int (1, 20);
    check_conv (&options);
  }
}

/* Each shift with each activation and each kind of output. */
static void
test_requantisation (void)
{
  for (int i = 0; i < 25 * 9 * repetitions (); i++) {
    Options options = random_options ();

    options.act = i % 3;
    options.wide = i / 3 % 3 == 0;
    options.max = i / 3 % 3 == 1 ? 15 : 255;
    options.shift = i / 9 % 25;
    options.width = random_int (1, 20);
    options.height = 1;
    check_conv (&options);
  }
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
  g_test_add_func ("/kernels/conv/many-channels", test_many_channels);
  g_test_add_func ("/kernels/conv/shapes", test_shapes);
  g_test_add_func ("/kernels/conv/largest", test_largest);
  g_test_add_func ("/kernels/conv/densities", test_densities);
  g_test_add_func ("/kernels/conv/extremes", test_extremes);
  g_test_add_func ("/kernels/conv/greatest-sums", test_greatest_sums);
  g_test_add_func ("/kernels/conv/pairs", test_pairs);
  g_test_add_func ("/kernels/conv/requantisation", test_requantisation);
  return g_test_run ();
}
