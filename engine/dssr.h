/* libdssr: real-time video super-resolution.
 *
 *   g_autoptr (DssrModel) model = dssr_model_open
 * ("landscape-x2-balanced.safetensors", &error); DssrSessionConfig config =
 * DSSR_SESSION_CONFIG_INIT; config.format = (DssrFormat) { .width = 640,
 * .height = 360, .depth = 8, .chroma = DSSR_CHROMA_420 }; g_autoptr
 * (DssrSession) session = dssr_session_new (model, &config, &error); for each
 * frame: dssr_session_push (session, &picture, frame, release, &error); while
 * ((frame = dssr_session_peek (session))) dssr_session_pull (session,
 * &enlarged, &error); dssr_session_drain (session), then peek and pull what is
 * left.
 *
 * A session is used by one thread at a time; sessions and models are
 * independent of each other, and a model may be shared between sessions and
 * threads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib-object.h>
#include <stdint.h>

G_BEGIN_DECLS

#define DSSR_API __attribute__ ((visibility ("default")))

/* Frames that may be in flight on a GPU. */
#define DSSR_MAX_FLIGHTS 4

/* No side of an enlarged picture is longer. */
#define DSSR_MAX_SIDE 8192

#define DSSR_ERROR (dssr_error_quark ())
DSSR_API GQuark dssr_error_quark (void);

typedef enum {
  DSSR_ERROR_MODEL,   /* the file is not a sound model; the message names the
                         field */
  DSSR_ERROR_FORMAT,  /* a size or format that is not supported */
  DSSR_ERROR_BACKEND, /* the backend asked for is not there */
} DssrError;

/* ---- Model ---- */

typedef struct _DssrModel DssrModel;

/* Opens a model file (docs/model-file.md), which is untrusted: everything in it
 * is checked. Returns a new reference, or NULL with a GFileError or
 * DSSR_ERROR_MODEL. */
DSSR_API DssrModel *dssr_model_open (const char *filename, GError **error);
DSSR_API DssrModel *dssr_model_ref (DssrModel *model);
DSSR_API void dssr_model_unref (DssrModel *model);

/* 2 or 4. */
DSSR_API int dssr_model_get_scale (const DssrModel *model);
/* Whether it enlarges red, green and blue (DSSR_CHROMA_RGB) rather than luma
 * alone. */
DSSR_API gboolean dssr_model_is_rgb (const DssrModel *model);
/* Frames that make one output frame: odd, 1 to 7. */
DSSR_API int dssr_model_get_window (const DssrModel *model);
/* A value of the file's metadata ("dssr.scene", "dssr.rung", "dssr.provenance",
 * ...), or NULL. Owned by the model. */
DSSR_API const char *dssr_model_get_metadata (
    const DssrModel *model, const char *key);
/* Multiply-accumulates per output pixel, as executed: channels padded to quads,
 * absent quads left out. */
DSSR_API double dssr_model_get_macs (const DssrModel *model);

/* ---- Pictures ---- */

typedef enum {
  DSSR_CHROMA_NONE, /* luma only */
  DSSR_CHROMA_420,
  DSSR_CHROMA_422,
  DSSR_CHROMA_444,
  DSSR_CHROMA_RGB, /* no luma: the planes are red, green and blue. For models of
                      RGB, and for them alone */
} DssrChroma;

typedef struct {
  int width, height; /* of the small picture's first plane, 1 or more; times the
                        scale at most DSSR_MAX_SIDE */
  int depth; /* bits of a sample: 8 (bytes), or 9 to 12 (uint16_t in native
                order) */
  int shift; /* left shift of a sample in its uint16_t: 6 in P010, else 0 */
  DssrChroma chroma;
  gboolean cosited_x, cosited_y; /* subsampled chroma lies on even luma samples
                                    rather than between two */
  gboolean full_range; /* luma from 0 to 2^depth - 1 rather than from 16 to 235
                          (times 2^(depth - 8)); only high contrast asks for it,
                          and not of RGB, which is full */
} DssrFormat;

typedef struct {
  void *data;
  ptrdiff_t stride; /* bytes from a row to the next */
  int step; /* bytes from a sample to the next: 1 or 2 in a planar picture, 2 or
               4 in NV12 or P010 */
} DssrPlane;

/* Luma and two chroma planes, or red, green and blue; subsampled ones have
 * (width + 1) / 2 columns, (height + 1) / 2 rows. The enlarged picture has the
 * same format with width and height times the scale. */
typedef struct {
  DssrPlane planes[3];
} DssrPicture;

/* ---- Session ---- */

typedef enum {
  DSSR_BACKEND_AUTO,   /* the fastest that works here */
  DSSR_BACKEND_SCALAR, /* the reference, in plain C */
  DSSR_BACKEND_CPU,    /* the fastest for this CPU */
  DSSR_BACKEND_VULKAN,
} DssrBackend;

