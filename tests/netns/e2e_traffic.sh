#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real pods, real sockets: TCP, UDP, SCTP and ICMP over IPv4 and IPv6, without
# policy, under default deny, and with rules; the outside, the node, live flows,
# and counters that balance.
set -u
. "$(dirname "$0")/lib.sh"

whats=(tcp/80 udp/53 sctp/9 icmp)

policy() { cat >"$manifests/policy-$1.yaml"; }

for pod in client server stranger; do
	printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: e2e, name: %s, labels: {app: %s}}\n' $pod $pod
done >"$manifests/pods.yaml"
daemon_start "$manifests" || exit 1
for pod in client server stranger; do pod_add e2e $pod || exit 1; done
pod_serve server tcp/80 udp/53 sctp/9 tcp/81 || exit 1

# The outside: a host behind the node's uplink, which knows the way to the pods.
netns_new outside >/dev/null
ip link add uplink type veth peer name eth0 netns outside
# Link-local addresses that wait for duplicate detection cannot answer yet.
sysctl -qw net.ipv6.conf.uplink.accept_dad=0
ip netns exec outside sysctl -qw net.ipv6.conf.eth0.accept_dad=0
ip addr add 198.51.100.1/24 dev uplink && ip addr add 2001:db8:51::1/64 dev uplink nodad && ip link set uplink up
ip -n outside link set lo up && ip -n outside link set eth0 up
ip -n outside addr add 198.51.100.9/24 dev eth0 && ip -n outside addr add 2001:db8:51::9/64 dev eth0 nodad
ip -n outside route add default via 198.51.100.1 && ip -n outside -6 route add default via 2001:db8:51::1
ip netns exec outside "$PROBE" serve tcp/80 udp/53 sctp/9 >/dev/null &
sleep 0.5

from_pod() { # pod address what
	pod_exec "$1" "$PROBE" try -t 400 "$2,$3" | grep -oE '(yes|no)$'
}
from_outside() { ip netns exec outside "$PROBE" try -t 400 "$1,$2" | grep -oE '(yes|no)$'; }
from_node() { "$PROBE" try -t 400 "$1,$2" | grep -oE '(yes|no)$'; }

# Every protocol and family at once: "yes yes ..." of the cells that must agree.
all_cells() { # word: from_pod NAME | from_outside | from_node, then the receiver
	local cell answers=()
	for cell in "${cells[@]}"; do answers+=("$("${caller[@]}" "${cell%,*}" "${cell#*,}")"); done
	printf '%s\n' "${answers[@]}" | sort | uniq -c | awk '{ printf "%s%d %s", sep, $1, $2; sep = ", " }'
}
cells_of() { # addresses...
	cells=()
	for address in "$@"; do for what in "${whats[@]}"; do cells+=("$address,$what"); done; done
}
server_cells() { cells_of "$(pod_addr server 4)" "$(pod_addr server 6)"; }
settled() { wait_for 3 sh -c "$BUILD/bulkheadctl policies -o json | grep -q '\"$1\"'" && sleep 0.05; }

caller=(from_pod client)
server_cells
is 'without policy a pod reaches a pod: 4 protocols, 2 families' "$(all_cells)" '8 yes'
cells_of 198.51.100.9 2001:db8:51::9
is 'without policy a pod reaches the outside' "$(all_cells)" '8 yes'
caller=(from_outside)
server_cells
is 'without policy the outside reaches a pod' "$(all_cells)" '8 yes'
caller=(from_node)
is 'without policy the node reaches a pod' "$(all_cells)" '8 yes'

policy deny < <(default_deny e2e)
settled default-deny
caller=(from_pod client)
is 'under default deny a pod reaches no pod' "$(all_cells)" '8 no'
cells_of 198.51.100.9 2001:db8:51::9
is 'under default deny a pod does not reach the outside' "$(all_cells)" '8 no'
caller=(from_outside)
server_cells
is 'under default deny the outside reaches no pod' "$(all_cells)" '8 no'
caller=(from_node)
is 'under default deny the node still reaches its pods (R16)' "$(all_cells)" '8 yes'
cells=("198.51.100.1,icmp" "2001:db8:51::1,icmp")
caller=(from_pod client)
is 'and a pod its own node (R16)' "$(all_cells)" '2 yes'

policy server <<'E2'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: e2e, name: server}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: client}}}, {ipBlock: {cidr: 198.51.100.0/24}}, {ipBlock: {cidr: "2001:db8:51::/64"}}]
    ports: [{port: 80}, {port: 53, protocol: UDP}, {port: 9, protocol: SCTP}]
E2
policy client <<'E2'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: e2e, name: client}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: server}}}]}]
E2
settled server
settled client
server_cells
is 'listed ports pass, ICMP does not (R20)' "$(all_cells)" '2 no, 6 yes'
is 'a port that is not listed does not pass' "$(from_pod client "$(pod_addr server 4)" tcp/81)" no
caller=(from_outside)
is 'the listed outside passes on the listed ports' "$(all_cells)" '2 no, 6 yes'
caller=(from_pod stranger)
is 'a pod that is not listed reaches nothing' "$(all_cells)" '8 no'

