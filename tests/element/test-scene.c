/* Who is heard about the scene, and for how long: the choice by itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <math.h>

#include "gst/dssr/dssrscenemeta.h"
#include "gst/dssr/scene.h"
#include "common.h"

#define A GST_DSSR_SCENE_AUTO
#define L GST_DSSR_SCENE_LANDSCAPE
#define P GST_DSSR_SCENE_PORTRAIT

/* As indices into hints. */
enum { PROPERTY, META, REGIONS, EVENT, CAPS, ORIENTATION, DEFAULT };

typedef struct {
  GstDssrSceneHint hints[GST_DSSR_N_SCENE_SOURCES];
} Frame;

static const Frame silence = {
    {{A, 1, -1}, {A, 1, -1}, {A, 1, -1}, {A, 1, -1}, {A, 1, -1}, {A, 1, -1}}};

static Frame
say (guint source, GstDssrScene scene, gdouble confidence)
{
  Frame frame = silence;

  frame.hints[source].scene = scene;
  frame.hints[source].confidence = confidence;
  return frame;
}

static Frame
say_lux (guint source, gdouble lux)
{
  Frame frame = silence;

  frame.hints[source].lux = lux;
  return frame;
}

static void
choose (GstDssrSceneChooser *chooser, const Frame *frame, guint hold)
{
  const GstDssrSceneSettings settings = {hold, 0.5, 1000};

  gst_dssr_scene_choose (chooser, frame->hints, &settings);
}

/* Every pair of sources that contradict each other: the higher one is heard,
 * whichever scene it wants. */
static void
test_order (void)
{
  for (guint high = PROPERTY; high < DEFAULT; high++)
    for (guint low = high + 1; low <= DEFAULT; low++)
      for (GstDssrScene scene = L; scene <= P; scene++) {
        GstDssrSceneChooser chooser = {0};
        Frame frame = say (high, scene, 1);
        if (low < DEFAULT)
          frame.hints[low].scene = scene == L ? P : L;
        choose (&chooser, &frame, 5);
        g_assert_cmpint (chooser.scene, ==, scene);
        g_assert_cmpint (chooser.source, ==, high);
      }
  GstDssrSceneChooser chooser = {0};
  choose (&chooser, &silence, 5);
  g_assert_cmpint (chooser.scene, ==, L);
  g_assert_cmpint (chooser.source, ==, DEFAULT);
}

/* One row is one frame in a stream with a hold of 2 frames. */
typedef struct {
  guint source;
  GstDssrScene says;
  gdouble confidence;
  GstDssrScene scene;
  guint by;
} Row;

static void
run (const Row *rows, guint n)
{
  GstDssrSceneChooser chooser = {0};

  for (guint i = 0; i < n; i++) {
    Frame frame = rows[i].source == DEFAULT
                      ? silence
                      : say (rows[i].source, rows[i].says, rows[i].confidence);
    choose (&chooser, &frame, 2);
    g_test_message ("row %u", i);
    g_assert_cmpint (chooser.scene, ==, rows[i].scene);
    g_assert_cmpint (chooser.source, ==, rows[i].by);
  }
}

