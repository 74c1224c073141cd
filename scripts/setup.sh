#!/bin/bash
# Installs what dssr needs on Debian 12: scripts/setup.sh [demo|test]. Quick when all is there.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
  gcc libc6-dev meson ninja-build pkg-config
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libjson-glib-dev
  libvulkan-dev libvulkan-volk-dev glslc)
media_packages=(
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav)
sample_packages=(ca-certificates python3-pip)
test_packages=(
  clang libclang-rt-14-dev clang-format
  mesa-vulkan-drivers vulkan-validationlayers spirv-tools
  umockdev libumockdev-dev dbus-daemon
  python3-venv python3-torch libopenblas0-pthread python3-numpy python3-pil python3-av python3-tqdm python3-matplotlib
  python3-pytest python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0)
arm64_packages=(gcc-aarch64-linux-gnu qemu-user-static mmdebstrap)

install_missing()
{
  local missing=() package
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] \
      || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "Missing packages. Run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# Python from Debian, plus safetensors, which Debian 12 does not have.
make_venv()
{
  local python=build/venv/bin/python
  [ -x $python ] || /usr/bin/python3 -m venv --system-site-packages build/venv
  $python -c 'import safetensors' 2>/dev/null \
    || $python -m pip install --quiet --disable-pip-version-check safetensors==0.8.0
}

case "${1:-demo}" in
  demo)
    install_missing "${build_packages[@]}" "${media_packages[@]}" "${sample_packages[@]}"
    ;;
  test)
    install_missing "${build_packages[@]}" "${media_packages[@]}" "${sample_packages[@]}" \
      "${test_packages[@]}"
    [ -n "${DSSR_SKIP_ARM64:-}" ] || install_missing "${arm64_packages[@]}"
    make_venv
    ;;
  *)
    echo "usage: scripts/setup.sh [demo|test]" >&2
    exit 2
    ;;
esac
