#!/bin/bash
# Counts the instructions that each kernel executes per pixel, and compares convolutions with their dot
# instructions alone (SMLAL 4 products, SDOT and USDOT 16). qemu logs every instruction of a run over 4 rows and of
# one over 8; the difference is four rows'. Needs what scripts/arm64.sh builds.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
width=128

program=build-arm64/arm64-count
aarch64-linux-gnu-gcc --sysroot="$PWD/build/arm64-root" -O2 -static -I. scripts/arm64-count.c \
  build-arm64/kernels/libdssr-kernels.a -o $program

# instructions CPU NAME ROWS
instructions()
{
  qemu-aarch64-static -cpu "$1" -singlestep -d exec,nochain -D /dev/stdout $program "$2" "$3" | grep -c '^Trace'
}

echo "| kernel | products | Armv8.0 | of SMLAL | dotprod | of SDOT | i8mm | of USDOT |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
qemu-aarch64-static $program | while read -r name products; do
  row="| $name | $products"
  for cpu in cortex-a53 cortex-a76 max; do
    few=$(instructions $cpu "$name" 4)
    many=$(instructions $cpu "$name" 8)
    row+=" | $(awk -v n=$((many - few)) -v pixels=$((4 * width)) -v products="$products" \
      -v lanes=$([ $cpu = cortex-a53 ] && echo 4 || echo 16) 'BEGIN {
        printf "%.1f | ", n / pixels
        if (products > 0) printf "%.2f", n / pixels * lanes / products
      }')"
  done
  echo "$row |"
done
