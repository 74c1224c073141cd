/* dssr-bench: times every kernel on a GPU, by the GPU's clock.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench-kernels.h"
#include "kernels/vulkan/vulkan.h"

/* Runs of a kernel, at most, after one that does not count. */
enum { MAX_RUNS = DSSR_VULKAN_MARKS / 2 - 1 };

/* What ceilings are measured on. */
typedef struct {
  guint32 copied;     /* words */
  guint32 multiplied; /* words, each four of which are made by so many */
  int rounds;         /* of 16 products of four bytes */
} Load;

/* A CPU in the guise of a GPU is done with less, before it is disturbed. */
static const Load gpu_load = {16 << 20, 1 << 20, 1024};
static const Load cpu_load = {1 << 19, 1 << 12, 128};

typedef struct {
  DssrVulkan *vulkan;
  int runs;
  double gmacs, gbytes; /* ceilings, in a second */
} Bench;

/* A kernel's operands on the GPU. */
typedef struct {
  const BenchShape *shape;
  BenchParts parts;
  DssrVulkanTensor out, in[3];
  DssrVulkanPlane small[BENCH_MAX_PLANES], large[BENCH_MAX_PLANES];
  guint32 place;                         /* of its weights or table */
  guint64 read, arena, upload, download; /* words; the arena begins with what
                                            is read */
} Kernel;

typedef struct {
  double seconds, bytes;
} Timed;

static guint64
align (guint64 words)
{
  return (words + DSSR_VULKAN_ALIGNMENT - 1) / DSSR_VULKAN_ALIGNMENT
         * DSSR_VULKAN_ALIGNMENT;
}

static DssrVulkanTensor
place_tensor (const DssrTensor *tensor, gboolean wide, guint64 *words)
{
  const DssrVulkanTensor placed = {
      .at = (guint32)*words,
      .width = tensor->width,
      .height = tensor->height,
      .quads = tensor->quads,
      .wide = wide,
  };
  *words += align (dssr_vulkan_tensor_words (&placed));
  return placed;
}

static DssrVulkanPlane
place_plane (const DssrSamples *samples, guint64 *words)
{
  const DssrVulkanPlane placed = {
      .at = (guint32)*words,
      .pitch = dssr_vulkan_pitch (samples->width, samples->depth),
      .width = samples->width,
      .height = samples->height,
      .depth = samples->depth,
      .shift = samples->shift,
  };
  *words += align (dssr_vulkan_plane_words (&placed));
  return placed;
}

static gboolean
is_wide (BenchKernel kind, int input)
{
  if (kind == BENCH_DEFORM || kind == BENCH_DEFORM_ZERO)
    return input == 1;
  return kind == BENCH_HEAD || kind == BENCH_HEAD_PLANES;
}

static guint32
add_weights (
    BenchKernel kind, const BenchParts *parts, DssrVulkanWeights *weights)
{
  switch (kind) {
    case BENCH_CONV:
    case BENCH_CONV_BORDER:
      return dssr_vulkan_add_conv (weights, parts->conv);
    case BENCH_DEFORM:
    case BENCH_DEFORM_ZERO:
    case BENCH_ATTENTION:
    case BENCH_MODULATE:
      return dssr_vulkan_add_table (weights, parts->deform.table);
    default:
      return 0;
  }
}

static void
place (Kernel *kernel, DssrVulkanWeights *weights)
{
  const BenchParts *parts = &kernel->parts;
  const BenchKernel kind = kernel->shape->kernel;

  for (int i = 0; i < 3 && parts->in[i].data; i++)
    kernel->in[i] =
        place_tensor (&parts->in[i], is_wide (kind, i), &kernel->arena);
  kernel->read = kernel->arena;
  if (parts->out->data)
    kernel->out =
        place_tensor (parts->out, kernel->shape->wide, &kernel->arena);
  for (int i = 0; i < BENCH_MAX_PLANES && parts->small[i].data; i++)
    kernel->small[i] = place_plane (&parts->small[i], &kernel->upload);
  for (int i = 0; i < BENCH_MAX_PLANES && parts->large[i].data; i++)
    kernel->large[i] = place_plane (&parts->large[i], &kernel->download);
  kernel->place = add_weights (kind, parts, weights);
}

