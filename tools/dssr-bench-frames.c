/* dssr-bench: times whole frames.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-bench.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Before the timed frames: so many, or fewer if they take this long. */
enum { WARM_UP = 8, WARM_UP_MS = 1000 };

/* The stream goes through so many pictures to and fro. */
enum { MAX_PICTURES = 16 };

/* Enlarged pictures are written in turn, as into a pool of buffers. */
enum { OUTPUTS = 2 };

typedef struct {
  DssrModel *model;
  DssrSession *session;
  BenchContent *content;
  DssrPicture outputs[OUTPUTS];
} Bench;

static void
bench_clear (Bench *bench)
{
  g_clear_pointer (&bench->session, dssr_session_free);
  g_clear_pointer (&bench->model, dssr_model_unref);
  g_clear_pointer (&bench->content, bench_content_free);
  for (int i = 0; i < OUTPUTS; i++)
    g_free (bench->outputs[i].planes[0].data);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bench, bench_clear)

static gboolean
bench_init (Bench *bench, const BenchOptions *options, GError **error)
{
  bench->model = dssr_model_open (options->model, error);
  if (!bench->model)
    return FALSE;
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
  config.format = (DssrFormat){
      .width = options->width,
      .height = options->height,
      .depth = 8,
      .chroma = DSSR_CHROMA_420,
  };
  config.backend = options->backend;
  config.device = options->device;
  config.threads = options->threads;
  config.frames_in_flight = options->in_flight;
  bench->session = dssr_session_new (bench->model, &config, error);
  if (!bench->session)
    return FALSE;
  bench->content = bench_content_new (
      options, MIN (MAX_PICTURES, options->frames + WARM_UP), error);
  if (!bench->content)
    return FALSE;
  DssrFormat enlarged = config.format;
  enlarged.width *= dssr_model_get_scale (bench->model);
  enlarged.height *= dssr_model_get_scale (bench->model);
  for (int i = 0; i < OUTPUTS; i++)
    bench_picture_init (&bench->outputs[i], &enlarged);
  return TRUE;
}

/* Forwards, then backwards through the pictures: motion has no jump. */
static DssrPicture *
next_picture (const BenchContent *content, int number)
{
  int period = MAX (1, 2 * content->n_pictures - 2);
  int i = number % period;
  return &content->pictures[i < content->n_pictures ? i : period - i];
}

/* Pushes frames until `count` more are enlarged; writes the time of each, from
 * the end of the one before to its own. */
static gboolean
run (Bench *bench, int *pushed, int count, double *ms, GError **error)
{
  gint64 before = g_get_monotonic_time ();
  for (int done = 0; done < count;) {
    DssrPicture *picture = next_picture (bench->content, (*pushed)++);
    if (!dssr_session_push (bench->session, picture, picture, NULL, error))
      return FALSE;
    if (!dssr_session_peek (bench->session))
      continue;
    if (!dssr_session_pull (
            bench->session, &bench->outputs[done % OUTPUTS], error))
      return FALSE;
    gint64 now = g_get_monotonic_time ();
    ms[done++] = (double)(now - before) / 1000;
    before = now;
  }
  return TRUE;
}

static gboolean
warm_up (Bench *bench, int *pushed, GError **error)
{
  double ms, total = 0;
  for (int i = 0; i < WARM_UP && total < WARM_UP_MS; i++) {
    if (!run (bench, pushed, 1, &ms, error))
      return FALSE;
    total += ms;
  }
  return TRUE;
}

/* ---- Memory ---- */

/* What decoding and loading left behind is not the session's. */
static void
reset_peak_memory (void)
{
  malloc_trim (0);
  FILE *file = fopen ("/proc/self/clear_refs", "w");
  if (!file)
    return;
  fputs ("5", file);
  fclose (file);
}

/* The most that the process held since the reset, or ever where there is no
 * /proc. */
