/* A GPU that failed, opened again in the background.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-recovery.h"

/* The wait before an attempt: the first one's, and the longest. */
#define FIRST_WAIT (G_TIME_SPAN_SECOND / 10)
#define LONGEST_WAIT (30 * G_TIME_SPAN_SECOND)

/* A GPU that fails again sooner than this is not trusted: the waits grow on. */
#define TRUSTED_AFTER (10 * G_TIME_SPAN_SECOND)

struct _DssrGpuRecovery {
  DssrFormat format;
  GThread *thread; /* NULL: nothing to do, since the GPU works */

  /* Under the lock. `changed` says that something else did. */
  GMutex lock;
  GCond changed;
  DssrModel *model;
  int slots;
  gboolean stop;
  DssrGpu *gpu;   /* what the thread works on, */
  gboolean ready; /* and is done with */

  gint64 wait;
  gint64 taken; /* time of the last success; 0: none */
};

DssrGpuRecovery *
dssr_gpu_recovery_new (const DssrFormat *format)
{
  DssrGpuRecovery *recovery = g_new0 (DssrGpuRecovery, 1);
  recovery->format = *format;
  g_mutex_init (&recovery->lock);
  g_cond_init (&recovery->changed);
  return recovery;
}

static void
stop_thread (DssrGpuRecovery *recovery)
{
  if (!recovery->thread)
    return;
  g_mutex_lock (&recovery->lock);
  recovery->stop = TRUE;
  g_cond_signal (&recovery->changed);
  g_mutex_unlock (&recovery->lock);
  g_clear_pointer (&recovery->thread, g_thread_join);
  recovery->stop = FALSE;
}

void
dssr_gpu_recovery_free (DssrGpuRecovery *recovery)
{
  stop_thread (recovery);
  g_clear_pointer (&recovery->gpu, dssr_gpu_free);
  g_clear_pointer (&recovery->model, dssr_model_unref);
  g_cond_clear (&recovery->changed);
  g_mutex_clear (&recovery->lock);
  g_free (recovery);
}

/* Waits, under the lock, until the next attempt is due. FALSE: to stop. */
static gboolean
wait_for_turn (DssrGpuRecovery *recovery)
{
  gint64 end = g_get_monotonic_time () + recovery->wait;
  gboolean due = FALSE;

  while (!recovery->stop && !due)
    due = !g_cond_wait_until (&recovery->changed, &recovery->lock, end);
  recovery->wait = MIN (2 * recovery->wait, LONGEST_WAIT);
  return !recovery->stop;
}

/* Makes all that the GPU needs for the model in hand; without the lock, which
 * is held before and after. */
static gboolean
prepare (DssrGpuRecovery *recovery)
{
  DssrModel *model = dssr_model_ref (recovery->model);
  int slots = recovery->slots;
  g_autoptr (GError) error = NULL;

  g_mutex_unlock (&recovery->lock);
  /* What there is of an attempt before. */
  dssr_gpu_close (recovery->gpu);
  gboolean made = dssr_gpu_open (recovery->gpu, &error)
                  && dssr_gpu_use_model (
                      recovery->gpu, model, &recovery->format, slots, &error);
  if (!made)
    g_info ("the GPU is not back yet: %s", error->message);
  g_mutex_lock (&recovery->lock);
  gboolean same = model == recovery->model && slots == recovery->slots;
  dssr_model_unref (model);
  return made && same;
}

static gpointer
recover (gpointer data)
{
  DssrGpuRecovery *recovery = data;

  /* What hangs takes its time to close. */
  dssr_gpu_close (recovery->gpu);
  g_mutex_lock (&recovery->lock);
  while (!recovery->ready && wait_for_turn (recovery))
    recovery->ready = prepare (recovery);
  g_mutex_unlock (&recovery->lock);
  return NULL;
}

static void
set_model (DssrGpuRecovery *recovery, DssrModel *model, int slots)
{
  dssr_model_ref (model);
  g_clear_pointer (&recovery->model, dssr_model_unref);
  recovery->model = model;
  recovery->slots = slots;
}

static void
start_thread (DssrGpuRecovery *recovery)
{
  recovery->ready = FALSE;
  recovery->thread = g_thread_new ("dssr-gpu", recover, recovery);
}

void
dssr_gpu_recovery_begin (
    DssrGpuRecovery *recovery, DssrGpu *gpu, DssrModel *model, int slots)
{
  gint64 now = g_get_monotonic_time ();

  g_assert (!recovery->thread);
  if (!recovery->taken || now - recovery->taken > TRUSTED_AFTER)
    recovery->wait = FIRST_WAIT;
  recovery->gpu = gpu;
  set_model (recovery, model, slots);
  start_thread (recovery);
}

void
dssr_gpu_recovery_use_model (
    DssrGpuRecovery *recovery, DssrModel *model, int slots)
{
  if (!recovery->thread)
    return;
  g_mutex_lock (&recovery->lock);
  set_model (recovery, model, slots);
  gboolean again = recovery->ready;
  g_mutex_unlock (&recovery->lock);
  if (again) {
    stop_thread (recovery);
    recovery->wait = FIRST_WAIT;
    start_thread (recovery);
  }
}

DssrGpu *
dssr_gpu_recovery_take (DssrGpuRecovery *recovery)
{
  if (!recovery->thread)
    return NULL;
  g_mutex_lock (&recovery->lock);
  gboolean ready = recovery->ready;
  g_mutex_unlock (&recovery->lock);
  if (!ready)
    return NULL;
  stop_thread (recovery);
  recovery->taken = g_get_monotonic_time ();
  return g_steal_pointer (&recovery->gpu);
}
