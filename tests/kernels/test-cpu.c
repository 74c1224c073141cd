/* The CPU's flags, their mask, and the tables that they give.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu.h"

/* What dssr_cpu_flags says with this mask (NULL: with none), and what it prints
 * of it. */
static DssrCpuFlags
masked (const char *mask, char **printed)
{
  g_autofree char *name = NULL;
  const int file = g_file_open_tmp ("dssr-XXXXXX", &name, NULL);
  const int old = dup (STDERR_FILENO);

  g_assert_cmpint (file, >=, 0);
  if (mask)
    g_setenv ("DSSR_CPU_FLAGS", mask, TRUE);
  else
    g_unsetenv ("DSSR_CPU_FLAGS");
  dup2 (file, STDERR_FILENO);
  const DssrCpuFlags flags = dssr_cpu_flags ();
  dup2 (old, STDERR_FILENO);

  g_assert_true (g_file_get_contents (name, printed, NULL, NULL));
  unlink (name);
  close (file);
  close (old);
  return flags;
}

static void
assert_masked (const char *mask, DssrCpuFlags expected)
{
  g_autofree char *printed = NULL;

  g_test_message ("%s", mask ? mask : "no mask");
  g_assert_cmphex (masked (mask, &printed), ==, expected);
  g_assert_cmpstr (printed, ==, "");
}

/* One line that names `unknown`, and the other flags all the same. */
static void
assert_reported (const char *mask, const char *unknown, DssrCpuFlags expected)
{
  g_autofree char *printed = NULL;
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", unknown);

  g_test_message ("%s", mask);
  g_assert_cmphex (masked (mask, &printed), ==, expected);
  g_assert_nonnull (strstr (printed, quoted));
  g_assert_true (strchr (printed, '\n') == strrchr (printed, '\n'));
}

static void
test_mask (void)
{
  const DssrCpuFlagName *names = dssr_cpu_flag_names;
  g_autofree char *printed = NULL;
  const DssrCpuFlags all = masked (NULL, &printed);
  int n = 0;

  while (names[n].name)
    n++;
  assert_masked (NULL, all);
  assert_masked ("none", 0);
  assert_masked ("", 0);
  for (int set = 1; set < 1 << n; set++) {
    g_autoptr (GString) mask = g_string_new (NULL);
    DssrCpuFlags flags = 0;

    /* The last name first: their order does not matter. */
    for (int i = n - 1; i >= 0; i--) {
      if (!(set >> i & 1))
        continue;
      g_string_append_printf (
          mask, "%s%s", mask->len ? "+" : "", names[i].name);
      flags |= names[i].flag;
    }
    assert_masked (mask->str, flags & all);
  }
}

static void
test_unknown (void)
{
  const DssrCpuFlagName *names = dssr_cpu_flag_names;
  g_autofree char *printed = NULL;
  const DssrCpuFlags all = masked (NULL, &printed);

  assert_reported ("sse9", "sse9", 0);
  assert_reported ("no", "no", 0);
  assert_reported ("nonesuch", "nonesuch", 0);
  for (int i = 0; names[i].name; i++) {
    const char *name = names[i].name;
    g_autofree char *part = g_strndup (name, strlen (name) - 1);
    g_autofree char *more = g_strconcat (name, "x", NULL);
    g_autofree char *first = g_strconcat ("sse9+", name, NULL);
    g_autofree char *last = g_strconcat (name, "+sse9", NULL);

    assert_reported (part, part, 0);
    assert_reported (more, more, 0);
    assert_reported (first, "sse9", all & names[i].flag);
    assert_reported (last, "sse9", all & names[i].flag);
  }
}

#if defined __x86_64__
/* Whether Linux lists all of these words among the CPU's. */
static gboolean
linux_lists (const char *const *flags, const char *words)
{
  g_auto (GStrv) list = g_strsplit (words, " ", -1);

  for (int i = 0; list[i]; i++)
    if (!g_strv_contains (flags, list[i]))
      return FALSE;
  return TRUE;
}

static void
test_detection (void)
{
  static const struct {
    const char *words;
    DssrCpuFlags flag;
  } sets[] = {
      {"avx2", DSSR_CPU_AVX2},
      {"avx_vnni", DSSR_CPU_AVXVNNI},
      {"avx512f avx512bw avx512dq avx512vl avx512vbmi", DSSR_CPU_AVX512},
      {"avx512f avx512bw avx512dq avx512vl avx512vbmi avx512_vnni",
          DSSR_CPU_AVX512VNNI},
  };
  g_autofree char *text = NULL;
  g_autofree char *printed = NULL;

  if (!g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL)
      || !strstr (text, "\nflags")) {
    g_test_skip ("no list of the CPU's flags");
    return;
  }
  char *line = strchr (strstr (text, "\nflags"), ':') + 2;
  *strchr (line, '\n') = '\0';
  g_auto (GStrv) flags = g_strsplit (line, " ", -1);
  const DssrCpuFlags all = masked (NULL, &printed);
  for (guint i = 0; i < G_N_ELEMENTS (sets); i++) {
    g_test_message ("%s", sets[i].words);
    g_assert_cmpint (!!(all & sets[i].flag), ==,
        linux_lists ((const char *const *)flags, sets[i].words));
  }
}
#endif

static void
assert_complete (const DssrKernels *table)
{
  g_assert_nonnull (table->name);
  g_assert_true (table->input && table->conv_packed_size && table->conv_pack
                 && table->conv && table->conv_border && table->deform
                 && table->deform_zero && table->add && table->up2
                 && table->shuffle && table->follow && table->pool
                 && table->modulate && table->attention && table->bicubic
                 && table->head && table->head_planes && table->contrast
                 && table->noise && table->denoise && table->pan);
}

static void
test_tables (void)
{
  g_autofree char *printed = NULL;
  const DssrCpuFlags all = masked (NULL, &printed);
  DssrKernels table;

  for (DssrCpuFlags flags = 0; flags <= all; flags++) {
    if (flags & ~all)
      continue;
    memset (&table, 0, sizeof table);
    dssr_kernels_init (&table, flags);
    assert_complete (&table);
  }
  assert_complete (dssr_kernels_scalar ());

  /* The mask counts for the table of this CPU. */
  g_setenv ("DSSR_CPU_FLAGS", "none", TRUE);
  dssr_kernels_init (&table, 0);
  g_assert_cmpmem (dssr_kernels_cpu (), sizeof table, &table, sizeof table);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/cpu/mask", test_mask);
  g_test_add_func ("/kernels/cpu/unknown", test_unknown);
#if defined __x86_64__
  g_test_add_func ("/kernels/cpu/detection", test_detection);
#endif
  g_test_add_func ("/kernels/cpu/tables", test_tables);
  return g_test_run ();
}
