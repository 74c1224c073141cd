#!/bin/bash
# Measures all that docs/performance.md shows, and writes its tables and its plot: bench/run.sh [OPTION of model.py]...
# Takes about four minutes, with its environment to make. The machine should have nothing else to do.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

folder=build/peers
scripts/setup.sh test
bench/setup.sh
[ -f build/build.ninja ] || meson setup build >/dev/null
meson compile -C build >/dev/null || { meson compile -C build; exit 1; }

build/venv/bin/python -W ignore bench/model.py --out $folder "$@"
build/peers-venv/bin/python bench/int8.py $folder >/dev/null
build/tools/dssr-bench --kernels --json $folder/kernels.json >$folder/kernels.txt
build/peers-venv/bin/python bench/peers.py --folder $folder --json $folder/peers.json
build/peers-venv/bin/python bench/report.py $folder docs/performance.md docs/images/performance.svg
