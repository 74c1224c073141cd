/* Battery and heat, from sysfs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "power-sensors.h"

#include <string.h>

/* What a sensor of silicon can mean, in thousandths of a degree Celsius. */
#define COLDEST -55000
#define HOTTEST 150000
/* A trip point this close to switching off is no limit to run at. */
#define BELOW_CRITICAL 10000
/* The kernel has no zone with more. */
#define MAX_TRIPS 12

typedef struct {
  const gchar *dir; /* of the device */
  GstDssrSensorFault fault;
  gpointer data;
} Device;

/* NULL if there is no such file, or after a fault. */
static gchar *
read_text (const Device *device, const gchar *name)
{
  g_autofree gchar *path = g_build_filename (device->dir, name, NULL);
  g_autoptr (GError) error = NULL;
  gchar *text;

  if (g_file_get_contents (path, &text, NULL, &error))
    return g_strstrip (text);
  if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    device->fault (path, error->message, device->data);
  return NULL;
}

/* FALSE as read_text, and for what is no number from min to max. */
static gboolean
read_number (const Device *device, const gchar *name, gint64 min, gint64 max,
    gint64 *number)
{
  g_autofree gchar *text = read_text (device, name);
  g_autoptr (GError) error = NULL;

  if (!text)
    return FALSE;
  if (g_ascii_string_to_signed (text, 10, min, max, number, &error))
    return TRUE;
  g_autofree gchar *path = g_build_filename (device->dir, name, NULL);
  g_autofree gchar *valid = g_utf8_make_valid (error->message, -1);
  g_autofree gchar *message = g_strdup_printf ("%s: %s", path, valid);
  device->fault (path, message, device->data);
  return FALSE;
}

static gboolean
text_is (const Device *device, const gchar *name, const gchar *value)
{
  g_autofree gchar *text = read_text (device, name);

  return g_strcmp0 (text, value) == 0;
}

/* ---- Battery ---- */

typedef struct {
  gint count;
  gint64 sum; /* of percents */
  gboolean discharging, unknown;
  gboolean mains, online;
} Supplies;

/* Percent left, or -1. Gauges without `capacity` count energy or charge. */
static gint64
read_capacity (const Device *device)
{
  gint64 percent, now, full;

  if (read_number (device, "capacity", 0, 100, &percent))
    return percent;
  if (read_number (device, "energy_full", 1, G_MAXINT32, &full)
          ? read_number (device, "energy_now", 0, full, &now)
          : read_number (device, "charge_full", 1, G_MAXINT32, &full)
                && read_number (device, "charge_now", 0, full, &now))
    return now * 100 / full;
  return -1;
}

static void
read_battery (const Device *device, Supplies *supplies)
{
  /* The battery of a mouse, and an empty bay. */
  if (text_is (device, "scope", "Device") || text_is (device, "present", "0"))
    return;
  gint64 percent = read_capacity (device);
  if (percent < 0)
    return;
  g_autofree gchar *status = read_text (device, "status");
  supplies->sum += percent;
  supplies->count++;
  if (g_strcmp0 (status, "Discharging") == 0)
    supplies->discharging = TRUE;
  else if (!status || strcmp (status, "Unknown") == 0)
    supplies->unknown = TRUE;
}

static void
read_supply (const Device *device, gpointer data)
{
  Supplies *supplies = data;
  g_autofree gchar *type = read_text (device, "type");

  if (!type)
    return;
  if (strcmp (type, "Battery") == 0) {
    read_battery (device, supplies);
  } else if (strcmp (type, "Mains") == 0 || g_str_has_prefix (type, "USB")) {
    gint64 online;
    if (read_number (device, "online", 0, 2, &online)) {
      supplies->mains = TRUE;
      supplies->online |= online != 0;
    }
  }
}

/* ---- Heat ---- */

static gboolean
read_trip (const Device *device, gint n, const gchar *what, gchar **text)
{
  g_autofree gchar *name = g_strdup_printf ("trip_point_%d_%s", n, what);

  *text = read_text (device, name);
  return *text != NULL;
}

/* Where the kernel begins to slow down, else where it calls a zone hot, else
 * well below where it switches off. FALSE if the zone has no such point. */
static gboolean
read_limit (const Device *device, gint64 *limit)
{
  static const struct {
    const gchar *type;
    gint64 below;
  } kinds[] = {{"passive", 0}, {"hot", 0}, {"critical", BELOW_CRITICAL}};
  gint64 lowest[G_N_ELEMENTS (kinds)] = {G_MAXINT64, G_MAXINT64, G_MAXINT64};

  for (gint n = 0; n < MAX_TRIPS; n++) {
    g_autofree gchar *type = NULL, *text = NULL;
    gint64 trip;
    if (!read_trip (device, n, "type", &type)
        || !read_trip (device, n, "temp", &text))
      break;
    /* Points that are not set read 0 or -274000: no fault. */
    if (!g_ascii_string_to_signed (text, 10, 1, HOTTEST, &trip, NULL))
      continue;
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      if (strcmp (type, kinds[i].type) == 0)
        lowest[i] = MIN (lowest[i], trip - kinds[i].below);
  }
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (lowest[i] < G_MAXINT64) {
      *limit = lowest[i];
      return TRUE;
    }
  return FALSE;
}

static void
read_zone (const Device *device, gpointer data)
{
  GstDssrSensors *sensors = data;
  gint64 temperature, limit;

  if (text_is (device, "mode", "disabled")
      || !read_number (device, "temp", COLDEST, HOTTEST, &temperature))
    return;
  sensors->temperature = MAX (sensors->temperature, (gint)temperature);
  if (read_limit (device, &limit))
    sensors->excess = MAX (sensors->excess, (gint)(temperature - limit));
}

/* ---- Both ---- */

/* Calls `read` for the devices in a folder whose names begin with `prefix`. */
static void
for_each (const gchar *folder, const gchar *prefix, Device *device,
    void (*read) (const Device *, gpointer), gpointer result)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
  const gchar *name;

  if (!dir) {
    if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
      device->fault (folder, error->message, device->data);
    return;
  }
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);
    if (!g_str_has_prefix (name, prefix))
      continue;
    device->dir = path;
    read (device, result);
  }
}

GstDssrSensors
gst_dssr_sensors_read (
    const gchar *root, GstDssrSensorFault fault, gpointer data)
{
  GstDssrSensors sensors = GST_DSSR_SENSORS_UNKNOWN;
  Supplies supplies = {0};
  Device device = {NULL, fault, data};
  g_autofree gchar *power = g_build_filename (root, "class/power_supply", NULL);
  g_autofree gchar *thermal = g_build_filename (root, "class/thermal", NULL);

  for_each (power, "", &device, read_supply, &supplies);
  if (supplies.count > 0) {
    sensors.battery = supplies.sum / supplies.count;
    /* What does not say is charged by what is plugged in. */
    sensors.discharging =
        supplies.discharging
        || (supplies.unknown && supplies.mains && !supplies.online);
  }
  for_each (thermal, "thermal_zone", &device, read_zone, &sensors);
  return sensors;
}
