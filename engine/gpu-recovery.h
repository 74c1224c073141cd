/* A GPU that failed, opened again in the background.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/gpu.h"

typedef struct _DssrGpuRecovery DssrGpuRecovery;

/* For pictures of this format. */
DssrGpuRecovery *dssr_gpu_recovery_new (const DssrFormat *format);
/* Waits for an attempt that is under way. */
void dssr_gpu_recovery_free (DssrGpuRecovery *recovery);

/* Takes a GPU that failed. A thread closes it, and opens it again for this
 * model, with waits that grow, until that succeeds. */
void dssr_gpu_recovery_begin (
    DssrGpuRecovery *recovery, DssrGpu *gpu, DssrModel *model, int slots);

/* What the GPU is to be opened for from now on. */
void dssr_gpu_recovery_use_model (
    DssrGpuRecovery *recovery, DssrModel *model, int slots);

/* The GPU, once it is ready for its model; NULL: it is not. Does not wait. */
DssrGpu *dssr_gpu_recovery_take (DssrGpuRecovery *recovery);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrGpuRecovery, dssr_gpu_recovery_free)