typedef struct {
  DssrFormat format;
  DssrBackend backend;
  const char *device; /* of Vulkan: its index, its UUID or the path of its DRM
                         render node; NULL: the best there is, by auto never a
                         CPU in the guise of a GPU */
  int threads;        /* 0: one for each core; at most 64 */
  int lookahead; /* frames that a result may wait for: 0, or up to window / 2 */
  int band_rows; /* rows of a unit of work; 0: chosen here */
  int frames_in_flight; /* on a GPU, 1 to DSSR_MAX_FLIGHTS; 0: 1. With n, the
                           GPU works on the frames that follow while one comes
                           back, and each waits for n - 1 more */
} DssrSessionConfig;

#define DSSR_SESSION_CONFIG_INIT ((DssrSessionConfig){.lookahead = 1})

/* What the threads of a session spend their time on. */
typedef enum {
  DSSR_TIME_FRAME,  /* the features of new frames */
  DSSR_TIME_ALIGN,  /* the offsets and features of neighbours, less sampling */
  DSSR_TIME_SAMPLE, /* deformable sampling */
  DSSR_TIME_FUSE,   /* attention and reconstruction */
  DSSR_TIME_HEAD,   /* the enlarged luma: its base and the residual */
  DSSR_TIME_BASE,   /* the bicubic enlargement of other planes; of all planes in
                       pull_base */
  DSSR_TIME_WAIT,   /* on other threads, while there is work; on the GPU */
} DssrTime;
#define DSSR_N_TIMES 7

typedef struct {
  guint64 frames_in, frames_out; /* since the session was made */
  int latency;                   /* frames from push to pull */
  int threads;
  const char *backend;  /* name of the kernels in use, or "vulkan (device)";
                           static */
  const char *fallback; /* what happened to the GPU, in whose place the CPU
                           computes until it is back; static, or NULL */
  double frame_ms;      /* time of the last frame: its push and its pull */
  double mean_ms;       /* the same, mean of all frames */
  double noise;         /* deviation, in steps of 8 bits, of what the last frame
                           pushed was rid of; 0: nothing */
  gsize memory;         /* bytes that the session allocated */
  guint64 copied;       /* bytes of pictures that were copied to and from the
                           GPU, since the session was made */
  guint64 time_ns[DSSR_N_TIMES]; /* of all threads together, since the session
                                    was made */
  guint64 gpu_time_ns; /* of the GPU, since the session was made, while it is
                          the backend; 0: it has no clock */
  guint64 gpu_traffic; /* bytes that it read and wrote for that, weights and
                          what caches save left out */
  guint64 gpu_operations, gpu_barriers; /* that these were */
} DssrStats;

/* The devices of Vulkan, a line for each, to be shown to people; the first is
 * index 0. Freed with g_strfreev. */
DSSR_API char **dssr_list_devices (void);
/* Whether a session of Vulkan can have the device of this name
 * (DssrSessionConfig.device); FALSE with DSSR_ERROR_BACKEND. */
DSSR_API gboolean dssr_check_device (const char *device, GError **error);

typedef struct _DssrSession DssrSession;

/* ---- Memory for pictures ---- */

/* A GPU, or what is left of one: it stays as long as its memory does. */
typedef struct _DssrDevice DssrDevice;
/* Memory that a GPU and the CPU share. */
typedef struct _DssrMemory DssrMemory;

DSSR_API DssrDevice *dssr_device_ref (DssrDevice *device);
DSSR_API void dssr_device_unref (DssrDevice *device);

/* Memory that the GPU's sessions read and write in place: planes that lie in it
 * are not copied, if their rows begin at multiples of 4 bytes, and end there or
 * at the next row. It stays readable and writable when the GPU is lost. Any
 * thread may allocate and free it. NULL with DSSR_ERROR_BACKEND. */
DSSR_API DssrMemory *dssr_memory_new (
    DssrDevice *device, gsize size, GError **error);
/* A dma-buf with linear pictures, of which `fd` stays the caller's. It is for
 * the caller to wait until nobody else uses it. */
DSSR_API gboolean dssr_device_imports (const DssrDevice *device);
DSSR_API DssrMemory *dssr_memory_import (
    DssrDevice *device, int fd, GError **error);
/* The same, new; dssr_memory_get_fd lends its file descriptor. */
DSSR_API gboolean dssr_device_exports (const DssrDevice *device);
DSSR_API DssrMemory *dssr_memory_export (
    DssrDevice *device, gsize size, GError **error);
DSSR_API int dssr_memory_get_fd (const DssrMemory *memory);
/* Whether a session of this configuration would have a GPU that exports. */
DSSR_API gboolean dssr_backend_exports (
    DssrBackend backend, const char *device);
/* No session may have a picture in it. */
DSSR_API void dssr_memory_free (DssrMemory *memory);
DSSR_API void *dssr_memory_get_data (const DssrMemory *memory);

/* ---- A stream ---- */

/* Allocates everything that frames will need. Returns NULL with
 * DSSR_ERROR_FORMAT or DSSR_ERROR_BACKEND. */
