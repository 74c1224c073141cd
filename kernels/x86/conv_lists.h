/* Convolution where there is no dot instruction. Weights come in lists of those
 * that are not zero and can be multiplied alike.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "kernels/x86/conv_rows.h"

/* Pairs of products are added in 16 bits where the weights are small enough for
 * that to be exact; the smaller they are, the more pairs. Others are multiplied
 * as 16-bit values. */
/* Vectors of a tile of one channel, and of four. */
enum { SINGLE_VECTORS = 8, QUAD_VECTORS = 2 };

enum { FOURS, TWOS, ONES, WORDS, N_KINDS };

/* How many entries are added in 16 bits. */
static const int kind_batch[N_KINDS] = {4, 2, 1, 1};

/* The sum of the weights of a sign of a pair of products that 16 bits hold:
 * 255 * 128 < 32768. */
enum { MAX_PAIR = 128 };

/* A tap of an input quad. */
typedef struct {
  uint16_t row;
  int16_t x; /* bytes from the tile's pixels to the tap's */
} Entry;

/* The entries of some channels and a window, kind by kind, and after them their
 * weights: [batch][channel][entry][4], of WORDS int16_t. */
typedef struct {
  size_t offset;
  int n[N_KINDS]; /* batches */
} List;

/* Adds the products of a batch of entries to the sum of a channel. */
DSSR_INLINE Vector
multiply_batch (Vector sum, const Vector *pixels, const int8_t *weights, int n)
{
  Vector pairs = _mm256_maddubs_epi16 (pixels[0], splat (weights));

  DSSR_UNROLL
  for (int i = 1; i < n; i++)
    pairs = _mm256_add_epi16 (
        pairs, _mm256_maddubs_epi16 (pixels[i], splat (weights + 4 * i)));
  return _mm256_add_epi32 (
      sum, _mm256_madd_epi16 (pairs, _mm256_set1_epi16 (1)));
}

DSSR_INLINE Vector
multiply_words (Vector sum, Vector even, Vector odd, const int8_t *weights)
{
  sum = _mm256_add_epi32 (sum, _mm256_madd_epi16 (even, splat (weights)));
  return _mm256_add_epi32 (sum, _mm256_madd_epi16 (odd, splat (weights + 4)));
}

DSSR_INLINE const uint8_t *
entry_pixels (const Window *window, const Entry *entry)
{
  return window->rows[entry->row] + window->x + entry->x;
}

/* Adds the window's products to the sums, or to `first` if it is not NULL. */
DSSR_INLINE void
add_list (Sums sums, const Window *window, const List *list, const Entry *entry,
    const int32_t *first, int stride, int channels, int vectors)
{
  const int n =
      4 * list->n[FOURS] + 2 * list->n[TWOS] + list->n[ONES] + list->n[WORDS];
  const int8_t *weights = (const int8_t *)(entry + n);
  const int vector = stride * sizeof (Vector);
  Vector s[4][SINGLE_VECTORS];

  DSSR_UNROLL
  for (int o = 0; o < channels; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    s[o][v] = first ? splat (first + o) : sums[o][v];

#define BATCHES(kind, size)                                                    \
  for (int i = 0; i < list->n[kind]; i++) {                                    \
    const uint8_t *p[size];                                                    \
    DSSR_UNROLL                                                                \
    for (int k = 0; k < size; k++)                                             \
      p[k] = entry_pixels (window, entry++);                                   \
    DSSR_UNROLL                                                                \
    for (int v = 0; v < vectors; v++) {                                        \
      Vector pixels[size];                                                     \
      DSSR_UNROLL                                                              \
      for (int k = 0; k < size; k++)                                           \
        pixels[k] = load_tap (p[k] + v * vector, 0, stride);                   \
      DSSR_UNROLL                                                              \
      for (int o = 0; o < channels; o++)                                       \
        s[o][v] =                                                              \
            multiply_batch (s[o][v], pixels, weights + 4 * size * o, size);    \
    }                                                                          \
    weights += 4 * size * channels;                                            \
  }

  BATCHES (FOURS, 4)
  BATCHES (TWOS, 2)
  BATCHES (ONES, 1)
  for (int i = 0; i < list->n[WORDS]; i++) {
    const uint8_t *p = entry_pixels (window, entry++);
    DSSR_UNROLL
    for (int v = 0; v < vectors; v++) {
      const Vector pixels = load_tap (p + v * vector, 0, stride);
      const Vector even = _mm256_and_si256 (pixels, _mm256_set1_epi16 (255));
      const Vector odd = _mm256_srli_epi16 (pixels, 8);
      DSSR_UNROLL
      for (int o = 0; o < channels; o++)
        s[o][v] = multiply_words (s[o][v], even, odd, weights + 8 * o);
    }
    weights += 8 * channels;
  }
#undef BATCHES

  DSSR_UNROLL
  for (int o = 0; o < channels; o++)
    DSSR_UNROLL
  for (int v = 0; v < vectors; v++)
    sums[o][v] = s[o][v];
}

typedef void (*ListKernel) (Sums sums, const Window *window, const List *list,
    const Entry *entry, const int32_t *first);

#define LISTS(stride, channels, vectors)                                       \
  static void lists_##stride##_##channels##_##vectors (Sums sums,              \
      const Window *window, const List *list, const Entry *entry,              \
      const int32_t *first)                                                    \
  {                                                                            \
    add_list (sums, window, list, entry, first, stride, channels, vectors);    \
  }

