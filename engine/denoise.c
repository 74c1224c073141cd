/* Noise of a scene that stands still.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/denoise.h"

/* Of the means. */
#define DEPTH 12

void
dssr_denoiser_clear (DssrDenoiser *denoiser)
{
  g_free (denoiser->means[0]);
  g_free (denoiser->means[1]);
  *denoiser = (DssrDenoiser){0};
}

void
dssr_denoiser_restart (DssrDenoiser *denoiser)
{
  denoiser->averaging = FALSE;
  denoiser->noise = (DssrNoise){0};
}

gboolean
dssr_denoiser_measure (DssrDenoiser *denoiser, const DssrKernels *kernels,
    const DssrSamples *in, const DssrSamples *before)
{
  denoiser->noise = kernels->noise (in, before);
  if (!denoiser->noise.variance)
    denoiser->averaging = FALSE;
  return denoiser->noise.variance != 0;
}

static DssrSamples
mean_samples (guint16 *mean, const DssrSamples *in)
{
  return (DssrSamples){
      .data = mean,
      .stride = (ptrdiff_t)sizeof *mean * in->width,
      .step = sizeof *mean,
      .width = in->width,
      .height = in->height,
      .depth = DEPTH,
  };
}

static void
make_means (DssrDenoiser *denoiser, const DssrSamples *in)
{
  gsize samples = (gsize)in->width * (gsize)in->height;

  for (int i = 0; i < 2; i++)
    denoiser->means[i] = g_new (guint16, samples);
  denoiser->size = 2 * samples * sizeof (guint16);
}

void
dssr_denoiser_run (DssrDenoiser *denoiser, const DssrKernels *kernels,
    const DssrSamples *out, const DssrSamples *in, const DssrSamples *shown)
{
  if (!denoiser->means[0])
    make_means (denoiser, in);
  guint16 *mean = denoiser->means[0], *next = denoiser->means[1];
  DssrDenoise denoise = {
      .noise = denoiser->noise,
      .before = *shown,
      .mean = denoiser->averaging ? mean_samples (mean, in) : *shown,
      .next = mean_samples (next, in),
  };
  kernels->denoise (out, in, &denoise, 0, in->height);
  denoiser->means[0] = next;
  denoiser->means[1] = mean;
  denoiser->averaging = TRUE;
}
