/* Which caps the element takes and what it makes of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps.h"

#include <gst/allocators/gstdmabuf.h>

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define DEEP_FORMATS "I420_10LE, P010_10LE, "
#else
#define DEEP_FORMATS ""
#endif

#define RGB_FORMATS "RGBx, xRGB, BGRx, xBGR, RGB, BGR"

/* In system memory, or in dma-bufs. */
static GstCaps *
make_caps (const gchar *formats)
{
  g_autofree gchar *text = g_strdup_printf (
      GST_VIDEO_CAPS_MAKE ("%s") "; " GST_VIDEO_CAPS_MAKE_WITH_FEATURES (
          GST_CAPS_FEATURE_MEMORY_DMABUF, "%s"),
      formats, formats);
  return gst_caps_from_string (text);
}

GstCaps *
gst_dssr_caps_template (void)
{
  return make_caps ("{ I420, YV12, NV12, NV21, Y42B, Y444, "
                    "GRAY8, " DEEP_FORMATS RGB_FORMATS " }");
}

static gboolean
has_dmabuf (const GstCaps *caps, guint index)
{
  return gst_caps_features_contains (
      gst_caps_get_features (caps, index), GST_CAPS_FEATURE_MEMORY_DMABUF);
}

gboolean
gst_dssr_caps_is_dmabuf (const GstCaps *caps)
{
  return has_dmabuf (caps, 0);
}

GstCaps *
gst_dssr_caps_keep_rgb (const GstCaps *caps)
{
  g_autoptr (GstCaps) rgb = make_caps ("{ " RGB_FORMATS " }");

  return gst_caps_intersect_full (
      (GstCaps *)caps, rgb, GST_CAPS_INTERSECT_FIRST);
}

/* Sets `out` to `in` times `scale`; FALSE if nothing is left. */
static gboolean
enlarge (const GValue *in, gint scale, GValue *out)
{
  gint limit = G_MAXINT / scale;

  if (G_VALUE_HOLDS_INT (in)) {
    gint value = g_value_get_int (in);
    g_value_init (out, G_TYPE_INT);
    g_value_set_int (out, MIN (value, limit) * scale);
    return value <= limit;
  }
  gint step = gst_value_get_int_range_step (in);
  gint min = gst_value_get_int_range_min (in);
  gint max = MIN (gst_value_get_int_range_max (in), limit / step * step);
  g_value_init (out, min < max ? GST_TYPE_INT_RANGE : G_TYPE_INT);
  if (min < max)
    gst_value_set_int_range_step (out, min * scale, max * scale, step * scale);
  else
    g_value_set_int (out, max * scale);
  return min <= max;
}

/* Sets `out` to what gives `in` when it is enlarged by `scale`. */
static gboolean
shrink (const GValue *in, gint scale, GValue *out)
{
  if (G_VALUE_HOLDS_INT (in)) {
    gint value = g_value_get_int (in);
    g_value_init (out, G_TYPE_INT);
    g_value_set_int (out, value / scale);
    return value % scale == 0;
  }
  gint min = (gst_value_get_int_range_min (in) - 1) / scale + 1;
  gint max = gst_value_get_int_range_max (in) / scale;
  g_value_init (out, min < max ? GST_TYPE_INT_RANGE : G_TYPE_INT);
  if (min < max)
    gst_value_set_int_range (out, min, max);
  else
    g_value_set_int (out, max);
  return min <= max;
}

static gboolean
resize (GstPadDirection direction, const GValue *in, gint scale, GValue *out)
{
  if (!GST_VALUE_HOLDS_LIST (in))
    return direction == GST_PAD_SINK ? enlarge (in, scale, out)
                                     : shrink (in, scale, out);
  gst_value_list_init (out, gst_value_list_get_size (in));
  for (guint i = 0; i < gst_value_list_get_size (in); i++) {
    GValue item = G_VALUE_INIT;
    if (resize (direction, gst_value_list_get_value (in, i), scale, &item))
      gst_value_list_append_and_take_value (out, &item);
    else
      g_value_unset (&item);
  }
  return gst_value_list_get_size (out) > 0;
}