static void
record_head (const Kernel *kernel, DssrVulkanCommands *commands)
{
  const int shuffle = kernel->shape->scale;

  for (int i = 0; i < BENCH_MAX_PLANES && kernel->large[i].width; i++) {
    const DssrVulkanHead head = {
        .shuffle = shuffle, .first = i * shuffle * shuffle};
    dssr_vulkan_head (commands, &kernel->large[i], &kernel->small[i],
        &kernel->in[0], &kernel->parts.bicubic, &head);
  }
}

static void
record (const Kernel *kernel, DssrVulkanCommands *commands)
{
  const BenchParts *parts = &kernel->parts;
  const DssrVulkanTensor *in = kernel->in, *out = &kernel->out;
  DssrDeform deform = parts->deform;
  /* The offsets are noise of 16 bits: this makes two pixels of them. */
  deform.limit = 32;

  switch (kernel->shape->kernel) {
    case BENCH_INPUT:
      dssr_vulkan_input (commands, out, kernel->small, 1, 1);
      break;
    case BENCH_CONV:
    case BENCH_CONV_BORDER:
      dssr_vulkan_conv (commands, out, in, 1, parts->conv, kernel->place);
      break;
    case BENCH_DEFORM:
    case BENCH_DEFORM_ZERO:
      dssr_vulkan_deform (commands, out, &in[0], &in[1], &deform,
          kernel->shape->kernel == BENCH_DEFORM_ZERO, kernel->place);
      break;
    case BENCH_ADD:
      dssr_vulkan_add (commands, out, &in[0], &in[1], &parts->add);
      break;
    case BENCH_UP2:
      dssr_vulkan_up2 (commands, out, &in[0]);
      break;
    case BENCH_SHUFFLE:
      dssr_vulkan_shuffle (commands, out, &in[0], 7);
      break;
    case BENCH_FOLLOW:
      dssr_vulkan_follow (commands, out, &in[0], (DssrPan){3, -2});
      break;
    case BENCH_POOL: {
      const DssrPooling pool = {.average = TRUE, .zero = 7};
      dssr_vulkan_pool (commands, out, &in[0], &pool);
      break;
    }
    case BENCH_MODULATE:
      dssr_vulkan_modulate (commands, out, &in[0], &in[1], &in[2],
          &parts->modulate, kernel->place);
      break;
    case BENCH_ATTENTION:
      dssr_vulkan_attention (commands, out, &in[0], &in[1], &in[2],
          &parts->attention, kernel->place);
      break;
    case BENCH_BICUBIC:
      dssr_vulkan_bicubic (
          commands, kernel->large, kernel->small, &parts->bicubic);
      break;
    case BENCH_HEAD:
    case BENCH_HEAD_PLANES:
      record_head (kernel, commands);
      break;
    case BENCH_CONTRAST:
      dssr_vulkan_contrast (
          commands, kernel->large, kernel->small, &parts->contrast);
      break;
    case BENCH_NOISE:
    case BENCH_DENOISE:
    case BENCH_PAN:
      g_assert_not_reached ();
  }
}

/* Something to be timed: a kernel, or what shows a ceiling. */
typedef void (*Record) (gconstpointer what, DssrVulkanCommands *commands);

static void
record_kernel (gconstpointer what, DssrVulkanCommands *commands)
{
  record (what, commands);
}

static void
record_copy (gconstpointer what, DssrVulkanCommands *commands)
{
  const Load *load = what;
  dssr_vulkan_bench (
      commands, DSSR_VULKAN_COPY, load->copied, 0, load->copied, 0);
}

static void
record_multiply (gconstpointer what, DssrVulkanCommands *commands)
{
  const Load *load = what;
  dssr_vulkan_bench (
      commands, DSSR_VULKAN_MULTIPLY, 0, 0, load->multiplied, load->rounds);
}

