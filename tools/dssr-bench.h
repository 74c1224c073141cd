/* dssr-bench: what its parts share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dssr.h"

#include <json-glib/json-glib.h>

#define BENCH_ERROR (g_quark_from_static_string ("dssr-bench"))

/* ---- Options ---- */

typedef struct {
  char *model;
  char *input; /* video to time with, or NULL */
  char *json;  /* file to write, or NULL */
  int width, height;
  DssrBackend backend;
  char *device;     /* of Vulkan, or NULL */
  int threads;      /* 0: one for each core */
  int frames;       /* or runs of each kernel */
  int in_flight;    /* frames, on a GPU */
  gboolean kernels; /* time kernels, not frames */
  gboolean list;    /* time nothing: show the devices of Vulkan */
} BenchOptions;

/* Reads and checks the command line. */
gboolean bench_options_parse (
    BenchOptions *options, int *argc, char ***argv, GError **error);
void bench_options_clear (BenchOptions *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (BenchOptions, bench_options_clear)

/* ---- Content ---- */

/* Successive pictures of a video, 8 bits, 4:2:0. */
typedef struct {
  DssrFormat format;
  DssrPicture *pictures;
  int n_pictures;
} BenchContent;

/* The beginning of options->input, scaled to the size of the options; noise
 * that moves if there is none. At most `max` pictures. */
BenchContent *bench_content_new (
    const BenchOptions *options, int max, GError **error);
void bench_content_free (BenchContent *content);

/* Gives `picture` memory for this format; free planes[0].data. */
void bench_picture_init (DssrPicture *picture, const DssrFormat *format);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BenchContent, bench_content_free)

/* ---- Results ---- */

/* The value that a part of the numbers, which it sorts, does not exceed. */
double bench_quantile (double *numbers, int n, double part);

/* Time that this thread has spent on a core. */
double bench_seconds (void);

void bench_add_string (
    JsonBuilder *builder, const char *name, const char *value);
/* Whole numbers are written as such, others with four places. */
void bench_add_number (JsonBuilder *builder, const char *name, double value);

/* ---- What is timed ---- */

/* Times whole frames; prints the result and returns it as JSON, or NULL. */
JsonNode *bench_frames (const BenchOptions *options, GError **error);

/* Times every kernel of every table on one core; prints and returns as above.
 */
JsonNode *bench_kernels (const BenchOptions *options);

/* Times every kernel on a GPU by its clock, beside what it reaches at best. */
JsonNode *bench_vulkan (const BenchOptions *options, GError **error);
