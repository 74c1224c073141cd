/* The Vulkan backend in the guise of a table: each call takes its operands to
 * the GPU, makes the whole output there, and brings the rows back that were
 * asked for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"
#include "tests/kernels/support.h"

#include <stdlib.h>
#include <string.h>

/* No divisor of the number of layouts. */
const int picture_step = 5;

enum { MAX_PLANES = 3 };

/* An operation between two copies. */
typedef struct {
  DssrVulkan *vulkan;
  DssrVulkanMemory *memory;
  DssrVulkanCommands *commands;
  DssrVulkanTensor in[MAX_INPUTS], out;
  DssrVulkanPlane planes_in[MAX_PLANES], planes_out[MAX_PLANES];
  int n_planes;
  guint64 arena, upload;
} Run;

static void
assert_done (gboolean done, const DssrVulkanMessage *message)
{
  if (!done)
    g_error ("%s", message->text);
}

static DssrVulkan *
open_vulkan (gboolean plain)
{
  static DssrVulkan *opened[2];
  const DssrVulkanConfig config = {.allow_cpu = TRUE, .plain = plain};
  DssrVulkanMessage message;

  if (!opened[plain])
    opened[plain] = dssr_vulkan_open (&config, &message);
  assert_done (opened[plain] != NULL, &message);
  return opened[plain];
}

static guint64
aligned (guint64 words)
{
  return (words + DSSR_VULKAN_ALIGNMENT - 1) / DSSR_VULKAN_ALIGNMENT
         * DSSR_VULKAN_ALIGNMENT;
}

static DssrVulkanTensor
place_tensor (Run *run, const DssrTensor *tensor, gboolean wide)
{
  const DssrVulkanTensor placed = {.at = run->arena,
      .width = tensor->width,
      .height = tensor->height,
      .quads = tensor->quads,
      .wide = wide};

  run->arena += aligned (dssr_vulkan_tensor_words (&placed));
  return placed;
}

static DssrVulkanPlane
place_plane (const DssrSamples *samples, guint64 at)
{
  return (DssrVulkanPlane){.at = at,
      .pitch = dssr_vulkan_pitch (samples->width, samples->depth),
      .width = samples->width,
      .height = samples->height,
      .depth = samples->depth,
      .shift = samples->shift};
}

static guint8 *
tensor_row (const DssrTensor *t, int quad, int y)
{
  return (guint8 *)t->data + quad * t->plane
         + (t->ring ? y % t->ring : y) * t->stride;
}

/* Between the rows of a tensor and its words in a mapped buffer. Rows that a
 * ring does not have are others, which no output row that is asked for needs.
 */
static void
copy_rows (const DssrTensor *tensor, const DssrVulkanTensor *placed,
    guint32 *words, int y0, int y1, gboolean back)
{
  const gsize row = placed->width * (placed->wide ? 8 : 4);

  for (int q = 0; q < tensor->quads; q++) {
    for (int y = y0; y < y1; y++) {
      guint8 *there = (guint8 *)words + (gsize)(q * tensor->height + y) * row;
      guint8 *here = tensor_row (tensor, q, y);
      memcpy (back ? here : there, back ? there : here, row);
      if (back && !placed->wide) {
        memcpy (here - 4, here, 4);
        memcpy (here + row, here + row - 4, 4);
      }
    }
  }
}

static void
copy_buffers (Run *run, DssrBufferUse from, guint64 from_at, DssrBufferUse to,
    guint64 to_at, guint64 words)
{
  const VkBufferCopy region = {
      .srcOffset = 4 * from_at, .dstOffset = 4 * to_at, .size = 4 * words};
  const VkMemoryBarrier barrier = {
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
      .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
      .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
  };

  for (int i = 0; i < 2; i++) {
    vkCmdPipelineBarrier (run->commands->buffer,
        VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
        0, 1, &barrier, 0, NULL, 0, NULL);
    if (i == 0)
      vkCmdCopyBuffer (run->commands->buffer, run->memory->buffers[from].buffer,
          run->memory->buffers[to].buffer, 1, &region);
  }
}

/* Places planes from *words on; those that there are not take no room. */
static void
place_planes (
    DssrVulkanPlane *placed, const DssrSamples *planes, int n, guint64 *words)
{
  for (int i = 0; planes && i < n; i++) {
    placed[i] = place_plane (&planes[i], *words);
    *words += aligned (dssr_vulkan_plane_words (&placed[i]));
  }
}

