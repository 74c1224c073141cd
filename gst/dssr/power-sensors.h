/* Battery and heat, from sysfs.
 *
 * The kernel's files rather than UPower: boards have no UPower, often no D-Bus,
 * and UPower itself reads nothing else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gint battery; /* percent, the mean of all; -1: there is none to read */
  gboolean discharging; /* one of them at least */
  gint temperature;     /* of the hottest zone, in thousandths of a degree
                           Celsius; G_MININT: there is none to read */
  gint excess;          /* of the hottest zone over its own limit, the same;
                           G_MININT: no zone has a limit */
} GstDssrSensors;

#define GST_DSSR_SENSORS_UNKNOWN                                               \
  ((GstDssrSensors){.battery = -1, .temperature = G_MININT, .excess = G_MININT})

/* Called with a sentence about a file that cannot be used. `file` is its path;
 * a file that is not there is no fault. */
typedef void (*GstDssrSensorFault) (
    const gchar *file, const gchar *message, gpointer data);

/* Reads class/power_supply and class/thermal under `root`, which is "/sys" but
 * in tests. What cannot be used is left out. May block, as drivers do. */
GstDssrSensors gst_dssr_sensors_read (
    const gchar *root, GstDssrSensorFault fault, gpointer data);

G_END_DECLS
