#!/bin/sh
# The guest's first process: mounts the machine's root and runs the tests in it.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
while read -r module; do
  options=
  [ "$module" = vivid.ko ] && options="n_devs=1 node_types=0x1 num_inputs=1 input_types=0"
  $b insmod "/modules/$module" $options || echo "guest: no $module"
done </modules/list
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
for folder in dev proc; do
  $b mount -o bind /$folder /host/$folder
done
$b mount -t sysfs sys /host/sys
$b mount -t tmpfs tmp /host/tmp
$b mount -t tmpfs shm /host/dev/shm 2>/dev/null
for word in $($b cat /proc/cmdline); do
  case $word in
    dssr=*) script=${word#dssr=} ;;
    build=*) build=${word#build=} ;;
  esac
done
if $b chroot /host /bin/bash "$script" "$build"; then
  echo "guest: passed"
else
  echo "guest: failed"
fi
$b poweroff -f
