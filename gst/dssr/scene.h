/* Which scene a picture shows, by all who say something about it, and whether
 * it is bright around the viewer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

#include "enums.h"

G_BEGIN_DECLS

/* Who says it; the first that says something counts. */
typedef enum {
  GST_DSSR_SCENE_SOURCE_PROPERTY,
  GST_DSSR_SCENE_SOURCE_META,
  GST_DSSR_SCENE_SOURCE_REGIONS,
  GST_DSSR_SCENE_SOURCE_EVENT,
  GST_DSSR_SCENE_SOURCE_CAPS,
  GST_DSSR_SCENE_SOURCE_ORIENTATION,
  GST_DSSR_SCENE_SOURCE_DEFAULT, /* nobody: landscape */
} GstDssrSceneSource;
#define GST_DSSR_N_SCENE_SOURCES GST_DSSR_SCENE_SOURCE_DEFAULT

/* What it says. */
typedef struct {
  GstDssrScene scene; /* AUTO: nothing */
  gdouble confidence; /* 0 to 1 */
  gdouble lux;        /* below 0: unknown */
} GstDssrSceneHint;

#define GST_DSSR_SCENE_HINT_NONE                                               \
  ((GstDssrSceneHint){GST_DSSR_SCENE_AUTO, 1.0, -1.0})

/* The user's wishes. */
typedef struct {
  guint hold;            /* frames */
  gdouble confidence;    /* that a hint needs */
  gdouble lux_threshold; /* 0: brightness does not count */
} GstDssrSceneSettings;

/* What was said of late, and what follows from it. All zero at the start. */
typedef struct {
  GstDssrScene scene; /* in use; AUTO before the first frame */
  GstDssrSceneSource source;
  gboolean bright;

  GstDssrSceneHint last[GST_DSSR_N_SCENE_SOURCES];
  guint scene_age[GST_DSSR_N_SCENE_SOURCES]; /* frames since it was said */
  guint lux_age[GST_DSSR_N_SCENE_SOURCES];
  guint scene_frames, bright_frames; /* in a row that wanted the other */
} GstDssrSceneChooser;

/* One frame: sets scene, source and bright. `hints` has one for each source but
 * the default.
 *
 * A hint counts with `confidence` or more; for the scene in use, a fifth less
 * will do, and to stay bright a fifth less light. What was said on a buffer
 * counts for `hold` frames more: a detector need not look at each. Another
 * scene comes into use, or brightness goes or comes, after `hold` frames in a
 * row that want it; a scene at once if what does not flicker has changed:
 * property, caps, orientation. */
void gst_dssr_scene_choose (GstDssrSceneChooser *chooser,
    const GstDssrSceneHint *hints, const GstDssrSceneSettings *settings);

/* "property", "meta", "regions", "event", "caps", "orientation", "default". */
const gchar *gst_dssr_scene_source_nick (GstDssrSceneSource source);

/* ---- Reading ---- */

/* Takes over those fields of the structure that dssrscenemeta.h describes and
 * that it has. FALSE: one is of a wrong type or makes no sense, so none was
 * taken. */
gboolean gst_dssr_scene_hint_update (
    GstDssrSceneHint *hint, const GstStructure *structure);

/* Takes over a `dssr/scene` event; FALSE: it is another, or as above. */
gboolean gst_dssr_scene_hint_update_by_event (
    GstDssrSceneHint *hint, GstEvent *event);

/* What the buffer's DssrSceneMeta says. */
GstDssrSceneHint gst_dssr_scene_hint_from_meta (GstBuffer *buffer);

/* What the regions of interest of a picture of this size say: portrait, if
 * faces, heads or persons fill enough of it. */
GstDssrSceneHint gst_dssr_scene_hint_from_regions (
    GstBuffer *buffer, gint width, gint height);

/* What the field `scene` of caps says. */
GstDssrSceneHint gst_dssr_scene_hint_from_caps (const GstCaps *caps);

G_END_DECLS