static int
n_windows (const DssrConv *conv)
{
  return (conv->in_quads + window_quads (conv) - 1) / window_quads (conv);
}

/* Bytes of the lists of all groups of channels and windows. */
static size_t
lists_size (const DssrConv *conv, int channels)
{
  return (size_t)4 * conv->out_quads / channels * n_windows (conv)
         * sizeof (List);
}

/* The greatest sum of the weights of a sign of a pair: -1 if all are zero. */
static int
greatest_pair (
    const DssrConv *conv, int channel, int channels, int in_quad, int tap)
{
  int greatest = -1;

  for (int o = channel; o < channel + channels; o++) {
    const int8_t *w = weight_quad (conv, o, in_quad, tap);
    if (is_zero (w))
      continue;
    for (int i = 0; i < 4; i += 2) {
      const int plus = max_int (w[i], 0) + max_int (w[i + 1], 0);
      const int minus = min_int (w[i], 0) + min_int (w[i + 1], 0);
      greatest = max_int (greatest, max_int (plus, -minus));
    }
  }
  return greatest;
}

static size_t
size_of_lists (const DssrConv *conv, int channels)
{
  const int taps = conv->kernel * conv->kernel;
  size_t n = 0;

  for (int o = 0; o < 4 * conv->out_quads; o += channels)
    for (int i = 0; i < conv->in_quads; i++)
      for (int tap = 0; tap < taps; tap++)
        n += greatest_pair (conv, o, channels, i, tap) >= 0;
  return lists_size (conv, channels) + n * (sizeof (Entry) + 8 * channels);
}

/* A tap of an input quad, and its greatest pair. */
typedef struct {
  int16_t in_quad; /* of the window */
  int16_t tap, pair;
} Tap;

/* The taps that have weights, in the order of the list. */
static int
sort_taps (const DssrConv *conv, Tap *sorted, int channel, int channels,
    int first, int last)
{
  enum { MAX = 2 * 128 };
  Tap taps[3 * MAX_ROWS];
  int n = 0, at[MAX + 2] = {0};

  for (int i = first; i < last; i++) {
    for (int tap = 0; tap < conv->kernel * conv->kernel; tap++) {
      const int pair = greatest_pair (conv, channel, channels, i, tap);
      if (pair >= 0) {
        taps[n++] = (Tap){i - first, tap, pair};
        at[pair + 1]++;
      }
    }
  }
  for (int i = 0; i < MAX; i++)
    at[i + 1] += at[i];
  for (int i = 0; i < n; i++)
    sorted[at[taps[i].pair]++] = taps[i];
  return n;
}

/* Divides sorted taps into kinds. */
static void
count_batches (List *list, const Tap *taps, int n)
{
  int i = 0;

  memset (list->n, 0, sizeof list->n);
  for (int kind = FOURS; kind < WORDS; kind++) {
    const int size = kind_batch[kind];
    for (; i + size <= n; i += size, list->n[kind]++) {
      int sum = 0;
      for (int k = 0; k < size; k++)
        sum += taps[i + k].pair;
      if (sum > MAX_PAIR)
        break;
    }
  }
  list->n[WORDS] = n - i;
}

