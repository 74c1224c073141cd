/* Threads that share the bands of one operation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct _DssrPool DssrPool;
typedef void (*DssrPoolFunc) (gpointer data, int index);

/* threads: 1 or more, the caller's among them */
DssrPool *dssr_pool_new (int threads);
void dssr_pool_free (DssrPool *pool);
int dssr_pool_get_threads (const DssrPool *pool);

/* Calls func (data, 0) to func (data, n - 1), in any order and on any thread,
 * and returns when all have returned. */
void dssr_pool_run (DssrPool *pool, int n, DssrPoolFunc func, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrPool, dssr_pool_free)