static double
peak_memory (void)
{
  g_autofree char *status = NULL;
  const char *line = NULL;
  if (g_file_get_contents ("/proc/self/status", &status, NULL, NULL))
    line = strstr (status, "VmHWM:");
  if (line)
    return atof (line + strlen ("VmHWM:")) * 1024 / 1e6;
  struct rusage usage;
  getrusage (RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss * 1024 / 1e6;
}

/* ---- Result ---- */

/* Names of DssrTime in the result. */
static const char *const stages[DSSR_N_TIMES] = {
    [DSSR_TIME_FRAME] = "frame",
    [DSSR_TIME_ALIGN] = "align",
    [DSSR_TIME_SAMPLE] = "sample",
    [DSSR_TIME_FUSE] = "fuse",
    [DSSR_TIME_HEAD] = "head",
    [DSSR_TIME_BASE] = "chroma",
    [DSSR_TIME_WAIT] = "wait",
};

typedef struct {
  DssrStats stats;
  int scale;
  double macs; /* per output pixel */
  double fps, median_ms, p99_ms, gmacs, peak_mb;
  double cpu_ms;         /* of the thread that calls, a frame */
  double gpu_ms, gpu_mb; /* a frame; 0: not on a GPU, or it has no clock */
  double operations, barriers; /* of the GPU, a frame */
  double shares[DSSR_N_TIMES]; /* of the time of all threads */
} Result;

/* before: the session's after the warm-up */
static void
evaluate (const Bench *bench, const DssrStats *before, double *ms, int n,
    Result *result)
{
  const DssrFormat *format = &bench->content->format;
  double total = 0, time = 0;
  for (int i = 0; i < n; i++)
    total += ms[i];
  result->scale = dssr_model_get_scale (bench->model);
  result->macs = dssr_model_get_macs (bench->model);
  result->fps = 1000 * n / total;
  result->median_ms = bench_quantile (ms, n, 0.5);
  result->p99_ms = bench_quantile (ms, n, 0.99);
  result->gmacs = result->macs * format->width * format->height
                  * (result->scale * result->scale) * result->fps / 1e9;
  result->peak_mb = peak_memory ();

  dssr_session_get_stats (bench->session, &result->stats);
  result->gpu_ms =
      1e-6 * (double)(result->stats.gpu_time_ns - before->gpu_time_ns) / n;
  result->gpu_mb =
      1e-6 * (double)(result->stats.gpu_traffic - before->gpu_traffic) / n;
  result->operations =
      (double)(result->stats.gpu_operations - before->gpu_operations) / n;
  result->barriers =
      (double)(result->stats.gpu_barriers - before->gpu_barriers) / n;
  for (int i = 0; i < DSSR_N_TIMES; i++)
    time += (double)(result->stats.time_ns[i] - before->time_ns[i]);
  for (int i = 0; i < DSSR_N_TIMES; i++)
    result->shares[i] =
        (double)(result->stats.time_ns[i] - before->time_ns[i]) / time;
}

static void
print_result (const BenchOptions *options, const Result *result)
{
  const DssrStats *stats = &result->stats;
  g_autofree char *model = g_path_get_basename (options->model);
  g_print ("model    %s, %.0f multiply-accumulates per output pixel\n", model,
      result->macs);
  g_print ("picture  %dx%d to %dx%d, 8 bits, 4:2:0, %s\n", options->width,
      options->height, options->width * result->scale,
      options->height * result->scale,
      options->input ? options->input : "noise");
  g_print ("backend  %s, %d thread%s\n", stats->backend, stats->threads,
      stats->threads > 1 ? "s" : "");
  g_print ("frame    median %.2f ms, 99th percentile %.2f ms of %d\n",
      result->median_ms, result->p99_ms, options->frames);
  g_print (
      "cpu      %.3f ms a frame of the thread that calls\n", result->cpu_ms);
  if (result->gpu_mb > 0)
    g_print ("gpu      %.3f ms a frame, %.1f MB read and written, %.0f "
             "operations, %.0f barriers\n",
        result->gpu_ms, result->gpu_mb, result->operations, result->barriers);
  g_print ("rate     %.1f frames/s, %.1f GMAC/s\n", result->fps, result->gmacs);
  g_print ("memory   peak %.1f MB, session %.1f MB\n", result->peak_mb,
      (double)stats->memory / 1e6);
  g_print ("stages  ");
  for (int i = 0; i < DSSR_N_TIMES; i++)
    g_print (" %s %.1f %%%s", stages[i], 100 * result->shares[i],
        i + 1 < DSSR_N_TIMES ? "," : "\n");
}

static JsonNode *
make_json (const BenchOptions *options, const Result *result)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  bench_add_string (builder, "model", options->model);
  bench_add_string (builder, "backend", result->stats.backend);
  bench_add_number (builder, "threads", result->stats.threads);
  bench_add_number (builder, "width", options->width);
  bench_add_number (builder, "height", options->height);
  bench_add_number (builder, "scale", result->scale);
  bench_add_number (builder, "fps", result->fps);
  bench_add_number (builder, "median_ms", result->median_ms);
  bench_add_number (builder, "p99_ms", result->p99_ms);
  bench_add_number (builder, "cpu_ms", result->cpu_ms);
  bench_add_number (builder, "gpu_ms", result->gpu_ms);
  bench_add_number (builder, "gpu_mb", result->gpu_mb);
  bench_add_number (builder, "gpu_operations", result->operations);
  bench_add_number (builder, "gpu_barriers", result->barriers);
  bench_add_number (builder, "gmacs", result->gmacs);
  bench_add_number (builder, "peak_rss_mb", result->peak_mb);
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_object (builder);
  for (int i = 0; i < DSSR_N_TIMES; i++)
    bench_add_number (builder, stages[i], result->shares[i]);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}

JsonNode *
bench_frames (const BenchOptions *options, GError **error)
{
  g_auto (Bench) bench = {0};
  if (!bench_init (&bench, options, error))
    return NULL;
  int pushed = 0;
  g_autofree double *ms = g_new (double, options->frames);
  DssrStats before;
  reset_peak_memory ();
  if (!warm_up (&bench, &pushed, error))
    return NULL;
  dssr_session_get_stats (bench.session, &before);
  double cpu = bench_seconds ();
  if (!run (&bench, &pushed, options->frames, ms, error))
    return NULL;
  Result result = {.cpu_ms = 1e3 * (bench_seconds () - cpu) / options->frames};
  evaluate (&bench, &before, ms, options->frames, &result);
  print_result (options, &result);
  return make_json (options, &result);
}
