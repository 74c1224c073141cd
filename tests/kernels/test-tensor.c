/* Deformable sampling, add, doubling, attention.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <string.h>

enum { ROW_SIZE = 512 };

static void
fill_table (guint8 table[256])
{
  const Fill fill = random_int (0, N_FILLS - 1);

  for (int i = 0; i < 256; i++)
    table[i] = random_value (fill, 0, 255);
}

static int
random_zero (int max)
{
  return random_value (random_int (0, N_FILLS - 1), 0, max);
}

/* An input whose values are of a random kind. */
static void
add_input (Case *c, int quads, int width, int height, gboolean wide)
{
  case_add_input (c, quads, width, height, wide, random_int (0, N_FILLS - 1));
}

static void
need_same_rows (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  *first = y0;
  *end = y1;
}

static void
call_deform_zero (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->deform_zero (&o->out, &o->in[0], &o->in[1], parameters, y0, y1);
}

static void
call_deform (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->deform (&o->out, &o->in[0], &o->in[1], parameters, y0, y1);
}

static void
need_for_deform (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  const DssrDeform *deform = parameters;
  const int reach = i ? 0 : deform->kernel / 2 + (deform->limit + 15) / 16;
  *first = y0 - reach;
  *end = y1 + reach + (i == 0);
}

typedef struct {
  int width, height, kernel, groups, quads, limit;
} DeformOptions;

static void
check_deform (const DeformOptions *o)
{
  static const Operation operation = {
      call_deform, need_for_deform, OPERATION (deform)};
  static const Operation zero_operation = {
      call_deform_zero, need_for_deform, OPERATION (deform_zero)};
  const int taps = o->kernel * o->kernel;
  g_auto (Case) c = {0};
  guint8 table[256];
  const DssrDeform deform = {.kernel = o->kernel,
      .groups = o->groups,
      .limit = o->limit,
      .zero = random_zero (255),
      .table = table};

  fill_table (table);
  add_input (&c, o->quads, o->width, o->height, FALSE);
  add_input (&c, (3 * taps * o->groups + 3) / 4, o->width, o->height, TRUE);
  case_set_output (&c, taps * o->quads, o->width, o->height, FALSE);
  c.description = g_strdup_printf (
      "deform %dx%d, kernel %d, %d groups, %d quads, limit %d, zero %d",
      o->width, o->height, o->kernel, o->groups, o->quads, o->limit,
      deform.zero);
  check_kernel (&operation, &c, &deform);
  check_kernel (&zero_operation, &c, &deform);
}

static void
test_deform (void)
{
  static const int limits[] = {0, 1, 15, 16, 200, 1000, 32767};
  enum { N_LIMITS = G_N_ELEMENTS (limits) };

  for (int i = 0; i < 4 * N_SIDES * repetitions (); i++) {
    const int groups = random_int (1, random_int (0, 3) ? 4 : 9);

    check_deform (&(DeformOptions){.width = side (i / 4),
        .height = random_int (1, 12),
        .kernel = i & 1 ? 3 : 1,
        .groups = groups,
        .quads = groups * random_int (1, 3),
        .limit = limits[i / 2 % N_LIMITS]});
  }
  /* As large as can be. */
  check_deform (&(DeformOptions){3, 2, 1, 1024, 1024, 200});
  check_deform (&(DeformOptions){3, 2, 3, 1, 113, 200});
  check_deform (&(DeformOptions){3, 2, 3, 37, 111, 200});
  check_deform (&(DeformOptions){2, LARGEST_SIDE, 3, 1, 1, 32767});
  check_deform (&(DeformOptions){LARGEST_SIDE, 2, 3, 1, 1, 32767});
}

static void
call_add (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->add (&o->out, &o->in[0], &o->in[1], parameters, y0, y1);
}

