/* Input, bicubic and head: formats, sidings, borders.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <math.h>

enum { ROW_SIZE = 512 };

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

enum { N_LAYOUTS = G_N_ELEMENTS (layouts) };

typedef struct {
  DssrBicubic bicubic;
  int factor;   /* unshuffle or shuffle */
  int n_planes; /* of the input */
  bool linear;
  DssrContrast contrast;
  DssrSamples enlarged; /* what contrast begins with */
} Parameters;

static void
set_input (Case *c, int layout, int width, int height)
{
  DssrSamples *in = &c->operands.plane_in;

  samples_init (in, &c->plane_memory, width, height, layouts[layout].depth,
      layouts[layout].step, layouts[layout].shift);
  /* Sometimes any bits at all, among them ones that no sample has. */
  if (random_int (0, 3))
    samples_fill (in, random_int (0, N_FILLS - 1));
  guarded_make_read_only (&c->plane_memory);
}

static void
set_output (Case *c, int layout, int width, int height)
{
  c->operands.plane_out = (DssrSamples){.width = width,
      .height = height,
      .depth = layouts[layout].depth,
      .step = layouts[layout].step,
      .shift = layouts[layout].shift};
}

static char *
describe (const char *operation, const Parameters *p, int layout, int width,
    int height)
{
  return g_strdup_printf ("%s %dx%d, depth %d, step %d, shift %d, scale %d, "
                          "phases %d %d, factor %d",
      operation, width, height, layouts[layout].depth, layouts[layout].step,
      layouts[layout].shift, p->bicubic.scale, p->bicubic.phase_x,
      p->bicubic.phase_y, p->factor);
}

static void
call_input (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;
  DssrSamples planes[3];

  /* Each a row below the one before, of the same memory. */
  for (int i = 0; i < p->n_planes; i++) {
    planes[i] = o->plane_in;
    planes[i].data = (char *)planes[i].data + i * planes[i].stride;
    planes[i].height -= p->n_planes - 1;
  }
  table->input (&o->out, planes, p->n_planes, p->factor, y0, y1);
}

static void
check_input (int layout, int n_planes, int unshuffle, int width, int height)
{
  static const Operation operation = {call_input, NULL, OPERATION (input)};
  g_auto (Case) c = {0};
  const int u = unshuffle;
  const Parameters p = {.factor = u, .n_planes = n_planes};

  set_input (&c, layout, width, height + n_planes - 1);
  case_set_output (&c, (n_planes * u * u + 3) / 4, (width + u - 1) / u,
      (height + u - 1) / u, FALSE);
  c.description = describe ("input", &p, layout, width, height);
  check_kernel (&operation, &c, &p);
}

static void
test_input (void)
{
  for (int i = 0; i < 3 * N_SIDES * repetitions (); i += picture_step)
    check_input (i % N_LAYOUTS, random_bit () ? 3 : 1, 1 << i % 3, side (i / 3),
        random_int (1, 20));
  check_input (0, 1, 1, LARGEST_SIDE, 2);
  check_input (0, 1, 1, 2, LARGEST_SIDE);
  check_input (0, 3, 1, LARGEST_SIDE, 2);
}

static void
call_bicubic (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;

  table->bicubic (&o->plane_out, &o->plane_in, &p->bicubic, y0, y1);
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
  const int scale = random_bit () ? 4 : 2;

  return (DssrBicubic){scale, random_phase (scale), random_phase (scale)};
}

static void
check_bicubic (int layout, int width, int height)
{
  static const Operation operation = {call_bicubic, NULL, OPERATION (bicubic)};
  g_auto (Case) c = {0};
  const Parameters p = {.bicubic = random_bicubic ()};
  const int scale = p.bicubic.scale;

  /* Odd luma leaves out half of the last chroma sample's outputs. */
  set_input (&c, layout, width, height);
  set_output (&c, layout, scale * width - random_int (0, 1) * scale / 2,
      scale * height - random_int (0, 1) * scale / 2);
  c.description = describe ("bicubic", &p, layout, width, height);
  check_kernel (&operation, &c, &p);
}

