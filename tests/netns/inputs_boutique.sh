#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real application with its real policies: the Online Boutique of
# $BULKHEAD_INPUTS (default ../shared/inputs). The matrix that `bulkheadctl matrix
# --manifests` prints offline is measured on real pods, one for each workload,
# every pair and every declared port.
set -u
. "$(dirname "$0")/lib.sh"
inputs=${BULKHEAD_INPUTS:-$source_root/../shared/inputs}/online-boutique
[ -d "$inputs" ] || world_skip "no online-boutique in $inputs"
command -v jq >/dev/null || world_skip 'jq is not installed'

ctl matrix --manifests "$inputs" -o json >"$scratch/matrix.json" || exit 1
mapfile -t pods < <(jq -r '.pods[]' "$scratch/matrix.json")
check 'the application has its twelve workloads' [ "${#pods[@]}" -eq 12 ]

declare -A ports
for p in "${pods[@]}"; do
	ports[$p]=$(jq -r --arg p "$p" '[.cells[] | select(.to == $p) | .ports[] | (.protocol | ascii_downcase) + "/" + (.port | tostring)] | unique[]' "$scratch/matrix.json" | tr '\n' ' ')
done

daemon_start "$inputs" || exit 1
for p in "${pods[@]}"; do
	# The runtime names a pod after its workload; the template gives it its labels.
	pod_add "${p%%/*}" "${p#*/}-0" || exit 1
	pod_serve "$p-0" ${ports[$p]} tcp/10009 || exit 1
done

jq -r '.cells[] | . as $c | .ports[] | [$c.from, $c.to, (.protocol | ascii_downcase) + "/" + (.port | tostring), .verdict] | @tsv' \
	"$scratch/matrix.json" >"$scratch/want"
jq -r '.cells[] | [.from, .to, "tcp/10009", .other] | @tsv' "$scratch/matrix.json" >>"$scratch/want"

cells=0 wrong=''
for from in "${pods[@]}"; do
	targets=()
	while IFS=$'\t' read -r f to what want; do
		[ "$f" = "$from" ] && [ "$to" != "$from" ] || continue
		targets+=("$(pod_addr "$to-0" 4),$what=$to=$want")
	done <"$scratch/want"
	pod_exec "$from-0" "$PROBE" try -t 600 "${targets[@]%%=*}" >"$scratch/measured"
	for target in "${targets[@]}"; do
		IFS='=' read -r probe to want <<<"$target"
		cells=$((cells + 1))
		got=$(grep -F "$probe " "$scratch/measured")
		case "${got##* }/$want" in yes/allow | no/deny) ;; *) wrong+="$from -> $to $probe: measured ${got##* }, the matrix says $want"$'\n' ;; esac
	done
done
[ -z "$wrong" ]
result $? "$cells cells measured on the wire agree with the matrix" "$wrong"
check 'and there were some' [ "$cells" -gt 200 ]
is 'redis answers only the cart service' \
	"$(awk -F'\t' '$2 == "default/redis-cart" && $3 == "tcp/6379" && $4 == "allow" { print $1 }' "$scratch/want")" default/cartservice
