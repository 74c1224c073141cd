/* A GPU for a session: its device, and the way of a frame.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu.h"
#include "engine/gpu-pictures.h"

struct _DssrGpu {
  char *device; /* that was asked for, or NULL */
  gboolean allow_cpu;
  int n_flights;
  char *fault; /* that is to be tested, or NULL */
  /* Since it was first opened, for the fault. */
  guint64 submissions;
  int attempts;

  DssrVulkan *vulkan; /* NULL: closed */
  DssrDevice *shared; /* owns it */
  guint64 copied;     /* bytes of pictures */
  const char *name;
  DssrGpuNetwork *network; /* NULL: no model as yet */
  struct {
    guint64 submissions; /* with its own, so far */
    DssrGpuWork work;
    DssrGpuPictures pictures;
  } flights[DSSR_MAX_FLIGHTS];

  guint64 time; /* ns of all frames */
  DssrGpuWork work;
};

static gboolean
fail (const DssrVulkanMessage *message, GError **error)
{
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND, message->text);
  return FALSE;
}

/* Is there the device node of a GPU's driver? Loading Vulkan to find that there
 * is none would take tens of megabytes: lavapipe brings a compiler. */
static gboolean
has_node (void)
{
  static const char *const nodes[] = {"/dev/dri/renderD", "/dev/nvidia",
      "/dev/mali", "/dev/kgsl-3d", "/dev/pvr"};
  for (guint i = 0; i < G_N_ELEMENTS (nodes); i++) {
    g_autofree char *folder = g_path_get_dirname (nodes[i]);
    g_autofree char *prefix = g_path_get_basename (nodes[i]);
    g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name (dir))) {
      if (g_str_has_prefix (name, prefix))
        return TRUE;
    }
  }
  return FALSE;
}

gboolean
dssr_backend_exports (DssrBackend backend, const char *device)
{
  const DssrVulkanConfig config = {
      .device = device,
      .allow_cpu = backend == DSSR_BACKEND_VULKAN,
  };
  DssrVulkanInfo info;
  DssrVulkanMessage message;

  if (backend != DSSR_BACKEND_VULKAN
      && (backend != DSSR_BACKEND_AUTO || !has_node ()))
    return FALSE;
  return dssr_vulkan_probe (&config, &info, &message) && info.exports;
}

gboolean
dssr_check_device (const char *device, GError **error)
{
  const DssrVulkanConfig config = {.device = device, .allow_cpu = true};
  DssrVulkanInfo info;
  DssrVulkanMessage message;

  if (dssr_vulkan_probe (&config, &info, &message))
    return TRUE;
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND, message.text);
  return FALSE;
}

gboolean
dssr_gpu_open (DssrGpu *gpu, GError **error)
{
  if (!gpu->allow_cpu && !has_node ()) {
    g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
        "no driver of a GPU has a node in /dev");
    return FALSE;
  }
  g_autofree char *folder =
      g_build_filename (g_get_user_cache_dir (), "dssr", NULL);
  gboolean has_folder = g_mkdir_with_parents (folder, 0700) == 0;
  const DssrVulkanConfig config = {
      .device = gpu->device,
      .allow_cpu = gpu->allow_cpu,
      .cache = has_folder ? folder : NULL,
      .fault = gpu->fault,
      .submissions = gpu->submissions,
      .attempts = gpu->attempts++,
  };
  DssrVulkanMessage message;
  gpu->vulkan = dssr_vulkan_open (&config, &message);
  if (!gpu->vulkan)
    return fail (&message, error);

  g_autofree char *name =
      g_strdup_printf ("vulkan (%s)", dssr_vulkan_info (gpu->vulkan)->name);
  gpu->shared = dssr_device_new (gpu->vulkan);
  gpu->name = g_intern_string (name);
  return TRUE;
}

void
dssr_gpu_close (DssrGpu *gpu)
{
  g_clear_pointer (&gpu->network, dssr_gpu_network_free);
  if (gpu->vulkan)
    gpu->submissions = dssr_vulkan_submissions (gpu->vulkan);
  gpu->vulkan = NULL;
  g_clear_pointer (&gpu->shared, dssr_device_unref);
}

DssrGpu *
dssr_gpu_new (
    const char *device, gboolean allow_cpu, int flights, GError **error)
{
  g_autoptr (DssrGpu) gpu = g_new0 (DssrGpu, 1);
  gpu->device = g_strdup (device);
  gpu->allow_cpu = allow_cpu;
  gpu->n_flights = flights;
  gpu->fault = g_strdup (g_getenv ("DSSR_VULKAN_FAULT"));
  return dssr_gpu_open (gpu, error) ? g_steal_pointer (&gpu) : NULL;
}

void
dssr_gpu_free (DssrGpu *gpu)
{
  dssr_gpu_close (gpu);
  g_free (gpu->device);
  g_free (gpu->fault);
  g_free (gpu);
}

DssrGpuNetwork *
dssr_gpu_prepare (DssrGpu *gpu, DssrModel *model, const DssrFormat *format,
    int slots, GError **error)
{
  return dssr_gpu_network_new (
      gpu->vulkan, model, format, slots, gpu->n_flights, error);
}

DssrGpuNetwork *
dssr_gpu_exchange (DssrGpu *gpu, DssrGpuNetwork *network)
{
  DssrGpuNetwork *before = gpu->network;
  gpu->network = network;
  return before;
}

