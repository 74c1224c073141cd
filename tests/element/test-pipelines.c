/* Real pipelines: a compressed film, playback, seeks, a live source, an
 * application.
 *
 * The film is made of videotestsrc, or of the first .mp4 in $DSSR_SAMPLE_DIR.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <glib/gstdio.h>
#include <math.h>

#define WIDTH 256
#define HEIGHT 176
#define FRAMES 25

static gchar *film_dir;

static gboolean
has_element (const gchar *name)
{
  GstElementFactory *factory = gst_element_factory_find (name);

  if (factory)
    gst_object_unref (factory);
  return factory != NULL;
}

static void
fail_on_error (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);

  gst_object_unref (bus);
  if (message) {
    g_autoptr (GError) error = NULL;
    gst_message_parse_error (message, &error, NULL);
    g_error ("%s", error->message);
  }
}

/* Until EOS, or an error, which fails the test. */
static void
wait_for_eos (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (
      bus, 60 * GST_SECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);

  g_assert_nonnull (message);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_bus_post (bus, gst_message_ref (message));
  gst_message_unref (message);
  gst_object_unref (bus);
  fail_on_error (pipeline);
}

static GstElement *
parse (const gchar *description)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  g_assert_no_error (error);
  return pipeline;
}

static void
end (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* Runs a pipeline to its end, or stops it after FRAMES frames; the samples of
 * its appsink, "out". */
static GPtrArray *
collect (const gchar *description)
{
  GPtrArray *samples =
      g_ptr_array_new_with_free_func ((GDestroyNotify)gst_sample_unref);
  GstElement *pipeline = parse (description);
  GstElement *out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  GstSample *sample;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (samples->len < FRAMES) {
    g_signal_emit_by_name (out, "pull-sample", &sample);
    if (!sample)
      break;
    g_ptr_array_add (samples, sample);
  }
  fail_on_error (pipeline);
  gst_object_unref (out);
  end (pipeline);
  return samples;
}

static void
map_sample (GstSample *sample, GstVideoFrame *video)
{
  GstVideoInfo info;

  g_assert_true (
      gst_video_info_from_caps (&info, gst_sample_get_caps (sample)));
  g_assert_true (gst_video_frame_map (
      video, &info, gst_sample_get_buffer (sample), GST_MAP_READ));
}

/* Mean PSNR of luma, borders left out. */
static gdouble
psnr (GPtrArray *a, GPtrArray *b)
{
  gdouble sum = 0;

  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++) {
    GstVideoFrame va, vb;
    guint64 error = 0, count = 0;
    map_sample (a->pdata[i], &va);
    map_sample (b->pdata[i], &vb);
    g_assert_cmpint (va.info.width, ==, vb.info.width);
    g_assert_cmpint (va.info.height, ==, vb.info.height);
    for (gint y = 8; y < va.info.height - 8; y++)
      for (gint x = 8; x < va.info.width - 8; x++, count++) {
        gint d = ((guint8 *)va.data[0])[y * va.info.stride[0] + x]
                 - ((guint8 *)vb.data[0])[y * vb.info.stride[0] + x];
        error += d * d;
      }
    sum += 10 * log10 (255.0 * 255.0 * count / MAX (error, 1));
    gst_video_frame_unmap (&va);
    gst_video_frame_unmap (&vb);
  }
  return sum / a->len;
}

/* The film at full size: raw I420 in a file, and the source that reads it. */
static gchar *
film_source (void)
{
  g_autofree gchar *path = g_build_filename (film_dir, "film.yuv", NULL);

  return g_strdup_printf ("filesrc location=\"%s\" ! rawvideoparse "
                          "format=i420 width=%d height=%d framerate=25/1",
      path, WIDTH, HEIGHT);
}

