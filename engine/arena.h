/* The memory of the network that is at work: features of the held frames,
 * rings, local rows. A session has one, in which its networks take turns.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct {
  guint8 *data; /* NULL: nothing was reserved yet */
  gsize size;
} DssrArena;

/* Makes it at least this large; then, what it held is lost. FALSE: there is not
 * that much memory, and nothing has changed. */
gboolean dssr_arena_reserve (DssrArena *arena, guint64 size);
void dssr_arena_clear (DssrArena *arena);
