/* JSON from untrusted files. json-glib recurses without limit, takes comments,
 * and lets a second member of the same name win; none of that is wanted here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dssr.h"
#include "engine/json.h"

#include <string.h>

#define MAX_DEPTH 16
#define MAX_VALUES (1 << 17)

gboolean
dssr_fail (GError **error, const char *where, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, DSSR_ERROR, DSSR_ERROR_MODEL, "%s: %s", where, message);
  return FALSE;
}

char *
dssr_quote (const char *text)
{
  g_autofree char *start = g_strndup (text, 64);
  g_autofree char *printable = g_strescape (start, NULL);
  return g_strdup_printf ("\"%s\"", printable);
}

/* Bounds depth and number of values before the parser sees the text. What it
 * might read in another way than we do (comments, control characters) is
 * refused. */
static gboolean
check_text (const char *where, const char *text, gsize length, GError **error)
{
  int depth = 0;
  int values = 0;
  bool in_string = false;

  if (memchr (text, '\0', length))
    return dssr_fail (error, where, "not JSON: has a NUL byte");
  for (gsize i = 0; i < length; i++) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        i++;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > MAX_DEPTH)
        return dssr_fail (error, where, "nested more than %d deep", MAX_DEPTH);
    } else if (c == '}' || c == ']') {
      depth--;
    } else if (c == ',' || c == ':') {
      if (++values > MAX_VALUES)
        return dssr_fail (error, where, "more than %d values", MAX_VALUES);
    } else if (!(g_ascii_isalnum (c) || strchr (" \t\r\n+-.", c))) {
      return dssr_fail (error, where,
          "not JSON: byte 0x%02x at %" G_GSIZE_FORMAT, (guint8)c, i);
    }
  }
  return TRUE;
}

typedef struct {
  GHashTable *seen;
  char *twice;
} Members;

static void
on_member (
    JsonParser *parser, JsonObject *object, const char *name, gpointer data)
{
  Members *members = data;
  g_autofree char *key = g_strdup_printf ("%p %s", (void *)object, name);
  if (!g_hash_table_add (members->seen, g_steal_pointer (&key))
      && !members->twice)
    members->twice = dssr_quote (name);
}

JsonNode *
dssr_json_parse (
    const char *where, const char *text, gsize length, GError **error)
{
  if (!check_text (where, text, length, error))
    return NULL;

  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Members members = {.seen = seen};
  g_signal_connect (parser, "object-member", G_CALLBACK (on_member), &members);

  g_autoptr (GError) cause = NULL;
  gboolean parsed =
      json_parser_load_from_data (parser, text, (gssize)length, &cause);
  g_autofree char *twice = members.twice;
  JsonNode *root = parsed ? json_parser_get_root (parser) : NULL;
  if (!parsed)
    dssr_fail (error, where, "not JSON: %s", cause->message);
  else if (twice)
    dssr_fail (error, where, "%s is there twice", twice);
  else if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    dssr_fail (error, where, "is not a JSON object");
  else
    return json_node_ref (root);
  return NULL;
}

JsonNode *
dssr_json_get (
    JsonObject *object, const char *where, const char *field, GError **error)
{
  JsonNode *node = json_object_get_member (object, field);
  if (!node)
    dssr_fail (error, where, "%s is missing", field);
  return node;
}

static JsonNode *
get_value (JsonObject *object, const char *where, const char *field, GType type,
    const char *what, GError **error)
{
  JsonNode *node = dssr_json_get (object, where, field, error);
  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != type) {
    dssr_fail (error, where, "%s is not %s", field, what);
    return NULL;
  }
  return node;
}

JsonArray *
dssr_json_get_array (
    JsonObject *object, const char *where, const char *field, GError **error)
{
  JsonNode *node = dssr_json_get (object, where, field, error);
  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_ARRAY (node)) {
    dssr_fail (error, where, "%s is not an array", field);
    return NULL;
  }
  return json_node_get_array (node);
}

const char *
dssr_json_get_string (
    JsonObject *object, const char *where, const char *field, GError **error)
{
  JsonNode *node =
      get_value (object, where, field, G_TYPE_STRING, "a string", error);
  return node ? json_node_get_string (node) : NULL;
}

gboolean
dssr_json_get_bool (JsonObject *object, const char *where, const char *field,
    bool *value, GError **error)
{
  JsonNode *node =
      get_value (object, where, field, G_TYPE_BOOLEAN, "a boolean", error);
  if (!node)
    return FALSE;
  *value = json_node_get_boolean (node);
  return TRUE;
}

gboolean
dssr_json_get_int (JsonObject *object, const char *where, const char *field,
    int min, int max, int *value, GError **error)
{
  JsonNode *node =
      get_value (object, where, field, G_TYPE_INT64, "an integer", error);
  if (!node)
    return FALSE;
  gint64 number = json_node_get_int (node);
  if (number < min || number > max)
    return dssr_fail (error, where,
        "%s is %" G_GINT64_FORMAT ", must be %d to %d", field, number, min,
        max);
  *value = (int)number;
  return TRUE;
}

gboolean
dssr_json_get_choice (JsonObject *object, const char *where, const char *field,
    const int *choices, int n, int *value, GError **error)
{
  if (!dssr_json_get_int (
          object, where, field, G_MININT, G_MAXINT, value, error))
    return FALSE;
  g_autoptr (GString) list = g_string_new (NULL);
  for (int i = 0; i < n; i++) {
    if (*value == choices[i])
      return TRUE;
    g_string_append_printf (list, i ? " or %d" : "%d", choices[i]);
  }
  return dssr_fail (
      error, where, "%s is %d, must be %s", field, *value, list->str);
}

gboolean
dssr_json_get_element (JsonArray *array, guint index, const char *where,
    const char *field, gint64 min, gint64 max, gint64 *value, GError **error)
{
  if (index >= json_array_get_length (array))
    return dssr_fail (error, where, "%s is too short", field);
  JsonNode *node = json_array_get_element (array, index);
  if (!JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return dssr_fail (error, where, "%s[%u] is not an integer", field, index);
  *value = json_node_get_int (node);
  if (*value < min || *value > max)
    return dssr_fail (error, where,
        "%s[%u] is %" G_GINT64_FORMAT ", must be %" G_GINT64_FORMAT
        " to %" G_GINT64_FORMAT,
        field, index, *value, min, max);
  return TRUE;
}
