/* The operations on a GPU, by Vulkan compute shaders: devices, memory,
 * recorded commands.
 *
 * A tensor on the GPU has no margins and no rings: its planes of width * height
 * pixels lie one after the other in one buffer, the arena. Operations are
 * recorded once and submitted as often as wanted. What fails says why in a
 * DssrVulkanMessage; then nothing was done.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/kernels.h"

typedef struct {
  char text[256];
} DssrVulkanMessage;

/* ---- Devices ---- */

typedef enum {
  DSSR_VULKAN_DISCRETE,
  DSSR_VULKAN_INTEGRATED,
  DSSR_VULKAN_VIRTUAL,
  DSSR_VULKAN_OTHER,
  DSSR_VULKAN_CPU, /* lavapipe, SwiftShader */
} DssrVulkanKind;

/* How four products of bytes are added. All give the same. */
typedef enum {
  DSSR_VULKAN_DOT_PLAIN,       /* one by one */
  DSSR_VULKAN_DOT_EMULATED,    /* OpSDot, which the driver splits up */
  DSSR_VULKAN_DOT_ACCELERATED, /* OpSDot, one instruction */
} DssrVulkanDot;

typedef struct {
  int index; /* in the order in which Vulkan lists them */
  char name[256];
  char driver[512];
  uint8_t uuid[16];
  DssrVulkanKind kind;
  DssrVulkanDot dot;
  unsigned version;  /* of Vulkan: major << 8 | minor */
  int64_t drm_major; /* of the render node; 0: it has none that is known */
  int64_t drm_minor;
  unsigned subgroup;     /* invocations */
  bool imports, exports; /* dma-bufs as buffers */
  uint64_t memory;       /* bytes of its largest local heap */
  char lacks[64];        /* what it would need; "": nothing */
} DssrVulkanInfo;

extern const char *const dssr_vulkan_kind_names[DSSR_VULKAN_CPU + 1];
extern const char *const dssr_vulkan_dot_names[DSSR_VULKAN_DOT_ACCELERATED + 1];

/* The devices of this machine, at most `max`; returns how many. 0 with a
 * message when there is none. */
int dssr_vulkan_list (
    DssrVulkanInfo *infos, int max, DssrVulkanMessage *message);

typedef struct {
  const char *device; /* an index, a UUID in hexadecimal digits, or the path of
                         a DRM node; NULL: the first discrete, integrated,
                         virtual, other one */
  bool allow_cpu;     /* the CPU in the guise of a GPU will do */
  bool plain;         /* does without OpSDot, for comparison */
  bool sparse;        /* a pipeline for each sparse convolution even where the
                         device is a CPU, whose compiler takes a second for it */
  const char *cache;  /* folder for compiled pipelines, or NULL: none */

  /* A failure to be tested, or NULL: "lost@N", "oom@N" or "timeout@N" makes the
   * submission of that number fail, counted from 0; "missing@N" is "lost@N",
   * and the device is not there for the next two attempts to open it. */
  const char *fault;
  /* Where this device is one that was opened again: what was submitted to it
   * before, and how often it was opened or tried. */
  uint64_t submissions;
  int attempts;
} DssrVulkanConfig;

/* What dssr_vulkan_open would open. */
bool dssr_vulkan_probe (const DssrVulkanConfig *config, DssrVulkanInfo *info,
    DssrVulkanMessage *message);

/* A device at work. Memory belongs to one thread at a time, and all commands
 * for it; while one thread submits and waits, another one may make memory and
 * commands, and free them. */
typedef struct DssrVulkan DssrVulkan;

DssrVulkan *dssr_vulkan_open (
    const DssrVulkanConfig *config, DssrVulkanMessage *message);
void dssr_vulkan_close (DssrVulkan *vulkan);
/* How much was submitted, since the device was first opened. */
uint64_t dssr_vulkan_submissions (const DssrVulkan *vulkan);
const DssrVulkanInfo *dssr_vulkan_info (const DssrVulkan *vulkan);
/* Writes what pipelines were compiled to the cache, if there are new ones. */
void dssr_vulkan_save_cache (DssrVulkan *vulkan);

