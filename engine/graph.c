/* The graph of a model: three stages of operations, wired by name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/graph.h"
#include "engine/json.h"

#include <string.h>

/* Weights of a file of 256 MiB can be 32 times as large when they are mostly
 * absent. */
#define MAX_WEIGHTS ((gsize)256 << 20)

typedef struct {
  DssrModel *model;
  const DssrSafetensors *file;
  GHashTable *names[DSSR_N_STAGES]; /* to the index of the operation, plus 1 */
  gsize budget;                     /* bytes that weights may still take */

  DssrStage stage;
  DssrOp *op;
  const char *where; /* "stage.op" */
  JsonObject *object;
} Reader;

static gboolean
read_int (Reader *reader, const char *field, int min, int max, int *value,
    GError **error)
{
  return dssr_json_get_int (
      reader->object, reader->where, field, min, max, value, error);
}

static gboolean
read_choice (Reader *reader, const char *field, const int *choices, int n,
    int *value, GError **error)
{
  return dssr_json_get_choice (
      reader->object, reader->where, field, choices, n, value, error);
}

static const DssrOp *
input (const Reader *reader, int i)
{
  return dssr_model_get_input (reader->model, &reader->op->inputs[i]);
}

static gboolean
expect_wide (const Reader *reader, int i, bool wide, GError **error)
{
  if (input (reader, i)->wide != wide)
    return dssr_fail (error, reader->where, "in[%d] is %s, must be %s", i,
        wide ? "8 bits" : "wide", wide ? "wide" : "8 bits");
  return TRUE;
}

static gboolean
expect_channels (const Reader *reader, int i, int channels, GError **error)
{
  if (input (reader, i)->channels != channels)
    return dssr_fail (error, reader->where,
        "in[%d] has %d channels, must have %d", i, input (reader, i)->channels,
        channels);
  return TRUE;
}

/* The output is like an input: its quantisation, and its channels. */
static void
make_like (Reader *reader, int i)
{
  reader->op->channels = input (reader, i)->channels;
  reader->op->zero = input (reader, i)->zero;
  reader->op->max = input (reader, i)->max;
}

static gboolean
read_zero_max (Reader *reader, GError **error)
{
  DssrOp *op = reader->op;
  return read_choice (reader, "max", (const int[]){255, 15}, 2, &op->max, error)
         && read_int (reader, "zero", 0, op->max, &op->zero, error);
}

static gboolean
read_input (Reader *reader, GError **error)
{
  int unshuffle;
  if (!read_choice (
          reader, "unshuffle", (const int[]){1, 2, 4}, 3, &unshuffle, error))
    return FALSE;
  reader->model->unshuffle = unshuffle;
  reader->op->channels = unshuffle * unshuffle;
  reader->op->max = 255;
  return TRUE;
}

static gboolean
read_act (Reader *reader, DssrActivation *act, GError **error)
{
  static const char *const names[] = {[DSSR_ACT_NONE] = "none",
      [DSSR_ACT_RELU] = "relu",
      [DSSR_ACT_LEAKY] = "leaky"};
  const char *text =
      dssr_json_get_string (reader->object, reader->where, "act", error);
  if (!text)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    if (g_str_equal (text, names[i])) {
      *act = i;
      return TRUE;
    }
  }
  g_autofree char *quoted = dssr_quote (text);
  return dssr_fail (error, reader->where,
      "act is %s, must be \"none\", \"relu\" or \"leaky\"", quoted);
}

static gboolean
read_conv (Reader *reader, GError **error)
{
  DssrOp *op = reader->op;
  DssrConv *conv = &op->conv;

  if (!read_int (reader, "channels", 1, DSSR_MAX_CHANNELS, &op->channels, error)
      || !read_choice (
          reader, "kernel", (const int[]){1, 3}, 2, &conv->kernel, error)
      || !read_choice (
          reader, "stride", (const int[]){1, 2}, 2, &conv->stride, error)
      || !read_act (reader, &conv->act, error)
      || !read_choice (
          reader, "bits", (const int[]){8, 6, 4}, 3, &op->bits, error)
      || !read_int (reader, "shift", 0, 24, &conv->shift, error)
      || !dssr_json_get_bool (
          reader->object, reader->where, "wide", &op->wide, error)
      || (!op->wide && !read_zero_max (reader, error)))
    return FALSE;

  guint8 in_max[DSSR_MAX_INPUTS * DSSR_MAX_CHANNELS / 4];
  for (int i = 0; i < op->n_inputs; i++) {
    if (!expect_wide (reader, i, false, error))
      return FALSE;
    int quads = input (reader, i)->quads;
    memset (in_max + conv->in_quads, input (reader, i)->max, quads);
    conv->in_quads += quads;
  }
  op->level += conv->stride - 1;
  conv->out_quads = (op->channels + 3) / 4;
  conv->wide = op->wide;
  conv->zero = op->zero;
  conv->max = op->max;
  return dssr_weights_read (
      op, reader->file, reader->where, in_max, &reader->budget, error);
}

