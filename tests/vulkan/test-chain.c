/* Chains beside the same operations one by one, which the kernels' tests
 * compare with the contract: up2 that is read on the way, sampling, sums,
 * attention, two outputs, sparse weights.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vulkan/support.h"

#include <glib.h>
#include <string.h>

enum { MAX_CONVS = 8 };

/* Parameters, and the arena so far. */
typedef struct {
  GRand *rand;
  int width, height;
  gboolean sparse;
  DssrVulkanWeights weights;
  DssrConv convs[MAX_CONVS];
  int n_convs;
  GPtrArray *arrays;
  guint8 table[256];
  guint64 arena;
} Setup;

static Setup
setup_new (guint32 seed, int width, int height, gboolean sparse)
{
  Setup setup = {.rand = g_rand_new_with_seed (seed),
      .width = width,
      .height = height,
      .sparse = sparse,
      .arrays = g_ptr_array_new_with_free_func (g_free)};
  for (int i = 0; i < 256; i++)
    setup.table[i] = (guint8)g_rand_int_range (setup.rand, 0, 256);
  return setup;
}

static void
setup_clear (Setup *setup)
{
  dssr_vulkan_clear_weights (&setup->weights);
  g_ptr_array_unref (setup->arrays);
  g_rand_free (setup->rand);
}

static DssrVulkanTensor
place_tensor (Setup *setup, int quads, gboolean wide, gboolean half)
{
  DssrVulkanTensor tensor = {.at = (guint32)setup->arena,
      .width = half ? (setup->width + 1) / 2 : setup->width,
      .height = half ? (setup->height + 1) / 2 : setup->height,
      .quads = quads,
      .wide = wide};
  setup->arena += (dssr_vulkan_tensor_words (&tensor) + 63) / 64 * 64;
  return tensor;
}

static gpointer
make_array (Setup *setup, gsize size)
{
  gpointer array = g_malloc0 (size);
  g_ptr_array_add (setup->arrays, array);
  return array;
}

/* The sums of a few channels leave the range of 16 bits, and those of most
 * spread over that of 8. */
static const DssrConv *
make_conv (Setup *setup, int kernel, int in_quads, int out_quads, gboolean wide,
    guint32 *place)
{
  const gsize n = (gsize)4 * out_quads * kernel * kernel * in_quads;
  const gsize channels = (gsize)4 * out_quads;
  int8_t *weight = make_array (setup, 4 * n);
  guint8 *mask = make_array (setup, n / 8 + 1);
  int32_t *bias = make_array (setup, channels * sizeof *bias);
  int16_t *mult = make_array (setup, channels * sizeof *mult);
  int16_t *other = make_array (setup, channels * sizeof *other);

  for (gsize i = 0; i < n; i++) {
    if (setup->sparse && g_rand_int_range (setup->rand, 0, 100) >= 35)
      continue;
    mask[i >> 3] |= 1 << (i & 7);
    for (int j = 0; j < 4; j++)
      weight[4 * i + j] = (int8_t)g_rand_int_range (setup->rand, -128, 128);
  }
  for (gsize i = 0; i < channels; i++) {
    gboolean extreme = g_rand_int_range (setup->rand, 0, 6) == 0;
    bias[i] = g_rand_int_range (setup->rand, -9000, 9000) * (extreme ? 99 : 1);
    mult[i] =
        (int16_t)(extreme ? 32767 : g_rand_int_range (setup->rand, 300, 3000));
    other[i] = (int16_t)g_rand_int_range (setup->rand, 0, mult[i] + 1);
  }
  DssrConv *conv = &setup->convs[setup->n_convs++];
  *conv = (DssrConv){
      .kernel = kernel,
      .stride = 1,
      .in_quads = in_quads,
      .out_quads = out_quads,
      .weight = weight,
      .mask = setup->sparse ? mask : NULL,
      .bias = bias,
      .mult = mult,
      .mult_neg = other,
      .act = (DssrActivation)(setup->n_convs % 3),
      .shift = 3,
      .wide = wide,
      .zero = wide ? 0 : 90,
      .max = 255,
  };
  *place = dssr_vulkan_add_conv (&setup->weights, conv);
  return conv;
}

/* ---- The same, apart ---- */

/* Where the operations of a step put what they make. */
typedef struct {
  DssrVulkanTensor up[DSSR_VULKAN_CHAIN_INPUTS], offset, sampled, out;
} Apart;

