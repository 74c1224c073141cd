/* The session: the same bytes in whatever way they are computed, the window and
 * its edges, ownership of frames, and what is refused.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <string.h>

#define NUMBERS(...) ((const int[]){__VA_ARGS__, END})

static Stream
make_stream (const char *model, int width, int height)
{
  Stream stream = {.model = model, .config = DSSR_SESSION_CONFIG_INIT};
  stream.config.threads = 1;
  stream.config.format = (DssrFormat){
      .width = width,
      .height = height,
      .depth = 8,
      .chroma = strstr (model, "rgb") ? DSSR_CHROMA_RGB : DSSR_CHROMA_420,
  };
  return stream;
}

static DssrSession *
start (const Stream *stream)
{
  g_autoptr (DssrModel) model = load_model (stream->model);
  g_autoptr (GError) error = NULL;
  DssrSession *session = dssr_session_new (model, &stream->config, &error);
  g_assert_no_error (error);
  return session;
}

/* Room for an enlarged picture. */
static Image *
make_enlarged (const Stream *stream, int scale)
{
  DssrFormat format = stream->config.format;
  format.width *= scale;
  format.height *= scale;
  return image_new (&format, &stream->layout);
}

/* ---- The same bytes ---- */

static void
test_threads_and_bands (gconstpointer model)
{
  Stream stream = make_stream (model, 37, 29);
  g_autoptr (GPtrArray) one = stream_run (&stream, NUMBERS (0, 1, 2));
  g_assert_cmpuint (one->len, ==, 3);

  const int band_rows[] = {0, 1, 2, 3, 4, 5, 7, 8, 11, 16, 1000};
  for (int threads = 1; threads <= 8; threads += g_test_slow () ? 1 : 3) {
    for (guint i = 0; i < G_N_ELEMENTS (band_rows); i++) {
      stream.config.threads = threads;
      stream.config.band_rows = band_rows[i];
      g_autoptr (GPtrArray) other = stream_run (&stream, NUMBERS (0, 1, 2));
      assert_all_same (one, other);
    }
  }
  stream.config.threads = 3;
  stream.config.backend = DSSR_BACKEND_SCALAR;
  g_autoptr (GPtrArray) scalar = stream_run (&stream, NUMBERS (0, 1, 2));
  assert_all_same (one, scalar);
  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (GPtrArray) cpu = stream_run (&stream, NUMBERS (0, 1, 2));
  assert_all_same (one, cpu);
}

/* The same after all that makes features anew or uses their slots again. */
static void
test_threads_and_turns (void)
{
  const int turns[] = {
      0, 1, 2, 3, RESET, 4, 5, DRAIN, 6, SWITCH, 7, 8, 9, SWITCH, 10, 11, END};
  Stream stream = make_stream ("x2", 23, 31);
  stream.other = "x2-window5";
  stream.base_from = 7;
  stream.base_to = 8;
  g_autoptr (GPtrArray) one = stream_run (&stream, turns);

  for (int threads = 2; threads <= 8; threads += 3) {
    for (int band_rows = 0; band_rows <= 9; band_rows += 3) {
      stream.config.threads = threads;
      stream.config.band_rows = band_rows;
      g_autoptr (GPtrArray) other = stream_run (&stream, turns);
      assert_all_same (one, other);
    }
  }
}

static void
test_layouts (void)
{
  const Layout layouts[] = {
      {.padding = 13},
      {.interleaved = TRUE},
      {.padding = 6, .interleaved = TRUE, .bottom_up = TRUE},
  };
  const int depths[] = {8, 10, 12};

  for (guint d = 0; d < G_N_ELEMENTS (depths); d++) {
    Stream stream = make_stream ("x2", 19, 15);
    stream.config.format.depth = depths[d];
    g_autoptr (GPtrArray) plain = stream_run (&stream, NUMBERS (0, 1));
    for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
      stream.layout = layouts[i];
      stream.config.format.shift = depths[d] > 8 ? 16 - depths[d] : 0;
      g_autoptr (GPtrArray) other = stream_run (&stream, NUMBERS (0, 1));
      assert_all_same (plain, other);
    }
  }
}

