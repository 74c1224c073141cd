/* The policy, by tables: what is put in for how long, and what comes out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gst/dssr/policy.h"

#define FRAME (GST_DSSR_POLICY_SECOND / 25)
#define UNKNOWN G_MININT

#define AUTO GST_DSSR_POWER_MODE_AUTO
#define PERFORMANCE GST_DSSR_POWER_MODE_PERFORMANCE
#define MODE_BALANCED GST_DSSR_POWER_MODE_BALANCED
#define MODE_SAVER GST_DSSR_POWER_MODE_SAVER

/* Some time with the same input. */
typedef struct {
  gdouble seconds;
  GstDssrPolicyInput input;   /* but its time */
  const gchar *rung, *reason; /* at its end */
  gint changes;               /* of rung, until then */
} Phase;

#define MAX_PHASES 9

typedef struct {
  const gchar *name;
  Phase phases[MAX_PHASES];
} Case;

/* Input neither late nor idle; the others set what follows the mode. */
#define INPUT(m, b, h, ...)                                                    \
  {                                                                            \
    .mode = m, .battery = b, .heat = h, __VA_ARGS__                            \
  }
#define ON(m, ...) INPUT (m, -1, UNKNOWN, __VA_ARGS__)
#define CHARGING(m, b, ...) INPUT (m, b, UNKNOWN, __VA_ARGS__)
#define DISCHARGING(m, b, ...)                                                 \
  INPUT (m, b, UNKNOWN, .discharging = TRUE, __VA_ARGS__)
#define HEAT(m, h, ...) INPUT (m, -1, h, __VA_ARGS__)