static gboolean
finish (const Bench *bench, DssrVulkanCommands *commands,
    DssrVulkanMessage *message)
{
  return dssr_vulkan_end (commands, message)
         && dssr_vulkan_submit (commands, message)
         && dssr_vulkan_wait (
             bench->vulkan, dssr_vulkan_submissions (bench->vulkan), message);
}

static gboolean
fill (const Bench *bench, DssrVulkanMemory *memory, guint64 words,
    DssrVulkanMessage *message)
{
  DssrVulkanCommands *commands = dssr_vulkan_commands_new (memory, message);
  if (!commands)
    return FALSE;
  if (words > 0)
    dssr_vulkan_bench (commands, DSSR_VULKAN_NOISE, 0, 0, (guint32)words, 0);
  gboolean ok = finish (bench, commands, message);
  dssr_vulkan_commands_free (commands);
  return ok;
}

/* The time of the best run: what disturbs the machine makes none faster. */
static gboolean
time_runs (const Bench *bench, DssrVulkanMemory *memory, Record func,
    gconstpointer what, Timed *timed, DssrVulkanMessage *message)
{
  DssrVulkanCommands *commands = dssr_vulkan_commands_new (memory, message);
  double seconds[MAX_RUNS];
  if (!commands)
    return FALSE;
  for (int i = 0; i <= bench->runs; i++) {
    dssr_vulkan_mark (commands, 2 * i);
    func (what, commands);
    dssr_vulkan_mark (commands, 2 * i + 1);
  }
  gboolean ok = finish (bench, commands, message);
  for (int i = 0; ok && i < bench->runs; i++)
    seconds[i] =
        1e-9 * (double)dssr_vulkan_elapsed (memory, 2 * i + 2, 2 * i + 3);
  if (ok) {
    timed->seconds = bench_quantile (seconds, bench->runs, 0);
    timed->bytes = (double)dssr_vulkan_traffic (commands) / (bench->runs + 1);
  }
  dssr_vulkan_commands_free (commands);
  return ok;
}

static gboolean
time_work (const Bench *bench, const Kernel *kernel, Record func,
    gconstpointer what, const DssrVulkanWeights *weights, Timed *timed,
    GError **error)
{
  DssrVulkanMessage message;
  DssrVulkanMemory *memory =
      dssr_vulkan_memory_new (bench->vulkan, kernel->arena, weights,
          kernel->upload, kernel->download, false, &message);
  gboolean ok = memory && fill (bench, memory, kernel->read, &message)
                && time_runs (bench, memory, func, what, timed, &message);
  if (memory)
    dssr_vulkan_memory_free (memory);
  if (!ok)
    g_set_error_literal (error, BENCH_ERROR, 0, message.text);
  else if (timed->seconds <= 0)
    g_set_error_literal (error, BENCH_ERROR, 0, "this GPU has no clock");
  return ok && timed->seconds > 0;
}

static gboolean
find_ceilings (Bench *bench, JsonBuilder *json, GError **error)
{
  const DssrVulkanInfo *info = dssr_vulkan_info (bench->vulkan);
  const DssrVulkanWeights none = {0};
  const Load *load = info->kind == DSSR_VULKAN_CPU ? &cpu_load : &gpu_load;
  const Kernel copy = {.arena = 2 * load->copied, .read = load->copied};
  const Kernel multiply = {.arena = load->multiplied};
  const double macs = 64. * load->rounds * load->multiplied / 4;
  Timed copied, multiplied;

  if (!time_work (bench, &copy, record_copy, load, &none, &copied, error)
      || !time_work (
          bench, &multiply, record_multiply, load, &none, &multiplied, error))
    return FALSE;
  bench->gbytes = 1e-9 * copied.bytes / copied.seconds;
  bench->gmacs = 1e-9 * macs / multiplied.seconds;
  g_print ("%s, dot products by %s\n"
           "Ceilings: %.1f GMAC/s of dot products in registers, %.1f GB/s "
           "copied (read and written)\n",
      info->name, dssr_vulkan_dot_names[info->dot], bench->gmacs,
      bench->gbytes);
  bench_add_string (json, "device", info->name);
  bench_add_number (json, "dot_gmacs", bench->gmacs);
  bench_add_number (json, "copy_gbytes", bench->gbytes);
  return TRUE;
}

