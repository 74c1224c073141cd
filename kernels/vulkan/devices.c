/* The devices of this machine, and what they can.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION VK_API_VERSION_1_2

const char *const dssr_vulkan_kind_names[] = {
    "discrete", "integrated", "virtual", "other", "CPU"};
const char *const dssr_vulkan_dot_names[] = {
    "plain integers", "OpSDot, emulated", "OpSDot, accelerated"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static VkResult instance_result;
static VkInstance instance;

bool
dssr_vulkan_fail (DssrVulkanMessage *message, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  vsnprintf (message->text, sizeof message->text, format, args);
  va_end (args);
  return false;
}

static const char *
name_result (VkResult result)
{
  switch (result) {
    case VK_TIMEOUT:
      return "the GPU does not answer";
    case VK_ERROR_DEVICE_LOST:
      return "the GPU is lost";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      return "out of GPU memory";
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      return "out of memory";
    case VK_ERROR_INITIALIZATION_FAILED:
      return "initialisation failed";
    case VK_ERROR_FEATURE_NOT_PRESENT:
      return "more than the GPU can do";
    case VK_ERROR_INVALID_EXTERNAL_HANDLE:
      return "the GPU does not take it";
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return "there is no driver";
    default:
      return NULL;
  }
}

bool
dssr_vulkan_check (
    DssrVulkanMessage *message, const char *what, VkResult result)
{
  const char *name = name_result (result);

  if (result == VK_SUCCESS)
    return true;
  if (name)
    return dssr_vulkan_fail (message, "%s: %s", what, name);
  return dssr_vulkan_fail (message, "%s: Vulkan error %d", what, (int)result);
}

static void
make_instance (void)
{
  const VkApplicationInfo application = {
      .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
      .pApplicationName = "dssr",
      .apiVersion = VERSION,
  };
  const VkInstanceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
      .pApplicationInfo = &application,
  };

  instance_result = volkInitialize ();
  if (instance_result != VK_SUCCESS)
    return;
  instance_result = vkCreateInstance (&info, NULL, &instance);
  if (instance_result == VK_SUCCESS)
    volkLoadInstance (instance);
}

int
dssr_vulkan_find (
    VkPhysicalDevice *devices, int max, DssrVulkanMessage *message)
{
  uint32_t n = (uint32_t)max;

  pthread_once (&once, make_instance);
  if (!instance) {
    dssr_vulkan_check (message,
        volkGetInstanceVersion () ? "Vulkan" : "libvulkan.so.1 cannot be used",
        instance_result);
    return 0;
  }
  const VkResult result = vkEnumeratePhysicalDevices (instance, &n, devices);
  if (result != VK_INCOMPLETE
      && !dssr_vulkan_check (message, "Vulkan's devices", result))
    return 0;
  if (n == 0)
    dssr_vulkan_fail (message, "Vulkan has no device here");
  return (int)n;
}

static DssrVulkanKind
get_kind (VkPhysicalDeviceType type)
{
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DSSR_VULKAN_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DSSR_VULKAN_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DSSR_VULKAN_VIRTUAL;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DSSR_VULKAN_CPU;
    default:
      return DSSR_VULKAN_OTHER;
  }
}

static bool
has_extension (VkPhysicalDevice device, const char *name)
{
  VkExtensionProperties *extensions = NULL;
  uint32_t n = 0;
  bool found = false;

  if (vkEnumerateDeviceExtensionProperties (device, NULL, &n, NULL)
          == VK_SUCCESS
      && (extensions = calloc (n, sizeof *extensions))
      && vkEnumerateDeviceExtensionProperties (device, NULL, &n, extensions)
             == VK_SUCCESS)
    for (uint32_t i = 0; i < n; i++)
      found = found || strcmp (extensions[i].extensionName, name) == 0;
  free (extensions);
  return found;
}

const char *const dssr_vulkan_dma_buf_extensions[] = {
    VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,
    VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
    VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME,
};

static void
ask_dma_buf (VkPhysicalDevice device, DssrVulkanInfo *info)
{
  const VkPhysicalDeviceExternalBufferInfo buffer = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
      .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
      .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT,
  };
  VkExternalBufferProperties properties = {
      .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
  };

  for (int i = 0; i < DSSR_N_DMA_BUF_EXTENSIONS; i++)
    if (!has_extension (device, dssr_vulkan_dma_buf_extensions[i]))
      return;
  vkGetPhysicalDeviceExternalBufferProperties (device, &buffer, &properties);
  const VkExternalMemoryFeatureFlags features =
      properties.externalMemoryProperties.externalMemoryFeatures;
  info->imports = features & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
  info->exports = features & VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
}

/* The optional features and properties, for devices that know their structures.
 */
