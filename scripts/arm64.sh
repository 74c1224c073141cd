#!/bin/bash
# Builds dssr for arm64 with warnings as errors and tests it under qemu as three CPUs: max (dotprod and i8mm),
# cortex-a76 (dotprod), cortex-a53 (neither), and a few frames on its lavapipe. The sysroot, Debian's packages, is made
# once in build/arm64-root.
# Logs: build-arm64/meson-logs/arm64-*.json. DSSR_SKIP_ARM64=1 logs a skipped test instead.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

folder=build-arm64
root=$PWD/build/arm64-root
lavapipe=$root/usr/share/vulkan/icd.d/lvp_icd.aarch64.json
logs=$folder/meson-logs
packages=libc6-dev,libgcc-12-dev,libgstreamer1.0-dev,libgstreamer-plugins-base1.0-dev
packages+=,gstreamer1.0-tools,gstreamer1.0-plugins-base,libjson-glib-dev
packages+=,libvulkan-dev,libvulkan-volk-dev,mesa-vulkan-drivers

mkdir -p build $logs
rm -f $logs/arm64-*.json
if [ -n "${DSSR_SKIP_ARM64:-}" ]; then
  echo '{"name": "arm64", "result": "SKIP"}' >$logs/arm64-skipped.json
  exit 0
fi

make_sysroot()
{
  echo "Making an arm64 sysroot in $root" >&2
  rm -rf "$root" "$root.new"
  mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$packages" bookworm "$root.new"
  echo "$packages" >"$root.new/packages"
  mv "$root.new" "$root"
}

write_cross_file()
{
  cat <<END
[binaries]
c = 'aarch64-linux-gnu-gcc'
ar = 'aarch64-linux-gnu-gcc-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '$root']

[built-in options]
c_args = ['--sysroot=$root']
c_link_args = ['--sysroot=$root']

[properties]
sys_root = '$root'
pkg_config_libdir = ['$root/usr/lib/aarch64-linux-gnu/pkgconfig', '$root/usr/share/pkgconfig']

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'armv8-a'
endian = 'little'
END
}

[ "$(cat "$root/packages" 2>/dev/null)" = "$packages" ] || make_sysroot
write_cross_file >$folder/cross.txt
if [ ! -f $folder/build.ninja ]; then
  meson setup $folder --cross-file $folder/cross.txt -Dwerror=true
fi
meson compile -C $folder

# check LOG CPU ARGUMENT...
check()
{
  local log=$1 cpu=$2
  shift 2
  echo "Testing $log" >&2
  QEMU_CPU=$cpu meson test -C $folder --no-rebuild --print-errorlogs --timeout-multiplier 5 --logbase "arm64-$log" "$@" \
    || status=1
}

status=0
# Lavapipe compiles shaders, for which qemu takes a minute a model: only where it is asked for.
export VK_ICD_FILENAMES=/nonexistent
for cpu in max cortex-a76 cortex-a53; do
  check $cpu $cpu --suite kernels --suite engine
done
# The element once, without the pipelines that need more of GStreamer than the sysroot has.
export GST_PLUGIN_SYSTEM_PATH=$root/usr/lib/aarch64-linux-gnu/gstreamer-1.0
check element max element-registry element-errors element-formats element-negotiation element-stream
# Frames of 37x29 by Vulkan and by the CPU. Without the compiler's optimization, which would take longer than it saves.
export VK_ICD_FILENAMES=$lavapipe GALLIVM_PERF=nopt LP_NUM_THREADS=1
check vulkan max 'vulkan session' --test-args '-p /vulkan/model/x2'
exit $status
