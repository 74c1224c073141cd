#!/bin/bash
# In the guest: the dma-buf tests with real ones, and from a camera. guest.sh BUILD
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
build=$1
source=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=/usr/bin:/bin HOME=/tmp XDG_CACHE_HOME=/tmp TMPDIR=/tmp
ls -l /dev/udmabuf /dev/video0 || exit 1

# Shaders compiled quickly rather than well: this CPU is emulated.
export GALLIVM_PERF=nopt LP_NATIVE_VECTOR_WIDTH=128 LP_NUM_THREADS=0
export VK_ICD_FILENAMES=$source/build/mesa/lavapipe.json
export DSSR_TEST_MODELS=$build/tests/models DSSR_TEST_DMABUF_MODEL=x2-window1
export DSSR_TEST_IMPORTS=1 DSSR_TEST_UDMABUF=1 DSSR_TEST_CAMERA=/dev/video0
export GST_PLUGIN_PATH=$build/gst/dssr GST_REGISTRY=/tmp/registry.bin GST_REGISTRY_FORK=no
export GST_PLUGIN_SYSTEM_PATH=/tmp/plugins
export LD_LIBRARY_PATH=$build/engine

# No more plug-ins than the tests use: to scan all takes minutes here.
mkdir -p /tmp/plugins
for plugin in coreelements app video4linux2; do
  ln -s /usr/lib/*/gstreamer-1.0/libgst$plugin.so /tmp/plugins/
done
exec "$build/tests/element/test-element-dmabuf"
