/* Another sub-model in the middle of a stream: the message, what cannot be
 * loaded or takes long, and the pace of the frames.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LANDSCAPE "landscape-x2-balanced"
#define PORTRAIT "portrait-x2-balanced"
#define FILE_OF(name) name ".safetensors"

enum { SCENE_LANDSCAPE = 1, SCENE_PORTRAIT = 2 };

static GstHarness *
harness (const gchar *dir)
{
  g_setenv ("DSSR_MODEL_DIR", dir, TRUE);
  GstElement *element = test_element (NULL, 1);
  g_object_set (element, "scene", SCENE_LANDSCAPE, NULL);
  return test_harness (element, test_caps ("I420", 20, 14));
}

static gboolean
uses (GstHarness *h, const gchar *name)
{
  g_autofree gchar *used = test_stat_string (h, "sub-model");
  return g_str_equal (used, name);
}

/* Pushes frames from *n on until the sub-model is used. */
static void
push_until (GstHarness *h, guint *n, const gchar *name)
{
  for (guint i = 0; i < 1000 && !uses (h, name); i++) {
    test_push (h, (*n)++);
    g_usleep (5000);
  }
  g_assert_true (uses (h, name));
}

/* The next message about a switch, or NULL. */
static GstMessage *
next_message (GstHarness *h)
{
  GstMessage *message;

  while ((message = test_message (h, GST_MESSAGE_ELEMENT))
         && !gst_message_has_name (message, "dssr-sub-model"))
    gst_message_unref (message);
  return message;
}

/* Asserts that this is the next switch that the element tells of. */
static void
expect_message (GstHarness *h, const gchar *from, const gchar *to)
{
  GstMessage *message = next_message (h);

  g_assert_nonnull (message);
  const GstStructure *structure = gst_message_get_structure (message);
  g_assert_cmpstr (gst_structure_get_string (structure, "from"), ==, from);
  g_assert_cmpstr (gst_structure_get_string (structure, "to"), ==, to);
  g_assert_cmpstr (
      gst_structure_get_string (structure, "reason"), ==, "scene: property");
  gst_message_unref (message);
}

static void
expect_no_message (GstHarness *h)
{
  GstMessage *message = next_message (h);

  g_assert_null (message);
}

static void
finish (GstHarness *h, guint frames)
{
  gst_harness_push_event (h, gst_event_new_eos ());
  for (guint i = 0; i < frames; i++)
    test_expect_frame (h, i);
  test_expect_none (h);
  test_teardown (h);
}

static void
test_messages (void)
{
  gchar *dir = test_model_dir (
      FILE_OF (LANDSCAPE), "x2", FILE_OF (PORTRAIT), "x2-zero", NULL);
  GstHarness *h = harness (dir);
  guint n = 0;

  test_push (h, n++);
  expect_no_message (h);
  for (guint i = 0; i < 3; i++) {
    g_object_set (h->element, "scene", SCENE_PORTRAIT, NULL);
    push_until (h, &n, PORTRAIT);
    expect_message (h, LANDSCAPE, PORTRAIT);
    g_object_set (h->element, "scene", SCENE_LANDSCAPE, NULL);
    push_until (h, &n, LANDSCAPE);
    expect_message (h, PORTRAIT, LANDSCAPE);
  }
  /* What was loaded is kept: it is used at once. */
  g_object_set (h->element, "scene", SCENE_PORTRAIT, NULL);
  test_push (h, n++);
  g_assert_true (uses (h, PORTRAIT));
  expect_message (h, LANDSCAPE, PORTRAIT);
  finish (h, n);
  test_remove_dir (dir);
}

static void
ask (GstHarness *h, gint scene, const gchar *mode)
{
  g_object_set (h->element, "scene", scene, NULL);
  gst_util_set_object_arg (G_OBJECT (h->element), "power-mode", mode);
}

