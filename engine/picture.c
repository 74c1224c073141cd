/* Formats and planes of pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/picture.h"

#include <stdlib.h>

static const struct {
  int n_planes;
  int sub_x, sub_y; /* luma samples per chroma sample */
} chromas[] = {
    [DSSR_CHROMA_NONE] = {1, 1, 1},
    [DSSR_CHROMA_420] = {3, 2, 2},
    [DSSR_CHROMA_422] = {3, 2, 1},
    [DSSR_CHROMA_444] = {3, 1, 1},
    [DSSR_CHROMA_RGB] = {3, 1, 1},
};

static gboolean fail (GError **error, const char *format, ...)
    G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_FORMAT, message);
  return FALSE;
}

gboolean
dssr_format_check (const DssrFormat *format, int scale, GError **error)
{
  int width = format->width, height = format->height;
  if (width < 1 || height < 1)
    return fail (error, "A picture of %dx%d has no pixels", width, height);
  if (width > DSSR_MAX_SIDE / scale || height > DSSR_MAX_SIDE / scale)
    return fail (error,
        "%dx%d enlarged %d times is larger than %dx%d: the sides may be at "
        "most %d",
        width, height, scale, DSSR_MAX_SIDE, DSSR_MAX_SIDE,
        DSSR_MAX_SIDE / scale);
  if (format->depth < 8 || format->depth > 12)
    return fail (error, "Samples of %d bits: must be 8 to 12", format->depth);
  if (format->shift < 0
      || format->depth + format->shift > (format->depth == 8 ? 8 : 16))
    return fail (error, "Samples of %d bits cannot be shifted by %d",
        format->depth, format->shift);
  if ((guint)format->chroma >= G_N_ELEMENTS (chromas))
    return fail (error, "Unknown chroma format %d", (int)format->chroma);
  return TRUE;
}

DssrFormat
dssr_format_enlarge (const DssrFormat *format, int scale)
{
  DssrFormat enlarged = *format;
  enlarged.width *= scale;
  enlarged.height *= scale;
  return enlarged;
}

int
dssr_format_n_planes (const DssrFormat *format)
{
  return chromas[format->chroma].n_planes;
}

DssrSamples
dssr_picture_samples (
    const DssrPicture *picture, const DssrFormat *format, int plane)
{
  int sub_x = plane ? chromas[format->chroma].sub_x : 1;
  int sub_y = plane ? chromas[format->chroma].sub_y : 1;
  return (DssrSamples){
      .data = picture->planes[plane].data,
      .stride = picture->planes[plane].stride,
      .step = picture->planes[plane].step,
      .width = (format->width + sub_x - 1) / sub_x,
      .height = (format->height + sub_y - 1) / sub_y,
      .depth = format->depth,
      .shift = format->shift,
  };
}

gboolean
dssr_picture_check (
    const DssrPicture *picture, const DssrFormat *format, GError **error)
{
  int bytes = format->depth > 8 ? 2 : 1;

  for (int i = 0; i < dssr_format_n_planes (format); i++) {
    DssrSamples samples = dssr_picture_samples (picture, format, i);
    if (!samples.data)
      return fail (error, "Plane %d has no data", i);
    if (samples.step < bytes || samples.step > 16)
      return fail (error, "Plane %d has %d bytes from a sample to the next", i,
          samples.step);
    if (labs (samples.stride)
        < (ptrdiff_t)(samples.width - 1) * samples.step + bytes)
      return fail (error, "Plane %d has rows of %td bytes for %d samples", i,
          samples.stride, samples.width);
    if (((guintptr)samples.data | (guintptr)samples.stride
            | (guintptr)samples.step)
        % bytes)
      return fail (error, "Plane %d is not aligned to its samples", i);
  }
  return TRUE;
}

DssrBicubic
dssr_picture_bicubic (const DssrFormat *format, int plane, int scale)
{
  bool cosited_x =
      plane && format->cosited_x && chromas[format->chroma].sub_x > 1;
  bool cosited_y =
      plane && format->cosited_y && chromas[format->chroma].sub_y > 1;
  int centred = scale == 2 ? -4 : -6;
  int cosited = scale == 2 ? -2 : -3;
  return (DssrBicubic){
      .scale = scale,
      .phase_x = cosited_x ? cosited : centred,
      .phase_y = cosited_y ? cosited : centred,
  };
}

/* Where a display reflects light of its surroundings, what is dark drowns first
 * and small differences next: so a curve whose slope at black is 1 + LIFT, and
 * half as much again of what differs from the surroundings, up to 32 of 256
 * steps, so that edges of large things get no halo. */
#define LIFT 0.5
#define GAIN 128
#define LIMIT (32 << 4)

DssrContrast
dssr_picture_contrast (const DssrFormat *format, int scale)
{
  bool full = format->full_range || format->chroma == DSSR_CHROMA_RGB;
  int range =
      full ? ((1 << format->depth) - 1) << (12 - format->depth) : 219 << 4;
  return (DssrContrast){
      .scale = scale,
      .black = full ? 0 : 16 << 4,
      .range = range,
      .lift = (int)(LIFT * (1 << 28)) / range,
      .gain = GAIN,
      .limit = LIMIT,
  };
}
