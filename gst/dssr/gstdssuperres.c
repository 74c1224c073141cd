/* The element: class, properties, events and state.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * SECTION:element-dssuperres
 * @title: dssuperres
 * @short_description: enlarges video two or four times with a neural network
 *
 * Enlarges video x2 or x4 with a compressed EDVR: a network that aligns the
 * frame before and the frame after with the one it enlarges, so that detail
 * comes from three frames. Luma goes through the network, chroma is enlarged by
 * bicubic interpolation. The output is the same, to the byte, on every machine.
 *
 * A frame waits for the next one (#GstDsSuperRes:lookahead), which is
 * reported as latency; with `lookahead=0` none is added, at a small loss of
 * quality. Frames that would come too late get the bicubic enlargement alone if
 * #GstBaseTransform:qos is set; none is dropped.
 *
 * Which shipped model is used follows #GstDsSuperRes:scene, else hints about
 * the scene: `DssrSceneMeta` and regions of interest on buffers, `dssr/scene`
 * events, caps, and the picture's shape (docs/scene.md).
 *
 * Where it is bright around the viewer (#GstDsSuperRes:lux-threshold), or by
 * #GstDsSuperRes:contrast, luma gets a curve and local contrast that keep dark
 * parts and small differences to be seen. A change posts an element message
 * `dssr-contrast` with the strings `contrast` and `reason`.
 *
 * A picture that stands still but for noise is averaged over time before it is
 * enlarged (#GstDsSuperRes:denoise), so that its noise does not flicker; what
 * moves is left as it is.
 *
 * Where a camera turns, models that follow pans read neighbouring frames
 * shifted by the motion of the picture as a whole (docs/pan.md).
 *
 * Which rung of it is used follows #GstDsSuperRes:power-mode, the battery, heat
 * and late frames (docs/power.md). A change posts an element message
 * `dssr-rung` with the strings `rung`, `previous` and `reason`.
 *
 * Another model is loaded in the background, and used between two frames with
 * the history of the one before. Then the element posts an element message
 * `dssr-sub-model` with the strings `from`, `to` (names of sub-models) and
 * `reason` (as `scene: meta` or `rung: default`); one that cannot be loaded is
 * told of in a warning, and the one in use stays.
 *
 * On a GPU that can, buffers of linear dma-bufs are used where they are, with
 * `memory:DMABuf` in caps or without.
 *
 * Interlaced video is refused; RGB without alpha is enlarged by way of YUV,
 * unless the model is one of RGB, which takes nothing else.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! videoconvert !
 * dssuperres ! videoconvert ! autovideosink
 * ]| Plays a file twice as large.
 * |[
 * gst-launch-1.0 playbin uri=file:///tmp/in.mp4 video-filter="dssuperres
 * scale=4"
 * ]| Plays a file with sound, four times as large.
 * |[
 * gst-launch-1.0 v4l2src ! videoconvert ! dssuperres lookahead=0 ! videoconvert
 * ! autovideosink
 * ]| Enlarges a camera's picture with no added latency.
 */
#include "caps.h"
#include "gstdssuperres.h"
#include "models.h"

GST_DEBUG_CATEGORY (gst_dssr_debug);
#define GST_CAT_DEFAULT gst_dssr_debug

#define DEFAULT_LOOKAHEAD 1
#define DEFAULT_SCENE_HOLD 15
#define MAX_SCENE_HOLD 1000
#define DEFAULT_SCENE_CONFIDENCE 0.5
#define DEFAULT_LUX_THRESHOLD 10000
#define MAX_LUX 200000 /* more than the sun's */
#define MAX_LOOKAHEAD 3
#define MAX_THREADS 64
#define MAX_THERMAL_LIMIT 150

