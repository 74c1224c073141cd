/* What the kernels share. The same sources are compiled once for each
 * instruction set, which DSSR_ISA names: loops are written for gcc's
 * vectoriser, over blocks of pixels in small arrays on the stack.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "kernels/kernels.h"

#ifndef DSSR_ISA
#define DSSR_ISA scalar
#endif

#define DSSR_PASTE_(a, b) dssr_##a##_##b
#define DSSR_PASTE(a, b) DSSR_PASTE_ (a, b)
/* The name of a function in this build: dssr_scalar_conv, dssr_avx2_conv. */
#define DSSR_KERNEL(name) DSSR_PASTE (DSSR_ISA, name)

/* Pixels that are worked on together. */
enum { BLOCK = 64 };

static inline int
min_int (int a, int b)
{
  return a < b ? a : b;
}

static inline int
max_int (int a, int b)
{
  return a > b ? a : b;
}

static inline int
clamp (int x, int lo, int hi)
{
  return min_int (max_int (x, lo), hi);
}

static inline int16_t
sat16 (int x)
{
  return clamp (x, INT16_MIN, INT16_MAX);
}

/* What rounds a right shift by s to nearest; 0 for s = 0. */
static inline int
round_of (int s)
{
  return (1 << s) >> 1;
}

/* (a * b + 0x4000) >> 15, in the form that gcc knows as pmulhrsw. b is not
 * negative. */
static inline int16_t
mulhrs (int16_t a, int16_t b)
{
  return ((a * b >> 14) + 1) >> 1;
}

static inline void *
tensor_row (const DssrTensor *t, int quad, int y)
{
  return (char *)t->data + quad * t->plane + (y & (t->ring - 1)) * t->stride;
}

/* Writes the edge pixels of rows y0 to y1 - 1 of an 8-bit tensor into its
 * margins. */
static inline void
fill_margins (const DssrTensor *t, int y0, int y1)
{
  for (int q = 0; q < t->quads; q++) {
    for (int y = y0; y < y1; y++) {
      uint8_t *row = tensor_row (t, q, y), *end = row + 4 * t->width;
      memcpy (row - 4, row, 4);
      memcpy (end, end - 4, 4);
    }
  }
}

void DSSR_KERNEL (input) (const DssrTensor *out, const DssrSamples *planes,
    int n_planes, int unshuffle, int y0, int y1);
size_t DSSR_KERNEL (conv_packed_size) (const DssrConv *conv);
void DSSR_KERNEL (conv_pack) (const DssrConv *conv, void *packed);
void DSSR_KERNEL (conv) (const DssrTensor *out, const DssrTensor *in, int n_in,
    const DssrConv *conv, int y0, int y1);
void DSSR_KERNEL (conv_border) (const DssrTensor *out, const DssrTensor *in,
    int n_in, const DssrConv *conv, int y0, int y1);
void DSSR_KERNEL (deform_zero) (const DssrTensor *out,
    const DssrTensor *feature, const DssrTensor *offset,
    const DssrDeform *deform, int y0, int y1);
void DSSR_KERNEL (shuffle) (
    const DssrTensor *out, const DssrTensor *in, int zero, int y0, int y1);
void DSSR_KERNEL (follow) (
    const DssrTensor *out, const DssrTensor *in, DssrPan pan, int y0, int y1);
void DSSR_KERNEL (pool) (const DssrTensor *out, const DssrTensor *in,
    const DssrPooling *pool, int y0, int y1);
void DSSR_KERNEL (modulate) (const DssrTensor *out, const DssrTensor *v,
    const DssrTensor *gate, const DssrTensor *b, const DssrModulate *modulate,
    int y0, int y1);
void DSSR_KERNEL (head_planes) (const DssrSamples *out, const DssrSamples *in,
    int n_planes, const DssrTensor *residual, const DssrBicubic *bicubic,
    bool linear, int shuffle, int y0, int y1);
void DSSR_KERNEL (deform) (const DssrTensor *out, const DssrTensor *feature,
    const DssrTensor *offset, const DssrDeform *deform, int y0, int y1);
void DSSR_KERNEL (add) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrAdd *add, int y0, int y1);
void DSSR_KERNEL (up2) (
    const DssrTensor *out, const DssrTensor *in, int y0, int y1);
void DSSR_KERNEL (attention) (const DssrTensor *out, const DssrTensor *a,
    const DssrTensor *b, const DssrTensor *v, const DssrAttention *attention,
    int y0, int y1);
void DSSR_KERNEL (bicubic) (const DssrSamples *out, const DssrSamples *in,
    const DssrBicubic *bicubic, int y0, int y1);
void DSSR_KERNEL (head) (const DssrSamples *out, const DssrSamples *luma,
    const DssrTensor *residual, const DssrBicubic *bicubic, int shuffle, int y0,
    int y1);
void DSSR_KERNEL (contrast) (const DssrSamples *out, const DssrSamples *in,
    const DssrContrast *contrast, int y0, int y1);
DssrNoise DSSR_KERNEL (noise) (
    const DssrSamples *in, const DssrSamples *before);
void DSSR_KERNEL (denoise) (const DssrSamples *out, const DssrSamples *in,
    const DssrDenoise *denoise, int y0, int y1);
DssrPan DSSR_KERNEL (pan) (const DssrSamples *in, const DssrSamples *before);

/* dssr_kernels_scalar, dssr_kernels_avx2. */
const DssrKernels *DSSR_PASTE (kernels, DSSR_ISA) (void);
