/* Choosing a device, and opening it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { MAX_DEVICES = 32 };

/* What is still running when a device that hung is closed has this long. */
#define PATIENCE_NS 1000000000

static bool
is_index (const char *text, int index)
{
  char *end;
  return isdigit ((unsigned char)*text) && strtol (text, &end, 10) == index
         && *end == '\0' && strlen (text) < 4;
}

/* With or without hyphens. */
static bool
is_uuid (const char *text, const uint8_t *uuid)
{
  int n = 0;

  for (; *text; text++) {
    if (*text == '-')
      continue;
    if (!isxdigit ((unsigned char)*text) || n == 32)
      return false;
    const int digit = isdigit ((unsigned char)*text)
                          ? *text - '0'
                          : tolower ((unsigned char)*text) - 'a' + 10;
    if (digit != (uuid[n >> 1] >> (n & 1 ? 0 : 4) & 15))
      return false;
    n++;
  }
  return n == 32;
}

static bool
is_node (const char *text, const DssrVulkanInfo *info)
{
  struct stat node;
  return *text == '/' && info->drm_major && stat (text, &node) == 0
         && (int64_t)major (node.st_rdev) == info->drm_major
         && (int64_t)minor (node.st_rdev) == info->drm_minor;
}

/* The device that was asked for, else the first of the best kind. */
static int
choose (const DssrVulkanInfo *infos, int n, const DssrVulkanConfig *config,
    DssrVulkanMessage *message)
{
  const char *device = config->device;
  int best = -1;

  for (int i = 0; i < n; i++) {
    if (infos[i].kind == DSSR_VULKAN_CPU && !config->allow_cpu)
      continue;
    if (device) {
      if (is_index (device, i) || is_uuid (device, infos[i].uuid)
          || is_node (device, &infos[i]))
        best = i;
    } else if (!infos[i].lacks[0]
               && (best < 0 || infos[i].kind < infos[best].kind)) {
      best = i;
    }
  }
  if (best < 0 && device)
    dssr_vulkan_fail (message,
        "there is no device \"%.100s\": it must be an index from 0 to %d, a "
        "UUID, or the path of a DRM render node",
        device, n - 1);
  else if (best < 0)
    dssr_vulkan_fail (message, "Vulkan has no GPU here (%.100s: %s)",
        infos[0].name,
        infos[0].lacks[0] ? infos[0].lacks : "the CPU in its guise");
  else if (infos[best].lacks[0])
    dssr_vulkan_fail (
        message, "%.100s lacks %s", infos[best].name, infos[best].lacks);
  return best >= 0 && !infos[best].lacks[0] ? best : -1;
}

static bool
read_fault (DssrVulkan *vulkan, const char *text, DssrVulkanMessage *message)
{
  static const char *const names[] = {
      [DSSR_FAULT_LOST] = "lost",
      [DSSR_FAULT_OUT_OF_MEMORY] = "oom",
      [DSSR_FAULT_TIMEOUT] = "timeout",
      [DSSR_FAULT_MISSING] = "missing",
  };
  char name[10];
  unsigned long at;
  int end = 0;

  if (!text || !*text)
    return true;
  if (sscanf (text, "%9[a-z]@%9lu%n", name, &at, &end) == 2 && !text[end]) {
    for (int i = DSSR_FAULT_LOST; i <= DSSR_FAULT_MISSING; i++) {
      if (strcmp (name, names[i]) == 0) {
        vulkan->fault = (DssrFault)i;
        vulkan->fault_at = at;
        return true;
      }
    }
  }
  return dssr_vulkan_fail (message,
      "DSSR_VULKAN_FAULT is \"%.100s\", must be lost@N, oom@N, timeout@N or "
      "missing@N",
      text);
}

/* Whether the fault to be tested is that the device is not there now. */
static bool
is_missing (const DssrVulkan *vulkan, int attempts)
{
  return vulkan->fault == DSSR_FAULT_MISSING
         && vulkan->submitted > vulkan->fault_at && attempts < 3;
}

