/* Compiled pipelines on disk. A file is for one device, driver and set of
 * shaders, which its name says, and begins with a sum over what follows; one
 * that is not whole is ignored. It is written beside its place and moved there,
 * so that nobody reads half of one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SIZE ((long)64 << 20)

typedef struct {
  char magic[8];
  uint64_t size, sum;
} Header;

static const char magic[8] = "dssrpc1";

static uint64_t
add_to_sum (uint64_t sum, const void *data, size_t size)
{
  const uint8_t *bytes = data;

  for (size_t i = 0; i < size; i++)
    sum = (sum ^ bytes[i]) * 0x100000001b3;
  return sum;
}

static const uint64_t empty_sum = 0xcbf29ce484222325;

static char *
make_path (const DssrVulkan *vulkan, const char *folder)
{
  VkPhysicalDeviceProperties properties;
  uint64_t sum = empty_sum;
  char *path = NULL;

  vkGetPhysicalDeviceProperties (vulkan->physical, &properties);
  sum = add_to_sum (sum, vulkan->info.uuid, sizeof vulkan->info.uuid);
  sum = add_to_sum (sum, vulkan->info.driver, strlen (vulkan->info.driver));
  sum = add_to_sum (
      sum, &properties.driverVersion, sizeof properties.driverVersion);
  sum = add_to_sum (
      sum, properties.pipelineCacheUUID, sizeof properties.pipelineCacheUUID);
  for (int i = 0; i < DSSR_N_SHADERS; i++)
    sum = add_to_sum (sum, dssr_shaders[i].words, dssr_shaders[i].size);
  if (asprintf (
          &path, "%s/pipelines-%016llx.bin", folder, (unsigned long long)sum)
      < 0)
    return NULL;
  return path;
}

/* What the file has after its header, or NULL. */
static void *
read_file (const char *path, size_t *size)
{
  Header header;
  void *data = NULL;
  FILE *file = fopen (path, "rb");

  if (!file)
    return NULL;
  if (fread (&header, sizeof header, 1, file) == 1
      && memcmp (header.magic, magic, sizeof magic) == 0
      && header.size <= MAX_SIZE) {
    *size = (size_t)header.size;
    data = malloc (*size + 1);
    /* One byte more would be one too many. */
    if (data
        && (fread (data, 1, *size + 1, file) != *size
            || add_to_sum (empty_sum, data, *size) != header.sum)) {
      free (data);
      data = NULL;
    }
  }
  fclose (file);
  return data;
}

bool
dssr_vulkan_load_cache (
    DssrVulkan *vulkan, const char *folder, DssrVulkanMessage *message)
{
  size_t size = 0;
  void *data = NULL;

  if (folder)
    vulkan->cache_path = make_path (vulkan, folder);
  if (vulkan->cache_path)
    data = read_file (vulkan->cache_path, &size);
  const VkPipelineCacheCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
      .initialDataSize = data ? size : 0,
      .pInitialData = data,
  };
  const VkResult result =
      vkCreatePipelineCache (vulkan->device, &info, NULL, &vulkan->cache);
  vulkan->cache_stale = !data;
  free (data);
  return dssr_vulkan_check (message, "pipeline cache", result);
}

static void
write_file (const char *path, const void *data, size_t size)
{
  Header header = {.size = size, .sum = add_to_sum (empty_sum, data, size)};
  char *temporary = NULL;

  memcpy (header.magic, magic, sizeof magic);
  if (asprintf (&temporary, "%s.XXXXXX", path) < 0)
    return;
  const int fd = mkstemp (temporary);
  FILE *file = fd >= 0 ? fdopen (fd, "wb") : NULL;
  if (file) {
    bool ok = fwrite (&header, sizeof header, 1, file) == 1
              && fwrite (data, 1, size, file) == size;
    ok = fclose (file) == 0 && ok;
    if (!ok || rename (temporary, path) < 0)
      unlink (temporary);
  } else if (fd >= 0) {
    close (fd);
    unlink (temporary);
  }
  free (temporary);
}

void
dssr_vulkan_save_cache (DssrVulkan *vulkan)
{
  size_t size = 0;

  pthread_mutex_lock (&vulkan->lock);
  const bool stale = vulkan->cache_stale;
  vulkan->cache_stale = false;
  pthread_mutex_unlock (&vulkan->lock);
  if (!vulkan->cache_path || !stale)
    return;
  if (vkGetPipelineCacheData (vulkan->device, vulkan->cache, &size, NULL)
          != VK_SUCCESS
      || size == 0 || size > MAX_SIZE)
    return;
  void *data = malloc (size);
  if (data
      && vkGetPipelineCacheData (vulkan->device, vulkan->cache, &size, data)
             == VK_SUCCESS)
    write_file (vulkan->cache_path, data, size);
  free (data);
}
