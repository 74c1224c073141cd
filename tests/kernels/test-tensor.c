/* Deformable sampling, add, doubling, attention.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <string.h>

enum { MAX_INPUTS = 3, ROUNDS = 120 };

typedef struct {
  DssrTensor out, in[MAX_INPUTS];
  Guarded out_memory, in_memory[MAX_INPUTS];
  DssrDeform deform;
  DssrAdd add;
  DssrAttention attention;
  guint8 table[256];
} Case;

static void
case_clear (Case *c)
{
  guarded_clear (&c->out_memory);
  for (int i = 0; i < MAX_INPUTS; i++)
    guarded_clear (&c->in_memory[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Case, case_clear)

static void
add_input (Case *c, int i, int quads, int width, int height, gboolean wide)
{
  tensor_init (&c->in[i], &c->in_memory[i], quads, width, height, wide);
  tensor_fill (&c->in[i], wide, random_int (0, N_FILLS - 1));
  guarded_make_read_only (&c->in_memory[i]);
}

static void
fill_table (Case *c)
{
  const Fill fill = random_int (0, N_FILLS - 1);

  for (int i = 0; i < 256; i++)
    c->table[i] = random_value (fill, 0, 255);
}

static int
random_zero (void)
{
  return random_value (random_int (0, N_FILLS - 1), 0, 255);
}

/* The output of `c` with other memory. */
static DssrTensor
output (const Case *c, void *data)
{
  DssrTensor out = c->out;

  out.data = data;
  return out;
}

static void
call_deform (const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  const DssrTensor out = output (c, data);

  table->deform (&out, &c->in[0], &c->in[1], &c->deform, y0, y1);
}

static void
test_deform (void)
{
  static const int limits[] = {0, 1, 15, 16, 200, 32767};

  for (int i = 0; i < ROUNDS; i++) {
    g_auto (Case) c = {0};
    const int width = random_side (), height = random_int (1, 20);
    const int kernel = g_test_rand_bit () ? 3 : 1, taps = kernel * kernel;
    const int groups = random_int (1, 4), quads = groups * random_int (1, 2);

    c.deform = (DssrDeform){kernel, groups,
        limits[random_int (0, G_N_ELEMENTS (limits) - 1)], random_zero (),
        c.table};
    fill_table (&c);
    add_input (&c, 0, quads, width, height, FALSE);
    add_input (&c, 1, (3 * taps * groups + 3) / 4, width, height, TRUE);
    tensor_init (&c.out, &c.out_memory, taps * quads, width, height, FALSE);
    g_test_message ("%dx%d, kernel %d, %d groups, %d quads, limit %d", width,
        height, kernel, groups, quads, c.deform.limit);
    check_kernel (&c.out_memory, height, call_deform, &c);
  }
}

static void
call_add (const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  const DssrTensor out = output (c, data);

  table->add (&out, &c->in[0], &c->in[1], &c->add, y0, y1);
}

static void
test_add (void)
{
  for (int i = 0; i < ROUNDS; i++) {
    g_auto (Case) c = {0};
    const int width = random_side (), height = random_int (1, 20);
    const int quads = random_int (1, 5);
    const Fill mults = random_int (0, N_FILLS - 1);

    c.add = (DssrAdd){random_zero (), random_zero (), random_zero (),
        g_test_rand_bit () ? 255 : 15, random_value (mults, 0, 32767),
        random_value (mults, 0, 32767)};
    add_input (&c, 0, quads, width, height, FALSE);
    add_input (&c, 1, quads, width, height, FALSE);
    tensor_init (&c.out, &c.out_memory, quads, width, height, FALSE);
    check_kernel (&c.out_memory, height, call_add, &c);
  }
}

static void
call_up2 (const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  const DssrTensor out = output (c, data);

  table->up2 (&out, &c->in[0], y0, y1);
}

static void
test_up2 (void)
{
  for (int i = 0; i < ROUNDS; i++) {
    g_auto (Case) c = {0};
    const int width = random_side (), height = random_int (1, 40);
    const int quads = random_int (1, 3);

    add_input (&c, 0, quads, (width + 1) / 2, (height + 1) / 2, FALSE);
    tensor_init (&c.out, &c.out_memory, quads, width, height, FALSE);
    check_kernel (&c.out_memory, height, call_up2, &c);
  }
}

