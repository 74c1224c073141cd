/* What a picture shows and how bright it is around the viewer, told to
 * dssuperres.
 *
 * For whoever knows it: a camera's HAL or a face detector attaches it to
 * buffers, a light sensor's reader or an application sends it as an event. This
 * header needs GStreamer alone, and no library of dssr's; a program without the
 * header does the same with a GstCustomMeta "DssrSceneMeta" or a custom event
 * whose structure is "dssr/scene".
 *
 * The fields of both structures, each of which may be left out:
 *
 *   scene       string: "landscape", "portrait"; "auto" says nothing
 *   confidence  double: 0 to 1, of the scene; left out: 1
 *   lux         double: light around the viewer in lux; below 0: unknown
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define DSSR_SCENE_META_NAME "DssrSceneMeta"
#define DSSR_SCENE_EVENT_NAME "dssr/scene"

/* What `lux` is where nobody measured it. */
#define DSSR_LUX_UNKNOWN (-1.0)

/* Makes the meta known to GStreamer, if it is not yet. The functions below and
 * the plug-in do so by themselves; a process whose threads may be the first to
 * do it at the same time calls this once before. */
static inline void
dssr_scene_meta_register (void)
{
  static gsize registered;
  static const gchar *tags[] = {NULL};

  if (g_once_init_enter (&registered)) {
    if (!gst_meta_get_info (DSSR_SCENE_META_NAME))
      gst_meta_register_custom (DSSR_SCENE_META_NAME, tags, NULL, NULL, NULL);
    g_once_init_leave (&registered, 1);
  }
}

/* Sets the three fields. */
static inline void
dssr_scene_structure_set (GstStructure *structure, const gchar *scene,
    gdouble confidence, gdouble lux)
{
  gst_structure_set (structure, "scene", G_TYPE_STRING, scene ? scene : "auto",
      "confidence", G_TYPE_DOUBLE, confidence, "lux", G_TYPE_DOUBLE, lux, NULL);
}

/* Attaches the meta to a writable buffer, or changes the one that it has.
 * scene: "landscape", "portrait", or NULL: only the light is known
 * confidence: 0 to 1
 * lux: DSSR_LUX_UNKNOWN, or 0 and more */
static inline void
dssr_buffer_add_scene_meta (
    GstBuffer *buffer, const gchar *scene, gdouble confidence, gdouble lux)
{
  dssr_scene_meta_register ();
  GstCustomMeta *meta =
      gst_buffer_get_custom_meta (buffer, DSSR_SCENE_META_NAME);
  if (!meta)
    meta = gst_buffer_add_custom_meta (buffer, DSSR_SCENE_META_NAME);
  dssr_scene_structure_set (
      gst_custom_meta_get_structure (meta), scene, confidence, lux);
}

/* The meta's fields as they are; NULL: the buffer has none. */
static inline const GstStructure *
dssr_buffer_get_scene (GstBuffer *buffer)
{
  dssr_scene_meta_register ();
  GstCustomMeta *meta =
      gst_buffer_get_custom_meta (buffer, DSSR_SCENE_META_NAME);
  return meta ? gst_custom_meta_get_structure (meta) : NULL;
}

/* A new event with the same fields, for gst_element_send_event or a pad.
 * type: GST_EVENT_CUSTOM_UPSTREAM, or GST_EVENT_CUSTOM_DOWNSTREAM, which takes
 * its turn among the buffers, or GST_EVENT_CUSTOM_DOWNSTREAM_OOB, which does
 * not */
static inline GstEvent *
dssr_scene_event_new (
    GstEventType type, const gchar *scene, gdouble confidence, gdouble lux)
{
  GstStructure *structure = gst_structure_new_empty (DSSR_SCENE_EVENT_NAME);
  dssr_scene_structure_set (structure, scene, confidence, lux);
  return gst_event_new_custom (type, structure);
}

G_END_DECLS
