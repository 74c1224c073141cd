/* Latency and quality of service.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstdssuperres.h"

#define GST_CAT_DEFAULT gst_dssr_debug

/* Weight of the last frame in the mean of computing times. */
#define BUSY_WEIGHT 0.125

/* Longest gap between two frames of a stream of no fixed rate that counts. */
#define MAX_FRAME_DURATION GST_SECOND

void
gst_ds_super_res_update_latency (GstDsSuperRes *self)
{
  gint frames = self->session ? dssr_session_get_latency (self->session) : 0;
  GstClockTime latency = frames * self->frame_duration;

  GST_OBJECT_LOCK (self);
  gboolean changed = self->latency != latency;
  self->latency = latency;
  GST_OBJECT_UNLOCK (self);

  if (!changed)
    return;
  GST_DEBUG_OBJECT (
      self, "latency is now %" GST_TIME_FORMAT, GST_TIME_ARGS (latency));
  gst_element_post_message (
      GST_ELEMENT (self), gst_message_new_latency (GST_OBJECT (self)));
}

void
gst_ds_super_res_observe (GstDsSuperRes *self, GstBuffer *buffer)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer), last = self->last_pts;

  self->last_pts = pts;
  if (GST_VIDEO_INFO_FPS_N (&self->in_info) > 0
      || !GST_CLOCK_TIME_IS_VALID (pts) || !GST_CLOCK_TIME_IS_VALID (last)
      || pts <= last)
    return;

  GstClockTime duration = MIN (pts - last, MAX_FRAME_DURATION);
  if (duration > self->frame_duration) {
    self->frame_duration = duration;
    gst_ds_super_res_update_latency (self);
  }
}

gboolean
gst_ds_super_res_add_latency (GstDsSuperRes *self, GstQuery *query)
{
  GstPad *sinkpad = GST_BASE_TRANSFORM_SINK_PAD (self);
  GstClockTime min, max;
  gboolean live;

  if (!gst_pad_peer_query (sinkpad, query))
    return FALSE;
  gst_query_parse_latency (query, &live, &min, &max);

  GST_OBJECT_LOCK (self);
  GstClockTime latency = self->latency;
  self->paced |= live;
  GST_OBJECT_UNLOCK (self);

  min += latency;
  if (GST_CLOCK_TIME_IS_VALID (max))
    max += latency;
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

void
gst_ds_super_res_reset_qos (GstDsSuperRes *self)
{
  GST_OBJECT_LOCK (self);
  self->earliest_time = GST_CLOCK_TIME_NONE;
  self->proportion = 1.0;
  self->late_frames = 0;
  self->last_late = GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (self);
}

/* Counts frames that came late one after the other. Behind a tee several sinks
 * tell of the same frame: one of them is enough to make it late. */
static void
count_late (GstDsSuperRes *self, GstClockTimeDiff diff, GstClockTime timestamp)
{
  gboolean told =
      GST_CLOCK_TIME_IS_VALID (self->last_late) && timestamp <= self->last_late;

  if (told)
    return;
  if (diff <= 0) {
    self->late_frames = 0;
    return;
  }
  self->late_frames++;
  self->last_late = timestamp;
}

void
gst_ds_super_res_update_qos (GstDsSuperRes *self, GstEvent *event)
{
  GstQOSType type;
  gdouble proportion;
  GstClockTimeDiff diff;
  GstClockTime timestamp;

  gst_event_parse_qos (event, &type, &proportion, &diff, &timestamp);
  if (!GST_CLOCK_TIME_IS_VALID (timestamp))
    return;
  GST_OBJECT_LOCK (self);
  if (type != GST_QOS_TYPE_THROTTLE) {
    self->paced = TRUE;
    count_late (self, diff, timestamp);
  }
  self->proportion = proportion;
  if (diff < 0 && timestamp < (GstClockTime)-diff)
    self->earliest_time = GST_CLOCK_TIME_NONE;
  else
    self->earliest_time = timestamp + diff;
  GST_OBJECT_UNLOCK (self);
}

gboolean
gst_ds_super_res_is_late (GstDsSuperRes *self, GstBuffer *buffer)
{
  GstBaseTransform *trans = GST_BASE_TRANSFORM (self);
  GstClockTime pts = GST_BUFFER_PTS (buffer);

  if (!gst_base_transform_is_qos_enabled (trans)
      || trans->segment.format != GST_FORMAT_TIME)
    return FALSE;

  GstClockTime running =
      gst_segment_to_running_time (&trans->segment, GST_FORMAT_TIME, pts);
  GST_OBJECT_LOCK (self);
  GstClockTime earliest = self->earliest_time;
  gdouble proportion = self->proportion;
  guint64 enlarged = self->frames - self->base_frames;
  guint64 late = self->base_frames + 1;
  GST_OBJECT_UNLOCK (self);

  if (!GST_CLOCK_TIME_IS_VALID (running) || !GST_CLOCK_TIME_IS_VALID (earliest)
      || running > earliest)
    return FALSE;

  GST_DEBUG_OBJECT (self,
      "frame of %" GST_TIME_FORMAT " is late, it gets the bicubic base",
      GST_TIME_ARGS (running));
  GstMessage *message = gst_message_new_qos (GST_OBJECT (self), FALSE, running,
      gst_segment_to_stream_time (&trans->segment, GST_FORMAT_TIME, pts), pts,
      GST_BUFFER_DURATION (buffer));
  /* No quality at all would be a dropped frame; all of it is 1000000. */
  gst_message_set_qos_values (
      message, GST_CLOCK_DIFF (running, earliest), proportion, 500000);
  gst_message_set_qos_stats (message, GST_FORMAT_BUFFERS, enlarged, late);
  gst_element_post_message (GST_ELEMENT (self), message);
  return TRUE;
}

void
gst_ds_super_res_observe_load (
    GstDsSuperRes *self, const DssrStats *stats, gboolean late)
{
  /* The bicubic base tells nothing about the network. */
  if (late || self->frame_duration == 0)
    return;
  gdouble share = stats->frame_ms * GST_MSECOND / self->frame_duration;
  self->busy += (share - self->busy) * BUSY_WEIGHT;
  self->slow_frames = share > 1 ? self->slow_frames + 1 : 0;
}
