#!/bin/bash
# Tests real dma-bufs, which containers' kernels often lack, in a QEMU guest without KVM: its root is this machine's,
# read-only; udmabuf makes dma-bufs, vivid is a camera. tests/vm/run.sh [BUILD]. Downloads Debian's kernel (107 MB) and
# unpacks it in build/vm, once; never installs it. Takes a minute or two on an idle core. 77: something is missing.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}")
folder=$PWD/build/vm
here=$PWD/tests/vm

for program in qemu-system-x86_64 busybox xz; do
  command -v $program >/dev/null || {
    echo "skipped: no $program (apt-get install qemu-system-x86 busybox-static xz-utils)"
    exit 77
  }
done
scripts/mesa.sh

fetch_kernel()
{
  local package
  package=$(apt-cache search --names-only '^linux-image-6\.12\.[0-9]+\+deb12-amd64-unsigned$' | sort -V | tail -1)
  [ -n "$package" ] || { echo "skipped: apt-get knows no kernel 6.12"; exit 77; }
  rm -rf "$folder"
  mkdir -p "$folder/new"
  (cd "$folder/new" && apt-get -qq -o APT::Sandbox::User= download "${package%% *}")
  dpkg -x "$folder"/new/*.deb "$folder/new"
  rm "$folder"/new/*.deb
  # The package leaves the list of what needs what to its installation.
  mkdir -p "$folder/new/base/lib/modules"
  mv "$folder/new/lib/modules"/* "$folder/new/base/lib/modules/6.12.0"
  busybox depmod -b "$folder/new/base" 6.12.0
  mv "$folder/new/base/lib/modules/6.12.0" "$folder/modules"
  mv "$folder/new/boot"/vmlinuz-* "$folder/vmlinuz"
  rm -rf "$folder/new"
}

# The modules and those that they need, in an order in which they can be loaded.
list_modules()
{
  awk -F': *' -v names=" $* " '
    { needs[$1] = $2; name = $1; gsub(/.*\/|\.ko\.xz/, "", name) }
    index(names, " " name " ") { wanted[$1]; n = split($2, list, " "); for (i = 1; i <= n; i++) wanted[list[i]] }
    END {
      for (module in wanted) {
        print module, module
        n = split(needs[module], list, " ")
        for (i = 1; i <= n; i++) print list[i], module
      }
    }' "$folder/modules/modules.dep" | tsort
}

# A root with busybox, what mounts the machine's root, and the modules that the tests want.
make_initrd()
{
  local root=$folder/root module
  rm -rf "$root"
  mkdir -p "$root"/{bin,dev,host,modules,proc}
  cp "$(command -v busybox)" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  cp "$here/init.sh" "$root/init"
  list_modules 9pnet_virtio 9p vivid | while read -r module; do
    xz -dc "$folder/modules/$module" >"$root/modules/$(basename "${module%.xz}")"
    basename "${module%.xz}" >>"$root/modules/list"
  done
  (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$folder/initrd"
}

[ -f "$folder/vmlinuz" ] || fetch_kernel
make_initrd
echo "Booting $folder/vmlinuz" >&2
qemu-system-x86_64 -accel tcg -cpu max -m 1536 -nodefaults -display none -serial stdio -no-reboot \
  -kernel "$folder/vmlinuz" -initrd "$folder/initrd" \
  -append "console=ttyS0 quiet panic=-1 tsc=unstable mitigations=off dssr=$here/guest.sh build=$build" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null \
  | sed -u 's|\r||' | tee "$folder/log"
grep -q '^guest: passed$' "$folder/log"
