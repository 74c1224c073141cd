/* Noise of a scene that stands still, averaged over time before a frame is
 * enlarged (docs/integer-contract.md, noise and denoise).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/picture.h"
#include "engine/session.h"

/* Of the means. */
#define DEPTH 12

/* The next frame is the first of a scene. */
static void
restart (DssrDenoiser *denoiser)
{
  denoiser->averaging = FALSE;
  denoiser->noise = (DssrNoise){0};
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

/* shown: what was enlarged for the frame before */
static void
average (DssrDenoiser *denoiser, const DssrKernels *kernels,
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

/* A plane like luma, in the memory of the slot of the next frame. */
static DssrPlane
get_own_plane (DssrSession *session)
{
  Held *held = get_held (session, session->end);
  int bytes = session->format.depth > 8 ? 2 : 1;
  ptrdiff_t stride = (ptrdiff_t)session->format.width * bytes;

  if (!held->own)
    held->own = g_malloc ((gsize)stride * (gsize)session->format.height);
  return (DssrPlane){held->own, stride, bytes};
}

static DssrSamples
get_luma (const DssrSession *session, const DssrPlane *plane)
{
  return dssr_picture_samples (&(DssrPicture){{*plane}}, &session->format, 0);
}

DssrPlane
dssr_session_denoise (DssrSession *session, const DssrPlane *given)
{
  DssrDenoiser *denoiser = &session->denoiser;
  const Held *last = session->end > session->first
                         ? get_held (session, session->end - 1)
                         : NULL;

  if (!session->denoise || session->used->model->n_planes > 1 || !last
      || !last->denoise) {
    restart (denoiser);
    return *given;
  }
  DssrSamples in = get_luma (session, given);
  DssrSamples before = get_luma (session, &last->given);
  denoiser->noise = session->kernels->noise (&in, &before);
  if (!denoiser->noise.variance) {
    restart (denoiser);
    return *given;
  }
  DssrPlane plane = get_own_plane (session);
  DssrSamples out = get_luma (session, &plane);
  DssrSamples shown = get_luma (session, &last->picture.planes[0]);
  average (denoiser, session->kernels, &out, &in, &shown);
  return plane;
}

gsize
dssr_session_get_denoise_size (const DssrSession *session)
{
  gsize plane = (gsize)session->format.width * (gsize)session->format.height
                * (session->format.depth > 8 ? 2 : 1);
  gsize size = session->denoiser.size;

  for (int i = 0; i < session->n_slots; i++)
    size += session->held[i].own ? plane : 0;
  return size;
}

void
dssr_session_clear_denoise (DssrSession *session)
{
  g_free (session->denoiser.means[0]);
  g_free (session->denoiser.means[1]);
}