static void
choose_family (DssrVulkan *vulkan)
{
  VkQueueFamilyProperties families[MAX_DEVICES];
  uint32_t n = MAX_DEVICES, family = 0;

  vkGetPhysicalDeviceQueueFamilyProperties (vulkan->physical, &n, families);
  while (!(families[family].queueFlags & VK_QUEUE_COMPUTE_BIT))
    family++;
  vulkan->family = family;
  vulkan->clock_bits = families[family].timestampValidBits;
}

static VkResult
make_device (DssrVulkan *vulkan)
{
  const float priority = 1;
  const char *extensions[1 + DSSR_N_DMA_BUF_EXTENSIONS];
  uint32_t n_extensions = 0;
  const VkDeviceQueueCreateInfo queue = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
      .queueFamilyIndex = vulkan->family,
      .queueCount = 1,
      .pQueuePriorities = &priority,
  };
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {
      .sType =
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
      .shaderIntegerDotProduct = VK_TRUE,
  };
  const VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
      .pNext = vulkan->dot ? &dot : NULL,
      .timelineSemaphore = VK_TRUE,
  };
  if (vulkan->dot)
    extensions[n_extensions++] =
        VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
  if (vulkan->info.imports || vulkan->info.exports)
    for (int i = 0; i < DSSR_N_DMA_BUF_EXTENSIONS; i++)
      extensions[n_extensions++] = dssr_vulkan_dma_buf_extensions[i];
  const VkDeviceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
      .pNext = &timeline,
      .queueCreateInfoCount = 1,
      .pQueueCreateInfos = &queue,
      .enabledExtensionCount = n_extensions,
      .ppEnabledExtensionNames = extensions,
  };
  return vkCreateDevice (vulkan->physical, &info, NULL, &vulkan->device);
}

static VkResult
make_layouts (DssrVulkan *vulkan)
{
  VkDescriptorSetLayoutBinding bindings[DSSR_N_BINDINGS];
  for (uint32_t i = 0; i < DSSR_N_BINDINGS; i++)
    bindings[i] = (VkDescriptorSetLayoutBinding){
        .binding = i,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
    };
  const VkDescriptorSetLayoutCreateInfo set = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
      .bindingCount = DSSR_N_BINDINGS,
      .pBindings = bindings,
  };
  VkResult result = vkCreateDescriptorSetLayout (
      vulkan->device, &set, NULL, &vulkan->set_layout);
  if (result != VK_SUCCESS)
    return result;
  const VkPushConstantRange push = {
      .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
      .size = DSSR_PUSH_SIZE,
  };
  const VkPipelineLayoutCreateInfo layout = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
      .setLayoutCount = 1,
      .pSetLayouts = &vulkan->set_layout,
      .pushConstantRangeCount = 1,
      .pPushConstantRanges = &push,
  };
  return vkCreatePipelineLayout (
      vulkan->device, &layout, NULL, &vulkan->layout);
}

static VkResult
make_timeline (DssrVulkan *vulkan)
{
  const VkSemaphoreTypeCreateInfo type = {
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
      .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
      .initialValue = vulkan->submitted,
  };
  const VkSemaphoreCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
      .pNext = &type,
  };
  return vkCreateSemaphore (vulkan->device, &info, NULL, &vulkan->timeline);
}

static bool
find_device (const DssrVulkanConfig *config, VkPhysicalDevice *device,
    DssrVulkanInfo *info, DssrVulkanMessage *message)
{
  VkPhysicalDevice devices[MAX_DEVICES];
  DssrVulkanInfo infos[MAX_DEVICES];
  const int n = dssr_vulkan_find (devices, MAX_DEVICES, message);

  if (n == 0)
    return false;
  for (int i = 0; i < n; i++)
    dssr_vulkan_describe (devices[i], i, &infos[i]);
  const int chosen = choose (infos, n, config, message);
  if (chosen < 0)
    return false;
  *device = devices[chosen];
  *info = infos[chosen];
  return true;
}

bool
dssr_vulkan_probe (const DssrVulkanConfig *config, DssrVulkanInfo *info,
    DssrVulkanMessage *message)
{
  VkPhysicalDevice device;
  return find_device (config, &device, info, message);
}