DSSR_API DssrSession *dssr_session_new (
    DssrModel *model, const DssrSessionConfig *config, GError **error);
/* Releases the frames it holds. */
DSSR_API void dssr_session_free (DssrSession *session);

/* Gives the next frame to the session. `picture` is copied, its planes are not:
 * they stay readable and unchanged until the session calls `release (frame)`,
 * from the calling thread, in a later call. `frame` names the frame and is not
 * NULL. After dssr_session_drain, a push begins a new stretch of video. Pull
 * what is ready before the next push; otherwise, FALSE with DSSR_ERROR_FORMAT
 * and `frame` not taken. */
DSSR_API gboolean dssr_session_push (DssrSession *session,
    const DssrPicture *picture, gpointer frame, GDestroyNotify release,
    GError **error);

/* The frame that the next pull enlarges, or NULL when more must be pushed
 * first. It stays valid until the pull's next push, drain or reset. */
DSSR_API gpointer dssr_session_peek (DssrSession *session);

/* Writes the enlarged frame named by dssr_session_peek. `picture` is the
 * caller's and need only live for the call. */
DSSR_API gboolean dssr_session_pull (
    DssrSession *session, const DssrPicture *picture, GError **error);

/* As pull, but writes only the bicubic base: what a frame costs when there is
 * no time. History stays whole. */
DSSR_API gboolean dssr_session_pull_base (
    DssrSession *session, const DssrPicture *picture, GError **error);

/* No frame follows the ones pushed: those that wait for a later one become
 * ready. */
DSSR_API void dssr_session_drain (DssrSession *session);

/* Forgets and releases all frames. */
DSSR_API void dssr_session_reset (DssrSession *session);

/* ---- Another model in the middle of a stream ---- */

/* A model that is ready for a session: planned for its pictures, with the
 * weights as its kernels want them, and on a GPU with compiled pipelines. What
 * the models of a session compute in, they share. */
typedef struct _DssrPrepared DssrPrepared;

/* Makes a model ready for a session: this takes tens of milliseconds, on a GPU
 * seconds. The one function that any thread may call while another one uses the
 * session, whose frames it does not hold up. The model has the session's scale,
 * and is for RGB or not as the first one was.
 * Returns a new reference, or NULL with DSSR_ERROR_FORMAT, or
 * DSSR_ERROR_BACKEND when the session's GPU cannot run it. All references are
 * dropped before the session is freed; until then, from any thread. */
DSSR_API DssrPrepared *dssr_session_prepare_model (
    DssrSession *session, DssrModel *model, GError **error);
DSSR_API DssrPrepared *dssr_prepared_ref (DssrPrepared *prepared);
DSSR_API void dssr_prepared_unref (DssrPrepared *prepared);

/* Uses a model that was prepared for this session from the next pull on. The
 * history is kept: that pull makes the features of the held frames anew, so its
 * result is the one of a session that always had this model, as long as the
 * held frames reach. The session keeps a reference. FALSE with
 * DSSR_ERROR_FORMAT, when there is not enough memory, or DSSR_ERROR_BACKEND:
 * the model in use stays. */
DSSR_API gboolean dssr_session_switch_model (
    DssrSession *session, DssrPrepared *prepared, GError **error);

/* Of the frames pushed from here on: luma, or red, green and blue, gets a curve
 * that lifts what is dark, and more local contrast, for bright surroundings;
 * base or not. The model and the history are the same. */
DSSR_API void dssr_session_set_contrast (DssrSession *session, gboolean high);

/* Of the frames pushed from here on, at first FALSE: where luma stands still
 * but for noise, it is averaged over time before it is enlarged, also for the
 * base of late frames. It is the CPU that does it, so planes are to be readable
 * there: a dma-buf as its exporter wants it (DMA_BUF_IOCTL_SYNC). Not of RGB.
 * docs/integer-contract.md, noise and denoise. */
DSSR_API void dssr_session_set_denoise (DssrSession *session, gboolean denoise);

/* Of the frames pushed from here on, at first TRUE: models that follow pans may
 * find them. It is the CPU that does it, so planes are to be readable there, as
 * for dssr_session_set_denoise; without, neighbours count as they lie.
 * docs/integer-contract.md, pan and follow. */
DSSR_API void dssr_session_set_follow (DssrSession *session, gboolean follow);

/* Frames that a result comes after its input: config.lookahead, less if the
 * window is shorter, and on a GPU all frames in flight but one. */
DSSR_API int dssr_session_get_latency (const DssrSession *session);

/* A new reference to the GPU that computes; NULL: the CPU does. */
DSSR_API DssrDevice *dssr_session_get_device (const DssrSession *session);

DSSR_API void dssr_session_get_stats (
    const DssrSession *session, DssrStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrModel, dssr_model_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrSession, dssr_session_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrPrepared, dssr_prepared_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DssrDevice, dssr_device_unref)

G_END_DECLS
