/* The model: a file's metadata and graph, shared by sessions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/graph.h"
#include "engine/json.h"
#include "engine/model.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK (dssr - error - quark, dssr_error)

const char *const dssr_stage_names[] = {"frame", "align", "fuse"};
const char *const dssr_op_names[] = {"input", "conv", "deform", "add", "up2",
    "shuffle", "follow", "pool", "modulate", "attention", "head"};

/* Metadata is strings, also where it means numbers. */
static gboolean
get_number (const DssrModel *model, const char *key, const int *choices, int n,
    int *value, GError **error)
{
  const char *text = dssr_model_get_metadata (model, key);
  if (!text)
    return dssr_fail (error, "__metadata__", "%s is missing", key);
  g_autoptr (GString) list = g_string_new (NULL);
  for (int i = 0; i < n; i++) {
    g_autofree char *choice = g_strdup_printf ("%d", choices[i]);
    if (g_str_equal (text, choice)) {
      *value = choices[i];
      return TRUE;
    }
    g_string_append_printf (list, i ? " or %s" : "%s", choice);
  }
  g_autofree char *quoted = dssr_quote (text);
  return dssr_fail (
      error, "__metadata__", "%s is %s, must be %s", key, quoted, list->str);
}

DssrModel *
dssr_model_new_from_bytes (GBytes *bytes, GError **error)
{
  g_autoptr (DssrSafetensors) file = dssr_safetensors_new (bytes, error);
  if (!file)
    return NULL;

  g_autoptr (DssrModel) model = g_new0 (DssrModel, 1);
  g_atomic_ref_count_init (&model->ref_count);
  model->metadata = g_hash_table_ref (file->metadata);
  int version;
  if (!get_number (model, "dssr.version", (const int[]){1}, 1, &version, error)
      || !get_number (
          model, "dssr.scale", (const int[]){2, 4}, 2, &model->scale, error)
      || !get_number (model, "dssr.window", (const int[]){1, 3, 5, 7}, 4,
          &model->window, error)
      || !dssr_graph_read (model, file, error))
    return NULL;
  return g_steal_pointer (&model);
}

DssrModel *
dssr_model_open (const char *filename, GError **error)
{
  g_return_val_if_fail (filename != NULL, NULL);
  g_autoptr (GMappedFile) mapped = g_mapped_file_new (filename, FALSE, error);
  if (!mapped)
    return NULL;
  g_autoptr (GBytes) bytes = g_mapped_file_get_bytes (mapped);
  DssrModel *model = dssr_model_new_from_bytes (bytes, error);
  if (!model)
    g_prefix_error (error, "%s: ", filename);
  return model;
}

DssrModel *
dssr_model_ref (DssrModel *model)
{
  g_atomic_ref_count_inc (&model->ref_count);
  return model;
}

void
dssr_model_unref (DssrModel *model)
{
  if (!g_atomic_ref_count_dec (&model->ref_count))
    return;
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    DssrOps *ops = &model->stages[stage];
    for (int i = 0; i < ops->n_ops; i++) {
      g_free (ops->ops[i].name);
      for (guint a = 0; a < G_N_ELEMENTS (ops->ops[i].arrays); a++)
        g_aligned_free (ops->ops[i].arrays[a]);
    }
    g_free (ops->ops);
  }
  g_hash_table_unref (model->metadata);
  g_free (model);
}

int
dssr_model_get_scale (const DssrModel *model)
{
  return model->scale;
}

int
dssr_model_get_window (const DssrModel *model)
{
  return model->window;
}

gboolean
dssr_model_is_rgb (const DssrModel *model)
{
  return model->n_planes == 3;
}

int
dssr_model_get_min_level (const DssrModel *model)
{
  int level = 0;
  while (1 << -(level - 1) <= model->scale * model->unshuffle)
    level--;
  return level;
}

const char *
dssr_model_get_metadata (const DssrModel *model, const char *key)
{
  return g_hash_table_lookup (model->metadata, key);
}

double
dssr_model_get_op_macs (
    const DssrModel *model, DssrStage stage, const DssrOp *op)
{
  if (op->kind != DSSR_OP_CONV)
    return 0;
  int times = stage == DSSR_STAGE_ALIGN ? model->n_aligned : 1;
  double outputs = ldexp (model->scale * model->unshuffle, op->level);
  return 4.0 * (double)op->weight_quads * times / (outputs * outputs);
}

double
dssr_model_get_macs (const DssrModel *model)
{
  double total = 0;
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    const DssrOps *ops = &model->stages[stage];
    for (int i = 0; i < ops->n_ops; i++)
      total += dssr_model_get_op_macs (model, stage, &ops->ops[i]);
  }
  return total;
}

const DssrOp *
dssr_model_get_input (const DssrModel *model, const DssrInput *input)
{
  return &model->stages[input->stage].ops[input->index];
}
