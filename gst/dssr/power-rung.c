/* Mode, sensors and load make the rung.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstdssuperres.h"

#define GST_CAT_DEFAULT gst_dssr_debug

/* Between two readings of the sensors: heat takes longer, and drivers ask slow
 * chips. */
#define PERIOD (5 * GST_SECOND)

static GstClockTime
get_now (GstDsSuperRes *self)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT (self));

  return clock ? gst_clock_get_time (clock)
               : (GstClockTime)g_get_monotonic_time () * GST_USECOND;
}

static void
tell_faults (GstDsSuperRes *self)
{
  gchar *fault;

  while ((fault = gst_dssr_power_pop_fault (self->power))) {
    GST_ELEMENT_INFO (self, RESOURCE, READ,
        ("A sensor cannot be used to choose the model: %s.", fault), (NULL));
    g_free (fault);
  }
}

/* Takes the last reading, and asks for the next when it is time. */
static void
read_sensors (GstDsSuperRes *self, GstClockTime now)
{
  if (now < self->power_asked || now - self->power_asked >= PERIOD) {
    gst_dssr_power_refresh (self->power);
    self->power_asked = now;
  }
  GstDssrSensors sensors = gst_dssr_power_get_sensors (self->power);
  GST_OBJECT_LOCK (self);
  self->sensors = sensors;
  GST_OBJECT_UNLOCK (self);
  tell_faults (self);
}

static gint
get_heat (const GstDssrSensors *sensors, guint limit)
{
  if (limit == 0 || sensors->temperature == G_MININT)
    return limit == 0 ? sensors->excess : G_MININT;
  return sensors->temperature - (gint)limit * 1000;
}

static GstDssrPolicyInput
get_input (GstDsSuperRes *self, GstClockTime now)
{
  gboolean qos = gst_base_transform_is_qos_enabled (GST_BASE_TRANSFORM (self));

  GST_OBJECT_LOCK (self);
  GstDssrPolicyInput input = {
      .now = now,
      .mode = self->power_mode,
      .new_picture = !self->session,
      .battery = self->sensors.battery,
      .discharging = self->sensors.discharging,
      .heat = get_heat (&self->sensors, self->thermal_limit),
      .late_frames = MAX (self->late_frames, self->slow_frames),
      .idle = (gint)(100 * CLAMP (1 - self->busy, 0, 1)),
  };
  /* A file that is converted as fast as can be is never late, nor idle. */
  if (!self->paced || !qos)
    input.late_frames = input.idle = 0;
  GST_OBJECT_UNLOCK (self);
  input.saver_profile = gst_dssr_power_get_saver_profile (self->power);
  return input;
}

void
gst_ds_super_res_describe_sensors (GstDsSuperRes *self, GstStructure *structure)
{
  const GstDssrSensors *sensors = &self->sensors;

  if (sensors->battery >= 0)
    gst_structure_set (structure, "battery", G_TYPE_INT, sensors->battery,
        "discharging", G_TYPE_BOOLEAN, sensors->discharging, NULL);
  if (sensors->temperature != G_MININT)
    gst_structure_set (structure, "temperature", G_TYPE_DOUBLE,
        sensors->temperature / 1000.0, NULL);
}

static void
tell_rung (GstDsSuperRes *self, GstDssrRung previous)
{
  const gchar *rung = gst_dssr_rung_nick (self->policy.rung);
  const gchar *reason = gst_dssr_rung_reason_nick (self->policy.reason);
  GstStructure *structure = gst_structure_new ("dssr-rung", "rung",
      G_TYPE_STRING, rung, "previous", G_TYPE_STRING,
      gst_dssr_rung_nick (previous), "reason", G_TYPE_STRING, reason, NULL);

  GST_INFO_OBJECT (self, "rung is %s, because of %s", rung, reason);
  GST_OBJECT_LOCK (self);
  gst_ds_super_res_describe_sensors (self, structure);
  GST_OBJECT_UNLOCK (self);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), structure));
}

/* They were of another rung, or picture. */
static void
forget_late_frames (GstDsSuperRes *self)
{
  GST_OBJECT_LOCK (self);
  self->late_frames = 0;
  GST_OBJECT_UNLOCK (self);
  self->slow_frames = 0;
}

GstDssrRung
gst_ds_super_res_choose_rung (GstDsSuperRes *self, const gchar **reason)
{
  GstClockTime now = get_now (self);

  GST_OBJECT_LOCK (self);
  GstDssrPowerMode mode = self->power_mode;
  gboolean shipped = self->model_file == NULL;
  GST_OBJECT_UNLOCK (self);
  /* There is nothing to choose from. */
  if (!shipped) {
    *reason = "model";
    return GST_DSSR_RUNG_BALANCED;
  }

  if (!self->power) {
    self->power = gst_dssr_power_new ();
    self->power_asked = now;
    self->policy = gst_dssr_policy_start (mode, now);
  }
  read_sensors (self, now);
  if (!self->session) {
    forget_late_frames (self);
    self->busy = 1;
  }
  GstDssrPolicyInput input = get_input (self, now);
  GstDssrRung previous = self->policy.rung;
  self->policy = gst_dssr_policy_next (&self->policy, &input);
  if (self->policy.rung != previous) {
    forget_late_frames (self);
    tell_rung (self, previous);
  }
  *reason = gst_dssr_rung_reason_nick (self->policy.reason);
  return self->policy.rung;
}

void
gst_ds_super_res_stop_power (GstDsSuperRes *self)
{
  g_clear_pointer (&self->power, gst_dssr_power_free);
  GST_OBJECT_LOCK (self);
  self->sensors = GST_DSSR_SENSORS_UNKNOWN;
  GST_OBJECT_UNLOCK (self);
}
