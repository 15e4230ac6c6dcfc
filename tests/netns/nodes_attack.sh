#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Forged tunnel packets (S14, F32): from pods, by way of Services, from hosts that are no
# node, from nodes with sources that are not theirs. Each attack has its control (the
# same frames arrive when they are what they say), its count at the victim's interface
# (0 of N), and its reason's counter (exactly N).
set -u
. "$(dirname "$0")/lib.sh"
. "$netns_dir/nodes_lib.sh"
N=100

counter() { # node reason
	at "$1" curl -s 127.0.0.1:9470/metrics |
		awk -v r="reason=\"$2\"" '/^bulkhead_packets_total/ && index($0, r) { n += $NF } END { print n + 0 }'
}
victim_got() { # datagrams to port 53 that reached c so far
	pod_exec c nft -j list counter inet seen arrived | jq '.nftables[] | select(.counter) | .counter.packets'
}
datagrams() { # sender address port [count]: so many UDP datagrams
	local in=at
	[ -z "${pod_node[$1]:-}" ] || in=pod_exec
	$in "$1" bash -c "for ((i = 0; i < ${4:-$N}; i++)); do echo x >/dev/udp/$2/$3; done" 2>/dev/null
}
reaches_c() { [ "$(pod_exec a "$PROBE" try -t 400 "$(pod_addr c 4),tcp/80" | grep -oE '(yes|no)$')" = yes ]; }

# A host that speaks VXLAN by itself: outer source, number of the network, inner source.
forger() { # outer vni inner [target]
	local target=${4:-$(pod_addr c 4)}
	ip -n x link del vx 2>/dev/null
	ip -n x link add vx type vxlan id "$2" local "$1" remote "$(node_addr n2)" dstport 4789 noudpcsum dev eth0
	at x sysctl -qw net.ipv6.conf.vx.disable_ipv6=1 # it would have more to say
	ip -n x link set vx address 02:00:00:00:00:01 arp off up
	ip -n x addr add "$3/32" dev vx
	ip -n x route add "$target/32" dev vx src "$3"
}
forged() { # name outer vni inner reason [target]: nothing arrives, all are counted
	local got dropped target=${6:-$(pod_addr c 4)}
	forger "$2" "$3" "$4" "$target"
	got=$(victim_got) dropped=$(counter n2 "$5")
	datagrams x "$target" 53
	sleep 0.2
	is "$1: none of $N arrives" $(($(victim_got) - got)) 0
	is "$1: all are counted as $5" $(($(counter n2 "$5") - dropped)) $N
}

nodes_start 3 vxlan 46 || exit 1
place n1 shop a && place n2 shop c && place n3 shop d || exit 1
pod_serve c tcp/80 || exit 1
check 'the pods are connected' wait_for 3 reaches_c
pod_exec c nft -f - <<'END'
table inet seen {
	counter arrived { }
	chain in { type filter hook prerouting priority -300; udp dport 53 counter name arrived; }
}
END
hold_start a c 80 # the canary

# --- from a pod
for target in "$(node_addr n2)" "$(node_addr n1)" "$(pod_addr c 4)" 10.244.2.0 $outside4; do
	before=$(counter n1 tunnel)
	datagrams a "$target" 4789
	is "a pod sends $N datagrams to $target, port 4789: all are counted as tunnel" \
		$(($(counter n1 tunnel) - before)) $N
done
before=$(counter n1 tunnel)
pod_exec a bash -c "for ((i = 0; i < $N; i++)); do echo x >/dev/udp/$(node_addr n2 6)/4789; done"
is 'and by IPv6' $(($(counter n1 tunnel) - before)) $N

