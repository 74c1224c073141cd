/* dssr-model plan: the programs of a model for a size of picture, what they
 * move and compute for a frame, and the memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/dssr-model.h"

#include "engine/network.h"
#include "engine/picture.h"

#include <stdlib.h>

static const char *const program_names[DSSR_N_PROGRAMS] = {
    [DSSR_PROGRAM_FRAME] = "frame",
    [DSSR_PROGRAM_ENLARGE] = "enlarge",
};
static const char *const place_names[] = {
    [DSSR_PLACE_NONE] = "-",
    [DSSR_PLACE_KEPT] = "kept",
    [DSSR_PLACE_RING] = "ring",
    [DSSR_PLACE_LOCAL] = "local",
};

/* What goes to and comes from memory when all that is not in cache does. */
typedef struct {
  guint64 read, written;
} Traffic;

typedef struct {
  const DssrNetwork *network;
  const DssrPlan *plan;
  DssrFormat small, large;
} Planned;

static guint64
tensor_bytes (const DssrNode *node)
{
  return (guint64)dssr_node_row_bytes (node) * (guint64)node->tensor.height;
}

static guint64
plane_bytes (const DssrFormat *format, int plane)
{
  const DssrPicture none = {0};
  DssrSamples samples = dssr_picture_samples (&none, format, plane);
  return (guint64)samples.width * (guint64)samples.height;
}

/* ---- Bytes and multiplications ---- */

/* Luma that an operation reads and writes. */
static void
add_luma (const Planned *planned, const DssrNode *node, Traffic *traffic)
{
  if (node->op->kind == DSSR_OP_INPUT || node->op->kind == DSSR_OP_HEAD)
    traffic->read += plane_bytes (&planned->small, 0);
  if (node->op->kind == DSSR_OP_HEAD)
    traffic->written += plane_bytes (&planned->large, 0);
}

/* Each operation reads its inputs and writes its output, one after the other.
 */
static Traffic
count_unfused (const Planned *planned, DssrProgramKind kind)
{
  const DssrProgram *programs = planned->plan->programs;
  const DssrProgram *program = &programs[kind];
  Traffic traffic = {0};

  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    if (!node->needed)
      continue;
    add_luma (planned, node, &traffic);
    if (node->place != DSSR_PLACE_NONE)
      traffic.written += tensor_bytes (node);
    for (int j = 0; j < node->op->n_inputs; j++) {
      const DssrSource *source = &node->sources[j];
      const DssrProgram *from =
          source->frame == DSSR_OWN ? program : &programs[DSSR_PROGRAM_FRAME];
      traffic.read += tensor_bytes (&from->nodes[source->node]);
    }
  }
  return traffic;
}

/* Features that the program reads: each once, of each frame. */
static guint64
count_features (const Planned *planned, const DssrProgram *program)
{
  const DssrProgram *frame = &planned->plan->programs[DSSR_PROGRAM_FRAME];
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  guint64 bytes = 0;

  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    for (int j = 0; node->needed && j < node->op->n_inputs; j++) {
      const DssrSource *source = &node->sources[j];
      if (source->frame == DSSR_OWN)
        continue;
      int key = source->node * (DSSR_MAX_WINDOW + 1) + source->frame + 2;
      if (g_hash_table_add (seen, GINT_TO_POINTER (key)))
        bytes += tensor_bytes (&frame->nodes[source->node]);
    }
  }
  return bytes;
}

/* A program passes over the picture once: what lies whole in memory is read or
 * written once, and the rest stays in cache. */
static Traffic
count_fused (const Planned *planned, DssrProgramKind kind)
{
  const DssrProgram *program = &planned->plan->programs[kind];
  Traffic traffic = {.read = count_features (planned, program)};

  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    if (!node->needed)
      continue;
    add_luma (planned, node, &traffic);
    if (node->place == DSSR_PLACE_KEPT)
      traffic.written += tensor_bytes (node);
  }
  return traffic;
}

static Traffic
count_chroma (const Planned *planned)
{
  Traffic traffic = {0};
  for (int i = 1; i < dssr_format_n_planes (&planned->small); i++) {
    traffic.read += plane_bytes (&planned->small, i);
    traffic.written += plane_bytes (&planned->large, i);
  }
  return traffic;
}

static double
count_macs (const DssrProgram *program)
{
  double macs = 0;
  for (int i = 0; i < program->n_nodes; i++) {
    const DssrNode *node = &program->nodes[i];
    if (node->needed && node->op->kind == DSSR_OP_CONV)
      macs += 4.0 * (double)node->op->weight_quads * node->tensor.width
              * node->tensor.height;
  }
  return macs;
}

/* ---- Printing ---- */