static void
test_hold (void)
{
  /* Measured: after two frames that want it; and gone two frames after the last
   * word, which counted for two. */
  static const Row measured[] = {{DEFAULT, A, 0, L, DEFAULT},
      {META, P, 0.9, L, DEFAULT}, {META, P, 0.9, L, DEFAULT},
      {META, P, 0.9, P, META}, {DEFAULT, A, 0, P, META},
      {DEFAULT, A, 0, P, META}, {DEFAULT, A, 0, P, META},
      {DEFAULT, A, 0, P, META}, {DEFAULT, A, 0, L, DEFAULT}};
  /* One frame of doubt begins the count again. */
  static const Row doubt[] = {{META, L, 1, L, META}, {META, P, 1, L, META},
      {META, P, 1, L, META}, {META, L, 1, L, META}, {META, P, 1, L, META},
      {META, P, 1, L, META}, {META, P, 1, P, META}};
  /* A detector that looks at every third frame. */
  static const Row seldom[] = {{DEFAULT, A, 0, L, DEFAULT},
      {REGIONS, P, 1, L, DEFAULT}, {DEFAULT, A, 0, L, DEFAULT},
      {DEFAULT, A, 0, P, REGIONS}, {REGIONS, P, 1, P, REGIONS},
      {DEFAULT, A, 0, P, REGIONS}, {DEFAULT, A, 0, P, REGIONS},
      {REGIONS, P, 1, P, REGIONS}};
  /* What is set, not measured, counts at once. */
  static const Row steady[] = {{DEFAULT, A, 0, L, DEFAULT},
      {PROPERTY, P, 1, P, PROPERTY}, {DEFAULT, A, 0, L, DEFAULT},
      {CAPS, P, 1, P, CAPS}, {DEFAULT, A, 0, L, DEFAULT},
      {ORIENTATION, P, 1, P, ORIENTATION}, {DEFAULT, A, 0, L, DEFAULT}};
  /* An event is another's measurement; who sends it repeats it by itself. */
  static const Row event[] = {{DEFAULT, A, 0, L, DEFAULT},
      {EVENT, P, 1, L, DEFAULT}, {EVENT, P, 1, L, DEFAULT},
      {EVENT, P, 1, P, EVENT}, {DEFAULT, A, 0, P, EVENT},
      {DEFAULT, A, 0, P, EVENT}, {DEFAULT, A, 0, L, DEFAULT}};

  run (measured, G_N_ELEMENTS (measured));
  run (doubt, G_N_ELEMENTS (doubt));
  run (seldom, G_N_ELEMENTS (seldom));
  run (steady, G_N_ELEMENTS (steady));
  run (event, G_N_ELEMENTS (event));
}

/* Half is needed to come, four tenths to stay. Who has less is not heard, and
 * so the default is. */
static void
test_confidence (void)
{
  static const Row rows[] = {{DEFAULT, A, 0, L, DEFAULT},
      {META, P, 0.49, L, DEFAULT}, {META, P, 0.49, L, DEFAULT},
      {META, P, 0.49, L, DEFAULT}, {META, P, 0.49, L, DEFAULT},
      {META, P, 0.5, L, DEFAULT}, {META, P, 0.5, L, DEFAULT},
      {META, P, 0.5, P, META}, {META, P, 0.41, P, META},
      {META, P, 0.41, P, META}, {META, P, 0.41, P, META},
      {META, L, 0.41, P, META}, {META, P, 0.39, P, META},
      {META, P, 0.39, L, DEFAULT}};

  run (rows, G_N_ELEMENTS (rows));
}

/* A source that wants another scene in every frame, for as long as it likes,
 * changes nothing. */
static void
test_flicker (void)
{
  GstDssrSceneChooser chooser = {0};

  for (guint i = 0; i < 10000; i++) {
    Frame frame = say (META, i % 2 ? P : L, 1);
    frame.hints[EVENT].lux = i % 3 ? 100000 : 0;
    choose (&chooser, &frame, 3);
    g_assert_cmpint (chooser.scene, ==, L);
    g_assert_false (chooser.bright);
  }
}

static void
test_no_hold (void)
{
  GstDssrSceneChooser chooser = {0};

  for (guint i = 0; i < 10; i++) {
    Frame frame = say (REGIONS, i % 2 ? P : A, 1);
    choose (&chooser, &frame, 0);
    g_assert_cmpint (chooser.scene, ==, i % 2 ? P : L);
  }
}

static void
test_bright (void)
{
  /* Brightness begins at 1000, and ends below 800. */
  static const struct {
    gdouble lux;
    gboolean bright;
  } rows[] = {{500, FALSE}, {1000, FALSE}, {1000, FALSE}, {1000, TRUE},
      {801, TRUE}, {801, TRUE}, {801, TRUE}, {799, TRUE}, {799, TRUE},
      {799, FALSE}, {999, FALSE}, {999, FALSE}, {999, FALSE}, {1e30, FALSE},
      {1e30, FALSE}, {1e30, TRUE}};
  GstDssrSceneChooser chooser = {0};

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    Frame frame = say_lux (META, rows[i].lux);
    g_test_message ("row %u", i);
    choose (&chooser, &frame, 2);
    g_assert_cmpint (chooser.bright, ==, rows[i].bright);
    g_assert_cmpint (chooser.source, ==, DEFAULT);
  }

  /* At once in the first frame; the buffer's own light before an event's. */
  GstDssrSceneChooser other = {0};
  Frame frame = say_lux (EVENT, 5000);
  choose (&other, &frame, 2);
  g_assert_true (other.bright);
  frame.hints[META].lux = 10;
  for (guint i = 0; i < 3; i++)
    choose (&other, &frame, 2);
  g_assert_false (other.bright);

  /* Threshold 0. */
  GstDssrSceneChooser never = {0};
  gst_dssr_scene_choose (
      &never, frame.hints, &(GstDssrSceneSettings){0, 0.5, 0});
  g_assert_false (never.bright);
}

