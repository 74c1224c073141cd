/* Another sub-model in the middle of a stream.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstdssuperres.h"
#include "models.h"

#define GST_CAT_DEFAULT gst_dssr_debug

void
gst_ds_super_res_refuse_model (GstDsSuperRes *self, const GError *error)
{
  g_autofree gchar *wanted = gst_dssr_models_name (self->wanted_path);
  g_autofree gchar *used = gst_dssr_models_name (self->model_path);

  self->refused = TRUE;
  GST_ELEMENT_WARNING (self, RESOURCE, OPEN_READ,
      ("The sub-model \"%s\" cannot be used: %s. \"%s\" stays in use.", wanted,
          error->message, used),
      (NULL));
}

/* Why another sub-model is used than before. */
static gchar *
make_reason (const GstDsSuperRes *self)
{
  g_autoptr (GString) reason = g_string_new (NULL);

  if (self->model_scene != self->used_scene)
    g_string_append_printf (reason, "scene: %s", self->scene_reason);
  if (self->model_rung != self->used_rung)
    g_string_append_printf (
        reason, "%srung: %s", reason->len ? ", " : "", self->rung_reason);
  return g_string_free (g_steal_pointer (&reason), FALSE);
}

static void
post_switch (GstDsSuperRes *self)
{
  g_autofree gchar *from = gst_dssr_models_name (self->model_path);
  g_autofree gchar *to = gst_dssr_models_name (self->wanted_path);
  g_autofree gchar *reason = make_reason (self);

  GST_INFO_OBJECT (self, "from %s to %s (%s)", from, to, reason);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_structure_new ("dssr-sub-model", "from", G_TYPE_STRING, from,
              "to", G_TYPE_STRING, to, "reason", G_TYPE_STRING, reason, NULL)));
}

void
gst_ds_super_res_switch_model (GstDsSuperRes *self)
{
  g_autoptr (GError) error = NULL;
  DssrModel *model = NULL;

  if (self->refused)
    return;
  if (g_strcmp0 (self->wanted_path, self->model_path) == 0) {
    gst_ds_super_res_note_model (self);
    return;
  }
  g_autoptr (DssrPrepared) prepared = gst_dssr_sub_models_get (
      self->sub_models, self->wanted_path, &model, &error);
  if (!prepared) {
    if (error)
      gst_ds_super_res_refuse_model (self, error);
    return;
  }
  if (!dssr_session_switch_model (self->session, prepared, &error)) {
    dssr_model_unref (model);
    gst_ds_super_res_refuse_model (self, error);
    return;
  }
  post_switch (self);
  gst_ds_super_res_set_model (self, model, g_strdup (self->wanted_path));
  gst_ds_super_res_note_model (self);
  gst_ds_super_res_update_latency (self);
}

void
gst_ds_super_res_note_model (GstDsSuperRes *self)
{
  self->model_scene = self->used_scene;
  self->model_rung = self->used_rung;
}