# --- from a pod, through a Service that stands for a node: outer source and port are
# a node's then. What arrives at n2 is counted there.
at n2 nft -f - <<'END'
table ip watch {
	counter came { }
	chain pre { type filter hook prerouting priority -300; ip saddr 192.0.2.11 udp dport 4789 @th,64,32 0xffffffff counter name came; }
}
END
came() { at n2 nft -j list counter ip watch came | jq '.nftables[] | select(.counter) | .counter.packets'; }
at n1 nft -f - <<'END'
table ip theirs {
	chain pre { type nat hook prerouting priority dstnat; ip daddr 192.0.2.77 udp dport 80 dnat to 192.0.2.12:4789; }
}
END
by_service() { # what the pod's datagrams look like: a VXLAN header of all ones
	pod_exec a bash -c "for ((i = 0; i < $N; i++)); do printf '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff' >/dev/udp/192.0.2.77/80; done"
	sleep 0.2
}
by_service
is "through a Service that stands for a node's tunnel: none of $N leaves the node" "$(came)" 0
kill -STOP "${node_pid[n1]}" # or it would put the rule back
at n1 nft delete chain inet bulkhead guard
by_service
is 'control: without the guard they would' "$(came)" $N
kill -CONT "${node_pid[n1]}"
check 'the guard is back within two seconds' wait_for 2 at n1 nft list chain inet bulkhead guard

# --- from a host that is no node
forged 'a host outside, with a source of n3' $outside4 1 10.244.3.9 tunnel_sender
forged 'a host outside, with a source of its own' $outside4 1 203.0.113.9 tunnel_sender

# --- from a node: n3 leaves the switch, and the host outside takes its address
node_stop n3
cable n3 down
ip -n x addr add "$(node_addr n3)/24" dev eth0
at n2 ip neigh flush dev eth0
forger "$(node_addr n3)" 1 10.244.3.9
got=$(victim_got)
datagrams x "$(pod_addr c 4)" 53
sleep 0.2
is "control: from n3's address and range all $N arrive" $(($(victim_got) - got)) $N
sleep 1.1 # so many events are told in a second, and the drops are asked for these
forged "n3 with a source in n1's range" "$(node_addr n3)" 1 10.244.1.9 tunnel_sender
forged "n3 with a source in n2's own range" "$(node_addr n3)" 1 10.244.2.9 tunnel_sender
forged "n3 with n2's address inside" "$(node_addr n3)" 1 192.0.2.12 tunnel_sender
forged 'n3 in another network' "$(node_addr n3)" 2 10.244.3.9 tunnel_sender
forged "n3 to what is no pod of n2: the outside" "$(node_addr n3)" 1 10.244.3.9 tunnel_range 203.0.113.5
forged "n3 to what is no pod of n2: a pod of n1" "$(node_addr n3)" 1 10.244.3.9 tunnel_range "$(pod_addr a 4)"
like 'the drops name who sent it' "$(node_ctl n2 drops)" \
	"UDP 10\\.244\\.1\\.9 -> .*, out of the tunnel from $(node_addr n3): tunnel packet whose source is in no pod range"

# --- the range is somebody else's by now, and the old node still speaks (F32)
nodes=(n1 n2)
nodes_say
routes_without_n3() { ! at n2 ip route show 10.244.3.0/24 | grep -q .; }
check 'n3 is no longer in the cluster' wait_for 1 routes_without_n3
forged 'n3, which is in the cluster no more' "$(node_addr n3)" 1 10.244.3.9 tunnel_sender

hold_stop c
like 'an allowed connection lost nothing meanwhile' "$(hold_says c)" '^alive'

# --- a policy looks at what is inside all the same
nodes=(n1 n2 n3)
nodes_say
check 'n3 is in the cluster again' wait_for 1 eval '! routes_without_n3'
cat >"$manifests/deny.yaml" <<'END'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
END
check 'default deny is in force' wait_for 3 eval '! reaches_c'
forged "n3 as it should be, under default deny" "$(node_addr n3)" 1 10.244.3.9 policy
ip -n x link del vx
ip -n x addr del "$(node_addr n3)/24" dev eth0
