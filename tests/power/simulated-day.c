/* Ten minutes that are a day: on the charger, then on a battery that falls from
 * 100 to 5 percent; heat that rises and falls; scenes that change; a picture
 * that is too large for a while. Sensors are umockdev's, the clock is the
 * test's, the sink is a live one that waits for a frame no longer than its
 * duration. Frames take the CPU time that they take in truth, on that clock and
 * on the engine's, so that other programs make none late.
 *
 * simulated-day CSV [FPS SIZE LARGE-SIZE]: writes a line for each second, and
 * fails unless the day went as it should.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <umockdev.h>

#include "gst/dssr/dssrscenemeta.h"
#include "tests/element/common.h"

#define SECONDS 600
#define UNPLUGGED 60
#define SCENE_TIME 45
/* The element asks for a reading every five seconds of the day; what the thread
 * then gets to read it in truth, in microseconds. */
#define READING_TIME 10000

typedef struct {
  gint fps;
  gint width, height, large_width, large_height;
  UMockdevTestbed *testbed;
  gchar *battery, *zone;
  GstHarness *h;
  FILE *csv;

  guint n;             /* of the next frame */
  GstClockTime finish; /* when the last one was done */
  gint changes;        /* of rung */
} Day;

/* What a second of frames came to. */
typedef struct {
  guint frames, late;
  gdouble frame_ms, longest_ms, cpu_ms;
} Second;

/* The CPU time of the process, in place of GLib's clock: for the engine, which
 * calls this one too. */
__attribute__ ((visibility ("default"))) gint64
g_get_monotonic_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* ---- The day ---- */

static gint
battery_at (gint second)
{
  return second < UNPLUGGED
             ? 100
             : 100 - 95 * (second - UNPLUGGED) / (SECONDS - 1 - UNPLUGGED);
}

/* Thousandths of a degree; the limit is 75. */
static gint
heat_at (gint second)
{
  if (second < 150)
    return 42000;
  if (second < 240)
    return 42000 + (second - 150) * 450; /* to 82.5 */
  if (second < 290)
    return 82500;
  return MAX (45000, 82500 - (second - 290) * 550);
}

static gboolean
large_at (gint second)
{
  return (second >= 30 && second < 41) || (second >= 430 && second < 442);
}

static const gchar *
scene_at (gint second)
{
  return second / SCENE_TIME % 2 ? "portrait" : "landscape";
}

/* ---- What happens in it ---- */

static void
set_number (Day *day, const gchar *device, const gchar *name, gint value)
{
  g_autofree gchar *text = g_strdup_printf ("%d", value);

  umockdev_testbed_set_attribute (day->testbed, device, name, text);
}

static void
set_size (Day *day, gboolean large)
{
  g_autofree gchar *caps = g_strdup_printf (
      "video/x-raw, format=I420, width=%d, height=%d, framerate=%d/1",
      large ? day->large_width : day->width,
      large ? day->large_height : day->height, day->fps);

  gst_harness_set_src_caps_str (day->h, caps);
}

static void
begin_second (Day *day, gint second)
{
  set_number (day, day->battery, "capacity", battery_at (second));
  set_number (day, day->zone, "temp", heat_at (second));
  umockdev_testbed_set_attribute (day->testbed, day->battery, "status",
      second < UNPLUGGED ? "Full" : "Discharging");
  if (second % SCENE_TIME == 0)
    gst_harness_push_event (
        day->h, dssr_scene_event_new (
                    GST_EVENT_CUSTOM_DOWNSTREAM, scene_at (second), 1, -1));
  if (second == 0 || large_at (second) != large_at (second - 1))
    set_size (day, large_at (second));
  if (second % 5 == 1)
    g_usleep (READING_TIME);
}

/* A frame through the element, and what the sink says of it. */
static void
play_frame (Day *day, Second *result)
{
  GstVideoInfo info = test_src_info (day->h);
  GstClockTime duration = GST_SECOND / day->fps;
  GstClockTime due = day->n * duration, start = MAX (due, day->finish);
  GstBuffer *buffer = test_frame (&info, day->n);

  GST_BUFFER_PTS (buffer) = due;
  GST_BUFFER_DURATION (buffer) = duration;
  gst_harness_set_time (day->h, start);
  gint64 began = g_get_monotonic_time ();
  g_assert_cmpint (gst_harness_push (day->h, buffer), ==, GST_FLOW_OK);
  gint64 took = g_get_monotonic_time () - began;

  buffer = test_pull (day->h);
  g_assert_nonnull (buffer);
  g_assert_cmpuint (GST_BUFFER_PTS (buffer), ==, due);
  gst_buffer_unref (buffer);
  day->finish = start + took * GST_USECOND;
  GstClockTimeDiff late = GST_CLOCK_DIFF (due + duration, day->finish);
  GstQOSType type = late > 0 ? GST_QOS_TYPE_UNDERFLOW : GST_QOS_TYPE_OVERFLOW;
  gst_harness_push_upstream_event (
      day->h, gst_event_new_qos (type, (gdouble)took * GST_USECOND / duration,
                  MAX (late, -(GstClockTimeDiff)due), due));
  day->n++;
  result->frames++;
  result->late += late > 0;
  result->frame_ms += test_stat (day->h, "frame-time") / 1e6;
  result->cpu_ms += took / 1e3;
  result->longest_ms = MAX (result->longest_ms, took / 1e3);
}