/* ---- Weights ---- */

/* What convolutions and tables become before they go to the GPU. */
typedef struct {
  uint32_t *words;
  size_t n_words, capacity;
  bool failed; /* no memory */
} DssrVulkanWeights;

/* Each returns the place by which an operation names it. */
uint32_t dssr_vulkan_add_conv (
    DssrVulkanWeights *weights, const DssrConv *conv);
uint32_t dssr_vulkan_add_table (
    DssrVulkanWeights *weights, const uint8_t *table);
void dssr_vulkan_clear_weights (DssrVulkanWeights *weights);

/* ---- Memory ---- */

/* All that a network has on the GPU. */
typedef struct DssrVulkanMemory DssrVulkanMemory;

/* Words of the arena, and of the buffers for pictures.
 * turns: it shares all but the weights with others that do so too, as far as
 * there is room: what is in it is lost when another one works */
DssrVulkanMemory *dssr_vulkan_memory_new (DssrVulkan *vulkan, uint64_t arena,
    const DssrVulkanWeights *weights, uint64_t upload, uint64_t download,
    bool turns, DssrVulkanMessage *message);
void dssr_vulkan_memory_free (DssrVulkanMemory *memory);
/* Bytes of all that there are on a device, with what they share counted once.
 */
uint64_t dssr_vulkan_memory_size (DssrVulkan *vulkan);

typedef struct {
  uint32_t at; /* word of the arena, or of the buffer for pictures */
  int width, height, quads;
  bool wide;
} DssrVulkanTensor;

/* A multiple of this is where tensors begin, and planes in the network's own
 * buffers. */
enum { DSSR_VULKAN_ALIGNMENT = 64 };

/* Words that a tensor takes. */
uint64_t dssr_vulkan_tensor_words (const DssrVulkanTensor *tensor);

/* Memory for pictures that the CPU shares. It belongs to no network; any thread
 * may free it once nothing that was submitted uses it, and must before its
 * device is closed. */
typedef struct DssrVulkanShared DssrVulkanShared;

/* Bytes in memory that the CPU reads and writes as fast as its own. */
DssrVulkanShared *dssr_vulkan_shared_new (
    DssrVulkan *vulkan, uint64_t size, DssrVulkanMessage *message);
/* A dma-buf of that size. It stays the caller's, as `fd` does, and is not
 * mapped. What other devices do with it is waited for by whoever submits. */
DssrVulkanShared *dssr_vulkan_shared_import (
    DssrVulkan *vulkan, int fd, uint64_t size, DssrVulkanMessage *message);
/* A new dma-buf; *fd is the caller's. It is not mapped. */
DssrVulkanShared *dssr_vulkan_shared_export (
    DssrVulkan *vulkan, uint64_t size, int *fd, DssrVulkanMessage *message);
void dssr_vulkan_shared_free (DssrVulkanShared *shared);
void *dssr_vulkan_shared_map (const DssrVulkanShared *shared);
/* Not 0, and that of no other memory of the device, before or after. */
uint64_t dssr_vulkan_shared_serial (const DssrVulkanShared *shared);

/* A plane of a picture, in rows of `pitch` words. Samples of 8 bits are bytes,
 * deeper ones 16 bits. */
typedef struct {
  const DssrVulkanShared *shared; /* NULL: the buffer for uploads, or that for
                                     downloads */
  uint32_t at, pitch;
  bool pair; /* two planes, whose samples alternate */
  int width, height;
  int depth, shift; /* as in DssrSamples */
} DssrVulkanPlane;

/* The pitch of a plane that is this wide. */
uint32_t dssr_vulkan_pitch (int width, int depth);
/* Words from its beginning to the end of its last row. */
uint64_t dssr_vulkan_plane_words (const DssrVulkanPlane *plane);

/* Copies a picture's plane into the buffer for uploads; rows y0 to y1 - 1 of
 * one out of the buffer for downloads. Of a pair of planes, the first in memory
 * stands for both. */
void dssr_vulkan_put_plane (DssrVulkanMemory *memory,
    const DssrVulkanPlane *plane, const DssrSamples *in);