/* Light and scene are remembered apart. */
static void
test_apart (void)
{
  GstDssrSceneChooser chooser = {0};
  Frame scene = say (META, P, 1), light = say_lux (META, 2000);

  choose (&chooser, &scene, 3);
  for (guint i = 0; i < 20; i++)
    choose (&chooser, i % 3 ? &light : &scene, 3);
  g_assert_cmpint (chooser.scene, ==, P);
  g_assert_true (chooser.bright);
}

/* ---- Reading ---- */

static void
test_structures (void)
{
  static const struct {
    const gchar *text;
    gboolean sound;
    GstDssrSceneHint hint;
  } rows[] = {
      {"x, scene=portrait", TRUE, {P, 1, 7}},
      {"x, scene=landscape, confidence=0.25, lux=12.5", TRUE, {L, 0.25, 12.5}},
      {"x, scene=portrait, confidence=(int)1", TRUE, {P, 1, 7}},
      {"x, scene=auto", TRUE, {A, 1, 7}},
      {"x, lux=(double)-3", TRUE, {L, 0.5, -3}},
      {"x, lux=(uint)40000", TRUE, {L, 0.5, 40000}},
      {"x, confidence=0.75", TRUE, {L, 0.75, 7}},
      {"x, other=true", TRUE, {L, 0.5, 7}},
      {"x, scene=sunset", FALSE, {0}},
      {"x, scene=(string)\"\"", FALSE, {0}},
      {"x, scene=(int)2", FALSE, {0}},
      {"x, scene=portrait, confidence=1.01", FALSE, {0}},
      {"x, scene=portrait, confidence=-0.01", FALSE, {0}},
      {"x, scene=portrait, confidence=high", FALSE, {0}},
      {"x, lux=bright", FALSE, {0}},
      {"x, lux=(GstFraction)1/2", TRUE, {L, 0.5, 0.5}},
      {"x, scene={portrait, landscape}", FALSE, {0}},
  };
  const GstDssrSceneHint before = {L, 0.5, 7};

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    GstStructure *s = gst_structure_from_string (rows[i].text, NULL);
    GstDssrSceneHint hint = before;
    const GstDssrSceneHint *want = rows[i].sound ? &rows[i].hint : &before;
    g_test_message ("%s", rows[i].text);
    g_assert_nonnull (s);
    g_assert_cmpint (gst_dssr_scene_hint_update (&hint, s), ==, rows[i].sound);
    g_assert_cmpint (hint.scene, ==, want->scene);
    g_assert_cmpfloat (hint.confidence, ==, want->confidence);
    g_assert_cmpfloat (hint.lux, ==, want->lux);
    gst_structure_free (s);
  }
}

/* No number, and none that has an end. */
static void
test_no_numbers (void)
{
  const gdouble bad[] = {NAN, INFINITY, -INFINITY};

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    for (guint field = 0; field < 2; field++) {
      GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
      GstStructure *s =
          gst_structure_new ("x", "scene", G_TYPE_STRING, "portrait",
              field ? "lux" : "confidence", G_TYPE_DOUBLE, bad[i], NULL);
      g_assert_false (gst_dssr_scene_hint_update (&hint, s));
      g_assert_cmpint (hint.scene, ==, A);
      gst_structure_free (s);
    }
  GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
  GstStructure *s = gst_structure_new ("x", "scene", G_TYPE_STRING, NULL, NULL);
  g_assert_false (gst_dssr_scene_hint_update (&hint, s));
  gst_structure_free (s);
}

