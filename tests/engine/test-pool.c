/* The thread pool, and the steps that follow each other on it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pool.h"

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
  GMutex lock;
  GCond cond;
  int inside;
} Meeting;

static void
meet (gpointer data, int thread)
{
  Meeting *meeting = data;
  g_mutex_lock (&meeting->lock);
  meeting->inside++;
  g_cond_broadcast (&meeting->cond);
  while (meeting->inside < 4)
    g_cond_wait (&meeting->cond, &meeting->lock);
  g_mutex_unlock (&meeting->lock);
}

/* Four calls that wait for each other end only if they run at once. */
static void
test_parallel (void)
{
  g_autoptr (DssrPool) pool = dssr_pool_new (4);
  Meeting meeting = {0};
  g_mutex_init (&meeting.lock);
  g_cond_init (&meeting.cond);
  dssr_pool_run (pool, meet, &meeting);
  g_assert_cmpint (meeting.inside, ==, 4);
  g_cond_clear (&meeting.cond);
  g_mutex_clear (&meeting.lock);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool/once", test_once);
  g_test_add_func ("/pool/parallel", test_parallel);
  return g_test_run ();
}
