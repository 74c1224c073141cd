/* A model on a GPU: its memory and its commands.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-fuse.h"
#include "engine/gpu-pictures.h"
#include "engine/gpu.h"
#include "engine/picture.h"

#include <string.h>

/* Shaders count words of the arena in 32 bits, and Vulkan the bytes. */
#define MAX_WORDS ((guint64)1 << 30)

static void
add_weights (DssrGpuNetwork *network, DssrVulkanWeights *weights)
{
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    const DssrOps *ops = &network->model->stages[stage];
    guint32 *places = network->weights[stage] = g_new0 (guint32, ops->n_ops);
    for (int i = 0; i < ops->n_ops; i++) {
      const DssrOp *op = &ops->ops[i];
      if (op->kind == DSSR_OP_CONV)
        places[i] = dssr_vulkan_add_conv (weights, &op->conv);
      else if (op->kind == DSSR_OP_DEFORM)
        places[i] = dssr_vulkan_add_table (weights, op->deform.table);
      else if (op->kind == DSSR_OP_MODULATE)
        places[i] = dssr_vulkan_add_table (weights, op->modulate.table);
      else if (op->kind == DSSR_OP_ATTENTION)
        places[i] = dssr_vulkan_add_table (weights, op->attention.table);
    }
  }
}

static guint64
plane_words (const DssrVulkanPlane *plane)
{
  guint64 words = (guint64)plane->pitch * (guint64)plane->height;
  return (words + DSSR_VULKAN_ALIGNMENT - 1) / DSSR_VULKAN_ALIGNMENT
         * DSSR_VULKAN_ALIGNMENT;
}

/* Places a plane at *words. */
static DssrVulkanPlane
place_plane (const DssrFormat *format, int plane, guint64 *words)
{
  DssrSamples samples = dssr_picture_samples (&(DssrPicture){0}, format, plane);
  DssrVulkanPlane placed = {
      .at = (guint32)*words,
      .pitch = dssr_vulkan_pitch (samples.width, samples.depth),
      .width = samples.width,
      .height = samples.height,
      .depth = samples.depth,
      .shift = samples.shift,
  };
  *words += plane_words (&placed);
  return placed;
}

static void
place_planes (DssrGpuNetwork *network, int slots, int flights, guint64 *upload,
    guint64 *download)
{
  const DssrFormat *format = &network->format;
  int scale = network->model->scale;
  DssrFormat enlarged = dssr_format_enlarge (format, scale);

  int n = dssr_format_n_planes (format);

  for (int i = 0; i < n; i++)
    network->bicubic[i] = dssr_picture_bicubic (format, i, scale);
  for (int j = 0; j < flights; j++) {
    for (int i = 0; i < n; i++) {
      network->in[j][i] = place_plane (format, i, upload);
      network->out[j][i] = place_plane (&enlarged, i, download);
    }
  }
  network->contrast = dssr_picture_contrast (format, scale);
  network->seen = place_plane (format, 0, upload);
  *upload += (guint64)(slots * network->model->n_planes - 1)
             * plane_words (&network->seen);
}

static gboolean
allocate (DssrGpuNetwork *network, DssrVulkan *vulkan, int slots, int flights,
    GError **error)
{
  DssrVulkanWeights weights = {0};
  DssrVulkanMessage message;
  guint64 slot_words, upload = 0, download = 0;
  guint64 shared = dssr_gpu_plan (network, &slot_words);
  guint64 arena = shared + slot_words * (guint64)slots;

  if (arena >= MAX_WORDS) {
    g_set_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
        "%" G_GUINT64_FORMAT " MiB of features are more than the Vulkan "
        "backend can address",
        arena >> 18);
    return FALSE;
  }
  network->slots_at = (guint32)shared;
  network->slot_words = (guint32)slot_words;
  add_weights (network, &weights);
  place_planes (network, slots, flights, &upload, &download);
  network->memory = dssr_vulkan_memory_new (
      vulkan, arena, &weights, upload, download, true, &message);
  dssr_vulkan_clear_weights (&weights);
  if (!network->memory)
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND, message.text);
  return network->memory != NULL;
}

