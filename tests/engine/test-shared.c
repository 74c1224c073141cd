/* Pictures in memory that the GPU shares: the same bytes, and none of them
 * copied.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NUMBERS(...) ((const int[]){__VA_ARGS__, END})

static Stream
make_stream (int width, int height, Layout layout)
{
  Stream stream = stream_of ("x2", width, height);
  stream.layout = layout;
  return stream;
}

/* Returns how many bytes were copied for the GPU. */
static guint64
check_same (Stream stream, const int *numbers)
{
  DssrStats stats;
  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (GPtrArray) cpu = stream_run (&stream, numbers);
  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.shared = TRUE;
  stream.stats = &stats;
  g_autoptr (GPtrArray) gpu = stream_run (&stream, numbers);
  assert_all_same (cpu, gpu);
  return stats.copied;
}

/* Rows that end in the middle of a word, planes that begin anywhere. */
static void
test_in_place (void)
{
  const struct {
    int depth, shift;
    gboolean interleaved;
  } formats[] = {{8, 0, FALSE}, {8, 0, TRUE}, {10, 0, FALSE}, {10, 6, TRUE}};

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    Stream stream = make_stream (22 - (int)i, 13,
        (Layout){.alignment = 4, .interleaved = formats[i].interleaved});
    stream.config.format.depth = formats[i].depth;
    stream.config.format.shift = formats[i].shift;
    g_assert_cmpuint (check_same (stream, NUMBERS (0, HIGH, 1, 2)), ==, 0);
  }
  Stream wide = make_stream (24, 10, (Layout){.padding = 12});
  g_assert_cmpuint (check_same (wide, NUMBERS (0, 1)), ==, 0);
}

/* What follows a row in the same word may be somebody else's; shaders know
 * neither odd strides nor pictures upside down. */
static void
test_copied (void)
{
  const Layout layouts[] = {
      {.alignment = 32}, {.padding = 1}, {.alignment = 4, .bottom_up = TRUE}};

  for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
    guint64 all = 2 * (15 * 9 + 2 * 8 * 5) + 2 * (30 * 18 + 2 * 15 * 9);
    guint64 copied =
        check_same (make_stream (15, 9, layouts[i]), NUMBERS (0, 1));
    g_assert_cmpuint (copied, >, 0);
    g_assert_cmpuint (copied, <=, all);
  }
  /* Without it, every byte is. */
  Stream stream = make_stream (16, 10, (Layout){0});
  DssrStats stats;
  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.stats = &stats;
  g_autoptr (GPtrArray) made = stream_run (&stream, NUMBERS (0, 1, 2));
  g_assert_cmpuint (stats.copied, ==, 3 * (5 * 16 * 10 * 3 / 2));
}

/* Models, windows, the base alone: what goes round the slots goes round
 * pictures too. */
static void
test_turns (void)
{
  static const int turns[] = {
      0, 1, 2, RESET, HIGH, 3, 4, DRAIN, 5, SWITCH, 6, NORMAL, 7, 8, END};
  Stream stream = make_stream (16, 12, (Layout){.interleaved = TRUE});

  stream.other = "x2-window5";
  stream.base_from = 2;
  stream.base_to = 4;
  g_assert_cmpuint (check_same (stream, turns), ==, 0);
}

/* A lost device's memory is read and written by the CPU. */
static void
test_lost (void)
{
  const char *const faults[] = {"lost@2", "timeout@1", "oom@0"};
  Stream stream = make_stream (16, 12, (Layout){0});
  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (GPtrArray) cpu = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));

  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.shared = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_setenv ("DSSR_VULKAN_FAULT", faults[i], TRUE);
    g_autoptr (GPtrArray) gpu = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));
    g_unsetenv ("DSSR_VULKAN_FAULT");
    assert_all_same (cpu, gpu);
  }
}

