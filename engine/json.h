/* JSON from untrusted files, and fields of it with their errors.
 *
 * `where` is the name of the object in messages, for example "align.off2".
 * All functions return FALSE or NULL with DSSR_ERROR_MODEL.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* Parses an object of at most 16 levels and 128 Ki values with no member twice.
 */
JsonNode *dssr_json_parse (
    const char *where, const char *text, gsize length, GError **error);

/* A member; none is an error. */
JsonNode *dssr_json_get (
    JsonObject *object, const char *where, const char *field, GError **error);
JsonArray *dssr_json_get_array (
    JsonObject *object, const char *where, const char *field, GError **error);
const char *dssr_json_get_string (
    JsonObject *object, const char *where, const char *field, GError **error);
gboolean dssr_json_get_bool (JsonObject *object, const char *where,
    const char *field, bool *value, GError **error);
gboolean dssr_json_get_int (JsonObject *object, const char *where,
    const char *field, int min, int max, int *value, GError **error);
/* One of `n` integers. */
gboolean dssr_json_get_choice (JsonObject *object, const char *where,
    const char *field, const int *choices, int n, int *value, GError **error);

/* An element of an array. */
gboolean dssr_json_get_element (JsonArray *array, guint index,
    const char *where, const char *field, gint64 min, gint64 max, gint64 *value,
    GError **error);

/* Untrusted text for a message: short and printable, in quotes. */
char *dssr_quote (const char *text);

/* Sets "where: message"; returns FALSE. */
gboolean dssr_fail (GError **error, const char *where, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
