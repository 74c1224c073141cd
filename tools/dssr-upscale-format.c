/* dssr-upscale: containers, and the encoders that suit them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssr-upscale.h"

#include <string.h>

typedef struct {
  const char *element;
  const char *launch;
} Encoder;

/* Constant quality, near to what the eye can tell from the original. */
static const Encoder h264[] = {
    {"x264enc",
        "x264enc pass=qual quantizer=19 speed-preset=veryfast ! h264parse"},
    {"openh264enc",
        "openh264enc rate-control=off qp-min=20 qp-max=24 ! h264parse"},
    {NULL, NULL},
};
static const Encoder vpx[] = {
    {"vp9enc", "vp9enc deadline=1 cpu-used=5 row-mt=true end-usage=cq "
               "cq-level=22 target-bitrate=0 bits-per-pixel=0.2"},
    {"vp8enc", "vp8enc deadline=1 cpu-used=5 end-usage=cq cq-level=12 "
               "target-bitrate=0 bits-per-pixel=0.3"},
    {NULL, NULL},
};
static const Encoder aac[] = {
    {"avenc_aac", "avenc_aac bitrate=192000 ! aacparse"},
    {"fdkaacenc", "fdkaacenc bitrate=192000 ! aacparse"},
    {"voaacenc", "voaacenc bitrate=192000 ! aacparse"},
    {NULL, NULL},
};
static const Encoder opus[] = {
    {"opusenc", "opusenc bitrate=160000"},
    {"vorbisenc", "vorbisenc quality=0.5"},
    {NULL, NULL},
};

static const struct {
  const char *extension;
  const char *mux;
  const Encoder *video, *audio;
  const char *video_package, *audio_package;
} formats[] = {
    {".mp4", "mp4mux", h264, aac, "gstreamer1.0-plugins-ugly",
        "gstreamer1.0-libav"},
    {".mov", "qtmux", h264, aac, "gstreamer1.0-plugins-ugly",
        "gstreamer1.0-libav"},
    {".mkv", "matroskamux", h264, aac, "gstreamer1.0-plugins-ugly",
        "gstreamer1.0-libav"},
    {".webm", "webmmux", vpx, opus, "gstreamer1.0-plugins-good",
        "gstreamer1.0-plugins-base"},
};

/* Index into formats, or -1. */
static int
find_format (const char *filename, GError **error)
{
  g_autofree char *base = g_path_get_basename (filename);
  const char *dot = strrchr (base, '.');
  for (guint i = 0; dot && i < G_N_ELEMENTS (formats); i++)
    if (g_ascii_strcasecmp (dot, formats[i].extension) == 0)
      return i;
  g_set_error (error, UPSCALE_ERROR, 0,
      "'%s' has no ending that names a container; use .mp4, .mov, .mkv or "
      ".webm",
      filename);
  return -1;
}

static const char *
find_encoder (const Encoder *encoders, const char *filename,
    const char *package, GError **error)
{
  for (const Encoder *encoder = encoders; encoder->element; encoder++) {
    g_autoptr (GstElementFactory) factory =
        gst_element_factory_find (encoder->element);
    if (factory)
      return encoder->launch;
  }
  g_set_error (error, UPSCALE_ERROR, 0,
      "there is no encoder for '%s'; install %s (%s), or choose another "
      "ending: .mp4, .mov, .mkv or .webm",
      filename, package, encoders->element);
  return NULL;
}

GstElement *
upscale_format_make_mux (const char *filename, GError **error)
{
  int i = find_format (filename, error);
  if (i < 0)
    return NULL;
  GstElement *mux = gst_element_factory_make (formats[i].mux, "mux");
  if (!mux) {
    g_set_error (error, UPSCALE_ERROR, 0,
        "there is no %s; install gstreamer1.0-plugins-good", formats[i].mux);
    return NULL;
  }
  return gst_object_ref_sink (mux);
}

const char *
upscale_format_video_encoder (const char *filename, GError **error)
{
  int i = find_format (filename, error);
  return i < 0 ? NULL
               : find_encoder (
                   formats[i].video, filename, formats[i].video_package, error);
}

const char *
upscale_format_audio_encoder (const char *filename, GError **error)
{
  int i = find_format (filename, error);
  return i < 0 ? NULL
               : find_encoder (
                   formats[i].audio, filename, formats[i].audio_package, error);
}