static void
test_add (void)
{
  static const Operation operation = {
      call_add, need_same_rows, OPERATION (add)};

  for (int i = 0; i < 2 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    const int width = side (i / 2), height = random_int (1, 20);
    const int quads = random_int (1, 5), max = i & 1 ? 255 : 15;
    const Fill mults = random_int (0, N_FILLS - 1);
    const DssrAdd add = {.zero_a = random_zero (255),
        .zero_b = random_zero (255),
        .zero = random_zero (max),
        .max = max,
        .mult_a = random_value (mults, 0, 32767),
        .mult_b = random_value (mults, 0, 32767)};

    add_input (&c, quads, width, height, FALSE);
    add_input (&c, quads, width, height, FALSE);
    case_set_output (&c, quads, width, height, FALSE);
    c.description = g_strdup_printf (
        "add %dx%d, %d quads, zeros %d %d %d, max %d, mults %d %d", width,
        height, quads, add.zero_a, add.zero_b, add.zero, max, add.mult_a,
        add.mult_b);
    check_kernel (&operation, &c, &add);
  }
}

static void
call_up2 (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->up2 (&o->out, &o->in[0], y0, y1);
}

static void
need_for_up2 (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  *first = floor_shift (y0 - 1, 1);
  *end = floor_shift (y1, 1) + 1;
}

static void
test_up2 (void)
{
  static const Operation operation = {call_up2, need_for_up2, OPERATION (up2)};

  for (int i = 0; i < 2 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    const int width = side (i / 2), height = 2 * random_int (1, 20) - (i & 1);
    const int quads = random_int (1, 3);

    add_input (&c, quads, (width + 1) / 2, (height + 1) / 2, FALSE);
    case_set_output (&c, quads, width, height, FALSE);
    c.description =
        g_strdup_printf ("up2 to %dx%d, %d quads", width, height, quads);
    check_kernel (&operation, &c, NULL);
  }
}

static void
call_shuffle (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->shuffle (&o->out, &o->in[0], *(const int *)parameters, y0, y1);
}

static void
need_for_shuffle (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  *first = y0 / 2;
  *end = (y1 + 1) / 2;
}

static void
test_shuffle (void)
{
  static const Operation operation = {
      call_shuffle, need_for_shuffle, OPERATION (shuffle)};

  for (int i = 0; i < 2 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    const int width = side (i / 2), height = 2 * random_int (1, 20) - (i & 1);
    const int channels = random_int (1, 9), zero = random_zero (255);

    add_input (&c, channels, (width + 1) / 2, (height + 1) / 2, FALSE);
    case_set_output (&c, (channels + 3) / 4, width, height, FALSE);
    c.description = g_strdup_printf ("shuffle to %dx%d, %d channels, zero %d",
        width, height, channels, zero);
    check_kernel (&operation, &c, &zero);
  }
}

typedef struct {
  DssrPan pan;
  int height;
} Follow;

static void
call_follow (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  const Follow *follow = parameters;
  table->follow (&o->out, &o->in[0], follow->pan, y0, y1);
}

static void
need_for_follow (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  const Follow *follow = parameters;
  *first = MIN (y0 + follow->pan.y, follow->height - 1);
  *end = MAX (y1 + follow->pan.y, 1);
}

/* Also by more than the picture is wide or high. */
static void
test_follow (void)
{
  static const Operation operation = {
      call_follow, need_for_follow, OPERATION (follow)};

  for (int i = 0; i < 4 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    const int width = side (i / 4), height = random_int (1, 20);
    const int quads = random_int (1, 3), most = i & 1 ? DSSR_MAX_PAN : 2;
    const Follow follow = {
        {random_int (-most, most), random_int (-most, most)}, height};

    add_input (&c, quads, width, height, FALSE);
    case_set_output (&c, quads, width, height, FALSE);
    c.description = g_strdup_printf ("%dx%d, %d quads, by (%d, %d)", width,
        height, quads, follow.pan.x, follow.pan.y);
    check_kernel (&operation, &c, &follow);
  }
}

static void
call_pool (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->pool (&o->out, &o->in[0], parameters, y0, y1);
}