/* Four are kept, and the one that was asked for longest ago goes. */
static void
test_kept (void)
{
  gchar *dir = test_model_dir (FILE_OF (LANDSCAPE), "x2", FILE_OF (PORTRAIT),
      "x2-zero", FILE_OF ("landscape-x2-saver"), "x2-other",
      FILE_OF ("portrait-x2-saver"), "x2", FILE_OF ("landscape-x2-quality"),
      "x2-zero", FILE_OF ("portrait-x2-quality"), "x2-other", NULL);
  GstHarness *h = harness (dir);
  guint n = 0;

  ask (h, SCENE_LANDSCAPE, "balanced");
  push_until (h, &n, LANDSCAPE);
  ask (h, SCENE_PORTRAIT, "balanced");
  push_until (h, &n, PORTRAIT);
  ask (h, SCENE_PORTRAIT, "saver");
  push_until (h, &n, "portrait-x2-saver");
  ask (h, SCENE_LANDSCAPE, "saver");
  push_until (h, &n, "landscape-x2-saver");
  ask (h, SCENE_LANDSCAPE, "performance");
  push_until (h, &n, "landscape-x2-quality");

  ask (h, SCENE_PORTRAIT, "balanced");
  test_push (h, n++);
  g_assert_true (uses (h, PORTRAIT));
  ask (h, SCENE_PORTRAIT, "performance");
  push_until (h, &n, "portrait-x2-quality");
  ask (h, SCENE_PORTRAIT, "balanced");
  test_push (h, n++);
  g_assert_true (uses (h, PORTRAIT));
  ask (h, SCENE_PORTRAIT, "saver");
  test_push (h, n++);
  g_assert_false (uses (h, "portrait-x2-saver"));
  push_until (h, &n, "portrait-x2-saver");
  test_teardown (h);
  test_remove_dir (dir);
}

/* A broken file: a warning, once, and the stream goes on; also with other
 * caps. Asked for again, it is tried again. */
static void
test_broken (void)
{
  gchar *dir = test_model_dir (FILE_OF (LANDSCAPE), "x2", NULL);
  g_autofree gchar *path = g_build_filename (dir, FILE_OF (PORTRAIT), NULL);
  g_assert_true (g_file_set_contents (path, "no model", -1, NULL));
  GstHarness *h = harness (dir);
  guint n = 0;

  for (guint turn = 0; turn < 2; turn++) {
    g_object_set (h->element, "scene", SCENE_PORTRAIT, NULL);
    for (guint i = 0; i < 30; i++) {
      test_push (h, n++);
      g_usleep (10000);
    }
    test_expect_error (h, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
        GST_RESOURCE_ERROR_OPEN_READ, PORTRAIT, LANDSCAPE, "stays in use",
        NULL);
    g_assert_null (test_message (h, GST_MESSAGE_WARNING));
    g_assert_true (uses (h, LANDSCAPE));
    g_object_set (h->element, "scene", SCENE_LANDSCAPE, NULL);
    test_push (h, n++);
  }
  for (guint i = 0; i < n - 1; i++)
    test_expect_frame (h, i);

  g_object_set (h->element, "scene", SCENE_PORTRAIT, NULL);
  gst_harness_set_src_caps (
      h, gst_caps_from_string ("video/x-raw, format=I420, width=30, height=20, "
                               "framerate=25/1"));
  test_expect_error (h, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_OPEN_READ, PORTRAIT, LANDSCAPE, "stays in use", NULL);
  test_expect_frame (h, n - 1);
  for (guint i = 0; i < 10; i++) {
    test_push (h, n + i);
    g_usleep (10000);
  }
  g_assert_null (test_message (h, GST_MESSAGE_WARNING));
  g_assert_null (test_message (h, GST_MESSAGE_ERROR));
  expect_no_message (h);
  for (guint i = 0; i < 9; i++)
    test_expect_frame (h, n + i);
  test_teardown (h);
  test_remove_dir (dir);
}

/* One that enlarges otherwise is refused in the same way. */
static void
test_other_scale (void)
{
  gchar *dir = test_model_dir (
      FILE_OF (LANDSCAPE), "x2", FILE_OF (PORTRAIT), "x4", NULL);
  GstHarness *h = harness (dir);
  guint n = 0;

  g_object_set (h->element, "scene", SCENE_PORTRAIT, NULL);
  for (guint i = 0; i < 30; i++) {
    test_push (h, n++);
    g_usleep (10000);
  }
  test_expect_error (h, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_OPEN_READ, PORTRAIT, "4 times", NULL);
  g_assert_true (uses (h, LANDSCAPE));
  finish (h, n);
  test_remove_dir (dir);
}

/* A file that takes for ever to read, as on a drive that sleeps: no frame
 * waits. When it cannot be read in the end, and something else is wanted by
 * then, nobody is told. */
static void
test_slow (void)
{
  gchar *dir = test_model_dir (FILE_OF (LANDSCAPE), "x2", NULL);
  g_autofree gchar *path = g_build_filename (dir, FILE_OF (PORTRAIT), NULL);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  GstHarness *h = harness (dir);
  guint n = 0;

  g_object_set (h->element, "scene", SCENE_PORTRAIT, NULL);
  for (guint i = 0; i < 50; i++) {
    test_push (h, n++);
    g_assert_true (uses (h, LANDSCAPE));
  }
  for (guint i = 0; i < n - 1; i++)
    test_expect_frame (h, i);
  expect_no_message (h);
  g_object_set (h->element, "scene", SCENE_LANDSCAPE, NULL);
  test_push (h, n++);
  test_expect_frame (h, n - 2);

  /* Lets the reader go, which waits for a writer. */
  FILE *writer = fopen (path, "w");
  g_assert_nonnull (writer);
  fclose (writer);
  for (guint i = 0; i < 20; i++) {
    test_push (h, n++);
    test_expect_frame (h, n - 2);
    g_usleep (5000);
  }
  g_assert_null (test_message (h, GST_MESSAGE_WARNING));
  test_teardown (h);
  test_remove_dir (dir);
}