static gboolean
read_deform (Reader *reader, GError **error)
{
  DssrOp *op = reader->op;
  DssrDeform *deform = &op->deform;
  const DssrOp *feature = input (reader, 0);

  if (!expect_wide (reader, 0, false, error)
      || !expect_wide (reader, 1, true, error)
      || !read_choice (
          reader, "kernel", (const int[]){1, 3}, 2, &deform->kernel, error)
      || !read_int (
          reader, "groups", 1, DSSR_MAX_CHANNELS / 4, &deform->groups, error)
      || !read_int (reader, "limit", 0, 32767, &deform->limit, error))
    return FALSE;

  int taps = deform->kernel * deform->kernel;
  if (feature->quads % deform->groups)
    return dssr_fail (error, reader->where,
        "groups is %d, must divide the %d quads of in[0]", deform->groups,
        feature->quads);
  if (!expect_channels (reader, 1, 3 * taps * deform->groups, error))
    return FALSE;
  if (taps > 1 && feature->channels % 4)
    return dssr_fail (error, reader->where,
        "in[0] has %d channels, must be a multiple of 4 for kernel 3",
        feature->channels);
  make_like (reader, 0);
  op->channels *= taps;
  if (op->channels > DSSR_MAX_CHANNELS)
    return dssr_fail (error, reader->where,
        "kernel makes %d channels, at most %d", op->channels,
        DSSR_MAX_CHANNELS);
  deform->zero = op->zero;
  deform->table = dssr_table_read (op, reader->file, reader->where, error);
  return deform->table != NULL;
}

static gboolean
read_add (Reader *reader, GError **error)
{
  DssrOp *op = reader->op;
  DssrAdd *add = &op->add;

  if (!expect_wide (reader, 0, false, error)
      || !expect_wide (reader, 1, false, error)
      || !expect_channels (reader, 1, input (reader, 0)->channels, error)
      || !read_zero_max (reader, error))
    return FALSE;
  JsonArray *mult =
      dssr_json_get_array (reader->object, reader->where, "mult", error);
  if (!mult)
    return FALSE;
  if (json_array_get_length (mult) != 2)
    return dssr_fail (error, reader->where, "mult must be two integers");
  gint64 a, b;
  if (!dssr_json_get_element (
          mult, 0, reader->where, "mult", 0, 32767, &a, error)
      || !dssr_json_get_element (
          mult, 1, reader->where, "mult", 0, 32767, &b, error))
    return FALSE;

  op->channels = input (reader, 0)->channels;
  *add = (DssrAdd){
      .zero_a = input (reader, 0)->zero,
      .zero_b = input (reader, 1)->zero,
      .zero = op->zero,
      .max = op->max,
      .mult_a = (int)a,
      .mult_b = (int)b,
  };
  return TRUE;
}

static gboolean
read_up2 (Reader *reader, GError **error)
{
  if (!expect_wide (reader, 0, false, error))
    return FALSE;
  make_like (reader, 0);
  reader->op->level -= 1;
  return TRUE;
}

static gboolean
read_attention (Reader *reader, GError **error)
{
  DssrOp *op = reader->op;
  DssrAttention *attention = &op->attention;

  if (!expect_wide (reader, 0, false, error)
      || !expect_wide (reader, 1, false, error)
      || !expect_wide (reader, 2, false, error)
      || !expect_channels (reader, 1, input (reader, 0)->channels, error)
      || !read_int (reader, "shift", 0, 24, &attention->shift, error)
      || !read_int (reader, "mult", 0, 32767, &attention->mult, error))
    return FALSE;
  make_like (reader, 2);
  attention->zero_a = input (reader, 0)->zero;
  attention->zero_b = input (reader, 1)->zero;
  attention->zero_v = op->zero;
  attention->table = dssr_table_read (op, reader->file, reader->where, error);
  return attention->table != NULL;
}