static bool
record_own (DssrGpuNetwork *network, const DssrJob *job, bool pair,
    DssrVulkanMessage *message)
{
  DssrGpuPictures pictures = dssr_gpu_own_pictures (network, job, 0, pair);
  return dssr_gpu_network_record (network, job, &pictures, message) != NULL;
}

/* Records what every stream does, so that all is compiled. */
static gboolean
warm_up (DssrGpuNetwork *network, DssrVulkan *vulkan, GError **error)
{
  DssrVulkanMessage message;
  DssrJob base = {
      .contrast = true,
      .n_planes = dssr_format_n_planes (&network->format),
  };
  DssrJob first = {
      .n_new_frames = 1,
      .enlarge = true,
      .n_planes = base.n_planes - network->model->n_planes,
  };
  DssrJob panned = first;
  const bool pairs = first.n_planes == 2;

  panned.pans[0].x = 1;
  if (record_own (network, &base, false, &message)
      && record_own (network, &first, false, &message)
      && (!network->model->follows
          || record_own (network, &panned, false, &message))
      && (!pairs || record_own (network, &base, true, &message))) {
    dssr_vulkan_save_cache (vulkan);
    return TRUE;
  }
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND, message.text);
  return FALSE;
}

DssrGpuNetwork *
dssr_gpu_network_new (DssrVulkan *vulkan, DssrModel *model,
    const DssrFormat *format, int slots, int flights, GError **error)
{
  g_autoptr (DssrGpuNetwork) network = NULL;

  network = g_new0 (DssrGpuNetwork, 1);
  network->model = dssr_model_ref (model);
  network->format = *format;
  network->plan = dssr_plan_new (model, format->width, format->height, 1, 0);
  if (!allocate (network, vulkan, slots, flights, error)
      || !warm_up (network, vulkan, error))
    return NULL;
  return g_steal_pointer (&network);
}

void
dssr_gpu_network_free (DssrGpuNetwork *network)
{
  for (int i = 0; i < DSSR_GPU_RECORDINGS; i++)
    g_clear_pointer (
        &network->recordings[i].commands, dssr_vulkan_commands_free);
  g_clear_pointer (&network->memory, dssr_vulkan_memory_free);
  for (int stage = 0; stage < DSSR_N_STAGES; stage++)
    g_free (network->weights[stage]);
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++) {
    g_free (network->programs[kind].tensors);
    g_free (network->programs[kind].kept);
    g_free (network->programs[kind].virtual);
    g_free (network->programs[kind].groups);
  }
  dssr_plan_free (network->plan);
  dssr_model_unref (network->model);
  g_free (network);
}

void
dssr_gpu_network_seen (
    const DssrGpuNetwork *network, int slot, DssrVulkanPlane planes[3])
{
  int n = network->model->n_planes;
  for (int i = 0; i < n; i++) {
    planes[i] = network->seen;
    planes[i].at += (guint32)(slot * n + i) * (guint32)plane_words (&planes[i]);
  }
}

/* ---- Recording ---- */

static DssrVulkanTensor
get_tensor (
    const DssrGpuNetwork *network, DssrProgramKind kind, int node, int slot)
{
  const DssrGpuProgram *program = &network->programs[kind];
  DssrVulkanTensor tensor = program->tensors[node];
  if (program->kept[node])
    tensor.at += network->slots_at + network->slot_words * (guint32)slot;
  return tensor;
}

/* What a program is recorded with. */
typedef struct {
  const DssrGpuNetwork *network;
  DssrVulkanCommands *commands;
  DssrProgramKind kind;
  const DssrRun *run;
  const DssrVulkanPlane *in, *out; /* that the network sees */
} Recorder;

/* Whether a node would shift by nothing: it is left out. */
static bool
is_still (const Recorder *recorder, int index)
{
  const DssrNode *node =
      &recorder->network->plan->programs[recorder->kind].nodes[index];
  return node->op->kind == DSSR_OP_FOLLOW
         && dssr_pan_is_zero (recorder->run->pans[node->neighbour]);
}

