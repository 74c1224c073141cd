/* One counter for each step, of which those long ended are used again: a
 * counter holds the operations of all its program's steps up to here, so it
 * only grows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/progress.h"

#include <pthread.h>
#include <stdatomic.h>

/* Looks before a thread sleeps: the step before is usually about to get there,
 * and sleeping costs more than some microseconds. */
#define LOOKS 2000

/* A cache line of its own. */
typedef struct {
  _Alignas(64) atomic_llong done;
} Counter;

struct _DssrProgress {
  Counter *counters;
  int n_counters;
  int n_ops;

  atomic_int sleepers;
  pthread_mutex_t lock;
  pthread_cond_t cond;
};

DssrProgress *
dssr_progress_new (int threads, int n_ops)
{
  DssrProgress *progress = g_new0 (DssrProgress, 1);
  progress->n_counters = threads;
  progress->counters = g_aligned_alloc0 (
      (gsize)progress->n_counters, sizeof (Counter), sizeof (Counter));
  progress->n_ops = n_ops;
  pthread_mutex_init (&progress->lock, NULL);
  pthread_cond_init (&progress->cond, NULL);
  return progress;
}

void
dssr_progress_free (DssrProgress *progress)
{
  pthread_cond_destroy (&progress->cond);
  pthread_mutex_destroy (&progress->lock);
  g_aligned_free (progress->counters);
  g_free (progress);
}

void
dssr_progress_reset (DssrProgress *progress)
{
  for (int i = 0; i < progress->n_counters; i++)
    atomic_store (&progress->counters[i].done, 0);
}

static atomic_llong *
get_counter (DssrProgress *progress, int step)
{
  return &progress->counters[step % progress->n_counters].done;
}

static long long
get_count (const DssrProgress *progress, int step, int n_ops)
{
  return (long long)step * progress->n_ops + n_ops;
}

void
dssr_progress_set (DssrProgress *progress, int step, int n_ops)
{
  long long count = get_count (progress, step, n_ops);
  long long before = atomic_exchange (get_counter (progress, step), count);
  g_assert (before < count);
  /* A thread counts itself among the sleepers before it looks again: either it
   * sees the new count, or it is seen here. */
  if (atomic_load (&progress->sleepers) > 0) {
    pthread_mutex_lock (&progress->lock);
    pthread_cond_broadcast (&progress->cond);
    pthread_mutex_unlock (&progress->lock);
  }
}

gboolean
dssr_progress_is (DssrProgress *progress, int step, int n_ops)
{
  return atomic_load (get_counter (progress, step))
         >= get_count (progress, step, n_ops);
}

void
dssr_progress_wait (DssrProgress *progress, int step, int n_ops)
{
  atomic_llong *counter = get_counter (progress, step);
  long long count = get_count (progress, step, n_ops);

  for (int i = 0; i < LOOKS; i++) {
    if (atomic_load (counter) >= count)
      return;
  }
  pthread_mutex_lock (&progress->lock);
  atomic_fetch_add (&progress->sleepers, 1);
  while (atomic_load (counter) < count)
    pthread_cond_wait (&progress->cond, &progress->lock);
  atomic_fetch_sub (&progress->sleepers, 1);
  pthread_mutex_unlock (&progress->lock);
}
