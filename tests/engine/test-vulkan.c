/* Sessions on a GPU: the same bytes as the CPU's, whatever happens to the GPU.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <glib/gstdio.h>
#include <string.h>

#define NUMBERS(...) ((const int[]){__VA_ARGS__, END})

static const int turns[] = {
    0, 1, 2, 3, RESET, 4, 5, DRAIN, 6, SWITCH, 7, 8, 9, SWITCH, 10, 11, END};

static void
check_same (Stream stream, const int *numbers)
{
  DssrStats stats;
  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (GPtrArray) cpu = stream_run (&stream, numbers);
  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.stats = &stats;
  g_autoptr (GPtrArray) gpu = stream_run (&stream, numbers);
  assert_all_same (cpu, gpu);
  g_assert_true (g_str_has_prefix (stats.backend, "vulkan ("));
  g_assert_null (stats.fallback);
}

static Stream
rgb_stream_of (const char *model, int width, int height)
{
  Stream stream = stream_of (model, width, height);
  stream.config.format.chroma = DSSR_CHROMA_RGB;
  return stream;
}

static void
test_model (gconstpointer model)
{
  gboolean rgb = strstr (model, "rgb") != NULL;
  check_same (
      (rgb ? rgb_stream_of : stream_of) (model, 37, 29), NUMBERS (0, 1, 2, 3));
}

/* The models that dssr comes with. */
static void
test_shipped (void)
{
  const char *folder = g_getenv ("DSSR_SHIPPED_MODELS");
  g_autofree char *others = g_strdup (g_getenv ("DSSR_TEST_MODELS"));
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  int n = 0;

  g_assert_nonnull (dir);
  g_setenv ("DSSR_TEST_MODELS", folder, TRUE);
  while ((name = g_dir_read_name (dir))) {
    if (!g_str_has_suffix (name, ".safetensors"))
      continue;
    g_autofree char *stem =
        g_strndup (name, strlen (name) - strlen (".safetensors"));
    check_same (stream_of (stem, 26, 18), NUMBERS (0, 1, 2));
    n++;
  }
  g_setenv ("DSSR_TEST_MODELS", others, TRUE);
  g_assert_cmpint (n, >, 0);
}

static void
test_small (void)
{
  const int sizes[][2] = {{1, 1}, {1, 9}, {2, 1}, {2, 3}, {3, 3}, {5, 2}};
  for (int i = 0; i < (int)G_N_ELEMENTS (sizes); i++) {
    Stream stream = stream_of (i & 1 ? "x4" : "x2", sizes[i][0], sizes[i][1]);
    stream.config.format.chroma = DSSR_CHROMA_444 - i % 4;
    check_same (stream, NUMBERS (0, 1, 2));
  }
}

/* Planar, NV12, P010 and more. */
static void
test_layouts (void)
{
  const Layout layouts[] = {
      {0},
      {.padding = 13},
      {.interleaved = TRUE},
      {.padding = 6, .interleaved = TRUE, .bottom_up = TRUE},
  };
  const struct {
    int depth, shift;
  } depths[] = {{8, 0}, {9, 0}, {10, 0}, {10, 6}, {12, 4}};

  for (guint i = 0; i < 10; i++) {
    Stream stream = stream_of (i & 2 ? "x4" : "x2", 19, 15);
    stream.config.format.depth = depths[i / 2].depth;
    stream.config.format.shift = depths[i / 2].shift;
    stream.config.format.cosited_x = i % 3 > 0;
    stream.config.format.cosited_y = i % 3 > 1;
    stream.layout = layouts[i % 4];
    check_same (stream, NUMBERS (0, 1));
  }
}

/* All that makes features anew or uses their slots again. */
static void
test_turns (void)
{
  for (int lookahead = 0; lookahead <= 2; lookahead++) {
    Stream stream = stream_of ("x2", 23, 31);
    stream.config.lookahead = lookahead;
    stream.other = "x2-window5";
    stream.base_from = 3;
    stream.base_to = 5;
    check_same (stream, turns);
  }
}

/* High contrast, of late frames too. */
static void
test_contrast (void)
{
  for (int i = 0; i < 4; i++) {
    Stream stream = stream_of (i & 1 ? "x4" : "x2", 23, 31);
    stream.config.format.depth = i & 2 ? 10 : 8;
    stream.config.format.full_range = i & 1;
    stream.base_from = 2;
    stream.base_to = 4;
    stream.config.frames_in_flight = i;
    check_same (stream, NUMBERS (0, HIGH, 1, 2, 3, NORMAL, 4, 5, HIGH, 6));
  }
}