static void
need_for_pool (
    const void *parameters, int i, int y0, int y1, int *first, int *end)
{
  *first = 2 * y0 - 1;
  *end = 2 * y1;
}

static void
test_pool (void)
{
  static const Operation operation = {
      call_pool, need_for_pool, OPERATION (pool)};

  for (int i = 0; i < 4 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    const int width = side (i / 4), height = random_int (1, 20);
    const int quads = random_int (1, 3);
    const DssrPooling pool = {i & 1, random_zero (255)};

    add_input (&c, quads, width, height, FALSE);
    case_set_output (&c, quads, (width + 1) / 2, (height + 1) / 2, FALSE);
    c.description = g_strdup_printf ("%s of %dx%d, %d quads, zero %d",
        pool.average ? "average" : "max", width, height, quads, pool.zero);
    check_kernel (&operation, &c, &pool);
  }
}

static void
call_modulate (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->modulate (
      &o->out, &o->in[0], &o->in[1], &o->in[2], parameters, y0, y1);
}

static void
test_modulate (void)
{
  static const Operation operation = {
      call_modulate, need_same_rows, OPERATION (modulate)};

  for (int i = 0; i < 2 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    guint8 table[256];
    const int width = side (i / 2), height = random_int (1, 20);
    const int quads = random_int (1, 5), max = i & 1 ? 255 : 15;
    const Fill mults = random_int (0, N_FILLS - 1);
    const DssrModulate m = {.zero_v = random_zero (255),
        .zero_b = random_zero (255),
        .zero = random_zero (max),
        .max = max,
        .mult_v = random_value (mults, 0, 32767),
        .mult_b = random_value (mults, 0, 32767),
        .table = table};

    fill_table (table);
    for (int in = 0; in < 3; in++)
      add_input (&c, quads, width, height, FALSE);
    case_set_output (&c, quads, width, height, FALSE);
    c.description = g_strdup_printf (
        "modulate %dx%d, %d quads, zeros %d %d %d, max %d, mults %d %d", width,
        height, quads, m.zero_v, m.zero_b, m.zero, max, m.mult_v, m.mult_b);
    check_kernel (&operation, &c, &m);
  }
}

static void
call_attention (const DssrKernels *table, const Operands *o, int y0, int y1,
    const void *parameters)
{
  table->attention (
      &o->out, &o->in[0], &o->in[1], &o->in[2], parameters, y0, y1);
}

static void
test_attention (void)
{
  static const Operation operation = {
      call_attention, need_same_rows, OPERATION (attention)};

  for (int i = 0; i < 2 * N_SIDES * repetitions (); i++) {
    g_auto (Case) c = {0};
    guint8 table[256];
    const int width = side (i), height = random_int (1, 10);
    const int embedding = i % 16 ? random_int (1, 9) : random_int (60, 300);
    const int quads = random_int (1, 5);
    const DssrAttention attention = {.zero_a = random_zero (255),
        .zero_b = random_zero (255),
        .zero_v = random_zero (255),
        .shift = i % 25,
        .mult = random_value (random_int (0, N_FILLS - 1), 0, 32767),
        .table = table};

    fill_table (table);
    add_input (&c, embedding, width, height, FALSE);
    add_input (&c, embedding, width, height, FALSE);
    add_input (&c, quads, width, height, FALSE);
    case_set_output (&c, quads, width, height, FALSE);
    c.description = g_strdup_printf (
        "attention %dx%d, %d and %d quads, shift %d, mult %d, zeros %d %d %d",
        width, height, embedding, quads, attention.shift, attention.mult,
        attention.zero_a, attention.zero_b, attention.zero_v);
    check_kernel (&operation, &c, &attention);
  }
}

/* A tensor of one row in `memory`, without rings and gaps. */
static DssrTensor
row_of (guint8 *memory, int width, gboolean wide)
{
  return (DssrTensor){.data = memory + DSSR_MARGIN_LEFT * (wide ? 8 : 4),
      .stride = ROW_SIZE,
      .plane = ROW_SIZE,
      .width = width,
      .height = 1,
      .quads = 1};
}

