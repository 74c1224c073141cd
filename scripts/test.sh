#!/bin/bash
# Installs, builds with warnings as errors and runs every test, then again under AddressSanitizer and
# UndefinedBehaviorSanitizer, the engine's threads under ThreadSanitizer, then for arm64 under qemu. The last line is "N passed, N failed, N skipped".
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh test
scripts/mesa.sh || echo "Tests that import dma-bufs are skipped: no other lavapipe" >&2

# Sets up a build folder, or brings its options up to date: configure FOLDER OPTION...
configure()
{
  local folder=$1
  shift
  if [ -f "$folder/build.ninja" ]; then
    meson configure "$folder" "$@"
  else
    meson setup "$folder" "$@"
  fi
}

# Runs a build folder's tests: check FOLDER OPTION...
check()
{
  local folder=$1
  shift
  rm -f "$folder/meson-logs/testlog.json"
  meson test -C "$folder" --print-errorlogs --timeout-multiplier 3 "$@" || true
  logs+=("$folder/meson-logs/testlog.json")
}

logs=()
configure build -Dwerror=true
configure build-asan -Dwerror=true -Dbuildtype=debugoptimized -Db_sanitize=address,undefined
configure build-tsan -Dwerror=true -Dbuildtype=debugoptimized -Db_sanitize=thread
meson compile -C build
meson compile -C build-asan

check build
# Left out: Python, which is not built with sanitizers; the fuzzer, which brings its own; style; Vulkan's validation.
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
check build-asan --no-suite python --no-suite fuzz --no-suite style --no-suite validation

# Builds what these need, which is little.
check build-tsan --suite threads

# What it cannot build or run leaves no log, and a missing log counts as failed.
scripts/arm64.sh || true
logs+=(build-arm64/meson-logs/arm64-*.json)

/usr/bin/python3 scripts/count-tests.py "${logs[@]}"
