/* dssr-bench: times every kernel of every table that this CPU's flags give.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench-kernels.h"

#include <string.h>

#define MAX_TABLES 64

/* A run of a kernel takes at least this long. */
#define MIN_SECONDS 0.0005

typedef struct {
  const char *name;
  DssrKernels kernels;
} Table;

typedef struct {
  int width, height, runs;
  Table tables[MAX_TABLES];
  int n_tables;
  BenchPeak peaks[BENCH_MAX_PEAKS];
  int n_peaks;
} Bench;

/* A table's kernel that no table before it has. */
typedef struct {
  const Table *table;
  void *packed;
  int repeats;
  double *seconds; /* of each run */
} Variant;

typedef struct {
  const char *name;
  double ns, gmacs, speedup,
      of_peak; /* gmacs and of_peak: 0 if there is none */
} Row;

/* The tables of all sets of this CPU's flags, the least first; each is named
 * after its last flag. */
static void
find_tables (Bench *bench)
{
  bench->tables[bench->n_tables++] = (Table){"scalar", *dssr_kernels_scalar ()};
  const DssrCpuFlags flags = dssr_cpu_flags ();
  for (DssrCpuFlags set = 0; set <= flags; set++) {
    if (set & ~flags || bench->n_tables == MAX_TABLES)
      continue;
    Table *table = &bench->tables[bench->n_tables++];
    dssr_kernels_init (&table->kernels, set);
    table->name = table->kernels.name;
    for (const DssrCpuFlagName *name = dssr_cpu_flag_names; name->name; name++)
      if (set & name->flag)
        table->name = name->name;
  }

  for (int i = 0, n = bench->n_tables; i < n; i++) {
    static const char *const generic[][2] = {
        {"avxvnni", "avxvnni, generic"}, {"avx512vnni", "avx512vnni, generic"}};
    Table table = bench->tables[i];
    if (bench->n_tables == MAX_TABLES
        || !dssr_kernels_set_generic (&table.kernels))
      continue;
    for (guint k = 0; k < G_N_ELEMENTS (generic); k++)
      if (g_str_equal (table.name, generic[k][0]))
        table.name = generic[k][1];
    bench->tables[bench->n_tables++] = table;
  }
}

static int
find_variants (const Bench *bench, const BenchShape *shape, Variant *variants)
{
  static const gsize offsets[] = {
      [BENCH_INPUT] = offsetof (DssrKernels, input),
      [BENCH_CONV] = offsetof (DssrKernels, conv),
      [BENCH_DEFORM] = offsetof (DssrKernels, deform),
      [BENCH_ADD] = offsetof (DssrKernels, add),
      [BENCH_UP2] = offsetof (DssrKernels, up2),
      [BENCH_FOLLOW] = offsetof (DssrKernels, follow),
      [BENCH_ATTENTION] = offsetof (DssrKernels, attention),
      [BENCH_BICUBIC] = offsetof (DssrKernels, bicubic),
      [BENCH_HEAD] = offsetof (DssrKernels, head),
      [BENCH_CONTRAST] = offsetof (DssrKernels, contrast),
      [BENCH_NOISE] = offsetof (DssrKernels, noise),
      [BENCH_DENOISE] = offsetof (DssrKernels, denoise),
      [BENCH_PAN] = offsetof (DssrKernels, pan),
      [BENCH_CONV_BORDER] = offsetof (DssrKernels, conv_border),
      [BENCH_DEFORM_ZERO] = offsetof (DssrKernels, deform_zero),
      [BENCH_SHUFFLE] = offsetof (DssrKernels, shuffle),
      [BENCH_POOL] = offsetof (DssrKernels, pool),
      [BENCH_MODULATE] = offsetof (DssrKernels, modulate),
      [BENCH_HEAD_PLANES] = offsetof (DssrKernels, head_planes),
  };
  const gsize offset = offsets[shape->kernel];
  int n = 0;
  for (int i = 0; i < bench->n_tables; i++) {
    const Table *table = &bench->tables[i];
    int same = 0;
    while (same < n
           && memcmp ((const char *)&table->kernels + offset,
                  (const char *)&variants[same].table->kernels + offset,
                  sizeof (void (*) (void)))
                  != 0)
      same++;
    if (same == n)
      variants[n++] = (Variant){.table = table};
  }
  return n;
}

/* Seconds of one run. */
static double
time_run (const Variant *variant, BenchWork *work)
{
  double start = bench_seconds ();
  for (int i = 0; i < variant->repeats; i++)
    bench_work_run (work, &variant->table->kernels, variant->packed);
  return (bench_seconds () - start) / variant->repeats;
}

