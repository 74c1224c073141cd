/* What the registry and gst-inspect-1.0 say of the element. Runs first: it
 * fills the tests' registry.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

static void
test_factory (void)
{
  GstElementFactory *factory = gst_element_factory_find ("dssuperres");

  g_assert_nonnull (factory);
  g_assert_cmpstr (
      gst_element_factory_get_metadata (factory, GST_ELEMENT_METADATA_KLASS),
      ==, "Filter/Effect/Converter/Video/Scaler");
  g_assert_cmpuint (gst_plugin_feature_get_rank (GST_PLUGIN_FEATURE (factory)),
      ==, GST_RANK_NONE);
  GstPlugin *plugin =
      gst_plugin_feature_get_plugin (GST_PLUGIN_FEATURE (factory));
  g_assert_cmpstr (gst_plugin_get_name (plugin), ==, "dssr");
  g_assert_cmpstr (gst_plugin_get_license (plugin), ==, "LGPL");
  gst_object_unref (plugin);
  gst_object_unref (factory);
}

static void
test_properties (void)
{
  static const struct {
    const gchar *name;
    GParamFlags mutability;
  } properties[] = {
      {"scale", GST_PARAM_MUTABLE_PLAYING},
      {"model", GST_PARAM_MUTABLE_READY},
      {"scene", GST_PARAM_MUTABLE_PLAYING},
      {"scene-hold", GST_PARAM_MUTABLE_PLAYING},
      {"scene-confidence", GST_PARAM_MUTABLE_PLAYING},
      {"lux-threshold", GST_PARAM_MUTABLE_PLAYING},
      {"contrast", GST_PARAM_MUTABLE_PLAYING},
      {"denoise", GST_PARAM_MUTABLE_PLAYING},
      {"backend", GST_PARAM_MUTABLE_READY},
      {"lookahead", GST_PARAM_MUTABLE_READY},
      {"threads", GST_PARAM_MUTABLE_READY},
      {"power-mode", GST_PARAM_MUTABLE_PLAYING},
      {"thermal-limit", GST_PARAM_MUTABLE_PLAYING},
      {"frames-in-flight", GST_PARAM_MUTABLE_READY},
      {"stats", 0},
      {"qos", 0},
  };
  GParamFlags mask = GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PAUSED
                     | GST_PARAM_MUTABLE_PLAYING;
  GstElement *element = test_element (NULL, 1);
  gboolean qos;

  for (guint i = 0; i < G_N_ELEMENTS (properties); i++) {
    GParamSpec *spec = g_object_class_find_property (
        G_OBJECT_GET_CLASS (element), properties[i].name);
    g_assert_nonnull (spec);
    g_assert_cmpint (spec->flags & mask, ==, properties[i].mutability);
    g_assert_cmpint ((spec->flags & G_PARAM_WRITABLE) == 0, ==,
        g_str_equal (properties[i].name, "stats"));
  }
  g_object_get (element, "qos", &qos, NULL);
  g_assert_true (qos);
  gst_object_unref (element);
}

/* As in a launch line. */
static void
test_values (void)
{
  static const gchar *const values[][2] = {{"scale", "auto"}, {"scale", "2"},
      {"scale", "4"}, {"scene", "landscape"}, {"scene", "portrait"},
      {"scene", "auto"}, {"scene-hold", "30"}, {"scene-confidence", "0.75"},
      {"lux-threshold", "1000"}, {"contrast", "high"}, {"contrast", "auto"},
      {"denoise", "false"}, {"backend", "scalar"}, {"backend", "cpu"},
      {"backend", "vulkan"}, {"backend", "auto"}, {"lookahead", "3"},
      {"threads", "64"}, {"power-mode", "auto"}, {"power-mode", "performance"},
      {"power-mode", "balanced"}, {"power-mode", "saver"},
      {"thermal-limit", "75"}, {"model", "/some/file"}, {"device", "0"}};
  GstElement *element = test_element (NULL, 1);

  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    GParamSpec *spec = g_object_class_find_property (
        G_OBJECT_GET_CLASS (element), values[i][0]);
    GValue value = G_VALUE_INIT;
    gst_util_set_object_arg (G_OBJECT (element), values[i][0], values[i][1]);
    g_value_init (&value, spec->value_type);
    g_object_get_property (G_OBJECT (element), values[i][0], &value);
    if (G_IS_PARAM_SPEC_ENUM (spec)) {
      GEnumClass *klass = G_PARAM_SPEC_ENUM (spec)->enum_class;
      g_assert_cmpstr (
          g_enum_get_value (klass, g_value_get_enum (&value))->value_nick, ==,
          values[i][1]);
    } else {
      g_autofree gchar *text = gst_value_serialize (&value);
      g_assert_cmpstr (text, ==, values[i][1]);
    }
    g_value_unset (&value);
  }
  gst_object_unref (element);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/registry/factory", test_factory);
  g_test_add_func ("/registry/properties", test_properties);
  g_test_add_func ("/registry/values", test_values);
  return test_run ();
}