/* Pixels into a row, with their edges. */
static void
set_row (const DssrTensor *t, const guint8 *pixels)
{
  guint8 *row = t->data;

  memcpy (row, pixels, 4 * t->width);
  memcpy (row - 4, row, 4);
  memcpy (row + 4 * t->width, row + 4 * t->width - 4, 4);
}

/* Small cases worked out on paper. */
static void
check_by_hand (const DssrKernels *kernels)
{
  _Alignas(DSSR_ALIGNMENT) guint8 memory[5][2 * ROW_SIZE] = {{0}};
  DssrTensor out = row_of (memory[0], 1, FALSE);
  DssrTensor a = row_of (memory[1], 1, FALSE);
  DssrTensor b = row_of (memory[2], 1, FALSE);
  DssrTensor offset = row_of (memory[3], 2, TRUE);
  const DssrTensor value = row_of (memory[4], 1, FALSE);
  const guint8 *result = out.data;

  /* Equal scales: differences from the zero points add up. */
  set_row (&a, (guint8[]){10, 0, 255, 128});
  set_row (&b, (guint8[]){20, 255, 0, 128});
  kernels->add (&out, &a, &b,
      &(DssrAdd){.zero_b = 20,
          .zero = 5,
          .max = 255,
          .mult_a = 16384,
          .mult_b = 16384},
      0, 1);
  g_assert_cmpmem (result, 4, ((guint8[]){15, 240, 240, 241}), 4);

  /* 0 16 in a row: nine and three, two borders. */
  a.width = 2;
  out.width = 4;
  set_row (&a, (guint8[]){0, 0, 0, 0, 16, 16, 16, 16});
  kernels->up2 (&out, &a, 0, 1);
  for (int x = 0; x < 4; x++)
    g_assert_cmpint (result[4 * x], ==, ((int[]){0, 4, 12, 16})[x]);

  /* Half a pixel to the right, modulation one half, zero point 4: 8, then 6. */
  const gint16 offsets[2][4] = {{0, 8, 7, 0}, {0, 8, 7, 0}};
  memcpy (offset.data, offsets, sizeof offsets);
  guint8 table[256] = {0};
  table[128 + 7] = 128;
  out.width = 2;
  kernels->deform (&out, &a, &offset,
      &(DssrDeform){
          .kernel = 1, .groups = 1, .limit = 100, .zero = 4, .table = table},
      0, 1);
  g_assert_cmpint (result[0], ==, 6);
  g_assert_cmpint (result[4], ==, 10);

  /* 4 * (6 - 1) * (3 - 0) = 60, 15 after the shift, 8 after the product; 100 *
   * 64 / 256. */
  a.width = out.width = 1;
  set_row (&a, (guint8[]){6, 6, 6, 6});
  set_row (&b, (guint8[]){3, 3, 3, 3});
  set_row (&value, (guint8[]){110, 110, 110, 110});
  table[128 + 8] = 64;
  kernels->attention (&out, &a, &b, &value,
      &(DssrAttention){
          .zero_a = 1, .zero_v = 10, .shift = 2, .mult = 16384, .table = table},
      0, 1);
  g_assert_cmpint (result[0], ==, 35);
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
  g_test_add_func ("/kernels/tensor/by-hand", test_by_hand);
  g_test_add_func ("/kernels/tensor/deform", test_deform);
  g_test_add_func ("/kernels/tensor/add", test_add);
  g_test_add_func ("/kernels/tensor/up2", test_up2);
  g_test_add_func ("/kernels/tensor/shuffle", test_shuffle);
  g_test_add_func ("/kernels/tensor/follow", test_follow);
  g_test_add_func ("/kernels/tensor/pool", test_pool);
  g_test_add_func ("/kernels/tensor/modulate", test_modulate);
  g_test_add_func ("/kernels/tensor/attention", test_attention);
  return g_test_run ();
}
