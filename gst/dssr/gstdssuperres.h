/* The element's instance, shared by its files, and nobody else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "engine/dssr.h"
#include "enums.h"
#include "policy.h"
#include "power.h"
#include "rgb.h"
#include "scene.h"
#include "submodels.h"

G_BEGIN_DECLS

#define GST_TYPE_DS_SUPER_RES (gst_ds_super_res_get_type ())
G_DECLARE_FINAL_TYPE (
    GstDsSuperRes, gst_ds_super_res, GST, DS_SUPER_RES, GstBaseTransform)
GST_ELEMENT_REGISTER_DECLARE (dssuperres)

GST_DEBUG_CATEGORY_EXTERN (gst_dssr_debug);

struct _GstDsSuperRes {
  GstBaseTransform parent;

  /* Properties. Under the object lock. */
  GstDssrScale scale;
  gchar *model_file; /* NULL: a shipped one */
  GstDssrScene scene;
  GstDssrSceneSettings scene_settings;
  GstDssrContrast contrast;
  gboolean denoise;
  DssrBackend backend;
  gchar *device; /* NULL: the best */
  guint lookahead;
  guint threads;
  GstDssrPowerMode power_mode;
  guint thermal_limit; /* degrees Celsius; 0: each zone's own */
  guint frames_in_flight;

  /* What queries, events and properties ask for from other threads. Under the
   * object lock. */
  gboolean exports;   /* the GPU makes dma-bufs */
  gint model_scale;   /* of model_file, once it is open; else 0 */
  gboolean model_rgb; /* whether it is for RGB */
  GstClockTime latency;
  GstClockTime earliest_time; /* running time; frames before it are late */
  gdouble proportion;
  guint late_frames; /* at the sink, up to the last one */
  GstClockTime last_late;
  gboolean paced; /* somebody waits for frames in time */
  GstDssrSensors sensors;
  DssrStats stats;
  guint64 frames, base_frames; /* since the start; the latter are among them */
  GstDssrScene used_scene;
  GstDssrRung used_rung;
  const gchar *scene_reason, *rung_reason; /* for these; static */
  gboolean bright;                         /* around the viewer */
  gboolean high_contrast;
  gchar *model_path;           /* of `model` */
  GstDssrSceneHint event_hint; /* of all `dssr/scene` events together */

  /* The streaming thread's. */
  GstVideoInfo in_info, out_info;
  gboolean rotated; /* by the orientation tag: width and height swap */
  GstDssrSceneHint caps_hint;
  GstDssrSceneChooser chooser;
  GstDssrScene wanted_scene; /* for the next frame */
  GstDssrSceneSource wanted_by;
  DssrModel *model;
  GstDssrScene model_scene; /* that it was chosen for, */
  GstDssrRung model_rung;   /* if it is a shipped one */
  gchar *wanted_path;       /* of the shipped one that is wanted */
  gboolean refused;         /* it cannot be used */
  DssrSession *session;
  GstDssrSubModels *sub_models; /* the session's */
  const gchar *fallback;        /* the session's, of which was told */
  gboolean refusal_told;        /* that a dma-buf was not imported */
  gboolean out_dmabuf;          /* caps want dma-bufs */
  GstDssrRgb *rgb; /* NULL unless the format is RGB and the model is not */
  GstClockTime frame_duration;
  GstClockTime last_pts;
  GstDssrPower *power; /* NULL until a rung is to be chosen */
  GstClockTime power_asked;
  GstDssrPolicyState policy;
  gdouble busy;      /* mean share of a frame's time that computing took */
  guint slow_frames; /* that took more than it, up to the last one */
};

/* ---- setup.c: model and session ---- */

/* Opens the file of the `model` property, if there is one. FALSE: an error was
 * posted. */
gboolean gst_ds_super_res_open_model_file (GstDsSuperRes *self);
gboolean gst_ds_super_res_set_caps (
    GstBaseTransform *trans, GstCaps *incaps, GstCaps *outcaps);
/* Brings the model in line with scene and rung, between two frames. FALSE: an
 * error was posted. */
