/* Formats and planes of pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dssr.h"
#include "kernels/kernels.h"

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

/* High contrast of the first plane, or of each of RGB. */
DssrContrast dssr_picture_contrast (const DssrFormat *format, int scale);

/* Where the samples of an enlarged plane lie. */
DssrBicubic dssr_picture_bicubic (
    const DssrFormat *format, int plane, int scale);
