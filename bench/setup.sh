#!/bin/bash
# The environment of bench/peers.py in build/peers-venv, and its program for oneDNN. Quick when all is there.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

venv=build/peers-venv
command -v g++ >/dev/null || { echo "Missing: apt-get install g++" >&2; exit 1; }
[ -x $venv/bin/python ] || /usr/bin/python3 -m venv $venv
if ! cmp -s bench/requirements.txt $venv/requirements.txt; then
  # --no-deps for pnnx alone: its program needs no PyTorch.
  grep -v '^pnnx' bench/requirements.txt | $venv/bin/pip install --quiet --disable-pip-version-check -r /dev/stdin
  $venv/bin/pip install --quiet --disable-pip-version-check --no-deps "$(grep '^pnnx' bench/requirements.txt)"
  cp bench/requirements.txt $venv/requirements.txt
fi
if [ bench/onednn.cpp -nt $venv/onednn ]; then
  g++ -std=c++14 -O2 -fopenmp -I $venv/include bench/onednn.cpp -o $venv/onednn \
    -L $venv/lib -ldnnl -Wl,-rpath,"$PWD/$venv/lib"
fi
