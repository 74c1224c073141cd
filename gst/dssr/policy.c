/* Which rung to use.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy.h"

/* The best rung that a limit leaves, and what it is due to. */
typedef struct {
  GstDssrRung rung;
  GstDssrRungReason reason;
} Limit;

static Limit
start_of (GstDssrPowerMode mode)
{
  switch (mode) {
    case GST_DSSR_POWER_MODE_PERFORMANCE:
      return (Limit){GST_DSSR_RUNG_QUALITY, GST_DSSR_RUNG_REASON_MODE};
    case GST_DSSR_POWER_MODE_BALANCED:
      return (Limit){GST_DSSR_RUNG_BALANCED, GST_DSSR_RUNG_REASON_MODE};
    case GST_DSSR_POWER_MODE_SAVER:
      return (Limit){GST_DSSR_RUNG_SAVER, GST_DSSR_RUNG_REASON_MODE};
    default:
      return (Limit){GST_DSSR_RUNG_BALANCED, GST_DSSR_RUNG_REASON_DEFAULT};
  }
}

static void
start_load (GstDssrPolicyState *state, GstDssrPowerMode mode)
{
  Limit start = start_of (mode);

  state->mode = mode;
  state->load_limit = start.rung;
  state->load_reason = start.reason;
  state->load_age = 0;
  state->idle_time = 0;
  state->patience = GST_DSSR_POLICY_PATIENCE;
}

GstDssrPolicyState
gst_dssr_policy_start (GstDssrPowerMode mode, gint64 now)
{
  Limit start = start_of (mode);
  GstDssrPolicyState state = {
      .rung = start.rung,
      .reason = start.reason,
      .now = now,
      .heat_limit = GST_DSSR_RUNG_QUALITY,
      .heat_age = GST_DSSR_POLICY_HEAT_HOLD,
  };

  start_load (&state, mode);
  return state;
}

/* Returns the time that has passed. */
static gint64
pass_time (GstDssrPolicyState *state, gint64 now)
{
  gint64 passed = CLAMP (now - state->now, 0, GST_DSSR_POLICY_MAX_STEP);

  state->now = now;
  state->age += passed;
  state->heat_age += passed;
  state->load_age += passed;
  return passed;
}

static gboolean
battery_low (gboolean was_low, const GstDssrPolicyInput *input)
{
  gint enough =
      was_low ? GST_DSSR_POLICY_BATTERY_ENOUGH : GST_DSSR_POLICY_BATTERY_LOW;

  return input->discharging && input->battery >= 0 && input->battery < enough;
}

/* What is wanted. A mode that was asked for is more than profile and battery:
 * heat and load are facts, these are wishes. */
static Limit
wanted (const GstDssrPolicyState *state, const GstDssrPolicyInput *input)
{
  if (input->mode != GST_DSSR_POWER_MODE_AUTO)
    return start_of (input->mode);
  if (input->saver_profile)
    return (Limit){GST_DSSR_RUNG_SAVER, GST_DSSR_RUNG_REASON_PROFILE};
  if (state->battery_low)
    return (Limit){GST_DSSR_RUNG_SAVER, GST_DSSR_RUNG_REASON_LOW_BATTERY};
  if (input->discharging && input->battery >= 0)
    return (Limit){GST_DSSR_RUNG_BALANCED, GST_DSSR_RUNG_REASON_BATTERY};
  return (Limit){GST_DSSR_RUNG_QUALITY, GST_DSSR_RUNG_REASON_DEFAULT};
}

static void
follow_heat (GstDssrPolicyState *state, gint heat)
{
  if (state->heat_age < GST_DSSR_POLICY_HEAT_HOLD)
    return;
  /* Sensors that are gone hold nothing back. */
  gboolean cool = heat < -GST_DSSR_POLICY_COOL;

  if (heat >= 0 && state->heat_limit < GST_DSSR_RUNG_SAVER)
    state->heat_limit = MIN (state->rung + 1, GST_DSSR_RUNG_SAVER);
  else if (cool && state->heat_limit > GST_DSSR_RUNG_QUALITY)
    state->heat_limit--;
  else
    return;
  state->heat_age = 0;
}

static void
set_load_limit (
    GstDssrPolicyState *state, GstDssrRung rung, GstDssrRungReason reason)
{
  state->load_limit = rung;
  state->load_reason = reason;
  state->load_age = 0;
  state->idle_time = 0;
}

/* `best`: what the other limits allow. */
static void
follow_load (GstDssrPolicyState *state, const GstDssrPolicyInput *input,
    gint64 passed, GstDssrRung best)
{
  GstDssrRung worse = MIN (state->rung + 1, GST_DSSR_RUNG_SAVER);

  if (input->late_frames >= GST_DSSR_POLICY_LATE_FRAMES) {
    if (state->age < GST_DSSR_POLICY_SETTLE || state->load_limit >= worse)
      return;
    gboolean failed = state->load_reason == GST_DSSR_RUNG_REASON_IDLE
                      && state->load_age < GST_DSSR_POLICY_TRIAL;
    state->patience =
        failed ? MIN (2 * state->patience, GST_DSSR_POLICY_MAX_PATIENCE)
               : GST_DSSR_POLICY_PATIENCE;
    set_load_limit (state, worse, GST_DSSR_RUNG_REASON_LATE);
    return;
  }

  state->idle_time =
      input->idle >= GST_DSSR_POLICY_IDLE ? state->idle_time + passed : 0;
  /* Time to spare on the rung that another limit asks for tells nothing about
   * the ones above it. */
  if (state->idle_time >= state->patience && state->rung == state->load_limit
      && state->load_limit > best)
    set_load_limit (state, state->load_limit - 1, GST_DSSR_RUNG_REASON_IDLE);
}

static void
lower (Limit *limit, GstDssrRung rung, GstDssrRungReason reason)
{
  if (rung >= limit->rung)
    *limit = (Limit){rung, reason};
}

GstDssrPolicyState
gst_dssr_policy_next (
    const GstDssrPolicyState *last, const GstDssrPolicyInput *input)
{
  GstDssrPolicyState state = *last;
  gboolean asked = input->mode != last->mode;
  gint64 passed = pass_time (&state, input->now);

  if (asked || input->new_picture)
    start_load (&state, input->mode);
  state.battery_low = battery_low (last->battery_low, input);
  Limit want = wanted (&state, input);
  follow_heat (&state, input->heat);
  follow_load (&state, input, passed, MAX (want.rung, state.heat_limit));

  /* Of causes that ask for the same rung, the one that lasts is told. */
  Limit next = {state.load_limit, state.load_reason};
  if (state.heat_limit > GST_DSSR_RUNG_QUALITY)
    lower (&next, state.heat_limit, GST_DSSR_RUNG_REASON_HEAT);
  if (want.reason != GST_DSSR_RUNG_REASON_DEFAULT)
    lower (&next, want.rung, want.reason);

  if (next.rung < state.rung && state.age < GST_DSSR_POLICY_UP_HOLD && !asked)
    return state;
  if (next.rung != state.rung)
    state.age = state.idle_time = 0;
  state.rung = next.rung;
  state.reason = next.reason;
  return state;
}

const gchar *
gst_dssr_rung_reason_nick (GstDssrRungReason reason)
{
  static const gchar *const nicks[] = {
      "default",
      "power-mode",
      "power-profile",
      "low-battery",
      "battery",
      "heat",
      "late",
      "idle",
  };

  return nicks[reason];
}
