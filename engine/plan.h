/* Where the tensors of a model lie in memory, for one size of picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/model.h"

/* What later stages read is kept: the frame stage's tensors once for each
 * frame, the align stage's once for each neighbour. The rest shares the
 * scratch, which each stage uses anew. */
typedef struct {
  DssrTensor tensor; /* without data */
  guint64 offset;    /* in the kept memory or in the scratch */
  bool kept;
} DssrPlace;

typedef struct {
  DssrPlace *places[DSSR_N_STAGES]; /* of each operation's output */
  guint64 scratch;                  /* bytes */
  guint64 kept[DSSR_N_STAGES];      /* bytes for a frame, for a neighbour, 0 */
} DssrPlan;

/* width, height: of the small picture's luma */
DssrPlan *dssr_plan_new (const DssrModel *model, int width, int height);
void dssr_plan_free (DssrPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrPlan, dssr_plan_free)
