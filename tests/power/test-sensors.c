/* Sensors: what the files of sysfs say, and what they should not.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gst/dssr/power-sensors.h"

#define MAX_FILES 16

typedef struct {
  const gchar *name;
  /* Paths under class/ and what they hold, by turns; "" makes a folder, and
   * NULL content a link to nowhere. */
  const gchar *files[2 * MAX_FILES];
  GstDssrSensors expected;
  const gchar *faults; /* file names, in order of the alphabet */
} Case;

#define BAT "power_supply/BAT0/"
#define BAT1 "power_supply/BAT1/"
#define AC "power_supply/AC/"
#define ZONE "thermal/thermal_zone0/"
#define ZONE1 "thermal/thermal_zone1/"
#define BATTERY(percent, status)                                               \
  BAT "type", "Battery\n", BAT "capacity", percent "\n", BAT "status",         \
      status "\n"
#define POWER(percent, discharges)                                             \
  {                                                                            \
    percent, discharges, G_MININT, G_MININT                                    \
  }
#define HEAT(temperature, excess)                                              \
  {                                                                            \
    -1, FALSE, temperature, excess                                             \
  }

/* clang-format off */
static const Case cases[] = {
  {"battery/discharging", {BATTERY ("15", "Discharging")}, POWER (15, TRUE), ""},
  {"battery/charging", {BATTERY ("15", "Charging")}, POWER (15, FALSE), ""},
  {"battery/full", {BATTERY ("100", "Full")}, POWER (100, FALSE), ""},
  {"battery/not-charging", {BATTERY ("80", "Not charging")}, POWER (80, FALSE), ""},
  {"battery/empty", {BATTERY ("0", "Discharging")}, POWER (0, TRUE), ""},
  {"battery/weak-charger", {BATTERY ("9", "Discharging"), AC "type", "Mains", AC "online", "1"}, POWER (9, TRUE), ""},
  {"battery/two", {BATTERY ("10", "Discharging"), BAT1 "type", "Battery", BAT1 "capacity", "90", BAT1 "status", "Full"},
    POWER (50, TRUE), ""},
  {"battery/unknown-unplugged", {BATTERY ("9", "Unknown"), AC "type", "Mains", AC "online", "0"}, POWER (9, TRUE), ""},
  {"battery/unknown-plugged-in", {BATTERY ("9", "Unknown"), AC "type", "USB_C", AC "online", "1"}, POWER (9, FALSE), ""},
  {"battery/unknown-alone", {BATTERY ("9", "Unknown")}, POWER (9, FALSE), ""},
  {"battery/no-status", {BAT "type", "Battery", BAT "capacity", "9", AC "type", "Mains", AC "online", "0"},
    POWER (9, TRUE), ""},
  {"battery/energy", {BAT "type", "Battery", BAT "energy_full", "50000000", BAT "energy_now", "10000000",
    BAT "status", "Discharging"}, POWER (20, TRUE), ""},
  {"battery/charge", {BAT "type", "Battery", BAT "charge_full", "3000000", BAT "charge_now", "2999999",
    BAT "status", "Discharging"}, POWER (99, TRUE), ""},
  {"battery/of-a-mouse", {BATTERY ("3", "Discharging"), BAT "scope", "Device"}, POWER (-1, FALSE), ""},
  {"battery/taken-out", {BATTERY ("0", "Unknown"), BAT "present", "0"}, POWER (-1, FALSE), ""},
  {"battery/negative", {BATTERY ("-5", "Discharging")}, POWER (-1, FALSE), "capacity"},
  {"battery/1000", {BATTERY ("1000", "Discharging")}, POWER (-1, FALSE), "capacity"},
  {"battery/huge", {BATTERY ("99999999999999999999", "Discharging")}, POWER (-1, FALSE), "capacity"},
  {"battery/text", {BATTERY ("plenty", "Discharging")}, POWER (-1, FALSE), "capacity"},
  {"battery/no-utf8", {BATTERY ("\xff\xfe", "Discharging")}, POWER (-1, FALSE), "capacity"},
  {"battery/nothing-in-it", {BAT "type", "Battery", BAT "capacity", "\n"}, POWER (-1, FALSE), "capacity"},
  {"battery/nonsense-but-energy", {BATTERY ("1000", "Discharging"), BAT "energy_full", "100", BAT "energy_now", "42"},
    POWER (42, TRUE), "capacity"},
  {"battery/empties-below-nothing", {BAT "type", "Battery", BAT "energy_full", "0", BAT "energy_now", "-1"},
    POWER (-1, FALSE), "energy_full"},
  {"battery/more-than-full", {BAT "type", "Battery", BAT "charge_full", "100", BAT "charge_now", "101"},
    POWER (-1, FALSE), "charge_now"},
  {"battery/status-nobody-knows", {BATTERY ("15", "Exploding")}, POWER (15, FALSE), ""},
  {"battery/one-of-two-is-broken", {BATTERY ("1000", "Discharging"), BAT1 "type", "Battery", BAT1 "capacity", "30",
    BAT1 "status", "Discharging"}, POWER (30, TRUE), "capacity"},
  {"battery/folder-for-a-file", {BAT "type", "Battery", BAT "capacity/", ""}, POWER (-1, FALSE), "capacity"},
  {"mains-alone", {AC "type", "Mains", AC "online", "1"}, POWER (-1, FALSE), ""},
  {"mains/text", {BATTERY ("15", "Unknown"), AC "type", "Mains", AC "online", "yes"}, POWER (15, FALSE), "online"},

  {"heat/no-limit", {ZONE "temp", "45000\n"}, HEAT (45000, G_MININT), ""},
  {"heat/passive", {ZONE "temp", "80000", ZONE "trip_point_0_type", "critical", ZONE "trip_point_0_temp", "105000",
    ZONE "trip_point_1_type", "passive", ZONE "trip_point_1_temp", "85000",
    ZONE "trip_point_2_type", "passive", ZONE "trip_point_2_temp", "75000"}, HEAT (80000, 5000), ""},
  {"heat/hot", {ZONE "temp", "80000", ZONE "trip_point_0_type", "hot", ZONE "trip_point_0_temp", "100000",
    ZONE "trip_point_1_type", "active", ZONE "trip_point_1_temp", "40000"}, HEAT (80000, -20000), ""},
  {"heat/critical", {ZONE "temp", "80000", ZONE "trip_point_0_type", "critical", ZONE "trip_point_0_temp", "105000"},
    HEAT (80000, -15000), ""},
  {"heat/trips-not-set", {ZONE "temp", "80000", ZONE "trip_point_0_type", "passive", ZONE "trip_point_0_temp", "-274000",
    ZONE "trip_point_1_type", "passive", ZONE "trip_point_1_temp", "0"}, HEAT (80000, G_MININT), ""},
  {"heat/hottest-and-nearest-differ", {ZONE "temp", "90000", ZONE1 "temp", "50000",
    ZONE1 "trip_point_0_type", "passive", ZONE1 "trip_point_0_temp", "45000"}, HEAT (90000, 5000), ""},
  {"heat/frost", {ZONE "temp", "-20000"}, HEAT (-20000, G_MININT), ""},
  {"heat/disabled", {ZONE "temp", "90000", ZONE "mode", "disabled"}, HEAT (G_MININT, G_MININT), ""},
  {"heat/no-sensor", {ZONE "type", "acpitz"}, HEAT (G_MININT, G_MININT), ""},
  {"heat/below-absolute-zero", {ZONE "temp", "-274000"}, HEAT (G_MININT, G_MININT), "temp"},
  {"heat/of-the-sun", {ZONE "temp", "5500000"}, HEAT (G_MININT, G_MININT), "temp"},
  {"heat/text", {ZONE "temp", "warm", ZONE1 "temp", "50000"}, HEAT (50000, G_MININT), "temp"},
  {"heat/cooling-devices-are-no-zones", {"thermal/cooling_device0/temp", "90000"}, HEAT (G_MININT, G_MININT), ""},
  {"heat/dangling", {ZONE "temp", NULL}, HEAT (G_MININT, G_MININT), ""},
  {"both", {BATTERY ("50", "Discharging"), ZONE "temp", "45000"}, {50, TRUE, 45000, G_MININT}, ""},
};
/* clang-format on */

