/* Noise of a scene that stands still, averaged over time before a frame is
 * enlarged (docs/integer-contract.md, noise and denoise).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/kernels.h"

#include <glib.h>

/* What is known of the frames before. */
typedef struct {
  guint16 *means[2];  /* the planes are made when there is noise; the first is
                         of the frame before */
  gsize size;         /* bytes of both */
  gboolean averaging; /* means[0] is valid */
  DssrNoise noise;    /* of the last frame */
} DssrDenoiser;

void dssr_denoiser_clear (DssrDenoiser *denoiser);

/* The next frame is the first of a scene. */
void dssr_denoiser_restart (DssrDenoiser *denoiser);

/* Measures the noise of the next frame. TRUE: dssr_denoiser_run is to follow;
 * FALSE: the frame is good as it is. `before`: the frame before as it came, of
 * the same size. */
gboolean dssr_denoiser_measure (DssrDenoiser *denoiser,
    const DssrKernels *kernels, const DssrSamples *in,
    const DssrSamples *before);

/* Writes the frame with less noise. `shown`: what was enlarged for the frame
 * before. */
void dssr_denoiser_run (DssrDenoiser *denoiser, const DssrKernels *kernels,
    const DssrSamples *out, const DssrSamples *in, const DssrSamples *shown);