static void
test_small (gconstpointer model)
{
  const int sizes[][2] = {{1, 1}, {1, 9}, {2, 1}, {2, 3}, {3, 3}, {5, 2}};
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (int chroma = DSSR_CHROMA_NONE; chroma <= DSSR_CHROMA_RGB; chroma++) {
      Stream stream = make_stream (model, sizes[i][0], sizes[i][1]);
      if ((stream.config.format.chroma == DSSR_CHROMA_RGB)
          != (chroma == DSSR_CHROMA_RGB))
        continue;
      stream.config.format.chroma = chroma;
      g_autoptr (GPtrArray) one = stream_run (&stream, NUMBERS (0, 1, 2));
      g_assert_cmpuint (one->len, ==, 3);
      stream.config.threads = 3;
      stream.config.band_rows = 1;
      stream.config.backend = DSSR_BACKEND_SCALAR;
      g_autoptr (GPtrArray) two = stream_run (&stream, NUMBERS (0, 1, 2));
      assert_all_same (one, two);
    }
  }
}

/* A network without residual makes the bicubic base, and pull_base nothing
 * else; a network with one does not. */
static void
test_base (void)
{
  Stream stream = make_stream ("x2-zero", 21, 18);
  g_autoptr (GPtrArray) network = stream_run (&stream, NUMBERS (0, 1));
  stream.base_to = 2;
  g_autoptr (GPtrArray) base = stream_run (&stream, NUMBERS (0, 1));
  assert_all_same (network, base);
  stream.model = "x2";
  g_autoptr (GPtrArray) other = stream_run (&stream, NUMBERS (0, 1));
  assert_all_same (network, other);
  stream.base_to = 0;
  g_autoptr (GPtrArray) real = stream_run (&stream, NUMBERS (0, 1));
  g_assert_false (g_bytes_equal (real->pdata[0], base->pdata[0]));
}

/* What a network of RGB without residual makes is each plane enlarged by linear
 * interpolation. */
static void
test_linear_base (void)
{
  const Stream stream = make_stream ("x2-rgb-zero", 13, 10);
  g_autoptr (GPtrArray) run = stream_run (&stream, NUMBERS (4));
  g_autoptr (GByteArray) expected = g_byte_array_new ();
  g_autoptr (Image) small = image_new (&stream.config.format, &stream.layout);
  g_autoptr (Image) enlarged = make_enlarged (&stream, 2);

  image_draw (small, 4);
  for (int plane = 0; plane < 3; plane++) {
    for (int y = 0; y < 20; y++) {
      for (int x = 0; x < 26; x++) {
        /* A quarter of the next sample, three of the nearest. */
        int sum = 0;
        for (int i = 0; i < 4; i++) {
          int sx = x / 2 + (i & 1 ? (x & 1 ? 1 : -1) : 0);
          int sy = y / 2 + (i & 2 ? (y & 1 ? 1 : -1) : 0);
          int weight = (i & 1 ? 1 : 3) * (i & 2 ? 1 : 3);
          sum +=
              weight
              * image_get (small, plane, CLAMP (sx, 0, 12), CLAMP (sy, 0, 9));
        }
        image_set (enlarged, plane, x, y, (sum + 8) >> 4);
      }
    }
  }
  image_append (enlarged, expected);
  g_assert_cmpmem (expected->data, expected->len,
      g_bytes_get_data (run->pdata[0], NULL), g_bytes_get_size (run->pdata[0]));
}

/* ---- The window ---- */

/* The window of a frame decides its output, so an edge equals the middle of a
 * stream that repeats frames. */