static gboolean
is_half (const Setup *setup, const DssrVulkanTensor *tensor)
{
  return tensor->width < setup->width || tensor->height < setup->height;
}

static void
place_apart (Setup *setup, const DssrVulkanStep *steps, int n, Apart *apart)
{
  for (int i = 0; i < n; i++) {
    const DssrVulkanStep *step = &steps[i];
    for (int j = 0; j < step->n_in; j++)
      if (step->in[j].step < 0)
        apart[i].up[j] =
            place_tensor (setup, step->in[j].tensor.quads, FALSE, FALSE);
    if (step->offset) {
      apart[i].offset =
          place_tensor (setup, step->offset->out_quads, TRUE, FALSE);
      apart[i].sampled =
          place_tensor (setup, step->conv->in_quads, FALSE, FALSE);
    }
    apart[i].out =
        place_tensor (setup, dssr_vulkan_step_quads (steps, i), FALSE, FALSE);
  }
}

static void
record_apart (const Setup *setup, DssrVulkanCommands *commands,
    const DssrVulkanStep *step, Apart *apart, int number)
{
  Apart *own = &apart[number];
  DssrVulkanTensor in[DSSR_VULKAN_CHAIN_INPUTS];

  for (int i = 0; i < step->n_in; i++) {
    in[i] = step->in[i].step >= 0 ? apart[step->in[i].step].out
                                  : step->in[i].tensor;
    if (is_half (setup, &in[i])) {
      dssr_vulkan_up2 (commands, &own->up[i], &in[i]);
      in[i] = own->up[i];
    }
  }
  switch (step->kind) {
    case DSSR_VULKAN_STEP_CONV:
      dssr_vulkan_conv (
          commands, &own->out, in, step->n_in, step->conv, step->place);
      break;
    case DSSR_VULKAN_STEP_ADD:
      dssr_vulkan_add (commands, &own->out, &in[0], &in[1], step->add);
      break;
    case DSSR_VULKAN_STEP_ATTENTION:
      dssr_vulkan_attention (commands, &own->out, &in[0], &in[1], &in[2],
          step->attention, step->place);
      break;
    case DSSR_VULKAN_STEP_SAMPLE:
      dssr_vulkan_conv (
          commands, &own->offset, in, 1, step->offset, step->offset_place);
      dssr_vulkan_deform (commands, &own->sampled, &in[1], &own->offset,
          step->deform, false, step->table);
      dssr_vulkan_conv (
          commands, &own->out, &own->sampled, 1, step->conv, step->place);
      break;
  }
}

/* Both ways, of noise; all that is stored is the same. */
static void
check (Setup *setup, DssrVulkanStep *steps, int n, gboolean plain)
{
  const DssrVulkanConfig config = {
      .allow_cpu = true, .plain = plain, .sparse = setup->sparse};
  const guint64 noise = setup->arena;
  DssrVulkanMessage message;
  DssrVulkanTensor made[DSSR_VULKAN_CHAIN_LENGTH];
  Apart apart[DSSR_VULKAN_CHAIN_LENGTH];
  guint64 words = 0;

  for (int i = 0; i < n; i++) {
    if (!steps[i].out)
      continue;
    made[i] =
        place_tensor (setup, dssr_vulkan_step_quads (steps, i), FALSE, FALSE);
    steps[i].out = &made[i];
    words += dssr_vulkan_tensor_words (&made[i]);
  }
  place_apart (setup, steps, n, apart);
  DssrVulkan *vulkan = dssr_vulkan_open (&config, &message);
  g_assert_nonnull (vulkan);
  DssrVulkanMemory *memory = dssr_vulkan_memory_new (
      vulkan, setup->arena, &setup->weights, 0, 2 * words, false, &message);
  g_assert_nonnull (memory);
  DssrVulkanCommands *commands = dssr_vulkan_commands_new (memory, &message);
  g_assert_nonnull (commands);
  dssr_vulkan_bench (commands, DSSR_VULKAN_NOISE, 0, 0, (guint32)noise, 0);
  dssr_vulkan_chain (commands, steps, n);
  for (int i = 0; i < n; i++)
    record_apart (setup, commands, &steps[i], apart, i);
  guint64 at = 0;
  for (int i = 0; i < n; i++) {
    if (!steps[i].out)
      continue;
    copy_out (commands, &made[i], at);
    copy_out (commands, &apart[i].out, words + at);
    at += dssr_vulkan_tensor_words (&made[i]);
  }
  if (!dssr_vulkan_end (commands, &message)
      || !dssr_vulkan_submit (commands, &message)
      || !dssr_vulkan_wait (vulkan, dssr_vulkan_submissions (vulkan), &message))
    g_error ("%s", message.text);

  const guint32 *both = memory->buffers[DSSR_BUFFER_DOWNLOAD].map;
  gboolean all_same = TRUE;
  for (guint64 i = 0; i < words; i++) {
    if (both[i] != both[words + i])
      g_error ("word %" G_GUINT64_FORMAT " of %dx%d: %08x, not %08x", i,
          setup->width, setup->height, both[i], both[words + i]);
    all_same &= both[i] == both[0];
  }
  g_assert_true (words == 1 || !all_same);
  dssr_vulkan_commands_free (commands);
  dssr_vulkan_memory_free (memory);
  dssr_vulkan_close (vulkan);
}

