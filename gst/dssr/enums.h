/* Enumerations of the element's properties.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

typedef enum {
  GST_DSSR_SCALE_AUTO = 0,
  GST_DSSR_SCALE_2 = 2,
  GST_DSSR_SCALE_4 = 4,
} GstDssrScale;

typedef enum {
  GST_DSSR_SCENE_AUTO,
  GST_DSSR_SCENE_LANDSCAPE,
  GST_DSSR_SCENE_PORTRAIT,
} GstDssrScene;

typedef enum {
  GST_DSSR_CONTRAST_AUTO,
  GST_DSSR_CONTRAST_NORMAL,
  GST_DSSR_CONTRAST_HIGH,
} GstDssrContrast;

/* How much a sub-model computes, from the most on. */
typedef enum {
  GST_DSSR_RUNG_QUALITY,
  GST_DSSR_RUNG_BALANCED,
  GST_DSSR_RUNG_SAVER,
} GstDssrRung;
#define GST_DSSR_N_RUNGS 3

typedef enum {
  GST_DSSR_POWER_MODE_AUTO,
  GST_DSSR_POWER_MODE_PERFORMANCE,
  GST_DSSR_POWER_MODE_BALANCED,
  GST_DSSR_POWER_MODE_SAVER,
} GstDssrPowerMode;

#define GST_TYPE_DSSR_SCALE (gst_dssr_scale_get_type ())
GType gst_dssr_scale_get_type (void);

#define GST_TYPE_DSSR_SCENE (gst_dssr_scene_get_type ())
GType gst_dssr_scene_get_type (void);

#define GST_TYPE_DSSR_CONTRAST (gst_dssr_contrast_get_type ())
GType gst_dssr_contrast_get_type (void);

#define GST_TYPE_DSSR_POWER_MODE (gst_dssr_power_mode_get_type ())
GType gst_dssr_power_mode_get_type (void);

/* Values are DssrBackend's. */
#define GST_TYPE_DSSR_BACKEND (gst_dssr_backend_get_type ())
GType gst_dssr_backend_get_type (void);

/* "landscape" or "portrait", as in the names of model files. */
const gchar *gst_dssr_scene_nick (GstDssrScene scene);
/* "quality", "balanced" or "saver", the same. */
const gchar *gst_dssr_rung_nick (GstDssrRung rung);

G_END_DECLS
