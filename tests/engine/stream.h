/* Streams of generated frames through a session, as bytes to compare.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dssr.h"

/* How the pictures of a stream lie in memory. */
typedef struct {
  int padding;          /* bytes after each row */
  gboolean interleaved; /* chroma as in NV12 */
  gboolean bottom_up;   /* negative strides */
  int alignment;        /* of strides, after the padding; 0: none */
} Layout;

/* A picture with its own memory, filled with 0xa5 at first. */
typedef struct {
  DssrPicture picture;
  DssrFormat format;
  guint8 *memory;
  DssrMemory *shared; /* has the memory, or NULL */
  gsize size;
  int released; /* times */
} Image;

Image *image_new (const DssrFormat *format, const Layout *layout);
/* In memory that the device shares; NULL: in the CPU's. */
Image *image_new_shared (
    const DssrFormat *format, const Layout *layout, DssrDevice *device);
void image_free (Image *image);
void image_release (gpointer image); /* counts */
/* Moving shapes and noise; frame `number` of a video. */
void image_draw (Image *image, int number);
/* The same shapes for each number, others from 100 on, with noise of deviation
 * 2 (in steps of 8 bits). */
void image_draw_still (Image *image, int number);
/* A scene that the camera passes by: (3, -2) samples a frame, and by more than
 * can be followed from number 100 on. */
void image_draw_pan (Image *image, int number);
int image_get (const Image *image, int plane, int x, int y);
void image_set (Image *image, int plane, int x, int y, int value);
int image_width (const Image *image, int plane);
int image_height (const Image *image, int plane);
/* The samples of all planes, 16 bits each, without padding. */
void image_append (const Image *image, GByteArray *samples);

DssrModel *load_model (const char *name);
/* Makes the model ready for the session, and uses it. */
void use_model (DssrSession *session, DssrModel *model);

/* Pushes frames by number of one video (-1: drain, -2: reset, -3: switch to
 * `other`, -4 and -5: high and normal contrast, -6 and -7: denoised and not, -8
 * and -9: pans may be found and not)
 * and returns the enlarged frames, an array of GBytes; a drain is at the end.
 * The session is made by `config`. */
enum {
  END = G_MININT,
  DRAIN = -1,
  RESET = -2,
  SWITCH = -3,
  HIGH = -4,
  NORMAL = -5,
  DENOISE = -6,
  KEEP_NOISE = -7,
  FOLLOW = -8,
  LEAVE = -9,
};

typedef struct {
  const char *model;
  const char *other;
  DssrSessionConfig config;
  Layout layout;
  int base_from, base_to; /* outputs made by pull_base */
  gboolean still;         /* image_draw_still */
  gboolean pans;          /* image_draw_pan */
  gboolean shared;        /* pictures in memory that the GPU shares */
  DssrStats *stats;       /* of the session at its end, or NULL */
} Stream;

/* Of 8 bits, 4:2:0, on one thread. */
Stream stream_of (const char *model, int width, int height);

GPtrArray *stream_run (const Stream *stream, const int *numbers);

void assert_same (const GPtrArray *a, guint i, const GPtrArray *b, guint j);
void assert_all_same (const GPtrArray *a, const GPtrArray *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Image, image_free)
