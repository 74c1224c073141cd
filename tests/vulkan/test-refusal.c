/* Features that the GPU's backend cannot address are refused; what runs before
 * stays.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu.h"

#include <string.h>

static DssrModel *
load (void)
{
  g_autofree char *path =
      g_build_filename (g_getenv ("DSSR_TEST_MODELS"), "x2.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  DssrModel *model = dssr_model_open (path, &error);
  g_assert_no_error (error);
  return model;
}

static void
test_refusal (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrGpu) gpu = dssr_gpu_new (NULL, TRUE, 1, &error);
  g_assert_no_error (error);
  const DssrFormat format = {.width = 16, .height = 16, .depth = 8};
  const DssrFormat large = {.width = 16384, .height = 16384, .depth = 8};
  g_autoptr (DssrModel) model = load ();
  g_assert_true (dssr_gpu_use_model (gpu, model, &format, 3, &error));
  g_assert_no_error (error);
  const gsize size = dssr_gpu_get_size (gpu);

  g_assert_false (dssr_gpu_use_model (gpu, model, &large, 3, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND);
  g_assert_nonnull (strstr (error->message, "can address"));
  g_clear_error (&error);
  g_assert_cmpuint (dssr_gpu_get_size (gpu), ==, size);
  g_assert_true (dssr_gpu_use_model (gpu, model, &format, 3, &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) devices = dssr_list_devices ();

  if (!devices[0]) {
    g_print ("1..0 # SKIP there is no Vulkan device\n");
    return 0;
  }
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/refusal", test_refusal);
  return g_test_run ();
}
