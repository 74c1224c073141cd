/* What the element's tests share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#define TEST_FPS 25
#define TEST_DURATION (GST_SECOND / TEST_FPS)

/* g_test_init, gst_init, g_test_run, gst_deinit: with GST_TRACERS=leaks, an
 * object that is left over is a warning, and so a failure. */
void test_init (int *argc, char ***argv);
int test_run (void);

/* Path of a test model: "x2", "x4", "x2-zero". Free it. */
gchar *test_model (const gchar *name);

/* A folder of models under their shipped names, from pairs of shipped name and
 * test model, NULL-terminated; DSSR_MODEL_DIR is set to it. Free with
 * test_remove_dir. */
gchar *test_model_dir (const gchar *name, ...) G_GNUC_NULL_TERMINATED;
void test_remove_dir (gchar *dir);

/* "video/x-raw" caps of a format and size, 25 frames a second. */
gchar *test_caps (const gchar *format, gint width, gint height);

/* A new element with a test model ("x2-zero"; NULL: the property is left). */
GstElement *test_element (const gchar *model, guint lookahead);

/* A playing harness round the element, which it takes, with a bus. `caps` is
 * freed; NULL: none set yet. */
GstHarness *test_harness (GstElement *element, gchar *caps);
void test_teardown (GstHarness *h);

/* First sample of a component; unlike GStreamer 1.22, right for V of P010. */
guint8 *test_component (const GstVideoFrame *video, guint component);

/* Frame n of a made-up film: noise that depends on n, times of frame n. */
GstBuffer *test_frame (const GstVideoInfo *info, guint n);
/* Frame n of another: one texture in all bytes, moved by `motion` samples a
 * frame, with noise of its own, evenly from -4 to 4; of one plane. */
GstBuffer *test_noisy_frame (const GstVideoInfo *info, guint n, gdouble motion);
/* Frame n of the first, pushed; asserts that it is taken. */
void test_push (GstHarness *h, guint n);
/* What came out, or NULL if nothing did; never waits. */
GstBuffer *test_pull (GstHarness *h);
/* Pulls frame n, asserts its times, and unrefs it. */
void test_expect_frame (GstHarness *h, guint n);
void test_expect_none (GstHarness *h);

GstVideoInfo test_sink_info (GstHarness *h);
GstVideoInfo test_src_info (GstHarness *h);

/* Next message of a type, or NULL. */
GstMessage *test_message (GstHarness *h, GstMessageType type);
/* Pops an error or warning, asserts its domain, code and that its text has all
 * of the words. */
void test_expect_error (GstHarness *h, GstMessageType type, GQuark domain,
    gint code, const gchar *word, ...) G_GNUC_NULL_TERMINATED;

/* Field of the `stats` property. */
guint64 test_stat (GstHarness *h, const gchar *field);
gdouble test_stat_double (GstHarness *h, const gchar *field);
gchar *test_stat_string (GstHarness *h, const gchar *field);