/* clang-format off */
static const Case cases[] = {
  /* Where each mode begins, and what it may reach. */
  {"auto", {{9, ON (AUTO), "balanced", "default", 0}}},
  {"auto/idle", {
    {1.9, ON (AUTO, .idle = 25), "balanced", "default", 0},
    {0.2, ON (AUTO, .idle = 25), "quality", "idle", 1},
    {9, ON (AUTO, .idle = 90), "quality", "idle", 0}}},
  {"auto/not-idle-enough", {{60, ON (AUTO, .idle = 24), "balanced", "default", 0}}},
  {"auto/idle-not-at-one-stretch", {
    {1.9, ON (AUTO, .idle = 90), "balanced", "default", 0},
    {0.1, ON (AUTO, .idle = 10), "balanced", "default", 0},
    {1.9, ON (AUTO, .idle = 90), "balanced", "default", 0}}},
  {"performance", {{9, ON (PERFORMANCE, .idle = 90), "quality", "power-mode", 0}}},
  {"balanced", {{9, ON (MODE_BALANCED, .idle = 90), "balanced", "power-mode", 0}}},
  {"saver", {{9, ON (MODE_SAVER, .idle = 90), "saver", "power-mode", 0}}},
  {"modes-while-playing", {
    {1, ON (AUTO), "balanced", "default", 0},
    {0.1, ON (PERFORMANCE), "quality", "power-mode", 1},
    {0.1, ON (MODE_SAVER), "saver", "power-mode", 1},
    {0.1, ON (MODE_BALANCED), "balanced", "power-mode", 1},
    {0.1, ON (PERFORMANCE), "quality", "power-mode", 1},
    {0.1, ON (AUTO), "balanced", "default", 1}}},

  /* Profile. */
  {"profile", {
    {0.1, ON (AUTO, .saver_profile = TRUE), "saver", "power-profile", 1},
    {9, ON (AUTO, .saver_profile = TRUE, .idle = 90), "saver", "power-profile", 0},
    {0.1, ON (AUTO), "balanced", "default", 1}}},
  {"profile-that-flips", {
    {0.1, ON (AUTO, .saver_profile = TRUE), "saver", "power-profile", 1},
    {0.4, ON (AUTO), "saver", "power-profile", 0},
    {0.4, ON (AUTO, .saver_profile = TRUE), "saver", "power-profile", 0},
    {0.4, ON (AUTO), "saver", "power-profile", 0},
    {1, ON (AUTO), "balanced", "default", 1}}},

  /* Battery. */
  {"battery/low", {
    {0.1, DISCHARGING (AUTO, 20), "balanced", "battery", 0},
    {0.1, DISCHARGING (AUTO, 19), "saver", "low-battery", 1},
    {9, DISCHARGING (AUTO, 0, .idle = 90), "saver", "low-battery", 0}}},
  {"battery/low-and-charging", {{9, CHARGING (AUTO, 3), "balanced", "default", 0}}},
  {"battery/about-the-limit", {
    {3, DISCHARGING (AUTO, 19), "saver", "low-battery", 1},
    {3, DISCHARGING (AUTO, 20), "saver", "low-battery", 0},
    {3, DISCHARGING (AUTO, 24), "saver", "low-battery", 0},
    {3, DISCHARGING (AUTO, 25), "balanced", "battery", 1},
    {3, DISCHARGING (AUTO, 20), "balanced", "battery", 0}}},
  {"battery/plugged-in", {
    {3, DISCHARGING (AUTO, 10), "saver", "low-battery", 1},
    {0.1, CHARGING (AUTO, 10), "balanced", "default", 1}}},
  {"battery/loose-plug", {
    {3, DISCHARGING (AUTO, 10), "saver", "low-battery", 1},
    {0.5, CHARGING (AUTO, 10), "balanced", "default", 1},
    {0.1, DISCHARGING (AUTO, 10), "saver", "low-battery", 1},
    {0.5, CHARGING (AUTO, 10), "saver", "low-battery", 0},
    {0.5, DISCHARGING (AUTO, 10), "saver", "low-battery", 0},
    {0.5, CHARGING (AUTO, 10), "saver", "low-battery", 0}}},
  {"battery/no-quality", {
    {9, DISCHARGING (AUTO, 90, .idle = 90), "balanced", "battery", 0},
    {0.1, CHARGING (AUTO, 90, .idle = 90), "quality", "idle", 1},
    {0.1, DISCHARGING (AUTO, 90, .idle = 90), "balanced", "battery", 1}}},
  {"battery/unknown", {{9, DISCHARGING (AUTO, -1), "balanced", "default", 0}}},
  {"battery/what-was-asked-for", {
    {3, DISCHARGING (PERFORMANCE, 5, .saver_profile = TRUE), "quality", "power-mode", 0},
    {3, DISCHARGING (MODE_BALANCED, 5, .saver_profile = TRUE), "balanced", "power-mode", 1}}},

  /* Heat. */
  {"heat", {
    {1, HEAT (AUTO, -1), "balanced", "default", 0},
    {0.1, HEAT (AUTO, 0), "saver", "heat", 1},
    {60, HEAT (AUTO, -5000), "saver", "heat", 0},
    {0.1, HEAT (AUTO, -5001), "balanced", "heat", 1},
    {30, HEAT (AUTO, -5001), "balanced", "default", 0}}},
  {"heat/step-by-step", {
    {29, HEAT (PERFORMANCE, 9000), "balanced", "heat", 1},
    {2, HEAT (PERFORMANCE, 9000), "saver", "heat", 1},
    {28, HEAT (PERFORMANCE, -9000), "saver", "heat", 0},
    {2, HEAT (PERFORMANCE, -9000), "balanced", "heat", 1},
    {28, HEAT (PERFORMANCE, -9000), "balanced", "heat", 0},
    {2, HEAT (PERFORMANCE, -9000), "quality", "power-mode", 1}}},
  {"heat/idle-is-no-reason", {{60, HEAT (MODE_BALANCED, 0, .idle = 90), "saver", "heat", 1}}},
  {"heat/sensors-gone", {
    {1, HEAT (AUTO, 5000), "saver", "heat", 1},
    {31, ON (AUTO), "balanced", "heat", 1},
    {31, ON (AUTO), "balanced", "default", 0}}},
  {"heat/thousands-of-degrees", {
    {1, HEAT (AUTO, G_MAXINT), "saver", "heat", 1},
    {31, HEAT (AUTO, G_MININT + 1), "balanced", "heat", 1}}},
  {"heat/back-to-what-idleness-allowed", {
    {3, HEAT (AUTO, -9000, .idle = 50), "quality", "idle", 1},
    {1, HEAT (AUTO, 1, .idle = 50), "balanced", "heat", 1},
    {31, HEAT (AUTO, -9000), "quality", "idle", 1}}},

  /* Load. */
  {"late", {
    {2, ON (AUTO, .late_frames = 2), "balanced", "default", 0},
    {0.1, ON (AUTO, .late_frames = 3), "saver", "late", 1},
    {9, ON (AUTO, .late_frames = 300), "saver", "late", 0},
    {1.9, ON (AUTO, .idle = 30), "saver", "late", 0},
    {0.2, ON (AUTO, .idle = 30), "balanced", "idle", 1},
    {9, ON (AUTO), "balanced", "idle", 0}}},
  {"late/rung-by-rung", {
    {0.9, ON (PERFORMANCE, .late_frames = 3), "quality", "power-mode", 0},
    {0.2, ON (PERFORMANCE, .late_frames = 9), "balanced", "late", 1},
    {0.7, ON (PERFORMANCE, .late_frames = 9), "balanced", "late", 0},
    {0.4, ON (PERFORMANCE, .late_frames = 9), "saver", "late", 1},
    {2.1, ON (PERFORMANCE, .idle = 30), "balanced", "idle", 1},
    {2.1, ON (PERFORMANCE, .idle = 30), "quality", "power-mode", 1}}},
  {"late/lasting-cause-is-told", {
    {2, ON (AUTO, .late_frames = 3), "saver", "late", 1},
    {2, HEAT (AUTO, 0), "saver", "heat", 0},
    {2, INPUT (AUTO, 1, 0, .discharging = TRUE), "saver", "low-battery", 0},
    {2, INPUT (AUTO, 1, 0, .discharging = TRUE, .saver_profile = TRUE), "saver", "power-profile", 0}}},
  {"late/another-picture", {
    {2, ON (AUTO, .late_frames = 3), "saver", "late", 1},
    {1, ON (AUTO), "saver", "late", 0},
    {0.04, ON (AUTO, .new_picture = TRUE), "balanced", "default", 1},
    {2.1, ON (AUTO, .idle = 30), "quality", "idle", 1}}},
  {"late-and-idle", {{9, ON (AUTO, .late_frames = 3, .idle = 100), "saver", "late", 1}}},
  /* What is idle on saver, which the battery asks for, says nothing of balanced. */
  {"idle/another-limit", {
    {2, ON (AUTO, .late_frames = 3), "saver", "late", 1},
    {60, DISCHARGING (AUTO, 9, .idle = 60), "saver", "low-battery", 0},
    {0.1, CHARGING (AUTO, 9, .idle = 60), "balanced", "idle", 1}}},
  /* Each attempt that fails doubles the wait for the next. */
  {"idle/back-off", {
    {2.1, ON (AUTO, .idle = 30), "quality", "idle", 1},
    {1.1, ON (AUTO, .late_frames = 3), "balanced", "late", 1},
    {3.8, ON (AUTO, .idle = 30), "balanced", "late", 0},
    {0.3, ON (AUTO, .idle = 30), "quality", "idle", 1},
    {1.1, ON (AUTO, .late_frames = 3), "balanced", "late", 1},
    {7.8, ON (AUTO, .idle = 30), "balanced", "late", 0},
    {10.3, ON (AUTO, .idle = 30), "quality", "idle", 1},
    {0.1, ON (AUTO, .late_frames = 3), "balanced", "late", 1},
    {2.1, ON (AUTO, .idle = 30), "quality", "idle", 1}}},
  {"nonsense", {
    {3, DISCHARGING (AUTO, 1000), "balanced", "battery", 0},
    {3, DISCHARGING (AUTO, G_MININT), "balanced", "default", 0},
    {3, ON (AUTO, .idle = G_MININT, .late_frames = 0), "balanced", "default", 0},
    {3, ON (AUTO, .late_frames = G_MAXUINT), "saver", "late", 1}}},
};
/* clang-format on */

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  gint64 now = 1000 * GST_DSSR_POLICY_SECOND;
  GstDssrPolicyState state =
      gst_dssr_policy_start (c->phases[0].input.mode, now);

  for (const Phase *p = c->phases; p < c->phases + MAX_PHASES && p->rung; p++) {
    gint changes = 0;
    for (gint n = p->seconds * 25 + 0.5; n > 0; n--) {
      GstDssrPolicyInput input = p->input;
      input.now = now += FRAME;
      GstDssrPolicyState next = gst_dssr_policy_next (&state, &input);
      changes += next.rung != state.rung;
      state = next;
    }
    g_test_message ("phase %d of %s", (gint)(p - c->phases), c->name);
    g_assert_cmpstr (gst_dssr_rung_nick (state.rung), ==, p->rung);
    g_assert_cmpstr (gst_dssr_rung_reason_nick (state.reason), ==, p->reason);
    g_assert_cmpint (changes, ==, p->changes);
  }
}

