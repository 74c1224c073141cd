/* Models that are made ready in one thread while another one enlarges: the same
 * bytes as without, and one memory for all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { N_FRAMES = 30, N_MODELS = 3, EVERY = 5 };

/* All with a window of 3. */
static const char *const names[N_MODELS] = {"x2", "x2-other", "x2-sparse4"};

static DssrSessionConfig
make_config (DssrBackend backend, int width, int height)
{
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;
  config.backend = backend;
  config.threads = 2;
  config.format = (DssrFormat){
      .width = width,
      .height = height,
      .depth = 8,
      .chroma = DSSR_CHROMA_420,
  };
  return config;
}

/* What the models make of the film, each by itself. */
static void
enlarge_all (GPtrArray **films)
{
  int numbers[N_FRAMES + 1];
  for (int i = 0; i < N_FRAMES; i++)
    numbers[i] = i;
  numbers[N_FRAMES] = END;
  for (int m = 0; m < N_MODELS; m++) {
    Stream stream = {
        .model = names[m],
        .config = make_config (DSSR_BACKEND_CPU, 24, 20),
    };
    films[m] = stream_run (&stream, numbers);
  }
}

/* The thread that makes models ready, one after the other, without end. */
typedef struct {
  DssrSession *session;
  DssrPrepared *_Atomic ready; /* taken by whoever wants it */
  atomic_int model;            /* that it is */
  atomic_bool stop;
  int n_made;
} Maker;

static gpointer
make_models (gpointer data)
{
  Maker *maker = data;

  while (!maker->stop) {
    int m = ++maker->n_made % N_MODELS;
    g_autoptr (GError) error = NULL;
    g_autoptr (DssrModel) model = load_model (names[m]);
    DssrPrepared *prepared =
        dssr_session_prepare_model (maker->session, model, &error);
    g_assert_no_error (error);
    if (maker->ready) {
      dssr_prepared_unref (prepared);
      continue;
    }
    maker->model = m;
    maker->ready = prepared;
  }
  return NULL;
}

/* Uses the model that is ready, which it waits for; returns which it is. */
static int
switch_model (DssrSession *session, Maker *maker)
{
  g_autoptr (GError) error = NULL;

  while (!maker->ready)
    g_usleep (100);
  int model = maker->model;
  g_autoptr (DssrPrepared) prepared = atomic_exchange (&maker->ready, NULL);
  dssr_session_switch_model (session, prepared, &error);
  g_assert_no_error (error);
  return model;
}

static void
pull_frame (
    DssrSession *session, Image *out, const GPtrArray *film, guint number)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  GByteArray *samples = g_byte_array_new ();

  dssr_session_pull (session, &out->picture, &error);
  g_assert_no_error (error);
  image_append (out, samples);
  g_ptr_array_add (frames, g_byte_array_free_to_bytes (samples));
  assert_same (film, number, frames, 0);
}

/* Each frame is that of the model in use, as if it had been in use always. */
static void
test_beside (gconstpointer backend)
{
  GPtrArray *films[N_MODELS];
  DssrSessionConfig config = make_config (GPOINTER_TO_INT (backend), 24, 20);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrModel) first = load_model (names[0]);
  g_autoptr (DssrSession) session = dssr_session_new (first, &config, &error);
  if (g_error_matches (error, DSSR_ERROR, DSSR_ERROR_BACKEND)) {
    g_test_skip (error->message);
    return;
  }
  g_assert_no_error (error);
  enlarge_all (films);

  g_autoptr (GPtrArray) images =
      g_ptr_array_new_with_free_func ((GDestroyNotify)image_free);
  DssrFormat large = config.format;
  large.width *= 2;
  large.height *= 2;
  g_autoptr (Image) out = image_new (&large, &(Layout){0});
  Maker maker = {.session = session};
  GThread *thread = g_thread_new ("models", make_models, &maker);
  int model = 0, n_used[N_MODELS] = {0};
  for (guint i = 0; i < N_FRAMES; i++) {
    Image *image = image_new (&config.format, &(Layout){0});
    image_draw (image, (int)i);
    g_ptr_array_add (images, image);
    if (i % EVERY == EVERY - 1)
      model = switch_model (session, &maker);
    dssr_session_push (session, &image->picture, image, image_release, &error);
    g_assert_no_error (error);
    n_used[model]++;
    if (dssr_session_peek (session))
      pull_frame (session, out, films[model], i - 1);
  }
  maker.stop = TRUE;
  g_thread_join (thread);
  DssrPrepared *left = maker.ready;
  g_clear_pointer (&left, dssr_prepared_unref);
  dssr_session_drain (session);
  pull_frame (session, out, films[model], N_FRAMES - 1);
  for (int m = 0; m < N_MODELS; m++) {
    g_test_message ("%s: %d frames", names[m], n_used[m]);
    g_ptr_array_unref (films[m]);
  }
  g_assert_cmpint (n_used[0], <, N_FRAMES);
  g_clear_pointer (&session, dssr_session_free);
}

/* Models that are ready take their weights alone: they share the memory that
 * they compute in. */
