/* dssr-model: looks into model files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/dssr-model.h"

#include "engine/json.h"
#include "engine/model.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: dssr-model info FILE       what the model is made of\n"
    "       dssr-model check FILE...   whether files are sound models\n"
    "       dssr-model plan FILE --size WxH [--threads N]\n"
    "                                  how frames of a size are computed\n";

enum {
  OPERATION,
  NAME,
  INPUTS,
  CHANNELS,
  LEVEL,
  KERNEL,
  ACT,
  BITS,
  DENSITY,
  MACS,
  BYTES,
  N_COLUMNS
};

static const struct {
  const char *title;
  gboolean right;
} columns[] = {
    [OPERATION] = {"operation", FALSE},
    [NAME] = {"name", FALSE},
    [INPUTS] = {"inputs", FALSE},
    [CHANNELS] = {"channels", TRUE},
    [LEVEL] = {"level", TRUE},
    [KERNEL] = {"kernel", FALSE},
    [ACT] = {"act", FALSE},
    [BITS] = {"bits", TRUE},
    [DENSITY] = {"density", TRUE},
    [MACS] = {"MACs/pixel", TRUE},
    [BYTES] = {"bytes", TRUE},
};

typedef struct {
  char *cells[N_COLUMNS];
} Row;

static void
row_free (gpointer data)
{
  Row *row = data;
  for (int i = 0; i < N_COLUMNS; i++)
    g_free (row->cells[i]);
  g_free (row);
}

/* Text of the file may hold what a terminal would obey. */
static char *
printable (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) out = g_string_new (NULL);
  for (const char *p = valid; *p; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);
    g_string_append_unichar (out, g_unichar_iscntrl (c) ? '?' : c);
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* The inputs of an operation, by the names that they have in its stage. */
static char *
describe_inputs (const DssrModel *model, DssrStage stage, const DssrOp *op)
{
  if (op->kind == DSSR_OP_INPUT)
    return g_strdup ("luma");

  g_autoptr (GString) text = g_string_new (NULL);
  for (int i = 0; i < op->n_inputs; i++) {
    const DssrInput *input = &op->inputs[i];
    if (i > 0)
      g_string_append (text, ", ");
    if (input->stage != stage && input->neighbour == DSSR_CENTRE)
      g_string_append (text, "ref.");
    else if (input->stage == DSSR_STAGE_FRAME && stage == DSSR_STAGE_ALIGN)
      g_string_append (text, "nbr.");
    else if (input->stage != stage)
      g_string_append_printf (text, "nbr%d.", input->neighbour);
    g_string_append (text, dssr_model_get_input (model, input)->name);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
describe_conv (Row *row, const DssrOp *op)
{
  static const char *const acts[] = {"none", "relu", "leaky"};
  const DssrConv *conv = &op->conv;
  gsize all =
      (gsize)4 * conv->out_quads * conv->kernel * conv->kernel * conv->in_quads;

  row->cells[KERNEL] =
      g_strdup_printf (conv->stride > 1 ? "%dx%d /%d" : "%dx%d", conv->kernel,
          conv->kernel, conv->stride);
  row->cells[ACT] =
      g_strconcat (acts[conv->act], op->wide ? ", wide" : NULL, NULL);
  row->cells[BITS] = g_strdup_printf ("%d", op->bits);
  row->cells[DENSITY] = g_strdup_printf (
      "%.0f %%", 100.0 * (double)op->weight_quads / (double)all);
}

static Row *
describe (const DssrModel *model, DssrStage stage, const DssrOp *op)
{
  Row *row = g_new0 (Row, 1);
  row->cells[OPERATION] = g_strdup (dssr_op_names[op->kind]);
  row->cells[NAME] = g_strdup (op->name);
  row->cells[INPUTS] = describe_inputs (model, stage, op);
  row->cells[CHANNELS] = g_strdup_printf ("%d", op->channels);
  row->cells[LEVEL] = g_strdup_printf ("%d", op->level);
  if (op->kind == DSSR_OP_CONV)
    describe_conv (row, op);
  else if (op->kind == DSSR_OP_DEFORM)
    row->cells[KERNEL] =
        g_strdup_printf ("%dx%d", op->deform.kernel, op->deform.kernel);
  if (op->kind == DSSR_OP_CONV)
    row->cells[MACS] =
        g_strdup_printf ("%.1f", dssr_model_get_op_macs (model, stage, op));
  if (op->bytes > 0)
    row->cells[BYTES] = g_strdup_printf ("%" G_GSIZE_FORMAT, op->bytes);
  return row;
}

static Row *
describe_total (const char *what, double macs, gsize bytes)
{
  Row *row = g_new0 (Row, 1);
  row->cells[OPERATION] = g_strdup (what);
  row->cells[MACS] = g_strdup_printf ("%.1f", macs);
  row->cells[BYTES] = g_strdup_printf ("%" G_GSIZE_FORMAT, bytes);
  return row;
}

static void
print_rows (GPtrArray *rows)
{
  int widths[N_COLUMNS] = {0};
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);
    for (int c = 0; c < N_COLUMNS; c++)
      widths[c] =
          MAX (widths[c], row->cells[c] ? (int)strlen (row->cells[c]) : 0);
  }
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);
    g_autoptr (GString) line = g_string_new (NULL);
    for (int c = 0; c < N_COLUMNS; c++) {
      const char *cell = row->cells[c] ? row->cells[c] : "";
      g_string_append_printf (
          line, columns[c].right ? "%*s  " : "%-*s  ", widths[c], cell);
    }
    g_print ("%s\n", g_strchomp (line->str));
  }
}

