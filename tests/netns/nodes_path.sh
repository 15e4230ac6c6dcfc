#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The network between nodes while it is disturbed: how large packets may be, what a
# node says to the outside, what somebody takes away, nodes that go, come back, move
# and change their ranges (F20, F32).
set -u
. "$(dirname "$0")/lib.sh"
. "$netns_dir/nodes_lib.sh"

probe() { # pod target,what...: one word each
	local pod=$1
	shift
	pod_exec "$pod" "$PROBE" try -t "${probe_ms:-400}" "$@" | grep -oE '(yes|no)$' | tr '\n' ' '
}
both() { # from to what: by IPv4 and IPv6
	probe "$1" "$(pod_addr "$2" 4),$3" "$(pod_addr "$2" 6),$3"
}
connected() { [ "$(both "$1" "$2" tcp/80)" = 'yes yes ' ]; }
apart() { [ "$(both "$1" "$2" tcp/80)" = 'no no ' ]; }
routes() { # node: the ranges that it has routes to, in order
	{ at "$1" ip route show proto 185; at "$1" ip -6 route show proto 185; } | grep via | cut -d' ' -f1 | sort | tr '\n' ' '
}
routes_are() { [ "$(routes "$1")" = "$2" ]; }
all_routes='10.244.2.0/24 10.244.3.0/24 fd00:244:2::/64 fd00:244:3::/64 '
table_is_there() { at "$1" nft list chain inet bulkhead outbound; }
nstat_of() { # pod or node, counter
	local in=at
	[ -z "${pod_node[$1]:-}" ] || in=pod_exec
	$in "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'
}
fragments() { # made or put together on any node
	local node sum=0
	for node in "${nodes[@]}"; do
		for name in IpFragCreates IpReasmReqds Ip6FragCreates Ip6ReasmReqds; do
			sum=$((sum + $(nstat_of "$node" $name)))
		done
	done
	echo $sum
}
pod_mtu() { pod_exec "$1" ip -j link show eth0 | jq ".[0].mtu"; }
route_mtu() { # pod address: what it has learned of the way there
	pod_exec "$1" ip route get "$2" | grep -oE ' mtu [0-9]+' | cut -d' ' -f3
}
pushes() { # from address: a large transfer ends, and soon
	pod_exec "$1" "$PROBE" push "$2" 90 20000000
}
deny_all_but() { # default deny, and a may talk to c on 90 and 80, and to the outside
	cat >"$manifests/deny.yaml" <<-END
		$(default_deny shop)
		---
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: shop, name: a}
		spec:
		  podSelector: {matchLabels: {app: a}}
		  policyTypes: [Egress]
		  egress:
		  - {to: [{podSelector: {matchLabels: {app: c}}}], ports: [{port: 90}, {port: 80}]}
		  - {to: [{ipBlock: {cidr: 192.0.2.0/24}}, {ipBlock: {cidr: '2001:db8::/32'}}], ports: [{port: 90}]}
		---
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: shop, name: c}
		spec:
		  podSelector: {matchLabels: {app: c}}
		  ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 90}, {port: 80}]}]
	END
}
sink_at() { # node, pod or x
	local in=at
	[ -z "${pod_node[$1]:-}" ] || in=pod_exec
	($in "$1" "$PROBE" sink 90 >"$scratch/sink-$1" 2>&1) &
	wait_for 3 grep -q ready "$scratch/sink-$1"
}

start() { # mode
	nodes_start 3 "$1" 46 || exit 1
	place n1 shop a && place n1 shop b && place n2 shop c && place n3 shop d || exit 1
	pod_serve b tcp/80 && pod_serve c tcp/80 udp/53 && pod_serve d tcp/80 || exit 1
	check "$1: pods of all nodes are connected" wait_for 3 eval 'connected a b && connected a c && connected a d'
}

