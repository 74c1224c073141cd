/* Memory that CPU and GPU share, and the device that it belongs to.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dssr.h"
#include "kernels/vulkan/vulkan.h"

/* Takes the device, and closes it when neither a session nor memory needs it
 * any more. */
DssrDevice *dssr_device_new (DssrVulkan *vulkan);

/* Finds the memory that has these bytes. NULL: none of the device's has. */
const DssrVulkanShared *dssr_device_find (
    DssrDevice *device, const void *data, gsize size, gsize *offset);
