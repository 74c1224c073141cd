/* Threads that work on one job together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct _DssrPool DssrPool;
typedef void (*DssrPoolFunc) (gpointer data, int thread);

/* threads: 1 or more, the caller's among them */
DssrPool *dssr_pool_new (int threads);
void dssr_pool_free (DssrPool *pool);
int dssr_pool_get_threads (const DssrPool *pool);

/* Calls func (data, 0) on this thread and func (data, i) on the others, all at
 * once, and returns when all have returned. */
void dssr_pool_run (DssrPool *pool, DssrPoolFunc func, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrPool, dssr_pool_free)