static bool
open_device (DssrVulkan *vulkan, const DssrVulkanConfig *config,
    DssrVulkanMessage *message)
{
  VkPhysicalDeviceProperties properties;

  vulkan->submitted = config->submissions;
  if (!find_device (config, &vulkan->physical, &vulkan->info, message)
      || !read_fault (vulkan, config->fault, message))
    return false;
  if (is_missing (vulkan, config->attempts))
    return dssr_vulkan_fail (message, "the device is missing");

  choose_family (vulkan);
  if (config->plain)
    vulkan->info.dot = DSSR_VULKAN_DOT_PLAIN;
  vulkan->dot = vulkan->info.dot != DSSR_VULKAN_DOT_PLAIN;
  vulkan->sparse = config->sparse || vulkan->info.kind != DSSR_VULKAN_CPU;
  vkGetPhysicalDeviceMemoryProperties (vulkan->physical, &vulkan->heaps);
  vkGetPhysicalDeviceProperties (vulkan->physical, &properties);
  vulkan->limits = properties.limits;

  VkResult result = make_device (vulkan);
  if (result != VK_SUCCESS)
    return dssr_vulkan_check (message, vulkan->info.name, result);
  vkGetDeviceQueue (vulkan->device, vulkan->family, 0, &vulkan->queue);
  result = make_layouts (vulkan);
  if (result == VK_SUCCESS)
    result = make_timeline (vulkan);
  return dssr_vulkan_check (message, vulkan->info.name, result)
         && dssr_vulkan_load_cache (vulkan, config->cache, message);
}

DssrVulkan *
dssr_vulkan_open (const DssrVulkanConfig *config, DssrVulkanMessage *message)
{
  DssrVulkan *vulkan = calloc (1, sizeof *vulkan);

  if (vulkan)
    pthread_mutex_init (&vulkan->lock, NULL);
  if (vulkan && open_device (vulkan, config, message))
    return vulkan;
  if (vulkan)
    dssr_vulkan_close (vulkan);
  else
    dssr_vulkan_fail (message, "out of memory");
  return NULL;
}

static bool
is_idle (DssrVulkan *vulkan)
{
  const VkSemaphoreWaitInfo info = {
      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
      .semaphoreCount = 1,
      .pSemaphores = &vulkan->timeline,
      .pValues = &vulkan->submitted,
  };

  if (vulkan->abandoned)
    return false;
  if (!vulkan->hung) {
    vkDeviceWaitIdle (vulkan->device);
    return true;
  }
  vulkan->abandoned =
      vkWaitSemaphores (vulkan->device, &info, PATIENCE_NS) == VK_TIMEOUT;
  vulkan->hung = vulkan->abandoned;
  return !vulkan->abandoned;
}

bool
dssr_vulkan_is_idle (DssrVulkan *vulkan)
{
  pthread_mutex_lock (&vulkan->lock);
  const bool idle = is_idle (vulkan);
  pthread_mutex_unlock (&vulkan->lock);
  return idle;
}

void
dssr_vulkan_close (DssrVulkan *vulkan)
{
  const VkDevice device = vulkan->device;

  /* What a GPU that hangs has is lost to this process. */
  if (device && dssr_vulkan_is_idle (vulkan)) {
    for (int i = 0; i < DSSR_N_BUFFERS; i++)
      dssr_vulkan_release (vulkan, &vulkan->common[i]);
    for (size_t i = 0; i < vulkan->n_pipelines; i++)
      vkDestroyPipeline (device, vulkan->pipelines[i].pipeline, NULL);
    vkDestroySemaphore (device, vulkan->timeline, NULL);
    vkDestroyPipelineCache (device, vulkan->cache, NULL);
    vkDestroyPipelineLayout (device, vulkan->layout, NULL);
    vkDestroyDescriptorSetLayout (device, vulkan->set_layout, NULL);
    vkDestroyDevice (device, NULL);
  }
  pthread_mutex_destroy (&vulkan->lock);
  free (vulkan->pipelines);
  free (vulkan->cache_path);
  free (vulkan);
}

const DssrVulkanInfo *
dssr_vulkan_info (const DssrVulkan *vulkan)
{
  return &vulkan->info;
}

uint64_t
dssr_vulkan_submissions (const DssrVulkan *vulkan)
{
  return vulkan->submitted;
}
