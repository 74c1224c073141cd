/* Convolution with many quads of weights missing, where eight channels share
 * the vectors of pixels that are loaded: the channels that have weights for a
 * tap are a mask, and there is code for each mask.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_rows.h"

enum { MASK_CHANNELS = 8, MASK_VECTORS = 3 };

/* A tap of an input quad. */
typedef struct {
  uint16_t row;
  int8_t x;     /* bytes from the tile's pixels to the tap's */
  uint8_t mask; /* of the channels */
} MaskEntry;

/* Where the entries of a tile's channels and a window are; after them come the
 * weights of each one's mask. */
typedef struct {
  size_t offset;
  int n;
} MaskList;

/* Multiplies the channels of a mask; returns where their weights end. */
DSSR_INLINE const int8_t *
multiply_mask (Vector s[MASK_CHANNELS][MASK_VECTORS], const uint8_t *p,
    const int8_t *weights, int mask, int vectors)
{
  Vector pixels[MASK_VECTORS];

  DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    pixels[v] = load (p + v * sizeof (Vector));
  DSSR_UNROLL
  for (int o = 0; o < MASK_CHANNELS; o++) {
    if (mask >> o & 1) {
      const Vector w = splat (weights);
      DSSR_UNROLL
      for (int v = 0; v < vectors; v++)
        s[o][v] = dot (s[o][v], pixels[v], w);
      weights += 4;
    }
  }
  return weights;
}

#define MASK_CASE(mask)                                                        \
  case mask:                                                                   \
    weights = multiply_mask (s, p, weights, mask, vectors);                    \
    break;
