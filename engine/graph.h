/* From "dssr.graph" and the arrays of a file to the operations of a model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/model.h"
#include "engine/safetensors.h"

/* Fills model->stages and model->unshuffle; scale and window are set. On error,
 * what was read so far is there to be freed. */
gboolean dssr_graph_read (
    DssrModel *model, const DssrSafetensors *file, GError **error);

/* Reads the arrays of a convolution whose parameters are read.
 * in_max: greatest value of each quad of the inputs
 * budget: bytes that weights of the model may still take */
gboolean dssr_weights_read (DssrOp *op, const DssrSafetensors *file,
    const char *where, const guint8 *in_max, gsize *budget, GError **error);

/* Reads the array "table"; returns the copy that `op` holds, or NULL. */
const guint8 *dssr_table_read (
    DssrOp *op, const DssrSafetensors *file, const char *where, GError **error);