/* Averaged on the CPU, in memory of its own or that the GPU shares. */
static void
test_denoise (void)
{
  for (int i = 0; i < 4; i++) {
    Stream stream = stream_of (i & 1 ? "x4" : "x2", 83, 70);
    stream.config.format.depth = i & 2 ? 10 : 8;
    stream.config.frames_in_flight = i;
    stream.layout.alignment = 4;
    stream.shared = i & 1;
    stream.still = TRUE;
    stream.base_from = 4;
    stream.base_to = 5;
    check_same (stream, NUMBERS (DENOISE, 0, 1, 2, 3, 4, KEEP_NOISE, 5, DENOISE,
                            6, 7, 8, DRAIN, 9, 10));
  }
}

/* Features shifted on the GPU, by what the CPU found; in flight, with the same
 * slots and other pans. */
static void
test_pan (void)
{
  for (int i = 0; i < 4; i++) {
    Stream stream = stream_of (i & 1 ? "x2-follow5" : "x2-follow", 83, 70);
    stream.config.format.depth = i & 2 ? 10 : 8;
    stream.config.frames_in_flight = i;
    stream.config.lookahead = i & 1 ? 2 : 1;
    stream.layout.alignment = 4;
    stream.shared = i & 1;
    stream.pans = TRUE;
    stream.base_from = 3;
    stream.base_to = 4;
    check_same (stream, NUMBERS (0, 1, 2, 2, 2, 3, 4, LEAVE, 5, 6, FOLLOW, 7, 8,
                            DRAIN, 9, 100, 101));
  }
}

/* Three planes that the network sees: also where two of them alternate, in
 * memory that the GPU shares, late, with high contrast, in flight. */
static void
test_rgb (void)
{
  const Layout layouts[] = {
      {.alignment = 4},
      {.interleaved = TRUE},
      {.padding = 6, .bottom_up = TRUE},
      {.interleaved = TRUE, .alignment = 4},
  };

  for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
    Stream stream = rgb_stream_of (i & 2 ? "x4-rgb" : "x2-rgb", 19, 15);
    stream.config.format.depth = i & 1 ? 10 : 8;
    stream.config.frames_in_flight = (int)i;
    stream.layout = layouts[i];
    stream.shared = layouts[i].alignment > 0;
    stream.base_from = 1;
    stream.base_to = 3;
    check_same (stream, NUMBERS (0, HIGH, 1, 2, 3, DRAIN, NORMAL, 4, 5));
  }
}

/* Frames in flight: the same frames, later. */
static void
test_flights (void)
{
  for (int flights = 2; flights <= DSSR_MAX_FLIGHTS; flights++) {
    Stream stream = stream_of ("x2", 23, 31);
    stream.config.frames_in_flight = flights;
    stream.config.lookahead = flights % 3;
    stream.base_from = 4;
    stream.base_to = 6;
    check_same (stream, NUMBERS (0, 1, 2, 3, 4, 5, 6, 7, DRAIN, 8, 9, DRAIN, 10,
                            11, 12, 13, 14));
  }
}

/* A reset and another model, while frames are in flight that nobody will see.
 */
static void
test_cancelled_flights (void)
{
  Stream stream = stream_of ("x2", 23, 31);
  stream.other = "x2-window5";
  stream.config.backend = DSSR_BACKEND_CPU;
  g_autoptr (GPtrArray) before = stream_run (&stream, NUMBERS (0, 1));
  g_autoptr (GPtrArray) after = stream_run (&stream, NUMBERS (4, 5, 6, 7, 8));
  g_autoptr (GPtrArray) switched =
      stream_run (&stream, NUMBERS (0, 1, SWITCH, 2, 3, 4, 5, 6));

  stream.config.backend = DSSR_BACKEND_VULKAN;
  stream.config.frames_in_flight = 3;
  g_autoptr (GPtrArray) reset =
      stream_run (&stream, NUMBERS (0, 1, 2, 3, RESET, 4, 5, 6, 7, 8));
  g_autoptr (GPtrArray) made =
      stream_run (&stream, NUMBERS (0, 1, 2, 3, SWITCH, 4, 5, 6));
  assert_same (reset, 0, before, 0);
  g_assert_cmpuint (reset->len, ==, 1 + after->len);
  for (guint i = 0; i < after->len; i++)
    assert_same (reset, 1 + i, after, i);
  assert_all_same (made, switched);
}

