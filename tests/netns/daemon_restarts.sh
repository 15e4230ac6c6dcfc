#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed, stopped and replaced twenty times under steady traffic in both
# directions, with manifests and with an API server as its source (THREATS C2, G17,
# principle 4): nothing allowed is lost, nothing denied passes, connections live.
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

# 20 s of life for a record of UDP: fresh ports in such numbers fill a default quota.
printf 'flowQuota: 65536\nlogLevel: warn\ntimeouts: { udp: 20 }\n' >"$scratch/settings.yaml"
pair_objects >"$manifests/objects.yaml"
for app in web db; do pod_object $app $app || exit 1; done
api 'put|namespaces||shop|uid-shop||' || exit 1
from() { # app peer port
	printf '{"podSelector":{"matchLabels":{"app":"%s"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"%s"}}}],"ports":[{"port":%d},{"port":%d,"protocol":"UDP"}]}]}' \
		"$1" "$2" "$3" "$3"
}
policy_object db "$(from db web 80)" || exit 1
policy_object web "$(from web db 90)" || exit 1

# A new build: other bytes, another file, the same layout.
cp "$BUILD/bulkheadd" "$scratch/bulkheadd" && printf 'other bytes' >>"$scratch/bulkheadd"
builds=("$BUILD/bulkheadd" "$scratch/bulkheadd")

start() { # source-flags...
	"${builds[$((round % 2))]}" --config "$scratch/settings.yaml" --run-dir "$run_dir" --pin-root "$pin_root" \
		"$@" >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
	wait_for 20 daemon_ready
}
quietly() { { "$@"; } 2>/dev/null; }

restart_under_traffic() { # name source-flags...
	local name=$1 late=0
	shift
	round=0
	start "$@" || exit 1
	pod_add shop web uid-web && pod_add shop db uid-db || exit 1
	pod_serve db tcp/80 tcp/81 udp/80 udp/81 || exit 1
	pod_serve web tcp/90 tcp/91 udp/90 udp/91 || exit 1
	hold_start web db 80 || exit 1
	beat_start web db 80 81
	beat_start db web 90 91
	for round in $(seq 20); do
		case $((round % 4)) in
		0) daemon_stop ;;
		3) sleep 0.3 && quietly daemon_stop KILL && sleep 0.5 ;; # gone for a while
		*) sleep "0.0$((round * 4))" && quietly daemon_stop KILL ;;
		esac
		start "$@" || late=$((late + 1))
	done
	beat_stop web
	beat_stop db
	is "$name: the daemon came back each of $round times" "$late" 0
	check "$name: no allowed packet was lost" eval 'beat_lost_none web 80 && beat_lost_none db 90'
	check "$name: no denied packet passed" eval 'beat_passed_none web 81 && beat_passed_none db 91'
	hold_stop db
	like "$name: a connection lived through it all" "$(hold_says db)" '^alive'
	check "$name: the policy holds" eval 'reaches web db tcp/80 && denied web db tcp/81 && denied db web tcp/91'
	daemon_stop
	pod_del web && pod_del db
}
restart_under_traffic manifests --manifests "$manifests"
restart_under_traffic 'API server' --kubeconfig "$scratch/kubeconfig"
