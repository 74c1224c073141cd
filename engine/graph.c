/* The graph of a model: three stages of operations, wired by name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/graph.h"
#include "engine/json.h"

#include <string.h>

/* Weights of a file of 256 MiB can be 32 times as large when they are mostly
 * absent. */
#define MAX_WEIGHTS ((gsize)256 << 20)

/* Finds the tensor that has this name in this stage, among those made before.
 */
static gboolean
resolve (const DssrReader *reader, const char *name, DssrInput *found)
{
  const char *dot = strchr (name, '.');
  const char *plain = dot ? dot + 1 : name;

  found->stage = reader->stage;
  found->neighbour = DSSR_CENTRE;
  if (dot) {
    DssrStage stage = reader->stage;
    if (stage != DSSR_STAGE_FRAME && g_str_has_prefix (name, "ref.")) {
      found->stage = DSSR_STAGE_FRAME;
    } else if (stage == DSSR_STAGE_ALIGN && g_str_has_prefix (name, "nbr.")) {
      found->stage = DSSR_STAGE_FRAME;
      found->neighbour = 0;
    } else if (stage == DSSR_STAGE_FUSE && dot - name == 4
               && g_str_has_prefix (name, "nbr") && g_ascii_isdigit (name[3])
               && name[3] - '0' < reader->model->n_aligned) {
      found->stage = DSSR_STAGE_ALIGN;
      found->neighbour = name[3] - '0';
    } else {
      return FALSE;
    }
  }
  found->index =
      GPOINTER_TO_INT (g_hash_table_lookup (reader->names[found->stage], plain))
      - 1;
  return found->index >= 0;
}

static gboolean
read_inputs (DssrReader *reader, GError **error)
{
  DssrOp *op = reader->op;
  JsonArray *in =
      dssr_json_get_array (reader->object, reader->where, "in", error);
  if (!in)
    return FALSE;
  guint n = json_array_get_length (in);
  if (n < dssr_kinds[op->kind].min_in || n > dssr_kinds[op->kind].max_in)
    return dssr_fail (error, reader->where, "in has %u names, must be %u to %u",
        n, dssr_kinds[op->kind].min_in, dssr_kinds[op->kind].max_in);

  for (guint i = 0; i < n; i++) {
    JsonNode *node = json_array_get_element (in, i);
    if (!JSON_NODE_HOLDS_VALUE (node)
        || json_node_get_value_type (node) != G_TYPE_STRING)
      return dssr_fail (error, reader->where, "in[%u] is not a string", i);
    const char *name = json_node_get_string (node);
    g_autofree char *quoted = dssr_quote (name);
    if (op->kind == DSSR_OP_INPUT) {
      bool rgb = g_str_equal (name, "rgb");
      if (!rgb && !g_str_equal (name, "luma"))
        return dssr_fail (error, reader->where,
            "in[0] is %s, must be \"luma\" or \"rgb\"", quoted);
      reader->model->n_planes = rgb ? 3 : 1;
      return TRUE;
    }
    if (!resolve (reader, name, &op->inputs[i]))
      return dssr_fail (
          error, reader->where, "in[%u]: no tensor %s before it", i, quoted);

    op->n_inputs++;
    int level = dssr_model_get_input (reader->model, &op->inputs[i])->level;
    if (i > 0 && level != op->level)
      return dssr_fail (error, reader->where,
          "in[%u] is at level %d, in[0] at level %d", i, level, op->level);
    op->level = level;
  }
  return TRUE;
}

static gboolean
read_kind (DssrReader *reader, int index, int n_ops, GError **error)
{
  const char *text =
      dssr_json_get_string (reader->object, reader->where, "op", error);
  if (!text)
    return FALSE;
  DssrOpKind kind = 0;
  while (kind < G_N_ELEMENTS (dssr_kinds)
         && !g_str_equal (text, dssr_op_names[kind]))
    kind++;
  if (kind == G_N_ELEMENTS (dssr_kinds)) {
    g_autofree char *quoted = dssr_quote (text);
    return dssr_fail (
        error, reader->where, "op is %s, which is not known", quoted);
  }
  reader->op->kind = kind;

  bool first = reader->stage == DSSR_STAGE_FRAME && index == 0;
  bool last = reader->stage == DSSR_STAGE_FUSE && index == n_ops - 1;
  if ((kind == DSSR_OP_INPUT) != first)
    return dssr_fail (error, reader->where,
        "op is \"%s\": the first of frame, and only it, is \"input\"",
        dssr_op_names[kind]);
  if ((kind == DSSR_OP_HEAD) != last)
    return dssr_fail (error, reader->where,
        "op is \"%s\": the last of fuse, and only it, is \"head\"",
        dssr_op_names[kind]);
  return TRUE;
}