# --- size
sizes() { # mode, what a pod's mtu must be
	local before
	is "$1: pods have the mtu that fits" "$(pod_mtu a)" "$2"
	deny_all_but
	check "$1: under default deny only what is listed passes" wait_for 3 eval 'connected a c && apart a d && apart b c'
	sink_at c && sink_at x || exit 1
	before=$(fragments)
	for family in 4 6; do
		check "$1: 20 MB by IPv$family to another node's pod do not stall" pushes a "$(pod_addr c $family)"
	done
	is "$1: and nothing was cut into fragments" "$(fragments)" "$before"

	# A narrower way to the outside, found out by the error that quotes the live flow.
	at n1 ip route replace $outside4/32 dev eth0 src "$(node_addr n1 4)" mtu lock 1300
	at n1 ip -6 route replace $outside6/128 dev eth0 src "$(node_addr n1 6)" mtu lock 1300
	for address in $outside4 $outside6; do
		check "$1: through a narrower way 20 MB arrive at $address" pushes a "$address"
		is "$1: because the sender was told by ICMP" "$(route_mtu a $address)" 1300
	done
	is "$1: and nothing was cut there either" "$(fragments)" "$before"
	at n1 ip route del $outside4/32 dev eth0
	at n1 ip -6 route del $outside6/128 dev eth0
}
# Pods that were made for a wider link, as those of before the tunnel are: neither end
# says that less than 1500 fits.
eval "$(declare -f net_conf | sed '1s/net_conf/net_conf_plain/')"
wide_pod() { # name node policies' app
	local file=$manifests/pod-shop-$1.yaml
	pod_object shop "$1" "$2" | sed "s/app: $1/app: $3/" >"$file"
	pod_node[$1]=$2
	use "$2"
	net_conf() { net_conf_plain ',"mtu":1500'; }
	does "a pod of mtu 1500 joins on $2" pod_add shop "$1"
	net_conf() { net_conf_plain "$@"; }
	pod_object shop "$1" "$2" $(cat "$scratch/pods/shop.$1/addresses") | sed "s/app: $1/app: $3/" >"$scratch/pod.new"
	mv "$scratch/pod.new" "$file"
}
wide_pods() {
	wide_pod wide n1 a
	wide_pod wider n2 c
	pod_serve wider tcp/80 && sink_at wider || exit 1
	check 'they reach each other' wait_for 3 connected wide wider
	for family in 4 6; do
		check "20 MB by IPv$family through the narrower tunnel" pushes wide "$(pod_addr wider $family)"
		is 'because the sender was told by ICMP' "$(route_mtu wide "$(pod_addr wider $family)")" 1450
	done
}

