/* The session: a window over the stream, and what it costs.
 *
 * Frames are counted from 0. Those from `first` to `end` are held, each in slot
 * `number % n_slots`; `next` is the one that the next pull enlarges.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-recovery.h"
#include "engine/network.h"
#include "engine/picture.h"
#include "kernels/kernels.h"

#include <string.h>

#define MAX_THREADS 64

typedef struct {
  DssrPicture picture;
  gpointer frame;
  GDestroyNotify release;
  gboolean seen; /* the network has its features */
} Held;

struct _DssrSession {
  DssrFormat format;
  int lookahead; /* as configured */
  int threads;   /* of the CPU */
  int band_rows; /* as configured */
  DssrModel *model;
  DssrGpu *gpu;              /* NULL: the CPU computes */
  DssrGpuRecovery *recovery; /* NULL until a GPU fails */
  const char *fallback;      /* why it does so in the GPU's place; static */
  const DssrKernels *kernels;
  DssrPool *pool;       /* NULL until the CPU is needed */
  DssrNetwork *network; /* the same */

  int past,
      future; /* frames around the centre; the future that is waited for */
  Held *held;
  int n_slots;
  gint64 first, next, end;
  gboolean drained;

  guint64 frames_out;
  gint64 frame_time, total_time; /* microseconds */
  guint64 time_ns[DSSR_N_TIMES];
};

/* Chooses what computes. A GPU is taken when it was asked for, and by "auto"
 * when there is one. */
static gboolean
choose_backend (
    DssrSession *session, const DssrSessionConfig *config, GError **error)
{
  session->kernels = dssr_kernels_cpu ();
  switch (config->backend) {
    case DSSR_BACKEND_AUTO:
      session->gpu = dssr_gpu_new (config->device, FALSE, NULL);
      return TRUE;
    case DSSR_BACKEND_CPU:
      return TRUE;
    case DSSR_BACKEND_SCALAR:
      session->kernels = dssr_kernels_scalar ();
      return TRUE;
    case DSSR_BACKEND_VULKAN:
      session->gpu = dssr_gpu_new (config->device, TRUE, error);
      return session->gpu != NULL;
  }
  g_set_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND, "Unknown backend %d",
      (int)config->backend);
  return FALSE;
}

static gboolean
check_range (const char *what, int value, int max, GError **error)
{
  if (value >= 0 && value <= max)
    return TRUE;
  g_set_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
      "%s is %d, must be 0 to %d", what, value, max);
  return FALSE;
}

static int
session_scale (const DssrSession *session)
{
  return dssr_model_get_scale (session->model);
}

/* A model of luma, or one of RGB, for pictures that are such. */
static gboolean
check_planes (const DssrModel *model, const DssrFormat *format, GError **error)
{
  if (dssr_model_is_rgb (model) == (format->chroma == DSSR_CHROMA_RGB))
    return TRUE;
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
      dssr_model_is_rgb (model)
          ? "The model is for RGB, the picture has luma and chroma"
          : "The model is for luma, the picture is RGB");
  return FALSE;
}

static Held *
get_held (const DssrSession *session, gint64 number)
{
  return &session->held[number % session->n_slots];
}

/* Lets go of the frames before `number`. */
static void
release_until (DssrSession *session, gint64 number)
{
  for (; session->first < number; session->first++) {
    Held *held = get_held (session, session->first);
    if (held->release)
      held->release (held->frame);
  }
}

static void
release_all (DssrSession *session)
{
  release_until (session, session->end);
  session->next = session->end;
}

static gboolean
use_cpu (DssrSession *session, DssrModel *model, int n_slots, GError **error)
{
  if (!session->pool)
    session->pool = dssr_pool_new (session->threads);
  DssrNetwork *network = dssr_network_new (model, &session->format, n_slots,
      session->kernels, session->pool, session->band_rows, error);
  if (!network)
    return FALSE;
  g_clear_pointer (&session->network, dssr_network_free);
  session->network = network;
  return TRUE;
}