void dssr_vulkan_get_plane (const DssrVulkanMemory *memory,
    const DssrVulkanPlane *plane, const DssrSamples *out, int y0, int y1);

/* ---- Commands ---- */

/* Operations that are done together. They are done as if one after the other;
 * where one needs nothing of another, side by side. */
typedef struct DssrVulkanCommands DssrVulkanCommands;

DssrVulkanCommands *dssr_vulkan_commands_new (
    DssrVulkanMemory *memory, DssrVulkanMessage *message);
void dssr_vulkan_commands_free (DssrVulkanCommands *commands);

/* As in DssrKernels, over all rows. A plane of `planes` or `in` is in the
 * buffer for uploads, one of `out` in that for downloads, unless they are in
 * memory that is shared. `in` and `out` are both pairs of planes, or neither
 * is. */
void dssr_vulkan_input (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanPlane *planes, int n_planes,
    int unshuffle);
/* With what conv_border makes, if there is something to make. An input of half
 * the size is read as up2 makes it. Of a convolution with more than
 * DSSR_VULKAN_CHAIN_INPUTS inputs, all from the last of these on have the same
 * size, and for a stride of 2 all have. */
void dssr_vulkan_conv (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *in, int n_in,
    const DssrConv *conv, uint32_t weights);
void dssr_vulkan_deform (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *feature,
    const DssrVulkanTensor *offset, const DssrDeform *deform, bool zero_outside,
    uint32_t table);
void dssr_vulkan_add (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *a, const DssrVulkanTensor *b, const DssrAdd *add);
void dssr_vulkan_up2 (DssrVulkanCommands *commands, const DssrVulkanTensor *out,
    const DssrVulkanTensor *in);
void dssr_vulkan_shuffle (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *in, int zero);
void dssr_vulkan_follow (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *in, DssrPan pan);
void dssr_vulkan_pool (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *in,
    const DssrPooling *pool);
void dssr_vulkan_modulate (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *v,
    const DssrVulkanTensor *gate, const DssrVulkanTensor *b,
    const DssrModulate *modulate, uint32_t table);
void dssr_vulkan_attention (DssrVulkanCommands *commands,
    const DssrVulkanTensor *out, const DssrVulkanTensor *a,
    const DssrVulkanTensor *b, const DssrVulkanTensor *v,
    const DssrAttention *attention, uint32_t table);
void dssr_vulkan_bicubic (DssrVulkanCommands *commands,
    const DssrVulkanPlane *out, const DssrVulkanPlane *in,
    const DssrBicubic *bicubic);

/* The head of one plane. */
typedef struct {
  int shuffle;
  int first;   /* of its channels in the residual */
  bool linear; /* the base, which else is bicubic */
} DssrVulkanHead;

void dssr_vulkan_head (DssrVulkanCommands *commands, const DssrVulkanPlane *out,
    const DssrVulkanPlane *in, const DssrVulkanTensor *residual,
    const DssrBicubic *bicubic, const DssrVulkanHead *head);

/* Operations that are done together, pixel by pixel: what one makes for the
 * next is in no memory unless others want it. */
typedef enum {
  DSSR_VULKAN_STEP_SAMPLE, /* a convolution that makes offsets, sampling, and
                              a convolution of the samples alone */
  DSSR_VULKAN_STEP_CONV,
  DSSR_VULKAN_STEP_ADD,
  DSSR_VULKAN_STEP_ATTENTION,
} DssrVulkanStepKind;

/* A chain is a convolution of any kind, or nothing; then sampling, or not; then
 * at most DSSR_VULKAN_CHAIN_STEPS others, whose convolutions are 1x1. None is
 * wide but that of the offsets, which has at most DSSR_VULKAN_CHAIN_WINDOW
 * quads of input. Without sampling, it may begin with two 3x3 convolutions of
 * stride 1, of which the second reads the first alone, and the first one tensor
 * of the same size; then what is between them is in shared memory. */
