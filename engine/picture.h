/* Formats and planes of pictures, and the bicubic enlargement.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dssr.h"
#include "engine/pool.h"
#include "kernels/kernels.h"

/* How the rows of an operation are shared between threads. */
typedef struct {
  DssrPool *pool;
  int band_rows;    /* 0: chosen by the number of rows and threads */
  guint64 *time_ns; /* DssrStats.time_ns */
} DssrBands;

/* Adds the time since `start` (dssr_bands_clock) to that of a part. */
guint64 dssr_bands_clock (void);
void dssr_bands_add_time (const DssrBands *bands, DssrTime part, guint64 start);

/* Calls func (data, y0, y1) for all bands of [0, rows). */
typedef void (*DssrBandFunc) (gpointer data, int y0, int y1);
void dssr_bands_run (
    const DssrBands *bands, int rows, DssrBandFunc func, gpointer data);

/* FALSE with DSSR_ERROR_FORMAT when the format is not one that dssr.h allows.
 */
gboolean dssr_format_check (
    const DssrFormat *format, int scale, GError **error);

/* The format of the enlarged picture. */
DssrFormat dssr_format_enlarge (const DssrFormat *format, int scale);

int dssr_format_n_planes (const DssrFormat *format);

/* FALSE with DSSR_ERROR_FORMAT when a plane cannot hold the format. */
gboolean dssr_picture_check (
    const DssrPicture *picture, const DssrFormat *format, GError **error);

DssrSamples dssr_picture_samples (
    const DssrPicture *picture, const DssrFormat *format, int plane);

/* Where the samples of an enlarged plane lie. */
DssrBicubic dssr_picture_bicubic (
    const DssrFormat *format, int plane, int scale);

/* Enlarges a plane. format: of the small picture */
void dssr_picture_enlarge (const DssrPicture *out, const DssrPicture *in,
    const DssrFormat *format, int plane, int scale, const DssrKernels *kernels,
    const DssrBands *bands);
