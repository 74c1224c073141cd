/* A model at work: its plan, its memory, and the run of its stages.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/model.h"
#include "engine/picture.h"

typedef struct _DssrNetwork DssrNetwork;

/* slots: frames whose features are kept. NULL with DSSR_ERROR_FORMAT when there
 * is not enough memory. */
DssrNetwork *dssr_network_new (DssrModel *model, const DssrFormat *format,
    int slots, const DssrKernels *kernels, const DssrBands *bands,
    GError **error);
void dssr_network_free (DssrNetwork *network);

DssrModel *dssr_network_get_model (const DssrNetwork *network);
gsize dssr_network_get_memory (const DssrNetwork *network);

/* The frame stage: fills the features of a slot. */
void dssr_network_see (DssrNetwork *network, int slot, const DssrSamples *luma);

/* The align and fuse stages. `neighbours` are the slots of the window in order
 * of time, the centre left out; all have features. */
void dssr_network_enlarge (DssrNetwork *network, int centre,
    const int *neighbours, const DssrSamples *luma, const DssrSamples *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrNetwork, dssr_network_free)
