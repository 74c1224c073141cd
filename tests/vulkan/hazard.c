/* Two operations with no barrier between them, the second of which reads what
 * the first makes: Vulkan's validation must say so, or it sees nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/commands.h"

#include <stdio.h>
#include <stdlib.h>

static void
check (bool ok, const DssrVulkanMessage *message)
{
  if (!ok) {
    fprintf (stderr, "hazard: %s\n", message->text);
    exit (EXIT_FAILURE);
  }
}

int
main (void)
{
  const DssrVulkanConfig config = {.allow_cpu = true};
  const DssrVulkanTensor tensors[] = {
      {.at = 0, .width = 8, .height = 8, .quads = 1},
      {.at = 64, .width = 8, .height = 8, .quads = 1},
      {.at = 128, .width = 8, .height = 8, .quads = 1},
  };
  DssrVulkanWeights none = {0};
  DssrVulkanMessage message;
  DssrVulkan *vulkan = dssr_vulkan_open (&config, &message);
  check (vulkan != NULL, &message);
  DssrVulkanMemory *memory =
      dssr_vulkan_memory_new (vulkan, 192, &none, 0, 0, false, &message);
  check (memory != NULL, &message);
  DssrVulkanCommands *commands = dssr_vulkan_commands_new (memory, &message);
  check (commands != NULL, &message);

  dssr_vulkan_add (
      commands, &tensors[1], &tensors[0], &tensors[0], &(DssrAdd){0});
  commands->n_writes = 0; /* forgotten */
  dssr_vulkan_add (
      commands, &tensors[2], &tensors[1], &tensors[1], &(DssrAdd){0});
  check (dssr_vulkan_end (commands, &message), &message);
  check (dssr_vulkan_barriers (commands) == 0, &message);
  dssr_vulkan_commands_free (commands);
  dssr_vulkan_memory_free (memory);
  dssr_vulkan_close (vulkan);
  return EXIT_SUCCESS;
}
