/* The fields of each kind of operation, and what it makes of its inputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/graph.h"
#include "engine/json.h"

#include <string.h>

static gboolean
read_int (DssrReader *reader, const char *field, int min, int max, int *value,
    GError **error)
{
  return dssr_json_get_int (
      reader->object, reader->where, field, min, max, value, error);
}

static gboolean
read_choice (DssrReader *reader, const char *field, const int *choices, int n,
    int *value, GError **error)
{
  return dssr_json_get_choice (
      reader->object, reader->where, field, choices, n, value, error);
}

static const DssrOp *
input (const DssrReader *reader, int i)
{
  return dssr_model_get_input (reader->model, &reader->op->inputs[i]);
}

static gboolean
expect_wide (const DssrReader *reader, int i, bool wide, GError **error)
{
  if (input (reader, i)->wide != wide)
    return dssr_fail (error, reader->where, "in[%d] is %s, must be %s", i,
        wide ? "8 bits" : "wide", wide ? "wide" : "8 bits");
  return TRUE;
}

static gboolean
expect_channels (const DssrReader *reader, int i, int channels, GError **error)
{
  if (input (reader, i)->channels != channels)
    return dssr_fail (error, reader->where,
        "in[%d] has %d channels, must have %d", i, input (reader, i)->channels,
        channels);
  return TRUE;
}

/* The output is like an input: its quantisation, and its channels. */
static void
make_like (DssrReader *reader, int i)
{
  reader->op->channels = input (reader, i)->channels;
  reader->op->zero = input (reader, i)->zero;
  reader->op->max = input (reader, i)->max;
}

static gboolean
read_zero_max (DssrReader *reader, GError **error)
{
  DssrOp *op = reader->op;
  return read_choice (reader, "max", (const int[]){255, 15}, 2, &op->max, error)
         && read_int (reader, "zero", 0, op->max, &op->zero, error);
}

/* What is outside the picture: its edge, also if nothing is said, or zero. */
static gboolean
read_border (DssrReader *reader, bool *zero, GError **error)
{
  *zero = false;
  if (!json_object_has_member (reader->object, "border"))
    return TRUE;
  const char *text =
      dssr_json_get_string (reader->object, reader->where, "border", error);
  if (!text)
    return FALSE;
  *zero = g_str_equal (text, "zero");
  if (*zero || g_str_equal (text, "edge"))
    return TRUE;
  g_autofree char *quoted = dssr_quote (text);
  return dssr_fail (error, reader->where,
      "border is %s, must be \"edge\" or \"zero\"", quoted);
}

static gboolean
read_input (DssrReader *reader, GError **error)
{
  int unshuffle;
  if (!read_choice (
          reader, "unshuffle", (const int[]){1, 2, 4}, 3, &unshuffle, error))
    return FALSE;
  reader->model->unshuffle = unshuffle;
  reader->op->channels = reader->model->n_planes * unshuffle * unshuffle;
  reader->op->max = 255;
  return TRUE;
}

static gboolean
read_act (DssrReader *reader, DssrActivation *act, GError **error)
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
read_conv (DssrReader *reader, GError **error)
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

  bool zero_outside;
  if (!read_border (reader, &zero_outside, error))
    return FALSE;
  guint8 in_max[DSSR_MAX_INPUTS * DSSR_MAX_CHANNELS / 4];
  guint8 in_zero[G_N_ELEMENTS (in_max)];
  for (int i = 0; i < op->n_inputs; i++) {
    if (!expect_wide (reader, i, false, error))
      return FALSE;
    int quads = input (reader, i)->quads;
    memset (in_max + conv->in_quads, input (reader, i)->max, quads);
    memset (in_zero + conv->in_quads, input (reader, i)->zero, quads);
    conv->in_quads += quads;
  }
  if (zero_outside && conv->kernel > 1)
    dssr_outside_set (op, in_zero);
  op->level += conv->stride - 1;
  conv->out_quads = (op->channels + 3) / 4;
  conv->wide = op->wide;
  conv->zero = op->zero;
  conv->max = op->max;
  return dssr_weights_read (reader, in_max, error);
}

static gboolean
read_deform (DssrReader *reader, GError **error)
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
      || !read_int (reader, "limit", 0, 32767, &deform->limit, error)
      || !read_border (reader, &op->zero_outside, error))
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
  deform->table = dssr_table_read (reader, error);
  return deform->table != NULL;
}

/* The factors of what is added: "mult", two integers. */
static gboolean
read_mults (DssrReader *reader, int mults[2], GError **error)
{
  JsonArray *mult =
      dssr_json_get_array (reader->object, reader->where, "mult", error);
  if (!mult)
    return FALSE;
  if (json_array_get_length (mult) != 2)
    return dssr_fail (error, reader->where, "mult must be two integers");
  for (guint i = 0; i < 2; i++) {
    gint64 value;
    if (!dssr_json_get_element (
            mult, i, reader->where, "mult", 0, 32767, &value, error))
      return FALSE;
    mults[i] = (int)value;
  }
  return TRUE;
}

static gboolean
read_add (DssrReader *reader, GError **error)
{
  DssrOp *op = reader->op;
  int mults[2];

  if (!expect_wide (reader, 0, false, error)
      || !expect_wide (reader, 1, false, error)
      || !expect_channels (reader, 1, input (reader, 0)->channels, error)
      || !read_zero_max (reader, error) || !read_mults (reader, mults, error))
    return FALSE;
  op->channels = input (reader, 0)->channels;
  op->add = (DssrAdd){
      .zero_a = input (reader, 0)->zero,
      .zero_b = input (reader, 1)->zero,
      .zero = op->zero,
      .max = op->max,
      .mult_a = mults[0],
      .mult_b = mults[1],
  };
  return TRUE;
}