static void
forget_features (DssrSession *session)
{
  for (gint64 i = session->first; i < session->end; i++)
    get_held (session, i)->seen = FALSE;
}

/* The CPU computes from here on, until the GPU is back; all features are to be
 * made again. */
static gboolean
leave_gpu (
    DssrSession *session, DssrModel *model, int n_slots, const GError *reason)
{
  if (!use_cpu (session, model, n_slots, NULL))
    return FALSE;
  session->fallback = g_intern_string (reason->message);
  if (!session->recovery)
    session->recovery = dssr_gpu_recovery_new (&session->format);
  dssr_gpu_recovery_begin (
      session->recovery, g_steal_pointer (&session->gpu), model, n_slots);
  forget_features (session);
  return TRUE;
}

/* Uses the GPU again, if it is back. */
static void
return_to_gpu (DssrSession *session)
{
  if (!session->recovery)
    return;
  session->gpu = dssr_gpu_recovery_take (session->recovery);
  if (!session->gpu)
    return;
  session->fallback = NULL;
  g_clear_pointer (&session->network, dssr_network_free);
  forget_features (session);
}

/* Makes the network for a model, with the window that it has. */
static gboolean
use_model (DssrSession *session, DssrModel *model, GError **error)
{
  int past = dssr_model_get_window (model) / 2;
  int future = MIN (session->lookahead, past);
  /* The frame that was pulled last stays valid even if it is no history. */
  gint64 first = MAX (session->first, session->next - MAX (past, 1));
  int n_slots = MAX (past + future + 1, (int)(session->end - first));
  g_autoptr (GError) reason = NULL;
  if (!session->gpu) {
    if (!use_cpu (session, model, n_slots, error))
      return FALSE;
    if (session->recovery)
      dssr_gpu_recovery_use_model (session->recovery, model, n_slots);
  } else if (!dssr_gpu_use_model (
                 session->gpu, model, &session->format, n_slots, &reason)
             && !leave_gpu (session, model, n_slots, reason)) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return FALSE;
  }

  release_until (session, first);
  Held *held = g_new0 (Held, n_slots);
  for (gint64 i = first; i < session->end; i++) {
    held[i % n_slots] = *get_held (session, i);
    held[i % n_slots].seen = FALSE;
  }
  g_free (session->held);
  session->held = held;
  session->n_slots = n_slots;
  session->past = past;
  session->future = future;
  dssr_model_ref (model);
  g_clear_pointer (&session->model, dssr_model_unref);
  session->model = model;
  return TRUE;
}

DssrSession *
dssr_session_new (
    DssrModel *model, const DssrSessionConfig *config, GError **error)
{
  g_return_val_if_fail (model != NULL && config != NULL, NULL);

  if (!dssr_format_check (&config->format, dssr_model_get_scale (model), error)
      || !check_planes (model, &config->format, error)
      || !check_range ("threads", config->threads, MAX_THREADS, error)
      || !check_range ("lookahead", config->lookahead, G_MAXINT, error)
      || !check_range ("band_rows", config->band_rows, G_MAXINT, error))
    return NULL;

  int threads = config->threads;
  if (threads == 0)
    threads = (int)MIN (g_get_num_processors (), MAX_THREADS);
  g_autoptr (DssrSession) session = g_new0 (DssrSession, 1);
  session->format = config->format;
  session->lookahead = config->lookahead;
  session->threads = threads;
  session->band_rows = config->band_rows;
  if (!choose_backend (session, config, error)
      || !use_model (session, model, error))
    return NULL;
  /* Who asked for a GPU is to know that there is none; who did not, not. */
  if (session->fallback && config->backend == DSSR_BACKEND_VULKAN) {
    g_set_error_literal (
        error, DSSR_ERROR, DSSR_ERROR_BACKEND, session->fallback);
    return NULL;
  }
  session->fallback = NULL;
  g_clear_pointer (&session->recovery, dssr_gpu_recovery_free);
  return g_steal_pointer (&session);
}

