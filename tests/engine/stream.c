/* Streams of generated frames through a session, as bytes to compare.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/engine/stream.h"

#include <stdlib.h>
#include <string.h>

static int
n_planes (const DssrFormat *format)
{
  return format->chroma == DSSR_CHROMA_NONE ? 1 : 3;
}

int
image_width (const Image *image, int plane)
{
  gboolean half = plane
                  && (image->format.chroma == DSSR_CHROMA_420
                      || image->format.chroma == DSSR_CHROMA_422);
  return half ? (image->format.width + 1) / 2 : image->format.width;
}

int
image_height (const Image *image, int plane)
{
  gboolean half = plane && image->format.chroma == DSSR_CHROMA_420;
  return half ? (image->format.height + 1) / 2 : image->format.height;
}

/* The bytes after the samples of a row are not the session's, but for those of
 * the word that the row ends in. */
static void
check_padding (const Image *image)
{
  for (int plane = 0; plane < n_planes (&image->format); plane++) {
    const DssrPlane *p = &image->picture.planes[plane];
    ptrdiff_t end = (ptrdiff_t)image_width (image, plane) * p->step;
    if (p->step > (image->format.depth > 8 ? 2 : 1) && plane == 2)
      continue; /* it begins in the middle */
    for (int y = 0; y < image_height (image, plane); y++)
      for (ptrdiff_t x = (end + 3) / 4 * 4; x < labs (p->stride); x++)
        g_assert_cmpint (
            ((const guint8 *)p->data)[y * p->stride + x], ==, 0xa5);
  }
}

Image *
image_new_shared (
    const DssrFormat *format, const Layout *layout, DssrDevice *device)
{
  Image *image = g_new0 (Image, 1);
  image->format = *format;
  int bytes = format->depth > 8 ? 2 : 1;
  int padding = layout->padding * bytes;

  gsize offsets[3] = {0};
  ptrdiff_t strides[3] = {0};
  for (int i = 0; i < n_planes (format); i++) {
    gboolean second = layout->interleaved && i == 2;
    int step = bytes * (layout->interleaved && i ? 2 : 1);
    offsets[i] = second ? offsets[1] + (gsize)bytes : image->size;
    strides[i] = (ptrdiff_t)image_width (image, i) * step + padding;
    if (layout->alignment)
      strides[i] += (layout->alignment - strides[i] % layout->alignment)
                    % layout->alignment;
    image->picture.planes[i].step = step;
    if (!second)
      image->size += (gsize)strides[i] * (gsize)image_height (image, i);
  }
  if (device) {
    g_autoptr (GError) error = NULL;
    image->shared = dssr_memory_new (device, image->size, &error);
    g_assert_no_error (error);
    image->memory = dssr_memory_get_data (image->shared);
  } else {
    image->memory = g_malloc (image->size);
  }
  memset (image->memory, 0xa5, image->size);
  for (int i = 0; i < n_planes (format); i++) {
    DssrPlane *plane = &image->picture.planes[i];
    plane->data = image->memory + offsets[i];
    plane->stride = strides[i];
    if (layout->bottom_up) {
      plane->data =
          (guint8 *)plane->data + strides[i] * (image_height (image, i) - 1);
      plane->stride = -strides[i];
    }
  }
  return image;
}

Image *
image_new (const DssrFormat *format, const Layout *layout)
{
  return image_new_shared (format, layout, NULL);
}

void
image_free (Image *image)
{
  if (image->shared)
    dssr_memory_free (image->shared);
  else
    g_free (image->memory);
  g_free (image);
}

void
image_release (gpointer data)
{
  Image *image = data;
  image->released++;
}

static guint8 *
locate (const Image *image, int plane, int x, int y)
{
  const DssrPlane *p = &image->picture.planes[plane];
  return (guint8 *)p->data + y * p->stride + (ptrdiff_t)x * p->step;
}

int
image_get (const Image *image, int plane, int x, int y)
{
  const guint8 *sample = locate (image, plane, x, y);
  if (image->format.depth == 8)
    return *sample;
  return *(const guint16 *)(const void *)sample >> image->format.shift;
}