/* An input of a node, where it is in memory. */
static DssrVulkanTensor
get_input (const Recorder *recorder, int node, int i)
{
  const DssrGpuNetwork *network = recorder->network;
  const DssrProgram *plan = &network->plan->programs[recorder->kind];
  const DssrRun *run = recorder->run;
  DssrSource source = dssr_gpu_source (
      plan, network->programs[recorder->kind].virtual, node, i);

  if (source.frame == DSSR_OWN && is_still (recorder, source.node))
    source = plan->nodes[source.node].sources[0];
  if (source.frame == DSSR_OWN)
    return get_tensor (network, recorder->kind, source.node, run->slot);
  return get_tensor (network, DSSR_PROGRAM_FRAME, source.node,
      source.frame == DSSR_CENTRE ? run->slot : run->aligned[source.frame]);
}

static void
record_head (const Recorder *recorder, const DssrOp *op,
    const DssrVulkanTensor *residual)
{
  const DssrGpuNetwork *network = recorder->network;
  const DssrModel *model = network->model;
  int shuffle = model->scale * model->unshuffle >> -op->level;

  for (int i = 0; i < model->n_planes; i++) {
    const DssrVulkanHead head = {
        .shuffle = shuffle,
        .first = i * shuffle * shuffle,
        .linear = model->linear,
    };
    dssr_vulkan_head (recorder->commands, &recorder->out[i], &recorder->in[i],
        residual, &network->bicubic[i], &head);
  }
}

static void
record_node (const Recorder *recorder, int index)
{
  const DssrGpuNetwork *network = recorder->network;
  DssrVulkanCommands *commands = recorder->commands;
  const DssrNode *node = &network->plan->programs[recorder->kind].nodes[index];
  const DssrOp *op = node->op;
  guint32 weights = network->weights[node->stage][node->index];
  DssrVulkanTensor out =
      get_tensor (network, recorder->kind, index, recorder->run->slot);
  DssrVulkanTensor in[DSSR_MAX_INPUTS];
  for (int i = 0; i < op->n_inputs; i++)
    in[i] = get_input (recorder, index, i);

  switch (op->kind) {
    case DSSR_OP_INPUT:
      dssr_vulkan_input (commands, &out, recorder->in, network->model->n_planes,
          network->model->unshuffle);
      break;
    case DSSR_OP_CONV:
      dssr_vulkan_conv (commands, &out, in, op->n_inputs, &op->conv, weights);
      break;
    case DSSR_OP_DEFORM:
      dssr_vulkan_deform (commands, &out, &in[0], &in[1], &op->deform,
          op->zero_outside, weights);
      break;
    case DSSR_OP_ADD:
      dssr_vulkan_add (commands, &out, &in[0], &in[1], &op->add);
      break;
    case DSSR_OP_UP2:
      dssr_vulkan_up2 (commands, &out, &in[0]);
      break;
    case DSSR_OP_SHUFFLE:
      dssr_vulkan_shuffle (commands, &out, &in[0], op->zero);
      break;
    case DSSR_OP_FOLLOW:
      if (!is_still (recorder, index))
        dssr_vulkan_follow (
            commands, &out, &in[0], recorder->run->pans[node->neighbour]);
      break;
    case DSSR_OP_POOL:
      dssr_vulkan_pool (commands, &out, &in[0], &op->pool);
      break;
    case DSSR_OP_MODULATE:
      dssr_vulkan_modulate (
          commands, &out, &in[0], &in[1], &in[2], &op->modulate, weights);
      break;
    case DSSR_OP_ATTENTION:
      dssr_vulkan_attention (
          commands, &out, &in[0], &in[1], &in[2], &op->attention, weights);
      break;
    case DSSR_OP_HEAD:
      record_head (recorder, op, &in[0]);
      break;
  }
}

