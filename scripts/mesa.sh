#!/bin/bash
# Unpacks the Vulkan drivers of Debian's backports into build/mesa, beside the system: their lavapipe imports
# dma-bufs. About 12 MB to download. Tests find it there, and are skipped without.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/build/mesa
[ ! -f "$folder/lavapipe.json" ] || exit 0

rm -rf "$folder"
mkdir -p "$folder"/{lists,cache}/partial "$folder/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main" \
  >"$folder/sources.list"
options=(-o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$folder/lists"
  -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=)
apt-get "${options[@]}" -qq update
(cd "$folder" && apt-get "${options[@]}" -qq download mesa-vulkan-drivers/bookworm-backports)
dpkg -x "$folder"/mesa-vulkan-drivers_*.deb "$folder"
library=$(echo "$folder"/usr/lib/*/libvulkan_lvp.so)
rm -rf "$folder"/{lists,cache,sources.list} "$folder"/*.deb
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$library" \
  >"$folder/lavapipe.json"
