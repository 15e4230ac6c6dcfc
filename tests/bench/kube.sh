#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Kubernetes source at size: the real daemon on a private node with real pods,
# against a scripted API server with a large cluster (tests/bench/kube_bench.c).
# Never fails by time.
#   tests/bench/kube.sh [ROUNDS [PODS NAMESPACES POLICIES]]
set -u
world_required=1
. "$(dirname "$0")/../netns/lib.sh"
rounds=${1:-5} pods=${2:-100000} namespaces=${3:-5000} policies=${4:-10000}

coproc BENCH { exec "$BUILD/kube_bench" "$scratch/kubeconfig" "$pin_root" "$scratch/daemon.log" \
	"$pods" "$namespaces" "$policies" \
	"$BUILD/bulkheadd" --kubeconfig "$scratch/kubeconfig" --run-dir "$run_dir" --pin-root "$pin_root"; }
bench() { # command: prints its figures
	local line
	echo "$1" >&"${BENCH[1]}"
	while read -r line <&"${BENCH[0]}"; do
		[ "$line" != ok ] || return 0
		echo "$line"
	done
	tail -n 5 "$scratch/daemon.log" >&2
	exit 1
}

bench machine
bench "decode $rounds"
bench start
# the first pod of each of this node's namespaces: see tests/lib/crowd.c
net_families=4
for namespace in $(seq 0 19); do
	i=$((namespace * (pods / namespaces)))
	uid=$(printf '%08x-8d54-4f3a-9c55-0a4d1c2b3e4f' $((i * 2654435761 & 0xffffffff)))
	pod_add "$(printf 'ns-%04d' "$namespace")" "$(printf 'app-0-7d9f8c6b5-%05x' "$i")" "$uid" || exit 1
done
bench "cold $rounds pages"
bench "cold $rounds stream"
bench "relist $rounds"
bench "events 2000"
bench "rate 10 status"
bench "rate 10 relabel"