# --- what somebody takes away
repairs() { # mode
	at n1 ip route flush proto 184
	at n1 ip -6 route flush proto 184
	check "$1: pods whose routes were flushed get answers again" wait_for 3 connected a c
	at n1 ip route flush proto 185
	at n1 ip -6 route flush proto 185
	check "$1: routes that were flushed are back within two seconds" wait_for 2 routes_are n1 "$all_routes"
	at n1 ip route replace 10.244.2.0/24 dev lo
	check "$1: a route that was turned aside leads right again" \
		wait_for 2 eval 'at n1 ip route show 10.244.2.0/24 | grep -q "proto 185"'
	at n1 nft flush ruleset
	check "$1: a flushed nftables table is back within two seconds" wait_for 2 table_is_there n1
	at n1 nft add rule inet bulkhead outbound counter
	check "$1: a rule that somebody added is gone" wait_for 2 eval '! at n1 nft list table inet bulkhead | grep -q counter'
	at n1 nft 'add table inet theirs'
	sleep 0.7
	check "$1: another table stays" at n1 nft list table inet theirs
	at n1 sysctl -qw net.ipv4.ip_forward=0
	at n1 ip link set eth0 down
	at n1 ip link set eth0 up
	at n1 ip -6 addr replace "$(node_addr n1 6)/64" dev eth0 nodad
	check "$1: a link that went down and up loses nothing" wait_for 3 eval 'connected a c && routes_are n1 "$all_routes"'
	[ "$1" = vxlan ] || return 0
	at n1 ip link del bh_vxlan
	check 'a deleted tunnel is back within two seconds' wait_for 2 connected a c
	at n1 ip link set bh_vxlan down
	check 'a tunnel that was set down is up again' wait_for 2 connected a c
	at n1 ip addr flush dev bh_vxlan
	check 'an address that was flushed is there again' wait_for 2 eval 'at n1 ip addr show bh_vxlan | grep -q 10.244.1.0/32'
	at n1 ip link set bh_vxlan mtu 1500
	check 'a changed mtu is set right' wait_for 2 eval 'at n1 ip link show bh_vxlan | grep -q "mtu 1450"'
	use n1
	kill -STOP "${node_pid[n1]}"
	rm -f "$pin_root"/links/*-decap
	at n1 tc filter del dev bh_vxlan ingress 2>/dev/null
	check 'without its program the tunnel takes nothing' apart a c
	kill -CONT "${node_pid[n1]}"
	check 'and it is attached again within two seconds' wait_for 2 connected a c
}

# --- nodes that go and come
comings() { # mode
	node_stop n2 KILL
	check "$1: a node whose daemon is dead stays reachable" connected a c
	node_start n2 || exit 1
	check "$1: and when it is back" connected a c
	hold_start a c 80
	cable n2 down
	sleep 0.4
	cable n2 up
	check "$1: a short partition costs no connection" wait_for 3 connected a c
	check "$1: the connection of before lives" eval '! hold_is_cut c'
	hold_stop c
	cable n2 down
	check "$1: a lost node is not reached" wait_for 2 apart a c
	check "$1: the others are" connected a d
	cable n2 up
	check "$1: it returns" wait_for 3 connected a c

	nodes=(n1 n3)
	nodes_say
	check "$1: a node that is no longer in the cluster has no route within a second" \
		wait_for 1 routes_are n1 '10.244.3.0/24 fd00:244:3::/64 '
	check "$1: and its pods are not reached" apart a c
	nodes=(n1 n2 n3)
	nodes_say
	check "$1: back in the cluster it has its routes within a second" wait_for 1 routes_are n1 "$all_routes"
	check "$1: and its pods are reached" wait_for 2 connected a c

	# n3 moves on the switch.
	at n3 ip addr del 192.0.2.13/24 dev eth0
	at n3 ip -6 addr del 2001:db8::13/64 dev eth0
	at n3 ip addr add 192.0.2.33/24 dev eth0
	at n3 ip addr add 2001:db8::33/64 dev eth0 nodad
	node_index[n3]=33
	nodes_say
	check "$1: a node with another address is reached there" wait_for 3 connected a d

	# n2 gets other ranges: new pods have the new ones, and the old ones lead nowhere.
	node_range[n2]=9
	nodes_say
	check "$1: reassigned ranges have their routes within a second" \
		wait_for 1 routes_are n1 '10.244.3.0/24 10.244.9.0/24 fd00:244:3::/64 fd00:244:9::/64 '
	does "$1: a pod of the new range joins" place n2 shop e
	pod_serve e tcp/80 || exit 1
	check "$1: and is reached" wait_for 2 connected a e
	check "$1: a pod of the old one is not" apart a c
}

# --- and the end
leaves_nothing() { # node
	node_stop "$1"
	use "$1"
	mkdir -p "$scratch/plugins"
	check 'uninstall succeeds' at "$1" "$BUILD/bulkheadd" --config "$scratch/config-$1.yaml" --uninstall "$scratch/plugins"
	check 'no route is left' eval "[ -z \"\$(at $1 ip route show proto 185; at $1 ip -6 route show proto 185)\" ]"
	check 'no tunnel is left' eval "! at $1 ip link show bh_vxlan"
	check 'no table is left' eval "! at $1 nft list table inet bulkhead"
	check 'another table is' at "$1" nft list table inet theirs
}

start vxlan
sizes vxlan 1450
wide_pods
rm "$manifests/deny.yaml"
check 'without policy again' wait_for 3 connected b c
repairs vxlan
comings vxlan
leaves_nothing n1
nodes_end

start direct
sizes direct 1500
rm "$manifests/deny.yaml"
check 'without policy again' wait_for 3 connected b c
repairs direct
comings direct
printf -- '---\napiVersion: v1\nkind: Node\nmetadata: {name: n7}\nspec: {podCIDR: 10.244.7.0/24}\nstatus: {addresses: [{type: InternalIP, address: 198.51.100.7}]}\n' \
	>"$manifests/far.yaml"
at n1 ip route add default via $outside4
said() { node_ctl n1 nodes | grep '^n7'; }
check 'a node that is not on the link is refused in words' wait_for 3 eval \
	"said | grep -q 'refused.*198.51.100.7 is behind $outside4 and not on the link'"
check 'and nodes exits 1' eval '! node_ctl n1 nodes >/dev/null'
