#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#   image-archive.sh ROOT ARCHIVE NAME:TAG COMMAND [ARGUMENT...]
# Packs a folder as an OCI image of one layer, into an archive that `ctr images import`,
# `skopeo`, `podman load` and registries' tools read. Same content, same bytes.
set -eu
root=$1 archive=$2 name=$3
shift 3
command=$(printf ',"%s"' "$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/blobs/sha256"

pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu -cf "$@"; }
digest_of() { sha256sum "$1" | cut -d' ' -f1; }
blob() { # file: moves it to where its digest says; $digest and $size describe it
	digest=$(digest_of "$1")
	size=$(stat -c %s "$1")
	mv "$1" "$work/blobs/sha256/$digest"
}

case $(uname -m) in
x86_64) machine=amd64 ;;
aarch64) machine=arm64 ;;
*) machine=$(uname -m) ;;
esac
pack "$work/layer" -C "$root" .
diff_id=$(digest_of "$work/layer")
gzip -1n "$work/layer"
blob "$work/layer.gz"
layer='{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:'$digest'","size":'$size'}'
printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":[%s]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
	"$machine" "${command#,}" "$diff_id" >"$work/config"
blob "$work/config"
config='{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:'$digest'","size":'$size'}'
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
	"$config" "$layer" >"$work/manifest"
blob "$work/manifest"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,' \
	"$digest" "$size" >"$work/index.json"
printf '"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}]}' \
	"$name" "${name##*:}" >>"$work/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$work/oci-layout"
pack "$archive" -C "$work" oci-layout index.json blobs
