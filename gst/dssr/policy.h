/* Which rung to use: a pure function, without clock, sensor or element.
 *
 * Three limits are kept apart, each with its own memory, and the rung is the
 * lowest of them:
 *
 * - what is wanted: the mode, and for `auto` the power profile and the battery;
 * - what heat allows: a rung less for each HEAT_HOLD above the limit, a rung
 *   more for each well below it;
 * - what the load allows: a rung less when frames are late, a rung more when
 *   there has been time to spare for long enough.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "enums.h"

G_BEGIN_DECLS

/* Percent below which a discharging battery is low, and from which on it no
 * longer is. */
#define GST_DSSR_POLICY_BATTERY_LOW 20
#define GST_DSSR_POLICY_BATTERY_ENOUGH 25
/* Thousandths of a degree below the limit that count as cool. */
#define GST_DSSR_POLICY_COOL 5000
/* Frames late one after the other that are too many. */
#define GST_DSSR_POLICY_LATE_FRAMES 3
/* Percent of the time of a frame that is to spare. */
#define GST_DSSR_POLICY_IDLE 25

/* Nanoseconds. */
#define GST_DSSR_POLICY_SECOND G_GINT64_CONSTANT (1000000000)
/* From a step because of heat to the next, down or up. */
#define GST_DSSR_POLICY_HEAT_HOLD (30 * GST_DSSR_POLICY_SECOND)
/* A new rung is not given up sooner because of late frames: the first ones pay
 * for the switch. */
#define GST_DSSR_POLICY_SETTLE (1 * GST_DSSR_POLICY_SECOND)
/* Nor for a better one. */
#define GST_DSSR_POLICY_UP_HOLD (2 * GST_DSSR_POLICY_SECOND)
/* Time to spare before a better rung is tried: the least, and the most, after
 * attempts that ended in late frames. Each of these doubles it. */
#define GST_DSSR_POLICY_PATIENCE (2 * GST_DSSR_POLICY_SECOND)
#define GST_DSSR_POLICY_MAX_PATIENCE (128 * GST_DSSR_POLICY_SECOND)
/* An attempt is one that failed if frames are late before this is over. */
#define GST_DSSR_POLICY_TRIAL (10 * GST_DSSR_POLICY_SECOND)
/* Most time that passes between two calls: a pause is no idleness. */
#define GST_DSSR_POLICY_MAX_STEP (1 * GST_DSSR_POLICY_SECOND)

typedef enum {
  GST_DSSR_RUNG_REASON_DEFAULT,     /* where `auto` starts */
  GST_DSSR_RUNG_REASON_MODE,        /* the mode asks for it */
  GST_DSSR_RUNG_REASON_PROFILE,     /* the system is to save power */
  GST_DSSR_RUNG_REASON_LOW_BATTERY, /* little is left, and it gets less */
  GST_DSSR_RUNG_REASON_BATTERY,     /* no better one on a battery */
  GST_DSSR_RUNG_REASON_HEAT,
  GST_DSSR_RUNG_REASON_LATE, /* frames were */
  GST_DSSR_RUNG_REASON_IDLE, /* there was time to spare */
} GstDssrRungReason;

typedef struct {
  gint64 now; /* nanoseconds of any clock; a jump back counts as no time */
  GstDssrPowerMode mode;
  gboolean new_picture; /* of another size or rate: the load is not known */
  gboolean saver_profile;
  gint battery; /* percent; negative: there is none */
  gboolean discharging;
  gint heat; /* thousandths of a degree above the limit; G_MININT: unknown */
  guint late_frames; /* the last ones, without one on time among them */
  gint idle;         /* percent of the time of a frame; 0 where unknown */
} GstDssrPolicyInput;

/* What a decision leaves for the next one. */
typedef struct {
  GstDssrRung rung;
  GstDssrRungReason reason;

  gint64 now;
  gint64 age; /* time since `rung` was taken; so are the other ages */
  GstDssrPowerMode mode;
  gboolean battery_low;
  GstDssrRung heat_limit;
  gint64 heat_age;
  GstDssrRung load_limit;
  GstDssrRungReason load_reason;
  gint64 load_age;
  gint64 idle_time; /* with time to spare, up to now */
  gint64 patience;  /* that is asked of it */
} GstDssrPolicyState;

/* The state in which a stream begins. */
GstDssrPolicyState gst_dssr_policy_start (GstDssrPowerMode mode, gint64 now);

/* The next state: its rung is the one to use. */
GstDssrPolicyState gst_dssr_policy_next (
    const GstDssrPolicyState *last, const GstDssrPolicyInput *input);

/* "default", "power-mode", "power-profile", "low-battery", "battery", "heat",
 * "late" or "idle". */
const gchar *gst_dssr_rung_reason_nick (GstDssrRungReason reason);

G_END_DECLS
