/* What was reserved stays, so that a change of model touches no new memory: a
 * page that is touched for the first time costs as much as computing a part of
 * a row.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/arena.h"
#include "kernels/kernels.h"

#include <stdlib.h>

/* Far above what a sound model needs for the largest picture. */
#define MAX_MEMORY ((guint64)8 << 30)

gboolean
dssr_arena_reserve (DssrArena *arena, guint64 size)
{
  void *data;

  if (arena->data && size <= arena->size)
    return TRUE;
  if (size > MIN (MAX_MEMORY, G_MAXSIZE / 2)
      || posix_memalign (
          &data, DSSR_ALIGNMENT, MAX ((gsize)size, DSSR_ALIGNMENT)))
    return FALSE;
  free (arena->data);
  arena->data = data;
  arena->size = (gsize)size;
  return TRUE;
}

void
dssr_arena_clear (DssrArena *arena)
{
  free (arena->data);
  *arena = (DssrArena){0};
}
