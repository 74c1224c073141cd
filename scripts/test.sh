#!/bin/bash
# Installs, builds with warnings as errors and runs every test, then again under AddressSanitizer and
# UndefinedBehaviorSanitizer. The last line is "N passed, N failed, N skipped".
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh test

# Sets up a build folder, or brings its options up to date, and builds: build FOLDER OPTION...
build()
{
  local folder=$1
  shift
  if [ -f "$folder/build.ninja" ]; then
    meson configure "$folder" "$@"
  else
    meson setup "$folder" "$@"
  fi
  meson compile -C "$folder"
}

# Runs a build folder's tests: check FOLDER OPTION... Plug-ins are registered per folder and in the
# process itself, as a sanitizer must have been loaded by the program.
check()
{
  local folder=$1
  shift
  rm -f "$folder/meson-logs/testlog.json"
  GST_REGISTRY=$PWD/$folder/registry.bin GST_REGISTRY_FORK=no \
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || true
  logs+=("$folder/meson-logs/testlog.json")
}

logs=()
build build -Dwerror=true
CC=clang build build-asan -Dwerror=true -Dbuildtype=debugoptimized -Db_lundef=false \
  -Db_sanitize=address,undefined

check build
ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
  LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 \
  check build-asan --no-suite python

/usr/bin/python3 scripts/count-tests.py "${logs[@]}"