enum {
  PROP_SCALE = 1,
  PROP_MODEL,
  PROP_SCENE,
  PROP_SCENE_HOLD,
  PROP_SCENE_CONFIDENCE,
  PROP_LUX_THRESHOLD,
  PROP_CONTRAST,
  PROP_DENOISE,
  PROP_BACKEND,
  PROP_DEVICE,
  PROP_LOOKAHEAD,
  PROP_THREADS,
  PROP_POWER_MODE,
  PROP_THERMAL_LIMIT,
  PROP_FRAMES_IN_FLIGHT,
  PROP_STATS,
};

G_DEFINE_FINAL_TYPE (GstDsSuperRes, gst_ds_super_res, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (dssuperres, "dssuperres", GST_RANK_NONE,
    GST_TYPE_DS_SUPER_RES,
    GST_DEBUG_CATEGORY_INIT (
        gst_dssr_debug, "dssuperres", 0, "video super-resolution"))

#define parent_class gst_ds_super_res_parent_class

static GstCaps *
transform_caps (GstBaseTransform *trans, GstPadDirection direction,
    GstCaps *caps, GstCaps *filter)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);

  GST_OBJECT_LOCK (self);
  gint scale = self->scale ? (gint)self->scale : self->model_scale;
  gboolean rgb = self->model_rgb;
  gboolean exports = self->exports;
  GST_OBJECT_UNLOCK (self);

  g_autoptr (GstCaps) usable =
      rgb ? gst_dssr_caps_keep_rgb (caps) : gst_caps_ref (caps);
  GstCaps *result = gst_dssr_caps_transform (direction, usable, scale, exports);
  if (filter) {
    GstCaps *all = result;
    result = gst_caps_intersect_full (filter, all, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (all);
  }
  GST_LOG_OBJECT (
      self, "%" GST_PTR_FORMAT " gives %" GST_PTR_FORMAT, caps, result);
  return result;
}

static GstCaps *
fixate_caps (GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps,
    GstCaps *othercaps)
{
  return gst_dssr_caps_fixate (direction, caps, othercaps);
}

/* Rotation by a quarter turn swaps the sides that the viewer sees. */
static void
read_orientation (GstDsSuperRes *self, GstEvent *event)
{
  GstTagList *tags;
  g_autofree gchar *orientation = NULL;

  gst_event_parse_tag (event, &tags);
  if (gst_tag_list_get_string (tags, GST_TAG_IMAGE_ORIENTATION, &orientation))
    self->rotated = g_str_has_suffix (orientation, "rotate-90")
                    || g_str_has_suffix (orientation, "rotate-270");
}

static gboolean
sink_event (GstBaseTransform *trans, GstEvent *event)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      gst_ds_super_res_drain (self);
      gst_ds_super_res_reset_scene (self);
      break;
    case GST_EVENT_SEGMENT:
      gst_ds_super_res_drain (self);
      self->last_pts = GST_CLOCK_TIME_NONE;
      break;
    /* set_caps drains when caps differ. */
    case GST_EVENT_EOS:
    case GST_EVENT_GAP:
    case GST_EVENT_SEGMENT_DONE:
      gst_ds_super_res_drain (self);
      break;
    case GST_EVENT_FLUSH_STOP:
      if (self->session)
        dssr_session_reset (self->session);
      gst_ds_super_res_reset_qos (self);
      break;
    case GST_EVENT_TAG:
      read_orientation (self, event);
      break;
    case GST_EVENT_CUSTOM_DOWNSTREAM:
    case GST_EVENT_CUSTOM_DOWNSTREAM_OOB:
    case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
    case GST_EVENT_CUSTOM_BOTH:
    case GST_EVENT_CUSTOM_BOTH_OOB:
      gst_ds_super_res_hear_event (self, event);
      break;
    default:
      break;
  }
  return GST_BASE_TRANSFORM_CLASS (parent_class)->sink_event (trans, event);
}

