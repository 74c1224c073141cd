/* dssr-bench: times frames, or kernels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench.h"

#include <locale.h>
#include <stdlib.h>

static gboolean
write_json (const char *filename, JsonNode *node, GError **error)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  json_generator_set_pretty (generator, TRUE);
  json_generator_set_root (generator, node);
  return json_generator_to_file (generator, filename, error);
}

static int
list_devices (void)
{
  g_auto (GStrv) devices = dssr_list_devices ();
  for (int i = 0; devices[i]; i++)
    g_print ("%s\n", devices[i]);
  if (!devices[0])
    g_print ("Vulkan has no device here, or is not there.\n");
  return EXIT_SUCCESS;
}

static JsonNode *
time_all (const BenchOptions *options, GError **error)
{
  if (!options->kernels)
    return bench_frames (options, error);
  if (options->backend == DSSR_BACKEND_VULKAN)
    return bench_vulkan (options, error);
  return bench_kernels (options);
}

int
main (int argc, char **argv)
{
  g_auto (BenchOptions) options = {0};
  g_autoptr (GError) error = NULL;
  setlocale (LC_ALL, "");
  if (!bench_options_parse (&options, &argc, &argv, &error)) {
    g_printerr ("dssr-bench: %s\n", error->message);
    return 2;
  }
  if (options.list)
    return list_devices ();
  g_autoptr (JsonNode) result = time_all (&options, &error);
  if (result && (!options.json || write_json (options.json, result, &error)))
    return EXIT_SUCCESS;
  g_printerr ("dssr-bench: %s\n", error->message);
  return EXIT_FAILURE;
}
