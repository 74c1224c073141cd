/* The session: a window over the stream, and what it costs.
 *
 * Frames are counted from 0. Those from `first` to `end` are held, each in slot
 * `number % n_slots`; `next` is the one that the next pull enlarges.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/session.h"
#include "engine/picture.h"

#include <math.h>
#include <string.h>

#define MAX_THREADS 64

/* Chooses what computes. A GPU is taken when it was asked for, and by "auto"
 * when there is one. */
static gboolean
choose_backend (
    DssrSession *session, const DssrSessionConfig *config, GError **error)
{
  int flights = MAX (config->frames_in_flight, 1);
  session->kernels = dssr_kernels_cpu ();
  switch (config->backend) {
    case DSSR_BACKEND_AUTO:
      session->gpu = dssr_gpu_new (config->device, FALSE, flights, NULL);
      break;
    case DSSR_BACKEND_CPU:
      break;
    case DSSR_BACKEND_SCALAR:
      session->kernels = dssr_kernels_scalar ();
      break;
    case DSSR_BACKEND_VULKAN:
      session->gpu = dssr_gpu_new (config->device, TRUE, flights, error);
      if (!session->gpu)
        return FALSE;
      break;
    default:
      g_set_error (error, DSSR_ERROR, DSSR_ERROR_BACKEND, "Unknown backend %d",
          (int)config->backend);
      return FALSE;
  }
  session->ahead = session->gpu ? flights - 1 : 0;
  return TRUE;
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

static void
free_held (DssrSession *session)
{
  for (int i = 0; i < session->n_slots; i++)
    g_free (session->held[i].own);
  g_free (session->held);
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

/* Nobody wants what the GPU works on. */
static void
cancel_flights (DssrSession *session)
{
  if (session->gpu && session->submitted > session->next)
    dssr_gpu_cancel (session->gpu);
  session->submitted = session->next;
}

static void
release_all (DssrSession *session)
{
  cancel_flights (session);
  release_until (session, session->end);
  session->next = session->submitted = session->end;
}

/* What computes changes: it has no features and no flights. */
static void
forget_features (DssrSession *session)
{
  session->submitted = session->next;
  for (gint64 i = session->first; i < session->end; i++)
    get_held (session, i)->seen = FALSE;
}

/* The CPU computes from here on, until the GPU is back; all features are to be
 * made again. */
static gboolean
leave_gpu (DssrSession *session, const GError *reason)
{
  DssrPrepared *used = session->used;

  pthread_mutex_lock (&session->building);
  DssrGpu *gpu = session->gpu;
  session->gpu = NULL;
  gboolean ok = dssr_prepared_complete (used, session->n_slots, NULL)
                && dssr_network_place (
                    used->network, &session->arena, session->n_slots, NULL);
  if (ok)
    dssr_prepared_leave_gpu (session);
  else
    session->gpu = gpu;
  pthread_mutex_unlock (&session->building);
  if (!ok)
    return FALSE;

  session->fallback = g_intern_string (reason->message);
  if (!session->recovery)
    session->recovery = dssr_gpu_recovery_new (&session->format);
  dssr_gpu_recovery_begin (
      session->recovery, gpu, used->model, session->n_slots);
  forget_features (session);
  return TRUE;
}

/* Uses the GPU again, if it is back. */
static void
return_to_gpu (DssrSession *session)
{
  DssrGpu *gpu =
      session->recovery ? dssr_gpu_recovery_take (session->recovery) : NULL;
  if (!gpu)
    return;
  pthread_mutex_lock (&session->building);
  session->gpu = gpu;
  session->used->gpu_slots = session->n_slots;
  pthread_mutex_unlock (&session->building);
  session->fallback = NULL;
  dssr_arena_clear (&session->arena);
  forget_features (session);
}

/* Gives a model its place in what computes. */
static gboolean
place (
    DssrSession *session, DssrPrepared *prepared, int n_slots, GError **error)
{
  gboolean lacks =
      session->gpu ? prepared->gpu_slots < n_slots : prepared->network == NULL;
  if (lacks) {
    pthread_mutex_lock (&session->building);
    lacks = !dssr_prepared_complete (prepared, n_slots, error);
    pthread_mutex_unlock (&session->building);
  }
  if (lacks)
    return FALSE;
  if (!session->gpu) {
    if (!dssr_network_place (
            prepared->network, &session->arena, n_slots, error))
      return FALSE;
    if (session->recovery)
      dssr_gpu_recovery_use_model (session->recovery, prepared->model, n_slots);
    return TRUE;
  }

  DssrGpuNetwork *before =
      dssr_gpu_exchange (session->gpu, prepared->gpu_network);
  prepared->gpu_network = NULL;
  if (before)
    session->used->gpu_network = before;
  return TRUE;
}

gboolean
dssr_session_switch_model (
    DssrSession *session, DssrPrepared *prepared, GError **error)
{
  g_return_val_if_fail (prepared && prepared->session == session, FALSE);

  if (prepared == session->used)
    return TRUE;
  int past = dssr_model_get_window (prepared->model) / 2;
  int future = MIN (session->lookahead, past);
  /* The frame that was pulled last stays valid even if it is no history. */
  gint64 first = MAX (session->first, session->next - MAX (past, 1));
  int n_slots = MAX (
      MAX (past, 1) + future + session->ahead + 1, (int)(session->end - first));
  cancel_flights (session);
  if (!place (session, prepared, n_slots, error))
    return FALSE;

  release_until (session, first);
  Held *held = g_new0 (Held, n_slots);
  for (gint64 i = first; i < session->end; i++) {
    held[i % n_slots] = *get_held (session, i);
    held[i % n_slots].seen = FALSE;
    get_held (session, i)->own = NULL;
  }
  free_held (session);
  session->held = held;
  session->n_slots = n_slots;
  session->past = past;
  session->future = future;
  dssr_prepared_ref (prepared);
  g_clear_pointer (&session->used, dssr_prepared_unref);
  session->used = prepared;
  return TRUE;
}

/* The first model; on the CPU if the GPU cannot run it. */
static gboolean
use_first (DssrSession *session, DssrModel *model, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (DssrPrepared) prepared =
      dssr_session_prepare_model (session, model, &reason);

  if (!prepared && session->gpu) {
    session->fallback = g_intern_string (reason->message);
    g_clear_pointer (&session->gpu, dssr_gpu_free);
    g_clear_error (&reason);
    prepared = dssr_session_prepare_model (session, model, &reason);
  }
  if (prepared)
    return dssr_session_switch_model (session, prepared, error);
  g_propagate_error (error, g_steal_pointer (&reason));
  return FALSE;
}

DssrSession *
dssr_session_new (
    DssrModel *model, const DssrSessionConfig *config, GError **error)
{
  g_return_val_if_fail (model != NULL && config != NULL, NULL);

  if (!dssr_format_check (&config->format, dssr_model_get_scale (model), error)
      || !check_range ("threads", config->threads, MAX_THREADS, error)
      || !check_range ("lookahead", config->lookahead, G_MAXINT, error)
      || !check_range ("band_rows", config->band_rows, G_MAXINT, error)
      || !check_range ("frames_in_flight", config->frames_in_flight,
          DSSR_MAX_FLIGHTS, error))
    return NULL;

  int threads = config->threads;
  if (threads == 0)
    threads = (int)MIN (g_get_num_processors (), MAX_THREADS);
  g_autoptr (DssrSession) session = g_new0 (DssrSession, 1);
  pthread_mutex_init (&session->building, NULL);
  pthread_mutex_init (&session->lock, NULL);
  session->prepared = g_ptr_array_new ();
  session->follow = TRUE;
  session->format = config->format;
  session->scale = dssr_model_get_scale (model);
  session->lookahead = config->lookahead;
  session->threads = threads;
  session->band_rows = config->band_rows;
  if (!choose_backend (session, config, error)
      || !use_first (session, model, error))
    return NULL;
  /* Who asked for a GPU is to know that there is none; who did not, not. */
  if (session->fallback && config->backend == DSSR_BACKEND_VULKAN) {
    g_set_error_literal (
        error, DSSR_ERROR, DSSR_ERROR_BACKEND, session->fallback);
    return NULL;
  }
  session->fallback = NULL;
  if (!session->gpu)
    session->ahead = 0;
  return g_steal_pointer (&session);
}

void
dssr_session_free (DssrSession *session)
{
  release_all (session);
  free_held (session);
  dssr_session_clear_denoise (session);
  g_clear_pointer (&session->used, dssr_prepared_unref);
  g_warn_if_fail (session->prepared->len == 0);
  g_clear_pointer (&session->gpu, dssr_gpu_free);
  g_clear_pointer (&session->recovery, dssr_gpu_recovery_free);
  g_clear_pointer (&session->pool, dssr_pool_free);
  dssr_arena_clear (&session->arena);
  g_ptr_array_unref (session->prepared);
  pthread_mutex_destroy (&session->building);
  pthread_mutex_destroy (&session->lock);
  g_free (session);
}

/* Whether a frame has all those after it that it waits for. */
static gboolean
has_window (const DssrSession *session, gint64 number)
{
  return session->end - number > (session->drained ? 0 : session->future);
}

static gboolean
is_ready (const DssrSession *session)
{
  return has_window (
      session, session->next + (session->drained ? 0 : session->ahead));
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

  gint64 start = g_get_monotonic_time ();
  if (session->drained)
    release_all (session);
  session->drained = FALSE;
  DssrPlane first = dssr_session_denoise (session, &picture->planes[0]);
  release_until (session, session->next - session->past);
  Held *held = get_held (session, session->end++);
  *held = (Held){
      .picture = *picture,
      .given = picture->planes[0],
      .own = held->own,
      .denoise = session->denoise,
      .follow = session->follow,
      .frame = frame,
      .release = release,
      .contrast = session->contrast,
  };
  held->picture.planes[0] = first;
  session->push_time += g_get_monotonic_time () - start;
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
  for (int i = 0; i < session->used->model->n_planes; i++)
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

/* A frame through the network. A frame that the window lacks is replaced by the
 * nearest one there is. */
static void
add_network (DssrSession *session, gint64 centre, DssrJob *job,
    const DssrPicture *out, const DssrFormat *enlarged)
{
  gint64 last = MIN (session->end - 1, centre + session->future);
  gboolean align_centre = session->used->model->n_aligned > 2 * session->past;
  int n = 0;

  for (int i = -session->past; i <= session->past; i++) {
    gint64 number = CLAMP (centre + i, session->first, last);
    int slot = see_frame (session, number, job);
    if (i == 0)
      job->centre = slot;
    if (i == 0 && !align_centre)
      continue;
    if (session->used->model->follows)
      job->pans[n] = dssr_session_get_pan (session, centre, number);
    job->aligned[n++] = slot;
  }
  job->enlarge = true;
  get_planes (
      session, &get_held (session, centre)->picture, &session->format, job->in);
  get_planes (session, out, enlarged, job->out);
}

static void
add_plane (const DssrSession *session, gint64 number, DssrJob *job,
    const DssrPicture *out, const DssrFormat *enlarged, int plane)
{
  const DssrPicture *in = &get_held (session, number)->picture;
  int i = job->n_planes++;
  job->planes[i].out = dssr_picture_samples (out, enlarged, plane);
  job->planes[i].in = dssr_picture_samples (in, &session->format, plane);
  job->planes[i].bicubic =
      dssr_picture_bicubic (&session->format, plane, session->scale);
}

static DssrJob
make_job (DssrSession *session, gint64 number, const DssrPicture *picture,
    gboolean base)
{
  DssrFormat enlarged = dssr_format_enlarge (&session->format, session->scale);
  DssrJob job = {.contrast = get_held (session, number)->contrast};
  if (!base)
    add_network (session, number, &job, picture, &enlarged);
  for (int i = base ? 0 : session->used->model->n_planes;
       i < dssr_format_n_planes (&session->format); i++)
    add_plane (session, number, &job, picture, &enlarged, i);
  return job;
}

static int
get_flight (const DssrSession *session, gint64 number)
{
  return (int)(number % (session->ahead + 1));
}

/* picture: where the result goes; its planes may be NULL as yet. */
static gboolean
submit (DssrSession *session, gint64 number, const DssrPicture *picture,
    gboolean base, GError **error)
{
  DssrJob job = make_job (session, number, picture, base);
  session->submitted = MAX (session->submitted, number + 1);
  return dssr_gpu_submit (
      session->gpu, &job, get_flight (session, number), error);
}

/* The next frame, if the GPU was not given it before, and those after it that
 * may be in flight with it. */
static gboolean
enlarge_on_gpu (DssrSession *session, const DssrPicture *picture, gboolean base,
    GError **error)
{
  const DssrPicture none = {0};
  gint64 next = session->next;
  gboolean given = session->submitted > next;

  /* It is late after all. */
  if (given && base)
    dssr_gpu_cancel (session->gpu);
  if ((!given || base) && !submit (session, next, picture, base, error))
    return FALSE;
  while (session->submitted <= next + session->ahead
         && has_window (session, session->submitted)) {
    if (!submit (session, session->submitted, &none, FALSE, error))
      return FALSE;
  }
  DssrJob job = make_job (session, next, picture, base);
  return dssr_gpu_finish (
      session->gpu, &job, get_flight (session, next), session->time_ns, error);
}

/* The work for a frame; on the CPU if the GPU fails, which makes the same. */
static gboolean
enlarge (DssrSession *session, const DssrPicture *picture, gboolean base,
    GError **error)
{
  if (!session->gpu)
    return_to_gpu (session);
  g_autoptr (GError) reason = NULL;
  if (session->gpu) {
    if (enlarge_on_gpu (session, picture, base, &reason))
      return TRUE;
    if (!leave_gpu (session, reason)) {
      g_propagate_error (error, g_steal_pointer (&reason));
      return FALSE;
    }
  }
  DssrJob job = make_job (session, session->next, picture, base);
  dssr_network_run (session->used->network, &job, session->time_ns);
  return TRUE;
}

static gboolean
pull (DssrSession *session, const DssrPicture *picture, gboolean base,
    GError **error)
{
  g_return_val_if_fail (picture != NULL, FALSE);

  gint64 start = g_get_monotonic_time ();
  DssrFormat enlarged = dssr_format_enlarge (&session->format, session->scale);
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
  session->frame_time = session->push_time + g_get_monotonic_time () - start;
  session->push_time = 0;
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

void
dssr_session_set_contrast (DssrSession *session, gboolean high)
{
  session->contrast = high;
}

void
dssr_session_set_denoise (DssrSession *session, gboolean denoise)
{
  session->denoise = denoise;
}

void
dssr_session_set_follow (DssrSession *session, gboolean follow)
{
  session->follow = follow;
}

int
dssr_session_get_latency (const DssrSession *session)
{
  return session->future + session->ahead;
}

DssrDevice *
dssr_session_get_device (const DssrSession *session)
{
  if (!session->gpu)
    return NULL;
  return dssr_device_ref (dssr_gpu_get_device (session->gpu));
}

void
dssr_session_get_stats (const DssrSession *session, DssrStats *stats)
{
  const DssrGpuWork work =
      session->gpu ? dssr_gpu_get_work (session->gpu) : (DssrGpuWork){0};

  *stats = (DssrStats){
      .frames_in = (guint64)session->end,
      .frames_out = session->frames_out,
      .latency = session->future + session->ahead,
      .threads = session->gpu ? 1 : session->threads,
      .backend = session->gpu ? dssr_gpu_get_name (session->gpu)
                              : session->kernels->name,
      .fallback = session->fallback,
      .frame_ms = (double)session->frame_time / 1000,
      .mean_ms = session->frames_out ? (double)session->total_time / 1000
                                           / (double)session->frames_out
                                     : 0,
      .noise = sqrt (session->denoiser.noise.variance) / 16,
      .memory = session->arena.size + dssr_prepared_get_size (session)
                + dssr_session_get_denoise_size (session)
                + (session->gpu ? dssr_gpu_get_size (session->gpu) : 0),
      .copied = session->gpu ? dssr_gpu_get_copied (session->gpu) : 0,
      .gpu_time_ns = session->gpu ? dssr_gpu_get_time (session->gpu) : 0,
      .gpu_traffic = work.traffic,
      .gpu_operations = work.operations,
      .gpu_barriers = work.barriers,
  };
  memcpy (stats->time_ns, session->time_ns, sizeof session->time_ns);
}