/* ---- Pace ---- */

enum { N_FRAMES = 300, EVERY = 20, WIDTH = 240, HEIGHT = 136 };

/* How a run went: seconds of computing for each frame, and its mean luma. */
typedef struct {
  gdouble seconds[N_FRAMES];
  gdouble luma[N_FRAMES];
  guint switches;
} Run;

static gdouble
read_clock (clockid_t id)
{
  struct timespec now;

  g_assert_cmpint (clock_gettime (id, &now), ==, 0);
  return (gdouble)now.tv_sec + (gdouble)now.tv_nsec / 1e9;
}

/* A film with edges, slopes and movement. */
static GstBuffer *
draw (const GstVideoInfo *info, guint n)
{
  GstBuffer *buffer = test_frame (info, n);
  GstVideoFrame video;

  g_assert_true (gst_video_frame_map (&video, info, buffer, GST_MAP_WRITE));
  for (guint y = 0; y < HEIGHT; y++) {
    guint8 *row = test_component (&video, 0) + y * (guint)info->stride[0];
    for (guint x = 0; x < WIDTH; x++) {
      guint shape = ((x + 2 * n) / 24 + y / 17) % 2 ? 60 : 0;
      row[x] = (guint8)(40 + x / 3 + y / 4 + shape);
    }
  }
  gst_video_frame_unmap (&video);
  return buffer;
}

static gdouble
measure_luma (GstHarness *h, GstBuffer *buffer)
{
  GstVideoInfo info = test_sink_info (h);
  GstVideoFrame video;
  guint64 sum = 0;

  g_assert_true (gst_video_frame_map (&video, &info, buffer, GST_MAP_READ));
  for (gint y = 0; y < info.height; y++) {
    const guint8 *row =
        test_component (&video, 0)
        + (gsize)y * (gsize)GST_VIDEO_FRAME_PLANE_STRIDE (&video, 0);
    for (gint x = 0; x < info.width; x++)
      sum += row[x];
  }
  gst_video_frame_unmap (&video);
  return (gdouble)sum / info.width / info.height;
}

static void
take_frame (GstHarness *h, Run *run, guint *taken)
{
  GstBuffer *buffer = test_pull (h);

  if (!buffer)
    return;
  g_assert_cmpuint (*taken, <, N_FRAMES);
  run->luma[(*taken)++] = measure_luma (h, buffer);
  gst_buffer_unref (buffer);
}

/* Enlarges the film at one frame in `interval` seconds. What a frame costs
 * is the processor's time while it is pushed, of the thread that loads too.
 * switching: through six sub-models, more than are kept: each is loaded */
static void
enlarge (GstElement *element, gboolean switching, gdouble interval, Run *run)
{
  static const gchar *const modes[] = {"performance", "balanced", "saver"};
  g_object_set (element, "threads", 1, NULL);
  GstHarness *h = test_harness (element, test_caps ("I420", WIDTH, HEIGHT));
  GstVideoInfo info = test_src_info (h);
  gdouble start = read_clock (CLOCK_MONOTONIC);
  guint taken = 0, turn = 0;

  gst_base_transform_set_qos_enabled (GST_BASE_TRANSFORM (element), FALSE);
  for (guint n = 0; n < N_FRAMES; n++) {
    if (switching && n && n % EVERY == 0) {
      turn++;
      g_object_set (
          element, "scene", turn % 2 ? SCENE_PORTRAIT : SCENE_LANDSCAPE, NULL);
      gst_util_set_object_arg (
          G_OBJECT (element), "power-mode", modes[turn % 3]);
    }
    gdouble wait = start + n * interval - read_clock (CLOCK_MONOTONIC);
    if (wait > 0)
      g_usleep ((gulong)(1e6 * wait));
    GstBuffer *buffer = draw (&info, n);
    gdouble before = read_clock (CLOCK_PROCESS_CPUTIME_ID);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    run->seconds[n] = read_clock (CLOCK_PROCESS_CPUTIME_ID) - before;
    take_frame (h, run, &taken);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  take_frame (h, run, &taken);
  g_assert_cmpuint (taken, ==, N_FRAMES);
  GstMessage *message;
  for (run->switches = 0; (message = next_message (h)); run->switches++)
    gst_message_unref (message);
  g_assert_null (test_message (h, GST_MESSAGE_WARNING));
  test_teardown (h);
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *)a, y = *(const gdouble *)b;
  return x < y ? -1 : x > y;
}

