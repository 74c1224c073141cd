/* Planes between a picture of any layout and the buffers, where they are
 * planar.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <string.h>

uint32_t
dssr_vulkan_pitch (int width, int depth)
{
  const uint32_t four = ((uint32_t)width + 3) / 4;
  return depth > 8 ? 2 * four : four;
}

uint64_t
dssr_vulkan_plane_words (const DssrVulkanPlane *plane)
{
  const uint64_t bytes = (uint64_t)plane->width * (plane->pair ? 2 : 1)
                         * (plane->depth > 8 ? 2 : 1);
  return (uint64_t)plane->pitch * (uint64_t)(plane->height - 1)
         + (bytes + 3) / 4;
}

static inline __attribute__ ((always_inline)) void
copy_bytes (uint8_t *restrict to, int to_step, const uint8_t *restrict from,
    int from_step, int n)
{
  for (int i = 0; i < n; i++)
    to[i * (ptrdiff_t)to_step] = from[i * (ptrdiff_t)from_step];
}

static inline __attribute__ ((always_inline)) void
copy_pairs (uint16_t *restrict to, int to_step, const uint16_t *restrict from,
    int from_step, int n)
{
  for (int i = 0; i < n; i++)
    to[i * (ptrdiff_t)to_step] = from[i * (ptrdiff_t)from_step];
}

/* A row of `n` samples; steps are in bytes. The common ones are loops of their
 * own, which the compiler makes vectors of. */
static void
gather (void *to, const void *from, int step, int n, int depth)
{
  if (step == (depth > 8 ? 2 : 1))
    memcpy (to, from, (size_t)n * (size_t)step);
  else if (depth > 8 && step == 4)
    copy_pairs (to, 1, from, 2, n);
  else if (depth > 8)
    copy_pairs (to, 1, from, step / 2, n);
  else if (step == 2)
    copy_bytes (to, 1, from, 2, n);
  else
    copy_bytes (to, 1, from, step, n);
}

static void
scatter (void *to, int step, const void *from, int n, int depth)
{
  if (step == (depth > 8 ? 2 : 1))
    memcpy (to, from, (size_t)n * (size_t)step);
  else if (depth > 8)
    copy_pairs (to, step / 2, from, 1, n);
  else
    copy_bytes (to, step, from, 1, n);
}

/* Samples of a row, and the step between those of the plane. */
static int
count_samples (const DssrVulkanPlane *plane, const DssrSamples *samples)
{
  return plane->pair ? 2 * samples->width : samples->width;
}

static int
get_step (const DssrVulkanPlane *plane, const DssrSamples *samples)
{
  return plane->pair ? samples->step / 2 : samples->step;
}

void
dssr_vulkan_put_plane (DssrVulkanMemory *memory, const DssrVulkanPlane *plane,
    const DssrSamples *in)
{
  uint32_t *to =
      (uint32_t *)memory->buffers[DSSR_BUFFER_UPLOAD].map + plane->at;
  const char *from = in->data;

  for (int y = 0; y < in->height; y++, to += plane->pitch, from += in->stride)
    gather (
        to, from, get_step (plane, in), count_samples (plane, in), in->depth);
}

void
dssr_vulkan_get_plane (const DssrVulkanMemory *memory,
    const DssrVulkanPlane *plane, const DssrSamples *out, int y0, int y1)
{
  const uint32_t *from =
      (const uint32_t *)memory->buffers[DSSR_BUFFER_DOWNLOAD].map + plane->at;

  for (int y = y0; y < y1; y++)
    scatter ((char *)out->data + y * out->stride, get_step (plane, out),
        from + (size_t)y * plane->pitch, count_samples (plane, out),
        out->depth);
}