static gboolean
src_event (GstBaseTransform *trans, GstEvent *event)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  gboolean heard = FALSE;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_QOS:
      gst_ds_super_res_update_qos (self, event);
      break;
    case GST_EVENT_CUSTOM_UPSTREAM:
    case GST_EVENT_CUSTOM_BOTH:
    case GST_EVENT_CUSTOM_BOTH_OOB:
      heard = gst_ds_super_res_hear_event (self, event);
      break;
    default:
      break;
  }
  /* Others before this one may listen too, but need not. */
  return GST_BASE_TRANSFORM_CLASS (parent_class)->src_event (trans, event)
         || heard;
}

static gboolean
query (GstBaseTransform *trans, GstPadDirection direction, GstQuery *q)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);

  if (GST_QUERY_TYPE (q) == GST_QUERY_LATENCY && direction == GST_PAD_SRC)
    return gst_ds_super_res_add_latency (self, q);
  /* Upstream wants its buffers back. */
  if (GST_QUERY_TYPE (q) == GST_QUERY_DRAIN && direction == GST_PAD_SINK)
    gst_ds_super_res_drain (self);
  return GST_BASE_TRANSFORM_CLASS (parent_class)->query (trans, direction, q);
}

static gboolean
start (GstBaseTransform *trans)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);

  gst_ds_super_res_reset_scene (self);
  self->refusal_told = FALSE;
  self->last_pts = GST_CLOCK_TIME_NONE;
  gst_ds_super_res_reset_qos (self);
  GST_OBJECT_LOCK (self);
  self->exports = dssr_backend_exports (self->backend, self->device);
  self->frames = self->base_frames = 0;
  self->paced = FALSE;
  GST_OBJECT_UNLOCK (self);
  if (gst_ds_super_res_open_model_file (self))
    return TRUE;
  /* The base class does not stop what did not start. */
  gst_ds_super_res_close_model (self);
  return FALSE;
}

