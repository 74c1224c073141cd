/* Pools, sizes and metas.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps.h"
#include "dmabuf.h"
#include "gstdssuperres.h"
#include "memory.h"

/* What an upstream needs beside the frames that the window holds. */
#define SPARE_BUFFERS 1

gboolean
gst_ds_super_res_get_unit_size (
    GstBaseTransform *trans, GstCaps *caps, gsize *size)
{
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, caps))
    return FALSE;
  *size = GST_VIDEO_INFO_SIZE (&info);
  return TRUE;
}

/* An allocator of memory in which the GPU works, dma-bufs if caps want such;
 * NULL: there is none, as the CPU computes, or converts buffers first. */
static GstAllocator *
make_allocator (GstDsSuperRes *self, const GstCaps *caps)
{
  g_autoptr (DssrDevice) device =
      self->session ? dssr_session_get_device (self->session) : NULL;

  if (!device)
    return NULL;
  if (gst_dssr_caps_is_dmabuf (caps))
    return dssr_device_exports (device) ? gst_dssr_dmabuf_allocator_new (device)
                                        : NULL;
  return self->rgb ? NULL : gst_dssr_allocator_new (device);
}

gboolean
gst_ds_super_res_propose_allocation (
    GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  GstCaps *caps;
  gboolean need_pool;
  GstVideoInfo info;

  gst_query_parse_allocation (query, &caps, &need_pool);
  if (!caps || !self->model || !gst_video_info_from_caps (&info, caps))
    return FALSE;

  GST_OBJECT_LOCK (self);
  guint ahead = self->frames_in_flight - 1;
  GST_OBJECT_UNLOCK (self);
  guint min = dssr_model_get_window (self->model) + ahead + SPARE_BUFFERS;
  g_autoptr (GstAllocator) allocator = make_allocator (self, caps);
  GstBufferPool *pool = NULL;
  if (need_pool && (allocator || !gst_dssr_caps_is_dmabuf (caps))) {
    pool = gst_video_buffer_pool_new ();
    GstStructure *config = gst_buffer_pool_get_config (pool);
    gst_buffer_pool_config_set_params (config, caps, info.size, min, 0);
    gst_buffer_pool_config_add_option (
        config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (allocator)
      gst_buffer_pool_config_set_allocator (config, allocator, NULL);
    if (!gst_buffer_pool_set_config (pool, config))
      gst_clear_object (&pool);
  }
  if (allocator)
    gst_query_add_allocation_param (query, allocator, NULL);
  gst_query_add_allocation_pool (query, pool, info.size, min, 0);
  gst_clear_object (&pool);
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return TRUE;
}

/* Has the base class allocate where the GPU works, unless the pool or the
 * allocator is one that downstream has a reason for. FALSE: caps want dma-bufs,
 * which nobody makes. */
static gboolean
use_allocator (GstDsSuperRes *self, GstQuery *query, const GstCaps *caps,
    GstBufferPool *pool)
{
  g_autoptr (GstAllocator) ours = make_allocator (self, caps);
  g_autoptr (GstAllocator) theirs = NULL;
  GstAllocationParams params;
  gboolean given = gst_query_get_n_allocation_params (query) > 0;

  gst_allocation_params_init (&params);
  if (given)
    gst_query_parse_nth_allocation_param (query, 0, &theirs, &params);
  if (theirs || G_OBJECT_TYPE (pool) != gst_video_buffer_pool_get_type ())
    return TRUE;
  if (!ours)
    return !gst_dssr_caps_is_dmabuf (caps);
  if (given)
    gst_query_set_nth_allocation_param (query, 0, ours, &params);
  else
    gst_query_add_allocation_param (query, ours, &params);
  return TRUE;
}

/* The base class activates the pool that the query ends with; this chooses one
 * whose buffers have a GstVideoMeta if downstream reads it. */
gboolean
gst_ds_super_res_decide_allocation (GstBaseTransform *trans, GstQuery *query)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  GstBaseTransformClass *base_class =
      g_type_class_peek (GST_TYPE_BASE_TRANSFORM);
  GstCaps *caps;
  GstBufferPool *pool = NULL;
  guint size = 0, min = 0, max = 0;
  gboolean offered = gst_query_get_n_allocation_pools (query) > 0;

  gst_query_parse_allocation (query, &caps, NULL);
  if (offered)
    gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
  if (!pool)
    pool = gst_video_buffer_pool_new ();
  size = MAX (size, GST_VIDEO_INFO_SIZE (&self->out_info));

  GstStructure *config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, size, min, max);
  if (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL))
    gst_buffer_pool_config_add_option (
        config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  /* A pool may correct the configuration and refuse; the base class, which sets
   * it again, handles that. */
  gst_buffer_pool_set_config (pool, config);

  if (offered)
    gst_query_set_nth_allocation_pool (query, 0, pool, size, min, max);
  else
    gst_query_add_allocation_pool (query, pool, size, min, max);
  gboolean usable = use_allocator (self, query, caps, pool);
  gst_object_unref (pool);
  if (!usable)
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
        ("The next element wants dma-bufs, and there is no GPU that makes "
         "them."),
        (NULL));
  return usable && base_class->decide_allocation (trans, query);
}

gboolean
gst_ds_super_res_transform_meta (
    GstBaseTransform *trans, GstBuffer *outbuf, GstMeta *meta, GstBuffer *inbuf)
{
  GstDsSuperRes *self = GST_DS_SUPER_RES (trans);
  const GstMetaInfo *info = meta->info;

  /* What speaks of pixels knows how to be scaled, or is lost. */
  if (gst_meta_api_type_has_tag (
          info->api, g_quark_from_static_string (GST_META_TAG_VIDEO_SIZE_STR))
      || info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE
      || info->api == GST_VIDEO_CROP_META_API_TYPE) {
    GstVideoMetaTransform scale = {&self->in_info, &self->out_info};
    if (info->transform_func)
      info->transform_func (outbuf, meta, inbuf,
          gst_video_meta_transform_scale_get_quark (), &scale);
    return FALSE;
  }
  return TRUE;
}
