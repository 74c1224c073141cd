/* A fixed set of workers that sleep until there is a job for all of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pool.h"

struct _DssrPool {
  GThread **workers;
  int n_workers;

  GMutex lock;
  GCond start, done;
  guint job;   /* number of the current job */
  int working; /* workers that are not done with it */
  gboolean quit;

  DssrPoolFunc func;
  gpointer data;
  int n;
  int next; /* atomic */
};

static void
work (DssrPool *pool)
{
  int index;
  while ((index = g_atomic_int_add (&pool->next, 1)) < pool->n)
    pool->func (pool->data, index);
}

static gpointer
worker (gpointer data)
{
  DssrPool *pool = data;
  guint seen = 0;

  g_mutex_lock (&pool->lock);
  for (;;) {
    while (pool->job == seen && !pool->quit)
      g_cond_wait (&pool->start, &pool->lock);
    if (pool->quit)
      break;
    seen = pool->job;
    g_mutex_unlock (&pool->lock);
    work (pool);
    g_mutex_lock (&pool->lock);
    if (--pool->working == 0)
      g_cond_signal (&pool->done);
  }
  g_mutex_unlock (&pool->lock);
  return NULL;
}

DssrPool *
dssr_pool_new (int threads)
{
  DssrPool *pool = g_new0 (DssrPool, 1);
  pool->n_workers = threads - 1;
  g_mutex_init (&pool->lock);
  g_cond_init (&pool->start);
  g_cond_init (&pool->done);
  pool->workers = g_new (GThread *, pool->n_workers);
  for (int i = 0; i < pool->n_workers; i++)
    pool->workers[i] = g_thread_new ("dssr", worker, pool);
  return pool;
}

void
dssr_pool_free (DssrPool *pool)
{
  g_mutex_lock (&pool->lock);
  pool->quit = TRUE;
  g_cond_broadcast (&pool->start);
  g_mutex_unlock (&pool->lock);
  for (int i = 0; i < pool->n_workers; i++)
    g_thread_join (pool->workers[i]);
  g_free (pool->workers);
  g_cond_clear (&pool->start);
  g_cond_clear (&pool->done);
  g_mutex_clear (&pool->lock);
  g_free (pool);
}

int
dssr_pool_get_threads (const DssrPool *pool)
{
  return pool->n_workers + 1;
}

void
dssr_pool_run (DssrPool *pool, int n, DssrPoolFunc func, gpointer data)
{
  if (pool->n_workers == 0 || n <= 1) {
    for (int i = 0; i < n; i++)
      func (data, i);
    return;
  }

  g_mutex_lock (&pool->lock);
  pool->func = func;
  pool->data = data;
  pool->n = n;
  g_atomic_int_set (&pool->next, 0);
  pool->working = pool->n_workers;
  pool->job++;
  g_cond_broadcast (&pool->start);
  g_mutex_unlock (&pool->lock);

  work (pool);

  g_mutex_lock (&pool->lock);
  while (pool->working > 0)
    g_cond_wait (&pool->done, &pool->lock);
  g_mutex_unlock (&pool->lock);
}
