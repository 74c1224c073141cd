/* Buffers of dma-bufs: where the GPU imports them, nothing is copied, else all
 * is, with one warning; the bytes are the same. memfds stand in for dma-bufs,
 * unless DSSR_TEST_UDMABUF is set; DSSR_TEST_CAMERA names a camera that gives
 * some (tests/vm/).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <fcntl.h>
#include <gst/allocators/gstdmabuf.h>
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/dssr.h"

#define FRAMES 5
#define WIDTH 40
#define HEIGHT 24

/* Whether the device imports and makes them; what the tests expect depends on
 * it. */
static gboolean imports, exports;

/* ---- memfds as dma-bufs ---- */

typedef struct {
  GstDmaBufAllocator parent;
} MemfdAllocator;
typedef GstDmaBufAllocatorClass MemfdAllocatorClass;

GType memfd_allocator_get_type (void);
G_DEFINE_TYPE (MemfdAllocator, memfd_allocator, GST_TYPE_DMABUF_ALLOCATOR)

/* A real dma-buf of a memfd's memory. */
static int
make_udmabuf (int memfd, gsize size)
{
  int device = open ("/dev/udmabuf", O_RDWR | O_CLOEXEC);
  struct udmabuf_create create = {
      .memfd = (guint32)memfd,
      .flags = UDMABUF_FLAGS_CLOEXEC,
      .size = size,
  };
  g_assert_cmpint (device, >=, 0);
  g_assert_cmpint (fcntl (memfd, F_ADD_SEALS, F_SEAL_SHRINK), ==, 0);
  int fd = ioctl (device, UDMABUF_CREATE, &create);
  g_assert_cmpint (fd, >=, 0);
  close (device);
  close (memfd);
  return fd;
}

static GstMemory *
memfd_alloc (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  /* A dma-buf has whole pages. */
  gsize whole = (size + 4095) / 4096 * 4096;
  int fd = memfd_create ("dssr-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, (off_t)whole), ==, 0);
  if (g_getenv ("DSSR_TEST_UDMABUF"))
    fd = make_udmabuf (fd, whole);
  GstMemory *memory = gst_dmabuf_allocator_alloc (allocator, fd, whole);
  gst_memory_resize (memory, 0, size);
  return memory;
}

static void
memfd_allocator_class_init (MemfdAllocatorClass *klass)
{
  GST_ALLOCATOR_CLASS (klass)->alloc = memfd_alloc;
}

static void
memfd_allocator_init (MemfdAllocator *self)
{
  GST_OBJECT_FLAG_UNSET (self, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

static GstAllocator *
memfd_allocator_new (void)
{
  return gst_object_ref_sink (g_object_new (memfd_allocator_get_type (), NULL));
}

/* ---- Frames ---- */

typedef enum {
  WHOLE,   /* one dma-buf, as the format has it */
  PLANES,  /* one for each plane */
  OFFSETS, /* one, planes at odd places with long rows */
} Layout;

static void
copy_plane (GstVideoFrame *to, const GstVideoFrame *from, guint plane)
{
  g_assert_true (gst_video_frame_copy_plane (to, from, plane));
}

/* The frame in dma-bufs. */
static GstBuffer *
wrap (GstBuffer *frame, const GstVideoInfo *info, Layout layout,
    GstAllocator *allocator)
{
  GstBuffer *buffer = gst_buffer_new ();
  guint n = GST_VIDEO_INFO_N_PLANES (info);
  gsize offset[GST_VIDEO_MAX_PLANES] = {0}, size = 0;
  gint stride[GST_VIDEO_MAX_PLANES] = {0};
  GstVideoFrame from, to;

  for (guint i = 0; i < n; i++) {
    gsize rows = (gsize)(i ? HEIGHT / 2 : HEIGHT);
    stride[i] =
        GST_VIDEO_INFO_PLANE_STRIDE (info, i) + (layout == OFFSETS ? 20 : 0);
    offset[i] = size + (layout == OFFSETS ? 132 : 0);
    size = offset[i] + rows * (gsize)stride[i];
    if (layout == PLANES)
      gst_buffer_append_memory (
          buffer, gst_allocator_alloc (allocator, size - offset[i], NULL));
  }
  if (layout != PLANES)
    gst_buffer_append_memory (
        buffer, gst_allocator_alloc (allocator, size, NULL));
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), WIDTH, HEIGHT, n, offset, stride);
  gst_buffer_copy_into (buffer, frame, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);

  g_assert_true (gst_video_frame_map (&from, info, frame, GST_MAP_READ));
  g_assert_true (gst_video_frame_map (&to, info, buffer, GST_MAP_WRITE));
  for (guint i = 0; i < n; i++)
    copy_plane (&to, &from, i);
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
  gst_buffer_unref (frame);
  return buffer;
}

/* The samples of the enlarged frames, one after the other. */
typedef struct {
  GByteArray *bytes;
  guint64 copied;
  guint warnings;
  gboolean dmabuf; /* all were */
} Result;

static void
append (GByteArray *bytes, const GstVideoInfo *info, GstBuffer *buffer)
{
  GstVideoFrame video;

  g_assert_true (gst_video_frame_map (&video, info, buffer, GST_MAP_READ));
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&video); c++)
    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&video, c); y++)
      for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH (&video, c); x++)
        g_byte_array_append (bytes,
            test_component (&video, c)
                + y * GST_VIDEO_FRAME_COMP_STRIDE (&video, c)
                + x * GST_VIDEO_FRAME_COMP_PSTRIDE (&video, c),
            1);
  gst_video_frame_unmap (&video);
}