/* ---- Failures ---- */

#define FRAMES 50

/* The same video through a GPU that fails, and through the contract. */
typedef struct {
  DssrSession *gpu, *contract;
  Image *out;
  GPtrArray *images, *expected;
  guint pulled;    /* from the GPU's session */
  DssrStats stats; /* of it */
} Film;

static DssrSession *
start_session (DssrModel *model, DssrBackend backend, int flights)
{
  Stream stream = stream_of ("x2", 12, 10);
  g_autoptr (GError) error = NULL;
  stream.config.backend = backend;
  stream.config.frames_in_flight = flights;
  DssrSession *session = dssr_session_new (model, &stream.config, &error);
  g_assert_no_error (error);
  return session;
}

static Film
film_new (const char *fault, int flights)
{
  g_autoptr (DssrModel) model = load_model ("x2");
  const DssrFormat format = stream_of ("x2", 24, 20).config.format;
  Film film = {
      .images = g_ptr_array_new_with_free_func ((GDestroyNotify)image_free),
      .expected =
          g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref),
      .out = image_new (&format, &(Layout){0}),
  };
  g_setenv ("DSSR_VULKAN_FAULT", fault, TRUE);
  film.gpu = start_session (model, DSSR_BACKEND_VULKAN, flights);
  g_unsetenv ("DSSR_VULKAN_FAULT");
  film.contract = start_session (model, DSSR_BACKEND_SCALAR, 0);
  g_assert_cmpint (dssr_session_get_latency (film.gpu), ==, flights);
  return film;
}

static void
film_clear (Film *film)
{
  dssr_session_free (film->gpu);
  dssr_session_free (film->contract);
  image_free (film->out);
  g_ptr_array_unref (film->images);
  g_ptr_array_unref (film->expected);
}

/* The next frame of a session, if there is one. */
static gboolean
film_pull (Film *film, DssrSession *session)
{
  g_autoptr (GError) error = NULL;
  if (!dssr_session_peek (session))
    return FALSE;
  dssr_session_pull (session, &film->out->picture, &error);
  g_assert_no_error (error);
  return TRUE;
}

/* The next frame into both sessions; what comes out is the same. */
static void
film_step (Film *film)
{
  g_autoptr (GError) error = NULL;
  const DssrFormat format = stream_of ("x2", 12, 10).config.format;
  Image *image = image_new (&format, &(Layout){0});
  image_draw (image, (int)film->images->len);
  g_ptr_array_add (film->images, image);
  dssr_session_push (
      film->contract, &image->picture, image, image_release, &error);
  g_assert_no_error (error);
  dssr_session_push (film->gpu, &image->picture, image, image_release, &error);
  g_assert_no_error (error);
  if (film_pull (film, film->contract))
    g_ptr_array_add (
        film->expected, g_bytes_new (film->out->memory, film->out->size));
  if (film_pull (film, film->gpu)) {
    guint number = film->pulled++;
    GBytes *expected = film->expected->pdata[number];
    if (memcmp (g_bytes_get_data (expected, NULL), film->out->memory,
            film->out->size)
        != 0)
      g_error ("frame %u differs", number);
  }
  dssr_session_get_stats (film->gpu, &film->stats);
}

static gboolean
is_on_gpu (const Film *film)
{
  gboolean on_gpu = g_str_has_prefix (film->stats.backend, "vulkan (");
  g_assert_true (on_gpu == (film->stats.fallback == NULL));
  return on_gpu;
}

/* A GPU that fails at a submission, and comes back: nobody can see it in the
 * pictures. */
