/* The thread pool, and the steps that follow each other on it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pool.h"
#include "engine/progress.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static void
count (gpointer data, int thread)
{
  ((int *)data)[thread]++;
}

static void
test_once (void)
{
  const int threads[] = {1, 2, 3, 16};

  for (guint t = 0; t < G_N_ELEMENTS (threads); t++) {
    g_autoptr (DssrPool) pool = dssr_pool_new (threads[t]);
    g_assert_cmpint (dssr_pool_get_threads (pool), ==, threads[t]);
    int counts[17] = {0};
    for (int round = 1; round <= 200; round++) {
      dssr_pool_run (pool, count, counts);
      for (int i = 0; i < 17; i++)
        g_assert_cmpint (counts[i], ==, i < threads[t] ? round : 0);
    }
  }
}

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t cond;
  int inside;
} Meeting;

static void
meet (gpointer data, int thread)
{
  Meeting *meeting = data;
  pthread_mutex_lock (&meeting->lock);
  meeting->inside++;
  pthread_cond_broadcast (&meeting->cond);
  while (meeting->inside < 4)
    pthread_cond_wait (&meeting->cond, &meeting->lock);
  pthread_mutex_unlock (&meeting->lock);
}

/* Four calls that wait for each other end only if they run at once. */
static void
test_parallel (void)
{
  g_autoptr (DssrPool) pool = dssr_pool_new (4);
  Meeting meeting = {0};
  pthread_mutex_init (&meeting.lock, NULL);
  pthread_cond_init (&meeting.cond, NULL);
  dssr_pool_run (pool, meet, &meeting);
  g_assert_cmpint (meeting.inside, ==, 4);
  pthread_cond_destroy (&meeting.cond);
  pthread_mutex_destroy (&meeting.lock);
}

/* Threads take steps in order; in each, operation after operation follows that
 * of the step before and leaves a mark, which is read without a lock. */
#define N_STEPS 300
#define N_OPS 5

typedef struct {
  DssrProgress *progress;
  atomic_int next;
  int marks[N_STEPS][N_OPS];
} March;

static void
march_step (March *march, int step, GRand *rng)
{
  for (int op = 0; op < N_OPS; op++) {
    if (step > 0) {
      dssr_progress_wait (march->progress, step - 1, op + 1);
      g_assert_true (dssr_progress_is (march->progress, step - 1, op + 1));
      g_assert_cmpint (march->marks[step - 1][op], ==, step - 1 + op);
    }
    if (g_rand_int_range (rng, 0, 8) == 0)
      sched_yield ();
    march->marks[step][op] = step + op;
    g_assert_false (dssr_progress_is (march->progress, step, op + 1));
    dssr_progress_set (march->progress, step, op + 1);
    g_assert_true (dssr_progress_is (march->progress, step, op + 1));
  }
}

static void
march_all (gpointer data, int thread)
{
  March *march = data;
  g_autoptr (GRand) rng = g_rand_new_with_seed ((guint32)thread);
  int step;
  while ((step = atomic_fetch_add (&march->next, 1)) < N_STEPS)
    march_step (march, step, rng);
}

static void
test_progress (void)
{
  const int threads[] = {1, 2, 3, 8, 16};
  for (guint t = 0; t < G_N_ELEMENTS (threads); t++) {
    g_autoptr (DssrPool) pool = dssr_pool_new (threads[t]);
    g_autoptr (DssrProgress) progress = dssr_progress_new (threads[t], N_OPS);
    for (int round = 0; round < 20; round++) {
      March march = {.progress = progress};
      dssr_progress_reset (progress);
      dssr_pool_run (pool, march_all, &march);
      for (int step = 0; step < N_STEPS; step++)
        for (int op = 0; op < N_OPS; op++)
          g_assert_cmpint (march.marks[step][op], ==, step + op);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool/once", test_once);
  g_test_add_func ("/pool/parallel", test_parallel);
  g_test_add_func ("/pool/progress", test_progress);
  return g_test_run ();
}