static void
call_attention (
    const DssrKernels *table, void *data, int y0, int y1, gpointer p)
{
  const Case *c = p;
  const DssrTensor out = output (c, data);

  table->attention (
      &out, &c->in[0], &c->in[1], &c->in[2], &c->attention, y0, y1);
}

static void
test_attention (void)
{
  for (int i = 0; i < ROUNDS; i++) {
    g_auto (Case) c = {0};
    const int width = random_side (), height = random_int (1, 20);
    const int embedding = random_int (1, 9), quads = random_int (1, 5);

    c.attention = (DssrAttention){random_zero (), random_zero (),
        random_zero (), random_int (0, 24),
        random_value (random_int (0, N_FILLS - 1), 0, 32767), c.table};
    fill_table (&c);
    add_input (&c, 0, embedding, width, height, FALSE);
    add_input (&c, 1, embedding, width, height, FALSE);
    add_input (&c, 2, quads, width, height, FALSE);
    tensor_init (&c.out, &c.out_memory, quads, width, height, FALSE);
    check_kernel (&c.out_memory, height, call_attention, &c);
  }
}

/* Small cases worked out on paper. */
static void
check_by_hand (const DssrKernels *kernels)
{
  guint8 result[32];
  DssrTensor out = {result, 16, 16, 4, 1, 1};
  guint8 a[] = {10, 0, 255, 128, 0, 0, 0, 0};
  guint8 b[] = {20, 255, 0, 128, 0, 0, 0, 0};
  DssrTensor ta = {a, 8, 8, 1, 1, 1}, tb = {b, 8, 8, 1, 1, 1};

  /* Equal scales: differences from the zero points add up. */
  out.width = 1;
  kernels->add (&out, &ta, &tb, &(DssrAdd){0, 20, 5, 255, 16384, 16384}, 0, 1);
  g_assert_cmpmem (result, 4, ((guint8[]){15, 240, 240, 241}), 4);

  /* 0 16 in a row: nine and three, two borders. */
  const guint8 ramp[8] = {0, 0, 0, 0, 16, 16, 16, 16};
  memcpy (a, ramp, sizeof ramp);
  ta.width = 2;
  out.width = 4;
  kernels->up2 (&out, &ta, 0, 1);
  for (int x = 0; x < 4; x++)
    g_assert_cmpint (result[4 * x], ==, ((int[]){0, 4, 12, 16})[x]);

  /* Half a pixel to the right, modulation one half, zero point 4: 8, then 6. */
  gint16 offsets[2][4] = {{0, 8, 7, 0}, {0, 8, 7, 0}};
  const DssrTensor offset = {offsets, 16, 16, 2, 1, 1};
  guint8 table[256] = {0};
  table[128 + 7] = 128;
  out.width = 2;
  kernels->deform (
      &out, &ta, &offset, &(DssrDeform){1, 1, 100, 4, table}, 0, 1);
  g_assert_cmpint (result[0], ==, 6);
  g_assert_cmpint (result[4], ==, 10);

  /* 4 * (6 - 1) * (3 - 0) = 60, 15 after the shift, 8 after the product; 100 *
   * 64 / 256. */
  for (int l = 0; l < 4; l++) {
    a[l] = 6;
    b[l] = 3;
    a[4 + l] = 110;
  }
  const DssrTensor value = {a + 4, 8, 8, 1, 1, 1};
  table[128 + 8] = 64;
  ta.width = out.width = 1;
  kernels->attention (&out, &ta, &tb, &value,
      &(DssrAttention){1, 0, 10, 2, 16384, table}, 0, 1);
  g_assert_cmpint (result[0], ==, 35);
}

static void
test_by_hand (void)
{
  check_by_hand (dssr_kernels_scalar ());
  check_by_hand (dssr_kernels_cpu ());
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/tensor/by-hand", test_by_hand);
  g_test_add_func ("/kernels/tensor/deform", test_deform);
  g_test_add_func ("/kernels/tensor/add", test_add);
  g_test_add_func ("/kernels/tensor/up2", test_up2);
  g_test_add_func ("/kernels/tensor/attention", test_attention);
  return g_test_run ();
}
