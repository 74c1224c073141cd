/* Weights and tables in the order in which the shaders read them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/internal.h"

#include <stdlib.h>
#include <string.h>

/* Room for `n` vectors of four words, or NULL; *place is that of the first. */
static uint32_t *
reserve (DssrVulkanWeights *weights, size_t n, uint32_t *place)
{
  const size_t begin = weights->n_words, end = begin + 4 * n;

  *place = (uint32_t)(begin / 4);
  if (end > weights->capacity) {
    const size_t capacity = 2 * end;
    uint32_t *words = realloc (weights->words, capacity * sizeof *words);
    if (!words) {
      weights->failed = true;
      return NULL;
    }
    weights->words = words;
    weights->capacity = capacity;
  }
  weights->n_words = end;
  return weights->words + begin;
}

/* Bias and products of four output channels. Pixels reach the dot product less
 * 128, those outside the picture too: the bias gets what that takes. */
static void
add_parameters (uint32_t *words, const DssrConv *conv, int out_quad)
{
  const size_t n = (size_t)4 * conv->kernel * conv->kernel * conv->in_quads;

  for (int lane = 0; lane < 4; lane++) {
    const int o = 4 * out_quad + lane;
    const int8_t *weight = conv->weight + n * (size_t)o;
    /* Modulo 2^32, as the sums on the GPU are. */
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
      sum += (uint32_t)weight[i];
    words[lane] = (uint32_t)conv->bias[o] + 128 * sum;
    words[4 + lane] = (uint32_t)conv->mult[o];
    words[8 + lane] = conv->act == DSSR_ACT_LEAKY  ? (uint32_t)conv->mult_neg[o]
                      : conv->act == DSSR_ACT_RELU ? 0
                                                   : (uint32_t)conv->mult[o];
  }
}

static uint32_t
pack_bytes (const uint8_t *bytes)
{
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16
         | (uint32_t)bytes[3] << 24;
}

/* Parameters; where zero lies outside the picture, that of each input quad; and
 * weights, [out quad][in quad][tap][4 output channels], four input channels in
 * a word. */
uint32_t
dssr_vulkan_add_conv (DssrVulkanWeights *weights, const DssrConv *conv)
{
  const int taps = conv->kernel * conv->kernel, in_quads = conv->in_quads;
  const size_t n_params =
      (size_t)3 * conv->out_quads + (size_t)(conv->outside ? in_quads : 0);
  const size_t n_weights = (size_t)conv->out_quads * in_quads * taps;
  uint32_t place;
  uint32_t *words = reserve (weights, n_params + n_weights, &place);

  if (!words)
    return 0;
  for (int q = 0; q < conv->out_quads; q++, words += 12)
    add_parameters (words, conv, q);
  for (int i = 0; conv->outside && i < in_quads; i++, words += 4)
    memset (words, conv->outside[i], 16);
  for (int q = 0; q < conv->out_quads; q++) {
    for (int i = 0; i < in_quads; i++) {
      for (int tap = 0; tap < taps; tap++) {
        for (int lane = 0; lane < 4; lane++) {
          const size_t quad =
              ((size_t)(4 * q + lane) * taps + tap) * in_quads + i;
          *words++ = pack_bytes ((const uint8_t *)conv->weight + 4 * quad);
        }
      }
    }
  }
  return place;
}

uint32_t
dssr_vulkan_add_table (DssrVulkanWeights *weights, const uint8_t *table)
{
  uint32_t place;
  uint32_t *words = reserve (weights, 16, &place);

  for (int i = 0; words && i < 64; i++, table += 4)
    words[i] = pack_bytes (table);
  return place;
}

void
dssr_vulkan_clear_weights (DssrVulkanWeights *weights)
{
  free (weights->words);
  memset (weights, 0, sizeof *weights);
}
