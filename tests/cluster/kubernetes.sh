#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the folder that holds kube-apiserver, kube-controller-manager, kube-scheduler,
# kube-proxy and kubelet. Looked for in $KUBEBUILDER_ASSETS, then on PATH, then in the
# cache; else built there once from Debian's source package of Kubernetes (about ten
# minutes on two cores). The log is beside the result.
#
# The cache is $BULKHEAD_CACHE, or ~/.cache/bulkhead: outside the tree on purpose.
set -eu
programs="kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet"

has_all() { # folder
	for program in $programs; do
		[ -x "$1/$program" ] || return 1
	done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ] && has_all "$KUBEBUILDER_ASSETS"; then
	echo "$KUBEBUILDER_ASSETS"
	exit 0
fi
found=$(command -v kube-apiserver || true)
if [ -n "$found" ] && has_all "${found%/*}"; then
	echo "${found%/*}"
	exit 0
fi
cache=${BULKHEAD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/bulkhead}
mkdir -p "$cache"
# Two test runs at once must not build side by side.
exec 9>"$cache/lock"
flock 9
if has_all "$cache/kubernetes"; then
	echo "$cache/kubernetes"
	exit 0
fi
[ "$(id -u)" = 0 ] || { echo "building Kubernetes needs root to install Debian's build packages" >&2; exit 1; }

work=$(mktemp -d "$cache/build.XXXXXX")
log=$cache/kubernetes-build.log
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
echo "  BUILD  Kubernetes, once, into $cache (log: $log)" >&2

build() {
	sh "$(dirname "$0")/../lib/packages.sh" golang-go rsync jq dpkg-dev build-essential
	sh "$(dirname "$0")/../lib/debian_source.sh" kubernetes "$work"
	version=$(cd "$work/tree" && dpkg-parsechangelog -S Version | sed 's/.*really//; s/[-+].*//')
	minor=${version#*.}
	cd "$work/tree"
	# No git checkout to ask, so the build is told what it is.
	export KUBE_GIT_VERSION="v$version" KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=archive \
		KUBE_GIT_MAJOR="${version%%.*}" KUBE_GIT_MINOR="${minor%%.*}" KUBE_BUILD_PLATFORMS="linux/$(go env GOARCH)" \
		GOCACHE="$work/go-cache" GOPATH="$work/go" GO111MODULE=off GOFLAGS=
	make WHAT="$(printf 'cmd/%s ' $programs)"
	mkdir -p "$work/kubernetes"
	for program in $programs; do
		cp "$(find _output -path '*/bin/*' -name "$program" | head -n 1)" "$work/kubernetes/"
	done
}
# Not `build || ...`, where a step that fails would not end it.
set +e
(set -e; build) >"$log" 2>&1
code=$?
set -e
[ $code = 0 ] || { tail -n 30 "$log" >&2; exit 1; }
for program in $programs; do
	[ -x "$work/kubernetes/$program" ] || { echo "the build made no $program; see $log" >&2; exit 1; }
done
rm -rf "$cache/kubernetes"
mv "$work/kubernetes" "$cache/kubernetes"
echo "$cache/kubernetes"
