# SPDX-License-Identifier: Apache-2.0
# The demo's pods over several nodes: the words of shop.sh and lib.sh that one node and
# many do differently. Sourced after them.
. "$here/../netns/nodes_lib.sh"

shop_start() {
	nodes_start "$NODES" "${MODE:-vxlan}" 46 || return 1
	say "$NODES nodes, each with its own daemon; between them ${MODE:-vxlan}:"
	node_ctl n1 nodes | sed 's/^/    /'
}
shop_pod() { # in turn
	local at=$((placed++ % NODES))
	place "${nodes[$at]}" shop "$1" && say "node ${nodes[$at]}:"
}
placed=0
# Every pod's address reaches every daemon as its object says it.
knows_all() { # node
	node_ctl "$1" matrix -o json | jq -e --argjson n "${#pods[@]}" '.pods | length == $n' &&
		node_ctl "$1" status -o json | jq -e '.degraded == null'
}
shop_settled() {
	local node
	for node in "${nodes[@]}"; do wait_for 5 knows_all "$node" || return 1; done
	# The last address may be a moment younger than its pod.
	wait_for 5 reaches "${pods[0]}" "${pods[-1]}"
}
ctl() { # what one node cannot say alone, all of them say
	local node
	[ "$1" = drops ] || { node_ctl n1 "$@"; return; }
	for node in "${nodes[@]}"; do node_ctl "$node" "$@"; done
}
metrics() {
	local node
	for node in "${nodes[@]}"; do at "$node" curl -s 127.0.0.1:9470/metrics; done
}
