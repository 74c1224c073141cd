/* Shaders compiled for the values of their constants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <stdlib.h>
#include <string.h>

static VkResult
compile (DssrVulkan *vulkan, DssrPipeline *pipeline, int n_constants)
{
  const VkShaderModuleCreateInfo code = {
      .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
      .codeSize = dssr_shaders[pipeline->shader].size,
      .pCode = dssr_shaders[pipeline->shader].words,
  };
  VkSpecializationMapEntry entries[DSSR_MAX_CONSTANTS];
  for (int i = 0; i < n_constants; i++)
    entries[i] = (VkSpecializationMapEntry){
        .constantID = (uint32_t)i,
        .offset = (uint32_t)i * sizeof (int32_t),
        .size = sizeof (int32_t),
    };
  const VkSpecializationInfo constants = {
      .mapEntryCount = (uint32_t)n_constants,
      .pMapEntries = entries,
      .dataSize = sizeof pipeline->constants,
      .pData = pipeline->constants,
  };
  VkComputePipelineCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .stage =
          {
              .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
              .stage = VK_SHADER_STAGE_COMPUTE_BIT,
              .pName = "main",
              .pSpecializationInfo = &constants,
          },
      .layout = vulkan->layout,
  };
  VkResult result =
      vkCreateShaderModule (vulkan->device, &code, NULL, &info.stage.module);
  if (result != VK_SUCCESS)
    return result;
  result = vkCreateComputePipelines (
      vulkan->device, vulkan->cache, 1, &info, NULL, &pipeline->pipeline);
  vkDestroyShaderModule (vulkan->device, info.stage.module, NULL);
  return result;
}

/* One that was compiled before. The lock is held. */
static bool
find (const DssrVulkan *vulkan, DssrPipeline *pipeline)
{
  for (size_t i = 0; i < vulkan->n_pipelines; i++) {
    const DssrPipeline *p = &vulkan->pipelines[i];
    if (p->shader == pipeline->shader
        && memcmp (p->constants, pipeline->constants, sizeof p->constants)
               == 0) {
      pipeline->pipeline = p->pipeline;
      return true;
    }
  }
  return false;
}

/* Keeps one that is new, unless another thread was faster. The lock is held. */
static VkResult
keep (DssrVulkan *vulkan, DssrPipeline *pipeline)
{
  const DssrPipeline mine = *pipeline;
  VkResult result = VK_SUCCESS;

  if (!find (vulkan, pipeline)) {
    DssrPipeline *more =
        realloc (vulkan->pipelines, (vulkan->n_pipelines + 1) * sizeof *more);
    if (more) {
      vulkan->pipelines = more;
      more[vulkan->n_pipelines++] = mine;
      vulkan->cache_stale = true;
      return VK_SUCCESS;
    }
    result = VK_ERROR_OUT_OF_HOST_MEMORY;
  }
  vkDestroyPipeline (vulkan->device, mine.pipeline, NULL);
  return result;
}

VkResult
dssr_vulkan_get_pipeline (DssrVulkan *vulkan, DssrShader shader,
    const int32_t *constants, int n_constants, VkPipeline *pipeline)
{
  DssrPipeline new = {.shader = shader};
  for (int i = 0; i < n_constants; i++)
    new.constants[i] = constants[i];

  pthread_mutex_lock (&vulkan->lock);
  bool found = find (vulkan, &new);
  pthread_mutex_unlock (&vulkan->lock);
  if (!found) {
    VkResult result = compile (vulkan, &new, n_constants);
    if (result != VK_SUCCESS)
      return result;
    pthread_mutex_lock (&vulkan->lock);
    result = keep (vulkan, &new);
    pthread_mutex_unlock (&vulkan->lock);
    if (result != VK_SUCCESS)
      return result;
  }
  *pipeline = new.pipeline;
  return VK_SUCCESS;
}
