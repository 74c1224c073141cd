/* The comparison of every table with the reference.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu.h"
#include "tests/kernels/support.h"

/* What is being checked, for messages: of faults too. */
static char context[1000];
static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGILL};
static struct sigaction old_actions[G_N_ELEMENTS (fault_signals)];

/* Says where the fault is and leaves the rest to whoever handled it before. */
static void
on_fault (int signal)
{
  if (write (STDERR_FILENO, context, strlen (context)) < 0
      || write (STDERR_FILENO, ": fault\n", 8) < 0)
    _exit (1);
  for (guint i = 0; i < G_N_ELEMENTS (fault_signals); i++)
    sigaction (fault_signals[i], &old_actions[i], NULL);
}

static void
watch_faults (void)
{
  static gboolean watched;
  const struct sigaction action = {.sa_handler = on_fault};

  if (watched)
    return;
  watched = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (fault_signals); i++)
    sigaction (fault_signals[i], &action, &old_actions[i]);
}

static char *
flags_to_string (DssrCpuFlags flags)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (const DssrCpuFlagName *n = dssr_cpu_flag_names; n->name; n++)
    if (flags & n->flag)
      g_string_append_printf (names, "%s%s", names->len ? "+" : "", n->name);
  return g_string_free (g_steal_pointer (&names), FALSE);
}

typedef struct {
  DssrKernels kernels;
  char flags[60];
} Table;

/* Adds a table unless it has no functions at `offset`, or another's. */
static void
add_distinct (GArray *tables, const DssrKernels *kernels, DssrCpuFlags flags,
    const char *kind, gsize offset, gsize size)
{
  Table table = {.kernels = *kernels};
  g_autofree char *names = flags_to_string (flags);
  void *const *first = (void *const *)((const char *)kernels + offset);

  if (!*first)
    return;

  for (guint i = 0; i < tables->len; i++) {
    const Table *other = &g_array_index (tables, Table, i);
    if (memcmp (
            (char *)&other->kernels + offset, (char *)kernels + offset, size)
        == 0)
      return;
  }
  g_snprintf (table.flags, sizeof table.flags, "%s%s", names, kind);
  g_array_append_val (tables, table);
}

/* The given tables; else the scalar one, and those of each set of flags of this
 * CPU, that with the generic convolution included. */
static GArray *
distinct_tables (gsize offset, gsize size)
{
  const DssrCpuFlags all = dssr_cpu_flags ();
  GArray *tables = g_array_new (FALSE, FALSE, sizeof (Table));
  const DssrKernels *const *given = given_tables ();

  if (given) {
    for (; *given; given++)
      add_distinct (tables, *given, 0, "given", offset, size);
    return tables;
  }
  add_distinct (tables, dssr_kernels_scalar (), 0, "scalar", offset, size);
  for (DssrCpuFlags flags = 0; flags <= all; flags++) {
    DssrKernels kernels;

    if (flags & ~all)
      continue;
    dssr_kernels_init (&kernels, flags);
    add_distinct (tables, &kernels, flags, "", offset, size);
    if (dssr_kernels_set_generic (&kernels))
      add_distinct (tables, &kernels, flags, ", generic", offset, size);
  }
  return tables;
}

void
for_each_table (
    void (*check) (const DssrKernels *table), gsize offset, gsize size)
{
  g_autoptr (GArray) tables = distinct_tables (offset, size);

  watch_faults ();
  for (guint i = 0; i < tables->len; i++) {
    const Table *table = &g_array_index (tables, Table, i);
    g_snprintf (
        context, sizeof context, "%s (%s)", table->kernels.name, table->flags);
    check (&table->kernels);
  }
}

static guint8 *
tensor_row (const DssrTensor *t, int quad, int y)
{
  return (guint8 *)t->data + quad * t->plane
         + (t->ring ? y % t->ring : y) * t->stride;
}

/* At least `rows`, a power of two. */
static int
random_ring (int rows)
{
  int ring = 1 << random_int (0, 2);

  while (ring < rows)
    ring *= 2;
  return ring;
}

/* Replaces a tensor by a ring of which only rows first to end - 1 are filled.
 */
static void
make_ring (
    DssrTensor *tensor, Guarded *memory, gboolean wide, int first, int end)
{
  const DssrTensor plain = *tensor;
  const int pixel = wide ? 8 : 4;
  const int left = pixel * DSSR_MARGIN_LEFT;
  const int size = left + pixel * (plain.width + DSSR_MARGIN_RIGHT);

  tensor_init (tensor, memory, plain.quads, plain.width, plain.height,
      random_ring (end - first), wide);
  for (int q = 0; q < plain.quads; q++)
    for (int y = first; y < end; y++)
      memcpy (tensor_row (tensor, q, y) - left,
          tensor_row (&plain, q, y) - left, size);
  guarded_make_read_only (memory);
}

static void
assert_pixels (const guint8 *is, const guint8 *expected, gboolean wide, int n,
    int quad, int x0, int y)
{
  const gsize size = (wide ? 8 : 4) * n;

  if (memcmp (is, expected, size) == 0)
    return;
  for (int i = 0; i < 4 * n; i++) {
    const int a = wide ? ((gint16 *)is)[i] : is[i];
    const int b = wide ? ((gint16 *)expected)[i] : expected[i];
    if (a != b)
      g_error ("%s: channel %d of pixel (%d, %d) is %d, not %d", context,
          4 * quad + i % 4, x0 + i / 4, y, a, b);
  }
}

