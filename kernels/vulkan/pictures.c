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

static void
weave_bytes (uint8_t *restrict to, const uint8_t *restrict a,
    const uint8_t *restrict b, int n)
{
  for (int i = 0; i < n; i++) {
    to[2 * i] = a[i];
    to[2 * i + 1] = b[i];
  }
}

static void
weave_pairs (uint16_t *restrict to, const uint16_t *restrict a,
    const uint16_t *restrict b, int n)
{
  for (int i = 0; i < n; i++) {
    to[2 * i] = a[i];
    to[2 * i + 1] = b[i];
  }
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

void
dssr_vulkan_put_plane (DssrVulkanMemory *memory, const DssrVulkanPlane *plane,
    const DssrSamples *in)
{
  uint32_t *to =
      (uint32_t *)memory->buffers[DSSR_BUFFER_UPLOAD].map + plane->at;
  const char *from = in->data;

  for (int y = 0; y < in->height; y++, to += plane->pitch, from += in->stride)
    gather (to, from, in->step, in->width, in->depth);
}

void
dssr_vulkan_get_plane (const DssrVulkanMemory *memory,
    const DssrVulkanPlane *plane, const DssrSamples *out, int y0, int y1)
{
  const uint32_t *from =
      (const uint32_t *)memory->buffers[DSSR_BUFFER_DOWNLOAD].map + plane->at;

  for (int y = y0; y < y1; y++)
    scatter ((char *)out->data + y * out->stride, out->step,
        from + (size_t)y * plane->pitch, out->width, out->depth);
}

/* Whether two planes are the samples of one row in turn, `a` first. */
static bool
alternate (const DssrSamples *a, const DssrSamples *b, int bytes)
{
  return (const char *)b->data - (const char *)a->data == bytes
         && a->step == 2 * bytes && b->step == a->step
         && a->stride == b->stride;
}

bool
dssr_vulkan_get_pair (const DssrVulkanMemory *memory,
    const DssrVulkanPlane planes[2], const DssrSamples out[2])
{
  const int bytes = out[0].depth > 8 ? 2 : 1;
  const int first = alternate (&out[0], &out[1], bytes) ? 0 : 1;
  const uint32_t *map = memory->buffers[DSSR_BUFFER_DOWNLOAD].map;

  if (!alternate (&out[first], &out[!first], bytes))
    return false;
  for (int y = 0; y < out[0].height; y++) {
    const uint32_t *a =
        map + planes[first].at + (size_t)y * planes[first].pitch;
    const uint32_t *b =
        map + planes[!first].at + (size_t)y * planes[!first].pitch;
    char *to = (char *)out[first].data + y * out[first].stride;
    if (bytes == 1)
      weave_bytes (
          (uint8_t *)to, (const uint8_t *)a, (const uint8_t *)b, out[0].width);
    else
      weave_pairs ((uint16_t *)to, (const uint16_t *)a, (const uint16_t *)b,
          out[0].width);
  }
  return true;
}
