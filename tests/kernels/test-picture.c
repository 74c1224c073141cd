/* Input, bicubic and head: formats, sidings, borders.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <math.h>

enum { ROUNDS = 150 };

typedef struct {
  DssrSamples in, out;
  DssrTensor tensor;
  Guarded in_memory, out_memory, tensor_memory;
  DssrBicubic bicubic;
  int factor; /* unshuffle or shuffle */
} Case;

static void
case_clear (Case *c)
{
  guarded_clear (&c->in_memory);
  guarded_clear (&c->out_memory);
  guarded_clear (&c->tensor_memory);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Case, case_clear)

/* How planes lie in the pictures that the element knows: planar, interleaved,
 * packed. */
static const struct {
  int depth, step, shift;
} layouts[] = {
    {8, 1, 0},  /* I420 */
    {8, 2, 0},  /* NV12's chroma */
    {8, 3, 0},  /* RGB */
    {10, 2, 0}, /* I420_10LE */
    {10, 2, 6}, /* P010's luma */
    {10, 4, 6}, /* P010's chroma */
    {12, 2, 0}, /* I420_12LE */
    {9, 4, 0},
};

static void
init_input (Case *c, int layout, int width, int height)
{
  samples_init (&c->in, &c->in_memory, width, height, layouts[layout].depth,
      layouts[layout].step, layouts[layout].shift);
  /* Sometimes any bits at all, among them ones that no sample has. */
  if (random_int (0, 3))
    samples_fill (&c->in, random_int (0, N_FILLS - 1));
  guarded_make_read_only (&c->in_memory);
}

static void
init_output (Case *c, int layout, int width, int height)
{
  samples_init (&c->out, &c->out_memory, width, height, layouts[layout].depth,
      layouts[layout].step, layouts[layout].shift);
}

static void
call_input (const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  DssrTensor out = c->tensor;

  out.data = data;
  table->input (&out, &c->in, c->factor, y0, y1);
}

static void
test_input (void)
{
  for (int i = 0; i < ROUNDS; i++) {
    g_auto (Case) c = {.factor = 1 << random_int (0, 2)};
    const int width = random_side (), height = random_int (1, 20);
    const int u = c.factor;

    init_input (&c, i % G_N_ELEMENTS (layouts), width, height);
    tensor_init (&c.tensor, &c.tensor_memory, (u * u + 3) / 4,
        (width + u - 1) / u, (height + u - 1) / u, FALSE);
    check_kernel (&c.tensor_memory, c.tensor.height, call_input, &c);
  }
}

static void
call_bicubic (const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  DssrSamples out = c->out;

  out.data = data;
  table->bicubic (&out, &c->in, &c->bicubic, y0, y1);
}

/* Centred, co-sited, or anything. */
static int
random_phase (int scale)
{
  switch (random_int (0, 2)) {
    case 0:
      return scale == 2 ? -4 : -6;
    case 1:
      return scale == 2 ? -2 : -3;
    default:
      return random_int (-16, 15);
  }
}

static DssrBicubic
random_bicubic (void)
{
  const int scale = g_test_rand_bit () ? 4 : 2;

  return (DssrBicubic){scale, random_phase (scale), random_phase (scale)};
}

static void
test_bicubic (void)
{
  for (int i = 0; i < ROUNDS; i++) {
    const int layout = i % G_N_ELEMENTS (layouts);
    const int width = random_side (), height = random_int (1, 20);
    g_auto (Case) c = {.bicubic = random_bicubic ()};
    const int scale = c.bicubic.scale;

    /* Odd luma leaves out half of the last chroma sample's outputs. */
    init_input (&c, layout, width, height);
    init_output (&c, layout, scale * width - random_int (0, 1) * scale / 2,
        scale * height - random_int (0, 1) * scale / 2);
    check_kernel (&c.out_memory, c.out.height, call_bicubic, &c);
  }
}

static void
call_head (const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  DssrSamples out = c->out;

  out.data = data;
  table->head (&out, &c->in, &c->tensor, &c->bicubic, c->factor, y0, y1);
}

static void
test_head (void)
{
  for (int i = 0; i < ROUNDS; i++) {
    const int layout = i % G_N_ELEMENTS (layouts);
    const int width = random_side (), height = random_int (1, 20);
    g_auto (Case) c = {.bicubic = random_bicubic ()};
    const int scale = c.bicubic.scale, unshuffle = 1 << random_int (0, 2);

    c.factor = scale * unshuffle;
    init_input (&c, layout, width, height);
    init_output (&c, layout, scale * width, scale * height);
    tensor_init (&c.tensor, &c.tensor_memory, c.factor * c.factor / 4,
        (width + unshuffle - 1) / unshuffle,
        (height + unshuffle - 1) / unshuffle, TRUE);
    tensor_fill (&c.tensor, TRUE, random_int (0, N_FILLS - 1));
    guarded_make_read_only (&c.tensor_memory);
    check_kernel (&c.out_memory, c.out.height, call_head, &c);
  }
}

