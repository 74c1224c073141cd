/* What the machine says about power: its profile, battery and heat.
 *
 * Files of drivers may block, and D-Bus needs a main loop: both live in a
 * thread of their own, which sleeps until it is asked. The streaming thread
 * asks, and takes the last answer that is there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "power-sensors.h"

G_BEGIN_DECLS

typedef struct _GstDssrPower GstDssrPower;

/* Starts the thread and the first reading. */
GstDssrPower *gst_dssr_power_new (void);
/* Never waits: a thread that is blocked goes when its driver lets it. */
void gst_dssr_power_free (GstDssrPower *power);

/* Asks for a new reading, and returns at once. */
void gst_dssr_power_refresh (GstDssrPower *power);

/* The last reading; nothing is known before the first one. */
GstDssrSensors gst_dssr_power_get_sensors (GstDssrPower *power);
/* Whether the system's power profile is the one that saves. */
gboolean gst_dssr_power_get_saver_profile (GstDssrPower *power);

/* A sentence about a sensor that cannot be used, once for each file, or NULL.
 * Free it. */
gchar *gst_dssr_power_pop_fault (GstDssrPower *power);

G_END_DECLS
