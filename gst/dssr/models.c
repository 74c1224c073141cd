/* Where the shipped models are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "models.h"

gchar *
gst_dssr_models_path (GstDssrScene scene, gint scale)
{
  const gchar *dir = g_getenv ("DSSR_MODEL_DIR");
  g_autofree gchar *name = g_strdup_printf (
      "%s-x%d-balanced.safetensors", gst_dssr_scene_nick (scene), scale);
  g_autofree gchar *path =
      g_build_filename (dir && *dir ? dir : DSSR_MODEL_DIR_DEFAULT, name, NULL);

  if (scene != GST_DSSR_SCENE_LANDSCAPE
      && !g_file_test (path, G_FILE_TEST_EXISTS))
    return gst_dssr_models_path (GST_DSSR_SCENE_LANDSCAPE, scale);
  return g_steal_pointer (&path);
}