static void
collect (GstHarness *h, Result *result)
{
  GstBuffer *buffer;

  while ((buffer = test_pull (h))) {
    GstVideoInfo info = test_sink_info (h);
    result->dmabuf =
        result->dmabuf
        && gst_is_dmabuf_memory (gst_buffer_peek_memory (buffer, 0));
    append (result->bytes, &info, buffer);
    gst_buffer_unref (buffer);
  }
}

static GstElement *
make_element (DssrBackend backend)
{
  const gchar *model = g_getenv ("DSSR_TEST_DMABUF_MODEL");
  GstElement *element = test_element (model ? model : "x2", 1);
  g_object_set (element, "backend", backend, NULL);
  return element;
}

/* caps: "" or "(memory:DMABuf)"
 * out: downstream's allocator, or NULL */
static Result
run (DssrBackend backend, const gchar *format, const gchar *features,
    Layout layout, GstAllocator *out)
{
  g_autoptr (GstAllocator) allocator = memfd_allocator_new ();
  g_autofree gchar *plain = test_caps (format, WIDTH, HEIGHT);
  gchar *caps = g_strdup_printf (
      "video/x-raw%s%s", features, plain + strlen ("video/x-raw"));
  GstHarness *h =
      gst_harness_new_with_element (make_element (backend), "sink", "src");
  GstBus *bus = gst_bus_new ();
  Result result = {.bytes = g_byte_array_new (), .dmabuf = TRUE};
  GstMessage *message;

  gst_element_set_bus (h->element, bus);
  if (out)
    gst_harness_set_propose_allocator (h, gst_object_ref (out), NULL);
  gst_harness_set_src_caps_str (h, caps);
  g_free (caps);
  gst_harness_play (h);
  GstVideoInfo info = test_src_info (h);
  for (guint i = 0; i < FRAMES; i++) {
    GstBuffer *frame = wrap (test_frame (&info, i), &info, layout, allocator);
    g_assert_cmpint (gst_harness_push (h, frame), ==, GST_FLOW_OK);
    collect (h, &result);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  collect (h, &result);
  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING))) {
    result.warnings++;
    gst_message_unref (message);
  }
  result.copied = test_stat (h, "copied");
  gst_element_set_bus (h->element, NULL);
  gst_object_unref (bus);
  gst_object_unref (h->element);
  gst_harness_teardown (h);
  return result;
}

