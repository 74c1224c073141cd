/* The safetensors container: https://github.com/huggingface/safetensors
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dssr.h"
#include "engine/json.h"
#include "engine/safetensors.h"

#include <string.h>

#define MAX_FILE (256 << 20)
#define MAX_HEADER (4 << 20)

static const struct {
  const char *name;
  int size;
} dtypes[] = {
    [DSSR_DTYPE_I8] = {"I8", 1},
    [DSSR_DTYPE_U8] = {"U8", 1},
    [DSSR_DTYPE_I16] = {"I16", 2},
    [DSSR_DTYPE_I32] = {"I32", 4},
};

static gboolean
read_dtype (const char *text, DssrDtype *dtype)
{
  for (guint i = 0; i < G_N_ELEMENTS (dtypes); i++) {
    if (g_str_equal (text, dtypes[i].name)) {
      *dtype = i;
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean
read_shape (
    JsonArray *dims, const char *where, DssrArray *array, GError **error)
{
  array->n_dims = json_array_get_length (dims);
  if (array->n_dims > DSSR_MAX_DIMS)
    return dssr_fail (error, where, "shape has %u dimensions, at most %d",
        array->n_dims, DSSR_MAX_DIMS);

  gint64 size = dtypes[array->dtype].size;
  for (guint i = 0; i < array->n_dims; i++) {
    gint64 *dim = &array->shape[i];
    if (!dssr_json_get_element (
            dims, i, where, "shape", 0, MAX_FILE, dim, error))
      return FALSE;
    /* Both factors are at most MAX_FILE, so the product does not overflow. */
    size *= *dim;
    if (size > MAX_FILE)
      return dssr_fail (error, where, "shape is larger than any model file");
  }
  if (size != array->end - array->begin)
    return dssr_fail (error, where,
        "shape takes %" G_GINT64_FORMAT
        " bytes, but data_offsets hold %" G_GINT64_FORMAT,
        size, array->end - array->begin);
  return TRUE;
}

static gboolean
read_array (JsonNode *node, const char *where, gint64 size, DssrArray *array,
    GError **error)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return dssr_fail (error, where, "is not an object");
  JsonObject *object = json_node_get_object (node);

  const char *dtype = dssr_json_get_string (object, where, "dtype", error);
  if (!dtype)
    return FALSE;
  if (!read_dtype (dtype, &array->dtype)) {
    g_autofree char *quoted = dssr_quote (dtype);
    return dssr_fail (error, where,
        "dtype is %s, must be \"I8\", \"U8\", \"I16\" or \"I32\"", quoted);
  }

  JsonArray *offsets =
      dssr_json_get_array (object, where, "data_offsets", error);
  if (!offsets)
    return FALSE;
  if (json_array_get_length (offsets) != 2)
    return dssr_fail (error, where, "data_offsets must be two integers");
  JsonArray *shape = dssr_json_get_array (object, where, "shape", error);
  return shape
         && dssr_json_get_element (
             offsets, 0, where, "data_offsets", 0, size, &array->begin, error)
         && dssr_json_get_element (offsets, 1, where, "data_offsets",
             array->begin, size, &array->end, error)
         && read_shape (shape, where, array, error);
}

static gboolean
read_metadata (DssrSafetensors *file, JsonNode *node, GError **error)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return dssr_fail (error, "__metadata__", "is not an object");

  JsonObjectIter iter;
  const char *key;
  JsonNode *value;
  json_object_iter_init (&iter, json_node_get_object (node));
  while (json_object_iter_next (&iter, &key, &value)) {
    if (!JSON_NODE_HOLDS_VALUE (value)
        || json_node_get_value_type (value) != G_TYPE_STRING) {
      g_autofree char *quoted = dssr_quote (key);
      return dssr_fail (error, "__metadata__", "%s is not a string", quoted);
    }
    g_hash_table_insert (
        file->metadata, g_strdup (key), json_node_dup_string (value));
  }
  return TRUE;
}