static void
test_edges (void)
{
  Stream stream = make_stream ("x2", 24, 20);
  g_autoptr (GPtrArray) run = stream_run (&stream, NUMBERS (0, 1, 2));
  g_autoptr (GPtrArray) first = stream_run (&stream, NUMBERS (0, 0, 1));
  g_autoptr (GPtrArray) last = stream_run (&stream, NUMBERS (1, 2, 2));
  assert_same (run, 0, first, 1);
  assert_same (run, 2, last, 1);
  /* And the frames around do count. */
  g_assert_false (g_bytes_equal (run->pdata[1], last->pdata[0]));

  g_autoptr (GPtrArray) alone = stream_run (&stream, NUMBERS (3));
  g_autoptr (GPtrArray) still = stream_run (&stream, NUMBERS (3, 3, 3));
  g_assert_cmpuint (alone->len, ==, 1);
  assert_same (alone, 0, still, 1);

  stream.config.lookahead = 0;
  g_autoptr (GPtrArray) direct = stream_run (&stream, NUMBERS (0, 1, 2));
  g_autoptr (GPtrArray) twice = stream_run (&stream, NUMBERS (0, 1, 1));
  stream.config.lookahead = 1;
  g_autoptr (GPtrArray) repeated = stream_run (&stream, NUMBERS (0, 1, 1));
  assert_same (direct, 1, twice, 1);
  assert_same (direct, 1, repeated, 1);
}

static void
test_wide_window (void)
{
  Stream stream = make_stream ("x2-window5", 24, 20);
  stream.config.lookahead = 2;
  g_autoptr (GPtrArray) run = stream_run (&stream, NUMBERS (0, 1, 2, 3, 3));
  g_autoptr (GPtrArray) first = stream_run (&stream, NUMBERS (2, 2, 2, 3, 4));
  g_autoptr (GPtrArray) start = stream_run (&stream, NUMBERS (2, 3, 4));
  assert_same (first, 2, start, 0);
  stream.config.lookahead = 1;
  g_autoptr (GPtrArray) less = stream_run (&stream, NUMBERS (0, 1, 2, 3, 9));
  assert_same (run, 2, less, 2);
  /* A look-ahead beyond the window asks for no more than the window. */
  stream.config.lookahead = 100;
  g_autoptr (GPtrArray) more = stream_run (&stream, NUMBERS (0, 1, 2, 3, 3));
  assert_all_same (run, more);

  stream = make_stream ("x2-window1", 24, 20);
  g_autoptr (GPtrArray) single = stream_run (&stream, NUMBERS (0, 1, 2));
  g_autoptr (GPtrArray) other = stream_run (&stream, NUMBERS (2, 1, 0));
  assert_same (single, 1, other, 1);
  assert_same (single, 0, other, 2);
}

static void
test_stretches (void)
{
  for (int lookahead = 0; lookahead <= 1; lookahead++) {
    Stream stream = make_stream ("x2", 24, 20);
    stream.config.lookahead = lookahead;
    g_autoptr (GPtrArray) a = stream_run (&stream, NUMBERS (0, 1));
    g_autoptr (GPtrArray) b = stream_run (&stream, NUMBERS (5, 6, 7));
    g_autoptr (GPtrArray) both =
        stream_run (&stream, NUMBERS (0, 1, DRAIN, DRAIN, 5, 6, 7));
    g_assert_cmpuint (both->len, ==, 5);
    assert_same (a, 1, both, 1);
    for (guint i = 0; i < 3; i++)
      assert_same (b, i, both, 2 + i);

    g_autoptr (GPtrArray) reset =
        stream_run (&stream, NUMBERS (0, 1, RESET, RESET, 5, 6, 7));
    g_assert_cmpuint (reset->len, ==, 5 - (guint)lookahead);
    for (guint i = 0; i < 3; i++)
      assert_same (b, i, reset, reset->len - 3 + i);
  }
}

static void
test_base_keeps_history (void)
{
  Stream stream = make_stream ("x2", 24, 20);
  g_autoptr (GPtrArray) run = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));
  stream.base_from = 1;
  stream.base_to = 3;
  g_autoptr (GPtrArray) late = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));
  assert_same (run, 0, late, 0);
  g_assert_false (g_bytes_equal (run->pdata[1], late->pdata[1]));
  assert_same (run, 3, late, 3);
  assert_same (run, 4, late, 4);
}

