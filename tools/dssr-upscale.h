/* dssr-upscale: what its parts share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#define UPSCALE_ERROR (g_quark_from_static_string ("dssr-upscale"))

/* What a decoded picture needs before the network sees it: progressive and
 * upright, as people do. The deinterlacer wants 8 bits. */
#define UPSCALE_PREPARE                                                        \
  "videoconvert "                                                              \
  "! video/x-raw,format={I420,I420_10LE},interlace-mode=progressive;"          \
  "video/x-raw,format=I420,interlace-mode={interleaved,mixed,fields} "         \
  "! deinterlace ! videoflip video-direction=auto"

/* ---- Options ---- */

typedef struct {
  char *input;
  char *output;      /* NULL: only the comparison is wanted */
  char *partial;     /* where the output lies until it is whole */
  char *compare;     /* picture to write, or NULL */
  double compare_at; /* seconds; negative: the middle */
  char *model;
  char *backend;
  char *device; /* of Vulkan, or NULL */
  int scale;    /* 0: the element chooses */
  int lookahead;
  int threads;
  gboolean force;
} UpscaleOptions;

/* Reads the command line and checks that the files may be read and written. */
gboolean upscale_options_parse (
    UpscaleOptions *options, int *argc, char ***argv, GError **error);
void upscale_options_clear (UpscaleOptions *options);

/* Gives the options to the element dssuperres. */
void upscale_options_apply (const UpscaleOptions *options, GstElement *element);

/* ---- Containers and encoders ---- */

/* The muxer for a file's extension, as a new element. */
GstElement *upscale_format_make_mux (const char *filename, GError **error);

/* The end of a gst-launch line that encodes video or audio for a file with this
 * extension, by what is installed. */
const char *upscale_format_video_encoder (const char *filename, GError **error);
const char *upscale_format_audio_encoder (const char *filename, GError **error);

/* ---- The work ---- */

typedef struct _UpscaleJob UpscaleJob;

typedef struct {
  guint64 frames;        /* enlarged so far */
  guint64 packets;       /* of compressed video, read so far */
  GstClockTime position; /* end of the last enlarged frame */
  GstClockTime end;      /* the same for the longest stream */
  GstClockTime duration; /* that the container promises; NONE: unknown */
} UpscaleState;

/* Builds the pipeline from options->input to options->partial. */
UpscaleJob *upscale_job_new (const UpscaleOptions *options, GError **error);
void upscale_job_free (UpscaleJob *job);
GstElement *upscale_job_get_pipeline (UpscaleJob *job);
void upscale_job_get_state (UpscaleJob *job, UpscaleState *state);
/* Ends the file after the frames that are enlarged: EOS follows on the bus. */
void upscale_job_stop (UpscaleJob *job);
/* Nothing runs after this; the file is as it is. */
void upscale_job_end (UpscaleJob *job);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpscaleJob, upscale_job_free)

/* What an error message on the bus says, in one line. */
GError *upscale_bus_error (GstMessage *message);

/* ---- Progress ---- */

typedef struct {
  gint64 started, reported; /* monotonic, in us */
  gboolean terminal;
  gboolean line_open;
} UpscaleProgress;

void upscale_progress_start (UpscaleProgress *progress);
/* Shows the state; on something that is not a terminal, every ten seconds. */
void upscale_progress_update (
    UpscaleProgress *progress, const UpscaleState *state);
/* Ends the line of the bar, so that something else can be printed. */
void upscale_progress_break (UpscaleProgress *progress);

/* ---- Comparison ---- */

/* Enlarges one frame both ways and writes options->compare. */
gboolean upscale_compare (const UpscaleOptions *options, GError **error);

/* Puts two pictures of the same size (RGBA) together: the left half of
 * `bicubic` beside the right half of `ours`, and below them the same detail of
 * both, enlarged. Returns a new frame. */
GstSample *upscale_picture_compose (
    const GstVideoFrame *bicubic, const GstVideoFrame *ours, const char *label);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UpscaleOptions, upscale_options_clear)
