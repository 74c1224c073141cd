/* A model at work on a GPU: what a session has in place of a network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/network.h"

typedef struct _DssrGpu DssrGpu;
typedef struct _DssrGpuNetwork DssrGpuNetwork;

/* Opens a device, which as yet has no model.
 * device: as in DssrSessionConfig
 * allow_cpu: a CPU in the guise of a GPU will do
 * flights: frames that it may be given before the first is done, at most
 * DSSR_MAX_FLIGHTS
 * NULL with DSSR_ERROR_BACKEND when there is none. */
DssrGpu *dssr_gpu_new (
    const char *device, gboolean allow_cpu, int flights, GError **error);
void dssr_gpu_free (DssrGpu *gpu);

/* Gives back all that a GPU has, its model too; and opens it again, which with
 * DSSR_ERROR_BACKEND may fail. Nothing else is done in between. */
void dssr_gpu_close (DssrGpu *gpu);
gboolean dssr_gpu_open (DssrGpu *gpu, GError **error);

/* Makes all that the model needs for pictures of this format. FALSE with
 * DSSR_ERROR_BACKEND: nothing has changed. */
gboolean dssr_gpu_use_model (DssrGpu *gpu, DssrModel *model,
    const DssrFormat *format, int slots, GError **error);

/* The same in two steps: makes it, in any thread while another one uses the
 * GPU, but one at a time; and exchanges it for the one in use, which may be
 * NULL. What is not in use is the caller's, and freed before the GPU is. */
DssrGpuNetwork *dssr_gpu_prepare (DssrGpu *gpu, DssrModel *model,
    const DssrFormat *format, int slots, GError **error);
DssrGpuNetwork *dssr_gpu_exchange (DssrGpu *gpu, DssrGpuNetwork *network);
void dssr_gpu_network_free (DssrGpuNetwork *network);

/* Gives it the job of a frame, which is the flight that is done or waited for:
 * from 0, in turn. Outputs that are NULL will be known when it is finished. */
gboolean dssr_gpu_submit (
    DssrGpu *gpu, const DssrJob *job, int flight, GError **error);
/* Waits for a flight, and takes the outputs of its job. Adds to
 * time_ns[DSSR_TIME_WAIT]. */
gboolean dssr_gpu_finish (DssrGpu *gpu, const DssrJob *job, int flight,
    guint64 *time_ns, GError **error);
/* Of both, FALSE with DSSR_ERROR_BACKEND: the GPU cannot be used any more,
 * nothing was written, and all features and flights are lost. */

/* Waits for all that was submitted, whose outputs nobody wants. */
void dssr_gpu_cancel (DssrGpu *gpu);

/* The device for memory that both share; owned by the GPU. */
DssrDevice *dssr_gpu_get_device (const DssrGpu *gpu);
/* Bytes of pictures that were copied for it. */
guint64 dssr_gpu_get_copied (const DssrGpu *gpu);

/* Static. */
const char *dssr_gpu_get_name (const DssrGpu *gpu);
/* Bytes that it has on the GPU. */
gsize dssr_gpu_get_size (const DssrGpu *gpu);

/* What the GPU was given to do. */
typedef struct {
  guint64 traffic; /* bytes that operations read and wrote */
  guint64 operations, barriers;
} DssrGpuWork;

/* Of all frames that were finished: nanoseconds on the GPU, 0 where it has no
 * clock; and their work. */
guint64 dssr_gpu_get_time (const DssrGpu *gpu);
DssrGpuWork dssr_gpu_get_work (const DssrGpu *gpu);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrGpu, dssr_gpu_free)