static gboolean
read_modulate (DssrReader *reader, GError **error)
{
  DssrOp *op = reader->op;
  int channels = input (reader, 0)->channels, mults[2];

  for (int i = 0; i < 3; i++) {
    if (!expect_wide (reader, i, false, error)
        || !expect_channels (reader, i, channels, error))
      return FALSE;
  }
  if (!read_zero_max (reader, error) || !read_mults (reader, mults, error))
    return FALSE;
  op->channels = channels;
  op->modulate = (DssrModulate){
      .zero_v = input (reader, 0)->zero,
      .zero_b = input (reader, 2)->zero,
      .zero = op->zero,
      .max = op->max,
      .mult_v = mults[0],
      .mult_b = mults[1],
      .table = dssr_table_read (reader, error),
  };
  return op->modulate.table != NULL;
}

static gboolean
read_pool (DssrReader *reader, GError **error)
{
  DssrOp *op = reader->op;
  const char *text =
      dssr_json_get_string (reader->object, reader->where, "of", error);
  if (!text || !expect_wide (reader, 0, false, error))
    return FALSE;
  op->pool.average = g_str_equal (text, "average");
  if (!op->pool.average && !g_str_equal (text, "max")) {
    g_autofree char *quoted = dssr_quote (text);
    return dssr_fail (error, reader->where,
        "of is %s, must be \"max\" or \"average\"", quoted);
  }
  make_like (reader, 0);
  op->pool.zero = op->zero;
  op->level += 1;
  return TRUE;
}

static gboolean
read_follow (DssrReader *reader, GError **error)
{
  const DssrInput *from = &reader->op->inputs[0];

  if (reader->stage != DSSR_STAGE_ALIGN || from->stage != DSSR_STAGE_FRAME
      || from->neighbour == DSSR_CENTRE)
    return dssr_fail (error, reader->where,
        "in[0] is no neighbour's: only a feature of one, in align, can follow");
  if (reader->op->level != 0 || reader->model->unshuffle != 1
      || reader->model->n_planes != 1)
    return dssr_fail (error, reader->where,
        "in[0] must have a pixel for each of luma: level 0, unshuffle 1");
  if (!expect_wide (reader, 0, false, error))
    return FALSE;
  make_like (reader, 0);
  reader->model->follows = true;
  return TRUE;
}

static gboolean
read_shuffle (DssrReader *reader, GError **error)
{
  DssrOp *op = reader->op;
  if (!expect_wide (reader, 0, false, error))
    return FALSE;
  make_like (reader, 0);
  if (op->channels % 4)
    return dssr_fail (error, reader->where,
        "in[0] has %d channels, must be a multiple of 4", op->channels);
  op->channels /= 4;
  op->level -= 1;
  return TRUE;
}

static gboolean
read_up2 (DssrReader *reader, GError **error)
{
  if (!expect_wide (reader, 0, false, error))
    return FALSE;
  make_like (reader, 0);
  reader->op->level -= 1;
  return TRUE;
}

static gboolean
read_attention (DssrReader *reader, GError **error)
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
  attention->table = dssr_table_read (reader, error);
  return attention->table != NULL;
}

/* The base: bicubic, also if nothing is said, or linear. */
static gboolean
read_base (DssrReader *reader, GError **error)
{
  if (!json_object_has_member (reader->object, "base"))
    return TRUE;
  const char *text =
      dssr_json_get_string (reader->object, reader->where, "base", error);
  if (!text)
    return FALSE;
  reader->model->linear = g_str_equal (text, "linear");
  if (reader->model->linear || g_str_equal (text, "bicubic"))
    return TRUE;
  g_autofree char *quoted = dssr_quote (text);
  return dssr_fail (error, reader->where,
      "base is %s, must be \"bicubic\" or \"linear\"", quoted);
}

static gboolean
read_head (DssrReader *reader, GError **error)
{
  const DssrModel *model = reader->model;
  DssrOp *op = reader->op;
  if (op->level > 0)
    return dssr_fail (error, reader->where,
        "in[0] is at level %d, must be at most 0", op->level);
  int shuffle = model->scale * model->unshuffle >> -op->level;
  int channels = model->n_planes * shuffle * shuffle;
  if (!expect_wide (reader, 0, true, error)
      || !expect_channels (reader, 0, channels, error)
      || !read_base (reader, error))
    return FALSE;
  op->channels = channels;
  op->wide = true;
  return TRUE;
}

const DssrKind dssr_kinds[DSSR_OP_HEAD + 1] = {
    [DSSR_OP_INPUT] = {read_input, 1, 1},
    [DSSR_OP_CONV] = {read_conv, 1, DSSR_MAX_INPUTS},
    [DSSR_OP_DEFORM] = {read_deform, 2, 2},
    [DSSR_OP_ADD] = {read_add, 2, 2},
    [DSSR_OP_UP2] = {read_up2, 1, 1},
    [DSSR_OP_SHUFFLE] = {read_shuffle, 1, 1},
    [DSSR_OP_FOLLOW] = {read_follow, 1, 1},
    [DSSR_OP_POOL] = {read_pool, 1, 1},
    [DSSR_OP_MODULATE] = {read_modulate, 3, 3},
    [DSSR_OP_ATTENTION] = {read_attention, 3, 3},
    [DSSR_OP_HEAD] = {read_head, 1, 1},
};