static gboolean
read_head (Reader *reader, GError **error)
{
  int shuffle = reader->model->scale * reader->model->unshuffle;
  if (!expect_wide (reader, 0, true, error)
      || !expect_channels (reader, 0, shuffle * shuffle, error))
    return FALSE;
  if (reader->op->level != 0)
    return dssr_fail (error, reader->where, "in[0] is at level %d, must be 0",
        reader->op->level);
  reader->op->channels = shuffle * shuffle;
  reader->op->wide = true;
  return TRUE;
}

static const struct {
  gboolean (*read) (Reader *reader, GError **error);
  guint min_in, max_in;
} kinds[] = {
    [DSSR_OP_INPUT] = {read_input, 1, 1},
    [DSSR_OP_CONV] = {read_conv, 1, DSSR_MAX_INPUTS},
    [DSSR_OP_DEFORM] = {read_deform, 2, 2},
    [DSSR_OP_ADD] = {read_add, 2, 2},
    [DSSR_OP_UP2] = {read_up2, 1, 1},
    [DSSR_OP_ATTENTION] = {read_attention, 3, 3},
    [DSSR_OP_HEAD] = {read_head, 1, 1},
};

/* Finds the tensor that has this name in this stage, among those made before.
 */
static gboolean
resolve (const Reader *reader, const char *name, DssrInput *found)
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
               && name[3] - '0' < reader->model->window - 1) {
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
read_inputs (Reader *reader, GError **error)
{
  DssrOp *op = reader->op;
  JsonArray *in =
      dssr_json_get_array (reader->object, reader->where, "in", error);
  if (!in)
    return FALSE;
  guint n = json_array_get_length (in);
  if (n < kinds[op->kind].min_in || n > kinds[op->kind].max_in)
    return dssr_fail (error, reader->where, "in has %u names, must be %u to %u",
        n, kinds[op->kind].min_in, kinds[op->kind].max_in);

  for (guint i = 0; i < n; i++) {
    JsonNode *node = json_array_get_element (in, i);
    if (!JSON_NODE_HOLDS_VALUE (node)
        || json_node_get_value_type (node) != G_TYPE_STRING)
      return dssr_fail (error, reader->where, "in[%u] is not a string", i);
    const char *name = json_node_get_string (node);
    g_autofree char *quoted = dssr_quote (name);
    if (op->kind == DSSR_OP_INPUT) {
      if (!g_str_equal (name, "luma"))
        return dssr_fail (
            error, reader->where, "in[0] is %s, must be \"luma\"", quoted);
      return TRUE;
    }
    if (!resolve (reader, name, &op->inputs[i]))
      return dssr_fail (
          error, reader->where, "in[%u]: no tensor %s before it", i, quoted);

    op->n_inputs++;
    int level = input (reader, (int)i)->level;
    if (i > 0 && level != op->level)
      return dssr_fail (error, reader->where,
          "in[%u] is at level %d, in[0] at level %d", i, level, op->level);
    op->level = level;
  }
  return TRUE;
}

static gboolean
read_kind (Reader *reader, int index, int n_ops, GError **error)
{
  const char *text =
      dssr_json_get_string (reader->object, reader->where, "op", error);
  if (!text)
    return FALSE;
  DssrOpKind kind = 0;
  while (
      kind < G_N_ELEMENTS (kinds) && !g_str_equal (text, dssr_op_names[kind]))
    kind++;
  if (kind == G_N_ELEMENTS (kinds)) {
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
read_name (Reader *reader, GError **error)
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
read_op (Reader *reader, JsonNode *node, int index, int n_ops, GError **error)
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
      || !kinds[op->kind].read (reader, error))
    return FALSE;
  if (op->level < 0 || op->level >= DSSR_MAX_LEVELS)
    return dssr_fail (error, where, "is at level %d, must be 0 to %d",
        op->level, DSSR_MAX_LEVELS - 1);
  op->quads = (op->channels + 3) / 4;
  g_hash_table_insert (
      reader->names[reader->stage], op->name, GINT_TO_POINTER (index + 1));
  return TRUE;
}

static gboolean
read_stage (Reader *reader, JsonObject *graph, GError **error)
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

  Reader reader = {.model = model, .file = file, .budget = MAX_WEIGHTS};
  for (int i = 0; i < DSSR_N_STAGES; i++)
    reader.names[i] = g_hash_table_new (g_str_hash, g_str_equal);
  gboolean ok = TRUE;
  for (int i = 0; ok && i < DSSR_N_STAGES; i++) {
    reader.stage = i;
    ok = read_stage (&reader, json_node_get_object (root), error);
  }
  for (int i = 0; i < DSSR_N_STAGES; i++)
    g_hash_table_unref (reader.names[i]);
  return ok;
}
