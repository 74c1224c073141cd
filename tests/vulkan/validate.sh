#!/bin/bash
# Runs tests under Vulkan's validation layer, synchronization included, which must have nothing to say:
# validate.sh HAZARD TEST [ARGUMENT...]. HAZARD is a program of which it must have something to say.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
hazard=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/vk_layer_settings.txt" <<SETTINGS
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,perf
khronos_validation.log_filename = $folder/log
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
SETTINGS
export VK_LAYER_SETTINGS_PATH=$folder
export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation
export XDG_CACHE_HOME=$folder

if ! "$hazard" 2>"$folder/error"; then
  cat "$folder/error"
  # Vulkan without a device, or without this layer.
  exit 77
fi
if ! grep -q SYNC-HAZARD-READ-AFTER-WRITE "$folder/log"; then
  echo "the validation layer does not see a hazard"
  exit 1
fi
rm "$folder/log"

"$@"
if [ -s "$folder/log" ]; then
  head -c 20000 "$folder/log"
  exit 1
fi
