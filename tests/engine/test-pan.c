/* Sessions of models that follow pans.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#define NUMBERS(...) ((const int[]){__VA_ARGS__, END})

static Stream
pan_stream (const char *model)
{
  Stream stream = stream_of (model, 83, 134);
  stream.pans = TRUE;
  stream.config.backend = DSSR_BACKEND_SCALAR;
  stream.config.lookahead = 2;
  return stream;
}

static gboolean
is_same (const GPtrArray *a, guint i, const GPtrArray *b, guint j)
{
  return g_bytes_equal (a->pdata[i], b->pdata[j]);
}

/* The same bytes with any number of threads and rows in a band. */
static void
test_same (void)
{
  const char *models[] = {"x2-follow", "x2-follow5"};
  const int *numbers = NUMBERS (
      0, 1, 2, 2, 3, 4, LEAVE, 5, FOLLOW, 6, 7, DRAIN, 8, 100, 101, RESET, 9);

  for (guint i = 0; i < G_N_ELEMENTS (models); i++) {
    Stream stream = pan_stream (models[i]);
    stream.config.format.depth = i ? 10 : 8;
    g_autoptr (GPtrArray) contract = stream_run (&stream, numbers);
    stream.config.backend = DSSR_BACKEND_CPU;
    for (int threads = 1; threads <= 3; threads++) {
      for (int rows = 0; rows <= 12; rows += 4) {
        stream.config.threads = threads;
        stream.config.band_rows = rows;
        g_autoptr (GPtrArray) cpu = stream_run (&stream, numbers);
        assert_all_same (contract, cpu);
      }
    }
  }
}

/* A pan counts, and not where planes may not be read, nor one that is too fast
 * to be found. */
static void
test_counts (void)
{
  Stream stream = pan_stream ("x2-follow");
  g_autoptr (GPtrArray) followed = stream_run (&stream, NUMBERS (0, 1, 2, 3));
  g_autoptr (GPtrArray) left =
      stream_run (&stream, NUMBERS (LEAVE, 0, 1, 2, 3));
  g_autoptr (GPtrArray) in_part =
      stream_run (&stream, NUMBERS (0, 1, LEAVE, 2, 3));
  g_autoptr (GPtrArray) fast = stream_run (&stream, NUMBERS (100, 101, 102));
  g_autoptr (GPtrArray) fast_left =
      stream_run (&stream, NUMBERS (LEAVE, 100, 101, 102));

  for (guint i = 0; i < followed->len; i++)
    g_assert_false (is_same (followed, i, left, i));
  assert_same (in_part, 0, followed, 0);
  g_assert_false (is_same (in_part, 1, followed, 1));
  g_assert_false (is_same (in_part, 1, left, 1));
  assert_same (in_part, 2, left, 2);
  assert_all_same (fast, fast_left);
}

/* Every fourth frame is pushed: the pans are those of what was, and reach as
 * far as they may. Pixels away from the edges move with the picture, as it
 * moves by whole pixels of every level. */
static void
test_moves (void)
{
  Stream stream = pan_stream ("x2-follow5");
  stream.config.format.width = 240;
  stream.config.format.height = 220;
  g_autoptr (GPtrArray) there =
      stream_run (&stream, NUMBERS (0, 4, 8, 12, 16, 20));
  const int width = 2 * stream.config.format.width;
  const int height = 2 * stream.config.format.height, reach = 166;
  const guint16 *a = g_bytes_get_data (there->pdata[2], NULL);
  const guint16 *b = g_bytes_get_data (there->pdata[3], NULL);

  /* Frame 3 has 24 columns further left and 16 rows further down what frame 2
   * has. */
  for (int y = reach; y < height - reach - 16; y++)
    for (int x = reach + 24; x < width - reach; x++)
      g_assert_cmpint (a[y * width + x], ==, b[(y + 16) * width + x - 24]);
}

/* A model that follows takes over from one that does not, and finds the pans of
 * frames that were there before. */
static void
test_switch (void)
{
  Stream stream = pan_stream ("x2");
  stream.other = "x2-follow";
  g_autoptr (GPtrArray) switched =
      stream_run (&stream, NUMBERS (0, 1, 2, SWITCH, 3, 4));
  stream.model = "x2-follow";
  g_autoptr (GPtrArray) always = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));

  for (guint i = 2; i < always->len; i++)
    assert_same (switched, i, always, i);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pan/same", test_same);
  g_test_add_func ("/pan/counts", test_counts);
  g_test_add_func ("/pan/moves", test_moves);
  g_test_add_func ("/pan/switch", test_switch);
  return g_test_run ();
}
