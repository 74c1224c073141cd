#!/bin/sh
# Builds the fuzzer of the model reader with clang and runs it.
#
#   run.sh CORPUS
#
# CORPUS: folder written by make_corpus.py
# DSSR_FUZZ_SECONDS: how long; 60 by default
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu

corpus=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! echo 'int LLVMFuzzerTestOneInput (void) { return 0; }' \
  | clang -x c -fsanitize=fuzzer,address -o "$work/try" - 2>/dev/null; then
  echo "skipped: clang with libFuzzer is not there (apt-get install clang)"
  exit 77
fi

sources=$(find "$root/engine" -name '*.c' ! -name 'gpu*')

# shellcheck disable=SC2046,SC2086
clang -g -O1 -D_GNU_SOURCE -I"$root" \
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
  $(pkg-config --cflags gobject-2.0 json-glib-1.0) \
  "$root"/tests/fuzz/fuzz-model.c $sources "$root/engine/gpu-absent.c" \
  "$root"/kernels/*.c "$root"/kernels/scalar/*.c \
  -o "$work/fuzz-model" $(pkg-config --libs gobject-2.0 json-glib-1.0) -lpthread -lm

mkdir "$work/found"
# GLib's slices would hide what leaks and what is freed.
G_SLICE=always-malloc "$work/fuzz-model" "$work/found" "$corpus" \
  -max_len=65536 -timeout=20 -rss_limit_mb=1500 -malloc_limit_mb=600 \
  -artifact_prefix="$PWD/fuzz-model-" -print_final_stats=1 \
  -max_total_time="${DSSR_FUZZ_SECONDS:-60}"