static void
test_bicubic (void)
{
  for (int i = 0; i < 3 * N_SIDES * repetitions (); i += picture_step)
    check_bicubic (i % N_LAYOUTS, side (i / 3), random_int (1, 12));
  check_bicubic (0, LARGEST_SIDE, 2);
  check_bicubic (0, 2, LARGEST_SIDE);
}

static void
call_head (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;

  table->head (
      &o->plane_out, &o->plane_in, &o->in[0], &p->bicubic, p->factor, y0, y1);
}

static void
need_for_head (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  const Parameters *p = parameters;

  *first = y0 / p->factor;
  *end = (y1 + p->factor - 1) / p->factor;
}

static void
check_head (int layout, int unshuffle, int width, int height)
{
  static const Operation operation = {
      call_head, need_for_head, OPERATION (head)};
  g_auto (Case) c = {0};
  const DssrBicubic bicubic = random_bicubic ();
  const int scale = bicubic.scale;
  const Parameters p = {.bicubic = bicubic, .factor = scale * unshuffle};

  set_input (&c, layout, width, height);
  set_output (&c, layout, scale * width, scale * height);
  case_add_input (&c, p.factor * p.factor / 4,
      (width + unshuffle - 1) / unshuffle, (height + unshuffle - 1) / unshuffle,
      TRUE, random_int (0, N_FILLS - 1));
  c.description = describe ("head", &p, layout, width, height);
  check_kernel (&operation, &c, &p);
}

static void
test_head (void)
{
  for (int i = 0; i < 3 * N_SIDES * repetitions (); i += picture_step)
    check_head (i % N_LAYOUTS, 1 << i % 3, side (i / 3), random_int (1, 12));
  check_head (0, 1, LARGEST_SIDE, 2);
  check_head (0, 1, 2, LARGEST_SIDE);
}

static void
call_head_planes (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;

  table->head_planes (&o->plane_out, &o->plane_in, 1, &o->in[0], &p->bicubic,
      p->linear, p->factor, y0, y1);
}

/* Its residual may be as fine as the output. */
static void
check_head_planes (int layout, int shuffle, int width, int height)
{
  static const Operation operation = {
      call_head_planes, need_for_head, OPERATION (head_planes)};
  g_auto (Case) c = {0};
  const DssrBicubic bicubic = random_bicubic ();
  const int scale = bicubic.scale, s = shuffle;
  const Parameters p = {
      .bicubic = bicubic, .factor = s, .linear = random_bit ()};

  set_input (&c, layout, width, height);
  set_output (&c, layout, scale * width, scale * height);
  case_add_input (&c, (s * s + 3) / 4, (scale * width + s - 1) / s,
      (scale * height + s - 1) / s, TRUE, random_int (0, N_FILLS - 1));
  c.description = describe (
      p.linear ? "head on linear" : "head", &p, layout, width, height);
  check_kernel (&operation, &c, &p);
}

static void
call_contrast (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Parameters *p = parameters;
  const DssrSamples *out = &o->plane_out;

  for (int y = y0; y < y1; y++)
    for (int x = 0; x < out->width; x++)
      memcpy ((char *)out->data + y * out->stride + x * out->step,
          (char *)p->enlarged.data + y * p->enlarged.stride
              + x * p->enlarged.step,
          out->depth > 8 ? 2 : 1);
  table->contrast (out, &o->plane_in, &p->contrast, y0, y1);
}

/* Any that the interface allows, often the greatest or the least. */
static DssrContrast
random_contrast (int scale, int depth)
{
  const int max = ((1 << depth) - 1) << (12 - depth);
  const int black = random_bit () ? 0 : random_int (0, max - 1);
  const int range = random_bit () ? max - black : random_int (1, max - black);
  const int lift = MIN ((1 << 28) / range, 1 << 28);

  return (DssrContrast){
      .scale = scale,
      .black = black,
      .range = range,
      .lift = random_bit () ? lift : random_int (0, lift),
      .gain = random_bit () ? 256 : random_int (0, 256),
      .limit = random_bit () ? 4095 : random_int (0, 4095),
  };
}