static void
check_fault (const char *kind, int at, int flights)
{
  g_autofree char *fault = g_strdup_printf ("%s@%d", kind, at);
  Film film = film_new (fault, flights);
  gint64 deadline = g_get_monotonic_time () + 300 * G_TIME_SPAN_SECOND;
  int after = 0;

  g_test_message ("%s, %d in flight", fault, flights);
  do
    film_step (&film);
  while (is_on_gpu (&film));
  gint64 lost = g_get_monotonic_time ();
  /* What fails is waited for then, or cannot be submitted ahead of it. */
  g_assert_cmpint ((int)film.pulled, <=, at + 1);
  g_assert_cmpint ((int)film.pulled, >=, MAX (1, at + 2 - flights));
  while (film.pulled < FRAMES || after < 4) {
    film_step (&film);
    if (is_on_gpu (&film)) {
      /* Waits of 0.1, 0.2 and 0.4 s, of which the first two were in vain. */
      if (after++ == 0 && g_str_equal (kind, "missing"))
        g_assert_cmpint (g_get_monotonic_time () - lost, >=, 650000);
    } else {
      g_assert_cmpint (after, ==, 0); /* it does not fail again */
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_usleep (5000);
    }
  }
  film_clear (&film);
}

static void
test_faults (void)
{
  const char *const kinds[] = {"lost", "oom", "timeout", "missing"};

  /* Every submission, in one way; the first ones in all. */
  for (int at = 0; at < FRAMES; at++)
    for (int i = 0; i < (at < 4 ? 4 : 1); i++)
      check_fault (kinds[(at + i) % 4], at, 1);
  for (int at = 0; at < 12; at++)
    check_fault (kinds[at % 4], at, 2 + at % 3);
}

/* The model changes while the GPU is away, and once more when it is ready. */
static void
test_switch_without_gpu (void)
{
  g_autoptr (DssrModel) other = load_model ("x2-window5");
  g_autoptr (DssrModel) model = load_model ("x2");
  Film film = film_new ("lost@1", 1);

  for (int i = 0; i < 3; i++)
    film_step (&film);
  g_assert_false (is_on_gpu (&film));
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 2; j++)
      use_model (j ? film.gpu : film.contract, i & 1 ? model : other);
    film_step (&film);
    g_usleep (i * 300000);
  }
  gint64 deadline = g_get_monotonic_time () + 300 * G_TIME_SPAN_SECOND;
  while (!is_on_gpu (&film) && g_get_monotonic_time () < deadline) {
    g_usleep (5000);
    film_step (&film);
  }
  for (int i = 0; i < 6; i++)
    film_step (&film);
  g_assert_true (is_on_gpu (&film));
  film_clear (&film);
}

/* A session that ends while the GPU is away. */
static void
test_end_without_gpu (void)
{
  for (int i = 0; i < 4; i++) {
    Film film = film_new ("lost@1", 1);
    for (int j = 0; j < 4; j++)
      film_step (&film);
    g_usleep (i * 60000);
    film_clear (&film);
  }
}

static void
expect_refusal (const Stream *stream, const char *word)
{
  g_autoptr (DssrModel) model = load_model (stream->model);
  g_autoptr (GError) error = NULL;
  g_assert_null (dssr_session_new (model, &stream->config, &error));
  g_assert_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND);
  if (!strstr (error->message, word))
    g_error ("\"%s\" has no \"%s\"", error->message, word);
}

/* By index, by UUID, with hyphens or without; not by what there is none of. */
static void
test_device (void)
{
  g_auto (GStrv) devices = dssr_list_devices ();
  const char *uuid = strstr (devices[0], "UUID ");
  g_assert_nonnull (uuid);
  uuid += 5;
  g_autofree char *plain = g_strndup (uuid, 32);
  g_autofree char *upper = g_ascii_strup (plain, -1);
  g_autofree char *hyphens = g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", uuid,
      uuid + 8, uuid + 12, uuid + 16, uuid + 20);
  const char *const names[] = {"0", plain, upper, hyphens};
  const char *const others[] = {"99", "-1", "", "0x", "/dev/null", plain + 1};
  Stream stream = stream_of ("x2", 16, 16);

  stream.config.backend = DSSR_BACKEND_VULKAN;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    stream.config.device = names[i];
    check_same (stream, NUMBERS (0));
  }
  for (guint i = 0; i < G_N_ELEMENTS (others); i++) {
    stream.config.device = others[i];
    expect_refusal (&stream, "there is no device");
  }
  stream.config.device = NULL;
  g_setenv ("DSSR_VULKAN_FAULT", "lost@", TRUE);
  expect_refusal (&stream, "DSSR_VULKAN_FAULT");
  g_unsetenv ("DSSR_VULKAN_FAULT");
}