static void
test_taps (void)
{
  for (int i = 0; i < 16; i++) {
    const gint16 *taps = dssr_bicubic_taps[i];
    const double t = i / 16.0, t2 = t * t, t3 = t2 * t;
    const double exact[4] = {(-t + 2 * t2 - t3) / 2, (2 - 5 * t2 + 3 * t3) / 2,
        (t + 4 * t2 - 3 * t3) / 2, (-t2 + t3) / 2};

    g_assert_cmpint (taps[0] + taps[1] + taps[2] + taps[3], ==, 128);
    for (int k = 0; k < 4; k++) {
      const gboolean largest = k == (i <= 8 ? 1 : 2);
      if (!largest)
        g_assert_cmpint (taps[k], ==, (int)floor (128 * exact[k] + 0.5));
      g_assert_cmpint (
          taps[k], ==, dssr_bicubic_taps[(16 - i) % 16][i ? 3 - k : k]);
    }
  }
}

/* A plane of one colour stays that, at every depth; a zero residual changes
 * nothing, one of 64 a step of 8 bits. */
static void
check_constant (const DssrKernels *kernels, int depth, int scale, int value)
{
  enum { W = 5, H = 3, S = 4 };
  guint16 small[H * W], large[S * S * H * W];
  guint8 *small8 = (guint8 *)small, *large8 = (guint8 *)large;
  gint16 residual[S * H * W * 4] = {0};
  const int bytes = depth == 8 ? 1 : 2;
  const DssrSamples in = {small, W * bytes, bytes, W, H, depth, 0};
  const DssrSamples out = {
      large, scale * W * bytes, bytes, scale * W, scale * H, depth, 0};
  const DssrTensor tensor = {
      residual, 8 * W, 8 * W * H, W, H, scale * scale / 4};
  const DssrBicubic bicubic = {scale, -8 + 8 / scale, -3};
  const int step = 1 << (depth - 8), max = (1 << depth) - 1;

  for (int i = 0; i < W * H; i++)
    if (depth == 8)
      small8[i] = value;
    else
      small[i] = value;
  for (int pass = 0; pass < 3; pass++) {
    if (pass == 0)
      kernels->bicubic (&out, &in, &bicubic, 0, out.height);
    else
      kernels->head (&out, &in, &tensor, &bicubic, scale, 0, out.height);
    const int expected = pass < 2 ? value : MIN (value + step, max);
    for (int i = 0; i < out.width * out.height; i++)
      g_assert_cmpint (depth == 8 ? large8[i] : large[i], ==, expected);
    if (pass == 1)
      for (guint i = 0; i < G_N_ELEMENTS (residual); i++)
        residual[i] = 64;
  }
}

static void
test_constant (void)
{
  const DssrKernels *tables[] = {dssr_kernels_scalar (), dssr_kernels_cpu ()};

  for (int t = 0; t < 2; t++)
    for (int scale = 2; scale <= 4; scale += 2)
      for (int depth = 8; depth <= 12; depth++)
        for (int value = 0; value < 1 << depth; value += 51)
          check_constant (tables[t], depth, scale, value);
}

/* 0 then 128 in a row, twice as wide: taps { -3 29 111 -9 } and { -9 111 29 -3
 * } of 128. */
static void
test_by_hand (void)
{
  const DssrKernels *tables[] = {dssr_kernels_scalar (), dssr_kernels_cpu ()};
  guint8 small[] = {0, 128}, large[4];
  const DssrSamples in = {small, 2, 1, 2, 1, 8, 0};
  const DssrSamples out = {large, 4, 1, 4, 1, 8, 0};

  for (int t = 0; t < 2; t++) {
    tables[t]->bicubic (&out, &in, &(DssrBicubic){2, -4, 0}, 0, 1);
    g_assert_cmpmem (large, 4, ((guint8[]){0, 26, 102, 137}), 4);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/picture/taps", test_taps);
  g_test_add_func ("/kernels/picture/by-hand", test_by_hand);
  g_test_add_func ("/kernels/picture/constant", test_constant);
  g_test_add_func ("/kernels/picture/input", test_input);
  g_test_add_func ("/kernels/picture/bicubic", test_bicubic);
  g_test_add_func ("/kernels/picture/head", test_head);
  return g_test_run ();
}