static void
check_contrast (int layout, int width, int height)
{
  static const Operation operation = {
      call_contrast, NULL, OPERATION (contrast)};
  g_auto (Case) c = {0};
  g_auto (Guarded) memory = {0};
  const int scale = random_bit () ? 4 : 2, depth = layouts[layout].depth;
  Parameters p = {
      .bicubic.scale = scale, .contrast = random_contrast (scale, depth)};

  set_input (&c, layout, width, height);
  set_output (&c, layout, scale * width, scale * height);
  samples_init (&p.enlarged, &memory, scale * width, scale * height, depth,
      layouts[layout].step, layouts[layout].shift);
  if (random_int (0, 3))
    samples_fill (&p.enlarged, random_int (0, N_FILLS - 1));
  c.description = describe ("contrast", &p, layout, width, height);
  check_kernel (&operation, &c, &p);
}

static void
test_contrast (void)
{
  for (int i = 0; i < 3 * N_SIDES * repetitions (); i += picture_step)
    check_contrast (i % N_LAYOUTS, side (i / 3), random_int (1, 20));
  check_contrast (0, LARGEST_SIDE / 2, 2);
  check_contrast (0, 2, LARGEST_SIDE / 2);
}

/* Of a flat picture only the curve is left: black and white stay, what is
 * brighter stays brighter, and the middle is a quarter of range * lift up. */
static void
check_curve (const DssrKernels *kernels)
{
  enum { W = 9, H = 10, S = 2 };
  const DssrContrast contrast = {
      S, 16 << 4, 219 << 4, (1 << 27) / (219 << 4), 256, 4095};
  guint8 small[W * H], large[S * S * W * H];
  const DssrSamples in = {small, W, 1, W, H, 8, 0};
  const DssrSamples out = {large, S * W, 1, S * W, S * H, 8, 0};
  int last = -1;

  for (int value = 0; value < 256; value++) {
    memset (small, value, sizeof small);
    memset (large, value, sizeof large);
    kernels->contrast (&out, &in, &contrast, 0, out.height);
    for (guint i = 1; i < sizeof large; i++)
      g_assert_cmpint (large[i], ==, large[0]);
    if (value <= 16 || value >= 235)
      g_assert_cmpint (large[0], ==, value);
    if (value == 125)
      g_assert_cmpint (large[0], ==, 125 + 27);
    g_assert_cmpint (large[0], >=, last);
    last = large[0];
  }
}

static void
test_curve (void)
{
  for_each_table (check_curve, OPERATION (contrast));
}

/* Three planes together are what each is alone. */
static void
check_three_planes (const DssrKernels *kernels)
{
  enum { W = 7, H = 3, S = 2, PLANE = ROW_SIZE * H };
  static const DssrBicubic bicubic = {S, -4, -4};
  _Alignas(DSSR_ALIGNMENT) gint16 residual[3 * PLANE / 2] = {0};
  guint8 small[3 * H * W], large[3 * S * S * H * W], alone[3 * S * S * H * W];
  DssrSamples in[3], out[3];
  DssrTensor t = {.data = residual + 4 * DSSR_MARGIN_LEFT,
      .stride = ROW_SIZE,
      .plane = PLANE,
      .width = W,
      .height = H,
      .quads = 3};

  for (guint i = 0; i < G_N_ELEMENTS (small); i++)
    small[i] = random_int (0, 255);
  for (guint i = 0; i < G_N_ELEMENTS (residual); i++)
    residual[i] = random_int (-2000, 2000);
  for (int p = 0; p < 3; p++) {
    in[p] = (DssrSamples){small + p, 3 * W, 3, W, H, 8, 0};
    out[p] = (DssrSamples){large + p, 3 * S * W, 3, S * W, S * H, 8, 0};
  }
  kernels->head_planes (out, in, 3, &t, &bicubic, true, S, 0, S * H);
  for (int p = 0; p < 3; p++) {
    DssrTensor part = t;
    part.data = (char *)t.data + p * PLANE;
    part.quads = 1;
    out[p].data = alone + p;
    kernels->head_planes (
        &out[p], &in[p], 1, &part, &bicubic, true, S, 0, S * H);
  }
  g_assert_cmpmem (large, sizeof large, alone, sizeof alone);
}

