#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a pod's start and end cost: ADD and DEL of Bulkhead, with a policy in place and a
# running daemon, beside the reference ptp plugin, both with host-local, in the same run:
# one by one in turns, then many at the same moment. Times are a runtime's: from the
# request to the plugin's exit. Never fails by time.
#   tests/bench/cni.sh [ROUNDS [AT-ONCE]]
set -u
world_required=1
. "$(dirname "$0")/../netns/lib.sh"
rounds=${1:-30}
at_once=${2:-100}

cat >"$manifests/all.yaml" <<'END'
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: bench }
spec: { template: { metadata: { labels: { app: web } } } }
---
kind: NetworkPolicy
metadata: { name: web, namespace: bench }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 80 }] }]
END

net_families=4
net_conf >"$scratch/bulkhead.json"
cat >"$scratch/ptp.json" <<END
{"cniVersion":"1.0.0","name":"plain","type":"ptp","ipam":{"type":"host-local","dataDir":"/run/cni",
"ranges":[[{"subnet":"10.245.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}
END
plugin_bulkhead=$BUILD/bulkhead plugin_ptp=$IPAM_DIR/ptp
# As it is installed in a cluster: linked into itself, like the other one.
[ ! -x "$BUILD/bulkhead-static" ] || plugin_bulkhead=$BUILD/bulkhead-static

plugin() { # command who name
	local program=plugin_$2
	CNI_COMMAND=$1 CNI_CONTAINERID=$3 CNI_NETNS=/run/netns/$3 CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR \
		CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=web-${3//_/-}" \
		"${!program}" <"$scratch/$2.json" >"$scratch/out-$3" 2>>"$scratch/plugin.log" ||
		{ echo "$1 $3: $(cat "$scratch/out-$3")" >&2; return 1; }
}
clock() { now=${EPOCHREALTIME/./}; }
timed() { # command who name: microseconds
	local start
	clock
	start=$now
	plugin "$@" || return 1
	clock
	echo "$1 $2 $((now - start))"
}

alone() { # rounds
	local round who
	for round in $(seq "$1"); do
		for who in $(shuf -e bulkhead ptp); do
			netns_new "${who}_$round" >/dev/null
			timed ADD "$who" "${who}_$round" || exit 1
			sleep "${pause:-0.05}"
			timed DEL "$who" "${who}_$round" || exit 1
			ip netns del "${who}_$round"
		done
	done
}

# All of them wait at one gate, and the time of each counts from its opening.
crowd() { # command who
	local i
	exec 8>"$scratch/gate"
	flock 8
	for i in $(seq "$at_once"); do
		(
			exec 8<"$scratch/gate"
			flock -s 8
			exec 8<&-
			plugin "$1" "$2" "${2}_$i" || exit
			clock
			echo "$1 $2 $((now - $(cat "$scratch/opened")))" >"$scratch/time-$i"
		) &
	done
	sleep 1 # until all of them stand there
	clock
	echo "$now" >"$scratch/opened"
	exec 8>&-
	for i in $(jobs -p | grep -vx "$daemon_pid"); do wait "$i"; done
	cat "$scratch"/time-*
	rm "$scratch"/time-*
}
together() {
	local who i
	for who in bulkhead ptp; do
		for i in $(seq "$at_once"); do netns_new "${who}_$i" >/dev/null; done
		crowd ADD $who
		sleep "${pause:-0.05}"
		crowd DEL $who
		for i in $(seq "$at_once"); do ip netns del "${who}_$i"; done
	done
}

# Lines of COMMAND WHO MICROSECONDS, as medians and tails, and ours over the other.
show() {
	sort -k1,1 -k2,2 -k3,3n | awk '
		function quantile(q) { return v[int(1 + (n - 1) * q + 0.5)] / 1000 }
		function flush() {
			if (!n) return
			median[command, who] = quantile(.5); tail[command, who] = quantile(.99)
			printf "  %-4s %-9s median %7.1f ms   p99 %7.1f ms   (%d)\n", command, who, quantile(.5), quantile(.99), n
			n = 0
		}
		$1 != command || $2 != who { flush(); command = $1; who = $2 }
		{ v[++n] = $3 }
		END {
			flush()
			printf "  ratio of medians: ADD %.2f, DEL %.2f\n", median["ADD", "bulkhead"] / median["ADD", "ptp"],
				median["DEL", "bulkhead"] / median["DEL", "ptp"]
		}'
}

daemon_start "$manifests" || exit 1
alone 2 >/dev/null # whatever is slow the first time
echo "A pod alone, $rounds rounds"
alone "$rounds" | show
echo "$at_once pods at once"
together | show
