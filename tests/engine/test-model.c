/* The reader: a good model comes out as it went in, each broken one is refused
 * with a message that names what is wrong.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/model.h"

#include <glib/gstdio.h>
#include <string.h>

static const char *corpus;

static const DssrOp *
find_op (const DssrModel *model, DssrStage stage, const char *name)
{
  for (int i = 0; i < model->stages[stage].n_ops; i++) {
    if (g_str_equal (model->stages[stage].ops[i].name, name))
      return &model->stages[stage].ops[i];
  }
  g_assert_not_reached ();
}

static DssrModel *
open_good (const char *name)
{
  g_autofree char *path = g_build_filename (corpus, name, NULL);
  g_autoptr (GError) error = NULL;
  DssrModel *model = dssr_model_open (path, &error);
  g_assert_no_error (error);
  return model;
}

static void
test_good (void)
{
  g_autoptr (DssrModel) model = open_good ("good.safetensors");

  g_assert_cmpint (dssr_model_get_scale (model), ==, 2);
  g_assert_cmpint (dssr_model_get_window (model), ==, 3);
  g_assert_cmpstr (dssr_model_get_metadata (model, "dssr.rung"), ==, "test");
  g_assert_null (dssr_model_get_metadata (model, "dssr.nothing"));

  const DssrOp *down = find_op (model, DSSR_STAGE_FRAME, "down2");
  g_assert_cmpint (down->kind, ==, DSSR_OP_CONV);
  g_assert_cmpint (down->channels, ==, 12);
  g_assert_cmpint (down->level, ==, 1);
  g_assert_cmpint (down->conv.in_quads, ==, 2);
  g_assert_cmpint (down->conv.out_quads, ==, 3);
  g_assert_cmpint (down->conv.zero, ==, 24);
  g_assert_cmpuint (down->weight_quads, ==, 12 * 9 * 2);

  const DssrOp *off = find_op (model, DSSR_STAGE_ALIGN, "off1");
  g_assert_cmpint (off->n_inputs, ==, 3);
  g_assert_cmpint (off->inputs[0].stage, ==, DSSR_STAGE_FRAME);
  g_assert_cmpint (off->inputs[0].neighbour, ==, 0);
  g_assert_cmpint (off->inputs[1].neighbour, ==, DSSR_CENTRE);
  g_assert_cmpint (off->inputs[2].stage, ==, DSSR_STAGE_ALIGN);
  g_assert_cmpstr (
      dssr_model_get_input (model, &off->inputs[2])->name, ==, "offup1");
  /* 6 channels: the two lanes of padding make the zero point. */
  g_assert_cmpint (off->conv.mult[5], >, 0);
  g_assert_cmpint (off->conv.mult[6], ==, 0);
  g_assert_cmpint (off->conv.mult_neg[7], ==, 0);

  const DssrOp *offset = find_op (model, DSSR_STAGE_ALIGN, "offset3");
  g_assert_true (offset->wide);
  const DssrOp *sampled = find_op (model, DSSR_STAGE_ALIGN, "sampled3");
  g_assert_cmpint (sampled->channels, ==, 9 * 12);
  g_assert_cmpint (sampled->zero, ==, 24);
  g_assert_cmpuint (sampled->deform.table[128], ==, 128);
}

static void
test_published (void)
{
  g_autoptr (DssrModel) model = open_good ("good-published.safetensors");
  g_assert_true (dssr_model_is_rgb (model));
  g_assert_cmpint (model->n_aligned, ==, 3);
  g_assert_true (model->linear);
  g_assert_cmpint (dssr_model_get_min_level (model), ==, -1);

  const DssrOp *down = find_op (model, DSSR_STAGE_FRAME, "down2");
  g_assert_cmpint (down->conv.outside[0], ==, 40); /* block's zero point */
  g_assert_true (find_op (model, DSSR_STAGE_ALIGN, "sampled3")->zero_outside);
  g_assert_null (find_op (model, DSSR_STAGE_FUSE, "coarse")->conv.outside);
  const DssrOp *average = find_op (model, DSSR_STAGE_FUSE, "average");
  g_assert_true (average->pool.average);
  g_assert_cmpint (average->level, ==, 1);
  const DssrOp *shuffled = find_op (model, DSSR_STAGE_FUSE, "shuffled");
  g_assert_cmpint (shuffled->level, ==, -1);
  g_assert_cmpint (shuffled->channels, ==, 6);
  const DssrOp *modulated = find_op (model, DSSR_STAGE_FUSE, "modulated");
  g_assert_cmpint (modulated->modulate.mult_v, ==, 22000);
  g_assert_cmpint (find_op (model, DSSR_STAGE_FUSE, "out")->channels, ==, 3);

  /* 24 outputs of 2 quads for 4 output pixels, and 4 by 9 taps for each. */
  g_assert_cmpfloat (dssr_model_get_op_macs (model, DSSR_STAGE_FUSE,
                         find_op (model, DSSR_STAGE_FUSE, "wide")),
      ==, 48);
  g_assert_cmpfloat (dssr_model_get_op_macs (model, DSSR_STAGE_FUSE,
                         find_op (model, DSSR_STAGE_FUSE, "residual")),
      ==, 288);

  g_autoptr (DssrModel) plain = open_good ("good.safetensors");
  g_assert_false (dssr_model_is_rgb (plain));
  g_assert_cmpint (plain->n_aligned, ==, 2);
  g_assert_false (plain->linear);
}

