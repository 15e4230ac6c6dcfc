#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# End to end between two pods of one node: Bulkhead enforcing a policy beside plain
# ptp routing without any, in the same run; then the same through a Service, beside
# plain ptp and a DNAT rule of iptables, as kube-proxy's are. Each round measures both
# in random order and takes the ratio; medians and quartiles are printed. Client and
# server share one CPU for RR and CRR. Never fails by time.
#   tests/bench/net.sh [ROUNDS [MILLISECONDS]]
set -u
world_required=1
. "$(dirname "$0")/../netns/lib.sh"
rounds=${1:-9}
ms=${2:-600}
traffic=$BUILD/traffic

cat >"$manifests/all.yaml" <<'E2'
apiVersion: v1
kind: Pod
metadata: {namespace: bench, name: client, labels: {app: client}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: bench, name: server, labels: {app: server}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: bench, name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: bench, name: server}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 7000}, {port: 7001, protocol: UDP}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: bench, name: client}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: server}}}], ports: [{port: 7000}, {port: 7001, protocol: UDP}]}]
---
apiVersion: v1
kind: Service
metadata: {namespace: bench, name: server}
spec:
  clusterIP: 10.96.0.10
  selector: {app: server}
  ports: [{name: echo, port: 7000}, {name: sink, port: 7001, protocol: UDP}]
E2

ptp_add() { # name
	local netns
	netns=$(netns_new "ptp.$1") || return 1
	printf '{"cniVersion":"1.0.0","name":"plain","type":"ptp","ipam":{"type":"host-local","dataDir":"/run/cni","subnet":"10.245.0.0/24","routes":[{"dst":"0.0.0.0/0"}]}}' |
		CNI_COMMAND=ADD CNI_CONTAINERID="ptp-$1" CNI_NETNS=$netns CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR \
			"$IPAM_DIR/ptp" | grep -oE '"address": ?"[^/"]+' | grep -oE '[0-9.]+$'
}

compare() { # ours theirs mode...: transactions or datagrams a second, and their ratio
	local ours=$1 theirs=$2 mode round who figure
	shift 2
	for mode; do
		for round in $(seq "$rounds"); do
			for who in $(shuf -e "$ours" "$theirs"); do
				figure=$(ip netns exec "${client[$who]}" taskset -c 0 "$traffic" $mode "${server[$who]}" "$ms") || exit 1
				echo "$round $who $figure"
			done
		done | awk -v mode=$mode -v ours="$ours" -v theirs="$theirs" '
			{ v[$2, $1] = $3; n = $1 > n ? $1 : n }
			function quantile(a, q,  k) { k = int(1 + (n - 1) * q + 0.5); return a[k] }
			END {
				for (i = 1; i <= n; i++) { a[i] = v[ours, i]; b[i] = v[theirs, i]; r[i] = a[i] / b[i] }
				sort(r, n); sort(a, n); sort(b, n)
				printf "  %-4s ratio %.3f [%.3f, %.3f]   %s %d/s, %s %d/s (medians; quartiles of the ratio)\n", mode,
					quantile(r, .5), quantile(r, .25), quantile(r, .75), ours, quantile(a, .5), theirs, quantile(b, .5)
			}
			function sort(a, m,  i, j, t) { for (i = 2; i <= m; i++) { t = a[i]; for (j = i - 1; j > 0 && a[j] > t; j--) a[j + 1] = a[j]; a[j + 1] = t } }'
	done
}

net_families=4
# More new connections a second than any pod is granted: what they cost is asked here.
printf 'flowQuota: 262144\n' >"$scratch/settings.yaml"
daemon_start "$manifests" --config "$scratch/settings.yaml" || exit 1
pod_add bench client && pod_add bench server || exit 1
# Filters become links when no pod has come for a while (agent_hooks.c).
[ -n "${BULKHEAD_HOOK:-}" ] || wait_for 20 eval '[ "$(ls "$pin_root/links" | wc -l)" = 4 ]' || exit 1
ptp_add client >/dev/null || exit 1
service=10.96.0.10
declare -A server=([plain]=$(ptp_add server) [bulkhead]=$(pod_addr bench/server 4) [dnat]=$service [service]=$service)
declare -A client=([plain]=ptp.client [bulkhead]=bench.client [dnat]=ptp.client [service]=bench.client)
for ns in ptp.server bench.server; do
	ip netns exec $ns taskset -c 0 "$traffic" serve >/dev/null &
done
sleep 0.3
denied bench/server bench/client tcp/7000 || { echo 'the policy is not enforced' >&2; exit 1; }

echo "TCP_RR, CRR (one CPU) and UDP: bulkhead enforcing over plain ptp without policy, $rounds rounds of $ms ms"
compare bulkhead plain rr crr udp
# Last, for it makes the kernel track every connection.
iptables -w -t nat -A PREROUTING -d $service ! -s "${server[bulkhead]%.*}.0/24" -j DNAT --to-destination "${server[plain]}"
echo 'The same through a Service: bulkhead enforcing over plain ptp and a DNAT rule of iptables'
compare service dnat rr crr udp