static void
test_switch (void)
{
  Stream stream = make_stream ("x2", 24, 20);
  g_autoptr (GPtrArray) a = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));
  stream.model = "x2-other";
  g_autoptr (GPtrArray) b = stream_run (&stream, NUMBERS (0, 1, 2, 3, 4));
  stream.model = "x2";
  stream.other = "x2-other";
  g_autoptr (GPtrArray) switched =
      stream_run (&stream, NUMBERS (0, 1, 2, SWITCH, 3, 4));
  assert_same (a, 1, switched, 1);
  for (guint i = 2; i < 5; i++) {
    assert_same (b, i, switched, i);
    g_assert_false (g_bytes_equal (a->pdata[i], b->pdata[i]));
  }
}

/* Windows of other lengths: no frame is lost, and when the history is long
 * enough nothing remembers the switch. */
static void
test_switch_window (void)
{
  const char *const models[] = {"x2-window1", "x2", "x2-window5"};
  for (guint from = 0; from < 3; from++) {
    for (guint to = 0; to < 3; to++) {
      Stream stream = make_stream (models[to], 24, 20);
      stream.config.lookahead = 2;
      g_autoptr (GPtrArray) all =
          stream_run (&stream, NUMBERS (0, 1, 2, 3, 4, 5, 6, 7));
      stream.model = models[from];
      stream.other = models[to];
      g_autoptr (GPtrArray) switched =
          stream_run (&stream, NUMBERS (0, 1, 2, SWITCH, 3, 4, 5, 6, 7));
      g_assert_cmpuint (switched->len, ==, 8);
      for (guint i = 5; i < 8; i++)
        assert_same (all, i, switched, i);
    }
  }
}

/* ---- Contrast ---- */

/* Between two frames and back: chroma and the history know nothing of it. */
static void
test_contrast_switch (void)
{
  Stream stream = make_stream ("x2", 24, 20);
  g_autoptr (GPtrArray) plain =
      stream_run (&stream, NUMBERS (0, 1, 2, 3, 4, 5));
  g_autoptr (GPtrArray) high =
      stream_run (&stream, NUMBERS (0, 1, HIGH, 2, 3, NORMAL, 4, 5));
  const gsize luma = 2 * 4 * 24 * 20;

  g_assert_cmpuint (high->len, ==, 6);
  for (guint i = 0; i < 6; i++) {
    const guint8 *a = g_bytes_get_data (plain->pdata[i], NULL);
    gsize size;
    const guint8 *b = g_bytes_get_data (high->pdata[i], &size);
    g_assert_cmpint (memcmp (a, b, luma) == 0, ==, i != 2 && i != 3);
    g_assert_cmpmem (a + luma, size - luma, b + luma, size - luma);
  }
}

/* The same bytes however they are computed, a late frame's too: where the
 * network draws nothing, that is the base. */
static void
check_contrast (const char *model, int depth, DssrChroma chroma, gboolean full)
{
  Stream stream = make_stream (model, 37, 29);
  stream.config.format.depth = depth;
  stream.config.format.chroma = chroma;
  stream.config.format.full_range = full;
  stream.config.backend = DSSR_BACKEND_SCALAR;
  g_autoptr (GPtrArray) contract =
      stream_run (&stream, NUMBERS (HIGH, 0, 1, 2));

  stream.config.backend = DSSR_BACKEND_CPU;
  for (int threads = 1; threads <= 3; threads++) {
    stream.config.threads = threads;
    stream.config.band_rows = 3 * (threads - 1);
    g_autoptr (GPtrArray) cpu = stream_run (&stream, NUMBERS (HIGH, 0, 1, 2));
    assert_all_same (contract, cpu);
  }
  if (!g_str_equal (model, "x2-zero"))
    return;
  stream.base_to = 3;
  g_autoptr (GPtrArray) base = stream_run (&stream, NUMBERS (HIGH, 0, 1, 2));
  assert_all_same (contract, base);
}

