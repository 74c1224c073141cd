/* What the element hears about the scene, from all sides.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssrscenemeta.h"
#include "gstdssuperres.h"

#define GST_CAT_DEFAULT gst_dssr_debug

void
gst_ds_super_res_reset_scene (GstDsSuperRes *self)
{
  self->rotated = FALSE;
  self->chooser = (GstDssrSceneChooser){0};
}

gboolean
gst_ds_super_res_hear_event (GstDsSuperRes *self, GstEvent *event)
{
  GST_OBJECT_LOCK (self);
  gboolean heard =
      gst_dssr_scene_hint_update_by_event (&self->event_hint, event);
  GST_OBJECT_UNLOCK (self);

  if (!heard && gst_event_has_name (event, DSSR_SCENE_EVENT_NAME))
    GST_DEBUG_OBJECT (self, "no sense in %" GST_PTR_FORMAT, event);
  return heard;
}

/* Taller than wide, as the viewer sees it, is portrait. */
static GstDssrSceneHint
hint_from_orientation (const GstDsSuperRes *self)
{
  GstDssrSceneHint hint = GST_DSSR_SCENE_HINT_NONE;
  const GstVideoInfo *info = &self->in_info;
  gint64 width = (gint64)info->width * info->par_n;
  gint64 height = (gint64)info->height * info->par_d;

  if (self->rotated ? width > height : height > width)
    hint.scene = GST_DSSR_SCENE_PORTRAIT;
  return hint;
}

static void
set_contrast (GstDsSuperRes *self, gboolean bright)
{
  GST_OBJECT_LOCK (self);
  gboolean by_light = self->contrast == GST_DSSR_CONTRAST_AUTO;
  gboolean high = by_light ? bright : self->contrast == GST_DSSR_CONTRAST_HIGH;
  gboolean changed = high != self->high_contrast;
  self->bright = bright;
  self->high_contrast = high;
  GST_OBJECT_UNLOCK (self);

  if (self->session)
    dssr_session_set_contrast (self->session, high);
  if (changed)
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_element (GST_OBJECT (self),
            gst_structure_new ("dssr-contrast", "contrast", G_TYPE_STRING,
                high ? "high" : "normal", "reason", G_TYPE_STRING,
                by_light ? "lux" : "property", NULL)));
}

static void
choose (
    GstDsSuperRes *self, GstDssrSceneChooser *chooser, GstDssrSceneHint *hints)
{
  hints[GST_DSSR_SCENE_SOURCE_CAPS] = self->caps_hint;
  hints[GST_DSSR_SCENE_SOURCE_ORIENTATION] = hint_from_orientation (self);
  GST_OBJECT_LOCK (self);
  GstDssrSceneSettings settings = self->scene_settings;
  hints[GST_DSSR_SCENE_SOURCE_EVENT] = self->event_hint;
  hints[GST_DSSR_SCENE_SOURCE_PROPERTY] = GST_DSSR_SCENE_HINT_NONE;
  hints[GST_DSSR_SCENE_SOURCE_PROPERTY].scene = self->scene;
  GST_OBJECT_UNLOCK (self);

  gst_dssr_scene_choose (chooser, hints, &settings);
  self->wanted_scene = chooser->scene;
  self->wanted_by = chooser->source;
  set_contrast (self, chooser->bright);
}

/* Caps are no frame: what they want now is not remembered, so that the first
 * frame can still have its say at once. */
void
gst_ds_super_res_hear_caps (GstDsSuperRes *self, const GstCaps *caps)
{
  GstDssrSceneChooser chooser = self->chooser;
  GstDssrSceneHint hints[GST_DSSR_N_SCENE_SOURCES];

  self->caps_hint = gst_dssr_scene_hint_from_caps (caps);
  hints[GST_DSSR_SCENE_SOURCE_META] = GST_DSSR_SCENE_HINT_NONE;
  hints[GST_DSSR_SCENE_SOURCE_REGIONS] = GST_DSSR_SCENE_HINT_NONE;
  choose (self, &chooser, hints);
}

void
gst_ds_super_res_hear_frame (GstDsSuperRes *self, GstBuffer *buffer)
{
  const GstVideoInfo *info = &self->in_info;
  GstDssrSceneHint hints[GST_DSSR_N_SCENE_SOURCES];

  hints[GST_DSSR_SCENE_SOURCE_META] = gst_dssr_scene_hint_from_meta (buffer);
  hints[GST_DSSR_SCENE_SOURCE_REGIONS] =
      gst_dssr_scene_hint_from_regions (buffer, info->width, info->height);
  choose (self, &self->chooser, hints);
}