void
dssr_session_free (DssrSession *session)
{
  release_all (session);
  g_free (session->held);
  g_clear_pointer (&session->gpu, dssr_gpu_free);
  g_clear_pointer (&session->recovery, dssr_gpu_recovery_free);
  g_clear_pointer (&session->network, dssr_network_free);
  g_clear_pointer (&session->pool, dssr_pool_free);
  g_clear_pointer (&session->model, dssr_model_unref);
  g_free (session);
}

static gboolean
is_ready (const DssrSession *session)
{
  gint64 waiting = session->end - session->next;
  return waiting > (session->drained ? 0 : session->future);
}

gboolean
dssr_session_push (DssrSession *session, const DssrPicture *picture,
    gpointer frame, GDestroyNotify release, GError **error)
{
  g_return_val_if_fail (picture != NULL && frame != NULL, FALSE);

  if (is_ready (session)) {
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
        "A frame is ready: it must be pulled before the next is pushed");
    return FALSE;
  }
  if (!dssr_picture_check (picture, &session->format, error))
    return FALSE;

  if (session->drained)
    release_all (session);
  session->drained = FALSE;
  release_until (session, session->next - session->past);
  *get_held (session, session->end++) = (Held){
      .picture = *picture,
      .frame = frame,
      .release = release,
  };
  return TRUE;
}

gpointer
dssr_session_peek (DssrSession *session)
{
  return is_ready (session) ? get_held (session, session->next)->frame : NULL;
}

/* The planes that the network sees. */
static void
get_planes (const DssrSession *session, const DssrPicture *picture,
    const DssrFormat *format, DssrSamples planes[3])
{
  for (int i = 0; i < session->model->n_planes; i++)
    planes[i] = dssr_picture_samples (picture, format, i);
}

/* The slot of a frame; if it is new, the job gives it features. */
static int
see_frame (DssrSession *session, gint64 number, DssrJob *job)
{
  Held *held = get_held (session, number);
  int slot = (int)(number % session->n_slots);
  if (!held->seen) {
    job->new_frames[job->n_new_frames].slot = slot;
    get_planes (session, &held->picture, &session->format,
        job->new_frames[job->n_new_frames].planes);
    job->n_new_frames++;
    held->seen = TRUE;
  }
  return slot;
}

/* The next frame through the network. A frame that the window lacks
 * is replaced by the nearest one there is: those held begin with the window,
 * and end at the latest with it. */
static void
add_network (DssrSession *session, DssrJob *job, const DssrPicture *out,
    const DssrFormat *enlarged)
{
  gint64 next = session->next, last = session->end - 1;
  gboolean align_centre = session->model->n_aligned > 2 * session->past;
  int n = 0;

  for (int i = -session->past; i <= session->past; i++) {
    gint64 number = CLAMP (next + i, session->first, last);
    int slot = see_frame (session, number, job);
    if (i == 0)
      job->centre = slot;
    if (i != 0 || align_centre)
      job->aligned[n++] = slot;
  }
  job->enlarge = true;
  get_planes (
      session, &get_held (session, next)->picture, &session->format, job->in);
  get_planes (session, out, enlarged, job->out);
}

static void
add_plane (const DssrSession *session, DssrJob *job, const DssrPicture *out,
    const DssrFormat *enlarged, int plane)
{
  const DssrPicture *in = &get_held (session, session->next)->picture;
  int i = job->n_planes++;
  job->planes[i].out = dssr_picture_samples (out, enlarged, plane);
  job->planes[i].in = dssr_picture_samples (in, &session->format, plane);
  job->planes[i].bicubic =
      dssr_picture_bicubic (&session->format, plane, session_scale (session));
}

