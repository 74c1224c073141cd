/* What the files of the Vulkan backend share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <volk.h>

#include "kernels/vulkan/vulkan.h"

typedef enum {
  DSSR_SHADER_INPUT,
  DSSR_SHADER_CONV,
  DSSR_SHADER_CONV_DOT,
  DSSR_SHADER_CONV_SPARSE,
  DSSR_SHADER_CONV_SPARSE_DOT,
  DSSR_SHADER_CHAIN,
  DSSR_SHADER_CHAIN_DOT,
  DSSR_SHADER_CHAIN_SPARSE,
  DSSR_SHADER_CHAIN_SPARSE_DOT,
  DSSR_SHADER_DEFORM,
  DSSR_SHADER_ADD,
  DSSR_SHADER_UP2,
  DSSR_SHADER_SHUFFLE,
  DSSR_SHADER_FOLLOW,
  DSSR_SHADER_POOL,
  DSSR_SHADER_MODULATE,
  DSSR_SHADER_ATTENTION,
  DSSR_SHADER_ENLARGE,
  DSSR_SHADER_CONTRAST,
  DSSR_SHADER_BENCH,
  DSSR_SHADER_BENCH_DOT,
} DssrShader;
#define DSSR_N_SHADERS 21

typedef struct {
  const uint32_t *words;
  size_t size; /* bytes */
} DssrSpirv;

extern const DssrSpirv dssr_shaders[DSSR_N_SHADERS];

enum { DSSR_MAX_CONSTANTS = 78, DSSR_PUSH_SIZE = 128, DSSR_GROUP_SIDE = 8 };

/* A shader for values of its specialisation constants. */
typedef struct {
  DssrShader shader;
  int32_t constants[DSSR_MAX_CONSTANTS];
  VkPipeline pipeline;
} DssrPipeline;

typedef enum {
  DSSR_FAULT_NONE,
  DSSR_FAULT_LOST,
  DSSR_FAULT_OUT_OF_MEMORY,
  DSSR_FAULT_TIMEOUT,
  DSSR_FAULT_MISSING,
} DssrFault;

typedef struct {
  VkBuffer buffer;
  VkDeviceMemory memory;
  void *map; /* or NULL */
  uint64_t size;
  unsigned *users; /* that take turns in it; NULL: it has one */
} DssrBuffer;

typedef enum {
  DSSR_BUFFER_ARENA,
  DSSR_BUFFER_WEIGHTS,
  DSSR_BUFFER_UPLOAD,
  DSSR_BUFFER_DOWNLOAD,
} DssrBufferUse;
#define DSSR_N_BUFFERS 4

struct DssrVulkan {
  DssrVulkanInfo info;
  VkPhysicalDevice physical;
  VkPhysicalDeviceMemoryProperties heaps;
  VkPhysicalDeviceLimits limits;
  VkDevice device;
  VkQueue queue;
  uint32_t family;
  uint32_t clock_bits; /* of the queue's clock; 0: it has none */
  bool dot;
  bool sparse; /* convolutions that are have pipelines of their own */

  VkDescriptorSetLayout set_layout;
  VkPipelineLayout layout;
  VkPipelineCache cache;
  char *cache_path; /* or NULL */

  /* While one thread runs frames, another may make what a network needs: held
   * for the queue, and for what follows. */
  pthread_mutex_t lock;
  bool cache_stale; /* on disk */
  DssrPipeline *pipelines;
  size_t n_pipelines;
  /* The largest of those in which networks take turns. */
  DssrBuffer common[DSSR_N_BUFFERS];
  uint64_t allocated; /* bytes of buffers */

  VkSemaphore timeline;
  uint64_t submitted; /* the timeline's value when all is done */
  atomic_bool hung;   /* what was submitted did not end in time, */
  bool abandoned;     /* nor in the time that there was after that */

  atomic_uint_fast64_t shared; /* memories that there were */

  DssrFault fault;
  uint64_t fault_at; /* submission */
};

struct DssrVulkanMemory {
  DssrVulkan *vulkan;
  DssrBuffer buffers[DSSR_N_BUFFERS];
  VkCommandPool pool;
  VkQueryPool marks; /* or VK_NULL_HANDLE: there is no clock */
};

struct DssrVulkanShared {
  DssrVulkan *vulkan;
  DssrBuffer buffer;
  uint64_t serial;
  bool foreign; /* a dma-buf: other devices have it between two submissions */
};

/* What an operation makes or reads: words of a buffer from begin to end - 1. */
typedef struct {
  DssrBufferUse buffer; /* of the network */
  uint64_t begin, end;
  const DssrVulkanShared *shared; /* or NULL; in place of it */
} DssrOperand;

/* The bindings of the shaders: what is made, up to five inputs, the weights,
 * and what else is made. */
enum {
  DSSR_MAX_OPERANDS = 5,
  DSSR_WEIGHTS_BINDING = DSSR_MAX_OPERANDS + 1,
  DSSR_ALSO_BINDING,
  DSSR_N_BINDINGS
};

enum { DSSR_MAX_PENDING = 64, DSSR_POOL_SETS = 64, DSSR_MAX_FOREIGN = 32 };

struct DssrVulkanCommands {
  DssrVulkanMemory *memory;
  VkCommandBuffer buffer;
  VkResult result; /* the first failure */
  VkPipeline bound;
  VkDescriptorPool *pools; /* each of DSSR_POOL_SETS operations */
  size_t n_operations;
  /* What was read and written since the last barrier. */
  DssrOperand reads[DSSR_MAX_PENDING], writes[DSSR_MAX_PENDING];
  int n_reads, n_writes;
  const DssrVulkanShared
      *foreign[DSSR_MAX_FOREIGN]; /* what is ours meanwhile */
  int n_foreign;
  int n_barriers;
  uint64_t traffic; /* bytes */
};

/* Writes a message; returns false. */
bool dssr_vulkan_fail (DssrVulkanMessage *message, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* The same for a call of Vulkan's, unless it succeeded. */
bool dssr_vulkan_check (
    DssrVulkanMessage *message, const char *what, VkResult result);

/* The extensions that dma-bufs need. */
extern const char *const dssr_vulkan_dma_buf_extensions[3];
#define DSSR_N_DMA_BUF_EXTENSIONS 3

/* A type among `types` that is all that is wanted. */
bool dssr_vulkan_find_type (const DssrVulkan *vulkan, uint32_t types,
    VkMemoryPropertyFlags wanted, uint32_t *type);

/* All devices that there are. The instance is made once and stays. */
int dssr_vulkan_find (
    VkPhysicalDevice *devices, int max, DssrVulkanMessage *message);
void dssr_vulkan_describe (
    VkPhysicalDevice device, int index, DssrVulkanInfo *info);

/* One user less of a buffer, or of none. */
void dssr_vulkan_release (DssrVulkan *vulkan, DssrBuffer *buffer);

/* Waits for what was submitted. false: it hangs, and what the GPU may still be
 * working on cannot be freed. */
bool dssr_vulkan_is_idle (DssrVulkan *vulkan);

/* vulkan->cache, from disk if it is there and whole. */
bool dssr_vulkan_load_cache (
    DssrVulkan *vulkan, const char *folder, DssrVulkanMessage *message);

/* memory->marks. */
VkResult dssr_vulkan_make_marks (DssrVulkanMemory *memory);

/* The pipeline for these constants, compiled when it is new. */
VkResult dssr_vulkan_get_pipeline (DssrVulkan *vulkan, DssrShader shader,
    const int32_t *constants, int n_constants, VkPipeline *pipeline);
