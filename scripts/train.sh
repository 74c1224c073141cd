#!/bin/bash
# Trains one rung, niced, on one core; run again, it goes on where it stopped: scripts/train.sh SCALE MINUTES
# [DATA [RUNG]]. MINUTES is the whole schedule, what earlier runs spent included; DATA holds stills/ and clips/.
# The checkpoint in compress/checkpoints/ is committed, so that the next session resumes from it.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
scale=${1:?usage: scripts/train.sh SCALE MINUTES [DATA [RUNG]]}
minutes=${2:?usage: scripts/train.sh SCALE MINUTES [DATA [RUNG]]}
data=${3:-../shared/data/train}
rung=${4:-balanced}
python=build/venv/bin/python
packed=build/train.npy
checkpoint=compress/checkpoints/x$scale-$rung.pt

scripts/setup.sh test
mkdir -p compress/checkpoints
[ -f $packed ] || $python -m compress.pack --data "$data" --out $packed --scenes landscape portrait \
  --per-still 72 --per-clip 60
exec nice -n 19 $python -m compress.train --scale "$scale" --rung "$rung" --data $packed \
  --out "$checkpoint" --minutes "$minutes" --side $((scale == 2 ? 96 : 128))
