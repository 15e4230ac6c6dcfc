#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A policy that exists before a pod holds from the pod's first packet (R18, C1): pods
# send as soon as they have a route, while their ADD is still under way, and nothing that
# is denied arrives; what is allowed passes from the moment ADD returns, when a runtime
# starts the first process. $PODS pods of each kind, 12 by default.
. "$(dirname "$0")/lib.sh"
pods=${PODS:-12}

cat >"$manifests/objects.yaml" <<END
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: job, namespace: shop }
spec: { template: { metadata: { labels: { app: job } } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } } } }
---
$(admits db web 80)
END
does 'the daemon starts' daemon_start "$manifests"
check 'the receiver joins' pod_add shop db
pod_serve db tcp/80 tcp/81 udp/80 udp/81 || exit 1
db=$(pod_addr db)

# What a pod's first process does: it sends at the first moment there is a way.
eager() { # name port
	local netns=/run/netns/shop.$1
	(
		trap 'kill -TERM "$beat" 2>/dev/null; wait "$beat"; exit' TERM
		while :; do
			nsenter --net="$netns" "$BUILD/beat" 500 "$db" "$2" >"$scratch/beat-$1" 2>/dev/null &
			beat=$!
			wait "$beat"
		done
	) &
	sender=$!
}
arrived() { # packets that came to the receiver's interface
	ip -n shop.db -j -s link show eth0 | jq '.[0].stats64.rx.packets'
}
sends() { ip -n "shop.$1" -j -s link show eth0 | jq -e '.[0].stats64.tx.packets > 9'; }
pod_comes() { # name port [eager]: it sends for a moment, eager ones while they are wired
	containers=$((containers + 1))
	netns_new "shop.$1" >/dev/null
	[ -z "${3:-}" ] || { eager "$1" "$2" && sleep 0.05; }
	cni_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=$1" \
		cni ADD "e$containers" "/run/netns/shop.$1" eth0 < <(net_conf) || refused="$refused $1"
	[ -n "${3:-}" ] || eager "$1" "$2"
	wait_for 5 sends "$1" && sleep 0.1
	kill -TERM "$sender"
	wait "$sender" 2>/dev/null
	cni DEL "e$containers" "/run/netns/shop.$1" eth0 < <(net_conf) || refused="$refused $1"
	ip netns del "shop.$1"
}

refused='' silent='' sent=0
before=$(arrived)
for i in $(seq "$pods"); do
	pod_comes "job-$i" 80 eager
	beat_says "job-$i" 80 'sent > 0' || silent="$silent $i"
	sent=$((sent + $(awk '{ print $3 + $6 + $9 }' "$scratch/beat-job-$i")))
done
is "$pods pods joined while they sent" "$refused" ''
is 'each of them sent' "$silent" ''
is "of $sent packets that policy denies none arrived" "$(arrived)" "$before"

lost='' sent=0
for i in $(seq "$pods"); do
	pod_comes "web-$i" 80
	beat_lost_none "web-$i" 80 || lost="$lost $i:$(tr ' ' , <"$scratch/beat-web-$i")"
	sent=$((sent + $(awk '{ print $3 + $6 + $9 }' "$scratch/beat-web-$i")))
done
is 'pods that may send joined' "$refused" ''
is "of $sent that it allows none was lost, from the first on" "$lost" ''
check 'the receiver got them' [ "$(arrived)" -gt "$before" ]
daemon_stop