void
image_set (Image *image, int plane, int x, int y, int value)
{
  guint8 *sample = locate (image, plane, x, y);
  if (image->format.depth == 8)
    *sample = (guint8)value;
  else
    *(guint16 *)(void *)sample = (guint16)(value << image->format.shift);
}

void
image_draw (Image *image, int number)
{
  int top = (1 << image->format.depth) - 1;
  g_autoptr (GRand) rng = g_rand_new_with_seed ((guint32)number);

  for (int plane = 0; plane < n_planes (&image->format); plane++) {
    for (int y = 0; y < image_height (image, plane); y++) {
      for (int x = 0; x < image_width (image, plane); x++) {
        int bars = (x + 2 * number) / 5 % 2 + (y + number + plane) / 4 % 2;
        int value = top * bars / 2 + g_rand_int_range (rng, -top / 5, top / 5);
        image_set (image, plane, x, y, CLAMP (value, 0, top));
      }
    }
  }
}

void
image_draw_still (Image *image, int number)
{
  int top = (1 << image->format.depth) - 1;
  int unit = 1 << (image->format.depth - 8);
  g_autoptr (GRand) rng = g_rand_new_with_seed ((guint32)number);

  for (int plane = 0; plane < n_planes (&image->format); plane++) {
    for (int y = 0; y < image_height (image, plane); y++) {
      for (int x = 0; x < image_width (image, plane); x++) {
        int u = x + number / 100 * 7;
        int waves = (u + y / 2) * 37 % 100 + (u / 3 * 29 + y * 23) % 80;
        int noise = 0;
        for (int i = 0; i < 12; i++)
          noise += g_rand_int_range (rng, -100, 101);
        int value = ((40 + waves) * 100 + noise) * unit / 100;
        image_set (image, plane, x, y, CLAMP (value, 0, top));
      }
    }
  }
}

void
image_draw_pan (Image *image, int number)
{
  int unit = 1 << (image->format.depth - 8), speed = number < 100 ? 1 : 9;

  for (int plane = 0; plane < n_planes (&image->format); plane++) {
    for (int y = 0; y < image_height (image, plane); y++) {
      for (int x = 0; x < image_width (image, plane); x++) {
        guint u = (guint)(x + 3 * speed * number);
        guint v = (guint)(y - 2 * speed * number + 10000);
        guint hash = (u / 6 * 73856093u ^ v / 6 * 19349663u) * 2654435761u;
        image_set (image, plane, x, y, (int)(hash >> 24) * unit);
      }
    }
  }
}

void
image_append (const Image *image, GByteArray *samples)
{
  for (int plane = 0; plane < n_planes (&image->format); plane++) {
    for (int y = 0; y < image_height (image, plane); y++) {
      for (int x = 0; x < image_width (image, plane); x++) {
        guint16 value = (guint16)image_get (image, plane, x, y);
        g_byte_array_append (samples, (const guint8 *)&value, 2);
      }
    }
  }
}

DssrModel *
load_model (const char *name)
{
  g_autofree char *file = g_strconcat (name, ".safetensors", NULL);
  g_autofree char *path =
      g_build_filename (g_getenv ("DSSR_TEST_MODELS"), file, NULL);
  g_autoptr (GError) error = NULL;
  DssrModel *model = dssr_model_open (path, &error);
  g_assert_no_error (error);
  return model;
}

void
use_model (DssrSession *session, DssrModel *model)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrPrepared) prepared =
      dssr_session_prepare_model (session, model, &error);
  g_assert_no_error (error);
  dssr_session_switch_model (session, prepared, &error);
  g_assert_no_error (error);
}

static void
pull_ready (const Stream *stream, DssrSession *session, Image *out,
    GQueue *expected, GPtrArray *results)
{
  g_autoptr (GError) error = NULL;
  gpointer frame;

  while ((frame = dssr_session_peek (session))) {
    g_assert_true (frame == g_queue_pop_head (expected));
    g_assert_cmpint (((Image *)frame)->released, ==, 0);
    int n = (int)results->len;
    if (n >= stream->base_from && n < stream->base_to)
      dssr_session_pull_base (session, &out->picture, &error);
    else
      dssr_session_pull (session, &out->picture, &error);
    g_assert_no_error (error);
    g_assert_cmpint (((Image *)frame)->released, ==, 0);

    check_padding (out);
    GByteArray *samples = g_byte_array_new ();
    image_append (out, samples);
    g_ptr_array_add (results, g_byte_array_free_to_bytes (samples));
  }
}