static DssrJob
make_job (DssrSession *session, const DssrPicture *picture, gboolean base)
{
  DssrFormat enlarged =
      dssr_format_enlarge (&session->format, session_scale (session));
  DssrJob job = {0};
  if (!base)
    add_network (session, &job, picture, &enlarged);
  for (int i = base ? 0 : session->model->n_planes;
       i < dssr_format_n_planes (&session->format); i++)
    add_plane (session, &job, picture, &enlarged, i);
  return job;
}

/* The work for a frame; on the CPU if the GPU fails, which makes the same. */
static gboolean
enlarge (DssrSession *session, const DssrPicture *picture, gboolean base,
    GError **error)
{
  if (!session->gpu)
    return_to_gpu (session);
  DssrJob job = make_job (session, picture, base);
  g_autoptr (GError) reason = NULL;
  if (session->gpu) {
    if (dssr_gpu_run (session->gpu, &job, session->time_ns, &reason))
      return TRUE;
    if (!leave_gpu (session, session->model, session->n_slots, reason)) {
      g_propagate_error (error, g_steal_pointer (&reason));
      return FALSE;
    }
    job = make_job (session, picture, base);
  }
  dssr_network_run (session->network, &job, session->time_ns);
  return TRUE;
}

static gboolean
pull (DssrSession *session, const DssrPicture *picture, gboolean base,
    GError **error)
{
  g_return_val_if_fail (picture != NULL, FALSE);

  gint64 start = g_get_monotonic_time ();
  DssrFormat enlarged =
      dssr_format_enlarge (&session->format, session_scale (session));
  if (!is_ready (session)) {
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
        "No frame is ready: more must be pushed, or the session drained");
    return FALSE;
  }
  if (!dssr_picture_check (picture, &enlarged, error))
    return FALSE;

  if (!enlarge (session, picture, base, error))
    return FALSE;

  session->next++;
  session->frames_out++;
  /* The frame just pulled stays valid even if it is no history. */
  release_until (session, session->next - MAX (session->past, 1));
  session->frame_time = g_get_monotonic_time () - start;
  session->total_time += session->frame_time;
  return TRUE;
}

gboolean
dssr_session_pull (
    DssrSession *session, const DssrPicture *picture, GError **error)
{
  return pull (session, picture, FALSE, error);
}

gboolean
dssr_session_pull_base (
    DssrSession *session, const DssrPicture *picture, GError **error)
{
  return pull (session, picture, TRUE, error);
}

void
dssr_session_drain (DssrSession *session)
{
  session->drained = TRUE;
  if (!is_ready (session))
    release_all (session);
}

void
dssr_session_reset (DssrSession *session)
{
  release_all (session);
  session->drained = FALSE;
}

gboolean
dssr_session_switch_model (
    DssrSession *session, DssrModel *model, GError **error)
{
  g_return_val_if_fail (model != NULL, FALSE);

  int scale = session_scale (session);
  if (dssr_model_get_scale (model) != scale) {
    g_set_error (error, DSSR_ERROR, DSSR_ERROR_FORMAT,
        "The model enlarges %d times, the session %d times",
        dssr_model_get_scale (model), scale);
    return FALSE;
  }
  if (!check_planes (model, &session->format, error))
    return FALSE;
  return use_model (session, model, error);
}

int
dssr_session_get_latency (const DssrSession *session)
{
  return session->future;
}

void
dssr_session_get_stats (const DssrSession *session, DssrStats *stats)
{
  *stats = (DssrStats){
      .frames_in = (guint64)session->end,
      .frames_out = session->frames_out,
      .latency = session->future,
      .threads = session->gpu ? 1 : session->threads,
      .backend = session->gpu ? dssr_gpu_get_name (session->gpu)
                              : session->kernels->name,
      .fallback = session->fallback,
      .frame_ms = (double)session->frame_time / 1000,
      .mean_ms = session->frames_out ? (double)session->total_time / 1000
                                           / (double)session->frames_out
                                     : 0,
      .memory = session->gpu ? dssr_gpu_get_size (session->gpu)
                             : session->network->size,
  };
  memcpy (stats->time_ns, session->time_ns, sizeof session->time_ns);
}
