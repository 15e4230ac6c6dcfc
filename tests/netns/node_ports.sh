#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The node and its ports: probes under default deny (R16), hostPort by the chained
# reference plugin portmap, a NodePort whose source became the node's (S17), processes of
# the node and pods on its network.
set -u
. "$(dirname "$0")/lib.sh"
net_families=4

# The outside, and the way to it.
ip netns add x
ip link add uplink type veth peer name eth0 netns x
ip link set uplink up
ip addr add 192.0.2.11/24 dev uplink
ip -n x link set lo up
ip -n x link set eth0 up
ip -n x addr add 192.0.2.100/24 dev eth0
from_x() { [ "$(nsenter --net=/run/netns/x "$PROBE" try -t 400 "$1" | grep -oE '(yes|no)$')" = yes ]; }
from_node() { [ "$("$PROBE" try -t 400 "$@" | grep -oE '(yes|no)$')" = yes ]; }
policy() { # name, spec
	printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: %s}\nspec: %s\n' "$1" "$2" \
		>"$manifests/$1.yaml"
}

for pod in web other; do
	printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: shop, name: %s, labels: {app: %s}}\n' $pod $pod
done >"$manifests/pods.yaml"
# On the node's network: its address is the node's, no selector means it (R10).
cat >"$manifests/host.yaml" <<'END'
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: agent, labels: {app: agent}}
spec: {hostNetwork: true}
status: {phase: Running, podIPs: [{ip: 192.0.2.11}]}
END
daemon_start "$manifests" || exit 1
pod_add shop web && pod_add shop other || exit 1
pod_serve web tcp/80 udp/53 || exit 1
web=$(pod_addr web 4)

# --- hostPort: portmap behind us in the chain, as the runtime calls it
portmap() { # command
	printf '{"cniVersion":"1.0.0","name":"pods","type":"portmap","snat":true,"capabilities":{"portMappings":true},"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":8053,"containerPort":53,"protocol":"udp"}]},"prevResult":%s}' \
		"$(cat "$scratch/pods/shop.web/result")" |
		CNI_COMMAND=$1 CNI_CONTAINERID=$(cat "$scratch/pods/shop.web/id") CNI_NETNS=/run/netns/shop.web CNI_IFNAME=eth0 \
			CNI_PATH=$IPAM_DIR "$IPAM_DIR/portmap"
}
check 'portmap takes our result' portmap ADD
check 'hostPort: the outside reaches the pod by the node' wait_for 3 from_x 192.0.2.11,tcp/8080
check 'hostPort: UDP too' from_x 192.0.2.11,udp/8053
check 'hostPort: another pod by the node' eval '[ "$(pod_exec other "$PROBE" try 192.0.2.11,tcp/8080 | grep -oE "(yes|no)$")" = yes ]'

# --- NodePort as kube-proxy makes it when traffic may go to another node: the source
# becomes the node's.
nft -f - <<END
table ip nodeport {
	chain in { type nat hook prerouting priority dstnat; ip daddr 192.0.2.11 tcp dport 30080 dnat to $web:80; }
	chain out { type nat hook postrouting priority srcnat; ip daddr $web tcp dport 80 ct original proto-dst 30080 masquerade; }
}
END
check 'NodePort: the outside reaches the pod' from_x 192.0.2.11,tcp/30080

# --- under default deny
policy deny '{podSelector: {}, policyTypes: [Ingress, Egress]}'
check 'default deny: hostPort is closed to the outside' wait_for 3 eval '! from_x 192.0.2.11,tcp/8080'
check 'default deny: NodePort is, although the packet has the node'"'"'s address' eval '! from_x 192.0.2.11,tcp/30080'
check "default deny: the kubelet's probe passes" from_node "$web,tcp/80"
check 'default deny: by UDP too' from_node "$web,udp/53"
check 'default deny: by ICMP too' from_node "$web,icmp"
"$PROBE" serve tcp/10250 >"$scratch/node-serves" 2>&1 &
keep node-serves $!
wait_for 3 grep -q ready "$scratch/node-serves"
check 'default deny: the pod reaches its own node' \
	eval '[ "$(pod_exec web "$PROBE" try 192.0.2.11,tcp/10250 | grep -oE "(yes|no)$")" = yes ]'

# --- rules
policy ports '{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.100/32}}], ports: [{port: 80}]}]}'
check 'a rule for the outside opens hostPort: the verdict is on the pod'"'"'s port' wait_for 3 from_x 192.0.2.11,tcp/8080
check 'and not another' eval '! from_x 192.0.2.11,udp/8053'
# The NodePort's packet says the node's own address: a rule for the client is none for it.
check 'but not the NodePort whose source is lost' eval '! from_x 192.0.2.11,tcp/30080'
gateway=$(ip -4 -o addr show | awk '$4 == "10.244.1.1/32" { print "10.244.1.1"; exit }')
policy ports "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: ${gateway:-192.0.2.11}/32}}], ports: [{port: 80}]}]}"
check 'a rule for the address that it has then opens it' wait_for 3 from_x 192.0.2.11,tcp/30080
like 'and nobody else' "$(from_x 192.0.2.11,tcp/8080 && echo open || echo closed)" closed

# --- a pod on the node's network is the node, and no selector means it
policy ports '{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: other}}}]}]}'
check 'what runs on the node'"'"'s network reaches its pods as the node' from_node "$web,tcp/80"
policy agent '{podSelector: {matchLabels: {app: agent}}, policyTypes: [Ingress]}'
check 'and a policy that selects it by label closes nothing of the node' from_x 192.0.2.11,tcp/10250

check 'portmap is undone' portmap DEL