static void
test_contrast (void)
{
  check_contrast ("x2", 8, DSSR_CHROMA_420, FALSE);
  check_contrast ("x4", 10, DSSR_CHROMA_NONE, TRUE);
  check_contrast ("x2-zero", 8, DSSR_CHROMA_420, FALSE);
  check_contrast ("x2-zero", 8, DSSR_CHROMA_444, TRUE);
  check_contrast ("x2-zero", 12, DSSR_CHROMA_422, FALSE);
  check_contrast ("x2-rgb-zero", 8, DSSR_CHROMA_RGB, FALSE);
  check_contrast ("x2-rgb", 8, DSSR_CHROMA_RGB, FALSE);
}

/* Luma of a flat picture: black, a middle, white, and what is beyond them. */
static int
flat_luma (int depth, gboolean full, int value)
{
  Stream stream = make_stream ("x2-zero", 20, 12);
  stream.config.format.depth = depth;
  stream.config.format.full_range = full;
  g_autoptr (DssrSession) session = start (&stream);
  g_autoptr (Image) in = image_new (&stream.config.format, &stream.layout);
  g_autoptr (Image) out = make_enlarged (&stream, 2);
  g_autoptr (GError) error = NULL;

  for (int plane = 0; plane < 3; plane++)
    for (int y = 0; y < image_height (in, plane); y++)
      for (int x = 0; x < image_width (in, plane); x++)
        image_set (in, plane, x, y, value);
  dssr_session_set_contrast (session, TRUE);
  g_assert_true (dssr_session_push (session, &in->picture, in, NULL, &error));
  dssr_session_drain (session);
  g_assert_true (dssr_session_pull (session, &out->picture, &error));
  return image_get (out, 0, 17, 9);
}

static void
test_contrast_range (void)
{
  const int kept[] = {1, 16, 235, 250};

  for (guint i = 0; i < G_N_ELEMENTS (kept); i++) {
    g_assert_cmpint (flat_luma (8, FALSE, kept[i]), ==, kept[i]);
    g_assert_cmpint (flat_luma (10, FALSE, 4 * kept[i]), ==, 4 * kept[i]);
  }
  /* An eighth of the range more in the middle. */
  g_assert_cmpint (flat_luma (8, FALSE, 125), ==, 125 + 27);
  g_assert_cmpint (flat_luma (8, TRUE, 127), ==, 127 + 32);
  g_assert_cmpint (flat_luma (8, TRUE, 0), ==, 0);
  g_assert_cmpint (flat_luma (8, TRUE, 255), ==, 255);
  g_assert_cmpint (flat_luma (12, TRUE, 4095), ==, 4095);
  g_assert_cmpint (flat_luma (8, TRUE, 16), >, 16);
}

/* ---- Chroma ---- */

/* Where the enlarged samples of a ramp lie tells the siting. */
static void
check_siting (
    const char *name, int scale, DssrFormat format, int phase_x, int phase_y)
{
  Stream stream = make_stream (name, format.width, format.height);
  stream.config.format = format;
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrSession) session = start (&stream);
  g_autoptr (Image) in = image_new (&format, &stream.layout);
  g_autoptr (Image) out = make_enlarged (&stream, scale);
  /* Steps of 8 for each pixel of the enlarged picture, of 4 each way in luma.
   */
  for (int plane = 0; plane < 3; plane++) {
    for (int y = 0; y < image_height (in, plane); y++) {
      for (int x = 0; x < image_width (in, plane); x++) {
        const int ramps[] = {4 * (x + y), 8 * x, 8 * y};
        image_set (in, plane, x, y, scale * ramps[plane]);
      }
    }
  }
  g_assert_true (dssr_session_push (session, &in->picture, in, NULL, &error));
  dssr_session_drain (session);
  g_assert_true (dssr_session_pull_base (session, &out->picture, &error));
  for (int i = 2 * scale; i < scale * (image_height (in, 0) - 2); i++)
    g_assert_cmpint (
        image_get (out, 0, 9, i), ==, 4 * (i + 9) - (scale == 2 ? 4 : 12));
  for (int i = 2 * scale; i < scale * (image_width (in, 1) - 2); i++)
    g_assert_cmpint (image_get (out, 1, i, 9), ==, 8 * i + scale * phase_x / 2);
  for (int i = 2 * scale; i < scale * (image_height (in, 2) - 2); i++)
    g_assert_cmpint (image_get (out, 2, 9, i), ==, 8 * i + scale * phase_y / 2);
}