static void
test_memory (gconstpointer backend)
{
  DssrSessionConfig config = make_config (GPOINTER_TO_INT (backend), 160, 90);
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrModel) model = load_model (names[0]);
  g_autoptr (DssrSession) session = dssr_session_new (model, &config, &error);
  if (g_error_matches (error, DSSR_ERROR, DSSR_ERROR_BACKEND)) {
    g_test_skip (error->message);
    return;
  }
  g_assert_no_error (error);
  DssrStats one, all;
  dssr_session_get_stats (session, &one);

  DssrPrepared *prepared[N_MODELS];
  for (int m = 0; m < N_MODELS; m++) {
    g_autoptr (DssrModel) other = load_model (names[m]);
    prepared[m] = dssr_session_prepare_model (session, other, &error);
    g_assert_no_error (error);
    dssr_session_switch_model (session, prepared[m], &error);
    g_assert_no_error (error);
  }
  dssr_session_get_stats (session, &all);
  g_assert_cmpuint (all.memory, >=, one.memory);
  g_assert_cmpuint (all.memory, <, one.memory + one.memory / 5);
  for (int m = 0; m < N_MODELS; m++)
    dssr_prepared_unref (prepared[m]);
  dssr_session_get_stats (session, &all);
  g_assert_cmpuint (all.memory, <, one.memory + one.memory / 10);
}

/* ---- What a switch costs: with -m perf ---- */

enum { N_ROUNDS = 15, N_IMAGES = 4 };

/* Milliseconds of the processor's time. */
static double
read_clock (void)
{
  struct timespec now;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * (double)now.tv_sec + (double)now.tv_nsec / 1e6;
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double
find_median (double *times)
{
  qsort (times, N_ROUNDS, sizeof *times, compare);
  return times[N_ROUNDS / 2];
}

typedef struct {
  DssrSession *session;
  Image *images[N_IMAGES], *out;
  int n; /* frames */
} Film;

/* Pushes a frame and pulls the one before. */
static double
time_frame (Film *film, gboolean base)
{
  g_autoptr (GError) error = NULL;
  Image *image = film->images[film->n++ % N_IMAGES];
  double start = read_clock ();

  dssr_session_push (
      film->session, &image->picture, image, image_release, &error);
  g_assert_no_error (error);
  if (dssr_session_peek (film->session))
    (base ? dssr_session_pull_base : dssr_session_pull) (
        film->session, &film->out->picture, &error);
  g_assert_no_error (error);
  return read_clock () - start;
}

static DssrPrepared *
prepare (DssrSession *session, const char *path, double *load, double *ready)
{
  g_autoptr (GError) error = NULL;
  double start = read_clock ();
  g_autoptr (DssrModel) model = dssr_model_open (path, &error);
  g_assert_no_error (error);
  double opened = read_clock ();
  DssrPrepared *prepared = dssr_session_prepare_model (session, model, &error);
  g_assert_no_error (error);
  *load = opened - start;
  *ready = read_clock () - opened;
  return prepared;
}

/* A model in the place of itself, which to the session is another one. */
static void
time_switches (Film *film, const char *path)
{
  double frames[N_ROUNDS], first[N_ROUNDS], base[N_ROUNDS], change[N_ROUNDS];
  double load[N_ROUNDS], ready[N_ROUNDS];

  for (int i = 0; i < N_ROUNDS; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (DssrPrepared) prepared =
        prepare (film->session, path, &load[i], &ready[i]);
    for (int j = 0; j < 3; j++)
      frames[i] = time_frame (film, FALSE);
    double start = read_clock ();
    dssr_session_switch_model (film->session, prepared, &error);
    change[i] = read_clock () - start;
    g_assert_no_error (error);
    first[i] = time_frame (film, FALSE);
    base[i] = time_frame (film, TRUE);
  }
  g_autofree char *name = g_path_get_basename (path);
  double usual = find_median (frames), after = find_median (first);
  g_test_message ("%s: a frame %.2f ms, the first after a switch %.2f ms (%.2f "
                  "times), a base %.2f ms; to open a model %.2f ms, to prepare "
                  "it %.2f ms, to switch %.3f ms",
      name, usual, after, after / usual, find_median (base), find_median (load),
      find_median (ready), find_median (change));
}

static void
test_cost (void)
{
  for (int scale = 2; scale <= 4; scale += 2) {
    DssrSessionConfig config =
        make_config (DSSR_BACKEND_CPU, 1920 / scale, 1080 / scale);
    config.threads = 1;
    DssrFormat large = config.format;
    large.width *= scale;
    large.height *= scale;
    g_autofree char *file =
        g_strdup_printf ("landscape-x%d-balanced.safetensors", scale);
    g_autofree char *path =
        g_build_filename (g_getenv ("DSSR_SHIPPED_MODELS"), file, NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (DssrModel) model = dssr_model_open (path, &error);
    g_assert_no_error (error);
    Film film = {
        .session = dssr_session_new (model, &config, &error),
        .out = image_new (&large, &(Layout){0}),
    };
    g_assert_no_error (error);
    for (int i = 0; i < N_IMAGES; i++) {
      film.images[i] = image_new (&config.format, &(Layout){0});
      image_draw (film.images[i], i);
    }
    time_switches (&film, path);
    dssr_session_free (film.session);
    image_free (film.out);
    for (int i = 0; i < N_IMAGES; i++)
      image_free (film.images[i]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func (
      "/switch/beside/cpu", GINT_TO_POINTER (DSSR_BACKEND_CPU), test_beside);
  g_test_add_data_func ("/switch/beside/scalar",
      GINT_TO_POINTER (DSSR_BACKEND_SCALAR), test_beside);
  /* ThreadSanitizer does not see the driver's locks. */
#ifndef __SANITIZE_THREAD__
  g_test_add_data_func ("/switch/beside/vulkan",
      GINT_TO_POINTER (DSSR_BACKEND_VULKAN), test_beside);
  g_test_add_data_func ("/switch/memory/vulkan",
      GINT_TO_POINTER (DSSR_BACKEND_VULKAN), test_memory);
#endif
  g_test_add_data_func (
      "/switch/memory/cpu", GINT_TO_POINTER (DSSR_BACKEND_CPU), test_memory);
  if (g_test_perf ())
    g_test_add_func ("/switch/cost", test_cost);
  return g_test_run ();
}
