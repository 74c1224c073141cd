/* Sessions that average the noise of a still scene.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <math.h>
#include <string.h>

#define NUMBERS(...) ((const int[]){__VA_ARGS__, END})

static Stream
still_stream (const char *model)
{
  Stream stream = stream_of (model, 83, 70);
  stream.still = TRUE;
  return stream;
}

static gboolean
is_same (const GPtrArray *a, guint i, const GPtrArray *b, guint j)
{
  return g_bytes_equal (a->pdata[i], b->pdata[j]);
}

/* Mean difference of luma from frame i to the next. */
static double
flicker (const Stream *stream, const GPtrArray *frames, guint i, int scale)
{
  const guint16 *a = g_bytes_get_data (frames->pdata[i], NULL);
  const guint16 *b = g_bytes_get_data (frames->pdata[i + 1], NULL);
  int n = scale * scale * stream->config.format.width
          * stream->config.format.height;
  double sum = 0;

  for (int k = 0; k < n; k++)
    sum += abs (a[k] - b[k]);
  return sum / n;
}

/* The same bytes whatever computes them, a late frame's too, and a quarter of
 * the flicker; chroma knows nothing of it. */
static void
check_still (Stream stream, int scale)
{
  const int *denoised = NUMBERS (DENOISE, 0, 1, 2, 3, 4, 5, 6);
  DssrStats stats;
  stream.config.backend = DSSR_BACKEND_SCALAR;
  g_autoptr (GPtrArray) plain =
      stream_run (&stream, NUMBERS (0, 1, 2, 3, 4, 5, 6));
  stream.stats = &stats;
  g_autoptr (GPtrArray) contract = stream_run (&stream, denoised);
  g_assert_cmpfloat_with_epsilon (stats.noise, 1.9, 0.25);

  gsize size, luma = sizeof (guint16) * (gsize)(scale * scale)
                     * (gsize)stream.config.format.width
                     * (gsize)stream.config.format.height;
  for (guint i = 0; i < plain->len; i++) {
    const guint8 *a = g_bytes_get_data (plain->pdata[i], &size);
    const guint8 *b = g_bytes_get_data (contract->pdata[i], NULL);
    g_assert_cmpint (memcmp (a, b, luma) != 0, ==, i > 0);
    g_assert_cmpmem (a + luma, size - luma, b + luma, size - luma);
  }
  for (guint i = 2; i + 1 < plain->len; i++)
    g_assert_cmpfloat (flicker (&stream, contract, i, scale), <,
        flicker (&stream, plain, i, scale) / 4);

  stream.config.backend = DSSR_BACKEND_CPU;
  for (int threads = 1; threads <= 3; threads++) {
    stream.config.threads = threads;
    g_autoptr (GPtrArray) cpu = stream_run (&stream, denoised);
    assert_all_same (contract, cpu);
  }
}

static void
test_still (void)
{
  const Layout layouts[] = {
      {0},
      {.interleaved = TRUE, .padding = 13},
      {.bottom_up = TRUE, .padding = 6},
  };
  const struct {
    int depth, shift;
  } depths[] = {{8, 0}, {10, 6}, {12, 0}};

  for (guint i = 0; i < 3; i++) {
    for (guint j = 0; j < 3; j++) {
      Stream stream = still_stream ("x2-zero");
      stream.layout = layouts[i];
      stream.config.format.depth = depths[j].depth;
      stream.config.format.shift = depths[j].shift;
      check_still (stream, 2);
      stream.base_to = 7;
      check_still (stream, 2);
    }
  }
}

/* What the network draws is of the averaged frames, of the window's all. */
static void
test_network (void)
{
  Stream stream = still_stream ("x2");
  g_autoptr (GPtrArray) plain = stream_run (&stream, NUMBERS (0, 1, 2, 3));
  for (int lookahead = 0; lookahead <= 1; lookahead++) {
    stream.config.lookahead = lookahead;
    stream.config.backend = DSSR_BACKEND_SCALAR;
    g_autoptr (GPtrArray) contract =
        stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, 3));
    stream.config.backend = DSSR_BACKEND_CPU;
    stream.config.threads = 2;
    g_autoptr (GPtrArray) cpu =
        stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, 3));
    assert_all_same (contract, cpu);
    g_assert_false (is_same (plain, 2, cpu, 2));
  }
}