/* Writes a list's entries and weights; returns where they end. */
static int8_t *
pack_list (const DssrConv *conv, List *list, int8_t *dst, int channel,
    int channels, int first, int last)
{
  const int kernel = conv->kernel;
  Tap taps[3 * MAX_ROWS];
  const int n = sort_taps (conv, taps, channel, channels, first, last);
  Entry *entry = (Entry *)dst;
  const Tap *tap = taps;

  count_batches (list, taps, n);
  for (int i = 0; i < n; i++)
    *entry++ = (Entry){taps[i].in_quad * kernel + taps[i].tap / kernel,
        4 * (taps[i].tap % kernel - kernel / 2)};

  dst = (int8_t *)entry;
  for (int kind = 0; kind < N_KINDS; kind++) {
    for (int i = 0; i < list->n[kind]; i++, tap += kind_batch[kind]) {
      for (int o = channel; o < channel + channels; o++) {
        for (int k = 0; k < kind_batch[kind]; k++) {
          const int8_t *w =
              weight_quad (conv, o, first + tap[k].in_quad, tap[k].tap);
          if (kind == WORDS) {
            const int16_t words[] = {w[0], w[2], w[1], w[3]};
            memcpy (dst, words, sizeof words);
            dst += sizeof words;
          } else {
            memcpy (dst, w, 4);
            dst += 4;
          }
        }
      }
    }
  }
  return dst;
}

static void
pack_lists (const DssrConv *conv, void *weights, int channels)
{
  List *list = weights;
  int8_t *dst = (int8_t *)weights + lists_size (conv, channels);

  for (int o = 0; o < 4 * conv->out_quads; o += channels) {
    for (int i = 0; i < conv->in_quads; i += window_quads (conv), list++) {
      list->offset = dst - (int8_t *)weights;
      dst = pack_list (conv, list, dst, o, channels, i,
          min_int (i + window_quads (conv), conv->in_quads));
    }
  }
}

/* The lists of single channels, for sparse layers. */

static size_t
single_size (const DssrConv *conv)
{
  return size_of_lists (conv, 1);
}

static void
single_pack (const DssrConv *conv, void *weights)
{
  pack_lists (conv, weights, 1);
}

LISTS (1, 1, 1)
LISTS (1, 1, 2)
LISTS (1, 1, 3)
LISTS (1, 1, 4)
LISTS (1, 1, 5)
LISTS (1, 1, 6)
LISTS (1, 1, 7)
LISTS (1, 1, 8)

static void
single_sum (Sums sums, const Window *window, const void *weights,
    const DssrConv *conv, int out_quad, int quads, int in_quad,
    const Channels *first, int vectors)
{
  static const ListKernel kernels[] = {lists_1_1_1, lists_1_1_2, lists_1_1_3,
      lists_1_1_4, lists_1_1_5, lists_1_1_6, lists_1_1_7, lists_1_1_8};

  for (int o = 0; o < 4; o++) {
    const List *list = (const List *)weights
                       + (4 * out_quad + o) * n_windows (conv)
                       + in_quad / window_quads (conv);
    kernels[vectors - 1](sums + o, window, list,
        (const Entry *)((const char *)weights + list->offset),
        first ? first->bias + o : NULL);
  }
}

static void
single_run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1)
{
  run_rows (out, in, conv, job, y0, y1, single_sum, 1, SINGLE_VECTORS);
}

static const Method single_method = {single_size, single_pack, single_run};

/* The lists of an output quad. */

static size_t
quad_size (const DssrConv *conv)
{
  return size_of_lists (conv, 4);
}

static void
quad_pack (const DssrConv *conv, void *weights)
{
  pack_lists (conv, weights, 4);
}

LISTS (1, 4, 1)
LISTS (1, 4, 2)
LISTS (2, 4, 1)
LISTS (2, 4, 2)

static void
quad_sum (Sums sums, const Window *window, const void *weights,
    const DssrConv *conv, int out_quad, int quads, int in_quad,
    const Channels *first, int vectors)
{
  static const ListKernel kernels[2][QUAD_VECTORS] = {
      {lists_1_4_1, lists_1_4_2}, {lists_2_4_1, lists_2_4_2}};
  const List *list = (const List *)weights + out_quad * n_windows (conv)
                     + in_quad / window_quads (conv);

  kernels[conv->stride - 1][vectors - 1](sums, window, list,
      (const Entry *)((const char *)weights + list->offset),
      first ? first->bias : NULL);
}

static void
quad_run (const DssrTensor *out, const DssrTensor *in, const DssrConv *conv,
    const Job *job, int y0, int y1)
{
  run_rows (out, in, conv, job, y0, y1, quad_sum, 1, QUAD_VECTORS);
}

static const Method quad_method = {quad_size, quad_pack, quad_run};