static void
make_film (void)
{
  const gchar *samples = g_getenv ("DSSR_SAMPLE_DIR");
  GDir *dir = samples ? g_dir_open (samples, 0, NULL) : NULL;
  g_autofree gchar *found = NULL;
  const gchar *name;

  while (dir && !found && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".mp4"))
      found = g_build_filename (samples, name, NULL);
  g_clear_pointer (&dir, g_dir_close);
  g_autofree gchar *source =
      found ? g_strdup_printf (
          "filesrc location=\"%s\" ! decodebin ! videoconvert "
          "! videoscale method=lanczos add-borders=false",
          found)
            : g_strdup ("videotestsrc pattern=zone-plate kx2=24 ky2=30 kt=3");
  g_autofree gchar *description =
      g_strdup_printf ("%s ! video/x-raw, format=I420, width=%d, height=%d "
                       "! appsink name=out sync=false",
          source, WIDTH, HEIGHT);
  g_autofree gchar *path = g_build_filename (film_dir, "film.yuv", NULL);
  GPtrArray *frames = collect (description);
  g_autoptr (GByteArray) film = g_byte_array_new ();

  g_assert_cmpuint (frames->len, ==, FRAMES);
  for (guint i = 0; i < frames->len; i++) {
    GstMapInfo map;
    GstBuffer *buffer = gst_sample_get_buffer (frames->pdata[i]);
    g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
    g_byte_array_append (film, map.data, map.size);
    gst_buffer_unmap (buffer, &map);
  }
  g_assert_true (
      g_file_set_contents (path, (gchar *)film->data, film->len, NULL));
  g_ptr_array_unref (frames);
}

/* Makes a file of the film at half size; `encoder` ends with a muxer. */
static gchar *
encode (const gchar *name, const gchar *encoder)
{
  g_autofree gchar *source = film_source ();
  gchar *path = g_build_filename (film_dir, name, NULL);
  g_autofree gchar *description = g_strdup_printf (
      "%s ! videoscale method=lanczos ! video/x-raw, width=%d, height=%d "
      "! %s ! filesink location=\"%s\"",
      source, WIDTH / 2, HEIGHT / 2, encoder, path);
  GstElement *pipeline = parse (description);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_eos (pipeline);
  end (pipeline);
  return path;
}

static gchar *
encode_webm (void)
{
  return encode ("film.webm",
      "vp8enc deadline=1 keyframe-max-dist=8 target-bitrate=1500000 ! webmmux");
}

static GPtrArray *
decode (const gchar *path, const gchar *enlarger)
{
  g_autofree gchar *description = g_strdup_printf (
      "filesrc location=\"%s\" ! decodebin ! videoconvert ! %s ! videoconvert "
      "! video/x-raw, format=I420, width=%d, height=%d "
      "! appsink name=out sync=false",
      path, enlarger, WIDTH, HEIGHT);

  return collect (description);
}

/* With a residual of zero the element is as good as another bicubic scaler
 * (whose coefficients, in 1/64, happen to be a little sharper); all frames come
 * out with their times. */
static void
check_film (gchar *path)
{
  g_autofree gchar *model = test_model ("x2-zero");
  g_autofree gchar *element =
      g_strdup_printf ("dssuperres model=\"%s\"", model);
  g_autofree gchar *source = film_source ();
  g_autofree gchar *description =
      g_strdup_printf ("%s ! appsink name=out sync=false", source);
  GPtrArray *original = collect (description);
  GPtrArray *enlarged = decode (path, element);
  GPtrArray *scaled = decode (path, "videoscale method=catrom");
  gdouble ours = psnr (original, enlarged), theirs = psnr (original, scaled);

  g_test_message ("PSNR %.2f dB, videoscale's %.2f", ours, theirs);
  g_assert_cmpuint (enlarged->len, ==, FRAMES);
  g_assert_cmpfloat (ours, >, 26);
  g_assert_cmpfloat (ours, >, theirs - 1);
  for (guint i = 0; i < enlarged->len; i++)
    g_assert_cmpuint (
        GST_BUFFER_PTS (gst_sample_get_buffer (enlarged->pdata[i])), ==,
        GST_BUFFER_PTS (gst_sample_get_buffer (scaled->pdata[i])));
  g_ptr_array_unref (original);
  g_ptr_array_unref (enlarged);
  g_ptr_array_unref (scaled);
  g_remove (path);
  g_free (path);
}

