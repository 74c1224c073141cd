#!/bin/bash
# Trains a base on one core; run again, it goes on where it stopped: scripts/train.sh BASE MINUTES [DATA]. BASE is a
# file of compress/configs/ such as base-x4. MINUTES is the whole schedule, what earlier runs spent included; DATA
# holds stills/ and clips/. The checkpoint in compress/checkpoints/ is committed, so that the next session resumes.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
base=${1:?usage: scripts/train.sh BASE MINUTES [DATA]}
minutes=${2:?usage: scripts/train.sh BASE MINUTES [DATA]}
data=${3:-../shared/data/train}
python=build/venv/bin/python
packed=build/train.npy

scripts/setup.sh test
[ -f $packed ] || $python -m compress.pack --data "$data" --out $packed --scenes landscape portrait \
  --per-still 72 --per-clip 60
exec nice -n 19 $python -m compress.train --config "compress/configs/$base.toml" --data $packed \
  --out "compress/checkpoints/$base.pt" --minutes "$minutes" --side $((${base: -1} == 2 ? 96 : 128))