static void
test_siting (void)
{
  for (int scale = 2; scale <= 4; scale += 2) {
    const char *name = scale == 2 ? "x2" : "x4";
    int centred = scale == 2 ? -4 : -6, cosited = scale == 2 ? -2 : -3;
    DssrFormat format = {
        .width = 24, .height = 24, .depth = 10, .chroma = DSSR_CHROMA_420};
    check_siting (name, scale, format, centred, centred);
    format.cosited_x = TRUE;
    check_siting (name, scale, format, cosited, centred);
    format.cosited_y = TRUE;
    check_siting (name, scale, format, cosited, cosited);
    format.chroma = DSSR_CHROMA_422;
    check_siting (name, scale, format, cosited, centred);
    format.chroma = DSSR_CHROMA_444;
    check_siting (name, scale, format, centred, centred);
  }
}

/* ---- Frames and their owners ---- */

static void
test_release (void)
{
  Stream stream = make_stream ("x2", 16, 16);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrSession) session = start (&stream);
  Image *images[6];
  for (int i = 0; i < 6; i++)
    images[i] = image_new (&stream.config.format, &stream.layout);
  g_autoptr (Image) out = make_enlarged (&stream, 2);

  for (int i = 0; i < 5; i++) {
    g_assert_true (dssr_session_push (
        session, &images[i]->picture, images[i], image_release, &error));
    /* The window's three frames are held and no more. */
    for (int j = 0; j < 5; j++)
      g_assert_cmpint (images[j]->released, ==, j < i - 2);
    g_assert_true (dssr_session_peek (session) == (i ? images[i - 1] : NULL));
    if (i > 0)
      g_assert_true (dssr_session_pull (session, &out->picture, &error));
  }
  dssr_session_reset (session);
  for (int i = 0; i < 5; i++)
    g_assert_cmpint (images[i]->released, ==, 1);
  g_assert_null (dssr_session_peek (session));

  /* A frame that was pulled is there until the next drain. */
  g_assert_true (dssr_session_push (
      session, &images[5]->picture, images[5], image_release, &error));
  dssr_session_drain (session);
  g_assert_true (dssr_session_pull (session, &out->picture, &error));
  g_assert_cmpint (images[5]->released, ==, 0);
  dssr_session_drain (session);
  g_assert_cmpint (images[5]->released, ==, 1);
  for (int i = 0; i < 6; i++)
    image_free (images[i]);
}