Stream
stream_of (const char *model, int width, int height)
{
  Stream stream = {.model = model, .config = DSSR_SESSION_CONFIG_INIT};
  stream.config.threads = 1;
  stream.config.format = (DssrFormat){
      .width = width,
      .height = height,
      .depth = 8,
      .chroma = DSSR_CHROMA_420,
  };
  return stream;
}

GPtrArray *
stream_run (const Stream *stream, const int *numbers)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DssrModel) model = load_model (stream->model);
  g_autoptr (DssrSession) session =
      dssr_session_new (model, &stream->config, &error);
  g_assert_no_error (error);

  DssrFormat format = stream->config.format;
  format.width *= dssr_model_get_scale (model);
  format.height *= dssr_model_get_scale (model);
  g_autoptr (DssrDevice) device =
      stream->shared ? dssr_session_get_device (session) : NULL;
  g_autoptr (Image) out = image_new_shared (&format, &stream->layout, device);
  g_autoptr (GPtrArray) images =
      g_ptr_array_new_with_free_func ((GDestroyNotify)image_free);
  GPtrArray *results =
      g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  GQueue expected = G_QUEUE_INIT;

  for (; *numbers != END; numbers++) {
    if (*numbers == DRAIN) {
      dssr_session_drain (session);
    } else if (*numbers == RESET) {
      dssr_session_reset (session);
      g_queue_clear (&expected);
    } else if (*numbers == HIGH || *numbers == NORMAL) {
      dssr_session_set_contrast (session, *numbers == HIGH);
    } else if (*numbers == DENOISE || *numbers == KEEP_NOISE) {
      dssr_session_set_denoise (session, *numbers == DENOISE);
    } else if (*numbers == FOLLOW || *numbers == LEAVE) {
      dssr_session_set_follow (session, *numbers == FOLLOW);
    } else if (*numbers == SWITCH) {
      g_autoptr (DssrModel) other = load_model (stream->other);
      use_model (session, other);
    } else {
      Image *image =
          image_new_shared (&stream->config.format, &stream->layout, device);
      if (stream->still)
        image_draw_still (image, *numbers);
      else if (stream->pans)
        image_draw_pan (image, *numbers);
      else
        image_draw (image, *numbers);
      g_ptr_array_add (images, image);
      g_queue_push_tail (&expected, image);
      dssr_session_push (
          session, &image->picture, image, image_release, &error);
    }
    g_assert_no_error (error);
    pull_ready (stream, session, out, &expected, results);
  }
  dssr_session_drain (session);
  pull_ready (stream, session, out, &expected, results);
  g_assert_true (g_queue_is_empty (&expected));
  if (stream->stats)
    dssr_session_get_stats (session, stream->stats);

  g_clear_pointer (&session, dssr_session_free);
  for (guint i = 0; i < images->len; i++)
    g_assert_cmpint (((Image *)g_ptr_array_index (images, i))->released, ==, 1);
  return results;
}

void
assert_same (const GPtrArray *a, guint i, const GPtrArray *b, guint j)
{
  g_assert_cmpuint (i, <, a->len);
  g_assert_cmpuint (j, <, b->len);
  gsize size_a, size_b;
  const guint16 *x = g_bytes_get_data (a->pdata[i], &size_a);
  const guint16 *y = g_bytes_get_data (b->pdata[j], &size_b);
  g_assert_cmpuint (size_a, ==, size_b);
  for (gsize k = 0; k < size_a / 2; k++) {
    if (x[k] != y[k])
      g_error ("frames %u and %u differ at sample %" G_GSIZE_FORMAT
               ": %d and %d",
          i, j, k, x[k], y[k]);
  }
}

void
assert_all_same (const GPtrArray *a, const GPtrArray *b)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++)
    assert_same (a, i, b, i);
}