/* ---- Cases ---- */

static const DssrVulkanTensor stored;

static DssrVulkanInput
made_by (int step)
{
  return (DssrVulkanInput){.step = step};
}

static DssrVulkanInput
from_memory (Setup *setup, int quads, gboolean half)
{
  return (DssrVulkanInput){
      .step = -1, .tensor = place_tensor (setup, quads, FALSE, half)};
}

static DssrVulkanStep
conv_step (Setup *setup, int kernel, int in_quads, int out_quads)
{
  DssrVulkanStep step = {.kind = DSSR_VULKAN_STEP_CONV};
  step.conv =
      make_conv (setup, kernel, in_quads, out_quads, FALSE, &step.place);
  return step;
}

static void
set_inputs (DssrVulkanStep *step, int n, const DssrVulkanInput *in)
{
  step->n_in = n;
  memcpy (step->in, in, (gsize)n * sizeof *in);
}

#define INPUTS(step, ...)                                                      \
  set_inputs (step,                                                            \
      sizeof ((DssrVulkanInput[]){__VA_ARGS__}) / sizeof (DssrVulkanInput),    \
      (DssrVulkanInput[]){__VA_ARGS__})

static const DssrAdd add = {.zero_a = 10,
    .zero_b = 90,
    .zero = 40,
    .max = 255,
    .mult_a = 16000,
    .mult_b = 32767};

/* The second half of a residual block, which reads an up2 besides. */
static void
check_sum (int width, int height, gboolean sparse, gboolean plain)
{
  Setup setup = setup_new (1, width, height, sparse);
  DssrVulkanInput half = from_memory (&setup, 1, TRUE);
  DssrVulkanInput whole = from_memory (&setup, 2, FALSE);
  DssrVulkanStep steps[2] = {conv_step (&setup, 3, 3, 2),
      {.kind = DSSR_VULKAN_STEP_ADD, .add = &add, .out = &stored}};

  INPUTS (&steps[0], half, whole);
  INPUTS (&steps[1], whole, made_by (0));
  check (&setup, steps, 2, plain);
  setup_clear (&setup);
}

/* A residual block. */
static void
check_block (int width, int height, gboolean sparse, gboolean plain)
{
  Setup setup = setup_new (4, width, height, sparse);
  DssrVulkanInput in = from_memory (&setup, 2, FALSE);
  DssrVulkanStep steps[3] = {conv_step (&setup, 3, 2, 3),
      conv_step (&setup, 3, 3, 2),
      {.kind = DSSR_VULKAN_STEP_ADD, .add = &add, .out = &stored}};

  INPUTS (&steps[0], in);
  INPUTS (&steps[1], made_by (0));
  INPUTS (&steps[2], in, made_by (1));
  check (&setup, steps, 3, plain);
  setup_clear (&setup);
}

/* Alignment of a level: offset features, sampling, what the coarser level has,
 * an embedding. kernel: of the offsets, which 3 reads of memory */
