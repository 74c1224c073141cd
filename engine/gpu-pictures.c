/* Where the planes of a job lie for the GPU, and the copies of those that it
 * cannot reach.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-pictures.h"

static int
sample_bytes (const DssrSamples *samples)
{
  return samples->depth > 8 ? 2 : 1;
}

/* Whether the samples of two planes alternate, those of `a` first. */
static bool
alternate (const DssrSamples *a, const DssrSamples *b)
{
  return (const char *)b->data - (const char *)a->data == sample_bytes (a)
         && a->step == 2 * sample_bytes (a) && b->step == a->step
         && a->stride == b->stride;
}

/* Whether the last two planes of the job are such a pair, and the one that is
 * first in memory. Chroma: what the network sees may get contrast, plane by
 * plane. */
static bool
find_pair (const DssrGpuNetwork *network, const DssrJob *job, int *first)
{
  int u = job->n_planes - 2, v = job->n_planes - 1;

  if (u < 0 || network->model->n_planes > 1)
    return false;
  for (int i = 0; i < 2; i++) {
    int a = i ? v : u, b = i ? u : v;
    if (alternate (&job->planes[a].in, &job->planes[b].in)
        && alternate (&job->planes[a].out, &job->planes[b].out)) {
      *first = a;
      return true;
    }
  }
  return false;
}

static DssrVulkanPlane
make_pair (DssrVulkanPlane plane)
{
  plane.pair = true;
  plane.pitch *= 2;
  return plane;
}

DssrGpuPictures
dssr_gpu_own_pictures (
    const DssrGpuNetwork *network, const DssrJob *job, int flight, bool pair)
{
  DssrGpuPictures pictures = {
      .flight = flight, .n_planes = job->n_planes - pair};

  for (int i = 0; i < job->n_new_frames; i++)
    dssr_gpu_network_seen (
        network, job->new_frames[i].slot, pictures.new_frames[i]);
  if (job->enlarge) {
    dssr_gpu_network_seen (network, job->centre, pictures.in);
    for (int i = 0; i < network->model->n_planes; i++)
      pictures.out[i] = network->out[flight][i];
  }
  for (int i = 0; i < pictures.n_planes; i++) {
    int plane = dssr_gpu_plane (network, job, i);
    pictures.planes[i].index = i;
    pictures.planes[i].in = network->in[flight][plane];
    pictures.planes[i].out = network->out[flight][plane];
  }
  /* The room of the two planes follows each other. */
  if (pair) {
    int last = pictures.n_planes - 1;
    pictures.planes[last].in = make_pair (pictures.planes[last].in);
    pictures.planes[last].out = make_pair (pictures.planes[last].out);
  }
  return pictures;
}

/* Whether shaders can work on it in place: rows of whole words, from the top to
 * the bottom. The last word of a row may reach beyond its samples, if no bytes
 * follow that could be somebody else's. */
static bool
is_plain (const DssrSamples *samples, bool pair)
{
  int step = sample_bytes (samples) * (pair ? 2 : 1);
  ptrdiff_t bytes = (ptrdiff_t)samples->width * step;
  ptrdiff_t words = (bytes + 3) / 4 * 4;
  return samples->step == step && samples->stride % 4 == 0
         && samples->stride >= words
         && (bytes == words || samples->stride == words);
}

static void
find_plane (
    DssrDevice *device, const DssrSamples *samples, DssrVulkanPlane *plane)
{
  DssrVulkanPlane found = *plane;
  gsize offset;

  if (!is_plain (samples, plane->pair))
    return;
  found.pitch = (guint32)(samples->stride / 4);
  found.shared = dssr_device_find (
      device, samples->data, 4 * dssr_vulkan_plane_words (&found), &offset);
  if (!found.shared || offset % 4 != 0)
    return;
  found.at = (guint32)(offset / 4);
  *plane = found;
}

DssrGpuPictures
dssr_gpu_find_pictures (const DssrGpuNetwork *network, const DssrJob *job,
    int flight, DssrDevice *device)
{
  int n = network->model->n_planes, first;
  bool pair = find_pair (network, job, &first);
  DssrGpuPictures pictures = dssr_gpu_own_pictures (network, job, flight, pair);

  if (pair)
    pictures.planes[pictures.n_planes - 1].index = first;
  for (int i = 0; i < job->n_new_frames; i++)
    for (int j = 0; j < n; j++)
      find_plane (
          device, &job->new_frames[i].planes[j], &pictures.new_frames[i][j]);
  for (int i = 0; job->enlarge && i < n; i++) {
    find_plane (device, &job->in[i], &pictures.in[i]);
    find_plane (device, &job->out[i], &pictures.out[i]);
  }
  for (int i = 0; i < pictures.n_planes; i++) {
    int plane = pictures.planes[i].index;
    find_plane (device, &job->planes[plane].in, &pictures.planes[i].in);
    find_plane (device, &job->planes[plane].out, &pictures.planes[i].out);
  }
  return pictures;
}

static guint64
count_bytes (const DssrVulkanPlane *plane, const DssrSamples *samples)
{
  return (guint64)samples->width * (guint64)samples->height
         * (guint64)sample_bytes (samples) * (plane->pair ? 2 : 1);
}

static guint64
put (const DssrGpuNetwork *network, const DssrVulkanPlane *plane,
    const DssrSamples *samples)
{
  if (plane->shared)
    return 0;
  dssr_vulkan_put_plane (network->memory, plane, samples);
  return count_bytes (plane, samples);
}

static guint64
get (const DssrGpuNetwork *network, const DssrVulkanPlane *plane,
    const DssrSamples *samples)
{
  if (plane->shared)
    return 0;
  dssr_vulkan_get_plane (network->memory, plane, samples, 0, samples->height);
  return count_bytes (plane, samples);
}

guint64
dssr_gpu_put_pictures (const DssrGpuNetwork *network, const DssrJob *job,
    const DssrGpuPictures *pictures)
{
  guint64 bytes = 0;

  for (int i = 0; i < job->n_new_frames; i++)
    for (int j = 0; j < network->model->n_planes; j++)
      bytes += put (
          network, &pictures->new_frames[i][j], &job->new_frames[i].planes[j]);
  for (int i = 0; i < pictures->n_planes; i++)
    bytes += put (network, &pictures->planes[i].in,
        &job->planes[pictures->planes[i].index].in);
  return bytes;
}

guint64
dssr_gpu_get_pictures (const DssrGpuNetwork *network, const DssrJob *job,
    const DssrGpuPictures *pictures)
{
  guint64 bytes = 0;

  for (int i = 0; job->enlarge && i < network->model->n_planes; i++)
    bytes += get (network, &pictures->out[i], &job->out[i]);
  for (int i = 0; i < pictures->n_planes; i++)
    bytes += get (network, &pictures->planes[i].out,
        &job->planes[pictures->planes[i].index].out);
  return bytes;
}
