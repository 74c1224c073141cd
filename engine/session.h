/* A session from inside, and the models that are ready for it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/gpu-recovery.h"
#include "engine/network.h"

#include <pthread.h>

/* Noise of a scene that stands still: what is known of the frames before. */
typedef struct {
  guint16 *means[2];  /* the planes are made when there is noise; the first is
                         of the frame before */
  gsize size;         /* bytes of both */
  gboolean averaging; /* means[0] is valid */
  DssrNoise noise;    /* of the last frame */
} DssrDenoiser;

typedef struct {
  DssrPicture picture; /* luma may be in `own` */
  DssrPlane given;     /* its first plane as it came */
  void *own;           /* room for luma with less noise, or NULL */
  gboolean denoise;    /* it may be read here */
  gpointer frame;
  GDestroyNotify release;
  gboolean follow;   /* it may be read here, to find its pan */
  gboolean seen;     /* the network has its features */
  gboolean followed; /* the pan is known */
  DssrPan pan;       /* since the frame before */
  gboolean contrast; /* is high */
} Held;

struct _DssrSession {
  /* What does not change. */
  DssrFormat format;
  int scale;
  int lookahead; /* as configured */
  int threads;   /* of the CPU */
  int band_rows; /* as configured */
  const DssrKernels *kernels;

  /* Held while a model is made ready, and while what follows changes. With
   * POSIX's locks rather than GLib's, which ThreadSanitizer does not see. */
  pthread_mutex_t building;
  DssrGpu *gpu;   /* NULL: the CPU computes */
  DssrPool *pool; /* NULL until the CPU is needed */
  /* Held for a moment. */
  pthread_mutex_t lock;
  GPtrArray *prepared; /* all that there are; not owned */

  /* The thread's that uses the session. */
  DssrPrepared *used;
  DssrArena arena;
  DssrGpuRecovery *recovery; /* NULL until a GPU fails */
  const char *fallback;      /* why the CPU is in the GPU's place; static */

  int past,
      future; /* frames around the centre; the future that is waited for */
  Held *held;
  int n_slots;
  gint64 first, next, end;
  gboolean drained;
  gboolean contrast; /* of the frames to come is high */
  gboolean denoise;  /* the frames to come */
  gboolean follow;   /* pans of the frames to come may be found */
  DssrDenoiser denoiser;

  /* On a GPU: frames that it is given beside the one that is waited for, and
   * the end of those that it was given, which are not before `next`. */
  int ahead;
  gint64 submitted;

  guint64 frames_out;
  /* Microseconds: of pushes since the last pull, of the last frame, of all. */
  gint64 push_time, frame_time, total_time;
  guint64 time_ns[DSSR_N_TIMES];
};

struct _DssrPrepared {
  gatomicrefcount ref_count;
  DssrSession *session;
  DssrModel *model;
  DssrNetwork *network; /* NULL unless the CPU was to compute */
  /* NULL unless the GPU was; in use, the GPU has it. */
  DssrGpuNetwork *gpu_network;
  int gpu_slots; /* frames whose features it keeps; 0: there is none */
};

/* Makes what it lacks to be used by what computes now, with this many frames
 * held. The caller holds session->building. */
gboolean dssr_prepared_complete (
    DssrPrepared *prepared, int slots, GError **error);
/* All that is on the GPU, but for what the GPU has itself. */
void dssr_prepared_leave_gpu (DssrSession *session);
/* Bytes of all of them, but for what is on a GPU. */
gsize dssr_prepared_get_size (const DssrSession *session);

static inline Held *
get_held (const DssrSession *session, gint64 number)
{
  return &session->held[number % session->n_slots];
}

/* Where frame `number` has what frame `centre` has; both are held. */
DssrPan dssr_session_get_pan (
    DssrSession *session, gint64 centre, gint64 number);

/* What is to be enlarged of the first plane of the frame that is pushed,
 * `given` as it came: itself, or a plane of the session's with less noise. */
DssrPlane dssr_session_denoise (DssrSession *session, const DssrPlane *given);
/* Bytes that this took. */
gsize dssr_session_get_denoise_size (const DssrSession *session);
void dssr_session_clear_denoise (DssrSession *session);