/* Variants run in turn, so that what disturbs the machine disturbs all. */
static void
time_variants (
    const Bench *bench, BenchWork *work, Variant *variants, int n_variants)
{
  for (int i = 0; i < n_variants; i++) {
    Variant *variant = &variants[i];
    variant->packed = bench_work_pack (work, &variant->table->kernels);
    variant->seconds = g_new (double, bench->runs);
    variant->repeats = 1;
    time_run (variant, work);
    double once = MAX (time_run (variant, work), 1e-7);
    variant->repeats = (int)(MIN_SECONDS / once) + 1;
  }
  for (int run = 0; run < bench->runs; run++)
    for (int i = 0; i < n_variants; i++)
      variants[i].seconds[run] = time_run (&variants[i], work);
}

static double
find_peak (const Bench *bench, const char *variant)
{
  for (int i = 0; i < bench->n_peaks; i++)
    if (g_strcmp0 (bench->peaks[i].variant, variant) == 0)
      return bench->peaks[i].gmacs;
  return 0;
}

static void
report (
    JsonBuilder *json, const BenchShape *shape, const Row *row, gboolean first)
{
  g_print ("%-34s %-19s %9.3f", first ? shape->name : "", row->name, row->ns);
  if (row->gmacs > 0)
    g_print (" %8.1f", row->gmacs);
  else
    g_print (" %8s", "");
  g_print (" %8.2f", row->speedup);
  if (row->of_peak > 0)
    g_print (" %6.1f %%", 100 * row->of_peak);
  g_print ("\n");

  json_builder_begin_object (json);
  bench_add_string (json, "kernel", shape->name);
  bench_add_string (json, "variant", row->name);
  bench_add_number (json, "ns_per_pixel", row->ns);
  bench_add_number (json, "gmacs", row->gmacs);
  bench_add_number (json, "speedup", row->speedup);
  bench_add_number (json, "of_peak", row->of_peak);
  json_builder_end_object (json);
}

static void
bench_shape (const Bench *bench, const BenchShape *shape, JsonBuilder *json)
{
  Variant variants[MAX_TABLES];
  const int n = find_variants (bench, shape, variants);
  g_autoptr (BenchWork) work =
      bench_work_new (shape, bench->width, bench->height);
  const double pixels = (double)bench->width * bench->height;
  double scalar = 0;

  time_variants (bench, work, variants, n);
  for (int i = 0; i < n; i++) {
    const Variant *variant = &variants[i];
    const double seconds = bench_quantile (variant->seconds, bench->runs, 0.5);
    const double peak = find_peak (bench, variant->table->name);
    if (i == 0)
      scalar = seconds;
    Row row = {.name = variant->table->name,
        .ns = 1e9 * seconds / pixels,
        .gmacs = 1e-9 * bench_work_macs (work) / seconds,
        .speedup = scalar / seconds};
    row.of_peak = peak > 0 ? row.gmacs / peak : 0;
    report (json, shape, &row, i == 0);
    g_aligned_free (variant->packed);
    g_free (variant->seconds);
  }
}

static void
bench_all_peaks (Bench *bench, JsonBuilder *json)
{
  bench->n_peaks = bench_peaks (bench->peaks);
  g_print ("Peaks of one core, GMAC/s:");
  json_builder_set_member_name (json, "peaks");
  json_builder_begin_object (json);
  for (int i = 0; i < bench->n_peaks; i++) {
    const BenchPeak *peak = &bench->peaks[i];
    g_print ("%s %s %.1f", i > 0 ? "," : "", peak->instruction, peak->gmacs);
    bench_add_number (json, peak->instruction, peak->gmacs);
  }
  json_builder_end_object (json);
}

JsonNode *
bench_kernels (const BenchOptions *options)
{
  Bench bench = {.width = options->width,
      .height = options->height,
      .runs = options->frames};
  g_autoptr (JsonBuilder) json = json_builder_new ();

  find_tables (&bench);
  json_builder_begin_object (json);
  bench_add_number (json, "width", bench.width);
  bench_add_number (json, "height", bench.height);
  bench_all_peaks (&bench, json);
  g_print ("\nA pixel is one of a picture of %dx%d before it is enlarged.\n\n"
           "%-34s %-19s %9s %8s %8s %8s\n",
      bench.width, bench.height, "kernel", "variant", "ns/pixel", "GMAC/s",
      "x scalar", "of peak");
  json_builder_set_member_name (json, "kernels");
  json_builder_begin_array (json);
  for (const BenchShape *shape = bench_shapes; shape->name; shape++)
    bench_shape (&bench, shape, json);
  json_builder_end_array (json);
  json_builder_end_object (json);
  return json_builder_get_root (json);
}