static void
assert_unchanged (const Guarded *memory, const guint8 *before)
{
  if (memcmp (memory->data, before, memory->size) == 0)
    return;
  for (gsize i = 0; i < memory->size; i++)
    if (memory->data[i] != before[i])
      g_error ("%s: writes byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
               ", which is not its own",
          context, i, memory->size);
}

/* Rows y0 to y1 - 1 are the expected ones, and nothing else is written but
 * their margins. */
static void
check_tensor (const DssrTensor *out, const Guarded *memory, guint8 *before,
    const DssrTensor *expected, gboolean wide, int y0, int y1)
{
  const int pixel = wide ? 8 : 4, left = pixel * DSSR_MARGIN_LEFT;
  const int row = pixel * (DSSR_MARGIN_LEFT + out->width + DSSR_MARGIN_RIGHT);

  for (int q = 0; q < out->quads; q++) {
    for (int y = y0; y < y1; y++) {
      const guint8 *is = tensor_row (out, q, y);
      const guint8 *want = tensor_row (expected, q, y);
      const int last = out->width - 1;

      assert_pixels (is, want, wide, out->width, q, 0, y);
      if (!wide) {
        assert_pixels (is - 4, want, FALSE, 1, q, -1, y);
        assert_pixels (
            is + 4 * last + 4, want + 4 * last, FALSE, 1, q, last + 1, y);
      }
      memcpy (before + (is - left - memory->data), is - left, row);
    }
  }
  assert_unchanged (memory, before);
}

static void
check_samples (const DssrSamples *out, const Guarded *memory, guint8 *before,
    const DssrSamples *expected, int y0, int y1)
{
  const int bytes = out->depth == 8 ? 1 : 2;

  for (int y = y0; y < y1; y++) {
    for (int x = 0; x < out->width; x++) {
      const guint8 *is = (guint8 *)out->data + y * out->stride + x * out->step;
      const guint8 *want =
          (guint8 *)expected->data + y * expected->stride + x * expected->step;
      const int a = bytes == 1 ? *is : *(guint16 *)is;
      const int b = bytes == 1 ? *want : *(guint16 *)want;
      if (a != b)
        g_error ("%s: sample (%d, %d) is %d, not %d", context, x, y, a, b);
      memcpy (before + (is - memory->data), is, bytes);
    }
  }
  assert_unchanged (memory, before);
}

/* Memory for the output, as tall as the picture or, if `ring`, as that. */
static void
init_output (Operands *operands, Guarded *memory, gboolean wide, int ring)
{
  const DssrTensor t = operands->out;
  const DssrSamples s = operands->plane_out;

  if (s.width)
    samples_init (&operands->plane_out, memory, s.width, s.height, s.depth,
        s.step, s.shift);
  else
    tensor_init (
        &operands->out, memory, t.quads, t.width, t.height, ring, wide);
}

/* Rows y0 to y1 - 1 with one table. */
static void
check_rows (const Operation *operation, const Case *c, const void *parameters,
    const DssrKernels *table, const Operands *expected, int y0, int y1,
    gboolean rings)
{
  Operands o = c->operands;
  Guarded memory[MAX_INPUTS] = {{0}};
  g_auto (Guarded) out = {0};

  for (int i = 0; rings && i < c->n_in; i++) {
    int first, end;

    operation->need (parameters, i, y0, y1, &first, &end);
    if (!random_bit ())
      continue;
    first = limit (first, 0, o.in[i].height - 1);
    end = limit (end, first, o.in[i].height);
    make_ring (&o.in[i], &memory[i], c->wide[i], first, end);
  }
  init_output (&o, &out, c->wide_out,
      rings && random_bit () ? random_ring (y1 - y0) : 0);
  g_autofree guint8 *before = g_memdup2 (out.data, out.size);

  operation->call (table, &o, y0, y1, parameters);
  if (o.plane_out.width)
    check_samples (&o.plane_out, &out, before, &expected->plane_out, y0, y1);
  else
    check_tensor (&o.out, &out, before, &expected->out, c->wide_out, y0, y1);
  for (int i = 0; i < MAX_INPUTS; i++)
    guarded_clear (&memory[i]);
}

void
check_kernel (const Operation *operation, const Case *c, const void *parameters)
{
  const int rows = c->operands.plane_out.width ? c->operands.plane_out.height
                                               : c->operands.out.height;
  g_autoptr (GArray) tables =
      distinct_tables (operation->offset, operation->size);
  Operands expected = c->operands;
  g_auto (Guarded) memory = {0};

  init_output (&expected, &memory, c->wide_out, 0);
  operation->call (reference_kernels (), &expected, 0, rows, parameters);

  watch_faults ();
  for (guint i = 0; i < tables->len; i++) {
    const Table *table = &g_array_index (tables, Table, i);
    const DssrKernels *kernels = &table->kernels;
    const int start = random_bit () ? 0 : random_int (0, rows);

    for (int band = 0, y0 = 0, y1 = rows; band == 0 || y0 < rows; band++) {
      g_snprintf (context, sizeof context, "%s (%s), rows %d to %d of %d of %s",
          kernels->name, table->flags, y0, y1 - 1, rows, c->description);
      check_rows (operation, c, parameters, kernels, &expected, y0, y1, band);
      y0 = band == 0 ? start : y1;
      y1 = random_int (y0, rows);
    }
  }
  random_restart ();
}