static void
test_out_of_turn (void)
{
  Stream stream = make_stream ("x2", 16, 16);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrSession) session = start (&stream);
  g_autoptr (Image) in = image_new (&stream.config.format, &stream.layout);
  g_autoptr (Image) out = make_enlarged (&stream, 2);

  g_assert_false (dssr_session_pull (session, &out->picture, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
  g_clear_error (&error);

  for (int i = 0; i < 2; i++)
    g_assert_true (
        dssr_session_push (session, &in->picture, in, image_release, &error));
  g_assert_false (
      dssr_session_push (session, &in->picture, in, image_release, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
  g_assert_cmpint (in->released, ==, 0);
  g_clear_error (&error);
  g_assert_true (dssr_session_pull_base (session, &out->picture, &error));

  DssrPicture bad[4];
  for (int i = 0; i < 4; i++)
    bad[i] = in->picture;
  bad[0].planes[2].data = NULL;
  bad[1].planes[0].stride = 15;
  bad[2].planes[1].step = 0;
  bad[3].planes[1].stride = 0;
  for (int i = 0; i < 4; i++) {
    g_assert_false (
        dssr_session_push (session, &bad[i], in, image_release, &error));
    g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
    g_clear_error (&error);
  }
  dssr_session_drain (session);
  g_assert_false (dssr_session_pull (session, &in->picture, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);

  DssrStats stats;
  dssr_session_get_stats (session, &stats);
  g_assert_cmpuint (stats.frames_in, ==, 2);
  g_assert_cmpuint (stats.frames_out, ==, 1);
  g_clear_pointer (&session, dssr_session_free); /* before its frames */
}

static void
test_refused (void)
{
  static const struct {
    int width, height, depth, shift, chroma;
    const char *message;
  } cases[] = {
      {0, 16, 8, 0, 0, "0x16"},
      {16, 0, 8, 0, 0, "16x0"},
      {-5, 16, 8, 0, 0, "-5x16"},
      {G_MAXINT, G_MAXINT, 8, 0, 0, "larger than 8192x8192"},
      {4097, 16, 8, 0, 0, "4097x16 enlarged 2 times is larger"},
      {16, 4097, 8, 0, 0, "at most 4096"},
      {16, 16, 7, 0, 0, "7 bits"},
      {16, 16, 13, 0, 0, "13 bits"},
      {16, 16, 8, 1, 0, "shifted by 1"},
      {16, 16, 10, 7, 0, "shifted by 7"},
      {16, 16, 10, -1, 0, "shifted by -1"},
      {16, 16, 8, 0, DSSR_CHROMA_RGB, "the picture is RGB"},
      {16, 16, 8, 0, DSSR_CHROMA_RGB + 1, "chroma"},
  };
  g_autoptr (DssrModel) model = load_model ("x2");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
    config.format = (DssrFormat){
        .width = cases[i].width,
        .height = cases[i].height,
        .depth = cases[i].depth,
        .shift = cases[i].shift,
        .chroma = cases[i].chroma,
    };
    g_assert_null (dssr_session_new (model, &config, &error));
    g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
    if (!strstr (error->message, cases[i].message))
      g_error ("\"%s\" has no \"%s\"", error->message, cases[i].message);
    g_clear_error (&error);
  }

  for (int i = 0; i < 4; i++) {
    Stream stream = make_stream ("x2", 16, 16);
    stream.config.threads = i == 0 ? -1 : i == 1 ? 65 : 1;
    stream.config.lookahead = i == 2 ? -1 : 1;
    stream.config.band_rows = i == 3 ? -1 : 0;
    g_assert_null (dssr_session_new (model, &stream.config, &error));
    g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
    g_clear_error (&error);
  }

  Stream stream = make_stream ("x2", 16, 16);
  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.config.device = "/nonexistent";
  g_assert_null (dssr_session_new (model, &stream.config, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND);
  g_clear_error (&error);

  stream.config.backend = DSSR_BACKEND_AUTO;
  g_autoptr (DssrSession) session =
      dssr_session_new (model, &stream.config, &error);
  g_autoptr (DssrModel) other = load_model ("x4");
  g_assert_null (dssr_session_prepare_model (session, other, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
  g_clear_error (&error);

  g_autoptr (DssrModel) rgb = load_model ("x2-rgb");
  g_assert_null (dssr_session_prepare_model (session, rgb, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
  g_clear_error (&error);
  g_assert_null (dssr_session_new (rgb, &stream.config, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT);
}

static void
test_stats (void)
{
  Stream stream = make_stream ("x2", 16, 16);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrModel) model = load_model ("x2");
  stream.config.threads = 3;
  stream.config.backend = DSSR_BACKEND_SCALAR;
  g_autoptr (DssrSession) session =
      dssr_session_new (model, &stream.config, &error);
  DssrStats stats;
  dssr_session_get_stats (session, &stats);
  g_assert_cmpuint (stats.frames_in, ==, 0);
  g_assert_cmpfloat (stats.mean_ms, ==, 0);
  g_assert_cmpint (stats.latency, ==, 1);
  g_assert_cmpint (stats.threads, ==, 3);
  g_assert_cmpstr (stats.backend, ==, "scalar");
  g_assert_cmpuint (stats.memory, >, 16 * 16);

  const struct {
    const char *model;
    int lookahead, latency;
  } cases[] = {{"x2", 0, 0}, {"x2", 2, 1}, {"x2-window1", 1, 0},
      {"x2-window5", 1, 1}, {"x2-window5", 2, 2}};
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (DssrModel) one = load_model (cases[i].model);
    stream.config.lookahead = cases[i].lookahead;
    stream.config.threads = 0;
    g_autoptr (DssrSession) made =
        dssr_session_new (one, &stream.config, &error);
    g_assert_cmpint (dssr_session_get_latency (made), ==, cases[i].latency);
    dssr_session_get_stats (made, &stats);
    g_assert_cmpint (stats.threads, ==, MIN (64, (int)g_get_num_processors ()));
  }
}

/* A pull spends time on every part of the work, pull_base on the base alone. */
static void
test_times (void)
{
  Stream stream = make_stream ("x2", 40, 40);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrSession) session = start (&stream);
  g_autoptr (Image) in = image_new (&stream.config.format, &stream.layout);
  g_autoptr (Image) out = make_enlarged (&stream, 2);
  DssrStats stats;

  g_assert_true (dssr_session_push (session, &in->picture, in, NULL, &error));
  dssr_session_drain (session);
  g_assert_true (dssr_session_pull_base (session, &out->picture, &error));
  dssr_session_get_stats (session, &stats);
  for (int i = 0; i < DSSR_N_TIMES; i++)
    g_assert_cmpint (stats.time_ns[i] > 0, ==, i == DSSR_TIME_BASE);

  guint64 base = stats.time_ns[DSSR_TIME_BASE];
  g_assert_true (dssr_session_push (session, &in->picture, in, NULL, &error));
  dssr_session_drain (session);
  g_assert_true (dssr_session_pull (session, &out->picture, &error));
  dssr_session_get_stats (session, &stats);
  guint64 sum = 0;
  for (int i = 0; i < DSSR_N_TIMES; i++) {
    if (i != DSSR_TIME_WAIT)
      g_assert_cmpuint (stats.time_ns[i], >, 0);
    sum += stats.time_ns[i];
  }
  g_assert_cmpuint (stats.time_ns[DSSR_TIME_BASE], >, base);
  /* One thread: no more than the calls took. */
  g_assert_cmpfloat ((double)sum / 1e6, <=, 2 * stats.mean_ms + 0.01);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  const char *const models[] = {"x2", "x2-other", "x2-zero", "x2-window1",
      "x2-window5", "x2-sparse4", "x2-unshuffle", "x2-cascade", "x2-follow",
      "x2-follow5", "x4", "x4-sparse8", "x2-rgb", "x4-rgb"};
  for (guint i = 0; i < G_N_ELEMENTS (models); i++) {
    g_autofree char *name =
        g_strconcat ("/session/threads-and-bands/", models[i], NULL);
    g_test_add_data_func (name, models[i], test_threads_and_bands);
    g_autofree char *small = g_strconcat ("/session/small/", models[i], NULL);
    g_test_add_data_func (small, models[i], test_small);
  }
  g_test_add_func ("/session/threads-and-turns", test_threads_and_turns);
  g_test_add_func ("/session/layouts", test_layouts);
  g_test_add_func ("/session/base", test_base);
  g_test_add_func ("/session/linear-base", test_linear_base);
  g_test_add_func ("/session/edges", test_edges);
  g_test_add_func ("/session/wide-window", test_wide_window);
  g_test_add_func ("/session/stretches", test_stretches);
  g_test_add_func ("/session/base-keeps-history", test_base_keeps_history);
  g_test_add_func ("/session/switch", test_switch);
  g_test_add_func ("/session/switch-window", test_switch_window);
  g_test_add_func ("/session/contrast", test_contrast);
  g_test_add_func ("/session/contrast-switch", test_contrast_switch);
  g_test_add_func ("/session/contrast-range", test_contrast_range);
  g_test_add_func ("/session/siting", test_siting);
  g_test_add_func ("/session/release", test_release);
  g_test_add_func ("/session/out-of-turn", test_out_of_turn);
  g_test_add_func ("/session/refused", test_refused);
  g_test_add_func ("/session/stats", test_stats);
  g_test_add_func ("/session/times", test_times);
  return g_test_run ();
}