static void
count_changes (Day *day)
{
  GstMessage *message;

  while ((message = test_message (day->h, GST_MESSAGE_ELEMENT))) {
    day->changes += gst_message_has_name (message, "dssr-rung");
    gst_message_unref (message);
  }
  /* None of the sensors was nonsense. */
  g_assert_null (test_message (day->h, GST_MESSAGE_INFO));
}

static void
end_second (Day *day, gint second, const Second *result)
{
  g_autofree gchar *model = test_stat_string (day->h, "sub-model");
  g_autofree gchar *scene = test_stat_string (day->h, "scene");
  g_autofree gchar *rung = test_stat_string (day->h, "rung");
  g_autofree gchar *reason = test_stat_string (day->h, "rung-reason");

  fprintf (day->csv,
      "%d,%d,%.1f,%dx%d,%s,%s,%s,%s,%u,%u,%" G_GUINT64_FORMAT
      ",%.3f,%.3f,%.3f\n",
      second, battery_at (second), heat_at (second) / 1e3,
      large_at (second) ? day->large_width : day->width,
      large_at (second) ? day->large_height : day->height, scene, rung, reason,
      model, result->frames, result->late, test_stat (day->h, "base-frames"),
      result->frame_ms / result->frames, result->longest_ms,
      result->cpu_ms / result->frames);
}

/* What must be so at some moments, whatever the machine's speed. */
static void
check (Day *day, gint second)
{
  static const struct {
    gint second;
    const gchar *rung, *reason;
  } expected[] = {
      {20, "quality", "idle"},       /* on the charger */
      {140, "balanced", "battery"},  /* on the battery */
      {285, "saver", "heat"},        /* 82.5 degrees */
      {400, "balanced", "battery"},  /* cool again */
      {560, "saver", "low-battery"}, /* 12 percent */
      {599, "saver", "low-battery"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++) {
    if (expected[i].second != second)
      continue;
    g_autofree gchar *scene = test_stat_string (day->h, "scene");
    g_autofree gchar *rung = test_stat_string (day->h, "rung");
    g_autofree gchar *reason = test_stat_string (day->h, "rung-reason");
    g_assert_cmpstr (rung, ==, expected[i].rung);
    g_assert_cmpstr (reason, ==, expected[i].reason);
    g_assert_cmpstr (scene, ==, scene_at (second));
  }
}

static void
run (Day *day)
{
  fprintf (day->csv, "second,battery,temperature,size,scene,rung,reason,model,"
                     "frames,late,base_frames,frame_ms,longest_ms,cpu_ms\n");
  for (gint second = 0; second < SECONDS; second++) {
    Second result = {0};
    begin_second (day, second);
    for (gint i = 0; i < day->fps; i++)
      play_frame (day, &result);
    count_changes (day);
    end_second (day, second, &result);
    check (day, second);
  }
  g_assert_cmpuint (test_stat (day->h, "frames"), ==, SECONDS * day->fps);
  g_assert_cmpint (day->changes, >=, 5);
  g_assert_cmpint (day->changes, <=, 25);
}

static void
parse_size (const gchar *text, gint *width, gint *height)
{
  if (sscanf (text, "%dx%d", width, height) != 2)
    g_error ("no size: %s", text);
}

int
main (int argc, char **argv)
{
  Day day = {.fps = 5,
      .width = 64,
      .height = 36,
      .large_width = 160,
      .large_height = 90};

  gst_init (&argc, &argv);
  if (argc != 2 && argc != 5)
    g_error ("usage: simulated-day CSV [FPS SIZE LARGE-SIZE]");
  if (argc == 5) {
    day.fps = CLAMP (atoi (argv[2]), 1, 1000);
    parse_size (argv[3], &day.width, &day.height);
    parse_size (argv[4], &day.large_width, &day.large_height);
  }
  day.csv = fopen (argv[1], "w");
  g_assert_nonnull (day.csv);
  day.testbed = umockdev_testbed_new ();
  day.battery =
      umockdev_testbed_add_device (day.testbed, "power_supply", "BAT0", NULL,
          "type", "Battery", "capacity", "100", "status", "Full", NULL, NULL);
  day.zone = umockdev_testbed_add_device (day.testbed, "thermal",
      "thermal_zone0", NULL, "type", "cpu-thermal", "temp", "42000",
      "trip_point_0_type", "passive", "trip_point_0_temp", "75000", NULL, NULL);

  day.h = test_harness (test_element (NULL, 0), NULL);
  g_object_set (day.h->element, "threads", 1, "backend", 2, NULL);
  run (&day);
  test_teardown (day.h);

  g_free (day.battery);
  g_free (day.zone);
  g_object_unref (day.testbed);
  gboolean written = fclose (day.csv) == 0;
  gst_deinit ();
  return written ? 0 : 1;
}