static gboolean
stop (GstBaseTransform *trans)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);

  gst_ds_super_res_close_session (self);
  gst_ds_super_res_close_model (self);
  gst_ds_super_res_stop_power (self);
  GST_OBJECT_LOCK (self);
  self->latency = 0;
  self->stats = (DssrStats){0};
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static GstStructure *
make_stats (GstDsSuperRes *self)
{
  GST_OBJECT_LOCK (self);
  g_autofree gchar *sub_model =
      self->model_path ? gst_dssr_models_name (self->model_path) : NULL;
  GstStructure *stats = gst_structure_new ("application/x-dssr-stats", "model",
      G_TYPE_STRING, self->model_path, "scene", G_TYPE_STRING,
      gst_dssr_scene_nick (self->used_scene), "scene-reason", G_TYPE_STRING,
      self->scene_reason, "bright", G_TYPE_BOOLEAN, self->bright, "contrast",
      G_TYPE_STRING, self->high_contrast ? "high" : "normal", "noise",
      G_TYPE_DOUBLE, self->stats.noise, "rung", G_TYPE_STRING,
      gst_dssr_rung_nick (self->used_rung), "rung-reason", G_TYPE_STRING,
      self->rung_reason, "sub-model", G_TYPE_STRING, sub_model, "backend",
      G_TYPE_STRING, self->stats.backend, "threads", G_TYPE_INT,
      self->stats.threads, "frames", G_TYPE_UINT64, self->frames, "base-frames",
      G_TYPE_UINT64, self->base_frames, "frame-time", G_TYPE_UINT64,
      (guint64)(self->stats.frame_ms * GST_MSECOND), "mean-frame-time",
      G_TYPE_UINT64, (guint64)(self->stats.mean_ms * GST_MSECOND), "latency",
      G_TYPE_UINT64, self->latency, "memory", G_TYPE_UINT64,
      (guint64)self->stats.memory, "copied", G_TYPE_UINT64, self->stats.copied,
      NULL);
  gst_ds_super_res_describe_sensors (self, stats);
  GST_OBJECT_UNLOCK (self);
  return stats;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SCALE:
      self->scale = g_value_get_enum (value);
      break;
    case PROP_MODEL:
      g_free (self->model_file);
      self->model_file = g_value_dup_string (value);
      if (self->model_file && !*self->model_file)
        g_clear_pointer (&self->model_file, g_free);
      break;
    case PROP_SCENE:
      self->scene = g_value_get_enum (value);
      break;
    case PROP_SCENE_HOLD:
      self->scene_settings.hold = g_value_get_uint (value);
      break;
    case PROP_SCENE_CONFIDENCE:
      self->scene_settings.confidence = g_value_get_double (value);
      break;
    case PROP_LUX_THRESHOLD:
      self->scene_settings.lux_threshold = g_value_get_double (value);
      break;
    case PROP_CONTRAST:
      self->contrast = g_value_get_enum (value);
      break;
    case PROP_DENOISE:
      self->denoise = g_value_get_boolean (value);
      break;
    case PROP_BACKEND:
      self->backend = g_value_get_enum (value);
      break;
    case PROP_DEVICE:
      g_free (self->device);
      self->device = g_value_dup_string (value);
      if (self->device && !*self->device)
        g_clear_pointer (&self->device, g_free);
      break;
    case PROP_LOOKAHEAD:
      self->lookahead = g_value_get_uint (value);
      break;
    case PROP_THREADS:
      self->threads = g_value_get_uint (value);
      break;
    case PROP_POWER_MODE:
      self->power_mode = g_value_get_enum (value);
      break;
    case PROP_THERMAL_LIMIT:
      self->thermal_limit = g_value_get_uint (value);
      break;
    case PROP_FRAMES_IN_FLIGHT:
      self->frames_in_flight = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
  if (id == PROP_SCALE)
    gst_base_transform_reconfigure_src (GST_BASE_TRANSFORM (self));
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, make_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SCALE:
      g_value_set_enum (value, self->scale);
      break;
    case PROP_MODEL:
      g_value_set_string (value, self->model_file);
      break;
    case PROP_SCENE:
      g_value_set_enum (value, self->scene);
      break;
    case PROP_SCENE_HOLD:
      g_value_set_uint (value, self->scene_settings.hold);
      break;
    case PROP_SCENE_CONFIDENCE:
      g_value_set_double (value, self->scene_settings.confidence);
      break;
    case PROP_LUX_THRESHOLD:
      g_value_set_double (value, self->scene_settings.lux_threshold);
      break;
    case PROP_CONTRAST:
      g_value_set_enum (value, self->contrast);
      break;
    case PROP_DENOISE:
      g_value_set_boolean (value, self->denoise);
      break;
    case PROP_BACKEND:
      g_value_set_enum (value, self->backend);
      break;
    case PROP_DEVICE:
      g_value_set_string (value, self->device);
      break;
    case PROP_LOOKAHEAD:
      g_value_set_uint (value, self->lookahead);
      break;
    case PROP_THREADS:
      g_value_set_uint (value, self->threads);
      break;
    case PROP_POWER_MODE:
      g_value_set_enum (value, self->power_mode);
      break;
    case PROP_THERMAL_LIMIT:
      g_value_set_uint (value, self->thermal_limit);
      break;
    case PROP_FRAMES_IN_FLIGHT:
      g_value_set_uint (value, self->frames_in_flight);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
finalize (GObject *object)
{
  g_free (GST_DS_SUPER_RES (object)->model_file);
  g_free (GST_DS_SUPER_RES (object)->device);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *klass)
{
  GParamFlags ready =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property (klass, PROP_SCALE,
      g_param_spec_enum ("scale", "Scale", "How many times wider and higher",
          GST_TYPE_DSSR_SCALE, GST_DSSR_SCALE_AUTO, playing));
  g_object_class_install_property (klass, PROP_MODEL,
      g_param_spec_string ("model", "Model",
          "Model file; unset: the shipped one for scale and scene, in "
          "$DSSR_MODEL_DIR or where dssr is installed",
          NULL, ready));
  g_object_class_install_property (klass, PROP_SCENE,
      g_param_spec_enum ("scene", "Scene",
          "What the picture shows, which chooses among the shipped models",
          GST_TYPE_DSSR_SCENE, GST_DSSR_SCENE_AUTO, playing));
  g_object_class_install_property (klass, PROP_SCENE_HOLD,
      g_param_spec_uint ("scene-hold", "Scene hold",
          "Frames in a row that must want another scene, or other contrast, "
          "before it is used; as long counts what was said on a buffer",
          0, MAX_SCENE_HOLD, DEFAULT_SCENE_HOLD, playing));
  g_object_class_install_property (klass, PROP_SCENE_CONFIDENCE,
      g_param_spec_double ("scene-confidence", "Scene confidence",
          "Confidence that a hint about the scene needs to count; a fifth less "
          "for the scene in use",
          0, 1, DEFAULT_SCENE_CONFIDENCE, playing));
  g_object_class_install_property (klass, PROP_LUX_THRESHOLD,
      g_param_spec_double ("lux-threshold", "Lux threshold",
          "Light around the viewer from which on it is bright, in lux; it "
          "stays "
          "so down to a fifth less (0: never)",
          0, MAX_LUX, DEFAULT_LUX_THRESHOLD, playing));
  g_object_class_install_property (klass, PROP_CONTRAST,
      g_param_spec_enum ("contrast", "Contrast",
          "Whether the picture is made to be seen in bright surroundings",
          GST_TYPE_DSSR_CONTRAST, GST_DSSR_CONTRAST_AUTO, playing));
  g_object_class_install_property (klass, PROP_DENOISE,
      g_param_spec_boolean ("denoise", "Denoise",
          "Average noise over time before a frame is enlarged, where the scene "
          "stands still (not in dma-bufs that a GPU uses where they are)",
          TRUE, playing));
  g_object_class_install_property (klass, PROP_BACKEND,
      g_param_spec_enum ("backend", "Backend",
          "What computes; all give the same bytes", GST_TYPE_DSSR_BACKEND,
          DSSR_BACKEND_AUTO, ready));
  g_object_class_install_property (klass, PROP_DEVICE,
      g_param_spec_string ("device", "Device",
          "Vulkan device: its index or UUID as \"dssr-bench --list\" shows "
          "them, or the path of its DRM render node; unset: the best there is",
          NULL, ready));
  g_object_class_install_property (klass, PROP_LOOKAHEAD,
      g_param_spec_uint ("lookahead", "Look-ahead",
          "Frames that a frame waits for, at most half of the model's window "
          "(0: no added latency)",
          0, MAX_LOOKAHEAD, DEFAULT_LOOKAHEAD, ready));
  g_object_class_install_property (klass, PROP_THREADS,
      g_param_spec_uint ("threads", "Threads",
          "Threads that compute (0: one for each core)", 0, MAX_THREADS, 0,
          ready));
  g_object_class_install_property (klass, PROP_POWER_MODE,
      g_param_spec_enum ("power-mode", "Power mode",
          "Rung of the shipped models: what to begin with, and what may change "
          "it",
          GST_TYPE_DSSR_POWER_MODE, GST_DSSR_POWER_MODE_AUTO, playing));
  g_object_class_install_property (klass, PROP_THERMAL_LIMIT,
      g_param_spec_uint ("thermal-limit", "Thermal limit",
          "Degrees Celsius at which a cheaper rung is used (0: the trip points "
          "of the thermal zones)",
          0, MAX_THERMAL_LIMIT, 0, playing));
  g_object_class_install_property (klass, PROP_FRAMES_IN_FLIGHT,
      g_param_spec_uint ("frames-in-flight", "Frames in flight",
          "Frames that a GPU has at once: 1 for live video; each more adds the "
          "duration of a frame to the latency, and lets the GPU compute while "
          "frames are copied",
          1, DSSR_MAX_FLIGHTS, 1, ready));
  /**
   * GstDsSuperRes:stats:
   *
   * * `model` (string): path of the model in use
   * * `sub-model` (string): its name, without folder and ending
   * * `scene` (string): `landscape` or `portrait`, which is wanted
   * * `scene-reason` (string): why, `property`, `meta`, `regions`, `event`,
   *   `caps`, `orientation` or `default`
   * * `bright` (boolean): whether it is bright around the viewer
   * * `contrast` (string): `normal` or `high`
   * * `noise` (double): standard deviation, in steps of 8 bits, of the noise
   *   that was found in the last frame, of a scene that stands still, and
   *   averaged; 0: none
   * * `rung` (string): `quality`, `balanced` or `saver`, which is wanted
   * * `rung-reason` (string): why: `default`, `power-mode`, `power-profile`,
   *   `low-battery`, `battery`, `heat`, `late`, `idle`, or `model` if that is
   *   given
   * * `battery` (int): percent, and `discharging` (boolean), where there is one
   *   that is read
   * * `temperature` (double): degrees Celsius of the hottest thermal zone,
   *   where there is one that is read
   * * `backend` (string): name of the kernels in use, or `vulkan (device)`
   * * `threads` (int)
   * * `frames` (uint64): frames written since the start
   * * `base-frames` (uint64): those of them that were late and got the bicubic
   *   enlargement alone
   * * `frame-time`, `mean-frame-time` (uint64): nanoseconds of computing, of
   * the last frame and of all since caps were set
   * * `latency` (uint64): nanoseconds that look-ahead adds
   * * `memory` (uint64): bytes that the engine allocated
   * * `copied` (uint64): bytes of pictures copied to and from the GPU
   */
  g_object_class_install_property (klass, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Model, backend, counters and times", GST_TYPE_STRUCTURE,
          G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
gst_ds_super_res_class_init (GstDsSuperResClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);
  g_autoptr (GstCaps) caps = gst_dssr_caps_template ();

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties (object_class);

  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template (element_class,
      gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_element_class_set_static_metadata (element_class,
      "Video super-resolution", "Filter/Effect/Converter/Video/Scaler",
      "Enlarges video two or four times with a multi-frame neural network",
      "The dssr developers");
  gst_type_mark_as_plugin_api (GST_TYPE_DSSR_SCALE, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DSSR_SCENE, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DSSR_CONTRAST, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DSSR_BACKEND, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_DSSR_POWER_MODE, 0);

  trans_class->transform_caps = transform_caps;
  trans_class->fixate_caps = fixate_caps;
  trans_class->set_caps = gst_ds_super_res_set_caps;
  trans_class->get_unit_size = gst_ds_super_res_get_unit_size;
  trans_class->propose_allocation = gst_ds_super_res_propose_allocation;
  trans_class->decide_allocation = gst_ds_super_res_decide_allocation;
  trans_class->transform_meta = gst_ds_super_res_transform_meta;
  trans_class->submit_input_buffer = gst_ds_super_res_submit_input_buffer;
  trans_class->generate_output = gst_ds_super_res_generate_output;
  trans_class->transform = gst_ds_super_res_transform;
  trans_class->sink_event = sink_event;
  trans_class->src_event = src_event;
  trans_class->query = query;
  trans_class->start = start;
  trans_class->stop = stop;
}

static void
gst_ds_super_res_init (GstDsSuperRes *self)
{
  self->used_scene = GST_DSSR_SCENE_LANDSCAPE;
  self->used_rung = GST_DSSR_RUNG_BALANCED;
  self->sensors = GST_DSSR_SENSORS_UNKNOWN;
  self->lookahead = DEFAULT_LOOKAHEAD;
  self->denoise = TRUE;
  self->frames_in_flight = 1;
  self->scene_settings = (GstDssrSceneSettings){
      DEFAULT_SCENE_HOLD, DEFAULT_SCENE_CONFIDENCE, DEFAULT_LUX_THRESHOLD};
  self->event_hint = GST_DSSR_SCENE_HINT_NONE;
  gst_base_transform_set_qos_enabled (GST_BASE_TRANSFORM (self), TRUE);
}
