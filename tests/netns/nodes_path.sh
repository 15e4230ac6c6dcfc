#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The network between three nodes, by mode and family: what leads where, who speaks
# with which address, how large packets may be, and that it is put back when somebody
# takes it away (S14, F20, F32).
set -u
. "$(dirname "$0")/lib.sh"
. "$netns_dir/nodes_lib.sh"

probe() { # pod target,what: yes or no
	pod_exec "$1" "$PROBE" try -t "${probe_ms:-400}" "$2" | grep -oE '(yes|no)$'
}
answers() { [ "$(probe "$1" "$2")" = yes ]; }
silent() { [ "$(probe "$1" "$2")" = no ]; }
from_node() { [ "$(at "$1" "$PROBE" try -t 400 "$2" | grep -oE '(yes|no)$')" = yes ]; }
counter() { # node reason
	at "$1" curl -s 127.0.0.1:9470/metrics |
		awk -v r="reason=\"$2\"" '/^bulkhead_packets_total/ && index($0, r) { n += $NF } END { print n + 0 }'
}
routes() { # node: our routes to other nodes
	{ at "$1" ip route show proto 185; at "$1" ip -6 route show proto 185; } | grep -c via
}
families() { has4 && echo 4; has6 && echo 6; }

everyone_reaches() { # pods of all nodes, each family, TCP and UDP
	local family
	for family in $(families); do
		for what in tcp/80 udp/53; do
			check "$1: another node's pod by IPv$family, $what" \
				wait_for 3 answers a "$(pod_addr c "$family"),$what"
			check "$1: the same node's pod by IPv$family, $what" answers a "$(pod_addr b "$family"),$what"
			check "$1: the outside by IPv$family, $what" \
				answers a "$([ "$family" = 4 ] && echo $outside4 || echo $outside6),$what"
		done
		check "$1: the node to another node's pod by IPv$family" from_node n1 "$(pod_addr c "$family"),tcp/80"
		check "$1: echo to another node's pod by IPv$family" answers a "$(pod_addr c "$family"),icmp"
	done
}

pods_start() {
	place n1 shop a && place n1 shop b && place n2 shop c && place n3 shop d || exit 1
	pod_serve b tcp/80 udp/53 && pod_serve c tcp/80 udp/53 && pod_serve d tcp/80 udp/53 || exit 1
}

for world in 'vxlan 46' 'direct 46' 'vxlan 4' 'vxlan 6' 'direct 4' 'direct 6'; do
	set -- $world
	nodes_start 3 "$1" "$2" || exit 1
	pods_start
	everyone_reaches "$1, IPv$2"
	nodes_end
done
