/* What the machine says about power.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "power.h"

#include <gio/gio.h>
#include <string.h>

struct _GstDssrPower {
  GMainContext *context; /* the thread's */
  GAsyncQueue *faults;   /* not yet told */
  GHashTable *faulty;    /* paths; the thread's alone */

  GMutex lock; /* for what follows */
  gboolean asked, quit;
  GstDssrSensors sensors;
  gboolean saver_profile;
};

static void
clear (gpointer data)
{
  GstDssrPower *power = data;

  g_main_context_unref (power->context);
  g_async_queue_unref (power->faults);
  g_hash_table_unref (power->faulty);
  g_mutex_clear (&power->lock);
}

static void
tell_fault (const gchar *file, const gchar *message, gpointer data)
{
  GstDssrPower *power = data;

  if (g_hash_table_add (power->faulty, g_strdup (file)))
    g_async_queue_push (power->faults, g_strdup (message));
}

/* A monitor of our own. The default one, which the whole process shares, tells
 * changes to the main context in which it was made: ours ends with the element,
 * and the application's may never run. NULL: there is none. */
static GPowerProfileMonitor *
make_profile_monitor (gboolean bus)
{
  g_vfs_get_default (); /* or GIO has not registered its kinds of monitor yet */

  GIOExtensionPoint *point = g_io_extension_point_lookup (
      G_POWER_PROFILE_MONITOR_EXTENSION_POINT_NAME);
  for (GList *l = g_io_extension_point_get_extensions (point); l; l = l->next) {
    /* In a sandbox, the portal does without the system's bus. */
    if (!bus && strcmp (g_io_extension_get_name (l->data), "dbus") == 0)
      continue;
    gpointer monitor =
        g_initable_new (g_io_extension_get_type (l->data), NULL, NULL, NULL);
    if (monitor)
      return monitor;
  }
  return NULL;
}

static void
read_all (GstDssrPower *power, GPowerProfileMonitor *monitor)
{
  gboolean saver =
      monitor && g_power_profile_monitor_get_power_saver_enabled (monitor);

  g_mutex_lock (&power->lock);
  gboolean asked = power->asked;
  power->asked = FALSE;
  power->saver_profile = saver;
  g_mutex_unlock (&power->lock);
  if (!asked)
    return;

  GstDssrSensors sensors = gst_dssr_sensors_read ("/sys", tell_fault, power);
  g_mutex_lock (&power->lock);
  power->sensors = sensors;
  g_mutex_unlock (&power->lock);
}

static gboolean
has_quit (GstDssrPower *power)
{
  g_mutex_lock (&power->lock);
  gboolean quit = power->quit;
  g_mutex_unlock (&power->lock);
  return quit;
}

static void
got_bus (GObject *source, GAsyncResult *result, gpointer data)
{
  GAsyncResult **answer = data;

  *answer = g_object_ref (result);
}

/* The system's bus, or NULL. GIO goes on with a connection that nobody waits
 * for; left alone half-way, it gives it to all who ask in this process from
 * then on, even if it failed. A monitor by itself would leave it so. */
static GDBusConnection *
wait_for_bus (GstDssrPower *power)
{
  g_autoptr (GAsyncResult) answer = NULL;

  g_bus_get (G_BUS_TYPE_SYSTEM, NULL, got_bus, &answer);
  while (!answer) {
    read_all (power, NULL);
    g_main_context_iteration (power->context, TRUE);
  }
  return g_bus_get_finish (answer, NULL);
}

/* Takes a reference to the power. */
static gpointer
run (gpointer data)
{
  GstDssrPower *power = data;
  GPowerProfileMonitor *monitor = NULL;

  g_main_context_push_thread_default (power->context);
  GDBusConnection *bus = wait_for_bus (power);
  if (!has_quit (power))
    monitor = make_profile_monitor (bus != NULL);
  while (!has_quit (power)) {
    read_all (power, monitor);
    g_main_context_iteration (power->context, TRUE);
  }
  g_clear_object (&monitor);
  while (g_main_context_iteration (power->context, FALSE))
    ;
  g_clear_object (&bus);
  g_main_context_pop_thread_default (power->context);
  g_atomic_rc_box_release_full (power, clear);
  return NULL;
}

GstDssrPower *
gst_dssr_power_new (void)
{
  GstDssrPower *power = g_atomic_rc_box_new0 (GstDssrPower);

  power->context = g_main_context_new ();
  power->faults = g_async_queue_new_full (g_free);
  power->faulty = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  power->asked = TRUE;
  power->sensors = GST_DSSR_SENSORS_UNKNOWN;
  g_mutex_init (&power->lock);
  g_thread_unref (
      g_thread_new ("dssr-power", run, g_atomic_rc_box_acquire (power)));
  return power;
}

void
gst_dssr_power_free (GstDssrPower *power)
{
  g_mutex_lock (&power->lock);
  power->quit = TRUE;
  g_mutex_unlock (&power->lock);
  g_main_context_wakeup (power->context);
  g_atomic_rc_box_release_full (power, clear);
}

void
gst_dssr_power_refresh (GstDssrPower *power)
{
  g_mutex_lock (&power->lock);
  power->asked = TRUE;
  g_mutex_unlock (&power->lock);
  g_main_context_wakeup (power->context);
}

GstDssrSensors
gst_dssr_power_get_sensors (GstDssrPower *power)
{
  g_mutex_lock (&power->lock);
  GstDssrSensors sensors = power->sensors;
  g_mutex_unlock (&power->lock);
  return sensors;
}

gboolean
gst_dssr_power_get_saver_profile (GstDssrPower *power)
{
  g_mutex_lock (&power->lock);
  gboolean saver = power->saver_profile;
  g_mutex_unlock (&power->lock);
  return saver;
}

gchar *
gst_dssr_power_pop_fault (GstDssrPower *power)
{
  return g_async_queue_try_pop (power->faults);
}