/* Memory outlives its session, and the device both. */
static void
test_lifetime (void)
{
  g_autoptr (DssrModel) model = load_model ("x2");
  g_autoptr (GError) error = NULL;
  Stream stream = make_stream (16, 16, (Layout){0});
  stream.config.backend = DSSR_BACKEND_VULKAN;
  DssrSession *session = dssr_session_new (model, &stream.config, &error);
  g_assert_no_error (error);
  g_autoptr (DssrDevice) device = dssr_session_get_device (session);
  DssrMemory *memory = dssr_memory_new (device, 1000, &error);
  g_assert_no_error (error);

  dssr_session_free (session);
  memset (dssr_memory_get_data (memory), 1, 1000);
  dssr_memory_free (memory);
  g_assert_null (dssr_memory_new (device, G_MAXINT64, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND);

  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (DssrSession) cpu = dssr_session_new (model, &stream.config, NULL);
  g_assert_null (dssr_session_get_device (cpu));
}

static gint64
thread_time (void)
{
  struct timespec now;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * (gint64)1000000000 + now.tv_nsec;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return (*(const gint64 *)a > *(const gint64 *)b)
         - (*(const gint64 *)a < *(const gint64 *)b);
}

#define TIMED_FRAMES 21
/* By then, all ways round the slots and the pictures are recorded. */
#define FIRST_FRAMES 6

/* CPU time in ns that a frame takes of the thread that pushes and pulls; of
 * frames whose commands are recorded. */
static gint64
measure (int width, int height, gboolean shared)
{
  g_autoptr (DssrModel) model = load_model ("x2-zero");
  g_autoptr (GError) error = NULL;
  Stream stream = make_stream (width, height, (Layout){.interleaved = TRUE});
  stream.config.backend = DSSR_BACKEND_VULKAN;
  g_autoptr (DssrSession) session =
      dssr_session_new (model, &stream.config, &error);
  g_assert_no_error (error);
  g_autoptr (DssrDevice) device =
      shared ? dssr_session_get_device (session) : NULL;
  DssrFormat format = stream.config.format;
  Image *in[3];
  gint64 times[TIMED_FRAMES];

  for (int i = 0; i < 3; i++) {
    in[i] = image_new_shared (&format, &stream.layout, device);
    image_draw (in[i], i);
  }
  format.width *= 2;
  format.height *= 2;
  Image *out = image_new_shared (&format, &stream.layout, device);
  for (int i = -FIRST_FRAMES; i < TIMED_FRAMES; i++) {
    gint64 start = thread_time ();
    dssr_session_push (session, &in[(i + FIRST_FRAMES) % 3]->picture,
        in[(i + FIRST_FRAMES) % 3], NULL, &error);
    g_assert_no_error (error);
    if (dssr_session_peek (session))
      dssr_session_pull (session, &out->picture, &error);
    g_assert_no_error (error);
    if (i >= 0)
      times[i] = thread_time () - start;
  }
  g_clear_pointer (&session, dssr_session_free);
  for (int i = 0; i < 3; i++)
    image_free (in[i]);
  image_free (out);
  qsort (times, TIMED_FRAMES, sizeof *times, compare);
  return times[TIMED_FRAMES / 2];
}

static void
check_thread_time (int width, int height)
{
  gint64 copied = measure (width, height, FALSE);
  gint64 shared = measure (width, height, TRUE);

  g_test_message ("CPU time of the thread that pulls, %dx%d to %dx%d, NV12: "
                  "%.3f ms copied, %.3f ms in place",
      width, height, 2 * width, 2 * height, (double)copied / 1e6,
      (double)shared / 1e6);
  /* The bar is 0.3 ms; the rest is for a busy machine. */
  g_assert_cmpint (shared, <, 1500000);
}

static void
test_thread_time (void)
{
  check_thread_time (320, 180);
}

/* Without copies it is the same for pictures of all sizes. */
static void
test_thread_time_of_4k (void)
{
  check_thread_time (1920, 1080);
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
  g_test_add_func ("/shared/in-place", test_in_place);
  g_test_add_func ("/shared/copied", test_copied);
  g_test_add_func ("/shared/turns", test_turns);
  g_test_add_func ("/shared/lost", test_lost);
  g_test_add_func ("/shared/lifetime", test_lifetime);
  if (g_test_slow ()) {
    g_test_add_func ("/shared/thread-time/320x180", test_thread_time);
    g_test_add_func ("/shared/thread-time/1920x1080", test_thread_time_of_4k);
  }
  return g_test_run ();
}
