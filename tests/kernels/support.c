/* Memory and random contents.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* GLib's generator is slow: it only seeds this one. 0: not yet. */
static guint64 random_state;

static guint64
next_random (void)
{
  if (random_state == 0)
    random_state = (guint64)g_test_rand_int () << 32 | 1;
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

void
random_restart (void)
{
  random_state = 0;
}

gboolean
random_bit (void)
{
  return next_random () >> 63;
}

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
  for (gsize i = 0; i < size; i += sizeof (guint64)) {
    const guint64 value = next_random ();
    memcpy (guarded->data + i, &value, MIN (size - i, sizeof value));
  }
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
  return lo + (int)((next_random () >> 32) % ((guint32)(hi - lo) + 1));
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
      return random_bit () ? lo : hi;
    case FILL_SMALL:
      return limit (random_int (-40, 40), lo, hi);
    case FILL_MIXED:
      return random_int (0, 7)
                 ? random_value (FILL_SMALL, lo, hi)
                 : random_value (random_int (0, FILL_EXTREMES), lo, hi);
    default:
      return random_int (lo, hi);
  }
}

int
repetitions (void)
{
  return g_test_slow () ? 8 : 1;
}

int
side (int i)
{
  static const int blocks[] = {48, 64, 96, 128, 256, 512};
  enum { SMALL = N_SIDES - 5 * G_N_ELEMENTS (blocks) };

  i %= N_SIDES;
  if (i < SMALL)
    return i + 1;
  return blocks[(i - SMALL) / 5] + (i - SMALL) % 5 - 2;
}

static gsize
aligned (gsize size)
{
  return (size + DSSR_ALIGNMENT - 1) / DSSR_ALIGNMENT * DSSR_ALIGNMENT;
}

void
tensor_init (DssrTensor *tensor, Guarded *memory, int quads, int width,
    int height, int ring, gboolean wide)
{
  const int pixel = wide ? 8 : 4, rows = ring ? ring : height;
  const gsize row = pixel * (DSSR_MARGIN_LEFT + width + DSSR_MARGIN_RIGHT);

  *tensor = (DssrTensor){
      .width = width, .height = height, .quads = quads, .ring = ring};
  tensor->stride = aligned (row) + DSSR_ALIGNMENT * random_int (0, 2);
  tensor->plane = tensor->stride * rows + DSSR_ALIGNMENT * random_int (0, 2);
  guarded_init (memory,
      aligned (tensor->plane * (quads - 1) + tensor->stride * (rows - 1) + row),
      random_bit ());
  tensor->data = memory->data + pixel * DSSR_MARGIN_LEFT;
}

void
tensor_fill (const DssrTensor *tensor, gboolean wide, int max, Fill fill)
{
  const int n = 4 * tensor->width;

  for (int q = 0; q < tensor->quads; q++) {
    for (int y = 0; y < tensor->height; y++) {
      guint8 *row =
          (guint8 *)tensor->data + q * tensor->plane + y * tensor->stride;
      for (int i = 0; i < n; i++) {
        if (wide)
          ((gint16 *)row)[i] = random_value (fill, G_MININT16, G_MAXINT16);
        else
          row[i] = random_value (fill, 0, max);
      }
      if (!wide) {
        memcpy (row - 4, row, 4);
        memcpy (row + n, row + n - 4, 4);
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
      random_bit ());
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

void
case_clear (Case *c)
{
  for (int i = 0; i < MAX_INPUTS; i++)
    guarded_clear (&c->memory[i]);
  guarded_clear (&c->plane_memory);
  g_clear_pointer (&c->description, g_free);
}

static void
add_input (Case *c, int quads, int width, int height, gboolean wide, int max,
    Fill fill)
{
  const int i = c->n_in++;

  c->wide[i] = wide;
  tensor_init (
      &c->operands.in[i], &c->memory[i], quads, width, height, 0, wide);
  tensor_fill (&c->operands.in[i], wide, max, fill);
  guarded_make_read_only (&c->memory[i]);
}

void
case_add_input (
    Case *c, int quads, int width, int height, gboolean wide, Fill fill)
{
  add_input (c, quads, width, height, wide, 255, fill);
}

void
case_add_limited_input (
    Case *c, int quads, int width, int height, int max, Fill fill)
{
  add_input (c, quads, width, height, FALSE, max, fill);
}

void
case_set_output (Case *c, int quads, int width, int height, gboolean wide)
{
  c->wide_out = wide;
  c->operands.out =
      (DssrTensor){.width = width, .height = height, .quads = quads};
}