static void
test_head_planes (void)
{
  for (int i = 0; i < 4 * N_SIDES * repetitions (); i++)
    check_head_planes (
        i % N_LAYOUTS, 1 << i % 4, side (i / 4), random_int (1, 12));
  check_head_planes (0, 1, LARGEST_SIDE, 2);
  for_each_table (check_three_planes, OPERATION (head_planes));
}

/* Between its two samples, exactly. */
static void
test_linear_taps (void)
{
  for (int i = 0; i < 16; i++) {
    g_assert_cmpint (dssr_linear_taps[i][0], ==, 0);
    g_assert_cmpint (16 * dssr_linear_taps[i][1], ==, 128 * (16 - i));
    g_assert_cmpint (16 * dssr_linear_taps[i][2], ==, 128 * i);
    g_assert_cmpint (dssr_linear_taps[i][3], ==, 0);
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
  enum { PLANE = ROW_SIZE * H };
  _Alignas(DSSR_ALIGNMENT) gint16 residual[S * PLANE / 2] = {0};
  const int bytes = depth == 8 ? 1 : 2;
  const DssrSamples in = {small, W * bytes, bytes, W, H, depth, 0};
  const DssrSamples out = {
      large, scale * W * bytes, bytes, scale * W, scale * H, depth, 0};
  const DssrTensor tensor = {.data = residual + 4 * DSSR_MARGIN_LEFT,
      .stride = ROW_SIZE,
      .plane = PLANE,
      .width = W,
      .height = H,
      .quads = scale * scale / 4};
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
check_constants (const DssrKernels *kernels)
{
  for (int scale = 2; scale <= 4; scale += 2)
    for (int depth = 8; depth <= 12; depth++)
      for (int value = 0; value < 1 << depth; value += 51)
        check_constant (kernels, depth, scale, value);
}

static void
test_constant (void)
{
  for_each_table (check_constants, 0, sizeof (DssrKernels));
}

/* 0 then 128 in a row, twice as wide: taps { -3 29 111 -9 } and { -9 111 29 -3
 * } of 128. */
static void
check_by_hand (const DssrKernels *kernels)
{
  guint8 small[] = {0, 128}, large[4];
  const DssrSamples in = {small, 2, 1, 2, 1, 8, 0};
  const DssrSamples out = {large, 4, 1, 4, 1, 8, 0};

  kernels->bicubic (&out, &in, &(DssrBicubic){2, -4, 0}, 0, 1);
  g_assert_cmpmem (large, 4, ((guint8[]){0, 26, 102, 137}), 4);
}

static void
test_by_hand (void)
{
  for_each_table (check_by_hand, 0, sizeof (DssrKernels));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/picture/taps", test_taps);
  g_test_add_func ("/kernels/picture/by-hand", test_by_hand);
  g_test_add_func ("/kernels/picture/constant", test_constant);
  g_test_add_func ("/kernels/picture/input", test_input);
  g_test_add_func ("/kernels/picture/head-planes", test_head_planes);
  g_test_add_func ("/kernels/picture/linear-taps", test_linear_taps);
  g_test_add_func ("/kernels/picture/bicubic", test_bicubic);
  g_test_add_func ("/kernels/picture/head", test_head);
  g_test_add_func ("/kernels/picture/curve", test_curve);
  g_test_add_func ("/kernels/picture/contrast", test_contrast);
  return g_test_run ();
}