#define MASK_CASES_16(high)                                                    \
  MASK_CASE (high##0)                                                          \
  MASK_CASE (high##1)                                                          \
  MASK_CASE (high##2)                                                          \
  MASK_CASE (high##3)                                                          \
  MASK_CASE (high##4)                                                          \
  MASK_CASE (high##5)                                                          \
  MASK_CASE (high##6)                                                          \
  MASK_CASE (high##7)                                                          \
  MASK_CASE (high##8)                                                          \
  MASK_CASE (high##9)                                                          \
  MASK_CASE (high##a)                                                          \
  MASK_CASE (high##b)                                                          \
  MASK_CASE (high##c)                                                          \
  MASK_CASE (high##d)                                                          \
  MASK_CASE (high##e)                                                          \
  MASK_CASE (high##f)
#define MASK_CASES                                                             \
  MASK_CASES_16 (0x0)                                                          \
  MASK_CASES_16 (0x1)                                                          \
  MASK_CASES_16 (0x2)                                                          \
  MASK_CASES_16 (0x3)                                                          \
  MASK_CASES_16 (0x4)                                                          \
  MASK_CASES_16 (0x5)                                                          \
  MASK_CASES_16 (0x6)                                                          \
  MASK_CASES_16 (0x7)                                                          \
  MASK_CASES_16 (0x8)                                                          \
  MASK_CASES_16 (0x9)                                                          \
  MASK_CASES_16 (0xa)                                                          \
  MASK_CASES_16 (0xb)                                                          \
  MASK_CASES_16 (0xc)                                                          \
  MASK_CASES_16 (0xd)                                                          \
  MASK_CASES_16 (0xe)                                                          \
  MASK_CASES_16 (0xf)

/* Adds the window's products to the sums, or to `first` if it is not NULL. The
 * processor learns the sequence of masks, which is the same for every tile. */
DSSR_INLINE void
add_masks (Sums sums, const Window *window, const MaskEntry *entry, int n,
    const Channels *first, int quads, int vectors)
{
  const MaskEntry *end = entry + n;
  const int8_t *weights = (const int8_t *)end;
  Vector s[MASK_CHANNELS][MASK_VECTORS];

  DSSR_UNROLL
  for (int o = 0; o < MASK_CHANNELS; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    s[o][v] = o >= 4 * quads ? ZERO
              : first        ? splat (&first[o / 4].bias[o % 4])
                             : sums[o][v];

  for (; entry < end; entry++) {
    const uint8_t *p = window->rows[entry->row] + window->x + entry->x;
    switch (entry->mask) {
      MASK_CASES
    }
  }

  DSSR_UNROLL
  for (int o = 0; o < MASK_CHANNELS; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    sums[o][v] = s[o][v];
}

typedef void (*MaskKernel) (Sums sums, const Window *window,
    const MaskEntry *entry, int n, const Channels *first, int quads);

#define MASK_KERNEL(vectors)                                                   \
  static void masks_##vectors (Sums sums, const Window *window,                \
      const MaskEntry *entry, int n, const Channels *first, int quads)         \
  {                                                                            \
    add_masks (sums, window, entry, n, first, quads, vectors);                 \
  }

MASK_KERNEL (1)
MASK_KERNEL (2)
MASK_KERNEL (3)

static const MaskKernel mask_kernels[MASK_VECTORS] = {
    masks_1, masks_2, masks_3};

static int
n_windows (const DssrConv *conv)
{
  return (conv->in_quads + window_quads (conv) - 1) / window_quads (conv);
}

static size_t
mask_lists_size (const DssrConv *conv)
{
  return (size_t)(conv->out_quads + 1) / 2 * n_windows (conv)
         * sizeof (MaskList);
}

/* The channels from 4 * out_quad on that have weights for a tap. */
static int
channel_mask (const DssrConv *conv, int out_quad, int in_quad, int tap)
{
  const int n = min_int (MASK_CHANNELS, 4 * (conv->out_quads - out_quad));
  int mask = 0;

  for (int o = 0; o < n; o++)
    if (!is_zero (weight_quad (conv, 4 * out_quad + o, in_quad, tap)))
      mask |= 1 << o;
  return mask;
}

/* The entries of eight channels and a window; returns their number. */
static int
pack_mask_entries (
    const DssrConv *conv, MaskEntry *entries, int out_quad, int first, int last)
{
  const int kernel = conv->kernel;
  int n = 0;

  for (int i = first; i < last; i++) {
    for (int tap = 0; tap < kernel * kernel; tap++) {
      const int mask = channel_mask (conv, out_quad, i, tap);
      if (mask)
        entries[n++] = (MaskEntry){(i - first) * kernel + tap / kernel,
            4 * (tap % kernel - kernel / 2), mask};
    }
  }
  return n;
}

static int8_t *
pack_weights (const DssrConv *conv, int8_t *dst, const MaskEntry *entry, int n,
    int out_quad, int first)
{
  const int kernel = conv->kernel;

  for (const MaskEntry *end = entry + n; entry < end; entry++) {
    const int i = first + entry->row / kernel;
    const int tap = entry->row % kernel * kernel + entry->x / 4 + kernel / 2;
    for (int o = 0; o < MASK_CHANNELS; o++) {
      if (entry->mask >> o & 1) {
        memcpy (dst, weight_quad (conv, 4 * out_quad + o, i, tap), 4);
        dst += 4;
      }
    }
  }
  return dst;
}

static size_t
masks_size (const DssrConv *conv)
{
  size_t size = mask_lists_size (conv);

  for (int q = 0; q < conv->out_quads; q += 2) {
    for (int i = 0; i < conv->in_quads; i++) {
      for (int tap = 0; tap < conv->kernel * conv->kernel; tap++) {
        const int mask = channel_mask (conv, q, i, tap);
        size += mask ? sizeof (MaskEntry) + 4 * __builtin_popcount (mask) : 0;
      }
    }
  }
  return size;
}

static void
masks_pack (const DssrConv *conv, void *weights)
{
  MaskList *list = weights;
  int8_t *dst = (int8_t *)weights + mask_lists_size (conv);

  for (int q = 0; q < conv->out_quads; q += 2) {
    for (int i = 0; i < conv->in_quads; i += window_quads (conv), list++) {
      MaskEntry *entries = (MaskEntry *)dst;
      const int end = min_int (i + window_quads (conv), conv->in_quads);
      const int n = pack_mask_entries (conv, entries, q, i, end);
      *list = (MaskList){dst - (int8_t *)weights, n};
      dst = pack_weights (conv, (int8_t *)(entries + n), entries, n, q, i);
    }
  }
}

static void
masks_sum (Sums sums, const Window *window, const void *weights,
    const DssrConv *conv, int out_quad, int quads, int in_quad,
    const Channels *first, int vectors)
{
  const MaskList *list = (const MaskList *)weights
                         + out_quad / 2 * n_windows (conv)
                         + in_quad / window_quads (conv);
  const MaskEntry *entries =
      (const MaskEntry *)((const char *)weights + list->offset);

  mask_kernels[vectors - 1](sums, window, entries, list->n, first, quads);
}

static void
masks_run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1)
{
  run_rows (out, in, conv, job, y0, y1, masks_sum, 2, MASK_VECTORS);
}

static const Method masks_method = {masks_size, masks_pack, masks_run};