/* An input of a step: one that the chain makes, or a tensor. */
static DssrVulkanInput
make_input (const Recorder *recorder, const int *makers, int node, int i)
{
  const DssrSource *source =
      &recorder->network->plan->programs[recorder->kind].nodes[node].sources[i];
  DssrVulkanInput input = {.step = -1};

  if (source->frame == DSSR_OWN && makers[source->node] > 0)
    input.step = makers[source->node] - 1;
  else
    input.tensor = get_input (recorder, node, i);
  return input;
}

/* Fills a step from those of a group's nodes that it begins with; returns how
 * many they are. */
static int
make_step (const Recorder *recorder, const int *makers, const int *nodes,
    DssrVulkanStep *step)
{
  const DssrGpuNetwork *network = recorder->network;
  const DssrNode *all = network->plan->programs[recorder->kind].nodes;
  const DssrNode *node = &all[nodes[0]];
  const guint32 *weights = network->weights[node->stage];

  step->n_in = node->op->n_inputs;
  for (int i = 0; i < step->n_in; i++)
    step->in[i] = make_input (recorder, makers, nodes[0], i);
  step->place = weights[node->index];
  switch (node->op->kind) {
    case DSSR_OP_ADD:
      step->kind = DSSR_VULKAN_STEP_ADD;
      step->add = &node->op->add;
      return 1;
    case DSSR_OP_ATTENTION:
      step->kind = DSSR_VULKAN_STEP_ATTENTION;
      step->attention = &node->op->attention;
      return 1;
    default:
      step->kind = DSSR_VULKAN_STEP_CONV;
      step->conv = &node->op->conv;
      if (!node->op->wide)
        return 1;
  }
  const DssrNode *deform = &all[nodes[1]], *conv = &all[nodes[2]];
  step->kind = DSSR_VULKAN_STEP_SAMPLE;
  step->offset = step->conv;
  step->offset_place = step->place;
  step->deform = &deform->op->deform;
  step->table = weights[deform->index];
  step->conv = &conv->op->conv;
  step->place = weights[conv->index];
  step->in[1] = make_input (recorder, makers, nodes[1], 0);
  step->n_in = 2;
  return 3;
}

static void
record_chain (const Recorder *recorder, const DssrGpuGroup *group)
{
  const DssrProgram *plan = &recorder->network->plan->programs[recorder->kind];
  DssrVulkanStep steps[DSSR_VULKAN_CHAIN_LENGTH] = {0};
  DssrVulkanTensor made[DSSR_VULKAN_CHAIN_LENGTH];
  g_autofree int *makers = g_new0 (int, plan->n_nodes); /* steps, from 1 */
  int n = 0;

  for (int i = 0; i < group->n_nodes; n++) {
    i += make_step (recorder, makers, &group->nodes[i], &steps[n]);
    makers[group->nodes[i - 1]] = n + 1;
    if (!group->stored[i - 1])
      continue;
    made[n] = get_tensor (recorder->network, recorder->kind,
        group->nodes[i - 1], recorder->run->slot);
    steps[n].out = &made[n];
  }
  dssr_vulkan_chain (recorder->commands, steps, n);
}

static void
record_program (const Recorder *recorder)
{
  const DssrGpuProgram *program = &recorder->network->programs[recorder->kind];
  for (int i = 0; i < program->n_groups; i++) {
    const DssrGpuGroup *group = &program->groups[i];
    if (group->n_nodes == 1)
      record_node (recorder, group->nodes[0]);
    else
      record_chain (recorder, group);
  }
}

