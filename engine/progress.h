/* How far each of the steps of a program is that run side by side.
 *
 * Steps are numbered from 0 in the order in which threads take them, end in
 * this order, and at most as many as there are threads run at once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct _DssrProgress DssrProgress;

/* n_ops: of a step, its end among them */
DssrProgress *dssr_progress_new (int threads, int n_ops);
void dssr_progress_free (DssrProgress *progress);

/* Nothing has begun. While no step runs. */
void dssr_progress_reset (DssrProgress *progress);

/* The first `n_ops` operations of a step have ended. When all have, the thread
 * is done with the step: it does not set more. What it wrote before can be read
 * after dssr_progress_wait. */
void dssr_progress_set (DssrProgress *progress, int step, int n_ops);

gboolean dssr_progress_is (DssrProgress *progress, int step, int n_ops);
/* Sleeps until dssr_progress_is. */
void dssr_progress_wait (DssrProgress *progress, int step, int n_ops);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrProgress, dssr_progress_free)
