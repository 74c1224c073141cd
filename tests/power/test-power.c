/* The element's rungs: modes, late frames and idleness, battery and heat of a
 * mocked sysfs, a profile daemon on a bus of its own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <umockdev.h>
#include <unistd.h>

#include "tests/element/common.h"

typedef struct {
  UMockdevTestbed *testbed;
  gchar *models; /* the folder */
  GstHarness *h;
  guint n; /* of the next frame */
} Fixture;

/* The CPU time of the process, in place of GLib's clock: that of the element,
 * for which no frame takes long because other programs run. */
__attribute__ ((visibility ("default"))) gint64
g_get_monotonic_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* Asserts that no more than so many seconds have passed since the first call,
 * which begins with *until 0. */
static void
expect_within (gint64 *until, gint seconds)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  if (*until == 0)
    *until = time.tv_sec + seconds;
  g_assert_cmpint (time.tv_sec, <=, *until);
}

static void
begin (Fixture *f)
{
  f->h = test_harness (test_element (NULL, 0), test_caps ("I420", 20, 14));
  f->n = 0;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->testbed = umockdev_testbed_new ();
  f->models = test_model_dir ("landscape-x2-quality.safetensors", "x2",
      "landscape-x2-balanced.safetensors", "x2-other",
      "landscape-x2-saver.safetensors", "x2-zero", NULL);
  begin (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  test_teardown (f->h);
  test_remove_dir (f->models);
  g_object_unref (f->testbed);
}

/* Pushes frames for a time on the harness's clock, which is no time at all. */
static void
play (Fixture *f, gdouble seconds)
{
  for (gint n = seconds * TEST_FPS + 0.5; n > 0; n--) {
    gst_harness_set_time (f->h, f->n * TEST_DURATION);
    test_push (f->h, f->n);
    test_expect_frame (f->h, f->n);
    f->n++;
  }
}

static void
expect_rung (Fixture *f, const gchar *rung, const gchar *reason)
{
  g_autofree gchar *is = test_stat_string (f->h, "rung");
  g_autofree gchar *why = test_stat_string (f->h, "rung-reason");

  g_assert_cmpstr (is, ==, rung);
  g_assert_cmpstr (why, ==, reason);
}

/* Pops the next change of rung, and asserts what it tells. */
static void
expect_change (
    Fixture *f, const gchar *previous, const gchar *rung, const gchar *reason)
{
  GstMessage *message;

  while ((message = test_message (f->h, GST_MESSAGE_ELEMENT))) {
    const GstStructure *s = gst_message_get_structure (message);
    if (gst_structure_has_name (s, "dssr-rung")) {
      g_assert_cmpstr (gst_structure_get_string (s, "previous"), ==, previous);
      g_assert_cmpstr (gst_structure_get_string (s, "rung"), ==, rung);
      g_assert_cmpstr (gst_structure_get_string (s, "reason"), ==, reason);
      gst_message_unref (message);
      return;
    }
    gst_message_unref (message);
  }
  g_assert_not_reached ();
}

static void
expect_no_change (Fixture *f)
{
  GstMessage *message;

  while ((message = test_message (f->h, GST_MESSAGE_ELEMENT))) {
    g_assert_false (gst_message_has_name (message, "dssr-rung"));
    gst_message_unref (message);
  }
}

/* ---- Modes and load ---- */

static void
test_modes (Fixture *f, gconstpointer data)
{
  static const struct {
    const gchar *mode, *rung, *reason;
  } modes[] = {
      {"performance", "quality", "power-mode"},
      {"saver", "saver", "power-mode"},
      {"balanced", "balanced", "power-mode"},
      {"auto", "balanced", "default"},
  };
  const gchar *previous = "balanced";

  play (f, 0.2);
  expect_rung (f, "balanced", "default");
  expect_no_change (f);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    gst_util_set_object_arg (
        G_OBJECT (f->h->element), "power-mode", modes[i].mode);
    play (f, 0.2);
    expect_rung (f, modes[i].rung, modes[i].reason);
    if (strcmp (previous, modes[i].rung) != 0)
      expect_change (f, previous, modes[i].rung, modes[i].reason);
    expect_no_change (f);
    previous = modes[i].rung;
  }
}