/* The same weights whether stored in 8 bits or fewer, all quads or some. */
static void
test_sparse (void)
{
  g_autoptr (DssrModel) model = open_good ("good-sparse.safetensors");
  const DssrOp *op = find_op (model, DSSR_STAGE_FRAME, "down2");
  gsize present = 0, zero = 0, low = 0, high = 0;

  g_assert_cmpint (op->bits, ==, 6);
  for (int i = 0; i < 12 * 9 * 2; i++) {
    const int8_t *quad = op->conv.weight + 4 * i;
    bool has = op->conv.mask[i / 8] >> (i % 8) & 1;
    present += has;
    for (int lane = 0; lane < 4; lane++) {
      g_assert_cmpint (quad[lane], >=, -32);
      g_assert_cmpint (quad[lane], <=, 31);
      if (!has)
        g_assert_cmpint (quad[lane], ==, 0);
      zero += quad[lane] == 0;
      low += quad[lane] < -24;
      high += quad[lane] > 24;
    }
  }
  g_assert_cmpuint (op->weight_quads, ==, present);
  g_assert_cmpuint (zero, <, 4 * (12 * 9 * 2 - present) + present);
  g_assert_cmpuint (low, >, 0);
  g_assert_cmpuint (high, >, 0);
}

static void
test_macs (void)
{
  g_autoptr (DssrModel) model = open_good ("good.safetensors");
  const DssrOp *head = find_op (model, DSSR_STAGE_FRAME, "head");
  const DssrOp *off = find_op (model, DSSR_STAGE_ALIGN, "off2");

  /* 8 outputs, 9 taps, one quad of inputs, for 4 output pixels. */
  g_assert_cmpfloat (
      dssr_model_get_op_macs (model, DSSR_STAGE_FRAME, head), ==, 72);
  /* 8 outputs, 9 taps, 8 quads of inputs, for 16 output pixels, twice. */
  g_assert_cmpfloat (
      dssr_model_get_op_macs (model, DSSR_STAGE_ALIGN, off), ==, 288);
  double sum = 0;
  for (int stage = 0; stage < DSSR_N_STAGES; stage++) {
    for (int i = 0; i < model->stages[stage].n_ops; i++)
      sum +=
          dssr_model_get_op_macs (model, stage, &model->stages[stage].ops[i]);
  }
  g_assert_cmpfloat (dssr_model_get_macs (model), ==, sum);
}

/* The greatest biases that the weights and the inputs' ranges allow. */
static void
test_bias (void)
{
  g_autoptr (DssrModel) inputs = open_good ("good-bias-inputs.safetensors");
  g_assert_nonnull (inputs);
  g_autoptr (DssrModel) max = open_good ("good-bias-max.safetensors");
  g_assert_nonnull (max);
}

static void
test_no_file (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (dssr_model_open ("/no/such/file", &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

/* Every length that a file can be cut to, and no two bytes aligned. */
static void
test_truncated (void)
{
  g_autofree char *path = g_build_filename (corpus, "good.safetensors", NULL);
  g_autofree char *content = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (path, &content, &length, NULL));

  for (gsize cut = 0; cut < length; cut += 1 + cut / 64) {
    g_autofree char *copy = g_malloc (cut + 1);
    memcpy (copy + 1, content, cut);
    g_autoptr (GBytes) bytes = g_bytes_new_static (copy + 1, cut);
    g_autoptr (GError) error = NULL;
    g_assert_null (dssr_model_new_from_bytes (bytes, &error));
    g_assert_error (error, DSSR_ERROR, DSSR_ERROR_MODEL);
  }
  g_autofree char *copy = g_malloc (length + 1);
  memcpy (copy + 1, content, length);
  g_autoptr (GBytes) bytes = g_bytes_new_static (copy + 1, length);
  g_autoptr (DssrModel) model = dssr_model_new_from_bytes (bytes, NULL);
  g_assert_nonnull (model);
}

static void
test_broken (gconstpointer data)
{
  const char *const *line = data;
  g_autofree char *file = g_strconcat (line[0], ".safetensors", NULL);
  g_autofree char *path = g_build_filename (corpus, file, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_null (dssr_model_open (path, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_MODEL);
  if (!strstr (error->message, line[1]))
    g_error (
        "%s: \"%s\" does not say \"%s\"", line[0], error->message, line[1]);
  /* A message is for people, whatever the file holds. */
  g_assert_cmpuint (strlen (error->message), <, strlen (path) + 400);
  g_assert_null (strchr (error->message, '\n'));
  g_assert_null (strchr (error->message, '\x1b'));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  corpus = argv[1];

  g_test_add_func ("/model/good", test_good);
  g_test_add_func ("/model/published", test_published);
  g_test_add_func ("/model/sparse", test_sparse);
  g_test_add_func ("/model/macs", test_macs);
  g_test_add_func ("/model/bias", test_bias);
  g_test_add_func ("/model/no-file", test_no_file);
  g_test_add_func ("/model/truncated", test_truncated);

  g_autofree char *path = g_build_filename (corpus, "EXPECTED.tsv", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (g_strchomp (text), "\n", -1);
  g_autoptr (GPtrArray) cases =
      g_ptr_array_new_with_free_func ((GDestroyNotify)g_strfreev);
  for (int i = 0; lines[i]; i++) {
    char **line = g_strsplit (lines[i], "\t", 2);
    g_autofree char *name = g_strconcat ("/model/broken/", line[0], NULL);
    g_ptr_array_add (cases, line);
    g_test_add_data_func (name, line, test_broken);
  }
  g_assert_cmpuint (cases->len, >=, 40);
  return g_test_run ();
}