static void
check (const Result *cpu, const Result *gpu)
{
  g_assert_cmpuint (cpu->bytes->len, ==, FRAMES * 4 * WIDTH * HEIGHT * 3 / 2);
  g_assert_cmpmem (
      cpu->bytes->data, cpu->bytes->len, gpu->bytes->data, gpu->bytes->len);
  g_assert_cmpuint (cpu->warnings, ==, 0);
  if (imports) {
    g_assert_cmpuint (gpu->copied, ==, 0);
    g_assert_cmpuint (gpu->warnings, ==, 0);
  } else {
    g_assert_cmpuint (gpu->copied, >, 0);
    g_assert_cmpuint (gpu->warnings, ==, 1);
  }
}

static void
clear (Result *result)
{
  g_byte_array_unref (result->bytes);
}

static void
test_in (void)
{
  static const gchar *const formats[] = {"NV12", "I420", "NV21"};

  for (Layout layout = WHOLE; layout <= OFFSETS; layout++) {
    const gchar *format = formats[layout];
    const gchar *features = layout == PLANES ? "" : "(memory:DMABuf)";
    Result cpu = run (DSSR_BACKEND_CPU, format, features, layout, NULL);
    Result gpu = run (DSSR_BACKEND_VULKAN, format, features, layout, NULL);
    check (&cpu, &gpu);
    /* The same kind of memory comes out, if it can. */
    g_assert_cmpint (gpu.dmabuf, ==, exports && *features);
    clear (&cpu);
    clear (&gpu);
  }
}

/* Downstream allocates. */
static void
test_out (void)
{
  g_autoptr (GstAllocator) out = memfd_allocator_new ();
  Result cpu = run (DSSR_BACKEND_CPU, "NV12", "", WHOLE, out);
  Result gpu = run (DSSR_BACKEND_VULKAN, "NV12", "", WHOLE, out);

  check (&cpu, &gpu);
  g_assert_true (gpu.dmabuf);
  clear (&cpu);
  clear (&gpu);
}

/* The CPU reads and writes what the lost GPU had. */
static void
test_lost (void)
{
  g_autoptr (GstAllocator) out = memfd_allocator_new ();
  Result cpu = run (DSSR_BACKEND_CPU, "I420", "", WHOLE, out);

  g_setenv ("DSSR_VULKAN_FAULT", "lost@2", TRUE);
  Result gpu = run (DSSR_BACKEND_VULKAN, "I420", "", WHOLE, out);
  g_unsetenv ("DSSR_VULKAN_FAULT");
  g_assert_cmpmem (
      cpu.bytes->data, cpu.bytes->len, gpu.bytes->data, gpu.bytes->len);
  g_assert_cmpuint (gpu.warnings, ==, imports ? 1 : 2);
  clear (&cpu);
  clear (&gpu);
}

/* The noise that is found in a still scene. */
static gdouble
find_noise (DssrBackend backend)
{
  g_autoptr (GstAllocator) allocator = memfd_allocator_new ();
  GstHarness *h =
      test_harness (make_element (backend), test_caps ("GRAY8", 96, 80));
  GstVideoInfo info = test_src_info (h);

  for (guint n = 0; n < 2; n++) {
    g_autoptr (GstBuffer) frame = test_noisy_frame (&info, n, 0);
    GstBuffer *buffer = gst_buffer_new_allocate (allocator, info.size, NULL);
    GstMapInfo map;
    g_assert_true (gst_buffer_map (frame, &map, GST_MAP_READ));
    gst_buffer_fill (buffer, 0, map.data, map.size);
    gst_buffer_unmap (frame, &map);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
  }
  gst_buffer_unref (gst_harness_pull (h));
  gdouble noise = test_stat_double (h, "noise");
  test_teardown (h);
  return noise;
}

/* The CPU does not read what the GPU imported. */
static void
test_denoise (void)
{
  g_assert_cmpfloat (find_noise (DSSR_BACKEND_CPU), >, 1);
  g_assert_cmpint (find_noise (DSSR_BACKEND_VULKAN) == 0, ==, imports);
}

