/* Models that the GPU's backend cannot run are refused, with what it lacks;
 * what runs before stays.
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
expect_refusal (DssrGpu *gpu, DssrModel *model, const char *word)
{
  const DssrFormat format = {.width = 16, .height = 16, .depth = 8};
  g_autoptr (GError) error = NULL;
  g_assert_false (dssr_gpu_use_model (gpu, model, &format, 3, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND);
  if (!strstr (error->message, word))
    g_error ("\"%s\" has no \"%s\"", error->message, word);
}

static void
test_refusal (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrGpu) gpu = dssr_gpu_new (NULL, TRUE, 1, &error);
  g_assert_no_error (error);
  const DssrFormat format = {.width = 16, .height = 16, .depth = 8};
  g_autoptr (DssrModel) good = load ();
  g_assert_true (dssr_gpu_use_model (gpu, good, &format, 3, &error));
  g_assert_no_error (error);
  const gsize size = dssr_gpu_get_size (gpu);

  g_autoptr (DssrModel) model = load ();
  DssrOp *op = &model->stages[DSSR_STAGE_FRAME].ops[2];
  const DssrOpKind kind = op->kind;
  g_autofree char *name = g_strdup_printf ("\"conv\" of frame.%s", op->name);
  const guint8 outside[16] = {0};
  g_assert_cmpint (kind, ==, DSSR_OP_CONV);
  op->conv.outside = outside;
  expect_refusal (gpu, model, name);
  op->conv.outside = NULL;
  op->kind = DSSR_OP_POOL;
  expect_refusal (gpu, model, "\"pool\"");
  op->kind = kind;
  model->n_planes = 3;
  expect_refusal (gpu, model, "luma alone");
  model->n_planes = 1;
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
