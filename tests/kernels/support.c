/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void
guarded_init (Guarded *guarded, gsize size, gboolean at_start)
{
  const gsize page = sysconf (_SC_PAGESIZE);
  const gsize inner = (size + page - 1) / page * page;

  guarded->size = size;
  guarded->map_size = inner + 2 * page;
  guarded->map = mmap (
      NULL, guarded->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (guarded->map != MAP_FAILED);

  guint8 *first = (guint8 *)guarded->map + page;
  g_assert_cmpint (mprotect (first, inner, PROT_READ | PROT_WRITE), ==, 0);
  guarded->data = at_start ? first : first + inner - size;
  for (gsize i = 0; i < size; i++)
    guarded->data[i] = g_test_rand_int ();
}

void
guarded_make_read_only (Guarded *guarded)
{
  const gsize page = sysconf (_SC_PAGESIZE);
  g_assert_cmpint (mprotect ((guint8 *)guarded->map + page,
                       guarded->map_size - 2 * page, PROT_READ),
      ==, 0);
}

void
guarded_clear (Guarded *guarded)
{
  if (guarded->map)
    munmap (guarded->map, guarded->map_size);
  memset (guarded, 0, sizeof *guarded);
}

int
random_int (int lo, int hi)
{
  return lo + (int)(g_test_rand_int () % ((guint32)(hi - lo) + 1));
}

int
random_value (Fill fill, int lo, int hi)
{
  switch (fill) {
    case FILL_LEAST:
      return lo;
    case FILL_GREATEST:
      return hi;
    case FILL_EXTREMES:
      return g_test_rand_bit () ? lo : hi;
    case FILL_SMALL:
      return limit (random_int (-40, 40), lo, hi);
    default:
      return random_int (lo, hi);
  }
}

int
random_side (void)
{
  static const int sides[] = {1, 2, 3, 63, 64, 65, 129};

  return random_int (0, 2) ? random_int (1, 40)
                           : sides[random_int (0, G_N_ELEMENTS (sides) - 1)];
}

void
tensor_init (DssrTensor *tensor, Guarded *memory, int quads, int width,
    int height, gboolean wide)
{
  const int pixel = wide ? 8 : 4;

  *tensor = (DssrTensor){.width = width, .height = height, .quads = quads};
  tensor->stride = pixel * width + pixel * random_int (0, 3);
  tensor->plane = tensor->stride * height + pixel * random_int (0, 3);
  guarded_init (memory,
      tensor->plane * (quads - 1) + tensor->stride * (height - 1)
          + pixel * width,
      g_test_rand_bit ());
  tensor->data = memory->data;
}

void
tensor_fill (const DssrTensor *tensor, gboolean wide, Fill fill)
{
  for (int q = 0; q < tensor->quads; q++) {
    for (int y = 0; y < tensor->height; y++) {
      char *row = (char *)tensor->data + q * tensor->plane + y * tensor->stride;
      for (int i = 0; i < 4 * tensor->width; i++) {
        if (wide)
          ((gint16 *)row)[i] = random_value (fill, G_MININT16, G_MAXINT16);
        else
          ((guint8 *)row)[i] = random_value (fill, 0, 255);
      }
    }
  }
}

void
samples_init (DssrSamples *samples, Guarded *memory, int width, int height,
    int depth, int step, int shift)
{
  const int bytes = depth == 8 ? 1 : 2;

  *samples = (DssrSamples){.step = step,
      .width = width,
      .height = height,
      .depth = depth,
      .shift = shift};
  samples->stride = step * width + bytes * random_int (0, 9);
  guarded_init (memory,
      samples->stride * (height - 1) + step * (width - 1) + bytes,
      g_test_rand_bit ());
  samples->data = memory->data;
}

void
samples_fill (const DssrSamples *samples, Fill fill)
{
  const int max = (1 << samples->depth) - 1;

  for (int y = 0; y < samples->height; y++) {
    char *row = (char *)samples->data + y * samples->stride;
    for (int x = 0; x < samples->width; x++) {
      const int value = random_value (fill, 0, max) << samples->shift;
      if (samples->depth == 8)
        *(guint8 *)(row + x * samples->step) = value;
      else
        *(guint16 *)(row + x * samples->step) = value;
    }
  }
}

static void
assert_same (const Guarded *out, const guint8 *expected, const char *table,
    const char *what)
{
  for (gsize i = 0; i < out->size; i++)
    if (out->data[i] != expected[i])
      g_error ("%s, %s: byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
               " is %d, the reference writes %d",
          table, what, i, out->size, out->data[i], expected[i]);
}

void
check_kernel (const Guarded *out, int rows, CallFunc call, gpointer closure)
{
  const DssrKernels *tables[] = {dssr_kernels_scalar (), dssr_kernels_cpu ()};
  const int n_tables = tables[0] == tables[1] ? 1 : 2;
  const int y0 = random_int (0, rows - 1), y1 = random_int (y0, rows);
  g_autofree guint8 *before = g_memdup2 (out->data, out->size);
  g_autofree guint8 *all = g_memdup2 (out->data, out->size);
  g_autofree guint8 *some = g_memdup2 (out->data, out->size);

  call (reference_kernels (), all, 0, rows, closure);
  call (reference_kernels (), some, y0, y1, closure);

  for (int i = 0; i < n_tables; i++) {
    const DssrKernels *table = tables[i];

    call (table, out->data, 0, rows, closure);
    assert_same (out, all, table->name, "all rows at once");

    memcpy (out->data, before, out->size);
    for (int y = 0, next; y < rows; y = next) {
      next = random_int (y, rows);
      call (table, out->data, y, next, closure);
    }
    assert_same (out, all, table->name, "in bands");

    memcpy (out->data, before, out->size);
    call (table, out->data, y0, y1, closure);
    assert_same (out, some, table->name, "some rows");
    memcpy (out->data, before, out->size);
  }
}