static void
test_webm (void)
{
  check_film (encode_webm ());
}

static void
test_mp4 (void)
{
  if (has_element ("x264enc"))
    check_film (encode ("film.mp4", "x264enc bitrate=1500 ! mp4mux"));
  else if (has_element ("openh264enc") && has_element ("h264parse"))
    check_film (encode (
        "film.mp4", "openh264enc bitrate=1500000 ! h264parse ! mp4mux"));
  else
    g_test_skip ("no H.264 encoder");
}

static GstClockTime
next_pts (GstElement *out, const gchar *signal)
{
  GstSample *sample = NULL;

  g_signal_emit_by_name (out, signal, &sample);
  g_assert_nonnull (sample);
  GstClockTime pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample));
  gst_sample_unref (sample);
  return pts;
}

/* The first frame after a seek is the one that was asked for, and those of
 * before are gone. */
static void
test_seek (void)
{
  g_autofree gchar *path = encode_webm ();
  g_autofree gchar *model = test_model ("x2");
  g_autofree gchar *description = g_strdup_printf (
      "filesrc location=\"%s\" ! decodebin ! videoconvert "
      "! dssuperres model=\"%s\" ! appsink name=out sync=false max-buffers=2",
      path, model);
  GstElement *pipeline = parse (description);
  GstElement *out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  static const guint targets[] = {15, 3, 20, 0, 24};

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
  for (guint i = 0; i < G_N_ELEMENTS (targets); i++) {
    GstClockTime target = targets[i] * TEST_DURATION;
    g_assert_true (gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
        GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, target));
    gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    GstClockTime pts = next_pts (out, "pull-preroll");
    g_assert_cmpuint (ABS (GST_CLOCK_DIFF (target, pts)), <, GST_MSECOND);
    gst_element_set_state (
        pipeline, i % 2 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_assert_cmpuint (
      next_pts (out, "pull-sample") / TEST_DURATION, ==, FRAMES - 1);
  wait_for_eos (pipeline);
  gst_object_unref (out);
  end (pipeline);
  g_remove (path);
}

static void
test_playbin (void)
{
  g_autofree gchar *path = encode_webm ();
  g_autofree gchar *uri = gst_filename_to_uri (path, NULL);
  g_autofree gchar *model = test_model ("x2");
  GstElement *player = gst_element_factory_make ("playbin", NULL);
  GstElement *filter = gst_element_factory_make ("dssuperres", NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstStructure *stats;
  guint64 frames;

  g_object_set (filter, "model", model, NULL);
  g_object_set (sink, "sync", FALSE, NULL);
  gst_object_ref (filter);
  gst_object_ref (sink);
  g_object_set (
      player, "uri", uri, "video-filter", filter, "video-sink", sink, NULL);
  gst_element_set_state (player, GST_STATE_PAUSED);
  gst_element_get_state (player, NULL, NULL, GST_CLOCK_TIME_NONE);
  GstPad *pad = gst_element_get_static_pad (sink, "sink");
  GstCaps *caps = gst_pad_get_current_caps (pad);
  GstVideoInfo info;
  g_assert_true (gst_video_info_from_caps (&info, caps));
  g_assert_cmpint (info.width, ==, WIDTH);
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_element_set_state (player, GST_STATE_PLAYING);
  wait_for_eos (player);
  g_object_get (filter, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "frames", &frames);
  g_assert_cmpuint (frames, ==, FRAMES);
  gst_structure_free (stats);
  end (player);
  gst_object_unref (filter);
  gst_object_unref (sink);
  g_remove (path);
}

/* A live source and a sink that waits for the clock: the pipeline's latency
 * covers the frame of look-ahead, so that none is late. */
static void
test_live (void)
{
  for (guint lookahead = 0; lookahead < 2; lookahead++) {
    g_autofree gchar *model = test_model ("x2");
    g_autofree gchar *description = g_strdup_printf (
        "videotestsrc is-live=true num-buffers=15 "
        "! video/x-raw, format=I420, width=64, height=48, framerate=25/1 "
        "! dssuperres name=sr lookahead=%u model=\"%s\" "
        "! fakesink name=sink sync=true qos=true",
        lookahead, model);
    GstElement *pipeline = parse (description);
    GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "sr");
    GstQuery *query = gst_query_new_latency ();
    GstStructure *stats;
    GstClockTime min;
    guint64 frames, base;
    gboolean live;

    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    wait_for_eos (pipeline);
    g_assert_true (gst_element_query (pipeline, query));
    gst_query_parse_latency (query, &live, &min, NULL);
    g_assert_true (live);
    g_assert_cmpuint (min, >=, lookahead * TEST_DURATION);
    g_object_get (element, "stats", &stats, NULL);
    gst_structure_get (stats, "frames", G_TYPE_UINT64, &frames, "base-frames",
        G_TYPE_UINT64, &base, NULL);
    g_assert_cmpuint (frames, ==, 15);
    g_test_message ("%" G_GUINT64_FORMAT " late frames", base);
    gst_structure_free (stats);
    gst_query_unref (query);
    gst_object_unref (element);
    end (pipeline);
  }
}

/* An application's frames: in by appsrc, out by appsink. */
static void
test_app (void)
{
  g_autofree gchar *model = test_model ("x4");
  g_autofree gchar *description = g_strdup_printf (
      "appsrc name=in format=time caps=\"video/x-raw, format=RGB, width=20, "
      "height=14, framerate=25/1\" ! dssuperres model=\"%s\" "
      "! appsink name=out sync=false",
      model);
  GstElement *pipeline = parse (description);
  GstElement *in = gst_bin_get_by_name (GST_BIN (pipeline), "in");
  GstElement *out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  GstVideoInfo info;
  GstFlowReturn ret;
  gboolean eos;

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_RGB, 20, 14);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < 5; i++) {
    GstBuffer *buffer = test_frame (&info, i);
    g_signal_emit_by_name (in, "push-buffer", buffer, &ret);
    g_assert_cmpint (ret, ==, GST_FLOW_OK);
    gst_buffer_unref (buffer);
  }
  g_signal_emit_by_name (in, "end-of-stream", &ret);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpuint (next_pts (out, "pull-sample"), ==, i * TEST_DURATION);
  wait_for_eos (pipeline);
  g_object_get (out, "eos", &eos, NULL);
  g_assert_true (eos);
  gst_object_unref (in);
  gst_object_unref (out);
  end (pipeline);
}

