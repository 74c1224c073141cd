/* The choice among scenes: no clock, no element, only what was said.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scene.h"

/* What keeps the scene in use, or brightness, as a part of what brings it. */
#define KEEP 0.8

static gboolean
is_of_buffer (guint source)
{
  return source == GST_DSSR_SCENE_SOURCE_META
         || source == GST_DSSR_SCENE_SOURCE_REGIONS;
}

/* A source that a person or a file sets, not a measurement. */
static gboolean
is_steady (guint source)
{
  return source == GST_DSSR_SCENE_SOURCE_PROPERTY
         || source == GST_DSSR_SCENE_SOURCE_CAPS
         || source == GST_DSSR_SCENE_SOURCE_ORIENTATION;
}

/* Takes over the hints; TRUE: a steady one has changed. */
static gboolean
remember (
    GstDssrSceneChooser *chooser, const GstDssrSceneHint *hints, guint hold)
{
  gboolean first = chooser->scene == GST_DSSR_SCENE_AUTO, changed = first;

  for (guint i = 0; i < GST_DSSR_N_SCENE_SOURCES; i++) {
    GstDssrSceneHint *last = &chooser->last[i];
    guint keep = is_of_buffer (i) && !first ? hold : 0;
    if (is_steady (i) && last->scene != hints[i].scene)
      changed = TRUE;
    if (hints[i].scene != GST_DSSR_SCENE_AUTO
        || chooser->scene_age[i] >= keep) {
      last->scene = hints[i].scene;
      last->confidence = hints[i].confidence;
      chooser->scene_age[i] = 0;
    } else {
      chooser->scene_age[i]++;
    }
    if (hints[i].lux >= 0 || chooser->lux_age[i] >= keep) {
      last->lux = hints[i].lux;
      chooser->lux_age[i] = 0;
    } else {
      chooser->lux_age[i]++;
    }
  }
  return changed;
}

static GstDssrSceneSource
find_source (
    const GstDssrSceneChooser *chooser, const GstDssrSceneSettings *settings)
{
  guint i;

  for (i = 0; i < GST_DSSR_N_SCENE_SOURCES; i++) {
    const GstDssrSceneHint *hint = &chooser->last[i];
    gdouble needed = settings->confidence;
    if (hint->scene == chooser->scene)
      needed *= KEEP;
    if (hint->scene != GST_DSSR_SCENE_AUTO && hint->confidence >= needed)
      break;
  }
  return i;
}

static gboolean
is_bright (
    const GstDssrSceneChooser *chooser, const GstDssrSceneSettings *settings)
{
  gdouble threshold = settings->lux_threshold;

  if (threshold <= 0)
    return FALSE;
  if (chooser->bright)
    threshold *= KEEP;
  for (guint i = 0; i < GST_DSSR_N_SCENE_SOURCES; i++)
    if (chooser->last[i].lux >= 0)
      return chooser->last[i].lux >= threshold;
  return FALSE;
}

void
gst_dssr_scene_choose (GstDssrSceneChooser *chooser,
    const GstDssrSceneHint *hints, const GstDssrSceneSettings *settings)
{
  gboolean first = chooser->scene == GST_DSSR_SCENE_AUTO;
  gboolean at_once = remember (chooser, hints, settings->hold);
  GstDssrSceneSource source = find_source (chooser, settings);
  GstDssrScene scene = source == GST_DSSR_SCENE_SOURCE_DEFAULT
                           ? GST_DSSR_SCENE_LANDSCAPE
                           : chooser->last[source].scene;

  if (scene == chooser->scene || at_once
      || chooser->scene_frames >= settings->hold) {
    chooser->scene = scene;
    chooser->source = source;
    chooser->scene_frames = 0;
  } else {
    chooser->scene_frames++;
  }

  gboolean bright = is_bright (chooser, settings);
  if (bright == chooser->bright || first
      || chooser->bright_frames >= settings->hold) {
    chooser->bright = bright;
    chooser->bright_frames = 0;
  } else {
    chooser->bright_frames++;
  }
}

const gchar *
gst_dssr_scene_source_nick (GstDssrSceneSource source)
{
  static const gchar *const nicks[] = {
      "property", "meta", "regions", "event", "caps", "orientation", "default"};

  return nicks[source];
}