/* A dma-buf that ends before its buffer does is an error, and not a crash. */
static void
test_short (void)
{
  g_autoptr (GstAllocator) allocator = memfd_allocator_new ();
  GstHarness *h = test_harness (
      make_element (DSSR_BACKEND_VULKAN), test_caps ("GRAY8", 128, 64));
  int fd = memfd_create ("dssr-test", MFD_CLOEXEC);
  GstBuffer *buffer = gst_buffer_new ();

  g_assert_cmpint (ftruncate (fd, 4096), ==, 0);
  gst_buffer_append_memory (
      buffer, gst_dmabuf_allocator_alloc (allocator, fd, 128 * 64));
  g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_ERROR);
  test_expect_error (h, GST_MESSAGE_ERROR, GST_STREAM_ERROR,
      GST_STREAM_ERROR_FORMAT, "smaller", NULL);
  test_teardown (h);
}

/* dma-bufs out only from a GPU that makes them. */
static void
test_caps_out (void)
{
  GstHarness *h = gst_harness_new_with_element (
      make_element (DSSR_BACKEND_VULKAN), "sink", "src");
  GstPad *pad = gst_element_get_static_pad (h->element, "src");
  GstElement *element = h->element;

  gst_harness_play (h);
  GstCaps *caps = gst_pad_query_caps (pad, NULL);
  g_autofree gchar *text = gst_caps_to_string (caps);
  g_assert_cmpint (strstr (text, "memory:DMABuf") != NULL, ==, exports);
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_object_unref (element);
  gst_harness_teardown (h);
}

/* The GPU makes dma-bufs for downstream. */
static void
test_export (void)
{
  GstHarness *h = gst_harness_new_with_element (
      make_element (DSSR_BACKEND_VULKAN), "sink", "src");
  Result cpu = run (DSSR_BACKEND_CPU, "NV12", "", WHOLE, NULL);
  Result gpu = {.bytes = g_byte_array_new (), .dmabuf = TRUE};
  gchar *caps = test_caps ("NV12", WIDTH, HEIGHT);

  gst_harness_set_sink_caps_str (
      h, "video/x-raw(memory:DMABuf), format=NV12, width=80, height=48");
  gst_harness_set_src_caps_str (h, caps);
  g_free (caps);
  gst_harness_play (h);
  for (guint i = 0; i < FRAMES; i++) {
    test_push (h, i);
    collect (h, &gpu);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  collect (h, &gpu);
  g_assert_true (gpu.dmabuf);
  g_assert_cmpmem (
      cpu.bytes->data, cpu.bytes->len, gpu.bytes->data, gpu.bytes->len);
  gst_object_unref (h->element);
  gst_harness_teardown (h);
  clear (&cpu);
  clear (&gpu);
}

/* ---- A camera ---- */

#define CAMERA_CAPS "video/x-raw, format=NV12, width=320, height=180"

/* Keeps what a frame was before the element has it. */
static GstPadProbeReturn
keep_frame (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (probe);

  g_assert_true (gst_is_dmabuf_memory (gst_buffer_peek_memory (buffer, 0)));
  g_ptr_array_add (data, gst_buffer_copy_deep (buffer));
  return GST_PAD_PROBE_OK;
}

/* The same frames by the CPU. */
static Result
enlarge_again (GPtrArray *frames, const GstCaps *caps)
{
  GstHarness *h = gst_harness_new_with_element (
      make_element (DSSR_BACKEND_CPU), "sink", "src");
  Result result = {.bytes = g_byte_array_new ()};

  gst_harness_set_src_caps (h, gst_caps_copy (caps));
  gst_harness_play (h);
  for (guint i = 0; i < frames->len; i++) {
    gst_harness_push (h, gst_buffer_ref (frames->pdata[i]));
    collect (h, &result);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  collect (h, &result);
  gst_object_unref (h->element);
  gst_harness_teardown (h);
  return result;
}

static void
test_camera (void)
{
  g_autofree gchar *description = g_strdup_printf (
      "v4l2src name=camera device=%s io-mode=dmabuf num-buffers=3 ! "
      "" CAMERA_CAPS " ! appsink name=out sync=false",
      g_getenv ("DSSR_TEST_CAMERA"));
  g_autoptr (GPtrArray) frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify)gst_buffer_unref);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);
  g_assert_no_error (error);
  GstElement *out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  GstElement *element = make_element (DSSR_BACKEND_VULKAN);
  GstPad *last = gst_element_get_static_pad (out, "sink");
  GstPad *first = gst_pad_get_peer (last);
  GstPad *sink = gst_element_get_static_pad (element, "sink");
  GstPad *src = gst_element_get_static_pad (element, "src");
  Result gpu = {.bytes = g_byte_array_new ()};
  GstSample *sample;
  guint64 copied;

  gst_object_ref (element);
  gst_bin_add (GST_BIN (pipeline), element);
  gst_pad_unlink (first, last);
  g_assert_cmpint (gst_pad_link (first, sink), ==, GST_PAD_LINK_OK);
  g_assert_cmpint (gst_pad_link (src, last), ==, GST_PAD_LINK_OK);
  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, keep_frame, frames, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (;;) {
    g_signal_emit_by_name (out, "pull-sample", &sample);
    if (!sample)
      break;
    GstVideoInfo info;
    g_assert_true (
        gst_video_info_from_caps (&info, gst_sample_get_caps (sample)));
    append (gpu.bytes, &info, gst_sample_get_buffer (sample));
    gst_sample_unref (sample);
  }
  GstCaps *caps = gst_pad_get_current_caps (sink);
  GstStructure *stats;
  g_object_get (element, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, "copied", &copied));
  g_assert_cmpuint (copied, ==, 0);
  g_assert_cmpuint (frames->len, ==, 3);
  Result cpu = enlarge_again (frames, caps);
  g_assert_cmpuint (cpu.bytes->len, ==, 3 * 4 * 320 * 180 * 3 / 2);
  g_assert_cmpmem (
      cpu.bytes->data, cpu.bytes->len, gpu.bytes->data, gpu.bytes->len);

  gst_structure_free (stats);
  gst_caps_unref (caps);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (src);
  gst_object_unref (sink);
  gst_object_unref (first);
  gst_object_unref (last);
  gst_object_unref (element);
  gst_object_unref (out);
  gst_object_unref (pipeline);
  clear (&cpu);
  clear (&gpu);
}