/* Nothing is chosen, nor looked at, where the model is given. */
static void
test_model_given (Fixture *f, gconstpointer data)
{
  test_teardown (f->h);
  f->h = test_harness (test_element ("x2", 0), test_caps ("I420", 20, 14));
  g_object_set (f->h->element, "power-mode", 1, NULL);
  play (f, 3);
  expect_rung (f, "balanced", "model");
  expect_no_change (f);
}

/* What a sink says of the last frame. */
static void
tell (Fixture *f, GstClockTimeDiff late)
{
  GstClockTime time = (f->n - 1) * TEST_DURATION;
  GstQOSType type = late > 0 ? GST_QOS_TYPE_UNDERFLOW : GST_QOS_TYPE_OVERFLOW;

  late = MAX (late, -(GstClockTimeDiff)time);
  gst_harness_push_upstream_event (
      f->h, gst_event_new_qos (type, 1.0, late, time));
}

static void
play_and_tell (Fixture *f, gdouble seconds, GstClockTimeDiff late)
{
  for (gint n = seconds * TEST_FPS + 0.5; n > 0; n--) {
    play (f, 1.0 / TEST_FPS);
    tell (f, late);
  }
}

static void
test_late_and_idle (Fixture *f, gconstpointer data)
{
  gst_util_set_object_arg (G_OBJECT (f->h->element), "power-mode", "balanced");
  play_and_tell (f, 1.2, -GST_MSECOND);
  play_and_tell (f, 2.0 / TEST_FPS, GST_MSECOND);
  play_and_tell (f, 1.0 / TEST_FPS, -GST_MSECOND);
  play_and_tell (f, 2.0 / TEST_FPS, GST_MSECOND);
  expect_rung (f, "balanced", "power-mode");
  play_and_tell (f, 2.0 / TEST_FPS, GST_MSECOND);
  expect_change (f, "balanced", "saver", "late");
  play_and_tell (f, 1.9, -GST_MSECOND);
  expect_rung (f, "saver", "late");
  play_and_tell (f, 0.5, -GST_MSECOND);
  expect_change (f, "saver", "balanced", "power-mode");
  expect_no_change (f);
  /* No frame was so late that it got the base. */
  g_assert_cmpuint (test_stat (f->h, "base-frames"), ==, 0);
}

/* Auto goes up to quality where frames are waited for, and not where a file is
 * converted as fast as can be: there the result would depend on the machine. */
static void
test_idle_auto (Fixture *f, gconstpointer data)
{
  play (f, 10);
  expect_rung (f, "balanced", "default");
  play_and_tell (f, 3, -GST_MSECOND);
  expect_change (f, "balanced", "quality", "idle");
  expect_rung (f, "quality", "idle");
}

static void
test_live (Fixture *f, gconstpointer data)
{
  gst_harness_query_latency (f->h); /* the harness's source is live */
  play (f, 3);
  expect_change (f, "balanced", "quality", "idle");
}

static void
test_throttle (Fixture *f, gconstpointer data)
{
  for (gint n = 0; n < 50; n++) {
    play (f, 1.0 / TEST_FPS);
    gst_harness_push_upstream_event (
        f->h, gst_event_new_qos (GST_QOS_TYPE_THROTTLE, 1.0, GST_MSECOND,
                  (f->n - 1) * TEST_DURATION));
  }
  expect_rung (f, "balanced", "default");
}

static void
test_qos_off (Fixture *f, gconstpointer data)
{
  g_object_set (f->h->element, "qos", FALSE, NULL);
  play_and_tell (f, 3, GST_MSECOND);
  play_and_tell (f, 3, -GST_MSECOND);
  expect_rung (f, "balanced", "default");
}

