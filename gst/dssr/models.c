/* Where the shipped models are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

#include <string.h>

#define ENDING ".safetensors"

static gchar *
make_path (GstDssrScene scene, gint scale, GstDssrRung rung)
{
  const gchar *dir = g_getenv ("DSSR_MODEL_DIR");
  g_autofree gchar *name = g_strdup_printf ("%s-x%d-%s" ENDING,
      gst_dssr_scene_nick (scene), scale, gst_dssr_rung_nick (rung));
  return g_build_filename (
      dir && *dir ? dir : DSSR_MODEL_DIR_DEFAULT, name, NULL);
}

gchar *
gst_dssr_models_path (GstDssrScene scene, gint scale, GstDssrRung rung)
{
  static const GstDssrRung nearest[GST_DSSR_N_RUNGS][GST_DSSR_N_RUNGS] = {
      {GST_DSSR_RUNG_QUALITY, GST_DSSR_RUNG_BALANCED, GST_DSSR_RUNG_SAVER},
      {GST_DSSR_RUNG_BALANCED, GST_DSSR_RUNG_SAVER, GST_DSSR_RUNG_QUALITY},
      {GST_DSSR_RUNG_SAVER, GST_DSSR_RUNG_BALANCED, GST_DSSR_RUNG_QUALITY},
  };

  for (gint i = 0; i < GST_DSSR_N_RUNGS; i++) {
    g_autofree gchar *path = make_path (scene, scale, nearest[rung][i]);
    if (g_file_test (path, G_FILE_TEST_EXISTS))
      return g_steal_pointer (&path);
  }
  return scene == GST_DSSR_SCENE_LANDSCAPE
             ? make_path (scene, scale, rung)
             : gst_dssr_models_path (GST_DSSR_SCENE_LANDSCAPE, scale, rung);
}

gchar *
gst_dssr_models_name (const gchar *path)
{
  gchar *name = g_path_get_basename (path);
  if (g_str_has_suffix (name, ENDING))
    name[strlen (name) - strlen (ENDING)] = '\0';
  return name;
}