gboolean
dssr_gpu_use_model (DssrGpu *gpu, DssrModel *model, const DssrFormat *format,
    int slots, GError **error)
{
  DssrGpuNetwork *network = dssr_gpu_prepare (gpu, model, format, slots, error);
  if (!network)
    return FALSE;
  network = dssr_gpu_exchange (gpu, network);
  g_clear_pointer (&network, dssr_gpu_network_free);
  return TRUE;
}

gboolean
dssr_gpu_submit (DssrGpu *gpu, const DssrJob *job, int flight, GError **error)
{
  DssrGpuNetwork *network = gpu->network;
  DssrGpuPictures pictures =
      dssr_gpu_find_pictures (network, job, flight, gpu->shared);
  DssrVulkanMessage message;
  DssrVulkanCommands *commands =
      dssr_gpu_network_record (network, job, &pictures, &message);
  if (!commands)
    return fail (&message, error);

  gpu->copied += dssr_gpu_put_pictures (network, job, &pictures);
  if (!dssr_vulkan_submit (commands, &message))
    return fail (&message, error);
  gpu->flights[flight].submissions = dssr_vulkan_submissions (gpu->vulkan);
  gpu->flights[flight].work = (DssrGpuWork){
      .traffic = dssr_vulkan_traffic (commands),
      .operations = (guint64)dssr_vulkan_operations (commands),
      .barriers = (guint64)dssr_vulkan_barriers (commands),
  };
  gpu->flights[flight].pictures = pictures;
  return TRUE;
}

gboolean
dssr_gpu_finish (DssrGpu *gpu, const DssrJob *job, int flight, guint64 *time_ns,
    GError **error)
{
  DssrGpuNetwork *network = gpu->network;
  DssrVulkanMessage message;
  gint64 start = g_get_monotonic_time ();
  if (!dssr_vulkan_wait (
          gpu->vulkan, gpu->flights[flight].submissions, &message))
    return fail (&message, error);
  time_ns[DSSR_TIME_WAIT] += (guint64)(g_get_monotonic_time () - start) * 1000;
  gpu->copied +=
      dssr_gpu_get_pictures (network, job, &gpu->flights[flight].pictures);
  gpu->time += dssr_vulkan_elapsed (network->memory,
      dssr_gpu_mark (flight, FALSE), dssr_gpu_mark (flight, TRUE));
  gpu->work.traffic += gpu->flights[flight].work.traffic;
  gpu->work.operations += gpu->flights[flight].work.operations;
  gpu->work.barriers += gpu->flights[flight].work.barriers;
  return TRUE;
}

DssrDevice *
dssr_gpu_get_device (const DssrGpu *gpu)
{
  return gpu->shared;
}

guint64
dssr_gpu_get_copied (const DssrGpu *gpu)
{
  return gpu->copied;
}

void
dssr_gpu_cancel (DssrGpu *gpu)
{
  DssrVulkanMessage message;
  if (!dssr_vulkan_wait (
          gpu->vulkan, dssr_vulkan_submissions (gpu->vulkan), &message))
    g_info ("frames that nobody waits for: %s", message.text);
}

const char *
dssr_gpu_get_name (const DssrGpu *gpu)
{
  return gpu->name;
}

gsize
dssr_gpu_get_size (const DssrGpu *gpu)
{
  return (gsize)dssr_vulkan_memory_size (gpu->vulkan);
}

guint64
dssr_gpu_get_time (const DssrGpu *gpu)
{
  return gpu->time;
}

DssrGpuWork
dssr_gpu_get_work (const DssrGpu *gpu)
{
  return gpu->work;
}

static char *
describe (const DssrVulkanInfo *info)
{
  g_autoptr (GString) uuid = g_string_new (NULL);
  for (guint i = 0; i < sizeof info->uuid; i++)
    g_string_append_printf (uuid, "%02x", info->uuid[i]);
  g_autofree char *node = info->drm_major
                              ? g_strdup_printf (", DRM node %" G_GINT64_FORMAT
                                                 ":%" G_GINT64_FORMAT,
                                  info->drm_major, info->drm_minor)
                              : g_strdup ("");
  g_autofree char *use =
      info->lacks[0]
          ? g_strdup_printf ("cannot be used: it lacks %s", info->lacks)
      : info->kind == DSSR_VULKAN_CPU
          ? g_strdup ("used only when asked for by backend=vulkan")
          : g_strdup ("can be used");
  return g_strdup_printf (
      "%d: %s: %s, Vulkan %u.%u (%s), UUID %s%s; dot products: %s; subgroups "
      "of %u; %" G_GUINT64_FORMAT " MiB; %s dma-bufs; %s",
      info->index, info->name, dssr_vulkan_kind_names[info->kind],
      info->version >> 8, info->version & 255, info->driver, uuid->str, node,
      dssr_vulkan_dot_names[info->dot], info->subgroup, info->memory >> 20,
      info->imports ? info->exports ? "imports and exports" : "imports" : "no",
      use);
}

char **
dssr_list_devices (void)
{
  enum { MAX_DEVICES = 32 };
  g_autofree DssrVulkanInfo *infos = g_new0 (DssrVulkanInfo, MAX_DEVICES);
  DssrVulkanMessage message;
  int n = dssr_vulkan_list (infos, MAX_DEVICES, &message);
  char **lines = g_new0 (char *, n + 1);
  for (int i = 0; i < n; i++)
    lines[i] = describe (&infos[i]);
  return lines;
}