static void
check_alignment (
    int width, int height, int kernel, gboolean half, gboolean plain)
{
  const int offsets = (3 * kernel * kernel * 2 + 3) / 4, at = kernel == 1;
  Setup setup = setup_new (2, width, height, FALSE);
  const DssrDeform deform = {.kernel = kernel,
      .groups = 2,
      .limit = 70,
      .zero = 90,
      .table = setup.table};
  DssrVulkanInput feature = from_memory (&setup, 4, FALSE);
  DssrVulkanInput coarse = from_memory (&setup, 3, TRUE);
  DssrVulkanInput window = from_memory (&setup, 2, half);
  DssrVulkanStep steps[4] = {0}, *sample = &steps[at];

  if (at) {
    steps[0] = conv_step (&setup, 3, 6, 2);
    INPUTS (&steps[0], feature, window);
    steps[0].out = &stored;
  }
  *sample = conv_step (&setup, 1, 4 * kernel * kernel, 3);
  sample->kind = DSSR_VULKAN_STEP_SAMPLE;
  sample->deform = &deform;
  sample->table = dssr_vulkan_add_table (&setup.weights, setup.table);
  sample->offset =
      make_conv (&setup, kernel, 2, offsets, TRUE, &sample->offset_place);
  INPUTS (sample, at ? made_by (0) : window, feature);
  steps[at + 1] = conv_step (&setup, 1, 6, 2);
  INPUTS (&steps[at + 1], made_by (at), coarse);
  steps[at + 2] = conv_step (&setup, 1, 2, 1);
  INPUTS (&steps[at + 2], made_by (at + 1));
  steps[at + 2].out = &stored;
  if (!at)
    steps[at + 1].out = &stored;
  check (&setup, steps, at + 3, plain);
  setup_clear (&setup);
}

/* Two neighbours weighed by their likeness to the centre. */
static void
check_attention (int width, int height, gboolean plain)
{
  Setup setup = setup_new (3, width, height, FALSE);
  const DssrAttention attention = {.zero_a = 120,
      .zero_b = 90,
      .zero_v = 77,
      .shift = 4,
      .mult = 9000,
      .table = setup.table};
  DssrVulkanInput centre = from_memory (&setup, 2, FALSE);
  DssrVulkanStep steps[4] = {conv_step (&setup, 1, 2, 1)};
  const guint32 table = dssr_vulkan_add_table (&setup.weights, setup.table);

  INPUTS (&steps[0], centre);
  for (int i = 1; i <= 2; i++) {
    steps[i] = (DssrVulkanStep){.kind = DSSR_VULKAN_STEP_ATTENTION,
        .attention = &attention,
        .place = table};
    DssrVulkanInput embedding = from_memory (&setup, 1, FALSE);
    INPUTS (&steps[i], embedding, made_by (0), from_memory (&setup, 2, FALSE));
  }
  steps[3] = conv_step (&setup, 1, 6, 5);
  INPUTS (&steps[3], made_by (1), centre, made_by (2));
  steps[1].out = steps[3].out = &stored;
  check (&setup, steps, 4, plain);
  setup_clear (&setup);
}

static void
test_sum (void)
{
  check_sum (13, 9, FALSE, FALSE);
  check_sum (13, 9, TRUE, FALSE);
  check_sum (10, 6, TRUE, TRUE);
  check_sum (34, 17, FALSE, TRUE);
}

static void
test_block (void)
{
  check_block (37, 19, FALSE, FALSE);
  check_block (64, 16, TRUE, FALSE);
  check_block (33, 9, FALSE, TRUE);
}

static void
test_alignment (void)
{
  check_alignment (13, 9, 1, FALSE, FALSE);
  check_alignment (12, 10, 1, TRUE, TRUE);
  check_alignment (15, 7, 3, TRUE, FALSE);
  check_alignment (14, 11, 3, FALSE, FALSE);
}

static void
test_attention (void)
{
  check_attention (13, 9, FALSE);
  check_attention (18, 5, TRUE);
}

/* Where all is border. */
static void
test_small (void)
{
  const int sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 2}, {1, 5}, {5, 1}};

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    check_sum (sizes[i][0], sizes[i][1], FALSE, FALSE);
    check_block (sizes[i][0], sizes[i][1], FALSE, FALSE);
    check_alignment (sizes[i][0], sizes[i][1], 3, TRUE, FALSE);
  }
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
  g_test_add_func ("/chain/sum", test_sum);
  g_test_add_func ("/chain/block", test_block);
  g_test_add_func ("/chain/alignment", test_alignment);
  g_test_add_func ("/chain/attention", test_attention);
  g_test_add_func ("/chain/small", test_small);
  return g_test_run ();
}