/* "auto" is a GPU or the CPU, never the CPU in the guise of a GPU. */
static void
test_auto (void)
{
  g_auto (GStrv) devices = dssr_list_devices ();
  DssrStats stats;
  Stream stream = stream_of ("x2", 16, 16);
  stream.stats = &stats;
  for (int i = 0; i < 2; i++) {
    stream.config.device = i ? "0" : NULL;
    g_autoptr (GPtrArray) made = stream_run (&stream, NUMBERS (0));
    if (strstr (devices[0], ": CPU,") && !devices[1])
      g_assert_null (strstr (stats.backend, "vulkan"));
    g_assert_cmpuint (made->len, ==, 1);
    g_assert_null (stats.fallback);
  }
}

/* ---- The cache of pipelines ---- */

static char *
find_cache (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "dssr", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_assert_nonnull (dir);
  const char *name = g_dir_read_name (dir);
  g_assert_nonnull (name);
  char *file = g_build_filename (path, name, NULL);
  g_assert_null (g_dir_read_name (dir)); /* nothing is left over */
  return file;
}

/* Broken caches do no harm and are replaced; a folder that cannot be written is
 * none. */
static void
test_cache (void)
{
  const char *folder = g_get_user_cache_dir ();
  Stream stream = stream_of ("x2", 16, 16);
  check_same (stream, NUMBERS (0));
  g_autofree char *file = find_cache (folder);
  g_autofree char *whole = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (file, &whole, &size, NULL));
  g_assert_cmpuint (size, >, 24);

  for (int i = 0; i < 5; i++) {
    g_autofree char *broken = g_memdup2 (whole, size + 1);
    gsize length = size;
    if (i < 3)
      length = i == 0 ? 0 : i == 1 ? 23 : size - 1;
    else if (i == 3)
      broken[size - 1] ^= 1;
    else
      length = size + 1;
    g_assert_true (g_file_set_contents (file, broken, (gssize)length, NULL));
    check_same (stream, NUMBERS (0));
    g_autofree char *again = find_cache (folder);
    g_assert_cmpstr (again, ==, file);
    g_autofree char *now = NULL;
    gsize now_size;
    g_assert_true (g_file_get_contents (file, &now, &now_size, NULL));
    g_assert_false (now_size == length && memcmp (now, broken, length) == 0);
  }
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) devices = dssr_list_devices ();
  if (!devices[0]) {
    g_print ("1..0 # SKIP there is no Vulkan device\n");
    return 0;
  }
  g_autofree char *cache = g_dir_make_tmp ("dssr-XXXXXX", NULL);
  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
  g_test_init (&argc, &argv, NULL);

  const char *const models[] = {"x2", "x2-other", "x2-zero", "x2-window1",
      "x2-window5", "x2-sparse4", "x2-unshuffle", "x2-cascade", "x2-follow",
      "x2-follow5", "x4", "x4-sparse8", "x2-rgb", "x4-rgb", "x2-rgb-zero"};
  for (guint i = 0; i < G_N_ELEMENTS (models); i++) {
    g_autofree char *name = g_strconcat ("/vulkan/model/", models[i], NULL);
    g_test_add_data_func (name, models[i], test_model);
  }
  g_test_add_func ("/vulkan/shipped", test_shipped);
  g_test_add_func ("/vulkan/small", test_small);
  g_test_add_func ("/vulkan/layouts", test_layouts);
  g_test_add_func ("/vulkan/turns", test_turns);
  g_test_add_func ("/vulkan/contrast", test_contrast);
  g_test_add_func ("/vulkan/denoise", test_denoise);
  g_test_add_func ("/vulkan/pan", test_pan);
  g_test_add_func ("/vulkan/rgb", test_rgb);
  g_test_add_func ("/vulkan/flights", test_flights);
  g_test_add_func ("/vulkan/cancelled-flights", test_cancelled_flights);
  g_test_add_func ("/vulkan/faults", test_faults);
  g_test_add_func ("/vulkan/switch-without-gpu", test_switch_without_gpu);
  g_test_add_func ("/vulkan/end-without-gpu", test_end_without_gpu);
  g_test_add_func ("/vulkan/device", test_device);
  g_test_add_func ("/vulkan/auto", test_auto);
  g_test_add_func ("/vulkan/cache", test_cache);
  int result = g_test_run ();
  g_autofree char *folder = g_build_filename (cache, "dssr", NULL);
  g_autofree char *file = find_cache (cache);
  g_remove (file);
  g_rmdir (folder);
  g_rmdir (cache);
  return result;
}