static void
test_meta (void)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstDssrSceneHint hint = gst_dssr_scene_hint_from_meta (buffer);

  g_assert_cmpint (hint.scene, ==, A);
  g_assert_cmpfloat (hint.lux, <, 0);
  dssr_buffer_add_scene_meta (buffer, NULL, 1, 20000);
  hint = gst_dssr_scene_hint_from_meta (buffer);
  g_assert_cmpint (hint.scene, ==, A);
  g_assert_cmpfloat (hint.lux, ==, 20000);

  /* The last word counts, and there is one meta still. */
  dssr_buffer_add_scene_meta (buffer, "portrait", 0.75, DSSR_LUX_UNKNOWN);
  hint = gst_dssr_scene_hint_from_meta (buffer);
  g_assert_cmpint (hint.scene, ==, P);
  g_assert_cmpfloat (hint.confidence, ==, 0.75);
  g_assert_cmpfloat (hint.lux, <, 0);
  g_assert_cmpuint (gst_buffer_get_n_meta (
                        buffer, gst_meta_get_info (DSSR_SCENE_META_NAME)->api),
      ==, 1);

  /* Without the header. */
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "DssrSceneMeta");
  gst_structure_set (gst_custom_meta_get_structure (meta), "scene",
      G_TYPE_STRING, "landscape", NULL);
  g_assert_cmpint (gst_dssr_scene_hint_from_meta (buffer).scene, ==, L);

  /* It is copied with the buffer. */
  GstBuffer *copy = gst_buffer_copy (buffer);
  g_assert_cmpint (gst_dssr_scene_hint_from_meta (copy).scene, ==, L);
  gst_buffer_unref (copy);
  gst_buffer_unref (buffer);
}

static void
test_event (void)
{
  GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
  GstEvent *event =
      dssr_scene_event_new (GST_EVENT_CUSTOM_UPSTREAM, "portrait", 0.5, 300);

  g_assert_true (gst_dssr_scene_hint_update_by_event (&hint, event));
  g_assert_cmpint (hint.scene, ==, P);
  g_assert_cmpfloat (hint.lux, ==, 300);
  gst_event_unref (event);

  /* Light alone leaves the scene as it is. */
  event = gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
      gst_structure_new (DSSR_SCENE_EVENT_NAME, "lux", G_TYPE_INT, 5, NULL));
  g_assert_true (gst_dssr_scene_hint_update_by_event (&hint, event));
  g_assert_cmpint (hint.scene, ==, P);
  g_assert_cmpfloat (hint.lux, ==, 5);
  gst_event_unref (event);

  /* Others'. */
  event = gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
      gst_structure_new ("other", "scene", G_TYPE_STRING, "landscape", NULL));
  g_assert_false (gst_dssr_scene_hint_update_by_event (&hint, event));
  gst_event_unref (event);
  event = gst_event_new_reconfigure ();
  g_assert_false (gst_dssr_scene_hint_update_by_event (&hint, event));
  gst_event_unref (event);
  g_assert_cmpint (hint.scene, ==, P);
}

