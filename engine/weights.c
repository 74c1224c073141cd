/* The arrays of an operation: widened, spread and copied into aligned memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/graph.h"
#include "engine/json.h"

#include <string.h>

enum { WEIGHT, MASK, BIAS, MULT, MULT_NEG, OUTSIDE, TABLE = WEIGHT };

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

/* The array of this kind, which has this shape. */
static const DssrArray *
get_array (DssrReader *reader, const char *kind, DssrDtype dtype,
    const gint64 *shape, guint n_dims, GError **error)
{
  const DssrArray *array = dssr_safetensors_get (
      reader->file, reader->where, kind, dtype, shape, n_dims, error);
  if (array)
    reader->op->bytes += (gsize)(array->end - array->begin);
  return array;
}

/* A copy of an array of one dimension and `n` elements. */
static void *
copy_array (DssrReader *reader, int which, const char *kind, DssrDtype dtype,
    gint64 n, GError **error)
{
  const DssrArray *array = get_array (reader, kind, dtype, &n, 1, error);
  if (!array)
    return NULL;
  gsize size = (gsize)(array->end - array->begin);
  return memcpy (new_array (reader->op, which, size), array->data, size);
}

static gboolean
read_mask (DssrReader *reader, gsize n_quads, GError **error)
{
  DssrOp *op = reader->op;
  op->weight_quads = n_quads;
  if (!dssr_safetensors_has (reader->file, reader->where, "mask"))
    return TRUE;

  gsize size = (n_quads + 7) / 8;
  const guint8 *mask =
      copy_array (reader, MASK, "mask", DSSR_DTYPE_U8, (gint64)size, error);
  if (!mask)
    return FALSE;
  if (n_quads & 7 && mask[size - 1] >> (n_quads & 7))
    return dssr_fail (
        error, reader->where, "mask has bits after the last quad");
  op->conv.mask = mask;
  op->weight_quads = 0;
  for (gsize i = 0; i < n_quads; i++)
    op->weight_quads += has_quad (mask, i);
  return TRUE;
}

static const DssrArray *
find_weight (DssrReader *reader, GError **error)
{
  const DssrOp *op = reader->op;
  const DssrConv *conv = &op->conv;
  gint64 quads = (gint64)op->weight_quads;

  if (op->bits < 8) {
    gint64 bytes = (quads * 4 * op->bits + 7) / 8;
    return get_array (reader, "weight", DSSR_DTYPE_U8, &bytes, 1, error);
  }
  if (conv->mask) {
    const gint64 shape[] = {quads, 4};
    return get_array (reader, "weight", DSSR_DTYPE_I8, shape, 2, error);
  }
  const gint64 shape[] = {
      4 * conv->out_quads, conv->kernel * conv->kernel, 4 * conv->in_quads};
  return get_array (reader, "weight", DSSR_DTYPE_I8, shape, 3, error);
}

static gboolean
read_weight (DssrReader *reader, gsize n_quads, GError **error)
{
  DssrConv *conv = &reader->op->conv;
  const DssrArray *array = find_weight (reader, error);
  if (!array)
    return FALSE;

  Stream stream = {.next = array->data, .bits = reader->op->bits};
  int8_t *weight = new_array (reader->op, WEIGHT, 4 * n_quads);
  for (gsize i = 0; i < n_quads; i++) {
    if (has_quad (conv->mask, i)) {
      for (int lane = 0; lane < 4; lane++)
        weight[4 * i + lane] = next_value (&stream);
    }
  }
  conv->weight = weight;
  return TRUE;
}

static const int32_t *
read_bias (DssrReader *reader, GError **error)
{
  int n = 4 * reader->op->conv.out_quads;
  int32_t *bias = copy_array (reader, BIAS, "bias", DSSR_DTYPE_I32, n, error);
  for (int i = 0; bias && i < n; i++)
    bias[i] = GINT32_FROM_LE (bias[i]);
  return bias;
}

/* Channels that only pad a quad get 0, so that their lanes hold the zero point
 * whatever the file says. */
static const int16_t *
read_mult (DssrReader *reader, int which, const char *kind, GError **error)
{
  int n = 4 * reader->op->conv.out_quads;
  int16_t *mult = copy_array (reader, which, kind, DSSR_DTYPE_I16, n, error);
  for (int i = 0; mult && i < n; i++) {
    mult[i] = GINT16_FROM_LE (mult[i]);
    if (mult[i] < 0) {
      dssr_fail (error, reader->where, "%s[%d] is %d, must be 0 to 32767", kind,
          i, mult[i]);
      return NULL;
    }
    if (i >= reader->op->channels)
      mult[i] = 0;
  }
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
dssr_weights_read (DssrReader *reader, const guint8 *in_max, GError **error)
{
  DssrConv *conv = &reader->op->conv;
  guint64 n_quads = (guint64)4 * conv->out_quads * conv->kernel * conv->kernel
                    * conv->in_quads;
  if (n_quads > reader->budget / 4)
    return dssr_fail (error, reader->where,
        "weight: more than 256 MiB of weights in the model");
  reader->budget -= (gsize)n_quads * 4;

  if (!read_mask (reader, (gsize)n_quads, error)
      || !read_weight (reader, (gsize)n_quads, error)
      || !(conv->bias = read_bias (reader, error))
      || !(conv->mult = read_mult (reader, MULT, "mult", error)))
    return FALSE;
  if (conv->act == DSSR_ACT_LEAKY) {
    conv->mult_neg = read_mult (reader, MULT_NEG, "mult_neg", error);
    if (!conv->mult_neg || !check_mult_neg (reader->op, reader->where, error))
      return FALSE;
  }
  return check_overflow (reader->op, reader->where, in_max, error);
}

void
dssr_outside_set (DssrOp *op, const guint8 *in_zero)
{
  gsize n = (gsize)op->conv.in_quads;
  op->conv.outside = memcpy (new_array (op, OUTSIDE, n), in_zero, n);
}

const guint8 *
dssr_table_read (DssrReader *reader, GError **error)
{
  return copy_array (reader, TABLE, "table", DSSR_DTYPE_U8, 256, error);
}