/* Two sinks behind a tee: a frame is late once, whoever says so. */
static void
test_two_sinks (Fixture *f, gconstpointer data)
{
  play (f, 2);
  for (gint n = 0; n < 2; n++) {
    play_and_tell (f, 1.0 / TEST_FPS, GST_MSECOND);
    tell (f, GST_MSECOND);
    tell (f, -GST_MSECOND);
  }
  play (f, 0.2);
  expect_rung (f, "balanced", "default");
  play_and_tell (f, 1.0 / TEST_FPS, GST_MSECOND);
  play (f, 0.2);
  expect_rung (f, "saver", "late");
}

/* ---- A pipeline with the system's clock ---- */

/* Waits for a change of rung to one, and returns its reason. */
static gchar *
wait_for_change (GstElement *pipeline, const gchar *rung)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gint64 until = 0;
  GstMessage *message;
  gchar *reason = NULL;

  while (!reason) {
    expect_within (&until, 60);
    message = gst_bus_timed_pop_filtered (
        bus, GST_SECOND, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
    if (!message)
      continue;
    g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_ELEMENT);
    const GstStructure *s = gst_message_get_structure (message);
    if (gst_structure_has_name (s, "dssr-rung")
        && g_strcmp0 (gst_structure_get_string (s, "rung"), rung) == 0)
      reason = g_strdup (gst_structure_get_string (s, "reason"));
    gst_message_unref (message);
  }
  return reason;
}

/* What is behind the element takes longer than a frame lasts, and then no time:
 * a sink that waits for the clock says so. */
static void
test_pipeline (Fixture *f, gconstpointer data)
{
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc is-live=true ! "
      "video/x-raw, format=I420, width=32, height=24, framerate=10/1 ! "
      "dssuperres lookahead=0 power-mode=balanced ! "
      "identity name=slow sleep-time=150000 ! fakesink sync=true qos=true",
      NULL);
  g_autoptr (GstElement) slow =
      gst_bin_get_by_name (GST_BIN (pipeline), "slow");
  g_autofree gchar *down = NULL, *up = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  down = wait_for_change (pipeline, "saver");
  g_assert_cmpstr (down, ==, "late");
  g_object_set (slow, "sleep-time", 0, NULL);
  up = wait_for_change (pipeline, "balanced");
  g_assert_cmpstr (up, ==, "power-mode");
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* ---- Battery and heat ---- */

/* Plays until the thread has read what is there, without a step of the clock;
 * the rung follows with the next frame. */
static void
wait_for (Fixture *f, const gchar *field, gint value)
{
  gint64 until = 0;

  for (;;) {
    g_autoptr (GstStructure) stats = NULL;
    const GValue *is;
    test_push (f->h, f->n);
    test_expect_frame (f->h, f->n++);
    g_object_get (f->h->element, "stats", &stats, NULL);
    is = gst_structure_get_value (stats, field);
    if (value < 0 ? !is
                  : is
                        && (G_VALUE_HOLDS_INT (is) ? g_value_get_int (is)
                                                   : g_value_get_double (is))
                               == value)
      return;
    expect_within (&until, 20);
    g_usleep (2000);
  }
}

static gchar *
add_battery (Fixture *f, const gchar *percent, const gchar *status)
{
  return umockdev_testbed_add_device (f->testbed, "power_supply", "BAT0", NULL,
      "type", "Battery", "capacity", percent, "status", status, NULL, NULL);
}

static gchar *
add_zone (Fixture *f, const gchar *temperature)
{
  return umockdev_testbed_add_device (f->testbed, "thermal", "thermal_zone0",
      NULL, "type", "cpu-thermal", "temp", temperature, "trip_point_0_type",
      "passive", "trip_point_0_temp", "75000", NULL, NULL);
}

