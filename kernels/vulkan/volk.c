/* The loader of Vulkan: functions are found at run time, so that a machine
 * without Vulkan runs everything else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#define VOLK_IMPLEMENTATION
#include <volk.h>
