/* Hints about the scene, read from buffers, events and caps: all of them from
 * elsewhere, and none believed before it is looked at.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gst/video/video.h>
#include <math.h>

#include "dssrscenemeta.h"
#include "scene.h"

/* FALSE: it is no number in this range. */
static gboolean
read_number (const GValue *value, gdouble min, gdouble max, gdouble *number)
{
  GValue as_double = G_VALUE_INIT;

  if (!g_value_type_transformable (G_VALUE_TYPE (value), G_TYPE_DOUBLE))
    return FALSE;
  g_value_init (&as_double, G_TYPE_DOUBLE);
  g_value_transform (value, &as_double);
  gdouble x = g_value_get_double (&as_double);
  if (!isfinite (x) || x < min || x > max)
    return FALSE;
  *number = x;
  return TRUE;
}

static gboolean
read_scene (const GValue *value, GstDssrScene *scene)
{
  const gchar *name =
      G_VALUE_HOLDS_STRING (value) ? g_value_get_string (value) : NULL;

  if (g_strcmp0 (name, "auto") == 0)
    *scene = GST_DSSR_SCENE_AUTO;
  else if (g_strcmp0 (name, "landscape") == 0)
    *scene = GST_DSSR_SCENE_LANDSCAPE;
  else if (g_strcmp0 (name, "portrait") == 0)
    *scene = GST_DSSR_SCENE_PORTRAIT;
  else
    return FALSE;
  return TRUE;
}

gboolean
gst_dssr_scene_hint_update (
    GstDssrSceneHint *hint, const GstStructure *structure)
{
  const GValue *scene = gst_structure_get_value (structure, "scene");
  const GValue *confidence = gst_structure_get_value (structure, "confidence");
  const GValue *lux = gst_structure_get_value (structure, "lux");
  GstDssrSceneHint new = *hint;

  if (scene) {
    new.confidence = 1.0;
    if (!read_scene (scene, &new.scene))
      return FALSE;
  }
  if (confidence && !read_number (confidence, 0, 1, &new.confidence))
    return FALSE;
  if (lux && !read_number (lux, -G_MAXDOUBLE, G_MAXDOUBLE, &new.lux))
    return FALSE;
  *hint = new;
  return TRUE;
}

gboolean
gst_dssr_scene_hint_update_by_event (GstDssrSceneHint *hint, GstEvent *event)
{
  const GstStructure *structure = gst_event_get_structure (event);

  return structure && gst_structure_has_name (structure, DSSR_SCENE_EVENT_NAME)
         && gst_dssr_scene_hint_update (hint, structure);
}

GstDssrSceneHint
gst_dssr_scene_hint_from_meta (GstBuffer *buffer)
{
  GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
  const GstStructure *structure = dssr_buffer_get_scene (buffer);

  if (structure)
    gst_dssr_scene_hint_update (&hint, structure);
  return hint;
}

GstDssrSceneHint
gst_dssr_scene_hint_from_caps (const GstCaps *caps)
{
  GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
  const GValue *scene =
      gst_structure_get_value (gst_caps_get_structure (caps, 0), "scene");

  if (scene)
    read_scene (scene, &hint.scene);
  return hint;
}

/* ---- Regions of interest ---- */

/* What is looked for, and the share of the picture that makes it the subject:
 * one face at arm's length from a phone has about a tenth of the picture, one
 * in a group some hundredths. */
static const struct {
  const gchar *type;
  gdouble share;
} subjects[] = {{"face", 0.02}, {"head", 0.03}, {"person", 0.1}};

/* The area of the region inside the picture. */
static gdouble
get_area (const GstVideoRegionOfInterestMeta *region, guint width, guint height)
{
  if (region->x >= width || region->y >= height)
    return 0;
  return (gdouble)MIN (region->w, width - region->x)
         * MIN (region->h, height - region->y);
}

/* The detector's confidence, in any of the parameters; 1 where it gives none.
 * FALSE: it makes no sense. */
static gboolean
read_confidence (
    const GstVideoRegionOfInterestMeta *region, gdouble *confidence)
{
  *confidence = 1;
  for (const GList *l = region->params; l; l = l->next) {
    const GValue *value = gst_structure_get_value (l->data, "confidence");
    if (value)
      return read_number (value, 0, 1, confidence);
  }
  return TRUE;
}

GstDssrSceneHint
gst_dssr_scene_hint_from_regions (GstBuffer *buffer, gint width, gint height)
{
  GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
  gdouble areas[G_N_ELEMENTS (subjects)] = {0};
  gdouble sure[G_N_ELEMENTS (subjects)] = {0}; /* area times confidence */
  gdouble most = 1;                            /* shares of what is needed */
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (
              buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
    const GstVideoRegionOfInterestMeta *region = (gpointer)meta;
    const gchar *type = g_quark_to_string (region->roi_type);
    gdouble confidence;
    for (guint i = 0; i < G_N_ELEMENTS (subjects); i++) {
      if (!type || g_ascii_strcasecmp (type, subjects[i].type) != 0
          || !read_confidence (region, &confidence))
        continue;
      gdouble area = get_area (region, (guint)width, (guint)height);
      areas[i] += area;
      sure[i] += area * confidence;
    }
  }
  for (guint i = 0; i < G_N_ELEMENTS (subjects); i++) {
    gdouble part = areas[i] / (subjects[i].share * width * height);
    if (part < most)
      continue;
    most = part;
    hint.scene = GST_DSSR_SCENE_PORTRAIT;
    hint.confidence = sure[i] / areas[i];
  }
  return hint;
}
