/* From buffer to buffer: the session between the two pads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frames.h"
#include "gstdssuperres.h"

#define GST_CAT_DEFAULT gst_dssr_debug

static void
free_frame (gpointer frame)
{
  gst_dssr_frame_free (frame);
}

/* Says once that a dma-buf was not imported. */
static void
tell_refusal (GstDsSuperRes *self, const GError *refusal)
{
  if (!refusal || self->refusal_told)
    return;
  self->refusal_told = TRUE;
  GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
      ("The GPU cannot use a buffer where it is: %s. Such buffers are copied.",
          refusal->message),
      (NULL));
}

/* Maps the buffer (taken) for the engine; NULL: an error was posted. */
static GstDssrFrame *
take_buffer (GstDsSuperRes *self, GstBuffer *buffer)
{
  GstDssrFrame *frame = NULL;

  if (self->rgb) {
    g_autoptr (GstBuffer) yuv = gst_dssr_rgb_to_yuv (self->rgb, buffer);
    if (yuv)
      frame = gst_dssr_frame_new (
          buffer, yuv, gst_dssr_rgb_get_info (self->rgb), NULL, NULL);
  } else {
    g_autoptr (DssrDevice) device = dssr_session_get_device (self->session);
    g_autoptr (GError) refusal = NULL;
    frame =
        gst_dssr_frame_new (buffer, buffer, &self->in_info, device, &refusal);
    tell_refusal (self, refusal);
  }
  if (!frame) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A frame is smaller than its caps say, or cannot be read."),
        ("%" GST_PTR_FORMAT, buffer));
    gst_buffer_unref (buffer);
  }
  return frame;
}

/* The CPU does both, which does not read what the GPU uses where it is. */
static void
set_denoise_and_follow (GstDsSuperRes *self, const GstDssrFrame *frame)
{
  const gboolean readable = gst_dssr_frames_is_mapped (&frame->video);

  GST_OBJECT_LOCK (self);
  gboolean denoise = self->denoise;
  GST_OBJECT_UNLOCK (self);
  dssr_session_set_denoise (self->session, denoise && readable);
  dssr_session_set_follow (self->session, readable);
}

GstFlowReturn
gst_ds_super_res_submit_input_buffer (
    GstBaseTransform *trans, gboolean is_discont, GstBuffer *buffer)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  g_autoptr (GError) error = NULL;

  /* The base class's own would drop late buffers, which are part of the history
   * of later ones. `is_discont` stays set until a frame comes out. */
  if (!gst_base_transform_reconfigure (trans) || !self->session) {
    gst_buffer_unref (buffer);
    return GST_PAD_IS_FLUSHING (trans->srcpad) ? GST_FLOW_FLUSHING
                                               : GST_FLOW_NOT_NEGOTIATED;
  }
  if (GST_BUFFER_IS_DISCONT (buffer)) {
    GstFlowReturn ret = gst_ds_super_res_drain (self);
    if (ret != GST_FLOW_OK) {
      gst_buffer_unref (buffer);
      return ret;
    }
  }
  gst_ds_super_res_observe (self, buffer);
  gst_ds_super_res_hear_frame (self, buffer);
  if (!gst_ds_super_res_update_model (self)) {
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }

  GstDssrFrame *frame = take_buffer (self, buffer);
  if (!frame)
    return GST_FLOW_ERROR;
  set_denoise_and_follow (self, frame);
  DssrPicture picture = gst_dssr_frames_picture (&frame->video);
  if (dssr_session_push (self->session, &picture, frame, free_frame, &error))
    return GST_FLOW_OK;
  gst_dssr_frame_free (frame);
  GST_ELEMENT_ERROR (
      self, LIBRARY, ENCODE, ("Cannot enlarge: %s.", error->message), (NULL));
  return GST_FLOW_ERROR;
}

GstFlowReturn
gst_ds_super_res_generate_output (GstBaseTransform *trans, GstBuffer **outbuf)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  GstBaseTransformClass *base_class =
      g_type_class_peek (GST_TYPE_BASE_TRANSFORM);
  GstDssrFrame *frame =
      self->session ? dssr_session_peek (self->session) : NULL;

  *outbuf = NULL;
  if (!frame)
    return GST_FLOW_OK;
  /* The base class makes the output buffer after this one, times and metas, and
   * calls transform. */
  trans->queued_buf = gst_buffer_ref (frame->buffer);
  return base_class->generate_output (trans, outbuf);
}