static int
compare_begin (gconstpointer a, gconstpointer b, gpointer arrays)
{
  const DssrArray *x = g_hash_table_lookup (arrays, *(const char *const *)a);
  const DssrArray *y = g_hash_table_lookup (arrays, *(const char *const *)b);
  if (x->begin != y->begin)
    return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/* The format wants the arrays to fill the data section without gap or overlap.
 */
static gboolean
check_coverage (DssrSafetensors *file, gint64 size, GError **error)
{
  guint n;
  g_autofree gpointer *names =
      g_hash_table_get_keys_as_array (file->arrays, &n);
  g_qsort_with_data (names, (int)n, sizeof *names, compare_begin, file->arrays);

  gint64 end = 0;
  for (guint i = 0; i < n; i++) {
    const DssrArray *array = g_hash_table_lookup (file->arrays, names[i]);
    if (array->begin != end) {
      g_autofree char *quoted = dssr_quote (names[i]);
      return dssr_fail (error, quoted,
          "data_offsets begin at %" G_GINT64_FORMAT
          ", but the array before ends at %" G_GINT64_FORMAT,
          array->begin, end);
    }
    end = array->end;
  }
  if (end != size)
    return dssr_fail (error, "data",
        "the file has %" G_GINT64_FORMAT
        " bytes of data, its arrays take %" G_GINT64_FORMAT,
        size, end);
  return TRUE;
}

static gboolean
read_header (DssrSafetensors *file, JsonObject *header, const guint8 *data,
    gint64 size, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init (&iter, header);
  while (json_object_iter_next (&iter, &name, &node)) {
    if (g_str_equal (name, "__metadata__")) {
      if (!read_metadata (file, node, error))
        return FALSE;
      continue;
    }
    g_autofree char *quoted = dssr_quote (name);
    g_autofree DssrArray *array = g_new0 (DssrArray, 1);
    if (!read_array (node, quoted, size, array, error))
      return FALSE;
    array->data = data + array->begin;
    g_hash_table_insert (
        file->arrays, g_strdup (name), g_steal_pointer (&array));
  }
  return check_coverage (file, size, error);
}

DssrSafetensors *
dssr_safetensors_new (GBytes *bytes, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  if (size < 8 || size > MAX_FILE) {
    dssr_fail (error, "file", "has %" G_GSIZE_FORMAT " bytes, must be 8 to %d",
        size, MAX_FILE);
    return NULL;
  }
  guint64 length;
  memcpy (&length, data, 8);
  length = GUINT64_FROM_LE (length);
  if (length > MAX_HEADER || length > size - 8) {
    dssr_fail (error, "header",
        "length is %" G_GUINT64_FORMAT " bytes, at most %" G_GSIZE_FORMAT,
        length, MIN (MAX_HEADER, size - 8));
    return NULL;
  }

  g_autoptr (JsonNode) root =
      dssr_json_parse ("header", (const char *)data + 8, length, error);
  if (!root)
    return NULL;
  g_autoptr (DssrSafetensors) file = g_new0 (DssrSafetensors, 1);
  file->metadata =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  file->arrays =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (!read_header (file, json_node_get_object (root), data + 8 + length,
          (gint64)(size - 8 - length), error))
    return NULL;
  return g_steal_pointer (&file);
}

void
dssr_safetensors_free (DssrSafetensors *file)
{
  g_hash_table_unref (file->metadata);
  g_hash_table_unref (file->arrays);
  g_free (file);
}

static const DssrArray *
lookup (const DssrSafetensors *file, const char *where, const char *kind)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", where, kind);
  return g_hash_table_lookup (file->arrays, name);
}

gboolean
dssr_safetensors_has (
    const DssrSafetensors *file, const char *where, const char *kind)
{
  return lookup (file, where, kind) != NULL;
}

static char *
shape_string (const gint64 *shape, guint n_dims)
{
  g_autoptr (GString) text = g_string_new ("[");
  for (guint i = 0; i < n_dims; i++)
    g_string_append_printf (
        text, i ? ", %" G_GINT64_FORMAT : "%" G_GINT64_FORMAT, shape[i]);
  g_string_append_c (text, ']');
  return g_string_free (g_steal_pointer (&text), FALSE);
}

const DssrArray *
dssr_safetensors_get (const DssrSafetensors *file, const char *where,
    const char *kind, DssrDtype dtype, const gint64 *shape, guint n_dims,
    GError **error)
{
  const DssrArray *array = lookup (file, where, kind);
  if (!array) {
    dssr_fail (error, where, "tensor %s.%s is missing", where, kind);
    return NULL;
  }
  if (array->dtype != dtype) {
    dssr_fail (error, where, "%s has dtype %s, must be %s", kind,
        dtypes[array->dtype].name, dtypes[dtype].name);
    return NULL;
  }
  if (array->n_dims != n_dims
      || memcmp (array->shape, shape, n_dims * sizeof *shape)) {
    g_autofree char *is = shape_string (array->shape, array->n_dims);
    g_autofree char *must = shape_string (shape, n_dims);
    dssr_fail (error, where, "%s has shape %s, must be %s", kind, is, must);
    return NULL;
  }
  return array;
}
