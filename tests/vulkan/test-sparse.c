/* Sparse convolutions, whose pipelines leave out what is zero, beside the dense
 * shader, which the kernels' tests compare with the contract.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vulkan/support.h"

#include <glib.h>
#include <string.h>

enum { WIDTH = 13, HEIGHT = 9 };

typedef struct {
  int kernel, stride;
  int in[5], out; /* quads; the inputs end with 0 */
  gboolean wide, plain, zero_outside;
} Case;

static const Case cases[] = {
    {3, 1, {2}, 2, FALSE, FALSE, FALSE},
    {3, 2, {1, 2}, 3, FALSE, TRUE, FALSE},
    {1, 1, {2, 1, 3, 1}, 4, FALSE, FALSE, FALSE},
    {1, 1, {3}, 3, TRUE, FALSE, FALSE},
    {3, 1, {1, 2}, 2, FALSE, FALSE, TRUE},
};

typedef struct {
  DssrConv conv;
  int8_t *weight;
  guint8 *mask;
  int32_t bias[64];
  int16_t mult[64];
  guint8 outside[16];
} Weights;

static Weights *
make_weights (const Case *c, int in_quads)
{
  Weights *w = g_new0 (Weights, 1);
  gsize n = (gsize)4 * c->out * c->kernel * c->kernel * in_quads;
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  w->weight = g_new0 (int8_t, 4 * n);
  w->mask = g_new0 (guint8, n / 8 + 1);
  for (gsize i = 0; i < n; i++) {
    if (g_rand_int_range (rand, 0, 100) >= 35)
      continue;
    w->mask[i >> 3] |= 1 << (i & 7);
    for (int j = 0; j < 4; j++)
      w->weight[4 * i + j] = (int8_t)g_rand_int_range (rand, -128, 128);
  }
  for (int i = 0; i < 4 * c->out; i++) {
    w->bias[i] = g_rand_int_range (rand, -9000, 9000);
    w->mult[i] = (int16_t)g_rand_int_range (rand, 1000, 9000);
  }
  for (int i = 0; i < in_quads; i++)
    w->outside[i] = (guint8)g_rand_int_range (rand, 0, 256);
  w->conv = (DssrConv){
      .kernel = c->kernel,
      .stride = c->stride,
      .in_quads = in_quads,
      .out_quads = c->out,
      .weight = w->weight,
      .mask = w->mask,
      .bias = w->bias,
      .mult = w->mult,
      .act = DSSR_ACT_RELU,
      .shift = 3,
      .wide = c->wide,
      .zero = c->wide ? 0 : 11,
      .max = 255,
      .outside = c->zero_outside ? w->outside : NULL,
  };
  return w;
}

static void
free_weights (Weights *w)
{
  g_free (w->weight);
  g_free (w->mask);
  g_free (w);
}

/* What the GPU makes of noise. */
static GBytes *
run (const Case *c, const DssrConv *conv)
{
  const DssrVulkanConfig config = {
      .allow_cpu = true, .plain = c->plain, .sparse = true};
  DssrVulkanMessage message;
  DssrVulkanWeights weights = {0};
  DssrVulkanTensor in[5], out = {.width = (WIDTH + c->stride - 1) / c->stride,
                              .height = (HEIGHT + c->stride - 1) / c->stride,
                              .quads = c->out,
                              .wide = c->wide};
  guint32 at = 0;
  int n = 0;

  for (; c->in[n]; n++) {
    in[n] = (DssrVulkanTensor){
        .at = at, .width = WIDTH, .height = HEIGHT, .quads = c->in[n]};
    at += (guint32)(dssr_vulkan_tensor_words (&in[n]) + 63) / 64 * 64;
  }
  out.at = at;
  guint64 made = dssr_vulkan_tensor_words (&out);
  const guint32 place = dssr_vulkan_add_conv (&weights, conv);
  DssrVulkan *vulkan = dssr_vulkan_open (&config, &message);
  g_assert_nonnull (vulkan);
  DssrVulkanMemory *memory = dssr_vulkan_memory_new (
      vulkan, at + made, &weights, 0, made, false, &message);
  g_assert_nonnull (memory);
  DssrVulkanCommands *commands = dssr_vulkan_commands_new (memory, &message);
  g_assert_nonnull (commands);
  dssr_vulkan_bench (commands, DSSR_VULKAN_NOISE, 0, 0, at, 0);
  dssr_vulkan_conv (commands, &out, in, n, conv, place);
  copy_out (commands, &out, 0);
  g_assert_true (dssr_vulkan_end (commands, &message));
  g_assert_true (dssr_vulkan_submit (commands, &message));
  g_assert_true (
      dssr_vulkan_wait (vulkan, dssr_vulkan_submissions (vulkan), &message));
  gboolean sparse = FALSE;
  for (gsize i = 0; i < vulkan->n_pipelines; i++)
    sparse |= vulkan->pipelines[i].shader == DSSR_SHADER_CONV_SPARSE
              || vulkan->pipelines[i].shader == DSSR_SHADER_CONV_SPARSE_DOT;
  g_assert_true (sparse == (conv->mask != NULL));

  GBytes *bytes =
      g_bytes_new (memory->buffers[DSSR_BUFFER_DOWNLOAD].map, 4 * made);
  dssr_vulkan_commands_free (commands);
  dssr_vulkan_memory_free (memory);
  dssr_vulkan_close (vulkan);
  dssr_vulkan_clear_weights (&weights);
  return bytes;
}

static void
test_sparse (gconstpointer data)
{
  const Case *c = data;
  int in_quads = 0;
  for (int i = 0; c->in[i]; i++)
    in_quads += c->in[i];
  Weights *weights = make_weights (c, in_quads);
  g_autoptr (GBytes) sparse = run (c, &weights->conv);
  weights->conv.mask = NULL;
  g_autoptr (GBytes) dense = run (c, &weights->conv);

  g_assert_true (g_bytes_equal (sparse, dense));
  /* They are not all the same, clamped. */
  const guint8 *bytes = g_bytes_get_data (dense, NULL);
  g_assert_cmpint (
      memcmp (bytes, bytes + 4, g_bytes_get_size (dense) - 4), !=, 0);
  free_weights (weights);
}

int
main (int argc, char **argv)
{
  DssrVulkanMessage message;
  DssrVulkanInfo info;

  if (dssr_vulkan_list (&info, 1, &message) == 0) {
    g_print ("1..0 # SKIP %s\n", message.text);
    return 0;
  }
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strdup_printf ("/sparse/%u", i);
    g_test_add_data_func (name, &cases[i], test_sparse);
  }
  return g_test_run ();
}
