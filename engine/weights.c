/* The arrays of an operation: widened, spread and copied into aligned memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/graph.h"
#include "engine/json.h"

#include <string.h>

enum { WEIGHT, MASK, BIAS, MULT, MULT_NEG, TABLE = WEIGHT };

static void *
new_array (DssrOp *op, int which, gsize size)
{
  return op->arrays[which] = g_aligned_alloc0 (1, MAX (size, 64), 64);
}

/* Values of `bits` bits in two's complement, the first in the lowest bits. */
typedef struct {
  const guint8 *next;
  guint32 pending;
  int n_pending;
  int bits;
} Stream;

static int8_t
next_value (Stream *stream)
{
  if (stream->n_pending < stream->bits) {
    stream->pending |= (guint32)*stream->next++ << stream->n_pending;
    stream->n_pending += 8;
  }
  guint8 top = (guint8)(stream->pending << (8 - stream->bits));
  stream->pending >>= stream->bits;
  stream->n_pending -= stream->bits;
  return (int8_t)((int8_t)top >> (8 - stream->bits));
}

static bool
has_quad (const guint8 *mask, gsize quad)
{
  return !mask || mask[quad >> 3] >> (quad & 7) & 1;
}

static gboolean
read_mask (DssrOp *op, const DssrSafetensors *file, const char *where,
    gsize n_quads, GError **error)
{
  op->weight_quads = n_quads;
  if (!dssr_safetensors_has (file, where, "mask"))
    return TRUE;

  gsize size = (n_quads + 7) / 8;
  const DssrArray *array = dssr_safetensors_get (file, where, "mask",
      DSSR_DTYPE_U8, (const gint64[]){(gint64)size}, 1, error);
  if (!array)
    return FALSE;
  if (n_quads & 7 && array->data[size - 1] >> (n_quads & 7))
    return dssr_fail (error, where, "mask has bits after the last quad");
  guint8 *mask = new_array (op, MASK, size);
  memcpy (mask, array->data, size);
  op->conv.mask = mask;
  op->weight_quads = 0;
  for (gsize i = 0; i < n_quads; i++)
    op->weight_quads += has_quad (mask, i);
  op->bytes += size;
  return TRUE;
}

static const DssrArray *
find_weight (
    DssrOp *op, const DssrSafetensors *file, const char *where, GError **error)
{
  const DssrConv *conv = &op->conv;
  gint64 quads = (gint64)op->weight_quads;
  if (op->bits < 8)
    return dssr_safetensors_get (file, where, "weight", DSSR_DTYPE_U8,
        (const gint64[]){(quads * 4 * op->bits + 7) / 8}, 1, error);
  if (conv->mask)
    return dssr_safetensors_get (file, where, "weight", DSSR_DTYPE_I8,
        (const gint64[]){quads, 4}, 2, error);
  return dssr_safetensors_get (file, where, "weight", DSSR_DTYPE_I8,
      (const gint64[]){
          4 * conv->out_quads, conv->kernel * conv->kernel, 4 * conv->in_quads},
      3, error);
}

static gboolean
read_weight (DssrOp *op, const DssrSafetensors *file, const char *where,
    gsize n_quads, GError **error)
{
  const DssrArray *array = find_weight (op, file, where, error);
  if (!array)
    return FALSE;
  Stream stream = {.next = array->data, .bits = op->bits};
  int8_t *weight = new_array (op, WEIGHT, 4 * n_quads);
  for (gsize i = 0; i < n_quads; i++) {
    if (has_quad (op->conv.mask, i)) {
      for (int lane = 0; lane < 4; lane++)
        weight[4 * i + lane] = next_value (&stream);
    }
  }
  op->conv.weight = weight;
  op->bytes += (gsize)(array->end - array->begin);
  return TRUE;
}

static gboolean
read_bias (
    DssrOp *op, const DssrSafetensors *file, const char *where, GError **error)
{
  gint64 n = 4 * op->conv.out_quads;
  const DssrArray *array =
      dssr_safetensors_get (file, where, "bias", DSSR_DTYPE_I32, &n, 1, error);
  if (!array)
    return FALSE;
  int32_t *bias = new_array (op, BIAS, (gsize)n * sizeof *bias);
  memcpy (bias, array->data, (gsize)n * sizeof *bias);
  for (gint64 i = 0; i < n; i++)
    bias[i] = GINT32_FROM_LE (bias[i]);
  op->conv.bias = bias;
  op->bytes += (gsize)n * sizeof *bias;
  return TRUE;
}

