/* In place of the GPU's files where the Vulkan backend is not built.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gpu-recovery.h"

gboolean
dssr_check_device (const char *device, GError **error)
{
  g_set_error_literal (error, DSSR_ERROR, DSSR_ERROR_BACKEND,
      "this build of dssr has no Vulkan backend");
  return FALSE;
}

DssrGpu *
dssr_gpu_new (
    const char *device, gboolean allow_cpu, int flights, GError **error)
{
  dssr_check_device (device, error);
  return NULL;
}

char **
dssr_list_devices (void)
{
  char *const none[] = {NULL};
  return g_strdupv ((char **)none);
}

gboolean
dssr_backend_exports (DssrBackend backend, const char *device)
{
  return FALSE;
}

/* Without a device, nobody calls the rest. */

void
dssr_gpu_free (DssrGpu *gpu)
{
}

gboolean
dssr_gpu_use_model (DssrGpu *gpu, DssrModel *model, const DssrFormat *format,
    int slots, GError **error)
{
  g_return_val_if_reached (FALSE);
}

DssrGpuNetwork *
dssr_gpu_prepare (DssrGpu *gpu, DssrModel *model, const DssrFormat *format,
    int slots, GError **error)
{
  g_return_val_if_reached (NULL);
}

DssrGpuNetwork *
dssr_gpu_exchange (DssrGpu *gpu, DssrGpuNetwork *network)
{
  g_return_val_if_reached (NULL);
}

void
dssr_gpu_network_free (DssrGpuNetwork *network)
{
}

gboolean
dssr_gpu_submit (DssrGpu *gpu, const DssrJob *job, int flight, GError **error)
{
  g_return_val_if_reached (FALSE);
}

DssrDevice *
dssr_gpu_get_device (const DssrGpu *gpu)
{
  g_return_val_if_reached (NULL);
}

guint64
dssr_gpu_get_copied (const DssrGpu *gpu)
{
  g_return_val_if_reached (0);
}

DssrDevice *
dssr_device_ref (DssrDevice *device)
{
  g_return_val_if_reached (NULL);
}

void
dssr_device_unref (DssrDevice *device)
{
}

DssrMemory *
dssr_memory_new (DssrDevice *device, gsize size, GError **error)
{
  g_return_val_if_reached (NULL);
}

gboolean
dssr_device_imports (const DssrDevice *device)
{
  g_return_val_if_reached (FALSE);
}

DssrMemory *
dssr_memory_import (DssrDevice *device, int fd, GError **error)
{
  g_return_val_if_reached (NULL);
}

gboolean
dssr_device_exports (const DssrDevice *device)
{
  g_return_val_if_reached (FALSE);
}

DssrMemory *
dssr_memory_export (DssrDevice *device, gsize size, GError **error)
{
  g_return_val_if_reached (NULL);
}

int
dssr_memory_get_fd (const DssrMemory *memory)
{
  g_return_val_if_reached (-1);
}

void
dssr_memory_free (DssrMemory *memory)
{
}

void *
dssr_memory_get_data (const DssrMemory *memory)
{
  g_return_val_if_reached (NULL);
}

gboolean
dssr_gpu_finish (DssrGpu *gpu, const DssrJob *job, int flight, guint64 *time_ns,
    GError **error)
{
  g_return_val_if_reached (FALSE);
}

void
dssr_gpu_cancel (DssrGpu *gpu)
{
}

const char *
dssr_gpu_get_name (const DssrGpu *gpu)
{
  g_return_val_if_reached (NULL);
}

DssrGpuRecovery *
dssr_gpu_recovery_new (const DssrFormat *format)
{
  g_return_val_if_reached (NULL);
}

void
dssr_gpu_recovery_free (DssrGpuRecovery *recovery)
{
}

void
dssr_gpu_recovery_begin (
    DssrGpuRecovery *recovery, DssrGpu *gpu, DssrModel *model, int slots)
{
}

void
dssr_gpu_recovery_use_model (
    DssrGpuRecovery *recovery, DssrModel *model, int slots)
{
}

DssrGpu *
dssr_gpu_recovery_take (DssrGpuRecovery *recovery)
{
  g_return_val_if_reached (NULL);
}

gsize
dssr_gpu_get_size (const DssrGpu *gpu)
{
  g_return_val_if_reached (0);
}

guint64
dssr_gpu_get_time (const DssrGpu *gpu)
{
  g_return_val_if_reached (0);
}

DssrGpuWork
dssr_gpu_get_work (const DssrGpu *gpu)
{
  g_return_val_if_reached ((DssrGpuWork){0});
}