drop=$(ctl drops -o json | jq -c 'select(.from | tostring | test("stranger"))' | tail -n 1)
like 'the drop names the sender' "$drop" 'e2e/stranger'
like 'and every policy that isolates it' "$drop" 'default-deny'
like 'a drop line is readable' "$(ctl drops | grep stranger | tail -n 1)" 'e2e/stranger.*e2e/server'

# Live connections (R19).
hold_start client server 80 || exit 1
(exec ip netns exec outside "$PROBE" hold "$(pod_addr server 4)" 80 >"$scratch/hold-out" 2>&1) &
keep hold-out $!
wait_for 3 grep -q '^up' "$scratch/hold-out"
sleep 0.3
sed -i 's/{podSelector: {matchLabels: {app: client}}}, //' "$manifests/policy-server.yaml"
check 'a live connection whose rule is gone is cut' wait_for 4 hold_is_cut server
hold_stop out
like 'a live connection that is still allowed loses nothing' "$(hold_says out)" '^alive'

# A relabelled pod, with a live flow.
policy server <<'E2'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: e2e, name: server}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]
E2
check 'the rule is back' wait_for 3 reaches client server tcp/80
hold_start client server 80
sed -i 's/name: client, labels: {app: client}/name: client, labels: {app: former}/' "$manifests/pods.yaml"
check 'a relabelled pod loses its live connection' wait_for 4 hold_is_cut server

# The daemon is not on the way of a packet.
sed -i 's/app: former/app: client/' "$manifests/pods.yaml"
check 'relabelled back, it connects' wait_for 3 reaches client server tcp/80
hold_start client server 80
daemon_stop KILL
check 'the daemon killed: allowed traffic passes' reaches client server tcp/80
check 'the daemon killed: denied traffic does not' denied stranger server tcp/80
cni_args='IgnoreUnknown=1;K8S_POD_NAMESPACE=e2e;K8S_POD_NAME=stranger' cni ADD late "$(netns_new late)" eth0 < <(net_conf)
is 'the daemon killed: a new pod is refused, and told to come again' "$(cni_code)" 11
daemon_start "$manifests" || exit 1
check 'started again: allowed traffic passes' reaches client server tcp/80
check 'started again: denied traffic does not' denied stranger server tcp/80
hold_stop server
like 'a connection lived through it' "$(hold_says server)" '^alive'

# A pod whose object comes late has no path until its policy is in the kernel (R18).
netns_new e2e.late >/dev/null
mkdir -p "$scratch/pods/e2e.late"
received() { ip -n "$1" -j -s link show "$2" | jq '.[0].stats64.rx.packets'; }
sleep 0.5 # what the last connection still had to say
before=$(received e2e.server eth0)
(
	cni_args='IgnoreUnknown=1;K8S_POD_NAMESPACE=e2e;K8S_POD_NAME=newcomer' cni ADD newcomer /run/netns/e2e.late eth0 < <(net_conf)
	echo "$out" >"$scratch/newcomer"
) &
adding=$!
wait_for 3 ip -n e2e.late link show eth0
target=$(pod_addr server 4)
for _ in 1 2 3 4 5; do ip netns exec e2e.late "$PROBE" try -t 100 "$target,tcp/80"; done >"$scratch/early" 2>&1
like 'while its object is unknown it reaches nothing' "$(cat "$scratch/early")" 'no|unreachable'
check 'not once' sh -c "! grep -q yes '$scratch/early'"
is 'and nothing of it arrived at the server' "$(received e2e.server eth0)" "$before"
cat >"$manifests/newcomer.yaml" <<'E2'
apiVersion: v1
kind: Pod
metadata: {namespace: e2e, name: newcomer, labels: {app: client}}
E2
wait $adding
like 'its object arrives, and ADD succeeds' "$(cat "$scratch/newcomer")" '"ips"'
like 'its first packet is judged by policy' "$(ip netns exec e2e.late "$PROBE" try "$target,tcp/80")" 'yes'

# Everything that entered from a pod was counted, once (THREATS principle 11).
endpoint() { ctl endpoints -o json | jq -r --arg p "$1" ".endpoints[] | select(.pod == \$p) | $2"; }
for pod in client server stranger; do
	link=$(ip -o link | sed -n "s/^$(endpoint $pod .ifindex): \([^@]*\)@.*/\1/p")
	is "every packet of $pod was counted once, as passed or by its reason" \
		"$(endpoint $pod '.egress.passed + ([.egress.dropped[]] | add // 0)')" \
		"$(ip -j -s link show "$link" | jq '.[0].stats64.rx.packets')"
done