gboolean gst_ds_super_res_update_model (GstDsSuperRes *self);
void gst_ds_super_res_close_session (GstDsSuperRes *self);
void gst_ds_super_res_close_model (GstDsSuperRes *self);
/* Takes both; remembers the path for `stats`. */
void gst_ds_super_res_set_model (
    GstDsSuperRes *self, DssrModel *model, gchar *path);

/* ---- switch.c: another sub-model in the middle of a stream ---- */

/* Uses the wanted one once it is ready, and posts a message that says so. Never
 * waits. */
void gst_ds_super_res_switch_model (GstDsSuperRes *self);
/* Warns that the wanted one cannot be used, and leaves it at that. */
void gst_ds_super_res_refuse_model (GstDsSuperRes *self, const GError *error);
/* Remembers what the one in use was chosen for. */
void gst_ds_super_res_note_model (GstDsSuperRes *self);

/* ---- scenes.c: what the element hears about the scene ---- */

/* Forgets what was heard of another stream, but for events. */
void gst_ds_super_res_reset_scene (GstDsSuperRes *self);
/* Listens to a `dssr/scene` event, from any thread. FALSE: it is none, or makes
 * no sense. */
gboolean gst_ds_super_res_hear_event (GstDsSuperRes *self, GstEvent *event);
/* Set what is wanted for the stream of these caps, whose in_info is set, and
 * for the frame that comes next. */
void gst_ds_super_res_hear_caps (GstDsSuperRes *self, const GstCaps *caps);
void gst_ds_super_res_hear_frame (GstDsSuperRes *self, GstBuffer *buffer);

/* ---- stream.c: from buffer to buffer ---- */

GstFlowReturn gst_ds_super_res_submit_input_buffer (
    GstBaseTransform *trans, gboolean is_discont, GstBuffer *buffer);
GstFlowReturn gst_ds_super_res_generate_output (
    GstBaseTransform *trans, GstBuffer **outbuf);
GstFlowReturn gst_ds_super_res_transform (
    GstBaseTransform *trans, GstBuffer *inbuf, GstBuffer *outbuf);
/* Pushes the frames that wait for a later one, and forgets the history. */
GstFlowReturn gst_ds_super_res_drain (GstDsSuperRes *self);

/* ---- timing.c: latency and quality of service ---- */

/* Recomputes the latency, and posts a message if it changed. */
void gst_ds_super_res_update_latency (GstDsSuperRes *self);
/* Learns the duration of a frame from timestamps where caps do not say it. */
void gst_ds_super_res_observe (GstDsSuperRes *self, GstBuffer *buffer);
gboolean gst_ds_super_res_add_latency (GstDsSuperRes *self, GstQuery *query);
void gst_ds_super_res_reset_qos (GstDsSuperRes *self);
void gst_ds_super_res_update_qos (GstDsSuperRes *self, GstEvent *event);
/* Is the buffer late already? If so, a QoS message was posted. */
gboolean gst_ds_super_res_is_late (GstDsSuperRes *self, GstBuffer *buffer);

/* Learns how much of a frame's time computing took; `late`: the frame got the
 * bicubic base. */
void gst_ds_super_res_observe_load (
    GstDsSuperRes *self, const DssrStats *stats, gboolean late);

/* ---- power-rung.c: mode, sensors and load make the rung ---- */

/* The rung to use from now on, and why, in a static word. Posts a message when
 * it is another. */
GstDssrRung gst_ds_super_res_choose_rung (
    GstDsSuperRes *self, const gchar **reason);
void gst_ds_super_res_stop_power (GstDsSuperRes *self);
/* Adds what was read to a structure. Under the object lock. */
void gst_ds_super_res_describe_sensors (
    GstDsSuperRes *self, GstStructure *structure);

/* ---- allocation.c: pools, sizes and metas ---- */

gboolean gst_ds_super_res_get_unit_size (
    GstBaseTransform *trans, GstCaps *caps, gsize *size);
gboolean gst_ds_super_res_propose_allocation (
    GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query);
gboolean gst_ds_super_res_decide_allocation (
    GstBaseTransform *trans, GstQuery *query);
gboolean gst_ds_super_res_transform_meta (GstBaseTransform *trans,
    GstBuffer *outbuf, GstMeta *meta, GstBuffer *inbuf);

G_END_DECLS
