/* Where the planes of a job lie for the GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/gpu-network.h"
#include "engine/gpu-memory.h"

/* All in the network's own memory.
 * pair: the samples of two planes of chroma alternate */
DssrGpuPictures dssr_gpu_own_pictures (
    const DssrGpuNetwork *network, const DssrJob *job, int flight, bool pair);

/* Those in place that are in memory that the GPU shares, and that its shaders
 * can work on; the others in the network's own. */
DssrGpuPictures dssr_gpu_find_pictures (const DssrGpuNetwork *network,
    const DssrJob *job, int flight, DssrDevice *device);

/* Copy to or from the network's own memory; return how many bytes that was. */
guint64 dssr_gpu_put_pictures (const DssrGpuNetwork *network,
    const DssrJob *job, const DssrGpuPictures *pictures);
guint64 dssr_gpu_get_pictures (const DssrGpuNetwork *network,
    const DssrJob *job, const DssrGpuPictures *pictures);