/* The wait for the next attempt grows no further than a bound. */
static void
test_patience (void)
{
  GstDssrPolicyState state = gst_dssr_policy_start (AUTO, 0);
  GstDssrPolicyInput input = ON (AUTO);
  gint64 longest = 0, waited = 0;
  gint attempts = 0;

  for (gint n = 0; n < 25 * 3600; n++) {
    gboolean tried = state.rung == GST_DSSR_RUNG_QUALITY;
    input.now += FRAME;
    input.idle = tried ? 0 : 30;
    input.late_frames = tried ? 3 : 0;
    state = gst_dssr_policy_next (&state, &input);
    if (!tried && state.rung == GST_DSSR_RUNG_QUALITY) {
      longest = MAX (longest, waited);
      waited = 0;
      attempts++;
    }
    waited += FRAME;
  }
  g_assert_cmpint (
      longest, <=, GST_DSSR_POLICY_MAX_PATIENCE + GST_DSSR_POLICY_UP_HOLD);
  g_assert_cmpint (longest, >=, GST_DSSR_POLICY_MAX_PATIENCE);
  g_assert_cmpint (attempts, >, 3600 / 130);
  g_assert_cmpint (attempts, <, 3600 / 130 + 10);
}

/* A pause, and a clock that jumps, are not time to spare. */
static void
test_jumps (void)
{
  static const gint64 jumps[] = {3600, -3600, G_MAXINT32, 1};

  for (guint i = 0; i < G_N_ELEMENTS (jumps); i++) {
    GstDssrPolicyState state =
        gst_dssr_policy_start (AUTO, 7200 * GST_DSSR_POLICY_SECOND);
    GstDssrPolicyInput input = ON (AUTO, .idle = 90);
    input.now = state.now + jumps[i] * GST_DSSR_POLICY_SECOND;
    state = gst_dssr_policy_next (&state, &input);
    g_assert_cmpint (state.rung, ==, GST_DSSR_RUNG_BALANCED);
    g_assert_cmpint (state.idle_time, <=, GST_DSSR_POLICY_SECOND);
    g_assert_cmpint (state.now, ==, input.now);
  }
}

