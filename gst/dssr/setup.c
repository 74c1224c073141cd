/* Model and session: what caps and properties make of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps.h"
#include "frames.h"
#include "gstdssuperres.h"
#include "models.h"

#define GST_CAT_DEFAULT gst_dssr_debug

void
gst_ds_super_res_close_session (GstDsSuperRes *self)
{
  g_clear_pointer (&self->sub_models, gst_dssr_sub_models_free);
  g_clear_pointer (&self->session, dssr_session_free);
  g_clear_pointer (&self->rgb, gst_dssr_rgb_free);
}

void
gst_ds_super_res_set_model (GstDsSuperRes *self, DssrModel *model, gchar *path)
{
  g_clear_pointer (&self->model, dssr_model_unref);
  self->model = model;
  GST_OBJECT_LOCK (self);
  g_free (self->model_path);
  self->model_path = path;
  GST_OBJECT_UNLOCK (self);
}

void
gst_ds_super_res_close_model (GstDsSuperRes *self)
{
  gst_ds_super_res_set_model (self, NULL, NULL);
  g_clear_pointer (&self->wanted_path, g_free);
  GST_OBJECT_LOCK (self);
  self->model_scale = 0;
  self->model_rgb = FALSE;
  GST_OBJECT_UNLOCK (self);
}

/* Opens a model, or posts an error that says what to do. */
static DssrModel *
open_model (GstDsSuperRes *self, const gchar *path)
{
  g_autoptr (GError) error = NULL;
  DssrModel *model = dssr_model_open (path, &error);

  if (model)
    GST_INFO_OBJECT (self, "model %s", path);
  else if (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
        ("There is no model file \"%s\". Set the property \"model\" to a model "
         "file, or the environment variable DSSR_MODEL_DIR to the folder that "
         "has the models.",
            path),
        ("%s", error->message));
  else
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_READ,
        ("The model file cannot be used: %s. Set the property \"model\" to "
         "another file; \"dssr-model check FILE\" tells which are good.",
            error->message),
        (NULL));
  return model;
}

/* Posts an error if the model in use does not enlarge by `scale`. */
static gboolean
check_scale (GstDsSuperRes *self, gint scale)
{
  gint model_scale = dssr_model_get_scale (self->model);

  if (scale == model_scale)
    return TRUE;
  GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS,
      ("The model \"%s\" enlarges %d times, not %d times. Set the property "
       "\"scale\" to %d, or \"model\" to another file.",
          self->model_path, model_scale, scale, model_scale),
      (NULL));
  return FALSE;
}

gboolean
gst_ds_super_res_open_model_file (GstDsSuperRes *self)
{
  GST_OBJECT_LOCK (self);
  gchar *path = g_strdup (self->model_file);
  gint scale = self->scale;
  GST_OBJECT_UNLOCK (self);

  if (!path)
    return TRUE;
  DssrModel *model = open_model (self, path);
  if (!model) {
    g_free (path);
    return FALSE;
  }
  gst_ds_super_res_set_model (self, model, path);

  gint model_scale = dssr_model_get_scale (model);
  GST_OBJECT_LOCK (self);
  self->model_scale = model_scale;
  self->model_rgb = dssr_model_is_rgb (model);
  GST_OBJECT_UNLOCK (self);
  return scale == 0 || check_scale (self, scale);
}

/* The scene that is wanted, and why, in a static word. */
static GstDssrScene
choose_scene (GstDsSuperRes *self, const gchar **reason)
{
  *reason = gst_dssr_scene_source_nick (self->wanted_by);
  return self->wanted_scene;
}

/* Opens the wanted model before there is a session; in its place, the one that
 * the session before had will do. */
static gboolean
open_wanted (GstDsSuperRes *self, gint scale)
{
  if (g_strcmp0 (self->wanted_path, self->model_path) == 0)
    return check_scale (self, scale);

  DssrModel *model = NULL;
  if (self->model && dssr_model_get_scale (self->model) == scale) {
    g_autoptr (GError) error = NULL;
    model = dssr_model_open (self->wanted_path, &error);
    if (!model) {
      gst_ds_super_res_refuse_model (self, error);
      return TRUE;
    }
  } else {
    model = open_model (self, self->wanted_path);
  }
  if (!model)
    return FALSE;
  gst_ds_super_res_set_model (self, model, g_strdup (self->wanted_path));
  gst_ds_super_res_note_model (self);
  return check_scale (self, scale);
}

gboolean
gst_ds_super_res_update_model (GstDsSuperRes *self)
{
  const gchar *scene_reason, *rung_reason;
  GstDssrScene scene = choose_scene (self, &scene_reason);
  GstDssrRung rung = gst_ds_super_res_choose_rung (self, &rung_reason);
  gint scale = self->out_info.width / self->in_info.width;

  GST_OBJECT_LOCK (self);
  gboolean shipped = self->model_file == NULL;
  gboolean same =
      self->session && scene == self->used_scene && rung == self->used_rung;
  self->used_scene = scene;
  self->scene_reason = scene_reason;
  self->used_rung = rung;
  self->rung_reason = rung_reason;
  GST_OBJECT_UNLOCK (self);
  if (!shipped)
    return same || check_scale (self, scale);
  if (!same) {
    g_free (self->wanted_path);
    self->wanted_path = gst_dssr_models_path (scene, scale, rung);
    self->refused = FALSE;
  }
  if (!self->session)
    return open_wanted (self, scale);
  gst_ds_super_res_switch_model (self);
  return TRUE;
}

