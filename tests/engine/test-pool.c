/* The thread pool: every index once, whatever the numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pool.h"

#define MOST 1000

static void
count (gpointer data, int index)
{
  g_atomic_int_inc (&((int *)data)[index]);
}

static void
test_once (void)
{
  const int threads[] = {1, 2, 3, 16};
  const int sizes[] = {0, 1, 2, 15, MOST};

  for (guint t = 0; t < G_N_ELEMENTS (threads); t++) {
    g_autoptr (DssrPool) pool = dssr_pool_new (threads[t]);
    g_assert_cmpint (dssr_pool_get_threads (pool), ==, threads[t]);
    for (guint s = 0; s < G_N_ELEMENTS (sizes); s++) {
      int counts[MOST] = {0};
      for (int round = 1; round <= 20; round++) {
        dssr_pool_run (pool, sizes[s], count, counts);
        for (int i = 0; i < MOST; i++)
          g_assert_cmpint (counts[i], ==, i < sizes[s] ? round : 0);
      }
    }
  }
}

typedef struct {
  GMutex lock;
  GCond cond;
  int inside;
} Meeting;

static void
meet (gpointer data, int index)
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
  dssr_pool_run (pool, 4, meet, &meeting);
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