static void
report (const Bench *bench, const BenchShape *shape, double macs,
    const Timed *timed, JsonBuilder *json)
{
  const double gmacs = 1e-9 * macs / timed->seconds;
  const double gbytes = 1e-9 * timed->bytes / timed->seconds;

  g_print ("%-34s %9.4f", shape->name, 1e3 * timed->seconds);
  if (macs > 0)
    g_print (" %9.1f %8.1f %6.1f %%", 1e-6 * macs, gmacs,
        100 * gmacs / bench->gmacs);
  else
    g_print (" %9s %8s %8s", "", "", "");
  g_print (" %9.2f %8.1f %6.1f %%\n", 1e-6 * timed->bytes, gbytes,
      100 * gbytes / bench->gbytes);

  json_builder_begin_object (json);
  bench_add_string (json, "kernel", shape->name);
  bench_add_number (json, "gpu_ms", 1e3 * timed->seconds);
  bench_add_number (json, "mmacs", 1e-6 * macs);
  bench_add_number (json, "mbytes", 1e-6 * timed->bytes);
  bench_add_number (json, "of_dot", gmacs / bench->gmacs);
  bench_add_number (json, "of_copy", gbytes / bench->gbytes);
  json_builder_end_object (json);
}

static gboolean
bench_shape (const Bench *bench, const BenchShape *shape,
    const BenchOptions *options, JsonBuilder *json, GError **error)
{
  g_autoptr (BenchWork) work =
      bench_work_new (shape, options->width, options->height);
  DssrVulkanWeights weights = {0};
  Kernel kernel = {.shape = shape, .parts = bench_work_parts (work)};
  Timed timed;

  place (&kernel, &weights);
  gboolean ok = time_work (
      bench, &kernel, record_kernel, &kernel, &weights, &timed, error);
  dssr_vulkan_clear_weights (&weights);
  if (ok)
    report (bench, shape, bench_work_macs (work), &timed, json);
  return ok;
}

static gboolean
bench_shapes_all (const Bench *bench, const BenchOptions *options,
    JsonBuilder *json, GError **error)
{
  g_print ("The picture has %dx%d pixels before it is enlarged.\n\n"
           "%-34s %9s %9s %8s %8s %9s %8s %8s\n",
      options->width, options->height, "kernel", "GPU ms", "MMAC", "GMAC/s",
      "of dots", "MB", "GB/s", "of copy");
  for (const BenchShape *shape = bench_shapes; shape->name; shape++)
    if (!bench_shape_is_whole (shape)
        && !bench_shape (bench, shape, options, json, error))
      return FALSE;
  return TRUE;
}

JsonNode *
bench_vulkan (const BenchOptions *options, GError **error)
{
  const DssrVulkanConfig config = {
      .device = options->device, .allow_cpu = true, .sparse = true};
  Bench bench = {.runs = MIN (options->frames, MAX_RUNS)};
  g_autoptr (JsonBuilder) json = json_builder_new ();
  DssrVulkanMessage message;

  bench.vulkan = dssr_vulkan_open (&config, &message);
  if (!bench.vulkan) {
    g_set_error_literal (error, BENCH_ERROR, 0, message.text);
    return NULL;
  }
  json_builder_begin_object (json);
  bench_add_number (json, "width", options->width);
  bench_add_number (json, "height", options->height);
  gboolean ok = find_ceilings (&bench, json, error);
  if (ok) {
    json_builder_set_member_name (json, "kernels");
    json_builder_begin_array (json);
    ok = bench_shapes_all (&bench, options, json, error);
    json_builder_end_array (json);
    json_builder_end_object (json);
  }
  dssr_vulkan_close (bench.vulkan);
  return ok ? json_builder_get_root (json) : NULL;
}