static gboolean
find_imports (void)
{
  g_autofree gchar *path = test_model ("x2");
  g_autoptr (DssrModel) model = dssr_model_open (path, NULL);
  DssrSessionConfig config = DSSR_SESSION_CONFIG_INIT;

  config.backend = DSSR_BACKEND_VULKAN;
  config.format = (DssrFormat){.width = 8, .height = 8, .depth = 8};
  g_autoptr (DssrSession) session = dssr_session_new (model, &config, NULL);
  g_assert_nonnull (session);
  g_autoptr (DssrDevice) device = dssr_session_get_device (session);
  return dssr_device_imports (device);
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) devices = dssr_list_devices ();

  if (!devices[0]) {
    g_print ("1..0 # SKIP there is no Vulkan device\n");
    return 0;
  }
  test_init (&argc, &argv);
  imports = find_imports ();
  exports = dssr_backend_exports (DSSR_BACKEND_VULKAN, NULL);
  if (g_getenv ("DSSR_TEST_IMPORTS"))
    g_assert_true (imports);
  g_test_add_func ("/dmabuf/in", test_in);
  g_test_add_func ("/dmabuf/out", test_out);
  g_test_add_func ("/dmabuf/lost", test_lost);
  g_test_add_func ("/dmabuf/short", test_short);
  g_test_add_func ("/dmabuf/denoise", test_denoise);
  g_test_add_func ("/dmabuf/caps-out", test_caps_out);
  if (exports)
    g_test_add_func ("/dmabuf/export", test_export);
  if (g_getenv ("DSSR_TEST_CAMERA"))
    g_test_add_func ("/dmabuf/camera", test_camera);
  return test_run ();
}