/* What moves is what it was, and costs no memory. */
static void
test_moves (void)
{
  Stream stream = still_stream ("x2");
  DssrStats plain_stats, stats;
  stream.still = FALSE;
  stream.stats = &plain_stats;
  g_autoptr (GPtrArray) plain = stream_run (&stream, NUMBERS (0, 1, 2, 3));
  stream.stats = &stats;
  g_autoptr (GPtrArray) denoised =
      stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, 3));
  assert_all_same (plain, denoised);
  g_assert_cmpfloat (stats.noise, ==, 0);
  g_assert_cmpuint (stats.memory, ==, plain_stats.memory);

  /* Two planes of means, and luma of each frame of the window. */
  stream.still = TRUE;
  g_autoptr (GPtrArray) still =
      stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, 3, 4, 5, 6));
  g_assert_cmpuint (
      stats.memory, ==, plain_stats.memory + 83 * 70 * (2 * 2 + 3));
}

/* Nothing is remembered beyond a drain, a reset, another scene, or frames that
 * are not to be denoised. Where the network draws nothing each frame stands for
 * itself. */
static void
test_restart (void)
{
  Stream stream = still_stream ("x2-zero");
  g_autoptr (GPtrArray) plain =
      stream_run (&stream, NUMBERS (0, 1, 2, 3, 4, 5, 6));
  g_autoptr (GPtrArray) late = stream_run (&stream, NUMBERS (DENOISE, 3, 4, 5));
  g_autoptr (GPtrArray) drained =
      stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, DRAIN, 3, 4, 5));
  g_autoptr (GPtrArray) reset =
      stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, RESET, 3, 4, 5));
  g_autoptr (GPtrArray) off = stream_run (
      &stream, NUMBERS (DENOISE, 0, 1, KEEP_NOISE, 2, DENOISE, 3, 4, 5));

  assert_same (late, 0, plain, 3);
  g_autoptr (GPtrArray) scene =
      stream_run (&stream, NUMBERS (DENOISE, 100, 101, 102));
  g_autoptr (GPtrArray) cut =
      stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, 100, 101, 102));
  g_assert_false (is_same (late, 1, plain, 4));
  for (guint i = 0; i < 3; i++) {
    assert_same (drained, 3 + i, late, i);
    assert_same (reset, reset->len - 3 + i, late, i);
    assert_same (off, 3 + i, late, i);
    assert_same (cut, 3 + i, scene, i);
  }
  g_assert_false (is_same (off, 1, plain, 1));
  assert_same (off, 2, plain, 2);
}

/* What was averaged stays, with models of any window, and goes on. */
static void
test_switch (void)
{
  const char *const models[] = {"x2-window1", "x2", "x2-window5"};

  for (guint from = 0; from < 3; from++) {
    for (guint to = 0; to < 3; to++) {
      Stream stream = still_stream (models[to]);
      stream.config.lookahead = 2;
      g_autoptr (GPtrArray) all =
          stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2, 3, 4, 5, 6, 7));
      stream.model = models[from];
      stream.other = models[to];
      g_autoptr (GPtrArray) switched = stream_run (
          &stream, NUMBERS (DENOISE, 0, 1, 2, SWITCH, 3, 4, 5, 6, 7));
      g_assert_cmpuint (switched->len, ==, 8);
      for (guint i = 5; i < 8; i++)
        assert_same (all, i, switched, i);
    }
  }
}

/* Planes of RGB are left as they are. */
static void
test_rgb (void)
{
  Stream stream = still_stream ("x2-rgb-zero");
  stream.config.format.chroma = DSSR_CHROMA_RGB;
  g_autoptr (GPtrArray) plain = stream_run (&stream, NUMBERS (0, 1, 2));
  g_autoptr (GPtrArray) denoised =
      stream_run (&stream, NUMBERS (DENOISE, 0, 1, 2));
  assert_all_same (plain, denoised);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/denoise/still", test_still);
  g_test_add_func ("/denoise/network", test_network);
  g_test_add_func ("/denoise/moves", test_moves);
  g_test_add_func ("/denoise/restart", test_restart);
  g_test_add_func ("/denoise/switch", test_switch);
  g_test_add_func ("/denoise/rgb", test_rgb);
  return g_test_run ();
}