static void
test_battery (Fixture *f, gconstpointer data)
{
  g_autofree gchar *battery = add_battery (f, "21", "Discharging");

  play (f, 6);
  wait_for (f, "battery", 21);
  play (f, 0.1);
  expect_rung (f, "balanced", "battery");
  umockdev_testbed_set_attribute (f->testbed, battery, "capacity", "19");
  play (f, 3); /* not read anew yet */
  expect_rung (f, "balanced", "battery");
  play (f, 2);
  wait_for (f, "battery", 19);
  play (f, 0.1);
  expect_change (f, "balanced", "saver", "low-battery");
  umockdev_testbed_set_attribute (f->testbed, battery, "capacity", "22");
  play (f, 5);
  wait_for (f, "battery", 22);
  play (f, 5);
  expect_rung (f, "saver", "low-battery");
  umockdev_testbed_set_attribute (f->testbed, battery, "status", "Charging");
  play (f, 6);
  wait_for (f, "battery", 22);
  play (f, 5);
  expect_change (f, "saver", "balanced", "default");
  umockdev_testbed_remove_device (f->testbed, battery);
  play (f, 6);
  wait_for (f, "battery", -1);
  play (f, 1);
  expect_rung (f, "balanced", "default");
  expect_no_change (f);
  g_assert_null (test_message (f->h, GST_MESSAGE_INFO));
}

static void
test_heat (Fixture *f, gconstpointer data)
{
  g_autofree gchar *zone = add_zone (f, "50000");

  gst_util_set_object_arg (
      G_OBJECT (f->h->element), "power-mode", "performance");
  play (f, 6);
  wait_for (f, "temperature", 50);
  expect_change (f, "balanced", "quality", "power-mode");
  umockdev_testbed_set_attribute (f->testbed, zone, "temp", "76000");
  play (f, 6);
  wait_for (f, "temperature", 76);
  play (f, 0.1);
  expect_change (f, "quality", "balanced", "heat");
  play (f, 31);
  expect_change (f, "balanced", "saver", "heat");
  umockdev_testbed_set_attribute (f->testbed, zone, "temp", "60000");
  play (f, 6);
  wait_for (f, "temperature", 60);
  play (f, 60);
  expect_change (f, "saver", "balanced", "heat");
  expect_change (f, "balanced", "quality", "power-mode");
  /* The property is in place of the zone's own limit. */
  play (f, 31);
  expect_no_change (f);
  g_object_set (f->h->element, "thermal-limit", 58, NULL);
  play (f, 0.1);
  expect_change (f, "quality", "balanced", "heat");
}

/* Told once each, although read again and again; the element goes on. */
static void
test_nonsense (Fixture *f, gconstpointer data)
{
  g_autofree gchar *battery = add_battery (f, "1000", "Discharging");
  g_autofree gchar *zone = add_zone (f, "-274000");
  GstMessage *message;
  gint told = 0;

  g_assert_nonnull (battery);
  for (gint i = 0; i < 20 && told < 2; i++) {
    play (f, 6);
    g_usleep (20000);
    while ((message = test_message (f->h, GST_MESSAGE_INFO))) {
      g_autoptr (GError) error = NULL;
      gst_message_parse_info (message, &error, NULL);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, told ? "temp" : "capacity"));
      gst_message_unref (message);
      told++;
    }
  }
  g_assert_cmpint (told, ==, 2);
  umockdev_testbed_set_attribute (f->testbed, zone, "temp", "hot");
  for (gint i = 0; i < 5; i++) {
    play (f, 6);
    g_usleep (20000);
  }
  g_assert_null (test_message (f->h, GST_MESSAGE_INFO));
  umockdev_testbed_set_attribute (f->testbed, zone, "temp", "40000");
  play (f, 6);
  wait_for (f, "temperature", 40);
  expect_rung (f, "balanced", "default");
  expect_no_change (f);
}