/* In a picture of 100x100. */
static void
test_regions (void)
{
  static const struct {
    const gchar *type;
    guint x, y, w, h, n; /* n times */
    const gchar *params;
    GstDssrScene scene;
    gdouble confidence;
  } rows[] = {
      {"face", 10, 10, 20, 10, 1, NULL, P, 1},
      {"face", 10, 10, 19, 10, 1, NULL, A, 1},
      {"Face", 10, 10, 20, 10, 1, NULL, P, 1},
      {"face", 0, 0, 10, 5, 4, NULL, P, 1},
      {"face", 0, 0, 10, 5, 3, NULL, A, 1},
      {"head", 0, 0, 30, 10, 1, NULL, P, 1},
      {"head", 0, 0, 29, 10, 1, NULL, A, 1},
      {"person", 0, 0, 20, 50, 1, NULL, P, 1},
      {"person", 0, 0, 20, 49, 1, NULL, A, 1},
      {"car", 0, 0, 100, 100, 1, NULL, A, 1},
      {"face", 0, 0, 50, 50, 1, "detection, confidence=0.75", P, 0.75},
      {"face", 0, 0, 50, 50, 1, "other, label=1", P, 1},
      {"face", 0, 0, 50, 50, 1, "detection, confidence=7.0", A, 1},
      {"face", 0, 0, 50, 50, 1, "detection, confidence=sure", A, 1},
      /* Outside, half outside, nowhere, larger than any picture. */
      {"face", 100, 0, 50, 50, 1, NULL, A, 1},
      {"face", 90, 0, 40, 20, 1, NULL, P, 1},
      {"face", 90, 0, 40, 19, 1, NULL, A, 1},
      {"face", 0, 0, 0, 0, 1, NULL, A, 1},
      {"face", G_MAXUINT, G_MAXUINT, G_MAXUINT, G_MAXUINT, 1, NULL, A, 1},
      {"face", 0, 0, G_MAXUINT, G_MAXUINT, 1, NULL, P, 1},
      {"face", 50, 50, G_MAXUINT, G_MAXUINT, 1000, NULL, P, 1},
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    GstBuffer *buffer = gst_buffer_new ();
    g_test_message ("row %u", i);
    for (guint n = 0; n < rows[i].n; n++) {
      GstVideoRegionOfInterestMeta *meta =
          gst_buffer_add_video_region_of_interest_meta (
              buffer, rows[i].type, rows[i].x, rows[i].y, rows[i].w, rows[i].h);
      if (rows[i].params)
        gst_video_region_of_interest_meta_add_param (
            meta, gst_structure_from_string (rows[i].params, NULL));
    }
    GstDssrSceneHint hint = gst_dssr_scene_hint_from_regions (buffer, 100, 100);
    g_assert_cmpint (hint.scene, ==, rows[i].scene);
    g_assert_cmpfloat (hint.confidence, ==, rows[i].confidence);
    gst_buffer_unref (buffer);
  }

  /* A large face that is sure and a small one that is not. */
  GstBuffer *buffer = gst_buffer_new ();
  for (guint i = 0; i < 2; i++)
    gst_video_region_of_interest_meta_add_param (
        gst_buffer_add_video_region_of_interest_meta (
            buffer, "face", 0, 0, 30 - 20 * i, 10),
        gst_structure_new (
            "detection", "confidence", G_TYPE_DOUBLE, i ? 0.0 : 1.0, NULL));
  g_assert_cmpfloat (
      gst_dssr_scene_hint_from_regions (buffer, 100, 100).confidence, ==, 0.75);
  gst_buffer_unref (buffer);

  /* A face that is much larger than it must be, and a person that just is. */
  buffer = gst_buffer_new ();
  gst_video_region_of_interest_meta_add_param (
      gst_buffer_add_video_region_of_interest_meta (
          buffer, "face", 0, 0, 50, 50),
      gst_structure_from_string ("detection, confidence=0.75", NULL));
  gst_video_region_of_interest_meta_add_param (
      gst_buffer_add_video_region_of_interest_meta (
          buffer, "person", 0, 0, 20, 50),
      gst_structure_from_string ("detection, confidence=0.25", NULL));
  g_assert_cmpfloat (
      gst_dssr_scene_hint_from_regions (buffer, 100, 100).confidence, ==, 0.75);
  gst_buffer_unref (buffer);
}

static void
test_caps_field (void)
{
  static const struct {
    const gchar *caps;
    GstDssrScene scene;
  } rows[] = {{"video/x-raw", A}, {"video/x-raw, scene=portrait", P},
      {"video/x-raw, scene=landscape", L}, {"video/x-raw, scene=night", A},
      {"video/x-raw, scene=(int)1", A},
      {"video/x-raw, scene={portrait,landscape}", A}};

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    GstCaps *caps = gst_caps_from_string (rows[i].caps);
    g_assert_cmpint (
        gst_dssr_scene_hint_from_caps (caps).scene, ==, rows[i].scene);
    gst_caps_unref (caps);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/scene/order", test_order);
  g_test_add_func ("/scene/hold", test_hold);
  g_test_add_func ("/scene/confidence", test_confidence);
  g_test_add_func ("/scene/flicker", test_flicker);
  g_test_add_func ("/scene/no-hold", test_no_hold);
  g_test_add_func ("/scene/bright", test_bright);
  g_test_add_func ("/scene/apart", test_apart);
  g_test_add_func ("/scene/structures", test_structures);
  g_test_add_func ("/scene/no-numbers", test_no_numbers);
  g_test_add_func ("/scene/meta", test_meta);
  g_test_add_func ("/scene/event", test_event);
  g_test_add_func ("/scene/regions", test_regions);
  g_test_add_func ("/scene/caps", test_caps_field);
  return test_run ();
}