/* The session for the current caps; without Vulkan, where it was asked for, on
 * the CPU with a warning. */
static DssrSession *
make_session (GstDsSuperRes *self, const GstVideoInfo *info)
{
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
  g_autofree gchar *device = NULL;
  g_autoptr (GError) error = NULL;

  self->fallback = NULL;
  config.format = gst_dssr_frames_format (info);
  GST_OBJECT_LOCK (self);
  config.backend = self->backend;
  config.device = device = g_strdup (self->device);
  config.threads = self->threads;
  config.frames_in_flight = (gint)self->frames_in_flight;
  config.lookahead = self->lookahead;
  GST_OBJECT_UNLOCK (self);

  DssrSession *session = dssr_session_new (self->model, &config, &error);
  if (!session && config.backend == DSSR_BACKEND_VULKAN
      && g_error_matches (error, DSSR_ERROR, DSSR_ERROR_BACKEND)) {
    GST_ELEMENT_WARNING (self, RESOURCE, NOT_FOUND,
        ("Vulkan cannot be used here (%s): the CPU is used instead.",
            error->message),
        (NULL));
    g_clear_error (&error);
    config.backend = DSSR_BACKEND_CPU;
    session = dssr_session_new (self->model, &config, &error);
  }
  if (!session)
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("Cannot enlarge %dx%d: %s.", info->width, info->height,
            error->message),
        (NULL));
  return session;
}

/* Refuses what caps allow and the element does not, and says why. */
static gboolean
check_caps (
    GstDsSuperRes *self, const GstVideoInfo *in, const GstVideoInfo *out)
{
  if (GST_VIDEO_INFO_IS_INTERLACED (in)) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("Interlaced video cannot be enlarged: deinterlace first, with the "
         "element \"deinterlace\" before this one."),
        ("interlace-mode is %s", gst_video_interlace_mode_to_string (
                                     GST_VIDEO_INFO_INTERLACE_MODE (in))));
    return FALSE;
  }
  if (out->width > DSSR_MAX_SIDE || out->height > DSSR_MAX_SIDE) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("%dx%d would become %dx%d, and %dx%d is the limit: use a smaller "
         "scale or a smaller picture.",
            in->width, in->height, out->width, out->height, DSSR_MAX_SIDE,
            DSSR_MAX_SIDE),
        (NULL));
    return FALSE;
  }
  return TRUE;
}

gboolean
gst_ds_super_res_set_caps (
    GstBaseTransform *trans, GstCaps *incaps, GstCaps *outcaps)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  GstVideoInfo in, out;

  gst_ds_super_res_drain (self);
  gst_ds_super_res_close_session (self);
  if (!gst_dssr_caps_parse (&in, incaps)
      || !gst_dssr_caps_parse (&out, outcaps)) {
    GST_ERROR_OBJECT (self, "not video: %" GST_PTR_FORMAT, incaps);
    return FALSE;
  }
  if (!check_caps (self, &in, &out))
    return FALSE;
  self->in_info = in;
  self->out_info = out;
  self->out_dmabuf = gst_dssr_caps_is_dmabuf (outcaps);
  gst_ds_super_res_hear_caps (self, incaps);
  if (!gst_ds_super_res_update_model (self))
    return FALSE;

  const GstVideoInfo *info = &self->in_info;
  if (GST_VIDEO_INFO_IS_RGB (&in) && !dssr_model_is_rgb (self->model)) {
    GST_OBJECT_LOCK (self);
    guint threads = self->threads;
    GST_OBJECT_UNLOCK (self);
    self->rgb = gst_dssr_rgb_new (&in, &out, threads);
    if (!self->rgb) {
      GST_ELEMENT_ERROR (self, CORE, FAILED,
          ("Cannot convert %s to YUV.", GST_VIDEO_INFO_NAME (&in)), (NULL));
      return FALSE;
    }
    info = gst_dssr_rgb_get_info (self->rgb);
  }
  self->session = make_session (self, info);
  if (!self->session)
    return FALSE;
  self->sub_models = gst_dssr_sub_models_new (self->session);

  GST_OBJECT_LOCK (self);
  dssr_session_get_stats (self->session, &self->stats);
  GST_OBJECT_UNLOCK (self);
  self->frame_duration =
      in.fps_n > 0 ? gst_util_uint64_scale_int (GST_SECOND, in.fps_d, in.fps_n)
                   : 0;
  gst_ds_super_res_update_latency (self);
  return TRUE;
}