/* A driver that never answers stalls neither frames nor the end. */
static void
test_hung_driver (Fixture *f, gconstpointer data)
{
  g_autofree gchar *zone = add_zone (f, "50000");
  g_autofree gchar *root = umockdev_testbed_get_root_dir (f->testbed);
  g_autofree gchar *path = g_build_filename (root, zone, "temp", NULL);

  play (f, 6);
  wait_for (f, "temperature", 50);
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  /* A pipe that somebody may write to: whoever reads it waits. (Not already
   * when it is opened: umockdev holds a lock over that.) */
  gint both = open (path, O_RDWR);
  struct pollfd pipe = {.fd = open (path, O_WRONLY), .events = POLLOUT};
  g_assert_cmpint (both, >=, 0);
  g_assert_cmpint (pipe.fd, >=, 0);
  close (both);
  for (gint i = 0; i < 2000; i++) {
    play (f, 1);
    g_usleep (5000);
    g_assert_cmpint (poll (&pipe, 1, 0), ==, 1);
    if (!(pipe.revents & POLLERR)) /* somebody reads */
      break;
  }
  g_assert_cmpint (pipe.revents & POLLERR, ==, 0);
  gint64 until = 0;
  expect_within (&until, 20);
  play (f, 20);
  expect_rung (f, "balanced", "default");
  test_teardown (f->h);
  expect_within (&until, 20);
  close (pipe.fd);
  g_assert_cmpint (g_remove (path), ==, 0);
  begin (f);
}

/* ---- Profile ---- */

#define NO_BUS "/nonexistent/dssr-test-bus"

static gint bus_is_held, bus_is_tried;

/* In place of the C library's, also for GIO: while it is held, nobody gets to
 * know that there is no bus. */
__attribute__ ((visibility ("default"))) int
connect (int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
  const struct sockaddr_un *path = address.__sockaddr_un__;
  int (*next) (int, __CONST_SOCKADDR_ARG, socklen_t) =
      dlsym (RTLD_NEXT, "connect");

  if (path->sun_family == AF_UNIX && strcmp (path->sun_path, NO_BUS) == 0) {
    g_atomic_int_set (&bus_is_tried, TRUE);
    while (g_atomic_int_get (&bus_is_held))
      g_usleep (1000);
  }
  return next (fd, address, size);
}

/* An element goes while GIO looks for a bus that is not there. */
static void
stop_while_connecting (Fixture *f)
{
  gint64 until = 0;

  g_atomic_int_set (&bus_is_held, TRUE);
  g_atomic_int_set (&bus_is_tried, FALSE);
  while (!g_atomic_int_get (&bus_is_tried)) {
    expect_within (&until, 20);
    begin (f);
    g_usleep (20000);
    test_teardown (f->h);
    g_usleep (20000); /* so that its thread would have ended */
  }
  g_atomic_int_set (&bus_is_held, FALSE);
}

/* GIO shares one connection to the system's bus: waits until it is to this bus,
 * which it never is if somebody has left another behind. */
static void
wait_for_bus (GDBusConnection *connection)
{
  const gchar *guid = g_dbus_connection_get_guid (connection);
  gint64 until = 0;

  for (;;) {
    g_autoptr (GDBusConnection) shared =
        g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, NULL);
    if (shared && strcmp (g_dbus_connection_get_guid (shared), guid) == 0)
      return;
    expect_within (&until, 20);
    g_usleep (2000);
  }
}

static const gchar *profile = "balanced";

static GVariant *
get_profile (GDBusConnection *connection, const gchar *sender,
    const gchar *path, const gchar *interface, const gchar *property,
    GError **error, gpointer data)
{
  return g_variant_new_string (profile);
}