/* Channels that only pad a quad get 0, so that their lanes hold the zero point
 * whatever the file says. */
static const int16_t *
read_mult (DssrOp *op, const DssrSafetensors *file, const char *where,
    const char *kind, int which, GError **error)
{
  gint64 n = 4 * op->conv.out_quads;
  const DssrArray *array =
      dssr_safetensors_get (file, where, kind, DSSR_DTYPE_I16, &n, 1, error);
  if (!array)
    return NULL;
  int16_t *mult = new_array (op, which, (gsize)n * sizeof *mult);
  memcpy (mult, array->data, (gsize)n * sizeof *mult);
  for (gint64 i = 0; i < n; i++) {
    mult[i] = GINT16_FROM_LE (mult[i]);
    if (mult[i] < 0) {
      dssr_fail (error, where, "%s[%d] is %d, must be 0 to 32767", kind, (int)i,
          mult[i]);
      return NULL;
    }
    if (i >= op->channels)
      mult[i] = 0;
  }
  op->bytes += (gsize)n * sizeof *mult;
  return mult;
}

static gboolean
check_mult_neg (const DssrOp *op, const char *where, GError **error)
{
  for (int i = 0; i < op->channels; i++) {
    if (op->conv.mult_neg[i] > op->conv.mult[i])
      return dssr_fail (error, where,
          "mult_neg[%d] is %d, must be at most mult, %d", i,
          op->conv.mult_neg[i], op->conv.mult[i]);
  }
  return TRUE;
}

/* No sum of a prefix of the products, in any order, may leave 32 bits. */
static gboolean
check_overflow (
    const DssrOp *op, const char *where, const guint8 *in_max, GError **error)
{
  const DssrConv *conv = &op->conv;
  const int8_t *weight = conv->weight;
  gint64 round = conv->shift ? (gint64)1 << (conv->shift - 1) : 0;

  for (int o = 0; o < 4 * conv->out_quads; o++) {
    gint64 sum = ABS ((gint64)conv->bias[o]) + round;
    for (int tap = 0; tap < conv->kernel * conv->kernel; tap++) {
      for (int quad = 0; quad < conv->in_quads; quad++, weight += 4)
        sum += in_max[quad]
               * (ABS (weight[0]) + ABS (weight[1]) + ABS (weight[2])
                   + ABS (weight[3]));
    }
    if (sum > G_MAXINT32)
      return dssr_fail (error, where,
          "bias[%d] and weight can add up to %" G_GINT64_FORMAT
          ", which overflows 32 bits",
          o, sum);
  }
  return TRUE;
}

gboolean
dssr_weights_read (DssrOp *op, const DssrSafetensors *file, const char *where,
    const guint8 *in_max, gsize *budget, GError **error)
{
  DssrConv *conv = &op->conv;
  guint64 n_quads = (guint64)4 * conv->out_quads * conv->kernel * conv->kernel
                    * conv->in_quads;
  if (n_quads > *budget / 4)
    return dssr_fail (
        error, where, "weight: more than 256 MiB of weights in the model");
  *budget -= (gsize)n_quads * 4;

  if (!read_mask (op, file, where, (gsize)n_quads, error)
      || !read_weight (op, file, where, (gsize)n_quads, error)
      || !read_bias (op, file, where, error)
      || !(conv->mult = read_mult (op, file, where, "mult", MULT, error)))
    return FALSE;
  if (conv->act == DSSR_ACT_LEAKY) {
    conv->mult_neg = read_mult (op, file, where, "mult_neg", MULT_NEG, error);
    if (!conv->mult_neg || !check_mult_neg (op, where, error))
      return FALSE;
  }
  return check_overflow (op, where, in_max, error);
}

const guint8 *
dssr_table_read (
    DssrOp *op, const DssrSafetensors *file, const char *where, GError **error)
{
  const DssrArray *array = dssr_safetensors_get (
      file, where, "table", DSSR_DTYPE_U8, (const gint64[]){256}, 1, error);
  if (!array)
    return NULL;
  op->bytes += 256;
  return memcpy (new_array (op, TABLE, 256), array->data, 256);
}
