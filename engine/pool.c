/* A fixed set of workers that sleep until there is a job for all of them.
 *
 * With POSIX's locks rather than GLib's, which ThreadSanitizer does not see.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pool.h"

#include <pthread.h>

typedef struct {
  DssrPool *pool;
  pthread_t thread;
  int index;
} Worker;

struct _DssrPool {
  Worker *workers;
  int n_workers;

  pthread_mutex_t lock;
  pthread_cond_t start, done;
  guint job;   /* number of the current job */
  int working; /* workers that are not done with it */
  gboolean quit;

  DssrPoolFunc func;
  gpointer data;
};

static void *
run_worker (void *data)
{
  const Worker *worker = data;
  DssrPool *pool = worker->pool;
  guint seen = 0;

  pthread_mutex_lock (&pool->lock);
  for (;;) {
    while (pool->job == seen && !pool->quit)
      pthread_cond_wait (&pool->start, &pool->lock);
    if (pool->quit)
      break;
    seen = pool->job;
    pthread_mutex_unlock (&pool->lock);
    pool->func (pool->data, worker->index);
    pthread_mutex_lock (&pool->lock);
    if (--pool->working == 0)
      pthread_cond_signal (&pool->done);
  }
  pthread_mutex_unlock (&pool->lock);
  return NULL;
}

DssrPool *
dssr_pool_new (int threads)
{
  DssrPool *pool = g_new0 (DssrPool, 1);
  pthread_mutex_init (&pool->lock, NULL);
  pthread_cond_init (&pool->start, NULL);
  pthread_cond_init (&pool->done, NULL);
  pool->workers = g_new0 (Worker, threads - 1);
  for (int i = 0; i < threads - 1; i++) {
    Worker *worker = &pool->workers[i];
    worker->pool = pool;
    worker->index = i + 1;
    /* Without a thread more, those that there are do its work. */
    if (pthread_create (&worker->thread, NULL, run_worker, worker) != 0)
      break;
    pool->n_workers++;
  }
  return pool;
}

void
dssr_pool_free (DssrPool *pool)
{
  pthread_mutex_lock (&pool->lock);
  pool->quit = TRUE;
  pthread_cond_broadcast (&pool->start);
  pthread_mutex_unlock (&pool->lock);
  for (int i = 0; i < pool->n_workers; i++)
    pthread_join (pool->workers[i].thread, NULL);
  g_free (pool->workers);
  pthread_cond_destroy (&pool->start);
  pthread_cond_destroy (&pool->done);
  pthread_mutex_destroy (&pool->lock);
  g_free (pool);
}

int
dssr_pool_get_threads (const DssrPool *pool)
{
  return pool->n_workers + 1;
}

void
dssr_pool_run (DssrPool *pool, DssrPoolFunc func, gpointer data)
{
  pthread_mutex_lock (&pool->lock);
  pool->func = func;
  pool->data = data;
  pool->working = pool->n_workers;
  pool->job++;
  pthread_cond_broadcast (&pool->start);
  pthread_mutex_unlock (&pool->lock);

  func (data, 0);

  pthread_mutex_lock (&pool->lock);
  while (pool->working > 0)
    pthread_cond_wait (&pool->done, &pool->lock);
  pthread_mutex_unlock (&pool->lock);
}
