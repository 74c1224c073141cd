/* Sessions on a GPU: the same bytes as the CPU's, whatever happens to the GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <glib/gstdio.h>
#include <string.h>

#define NUMBERS(...) ((const int[]){__VA_ARGS__, END})

static const int turns[] = {
    0, 1, 2, 3, RESET, 4, 5, DRAIN, 6, SWITCH, 7, 8, 9, SWITCH, 10, 11, END};

static Stream
make_stream (const char *model, int width, int height)
{
  Stream stream = {.model = model, .config = DSSR_SESSION_CONFIG_INIT};
  stream.config.threads = 1;
  stream.config.format = (DssrFormat){
      .width = width,
      .height = height,
      .depth = 8,
      .chroma = DSSR_CHROMA_420,
  };
  return stream;
}

static void
check_same (Stream stream, const int *numbers)
{
  DssrStats stats;
  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (GPtrArray) cpu = stream_run (&stream, numbers);
  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.stats = &stats;
  g_autoptr (GPtrArray) gpu = stream_run (&stream, numbers);
  assert_all_same (cpu, gpu);
  g_assert_true (g_str_has_prefix (stats.backend, "vulkan ("));
  g_assert_null (stats.fallback);
}

static void
test_model (gconstpointer model)
{
  check_same (make_stream (model, 37, 29), NUMBERS (0, 1, 2, 3));
}

static void
test_small (void)
{
  const int sizes[][2] = {{1, 1}, {1, 9}, {2, 1}, {2, 3}, {3, 3}, {5, 2}};
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (int chroma = DSSR_CHROMA_NONE; chroma <= DSSR_CHROMA_444; chroma++) {
      Stream stream = make_stream ("x2", sizes[i][0], sizes[i][1]);
      stream.config.format.chroma = chroma;
      check_same (stream, NUMBERS (0, 1, 2));
      stream.model = "x4";
      check_same (stream, NUMBERS (0));
    }
  }
}

/* Planar, NV12, P010 and more. */
static void
test_layouts (void)
{
  const Layout layouts[] = {
      {0},
      {.padding = 13},
      {.interleaved = TRUE},
      {.padding = 6, .interleaved = TRUE, .bottom_up = TRUE},
  };
  const struct {
    int depth, shift;
  } depths[] = {{8, 0}, {9, 0}, {10, 0}, {10, 6}, {12, 4}};

  for (guint d = 0; d < G_N_ELEMENTS (depths); d++) {
    for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
      Stream stream = make_stream (i & 1 ? "x4" : "x2", 19, 15);
      stream.config.format.depth = depths[d].depth;
      stream.config.format.shift = depths[d].shift;
      stream.config.format.cosited_x = i > 1;
      stream.config.format.cosited_y = i > 2;
      stream.layout = layouts[i];
      check_same (stream, NUMBERS (0, 1));
    }
  }
}

/* All that makes features anew or uses their slots again. */
static void
test_turns (void)
{
  for (int lookahead = 0; lookahead <= 2; lookahead++) {
    Stream stream = make_stream ("x2", 23, 31);
    stream.config.lookahead = lookahead;
    stream.other = "x2-window5";
    stream.base_from = 3;
    stream.base_to = 5;
    check_same (stream, turns);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_auto (GStrv) devices = dssr_list_devices ();
  if (!devices[0]) {
    g_print ("1..0 # SKIP there is no Vulkan device\n");
    return 0;
  }

  const char *const models[] = {"x2", "x2-other", "x2-zero", "x2-window1",
      "x2-window5", "x2-sparse4", "x2-unshuffle", "x2-cascade", "x4",
      "x4-sparse8"};
  for (guint i = 0; i < G_N_ELEMENTS (models); i++) {
    g_autofree char *name = g_strconcat ("/vulkan/model/", models[i], NULL);
    g_test_add_data_func (name, models[i], test_model);
  }
  g_test_add_func ("/vulkan/small", test_small);
  g_test_add_func ("/vulkan/layouts", test_layouts);
  g_test_add_func ("/vulkan/turns", test_turns);
  return g_test_run ();
}