static void
set_profile (GDBusConnection *connection, const gchar *name)
{
  GVariantBuilder changed;

  profile = name;
  g_variant_builder_init (&changed, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (
      &changed, "{sv}", "ActiveProfile", g_variant_new_string (name));
  g_assert_true (g_dbus_connection_emit_signal (connection, NULL,
      "/net/hadess/PowerProfiles", "org.freedesktop.DBus.Properties",
      "PropertiesChanged",
      g_variant_new ("(sa{sv}as)", "net.hadess.PowerProfiles", &changed, NULL),
      NULL));
}

/* The daemon lives in `context`; the default one is never run, as in programs
 * without a main loop. */
static void
wait_for_rung (Fixture *f, GMainContext *context, const gchar *rung)
{
  gint64 until = 0;

  for (;;) {
    g_autofree gchar *is = NULL;
    while (g_main_context_iteration (context, FALSE))
      ;
    play (f, 0.2);
    is = test_stat_string (f->h, "rung");
    if (strcmp (is, rung) == 0)
      return;
    expect_within (&until, 20);
    g_usleep (2000);
  }
}

static void
test_profile (Fixture *f, gconstpointer data)
{
  static const gchar xml[] =
      "<node><interface name='net.hadess.PowerProfiles'>"
      "<property name='ActiveProfile' type='s' access='readwrite'/>"
      "</interface></node>";
  static const GDBusInterfaceVTable vtable = {.get_property = get_profile};
  GMainContext *context = g_main_context_new ();
  GTestDBus *bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_autoptr (GDBusNodeInfo) info = g_dbus_node_info_new_for_xml (xml, NULL);
  g_autoptr (GError) error = NULL;

  test_teardown (f->h);
  stop_while_connecting (f);
  g_test_dbus_up (bus);
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address (bus), TRUE);
  g_main_context_push_thread_default (context);
  g_autoptr (GDBusConnection) connection =
      g_dbus_connection_new_for_address_sync (g_test_dbus_get_bus_address (bus),
          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
              | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
          NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_dbus_connection_register_object (connection,
                        "/net/hadess/PowerProfiles", info->interfaces[0],
                        &vtable, NULL, NULL, &error),
      >, 0);
  g_assert_no_error (error);
  guint name =
      g_bus_own_name_on_connection (connection, "net.hadess.PowerProfiles",
          G_BUS_NAME_OWNER_FLAGS_NONE, NULL, NULL, NULL, NULL);

  wait_for_bus (connection);
  begin (f);
  for (gint i = 0; i < 50; i++) {
    wait_for_rung (f, context, "balanced");
    g_usleep (2000);
  }
  set_profile (connection, "power-saver");
  wait_for_rung (f, context, "saver");
  expect_change (f, "balanced", "saver", "power-profile");
  set_profile (connection, "performance");
  play (f, 3);
  wait_for_rung (f, context, "balanced");
  expect_change (f, "saver", "balanced", "default");

  /* The profile that is set when an element starts. */
  set_profile (connection, "power-saver");
  test_teardown (f->h);
  begin (f);
  wait_for_rung (f, context, "saver");
  expect_change (f, "balanced", "saver", "power-profile");
  /* What was asked for is more. */
  gst_util_set_object_arg (
      G_OBJECT (f->h->element), "power-mode", "performance");
  wait_for_rung (f, context, "quality");
  gst_util_set_object_arg (G_OBJECT (f->h->element), "power-mode", "auto");
  wait_for_rung (f, context, "saver");
  /* The daemon goes away. */
  g_bus_unown_name (name);
  play (f, 3);
  wait_for_rung (f, context, "balanced");

  g_main_context_pop_thread_default (context);
  g_clear_object (&connection);
  g_main_context_unref (context);
  /* GIO's connection to a system bus ends the process with the bus. */
  g_autoptr (GDBusConnection) shared =
      g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, NULL);
  g_dbus_connection_set_exit_on_close (shared, FALSE);
  g_test_dbus_down (bus);
  g_object_unref (bus);
  play (f, 3);
  expect_rung (f, "balanced", "default");
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
      {"/power/modes", test_modes}, {"/power/model-given", test_model_given},
      {"/power/late-and-idle", test_late_and_idle},
      {"/power/idle-auto", test_idle_auto}, {"/power/live", test_live},
      {"/power/throttle", test_throttle}, {"/power/qos-off", test_qos_off},
      {"/power/two-sinks", test_two_sinks}, {"/power/pipeline", test_pipeline},
      {"/power/battery", test_battery}, {"/power/heat", test_heat},
      {"/power/nonsense", test_nonsense},
      {"/power/hung-driver", test_hung_driver},
      {"/power/profile", test_profile}, /* last: takes the bus down */
  };

  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=" NO_BUS, TRUE);
  test_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return test_run ();
}