static void
ask_more (VkPhysicalDevice device, DssrVulkanInfo *info)
{
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {
      .sType =
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
  };
  VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
  };
  VkPhysicalDeviceFeatures2 features = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
      .pNext = &timeline,
  };
  VkPhysicalDeviceShaderIntegerDotProductProperties dot_properties = {
      .sType =
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES,
  };
  VkPhysicalDeviceDrmPropertiesEXT drm = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRM_PROPERTIES_EXT,
  };
  VkPhysicalDeviceSubgroupProperties subgroup = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
  };
  VkPhysicalDeviceDriverProperties driver = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
      .pNext = &subgroup,
  };
  VkPhysicalDeviceIDProperties id = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
      .pNext = &driver,
  };
  VkPhysicalDeviceProperties2 properties = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
      .pNext = &id,
  };
  if (has_extension (
          device, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME)) {
    timeline.pNext = &dot;
    subgroup.pNext = &dot_properties;
  }
  if (has_extension (device, VK_EXT_PHYSICAL_DEVICE_DRM_EXTENSION_NAME)) {
    drm.pNext = id.pNext;
    id.pNext = &drm;
  }
  vkGetPhysicalDeviceFeatures2 (device, &features);
  vkGetPhysicalDeviceProperties2 (device, &properties);

  if (dot.shaderIntegerDotProduct)
    info->dot = dot_properties.integerDotProduct4x8BitPackedSignedAccelerated
                    ? DSSR_VULKAN_DOT_ACCELERATED
                    : DSSR_VULKAN_DOT_EMULATED;
  if (drm.hasRender) {
    info->drm_major = drm.renderMajor;
    info->drm_minor = drm.renderMinor;
  }
  info->subgroup = subgroup.subgroupSize;
  memcpy (info->uuid, id.deviceUUID, sizeof info->uuid);
  snprintf (info->driver, sizeof info->driver, "%s %s", driver.driverName,
      driver.driverInfo);
  ask_dma_buf (device, info);
  if (!timeline.timelineSemaphore)
    strcpy (info->lacks, "timeline semaphores");
}

static bool
can_compute (VkPhysicalDevice device)
{
  enum { MAX_FAMILIES = 32 };
  VkQueueFamilyProperties families[MAX_FAMILIES];
  uint32_t n = MAX_FAMILIES;

  vkGetPhysicalDeviceQueueFamilyProperties (device, &n, families);
  for (uint32_t i = 0; i < n; i++)
    if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)
      return true;
  return false;
}

void
dssr_vulkan_describe (VkPhysicalDevice device, int index, DssrVulkanInfo *info)
{
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceMemoryProperties memory;

  vkGetPhysicalDeviceProperties (device, &properties);
  vkGetPhysicalDeviceMemoryProperties (device, &memory);
  *info = (DssrVulkanInfo){
      .index = index,
      .kind = get_kind (properties.deviceType),
      .version = VK_API_VERSION_MAJOR (properties.apiVersion) << 8
                 | VK_API_VERSION_MINOR (properties.apiVersion),
  };
  strcpy (info->name, properties.deviceName);
  for (uint32_t i = 0; i < memory.memoryHeapCount; i++) {
    const VkMemoryHeap *heap = &memory.memoryHeaps[i];
    if (heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT
        && heap->size > info->memory)
      info->memory = heap->size;
  }
  if (properties.apiVersion < VERSION)
    strcpy (info->lacks, "Vulkan 1.2");
  else if (!can_compute (device))
    strcpy (info->lacks, "a queue that computes");
  else if (properties.limits.maxPerStageDescriptorStorageBuffers
           < DSSR_N_BINDINGS)
    strcpy (info->lacks, "shaders with enough buffers");
  else
    ask_more (device, info);
}

int
dssr_vulkan_list (DssrVulkanInfo *infos, int max, DssrVulkanMessage *message)
{
  enum { MAX_DEVICES = 32 };
  VkPhysicalDevice devices[MAX_DEVICES];
  const int n = dssr_vulkan_find (
      devices, max < MAX_DEVICES ? max : MAX_DEVICES, message);

  for (int i = 0; i < n; i++)
    dssr_vulkan_describe (devices[i], i, &infos[i]);
  return n;
}