enum {
  DSSR_VULKAN_CHAIN_STEPS = 4,
  DSSR_VULKAN_CHAIN_LENGTH = DSSR_VULKAN_CHAIN_STEPS + 3,
  DSSR_VULKAN_STEP_INPUTS = 3,
  DSSR_VULKAN_CHAIN_INPUTS = 5,  /* tensors that it reads, and a convolution */
  DSSR_VULKAN_CHAIN_OUTPUTS = 2, /* tensors that it makes */
  DSSR_VULKAN_CHAIN_VALUES = 40, /* quads that it makes, and that others than
                                    the first and sampling read of memory */
  DSSR_VULKAN_CHAIN_SAMPLED = 8, /* quads that are made of samples */
  DSSR_VULKAN_CHAIN_WINDOW = 4,
  DSSR_VULKAN_CHAIN_PAIR = 12, /* quads between two convolutions: a tile of 34
                                  by 10 pixels fits into 16 KiB */
};

typedef struct {
  int step; /* that makes it; -1: it is a tensor, which a convolution reads as
               up2 makes it if it is half as large */
  DssrVulkanTensor tensor;
} DssrVulkanInput;

typedef struct {
  DssrVulkanStepKind kind;
  const DssrConv *conv; /* of the samples, for sampling */
  const DssrAdd *add;
  const DssrAttention *attention;
  uint32_t place; /* of the convolution, or of attention's table */
  const DssrDeform *deform;
  uint32_t table; /* of sampling */
  const DssrConv *offset;
  uint32_t offset_place;
  /* Of sampling, what offsets are made of, and the feature, a tensor. */
  DssrVulkanInput in[DSSR_VULKAN_CHAIN_INPUTS];
  int n_in;
  const DssrVulkanTensor *out; /* NULL: the chain alone reads it */
} DssrVulkanStep;

void dssr_vulkan_chain (
    DssrVulkanCommands *commands, const DssrVulkanStep *steps, int n);
/* Quads that a step makes. */
int dssr_vulkan_step_quads (const DssrVulkanStep *steps, int number);

/* `out` is read too. */
void dssr_vulkan_contrast (DssrVulkanCommands *commands,
    const DssrVulkanPlane *out, const DssrVulkanPlane *in,
    const DssrContrast *contrast);

/* Nothing is recorded after this. false: something could not be recorded. */
bool dssr_vulkan_end (DssrVulkanCommands *commands, DssrVulkanMessage *message);
int dssr_vulkan_operations (const DssrVulkanCommands *commands);
int dssr_vulkan_barriers (const DssrVulkanCommands *commands);
/* Bytes of all that its operations read and write, each tensor and plane once
 * for each operation, weights left out. */
uint64_t dssr_vulkan_traffic (const DssrVulkanCommands *commands);

/* Hands commands to the GPU, which does what it is handed in this order, and
 * waits until those are done that were the last of so many submissions
 * (dssr_vulkan_submissions). After a failure of either, the device does no more
 * work. */
bool dssr_vulkan_submit (
    DssrVulkanCommands *commands, DssrVulkanMessage *message);
bool dssr_vulkan_wait (
    DssrVulkan *vulkan, uint64_t submissions, DssrVulkanMessage *message);

/* ---- Time ---- */

/* A memory has so many places for the GPU's time. */
enum { DSSR_VULKAN_MARKS = 64 };

/* Notes the time when all that comes before is done. */
void dssr_vulkan_mark (DssrVulkanCommands *commands, int mark);
/* Nanoseconds between two marks, of commands that are done; 0: this GPU has no
 * clock. */
uint64_t dssr_vulkan_elapsed (const DssrVulkanMemory *memory, int from, int to);

typedef enum {
  DSSR_VULKAN_NOISE,    /* writes */
  DSSR_VULKAN_COPY,     /* reads and writes */
  DSSR_VULKAN_MULTIPLY, /* for each four words, `rounds` times 16 dot products
                           of four bytes in registers; writes */
} DssrVulkanBench;

/* What shows how fast a device is: on words of the arena, a multiple of four.
 */
void dssr_vulkan_bench (DssrVulkanCommands *commands, DssrVulkanBench bench,
    uint32_t to, uint32_t from, uint32_t words, int rounds);
