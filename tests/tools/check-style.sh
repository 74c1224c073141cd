#!/bin/bash
# Every C file is as clang-format writes it: check-style.sh ROOT [CLANG_FORMAT].
#
# SPDX-License-Identifier: LGPL-2.1-or-later
clang_format=${2:-clang-format}
command -v "$clang_format" >/dev/null || { echo "clang-format is not installed"; exit 77; }
cd "$1" || exit 1
find engine gst kernels tools tests -name '*.[ch]' -print0 \
  | xargs -0 "$clang_format" --dry-run --Werror