/* Random inputs: the rung is always one of the three, never better than any
 * limit, and no better rung comes sooner than UP_HOLD after the last change. */
static void
test_random (void)
{
  GstDssrPolicyState state = gst_dssr_policy_start (AUTO, 0);
  GstDssrPolicyInput input = ON (AUTO);
  gint64 changed = 0;
  gint ups = 0;

  for (gint n = 0; n < 500000; n++) {
    GstDssrRung last = state.rung;
    input.now += FRAME;
    if (g_test_rand_int_range (0, 100) == 0) {
      input.saver_profile = g_test_rand_int_range (0, 8) == 0;
      input.battery = g_test_rand_int_range (-1, 101);
      input.discharging = g_test_rand_bit ();
      input.heat = g_test_rand_int_range (-20000, 500);
      input.idle = g_test_rand_int_range (0, 101);
    }
    input.late_frames = g_test_rand_int_range (0, 500) == 0 ? 3 : 0;
    state = gst_dssr_policy_next (&state, &input);
    g_assert_cmpint (state.rung, <=, GST_DSSR_RUNG_SAVER);
    g_assert_cmpint (state.rung, >=, state.heat_limit);
    g_assert_cmpint (state.rung, >=, state.load_limit);
    if (input.saver_profile
        || (input.battery >= 0 && input.battery < 20 && input.discharging))
      g_assert_cmpint (state.rung, ==, GST_DSSR_RUNG_SAVER);
    if (state.rung < last) {
      g_assert_cmpint (input.now - changed, >=, GST_DSSR_POLICY_UP_HOLD);
      ups++;
    }
    if (state.rung != last)
      changed = input.now;
  }
  g_assert_cmpint (ups, >, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path = g_strdup_printf ("/policy/%s", cases[i].name);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/policy/patience", test_patience);
  g_test_add_func ("/policy/jumps", test_jumps);
  g_test_add_func ("/policy/random", test_random);
  return g_test_run ();
}