/* Everything up to the operation: its operands are on the GPU. */
static Run
begin (gboolean plain, const DssrTensor *out, gboolean wide_out,
    const DssrTensor *in, int n_in, int wide_in, const DssrSamples *planes_out,
    const DssrSamples *planes_in, int n_planes, DssrVulkanWeights *weights)
{
  Run run = {.vulkan = open_vulkan (plain), .n_planes = n_planes};
  DssrVulkanMessage message;
  guint64 download = 0;

  for (int i = 0; i < n_in; i++)
    run.in[i] = place_tensor (&run, &in[i], wide_in >> i & 1);
  run.upload = run.arena;
  if (out) {
    run.out = place_tensor (&run, out, wide_out);
    download = dssr_vulkan_tensor_words (&run.out);
  }
  guint64 upload = run.upload;
  place_planes (run.planes_in, planes_in, n_planes, &upload);
  place_planes (run.planes_out, planes_out, n_planes, &download);
  run.memory = dssr_vulkan_memory_new (
      run.vulkan, run.arena, weights, upload, download, false, &message);
  assert_done (run.memory != NULL, &message);
  dssr_vulkan_clear_weights (weights);

  for (int i = 0; i < n_in; i++)
    copy_rows (&in[i], &run.in[i],
        (guint32 *)run.memory->buffers[DSSR_BUFFER_UPLOAD].map + run.in[i].at,
        0, in[i].height, FALSE);
  for (int i = 0; planes_in && i < n_planes; i++)
    dssr_vulkan_put_plane (run.memory, &run.planes_in[i], &planes_in[i]);
  run.commands = dssr_vulkan_commands_new (run.memory, &message);
  assert_done (run.commands != NULL, &message);
  if (run.upload > 0)
    copy_buffers (
        &run, DSSR_BUFFER_UPLOAD, 0, DSSR_BUFFER_ARENA, 0, run.upload);
  return run;
}

static void
end (Run *run, const DssrTensor *out, const DssrSamples *planes_out, int y0,
    int y1)
{
  DssrVulkanMessage message;

  if (out)
    copy_buffers (run, DSSR_BUFFER_ARENA, run->out.at, DSSR_BUFFER_DOWNLOAD, 0,
        dssr_vulkan_tensor_words (&run->out));
  assert_done (dssr_vulkan_end (run->commands, &message), &message);
  assert_done (dssr_vulkan_submit (run->commands, &message), &message);
  assert_done (dssr_vulkan_wait (run->vulkan,
                   dssr_vulkan_submissions (run->vulkan), &message),
      &message);
  if (out)
    copy_rows (out, &run->out, run->memory->buffers[DSSR_BUFFER_DOWNLOAD].map,
        y0, y1, TRUE);
  for (int i = 0; planes_out && i < run->n_planes; i++)
    dssr_vulkan_get_plane (
        run->memory, &run->planes_out[i], &planes_out[i], y0, y1);
  dssr_vulkan_commands_free (run->commands);
  dssr_vulkan_memory_free (run->memory);
}

static void
vulkan_input (const DssrTensor *out, const DssrSamples *planes, int n_planes,
    int unshuffle, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run =
      begin (FALSE, out, FALSE, NULL, 0, 0, NULL, planes, n_planes, &weights);

  dssr_vulkan_input (
      run.commands, &run.out, run.planes_in, n_planes, unshuffle);
  end (&run, out, NULL, y0, y1);
}

static size_t
vulkan_conv_packed_size (const DssrConv *conv)
{
  return 0;
}