/* The structure with both sides resized, or NULL if none fits. */
static GstStructure *
resize_structure (
    GstPadDirection direction, const GstStructure *structure, gint scale)
{
  static const gchar *const sides[] = {"width", "height"};
  g_autoptr (GstStructure) result = gst_structure_copy (structure);

  for (guint i = 0; i < G_N_ELEMENTS (sides); i++) {
    const GValue *in = gst_structure_get_value (structure, sides[i]);
    GValue out = G_VALUE_INIT;
    if (!in)
      continue;
    gboolean fits = resize (direction, in, scale, &out);
    gst_structure_take_value (result, sides[i], &out);
    if (!fits)
      return NULL;
  }
  return g_steal_pointer (&result);
}

/* Appends what the other pad can have in the one kind of memory. */
static void
append_resized (GstCaps *result, GstPadDirection direction, const GstCaps *caps,
    gint scale, guint index, gboolean dmabuf)
{
  GstStructure *structure =
      resize_structure (direction, gst_caps_get_structure (caps, index), scale);

  if (structure)
    gst_caps_append_structure_full (result, structure,
        dmabuf ? gst_caps_features_new (GST_CAPS_FEATURE_MEMORY_DMABUF, NULL)
               : gst_caps_features_new (
                   GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, NULL));
}

GstCaps *
gst_dssr_caps_transform (GstPadDirection direction, const GstCaps *caps,
    gint scale, gboolean exports)
{
  GstCaps *result = gst_caps_new_empty ();

  for (gint s = 2; s <= 4; s += 2) {
    if (scale != 0 && scale != s)
      continue;
    for (gint other = 0; other < 2; other++) {
      for (guint i = 0; i < gst_caps_get_size (caps); i++) {
        gboolean dmabuf = has_dmabuf (caps, i) != other;
        gboolean out =
            direction == GST_PAD_SINK ? dmabuf : has_dmabuf (caps, i);
        if (!out || exports)
          append_resized (result, direction, caps, s, i, dmabuf);
      }
    }
  }
  return result;
}

gboolean
gst_dssr_caps_parse (GstVideoInfo *info, const GstCaps *caps)
{
  if (!gst_video_info_from_caps (info, caps))
    return FALSE;
  const gchar *site = gst_structure_get_string (
      gst_caps_get_structure (caps, 0), "chroma-site");
  if (site)
    info->chroma_site = gst_video_chroma_site_from_string (site);
  return TRUE;
}

static void
set_if_missing (GstStructure *structure, const gchar *field, gchar *value)
{
  if (value && !gst_structure_has_field (structure, field))
    gst_structure_set (structure, field, G_TYPE_STRING, value, NULL);
  g_free (value);
}

/* Writes out what follows from the height if it is not there. */
static void
keep_colours (const GstCaps *caps, GstStructure *other)
{
  GstVideoInfo info;

  if (!gst_dssr_caps_parse (&info, caps) || !GST_VIDEO_INFO_IS_YUV (&info))
    return;
  set_if_missing (other, "colorimetry",
      gst_video_colorimetry_to_string (&info.colorimetry));
  if (GST_VIDEO_FORMAT_INFO_W_SUB (info.finfo, 1))
    set_if_missing (other, "chroma-site",
        gst_video_chroma_site_to_string (info.chroma_site));
}

GstCaps *
gst_dssr_caps_fixate (
    GstPadDirection direction, GstCaps *caps, GstCaps *othercaps)
{
  GstCaps *preferred = gst_dssr_caps_transform (direction, caps, 2, TRUE);
  GstCaps *fitting =
      gst_caps_intersect_full (othercaps, preferred, GST_CAPS_INTERSECT_FIRST);

  gst_caps_unref (preferred);
  if (gst_caps_is_empty (fitting))
    gst_caps_replace (&fitting, othercaps);
  gst_caps_unref (othercaps);
  fitting = gst_caps_fixate (fitting);
  if (direction == GST_PAD_SINK) {
    fitting = gst_caps_make_writable (fitting);
    keep_colours (caps, gst_caps_get_structure (fitting, 0));
  }
  return fitting;
}
