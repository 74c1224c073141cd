/* dssr-upscale: the progress bar.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 30
#define PLAIN_INTERVAL (10 * G_USEC_PER_SEC)

void
upscale_progress_start (UpscaleProgress *progress)
{
  gint64 now = g_get_monotonic_time ();
  *progress = (UpscaleProgress){now, now, isatty (STDERR_FILENO), FALSE};
}

static void
print_numbers (const UpscaleState *state, double seconds, double part)
{
  fprintf (stderr, "frame %" G_GUINT64_FORMAT ", %.2f frames/s", state->frames,
      seconds > 0 ? state->frames / seconds : 0);
  if (part > 0.001) {
    guint left = (guint)(seconds * (1 - part) / part + 0.5);
    fprintf (
        stderr, ", %u:%02u:%02u left", left / 3600, left / 60 % 60, left % 60);
  }
}

void
upscale_progress_update (UpscaleProgress *progress, const UpscaleState *state)
{
  gint64 now = g_get_monotonic_time ();
  if (!progress->terminal && now - progress->reported < PLAIN_INTERVAL)
    return;
  progress->reported = now;

  gboolean known =
      GST_CLOCK_TIME_IS_VALID (state->duration) && state->duration > 0;
  double part = known ? MIN (1, (double)state->position / state->duration) : 0;
  double seconds = (double)(now - progress->started) / G_USEC_PER_SEC;
  if (progress->terminal) {
    int filled = (int)(part * BAR_WIDTH);
    fputs ("\r[", stderr);
    for (int i = 0; i < BAR_WIDTH; i++)
      fputc (i < filled ? '#' : '.', stderr);
    fputs ("] ", stderr);
  }
  if (known)
    fprintf (stderr, "%3d%% ", (int)(part * 100));
  print_numbers (state, seconds, part);
  fputs (progress->terminal ? "\033[K" : "\n", stderr);
  fflush (stderr);
  progress->line_open = progress->terminal;
}

void
upscale_progress_break (UpscaleProgress *progress)
{
  if (progress->line_open)
    fputc ('\n', stderr);
  progress->line_open = FALSE;
}
