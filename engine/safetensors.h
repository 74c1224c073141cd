/* The container: named arrays in one file, and metadata.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef enum {
  DSSR_DTYPE_I8,
  DSSR_DTYPE_U8,
  DSSR_DTYPE_I16,
  DSSR_DTYPE_I32,
} DssrDtype;

#define DSSR_MAX_DIMS 8

/* An array in the file; its bytes may be unaligned. */
typedef struct {
  DssrDtype dtype;
  gint64 shape[DSSR_MAX_DIMS];
  guint n_dims;
  gint64 begin, end; /* in the data section */
  const guint8 *data;
} DssrArray;

typedef struct {
  GHashTable *metadata; /* strings to strings */
  GHashTable *arrays;   /* names to DssrArray */
} DssrSafetensors;

/* Reads the header and checks that the arrays fill the rest of `bytes` without
 * gap or overlap. The result points into `bytes`. */
DssrSafetensors *dssr_safetensors_new (GBytes *bytes, GError **error);
void dssr_safetensors_free (DssrSafetensors *file);

/* The array "WHERE.KIND" if it has this type and shape; else NULL with
 * DSSR_ERROR_MODEL. */
const DssrArray *dssr_safetensors_get (const DssrSafetensors *file,
    const char *where, const char *kind, DssrDtype dtype, const gint64 *shape,
    guint n_dims, GError **error);
gboolean dssr_safetensors_has (
    const DssrSafetensors *file, const char *where, const char *kind);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrSafetensors, dssr_safetensors_free)