static gboolean
read_name (DssrReader *reader, GError **error)
{
  const char *name =
      dssr_json_get_string (reader->object, reader->where, "out", error);
  if (!name)
    return FALSE;
  g_autofree char *quoted = dssr_quote (name);
  if (!*name
      || name[strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_")])
    return dssr_fail (error, reader->where,
        "out is %s, must be letters, digits and _", quoted);
  if (g_hash_table_contains (reader->names[reader->stage], name))
    return dssr_fail (
        error, reader->where, "out is %s, which is there already", quoted);
  reader->op->name = g_strdup (name);
  return TRUE;
}

static gboolean
read_op (
    DssrReader *reader, JsonNode *node, int index, int n_ops, GError **error)
{
  DssrOp *op = reader->op;
  const char *stage = dssr_stage_names[reader->stage];

  g_autofree char *number = g_strdup_printf ("%s[%d]", stage, index);
  reader->where = number;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return dssr_fail (error, number, "is not an object");
  reader->object = json_node_get_object (node);
  if (!read_name (reader, error))
    return FALSE;

  g_autofree char *where = g_strdup_printf ("%s.%s", stage, op->name);
  reader->where = where;
  if (!read_kind (reader, index, n_ops, error) || !read_inputs (reader, error)
      || !dssr_kinds[op->kind].read (reader, error))
    return FALSE;
  int min_level = dssr_model_get_min_level (reader->model);
  if (op->level < min_level || op->level >= DSSR_MAX_LEVELS)
    return dssr_fail (error, where, "is at level %d, must be %d to %d",
        op->level, min_level, DSSR_MAX_LEVELS - 1);
  op->quads = (op->channels + 3) / 4;
  g_hash_table_insert (
      reader->names[reader->stage], op->name, GINT_TO_POINTER (index + 1));
  return TRUE;
}

static gboolean
read_stage (DssrReader *reader, JsonObject *graph, GError **error)
{
  const char *stage = dssr_stage_names[reader->stage];
  JsonArray *array = dssr_json_get_array (graph, "dssr.graph", stage, error);
  if (!array)
    return FALSE;
  int n = (int)json_array_get_length (array);
  if (n > DSSR_MAX_OPS)
    return dssr_fail (
        error, stage, "has %d operations, at most %d", n, DSSR_MAX_OPS);
  if (n == 0 && reader->stage != DSSR_STAGE_ALIGN)
    return dssr_fail (error, stage, "has no operations");

  DssrOps *ops = &reader->model->stages[reader->stage];
  ops->ops = g_new0 (DssrOp, n);
  for (; ops->n_ops < n; ops->n_ops++) {
    int index = ops->n_ops;
    reader->op = &ops->ops[index];
    if (!read_op (
            reader, json_array_get_element (array, index), index, n, error)) {
      ops->n_ops++; /* what it has is freed with the model */
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
dssr_graph_read (DssrModel *model, const DssrSafetensors *file, GError **error)
{
  const char *text = g_hash_table_lookup (file->metadata, "dssr.graph");
  if (!text)
    return dssr_fail (error, "__metadata__", "dssr.graph is missing");
  g_autoptr (JsonNode) root =
      dssr_json_parse ("dssr.graph", text, strlen (text), error);
  if (!root)
    return FALSE;

  DssrReader reader = {.model = model, .file = file, .budget = MAX_WEIGHTS};
  JsonObject *graph = json_node_get_object (root);
  bool align_centre = false;
  if (json_object_has_member (graph, "align_centre")
      && !dssr_json_get_bool (
          graph, "dssr.graph", "align_centre", &align_centre, error))
    return FALSE;
  model->n_aligned = model->window - !align_centre;
  for (int i = 0; i < DSSR_N_STAGES; i++)
    reader.names[i] = g_hash_table_new (g_str_hash, g_str_equal);
  gboolean ok = TRUE;
  for (int i = 0; ok && i < DSSR_N_STAGES; i++) {
    reader.stage = i;
    ok = read_stage (&reader, graph, error);
  }
  for (int i = 0; i < DSSR_N_STAGES; i++)
    g_hash_table_unref (reader.names[i]);
  return ok;
}
