/* The plug-in: registers its one element.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dssrscenemeta.h"
#include "gstdssuperres.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  dssr_scene_meta_register ();
  return GST_ELEMENT_REGISTER (dssuperres, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, dssr,
    "Real-time video super-resolution", plugin_init, PACKAGE_VERSION, "LGPL",
    "dssr", "dssr")