static void
add_fault (const gchar *file, const gchar *message, gpointer data)
{
  g_assert_nonnull (strstr (message, file));
  g_assert_true (g_utf8_validate (message, -1, NULL));
  g_test_message ("%s", message);
  g_ptr_array_add (data, g_path_get_basename (file));
}

static void
write_file (const gchar *root, const gchar *name, const gchar *content)
{
  g_autofree gchar *path = g_build_filename (root, "class", name, NULL);
  g_autofree gchar *dir = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (dir, 0755), ==, 0);
  if (!content)
    g_assert_cmpint (symlink ("nowhere", path), ==, 0);
  else if (!g_str_has_suffix (name, "/"))
    g_assert_true (g_file_set_contents (path, content, -1, NULL));
}

static void
remove_all (const gchar *path)
{
  GDir *dir = g_file_test (path, G_FILE_TEST_IS_SYMLINK)
                  ? NULL
                  : g_dir_open (path, 0, NULL);
  const gchar *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *child = g_build_filename (path, name, NULL);
    remove_all (child);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
expect (const gchar *root, const GstDssrSensors *expected, const gchar *faults)
{
  g_autoptr (GPtrArray) told = g_ptr_array_new_with_free_func (g_free);
  GstDssrSensors sensors = gst_dssr_sensors_read (root, add_fault, told);

  g_ptr_array_add (told, NULL);
  g_autofree gchar *names = g_strjoinv (" ", (gchar **)told->pdata);
  g_assert_cmpint (sensors.battery, ==, expected->battery);
  g_assert_cmpint (sensors.discharging, ==, expected->discharging);
  g_assert_cmpint (sensors.temperature, ==, expected->temperature);
  g_assert_cmpint (sensors.excess, ==, expected->excess);
  g_assert_cmpstr (names, ==, faults);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree gchar *root = g_dir_make_tmp ("dssr-sensors-XXXXXX", NULL);

  for (gint i = 0; c->files[i]; i += 2)
    write_file (root, c->files[i], c->files[i + 1]);
  expect (root, &c->expected, c->faults);
  remove_all (root);
}

static void
test_absent (void)
{
  GstDssrSensors unknown = GST_DSSR_SENSORS_UNKNOWN;
  g_autofree gchar *root = g_dir_make_tmp ("dssr-sensors-XXXXXX", NULL);

  expect (root, &unknown, "");
  expect ("/no/such/folder", &unknown, "");
  remove_all (root);
}

/* Files that may not be read, for others than root, who may. */
static void
test_unreadable (void)
{
  static const GstDssrSensors hot = HEAT (50000, G_MININT);
  GstDssrSensors unknown = GST_DSSR_SENSORS_UNKNOWN;
  g_autofree gchar *root = g_dir_make_tmp ("dssr-sensors-XXXXXX", NULL);
  g_autofree gchar *file = g_build_filename (root, "class", ZONE "temp", NULL);
  g_autofree gchar *folder =
      g_build_filename (root, "class/power_supply", NULL);
  uid_t user = geteuid ();

  write_file (root, ZONE "temp", "90000");
  write_file (root, ZONE1 "temp", "50000");
  write_file (root, BAT "type", "Battery");
  g_assert_cmpint (g_chmod (file, 0), ==, 0);
  g_assert_cmpint (g_chmod (folder, 0), ==, 0);
  g_assert_cmpint (g_chmod (root, 0755), ==, 0);
  if (user == 0)
    g_assert_cmpint (seteuid (65534), ==, 0);
  expect (root, &hot, "power_supply temp");
  if (user == 0)
    g_assert_cmpint (seteuid (0), ==, 0);
  g_assert_cmpint (g_chmod (folder, 0755), ==, 0);
  remove_all (root);
  expect (root, &unknown, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path = g_strdup_printf ("/sensors/%s", cases[i].name);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/sensors/absent", test_absent);
  g_test_add_func ("/sensors/unreadable", test_unreadable);
  return g_test_run ();
}