static void
print_graph (const DssrModel *model)
{
  g_autofree char *times = model->window > 2 ? g_strdup_printf (
                               "align (%d times a frame)", model->window - 1)
                                             : g_strdup ("align (never)");
  const char *const titles[] = {
      "frame (once a frame)", times, "fuse (once a frame)"};
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func (row_free);
  Row *header = g_new0 (Row, 1);
  for (int c = 0; c < N_COLUMNS; c++)
    header->cells[c] = g_strdup (columns[c].title);
  g_ptr_array_add (rows, header);

  gsize all_bytes = 0;
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    const DssrOps *ops = &model->stages[stage];
    double macs = 0;
    gsize bytes = 0;
    g_ptr_array_add (rows, g_new0 (Row, 1));
    for (int i = 0; i < ops->n_ops; i++) {
      g_ptr_array_add (rows, describe (model, stage, &ops->ops[i]));
      macs += dssr_model_get_op_macs (model, stage, &ops->ops[i]);
      bytes += ops->ops[i].bytes;
    }
    g_ptr_array_add (rows, describe_total (titles[stage], macs, bytes));
    all_bytes += bytes;
  }
  g_ptr_array_add (rows, g_new0 (Row, 1));
  g_ptr_array_add (
      rows, describe_total ("total", dssr_model_get_macs (model), all_bytes));
  print_rows (rows);
}

/* JSON as indented lines. */
static void
print_json (const char *key, JsonNode *node, int indent)
{
  g_autofree char *name = printable (key);
  if (JSON_NODE_HOLDS_OBJECT (node)) {
    g_print ("%*s%s:\n", indent, "", name);
    JsonObjectIter iter;
    const char *member;
    JsonNode *value;
    json_object_iter_init (&iter, json_node_get_object (node));
    while (json_object_iter_next (&iter, &member, &value))
      print_json (member, value, indent + 2);
    return;
  }
  g_autofree char *json =
      JSON_NODE_HOLDS_VALUE (node)
              && json_node_get_value_type (node) == G_TYPE_STRING
          ? json_node_dup_string (node)
          : json_to_string (node, FALSE);
  g_autofree char *value = printable (json);
  g_print ("%*s%s: %s\n", indent, "", name, value);
}

static void
print_metadata (const DssrModel *model)
{
  g_autoptr (GList) keys = g_list_sort (
      g_hash_table_get_keys (model->metadata), (GCompareFunc)strcmp);
  for (GList *l = keys; l; l = l->next) {
    const char *key = l->data;
    const char *text = dssr_model_get_metadata (model, key);
    if (g_str_equal (key, "dssr.graph"))
      continue;
    g_autoptr (JsonNode) node =
        *text == '{' ? dssr_json_parse (key, text, strlen (text), NULL) : NULL;
    if (!node) {
      node = json_node_new (JSON_NODE_VALUE);
      json_node_set_string (node, text);
    }
    print_json (key, node, 0);
  }
}

static DssrModel *
open_model (const char *filename)
{
  g_autoptr (GError) error = NULL;
  DssrModel *model = dssr_model_open (filename, &error);
  if (!model)
    g_printerr ("dssr-model: %s\n", error->message);
  return model;
}

static int
info (const char *filename)
{
  g_autoptr (DssrModel) model = open_model (filename);
  if (!model)
    return EXIT_FAILURE;
  print_metadata (model);
  g_print ("\n");
  print_graph (model);
  return EXIT_SUCCESS;
}

static int
check (char **filenames)
{
  int status = EXIT_SUCCESS;
  for (; *filenames; filenames++) {
    g_autoptr (DssrModel) model = open_model (*filenames);
    if (model)
      g_print ("%s: OK\n", *filenames);
    else
      status = EXIT_FAILURE;
  }
  return status;
}

/* A number and nothing after it. */
static gboolean
parse_int (const char *text, int min, int max, int *value)
{
  gint64 number;
  if (!g_ascii_string_to_signed (text, 10, min, max, &number, NULL))
    return FALSE;
  *value = (int)number;
  return TRUE;
}

static gboolean
parse_size (const char *text, int *width, int *height)
{
  g_auto (GStrv) parts = g_strsplit (text, "x", 2);
  return g_strv_length (parts) == 2
         && parse_int (parts[0], 1, DSSR_MAX_SIDE, width)
         && parse_int (parts[1], 1, DSSR_MAX_SIDE, height);
}

/* arguments: FILE and the options */
static int
plan (char **arguments)
{
  int width = 0, height = 0, threads = (int)MIN (g_get_num_processors (), 64);
  for (char **a = arguments + 1; *a; a += 2) {
    gboolean ok = FALSE;
    if (a[1] && g_str_equal (*a, "--size"))
      ok = parse_size (a[1], &width, &height);
    else if (a[1] && g_str_equal (*a, "--threads"))
      ok = parse_int (a[1], 1, 64, &threads);
    if (!ok) {
      g_printerr ("%s", usage);
      return EXIT_FAILURE;
    }
  }
  if (width == 0) {
    g_printerr ("%s", usage);
    return EXIT_FAILURE;
  }
  g_autoptr (DssrModel) model = open_model (arguments[0]);
  return model ? dssr_model_plan (model, width, height, threads) : EXIT_FAILURE;
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  if (argc == 3 && g_str_equal (argv[1], "info"))
    return info (argv[2]);
  if (argc >= 3 && g_str_equal (argv[1], "check"))
    return check (argv + 2);
  if (argc >= 3 && g_str_equal (argv[1], "plan"))
    return plan (argv + 2);
  if (argc == 2 && g_str_equal (argv[1], "--help")) {
    g_print ("%s", usage);
    return EXIT_SUCCESS;
  }
  g_printerr ("%s", usage);
  return EXIT_FAILURE;
}
