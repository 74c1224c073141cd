/* Which method convolves a layer the fastest: docs/performance.md, "Sparse
 * layers", has the measurements.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_tile.h"
#if DSSR_REGISTERS == 32
#include "kernels/x86/conv_copies.h"
#include "kernels/x86/conv_dense.h"
#include "kernels/x86/conv_masks.h"
#define DENSE_METHOD dense_method
#elif defined DSSR_HAVE_DOT
#include "kernels/x86/conv_copies.h"
#include "kernels/x86/conv_dense.h"
#define DENSE_METHOD dense_method
#else
#include "kernels/x86/conv_lists.h"
#define DENSE_METHOD quad_method
#endif

/* Per cent of the weights' quads that are not zero. */
static double
density (const DssrConv *conv)
{
  const size_t n = (size_t)4 * conv->out_quads * conv->in_quads * conv->kernel
                   * conv->kernel;
  size_t present = 0;

  for (size_t i = 0; i < n; i++)
    present += !is_zero (conv->weight + 4 * i);
  return 100. * present / n;
}

#if DSSR_REGISTERS == 32

/* The processor learns the sequence of masks of a tile's row up to about this
 * length. */
enum { MASKS_MOST = 512 };

/* Masks pay where a tile has enough taps, copies where enough channels use
 * them. */
static const Method *
sparse_method (const DssrConv *conv, double per_cent)
{
  const bool spatial = conv->kernel == 3;
  const bool many_out = conv->out_quads >= conv->in_quads;
  const int taps = conv->kernel * conv->kernel * conv->in_quads;
  const bool too_long = (conv->out_quads + 1) / 2 * taps > MASKS_MOST;

  if (too_long
      || (spatial && many_out && (per_cent < 20 || conv->in_quads == 1)))
    return per_cent < 40 ? &copies_method : NULL;
  const int most = taps < 6 ? 0 : taps < 12 || conv->out_quads == 1 ? 45 : 75;
  return per_cent < most ? &masks_method : NULL;
}

#elif defined DSSR_HAVE_DOT

static const Method *
sparse_method (const DssrConv *conv, double per_cent)
{
  const bool few_out = 2 * conv->out_quads < conv->in_quads;
  return per_cent < (few_out ? 50 : 80) ? &copies_method : NULL;
}

#else

static const Method *
sparse_method (const DssrConv *conv, double per_cent)
{
  return per_cent < 80 ? &single_method : NULL;
}

#endif

static const Method *
choose_method (const DssrConv *conv)
{
  const Method *sparse =
      conv->stride == 1 ? sparse_method (conv, density (conv)) : NULL;

  return sparse ? sparse : &DENSE_METHOD;
}
