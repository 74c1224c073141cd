/* Enumerations of the element's properties.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enums.h"
#include "engine/dssr.h"

#define DEFINE_ENUM(name, Name, ...)                                           \
  GType gst_dssr_##name##_get_type (void)                                      \
  {                                                                            \
    static gsize type;                                                         \
    static const GEnumValue values[] = {__VA_ARGS__, {0, NULL, NULL}};         \
    if (g_once_init_enter (&type))                                             \
      g_once_init_leave (                                                      \
          &type, g_enum_register_static ("GstDssr" #Name, values));            \
    return type;                                                               \
  }

/* clang-format off */
DEFINE_ENUM (scale, Scale,
    { GST_DSSR_SCALE_AUTO, "What downstream asks for, else the model's, else 2", "auto" },
    { GST_DSSR_SCALE_2, "Twice as wide and high", "2" },
    { GST_DSSR_SCALE_4, "Four times as wide and high", "4" })

DEFINE_ENUM (scene, Scene,
    { GST_DSSR_SCENE_AUTO, "Portrait if taller than wide after rotation tags", "auto" },
    { GST_DSSR_SCENE_LANDSCAPE, "Anything", "landscape" },
    { GST_DSSR_SCENE_PORTRAIT, "Faces and persons", "portrait" })

DEFINE_ENUM (contrast, Contrast,
    { GST_DSSR_CONTRAST_AUTO, "High where it is bright around the viewer", "auto" },
    { GST_DSSR_CONTRAST_NORMAL, "The picture as it is", "normal" },
    { GST_DSSR_CONTRAST_HIGH, "Dark parts lifted, more local contrast", "high" })

DEFINE_ENUM (power_mode, PowerMode,
    { GST_DSSR_POWER_MODE_AUTO, "Balanced at first, then what profile, battery, heat and load allow", "auto" },
    { GST_DSSR_POWER_MODE_PERFORMANCE, "Quality, less under heat and load only", "performance" },
    { GST_DSSR_POWER_MODE_BALANCED, "Balanced, less under heat and load only", "balanced" },
    { GST_DSSR_POWER_MODE_SAVER, "Saver, always", "saver" })

DEFINE_ENUM (backend, Backend,
    { DSSR_BACKEND_AUTO, "The fastest that works here", "auto" },
    { DSSR_BACKEND_SCALAR, "The reference, in plain C", "scalar" },
    { DSSR_BACKEND_CPU, "The fastest for this CPU", "cpu" },
    { DSSR_BACKEND_VULKAN, "Vulkan compute", "vulkan" })
/* clang-format on */

const gchar *
gst_dssr_scene_nick (GstDssrScene scene)
{
  return scene == GST_DSSR_SCENE_PORTRAIT ? "portrait" : "landscape";
}

const gchar *
gst_dssr_rung_nick (GstDssrRung rung)
{
  static const gchar *const nicks[GST_DSSR_N_RUNGS] = {
      "quality", "balanced", "saver"};
  return nicks[rung];
}