/* Enlarges the frame that is next into a mapped picture. */
static gboolean
pull (GstDsSuperRes *self, GstVideoFrame *video, gboolean late, GError **error)
{
  GstVideoFrame *target =
      self->rgb ? gst_dssr_rgb_get_enlarged (self->rgb) : video;
  DssrPicture picture = gst_dssr_frames_picture (target);
  if (GST_VIDEO_FRAME_COMP_PSTRIDE (target, 0) == 4)
    gst_dssr_frames_fill (target);
  gboolean ok = late ? dssr_session_pull_base (self->session, &picture, error)
                     : dssr_session_pull (self->session, &picture, error);

  if (ok && self->rgb)
    gst_dssr_rgb_from_yuv (self->rgb, video);
  return ok;
}

/* Says once that the CPU has taken over from the GPU, or the GPU again from the
 * CPU. */
static void
tell_fallback (GstDsSuperRes *self, const DssrStats *stats)
{
  if (stats->fallback == self->fallback)
    return;
  self->fallback = stats->fallback;
  /* Pools are of the memory of what computes; only a GPU makes dma-bufs, and
   * those that there are do for the CPU. */
  gst_base_transform_reconfigure_sink (GST_BASE_TRANSFORM (self));
  if (!stats->fallback || !self->out_dmabuf)
    gst_base_transform_reconfigure_src (GST_BASE_TRANSFORM (self));
  if (stats->fallback)
    GST_ELEMENT_WARNING (self, RESOURCE, FAILED,
        ("The GPU cannot be used now (%s): the CPU is used until it is back, "
         "with the same result.",
            stats->fallback),
        (NULL));
  else
    GST_ELEMENT_INFO (self, RESOURCE, FAILED,
        ("The GPU is back, and used again: %s.", stats->backend), (NULL));
}

GstFlowReturn
gst_ds_super_res_transform (
    GstBaseTransform *trans, GstBuffer *inbuf, GstBuffer *outbuf)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  gboolean late = gst_ds_super_res_is_late (self, inbuf);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) refusal = NULL;
  g_autoptr (DssrDevice) device =
      self->rgb ? NULL : dssr_session_get_device (self->session);
  GstVideoFrame video;

  if (!gst_dssr_frames_map (
          &video, &self->out_info, outbuf, GST_MAP_WRITE, device, &refusal)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("Cannot write to a buffer of the next element."),
        ("%" GST_PTR_FORMAT, outbuf));
    return GST_FLOW_ERROR;
  }
  tell_refusal (self, refusal);
  gboolean ok = pull (self, &video, late, &error);
  gst_dssr_frames_unmap (&video);
  if (!ok) {
    GST_ELEMENT_ERROR (
        self, LIBRARY, ENCODE, ("Cannot enlarge: %s.", error->message), (NULL));
    return GST_FLOW_ERROR;
  }
  DssrStats stats;
  dssr_session_get_stats (self->session, &stats);
  GST_OBJECT_LOCK (self);
  self->frames++;
  self->base_frames += late;
  self->stats = stats;
  GST_OBJECT_UNLOCK (self);
  gst_ds_super_res_observe_load (self, &stats, late);
  tell_fallback (self, &stats);
  return GST_FLOW_OK;
}

GstFlowReturn
gst_ds_super_res_drain (GstDsSuperRes *self)
{
  GstBaseTransform *trans = GST_BASE_TRANSFORM (self);
  GstFlowReturn ret = GST_FLOW_OK;
  GstBuffer *outbuf;

  if (!self->session)
    return GST_FLOW_OK;
  dssr_session_drain (self->session);
  do {
    ret = gst_ds_super_res_generate_output (trans, &outbuf);
    if (!outbuf)
      break;
    if (ret == GST_FLOW_OK)
      ret = gst_pad_push (trans->srcpad, outbuf);
    else
      gst_buffer_unref (outbuf);
  } while (ret == GST_FLOW_OK);
  dssr_session_reset (self->session);
  return ret;
}
