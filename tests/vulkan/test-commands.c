/* Barriers: where an operation needs another, and nowhere else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernels/vulkan/vulkan.h"

#include <glib.h>

enum { SIDE = 8, TENSORS = 6 };

typedef struct {
  DssrVulkan *vulkan;
  DssrVulkanMemory *memory;
  DssrVulkanCommands *commands;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  const DssrVulkanConfig config = {.allow_cpu = true};
  const DssrVulkanWeights none = {0};
  DssrVulkanMessage message;

  f->vulkan = dssr_vulkan_open (&config, &message);
  g_assert_nonnull (f->vulkan);
  f->memory = dssr_vulkan_memory_new (
      f->vulkan, TENSORS * SIDE * SIDE, &none, 0, 0, false, &message);
  g_assert_nonnull (f->memory);
  f->commands = dssr_vulkan_commands_new (f->memory, &message);
  g_assert_nonnull (f->commands);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  DssrVulkanMessage message;

  g_assert_true (dssr_vulkan_end (f->commands, &message));
  g_assert_true (dssr_vulkan_submit (f->commands, &message));
  g_assert_true (dssr_vulkan_wait (
      f->vulkan, dssr_vulkan_submissions (f->vulkan), &message));
  dssr_vulkan_commands_free (f->commands);
  dssr_vulkan_memory_free (f->memory);
  dssr_vulkan_close (f->vulkan);
}

/* Tensor number `out` becomes the sum of two others; the barriers so far. */
static int
add (Fixture *f, int out, int a, int b)
{
  DssrVulkanTensor t[3];
  const int numbers[] = {out, a, b};

  for (int i = 0; i < 3; i++)
    t[i] = (DssrVulkanTensor){.at = (guint32)numbers[i] * SIDE * SIDE,
        .width = SIDE,
        .height = SIDE,
        .quads = 1};
  dssr_vulkan_add (f->commands, &t[0], &t[1], &t[2], &(DssrAdd){0});
  return dssr_vulkan_barriers (f->commands);
}

static void
test_side_by_side (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (add (f, 1, 0, 0), ==, 0);
  g_assert_cmpint (add (f, 2, 0, 0), ==, 0);
  /* One barrier is for both. */
  g_assert_cmpint (add (f, 3, 1, 1), ==, 1);
  g_assert_cmpint (add (f, 4, 2, 2), ==, 1);
  g_assert_cmpint (add (f, 5, 3, 4), ==, 2);
}

static void
test_overwritten (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (add (f, 1, 0, 0), ==, 0);
  /* What is written was just read, then just written. */
  g_assert_cmpint (add (f, 0, 2, 2), ==, 1);
  g_assert_cmpint (add (f, 0, 2, 2), ==, 2);
  g_assert_cmpint (add (f, 3, 4, 5), ==, 2);
}

/* More operations side by side than there is room to remember, and than a pool
 * of descriptors has. */
static void
test_many (Fixture *f, gconstpointer data)
{
  int barriers = 0;
  for (int i = 0; i < 200; i++)
    barriers = add (f, 1 + i % 5, 0, 0);
  g_assert_cmpint (barriers, ==, 199 / 5);
}

int
main (int argc, char **argv)
{
  DssrVulkanMessage message;
  DssrVulkanInfo info;

  if (dssr_vulkan_list (&info, 1, &message) == 0) {
    g_print ("1..0 # SKIP %s\n", message.text);
    return 0;
  }
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/commands/side-by-side", Fixture, NULL, set_up,
      test_side_by_side, tear_down);
  g_test_add ("/commands/overwritten", Fixture, NULL, set_up, test_overwritten,
      tear_down);
  g_test_add ("/commands/many", Fixture, NULL, set_up, test_many, tear_down);
  return g_test_run ();
}