static void
run_conv (gboolean plain, const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  const guint32 place = dssr_vulkan_add_conv (&weights, conv);
  Run run =
      begin (plain, out, conv->wide, in, n_in, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_conv (run.commands, &run.out, run.in, n_in, conv, place);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_conv (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  run_conv (FALSE, out, in, n_in, conv, y0, y1);
}

/* Without OpSDot for one input alone, and so a third fewer compilations: how
 * many inputs there are is nothing to the product. */
static void
vulkan_conv_plain (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
  run_conv (n_in == 1, out, in, n_in, conv, y0, y1);
}

/* Convolution has made it. */
static void
vulkan_conv_border (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1)
{
}

static void
run_deform (gboolean zero_outside, const DssrTensor *out,
    const DssrTensor *feature, const DssrTensor *offset,
    const DssrDeform *deform, int y0, int y1)
{
  const DssrTensor in[] = {*feature, *offset};
  DssrVulkanWeights weights = {0};
  const guint32 table = dssr_vulkan_add_table (&weights, deform->table);
  Run run = begin (FALSE, out, FALSE, in, 2, 2, NULL, NULL, 0, &weights);

  dssr_vulkan_deform (run.commands, &run.out, &run.in[0], &run.in[1], deform,
      zero_outside, table);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_deform (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  run_deform (FALSE, out, feature, offset, deform, y0, y1);
}

static void
vulkan_deform_zero (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1)
{
  run_deform (TRUE, out, feature, offset, deform, y0, y1);
}

static void
vulkan_add (const DssrTensor *out, const DssrTensor *a, const DssrTensor *b,
    const DssrAdd *add, int y0, int y1)
{
  const DssrTensor in[] = {*a, *b};
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, out, FALSE, in, 2, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_add (run.commands, &run.out, &run.in[0], &run.in[1], add);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_up2 (const DssrTensor *out, const DssrTensor *in, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, out, FALSE, in, 1, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_up2 (run.commands, &run.out, &run.in[0]);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_shuffle (
    const DssrTensor *out, const DssrTensor *in, int zero, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, out, FALSE, in, 1, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_shuffle (run.commands, &run.out, &run.in[0], zero);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_follow (
    const DssrTensor *out, const DssrTensor *in, DssrPan pan, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, out, FALSE, in, 1, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_follow (run.commands, &run.out, &run.in[0], pan);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_pool (const DssrTensor *out, const DssrTensor *in,
    const DssrPooling *pool, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, out, FALSE, in, 1, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_pool (run.commands, &run.out, &run.in[0], pool);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_modulate (const DssrTensor *out, const DssrTensor *v,
    const DssrTensor *gate, const DssrTensor *b, const DssrModulate *modulate,
    int y0, int y1)
{
  const DssrTensor in[] = {*v, *gate, *b};
  DssrVulkanWeights weights = {0};
  const guint32 table = dssr_vulkan_add_table (&weights, modulate->table);
  Run run = begin (FALSE, out, FALSE, in, 3, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_modulate (run.commands, &run.out, &run.in[0], &run.in[1],
      &run.in[2], modulate, table);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_attention (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrTensor *v, const DssrAttention *attention,
    int y0, int y1)
{
  const DssrTensor in[] = {*a, *b, *v};
  DssrVulkanWeights weights = {0};
  const guint32 table = dssr_vulkan_add_table (&weights, attention->table);
  Run run = begin (FALSE, out, FALSE, in, 3, 0, NULL, NULL, 0, &weights);

  dssr_vulkan_attention (run.commands, &run.out, &run.in[0], &run.in[1],
      &run.in[2], attention, table);
  end (&run, out, NULL, y0, y1);
}

static void
vulkan_bicubic (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, NULL, FALSE, NULL, 0, 0, out, in, 1, &weights);

  dssr_vulkan_bicubic (
      run.commands, &run.planes_out[0], &run.planes_in[0], bicubic);
  end (&run, NULL, out, y0, y1);
}

static void
vulkan_head_planes (const DssrSamples *out, const DssrSamples *in, int n_planes,
    const DssrTensor *residual, const DssrBicubic *bicubic, bool linear,
    int shuffle, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run =
      begin (FALSE, NULL, FALSE, residual, 1, 1, out, in, n_planes, &weights);

  for (int i = 0; i < n_planes; i++) {
    const DssrVulkanHead head = {
        .shuffle = shuffle, .first = i * shuffle * shuffle, .linear = linear};
    dssr_vulkan_head (run.commands, &run.planes_out[i], &run.planes_in[i],
        &run.in[0], bicubic, &head);
  }
  end (&run, NULL, out, y0, y1);
}

static void
vulkan_head (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1)
{
  vulkan_head_planes (out, luma, 1, residual, bicubic, false, shuffle, y0, y1);
}

static void
vulkan_contrast (const DssrSamples *out, const DssrSamples *in,
    const DssrContrast *contrast, int y0, int y1)
{
  DssrVulkanWeights weights = {0};
  Run run = begin (FALSE, NULL, FALSE, NULL, 0, 0, out, in, 1, &weights);
  const int bytes = out->depth > 8 ? 2 : 1;

  for (int y = 0; y < out->height; y++)
    for (int x = 0; x < out->width; x++)
      memcpy ((guint8 *)run.memory->buffers[DSSR_BUFFER_DOWNLOAD].map
                  + 4 * (gsize)y * run.planes_out[0].pitch + x * bytes,
          (guint8 *)out->data + y * out->stride + x * out->step, bytes);
  dssr_vulkan_contrast (
      run.commands, &run.planes_out[0], &run.planes_in[0], contrast);
  end (&run, NULL, out, y0, y1);
}

const DssrKernels *const *
given_tables (void)
{
  static const DssrKernels fast = {
      .name = "vulkan",
      .input = vulkan_input,
      .conv_packed_size = vulkan_conv_packed_size,
      .conv = vulkan_conv,
      .conv_border = vulkan_conv_border,
      .deform = vulkan_deform,
      .deform_zero = vulkan_deform_zero,
      .add = vulkan_add,
      .up2 = vulkan_up2,
      .shuffle = vulkan_shuffle,
      .follow = vulkan_follow,
      .pool = vulkan_pool,
      .modulate = vulkan_modulate,
      .attention = vulkan_attention,
      .bicubic = vulkan_bicubic,
      .head = vulkan_head,
      .head_planes = vulkan_head_planes,
      .contrast = vulkan_contrast,
  };
  static DssrKernels plain;
  static const DssrKernels *tables[] = {&fast, &plain, NULL};
  DssrVulkanMessage message;
  DssrVulkanInfo info;

  if (dssr_vulkan_list (&info, 1, &message) == 0) {
    g_print ("1..0 # SKIP %s\n", message.text);
    exit (0);
  }
  plain = fast;
  plain.name = "vulkan, plain";
  plain.conv = vulkan_conv_plain;
  return tables;
}
