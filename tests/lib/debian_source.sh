#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#   debian_source.sh PACKAGE FOLDER
# Unpacks Debian's source package, its patches applied, as the new folder FOLDER/tree.
# It comes from where the machine's binary packages come from: apt's own lists, with
# the other type, kept in FOLDER so that the machine's stay as they are.
set -eu
package=$1
mkdir -p "$2/apt/parts" "$2/apt/lists/partial"
folder=$(cd "$2" && pwd)

: >"$folder/apt/sources.list"
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ -f "$list" ] && sed -n 's/^deb /deb-src /p' "$list" | grep debian >>"$folder/apt/sources.list" || true
done
for list in /etc/apt/sources.list.d/*.sources; do
	[ -f "$list" ] && grep -q debian "$list" &&
		sed 's/^Types:.*/Types: deb-src/' "$list" >"$folder/apt/parts/${list##*/}" || true
done
set -- -o "Dir::Etc::sourcelist=$folder/apt/sources.list" -o "Dir::Etc::sourceparts=$folder/apt/parts" \
	-o "Dir::State::lists=$folder/apt/lists" -o APT::Sandbox::User=root
cd "$folder"
apt-get "$@" update
apt-get "$@" source --download-only "$package"
dpkg-source -x "$package"_*.dsc tree
