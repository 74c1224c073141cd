/* Where the shipped models are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "enums.h"

G_BEGIN_DECLS

/* Path of the shipped model for a scene (not AUTO) and scale, in
 * $DSSR_MODEL_DIR or where models were installed; the landscape model where the
 * scene has none. The file need not exist. */
gchar *gst_dssr_models_path (GstDssrScene scene, gint scale);

G_END_DECLS