static gdouble
find_median (const Run *run)
{
  gdouble seconds[N_FRAMES];

  memcpy (seconds, run->seconds, sizeof seconds);
  qsort (seconds, N_FRAMES, sizeof *seconds, compare);
  return seconds[N_FRAMES / 2];
}

/* The most that a frame comes after it would if each took `usual`, in frame
 * intervals, when one begins as the one before is done and not before its time.
 */
static gdouble
find_latest (const Run *run, gdouble interval, gdouble usual)
{
  gdouble end = 0, latest = 0;

  for (guint n = 0; n < N_FRAMES; n++) {
    end = MAX (end, n * interval) + run->seconds[n];
    latest = MAX (latest, end - n * interval - usual);
  }
  return latest / interval;
}

/* Two models, each for one scene in all rungs. */
static gchar *
copy_models (void)
{
  static const gchar *const rungs[] = {"quality", "balanced", "saver"};
  g_autofree gchar *shipped = g_build_filename (
      g_getenv ("DSSR_SHIPPED_MODELS"), FILE_OF (LANDSCAPE), NULL);
  gchar *dir = test_model_dir (FILE_OF (PORTRAIT), "x2-zero", NULL);
  g_autofree gchar *zero = g_build_filename (dir, FILE_OF (PORTRAIT), NULL);
  const gchar *const files[] = {shipped, zero};

  for (guint i = 0; i < 6; i++) {
    g_autofree gchar *name = g_strdup_printf (
        "%s-x2-%s.safetensors", i % 2 ? "portrait" : "landscape", rungs[i / 2]);
    g_autofree gchar *path = g_build_filename (dir, name, NULL);
    g_autofree gchar *contents = NULL;
    gsize length;
    g_assert_true (
        g_file_get_contents (files[i % 2], &contents, &length, NULL));
    g_assert_true (g_file_set_contents (path, contents, length, NULL));
  }
  return dir;
}

static GstElement *
shipped_element (gint scene)
{
  GstElement *element = test_element (NULL, 1);
  g_object_set (element, "scene", scene, NULL);
  gst_util_set_object_arg (G_OBJECT (element), "power-mode", "performance");
  return element;
}

/* Frame intervals that a frame may be late by. With a sanitizer, loading takes
 * longer beside a frame than it does for users. */
#ifdef __SANITIZE_ADDRESS__
#define LATEST G_MAXDOUBLE
#else
#define LATEST 1.5
#endif

/* 300 frames at 80 % load with a switch every 20 frames, which loads a model
 * each time: no frame is later than LATEST, and none lights up or goes dark.
 * By the processor's clock, since others may keep it busy. */
static void
test_pace (void)
{
  static Run plain[2], switched;
  gchar *dir = copy_models ();
  gdouble latest = 0;

  for (guint attempt = 0; attempt < 5; attempt++) {
    for (guint i = 0; i < 2; i++) {
      enlarge (shipped_element (i ? SCENE_PORTRAIT : SCENE_LANDSCAPE), FALSE, 0,
          &plain[i]);
      g_assert_cmpuint (plain[i].switches, ==, 0);
    }
    gdouble usual = MAX (find_median (&plain[0]), find_median (&plain[1]));
    gdouble interval = usual / 0.8;
    enlarge (shipped_element (SCENE_LANDSCAPE), TRUE, interval, &switched);
    g_assert_cmpuint (switched.switches, ==, N_FRAMES / EVERY - 1);

    latest = find_latest (&switched, interval, usual);
    g_test_message ("an interval of %.2f ms; the latest frame is late by %.2f "
                    "of it, without switches by %.2f and %.2f",
        1e3 * interval, latest, find_latest (&plain[0], interval, usual),
        find_latest (&plain[1], interval, usual));
    if (latest <= LATEST)
      break;
  }
  g_assert_cmpfloat (latest, <=, LATEST);
  for (guint n = 0; n < N_FRAMES; n++) {
    g_assert_cmpfloat (fabs (switched.luma[n] - plain[0].luma[n]), <=, 1);
    g_assert_cmpfloat (fabs (switched.luma[n] - plain[1].luma[n]), <=, 1);
  }
  test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/switch/messages", test_messages);
  g_test_add_func ("/switch/kept", test_kept);
  g_test_add_func ("/switch/broken", test_broken);
  g_test_add_func ("/switch/other-scale", test_other_scale);
  g_test_add_func ("/switch/slow", test_slow);
  g_test_add_func ("/switch/pace", test_pace);
  return test_run ();
}