static void
print_node (const DssrNode *node)
{
  const DssrTensor *tensor = &node->tensor;
  g_autofree char *name =
      node->stage == DSSR_STAGE_ALIGN
          ? g_strdup_printf ("nbr%d.%s", node->neighbour, node->op->name)
          : g_strdup (node->op->name);
  const char *place =
      node->op->kind == DSSR_OP_HEAD ? "picture" : place_names[node->place];

  g_print ("  %-9s  %-18s  %5d  %8d  %-7s", dssr_op_names[node->op->kind], name,
      node->op->level, node->op->channels, place);
  if (node->place != DSSR_PLACE_NONE)
    g_print ("  %4d  %8.1f", tensor->ring ? tensor->ring : tensor->height,
        (double)tensor->plane * tensor->quads / 1024);
  g_print ("\n");
}

static void
print_program (const Planned *planned, DssrProgramKind kind)
{
  const DssrProgram *program = &planned->plan->programs[kind];
  g_print ("%s: %d steps of %d rows, the last operation %d rows behind the "
           "first\n\n",
      program_names[kind], program->n_steps, program->step_rows, program->lead);
  g_print ("  %-9s  %-18s  %5s  %8s  %-7s  %4s  %8s\n", "operation", "name",
      "level", "channels", "place", "rows", "KiB");
  for (int i = 0; i < program->n_nodes; i++)
    print_node (&program->nodes[i]);
  g_print ("\n");
}

static void
print_traffic (const char *what, Traffic traffic)
{
  g_print ("  %-16s  %8.3f  %8.3f  %8.3f\n", what, (double)traffic.read / 1e6,
      (double)traffic.written / 1e6,
      (double)(traffic.read + traffic.written) / 1e6);
}

static void
print_all_traffic (const Planned *planned)
{
  Traffic chroma = count_chroma (planned), all[2] = {chroma, chroma};

  g_print ("MB to and from DRAM for a frame\n\n");
  g_print ("  %-16s  %8s  %8s  %8s\n", "", "read", "written", "together");
  for (int fused = 0; fused < 2; fused++) {
    for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++) {
      Traffic traffic =
          fused ? count_fused (planned, kind) : count_unfused (planned, kind);
      g_autofree char *what = g_strdup_printf (
          "%s, %s", program_names[kind], fused ? "fused" : "unfused");
      print_traffic (what, traffic);
      all[fused].read += traffic.read;
      all[fused].written += traffic.written;
    }
  }
  print_traffic ("chroma", chroma);
  print_traffic ("all, unfused", all[0]);
  print_traffic ("all, fused", all[1]);
  g_print ("  fused / unfused   %26.3f\n\n",
      (double)(all[1].read + all[1].written)
          / (double)(all[0].read + all[0].written));
}

static void
print_memory (const Planned *planned, int slots)
{
  const DssrPlan *plan = planned->plan;
  guint64 kept = plan->kept * (guint64)slots;
  guint64 local = plan->local * (guint64)plan->threads;
  const struct {
    const char *what;
    guint64 bytes;
  } parts[] = {
      {"features", kept},
      {"rings", plan->shared},
      {"local", local},
      {"arena", dssr_network_get_size (planned->network, slots)},
      {"weights", planned->network->weights_size},
  };

  g_print ("MiB of memory: features of %d frames, local rows of %d threads\n\n",
      slots, plan->threads);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    g_print (
        "  %-8s  %8.2f\n", parts[i].what, (double)parts[i].bytes / 1048576);
}

int
dssr_model_plan (DssrModel *model, int width, int height, int threads)
{
  g_autoptr (GError) error = NULL;
  Planned planned = {
      .small = {.width = width,
          .height = height,
          .depth = 8,
          .chroma = DSSR_CHROMA_420},
  };
  if (!dssr_format_check (&planned.small, model->scale, &error)) {
    g_printerr ("dssr-model: %s\n", error->message);
    return EXIT_FAILURE;
  }
  planned.large = dssr_format_enlarge (&planned.small, model->scale);

  int past = model->window / 2, slots = past + MIN (past, 1) + 1;
  g_autoptr (DssrPool) pool = dssr_pool_new (threads);
  g_autoptr (DssrNetwork) network =
      dssr_network_new (model, &planned.small, dssr_kernels_cpu (), pool, 0);
  planned.network = network;
  planned.plan = network->plan;

  g_print ("%dx%d to %dx%d, 8 bits, 4:2:0, %d threads\n\n", width, height,
      planned.large.width, planned.large.height, threads);
  double macs = 0;
  for (int kind = 0; kind < DSSR_N_PROGRAMS; kind++) {
    print_program (&planned, kind);
    macs += count_macs (&planned.plan->programs[kind]);
  }
  print_all_traffic (&planned);
  g_print ("%.3f G multiply-accumulates for a frame\n\n", macs / 1e9);
  print_memory (&planned, slots);
  return EXIT_SUCCESS;
}
