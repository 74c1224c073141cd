#!/bin/bash
# Runs a test on the lavapipe that scripts/mesa.sh unpacked, which imports dma-bufs: with-mesa.sh ICD TEST [ARGUMENT...].
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
icd=$1
shift
if [ ! -f "$icd" ]; then
  echo "1..0 # SKIP no lavapipe that imports dma-bufs: scripts/mesa.sh unpacks one"
  exit 77
fi
export VK_ICD_FILENAMES=$icd DSSR_TEST_IMPORTS=1
exec "$@"
