/* From "dssr.graph" and the arrays of a file to the operations of a model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/model.h"
#include "engine/safetensors.h"

#include <json-glib/json-glib.h>

/* Where the reading of a graph is. */
typedef struct {
  DssrModel *model;
  const DssrSafetensors *file;
  GHashTable *names[DSSR_N_STAGES]; /* to the index of the operation, plus 1 */
  gsize budget;                     /* bytes that weights may still take */

  DssrStage stage;
  DssrOp *op;
  const char *where; /* "stage.op" */
  JsonObject *object;
} DssrReader;

typedef struct {
  /* Reads the fields and arrays of reader->op. Its inputs are set, and its
   * level is theirs. */
  gboolean (*read) (DssrReader *reader, GError **error);
  guint min_in, max_in;
} DssrKind;

extern const DssrKind dssr_kinds[DSSR_OP_HEAD + 1];

/* Fills model->stages and model->unshuffle; scale and window are set. On error,
 * what was read so far is there to be freed. */
gboolean dssr_graph_read (
    DssrModel *model, const DssrSafetensors *file, GError **error);

/* Reads the arrays of a convolution whose parameters are read.
 * in_max: greatest value of each quad of the inputs */
gboolean dssr_weights_read (
    DssrReader *reader, const guint8 *in_max, GError **error);

/* Sets what a convolution finds outside the picture.
 * in_zero: zero point of each quad of the inputs */
void dssr_outside_set (DssrOp *op, const guint8 *in_zero);

/* Reads the array "table"; returns the copy that reader->op holds, or NULL. */
const guint8 *dssr_table_read (DssrReader *reader, GError **error);
