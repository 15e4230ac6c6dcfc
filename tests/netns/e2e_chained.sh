#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Policy over other people's plugins: Debian's ptp and bridge wire the pods, give
# them their addresses and routes, and Bulkhead, chained behind them, enforces.
set -u
. "$(dirname "$0")/lib.sh"
pods=(client server stranger)

for pod in "${pods[@]}"; do
	printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: e2e, name: %s, labels: {app: %s}}\n' $pod $pod
done >"$manifests/pods.yaml"
daemon_start "$manifests" || exit 1

previous() { # command name type: the plugin before us
	printf '{"cniVersion":"1.0.0","name":"chain","type":"%s","bridge":"cni0","isGateway":true,"ipam":{"type":"host-local","dataDir":"/run/cni","ranges":[[{"subnet":"10.7.0.0/24"}],[{"subnet":"fd07::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}' "$3" |
		CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/e2e.$2 CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR "$IPAM_DIR/$3"
}
chained_add() { # name type
	local file=$scratch/pods/e2e.$1 prev
	netns_new "e2e.$1" >/dev/null && mkdir -p "$file"
	prev=$(previous ADD "$1" "$2" | tr -d '\n\t') || return 1
	cni_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=e2e;K8S_POD_NAME=$1" cni ADD "$1" "/run/netns/e2e.$1" eth0 \
		<<<"{\"cniVersion\":\"1.0.0\",\"name\":\"chain\",\"type\":\"bulkhead\",\"logLevel\":\"warn\",\"prevResult\":$prev}" || return 1
	printf '%s' "$out" | grep -oE '"address": *"[0-9a-f.:]+' | cut -d'"' -f4 >"$file/addresses"
	ip -n "e2e.$1" link set lo up
}
chained_del() { # name type
	cni DEL "$1" "/run/netns/e2e.$1" eth0 <<<'{"cniVersion":"1.0.0","name":"chain","type":"bulkhead"}' &&
		previous DEL "$1" "$2" && ip netns del "e2e.$1" && rm -r "$scratch/pods/e2e.$1"
}
both() { # from to what: by IPv4 and IPv6
	pod_exec "$1" "$PROBE" try -t 500 "$(pod_addr "$2" 4),$3" "$(pod_addr "$2" 6),$3" | grep -oE '(yes|no)$' | tr '\n' ' '
}
both_are() { [ "$(both "$1" "$2" "$3")" = "$4 $4 " ]; }

for type in ptp bridge; do
	for pod in "${pods[@]}"; do chained_add $pod $type || { echo "$out" >&2; exit 1; }; done
	pod_serve server tcp/80 udp/53 sctp/9 tcp/81 || exit 1
	sleep 1.5 # the bridge's addresses wait for duplicate detection
	for what in tcp/80 udp/53 sctp/9 icmp; do
		check "$type: without policy $what passes" wait_for 3 both_are client server $what yes
	done
	default_deny e2e >"$manifests/deny.yaml"
	for what in tcp/80 udp/53 sctp/9 icmp; do
		check "$type: under default deny $what does not" wait_for 3 both_are client server $what no
	done
	is "$type: the node still reaches its pod (R16)" "$("$PROBE" try "$(pod_addr server 4),tcp/80" | grep -o 'yes$')" yes
	cat >"$manifests/paths.yaml" <<'E2'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: e2e, name: client}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: server}}}], ports: [{port: 80}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: e2e, name: server}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]
E2
	check "$type: the listed port passes" wait_for 3 both_are client server tcp/80 yes
	check "$type: another does not" both_are client server tcp/81 no
	check "$type: nor another pod" both_are stranger server tcp/80 no
	like "$type: the drop is explained" "$(ctl drops | grep 'e2e/stranger.*e2e/server' | tail -n 1)" 'default-deny'
	rm "$manifests/deny.yaml" "$manifests/paths.yaml"
	check "$type: without policy again" wait_for 3 both_are stranger server tcp/81 yes
	kill $served 2>/dev/null
	served=
	for pod in "${pods[@]}"; do check "$type: $pod leaves" chained_del $pod $type; done
done