static DssrVulkanCommands *
record (const DssrGpuNetwork *network, const DssrJob *job,
    const DssrGpuPictures *pictures, DssrVulkanMessage *message)
{
  DssrVulkanCommands *commands =
      dssr_vulkan_commands_new (network->memory, message);
  if (!commands)
    return NULL;

  dssr_vulkan_mark (commands, dssr_gpu_mark (pictures->flight, FALSE));
  for (int i = 0; i < pictures->n_planes; i++)
    dssr_vulkan_bicubic (commands, &pictures->planes[i].out,
        &pictures->planes[i].in,
        &network->bicubic[dssr_gpu_plane (network, job, i)]);
  for (int i = 0; i < job->n_new_frames; i++)
    record_program (&(Recorder){
        .network = network,
        .commands = commands,
        .kind = DSSR_PROGRAM_FRAME,
        .run = &(DssrRun){.slot = job->new_frames[i].slot},
        .in = pictures->new_frames[i],
    });
  if (job->enlarge)
    record_program (&(Recorder){
        .network = network,
        .commands = commands,
        .kind = DSSR_PROGRAM_ENLARGE,
        .run = &(DssrRun){.slot = job->centre,
            .aligned = job->aligned,
            .pans = job->pans},
        .in = pictures->in,
        .out = pictures->out,
    });
  for (int i = 0; job->contrast && i < network->model->n_planes; i++) {
    const DssrVulkanPlane *in =
        job->enlarge ? &pictures->in[i] : &pictures->planes[i].in;
    const DssrVulkanPlane *out =
        job->enlarge ? &pictures->out[i] : &pictures->planes[i].out;
    dssr_vulkan_contrast (commands, out, in, &network->contrast);
  }
  dssr_vulkan_mark (commands, dssr_gpu_mark (pictures->flight, TRUE));
  if (dssr_vulkan_end (commands, message))
    return commands;
  dssr_vulkan_commands_free (commands);
  return NULL;
}

static DssrGpuPlace
make_place (const DssrVulkanPlane *plane)
{
  DssrGpuPlace place = {0};
  if (plane->shared) {
    place.serial = dssr_vulkan_shared_serial (plane->shared);
    place.at = plane->at;
    place.pitch = plane->pitch;
  }
  return place;
}

/* Keys are compared as bytes. */
static void
make_key (const DssrGpuNetwork *network, const DssrJob *job,
    const DssrGpuPictures *pictures, DssrGpuKey *key)
{
  DssrGpuPlace *place = key->places;

  memset (key, 0, sizeof *key);
  key->n_new_frames = job->n_new_frames;
  key->enlarge = job->enlarge;
  key->centre = job->centre;
  key->n_planes = job->n_planes;
  key->contrast = job->contrast;
  key->pair = job->n_planes > pictures->n_planes;
  key->flight = pictures->flight;
  for (int i = 0; i < job->n_new_frames; i++) {
    key->new_frames[i] = job->new_frames[i].slot;
    for (int j = 0; j < network->model->n_planes; j++)
      *place++ = make_place (&pictures->new_frames[i][j]);
  }
  for (int i = 0; i < network->model->n_aligned; i++) {
    key->aligned[i] = job->aligned[i];
    key->pans[i] = job->pans[i];
  }
  for (int i = 0; i < network->model->n_planes; i++) {
    *place++ = make_place (&pictures->in[i]);
    *place++ = make_place (&pictures->out[i]);
  }
  for (int i = 0; i < pictures->n_planes; i++) {
    *place++ = make_place (&pictures->planes[i].in);
    *place++ = make_place (&pictures->planes[i].out);
  }
}

DssrVulkanCommands *
dssr_gpu_network_record (DssrGpuNetwork *network, const DssrJob *job,
    const DssrGpuPictures *pictures, DssrVulkanMessage *message)
{
  DssrGpuKey key;
  make_key (network, job, pictures, &key);
  for (int i = 0; i < DSSR_GPU_RECORDINGS; i++) {
    DssrGpuRecording *recording = &network->recordings[i];
    if (recording->commands && memcmp (&recording->key, &key, sizeof key) == 0)
      return recording->commands;
  }

  DssrGpuRecording *oldest = &network->recordings[network->next_recording];
  network->next_recording = (network->next_recording + 1) % DSSR_GPU_RECORDINGS;
  g_clear_pointer (&oldest->commands, dssr_vulkan_commands_free);
  oldest->key = key;
  oldest->commands = record (network, job, pictures, message);
  return oldest->commands;
}
