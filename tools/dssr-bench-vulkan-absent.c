/* dssr-bench: in place of the GPU's kernels where the Vulkan backend is not
 * built.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench.h"

JsonNode *
bench_vulkan (const BenchOptions *options, GError **error)
{
  g_set_error_literal (
      error, BENCH_ERROR, 0, "this build of dssr has no Vulkan backend");
  return NULL;
}