/* The same pipeline again and again, stopped in the middle. */
static void
test_again (void)
{
  g_autofree gchar *model = test_model ("x2");
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc ! video/x-raw, width=64, height=48 ! dssuperres name=sr "
      "model=\"%s\" ! fakesink",
      model);
  GstElement *pipeline = parse (description);

  for (guint i = 0; i < 6; i++) {
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    g_usleep (20000);
    g_assert_cmpint (gst_element_set_state (
                         pipeline, i % 2 ? GST_STATE_READY : GST_STATE_NULL),
        ==, GST_STATE_CHANGE_SUCCESS);
    fail_on_error (pipeline);
  }
  end (pipeline);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  film_dir = g_dir_make_tmp ("dssr-test-XXXXXX", NULL);
  make_film ();
  g_test_add_func ("/pipelines/webm", test_webm);
  g_test_add_func ("/pipelines/mp4", test_mp4);
  g_test_add_func ("/pipelines/seek", test_seek);
  g_test_add_func ("/pipelines/playbin", test_playbin);
  g_test_add_func ("/pipelines/live", test_live);
  g_test_add_func ("/pipelines/app", test_app);
  g_test_add_func ("/pipelines/again", test_again);
  int status = test_run ();
  test_remove_dir (film_dir);
  return status;
}
