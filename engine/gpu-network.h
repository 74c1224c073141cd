/* A model's tensors and commands on a GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/gpu.h"
#include "kernels/vulkan/vulkan.h"

/* The nodes of one operation of the GPU. */
#define DSSR_GPU_MAX_GROUP (DSSR_VULKAN_CHAIN_LENGTH + 2)
typedef struct {
  int nodes[DSSR_GPU_MAX_GROUP];
  bool stored[DSSR_GPU_MAX_GROUP]; /* others read it */
  int n_nodes;
  int position; /* of the first in the order of the nodes */
} DssrGpuGroup;

/* The operations of a program in the order in which they are recorded, and
 * where what they make lies: in the slot of a frame, in the part of the arena
 * that all share, or nowhere. */
typedef struct {
  DssrVulkanTensor *tensors; /* of each node */
  bool *kept;                /* in the slot */
  bool *virtual;             /* up2 that its readers do as they read */
  DssrGpuGroup *groups;
  int n_groups;
} DssrGpuProgram;

/* Where the planes of a job lie. */
typedef struct {
  int flight;
  DssrVulkanPlane new_frames[DSSR_MAX_WINDOW][3]; /* that the network sees */
  DssrVulkanPlane in[3], out[3]; /* of the centre, that the network sees */
  struct {
    int index; /* in the job; of a pair, the first in memory */
    DssrVulkanPlane in, out;
  } planes[3]; /* that get the bicubic enlargement alone; a pair is one */
  int n_planes;
} DssrGpuPictures;

/* A plane in shared memory; all 0: it is in the network's own. */
typedef struct {
  guint64 serial;
  guint32 at, pitch;
} DssrGpuPlace;

#define DSSR_GPU_MAX_PLACES (3 * DSSR_MAX_WINDOW + 2 * 3 + 2 * 3)

/* What was recorded for. */
typedef struct {
  int n_new_frames, new_frames[DSSR_MAX_WINDOW]; /* slots */
  int enlarge, centre, aligned[DSSR_MAX_WINDOW];
  DssrPan pans[DSSR_MAX_WINDOW];
  int n_planes, pair, contrast;
  int flight;
  DssrGpuPlace places[DSSR_GPU_MAX_PLACES];
} DssrGpuKey;

/* More than the ways in which a stream goes round its slots, and round the
 * pictures of its pools at the same time: 3, 4 and 5 meet again after 60. */
#define DSSR_GPU_RECORDINGS 64

typedef struct {
  DssrGpuKey key;
  DssrVulkanCommands *commands;
} DssrGpuRecording;

struct _DssrGpuNetwork {
  DssrModel *model;
  DssrFormat format;
  DssrPlan *plan; /* for its programs; the places are our own */
  DssrGpuProgram programs[DSSR_N_PROGRAMS];
  guint32 *weights[DSSR_N_STAGES]; /* of each operation */
  guint32 slots_at, slot_words;
  DssrBicubic bicubic[3];
  DssrContrast contrast;
  DssrVulkanPlane seen; /* the first plane of slot 0, as large as the others */
  /* Planes of the picture that is enlarged. */
  DssrVulkanPlane in[DSSR_MAX_FLIGHTS][3], out[DSSR_MAX_FLIGHTS][3];

  DssrVulkanMemory *memory;
  DssrGpuRecording recordings[DSSR_GPU_RECORDINGS];
  int next_recording;
};

DssrGpuNetwork *dssr_gpu_network_new (DssrVulkan *vulkan, DssrModel *model,
    const DssrFormat *format, int slots, int flights, GError **error);

/* The commands for a job, recorded when they are new; NULL: they cannot be. */
DssrVulkanCommands *dssr_gpu_network_record (DssrGpuNetwork *network,
    const DssrJob *job, const DssrGpuPictures *pictures,
    DssrVulkanMessage *message);

/* Where the GPU's time is noted when a flight begins and when it ends. */
static inline int
dssr_gpu_mark (int flight, gboolean end)
{
  return 2 * flight + (end ? 1 : 0);
}

/* Where the planes of a frame are that the network sees. */
void dssr_gpu_network_seen (
    const DssrGpuNetwork *network, int slot, DssrVulkanPlane planes[3]);

/* The plane of the format that is plane i of a job. */
static inline int
dssr_gpu_plane (const DssrGpuNetwork *network, const DssrJob *job, int i)
{
  return job->enlarge ? i + network->model->n_planes : i;
}

/* Fills the programs; returns the words of the shared part. */
guint64 dssr_gpu_plan (DssrGpuNetwork *network, guint64 *slot_words);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrGpuNetwork, dssr_gpu_network_free)
