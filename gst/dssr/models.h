/* Where the shipped models are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "enums.h"

G_BEGIN_DECLS

/* Path of the shipped model for a scene (not AUTO), scale and rung, in
 * $DSSR_MODEL_DIR or where models were installed. Where there is no such file,
 * that of the nearest rung, of the cheaper of two that are as near, and then
 * the landscape model's in the same way. When there is none of these either,
 * the path of the landscape model that was meant. */
gchar *gst_dssr_models_path (GstDssrScene scene, gint scale, GstDssrRung rung);

/* What a model file is called in `stats` and messages: its name without folder
 * and ending. */
gchar *gst_dssr_models_name (const gchar *path);

G_END_DECLS
