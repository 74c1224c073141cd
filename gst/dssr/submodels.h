/* The sub-models of a session: loaded in a thread of their own, and kept.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "engine/dssr.h"

G_BEGIN_DECLS

typedef struct _GstDssrSubModels GstDssrSubModels;

GstDssrSubModels *gst_dssr_sub_models_new (DssrSession *session);
/* Before the session is freed. Waits for what is being loaded. */
void gst_dssr_sub_models_free (GstDssrSubModels *models);

/* The sub-model of a file, if it is ready. Otherwise NULL, and it is loaded in
 * the background instead of what was asked for before; never waits. With an
 * error once if it could not be loaded; asked for again, it is tried again.
 * model: set to a new reference too */
DssrPrepared *gst_dssr_sub_models_get (GstDssrSubModels *models,
    const gchar *path, DssrModel **model, GError **error);

G_END_DECLS
