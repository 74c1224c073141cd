#!/bin/bash
# Makes a shipped model from data to file, with all set-up: compress/build.sh MODEL (compress/build.py --help).
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test
exec build/venv/bin/python -m compress.build "$@"
