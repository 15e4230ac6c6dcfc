# SPDX-License-Identifier: Apache-2.0
# Several nodes on one machine, on top of lib.sh: each a network namespace with its
# own daemon, pins, state and addresses, joined by a switch; and a host outside the
# cluster on the same switch. Sourced after lib.sh.
#
# Words:
#   nodes_start COUNT MODE FAMILIES [SETTING...]  nodes n1.., daemons ready, host `x`
#   node_stop NODE, node_start NODE               its daemon, ${daemon_under[@]} in front
#   at NODE COMMAND...            runs there;  use NODE  turns the pod words of lib.sh there
#   place NODE NAMESPACE NAME     a pod there, known to all by its addresses
#   node_addr NODE [4|6], $outside4, $outside6    addresses on the switch
#   cable NODE up|down            takes the node off the switch, and back
#   object_of_node NODE           prints its Node object; nodes_say writes all of them
#   node_ctl NODE ARGUMENT...     bulkheadctl there
#   serve_at NODE WHAT...         listens there;  nodes_end  all of it goes

network_mode=vxlan
switch=sw outside4=192.0.2.100 outside6=2001:db8::100
daemon_under=() # a command in front of a node's daemon
declare -A pod_node=() node_index=() node_pid=() node_range=()
nodes=()

at() { # node command...
	local node=$1
	shift
	nsenter --net="/run/netns/$node" "$@"
}
use() { # node
	on_node=(nsenter --net="/run/netns/$1")
	run_dir=/run/bulkhead/$1 pin_root=/sys/fs/bpf/$1 ipam_state=/run/cni/$1
	net_index=${node_range[$1]} daemon_pid=${node_pid[$1]:-}
}
node_addr() { # node [family]
	case ${2:-4} in
	4) echo "192.0.2.${node_index[$1]}" ;;
	6) echo "2001:db8::${node_index[$1]}" ;;
	esac
}
has4() { case $net_families in *4*) ;; *) return 1 ;; esac }
has6() { case $net_families in *6*) ;; *) return 1 ;; esac }

# --- the switch, and who is on it
plug() { # namespace 4 6
	ip link add "p-$1" netns $switch type veth peer name eth0 netns "$1"
	ip -n $switch link set "p-$1" master br0 up
	ip -n "$1" link set lo up
	# No duplicate detection: nothing waits, and nobody else has these.
	nsenter --net="/run/netns/$1" sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.accept_ra=0
	ip -n "$1" link set eth0 up
	[ -z "$2" ] || ip -n "$1" addr add "$2/24" dev eth0
	[ -z "$3" ] || ip -n "$1" addr add "$3/64" dev eth0 nodad
}
switch_start() {
	ip netns add $switch
	ip -n $switch link add br0 type bridge
	ip -n $switch link set br0 up
}
outside_start() {
	ip netns add x
	plug x "$(has4 && echo $outside4)" "$(has6 && echo $outside6)"
	serve_at x tcp/80 udp/53 tcp/81
}
serve_at() { # node or x, what...
	local place=$1
	shift
	(exec nsenter --net="/run/netns/$place" "$PROBE" serve "$@" >"$scratch/serve-$place.log" 2>&1) &
	keep "serve-$place" $!
	served="$served $!"
}
cable() { # node up|down: the port forwards or not; the carrier stays, as with a switch far away
	nsenter --net=/run/netns/$switch bridge link set dev "p-$1" state "$([ "$2" = up ] && echo 3 || echo 0)"
}

# --- nodes
object_of_node() { # node
	local ranges='' addresses=''
	if has4; then
		ranges="10.244.${node_range[$1]}.0/24"
		addresses="{type: InternalIP, address: $(node_addr "$1" 4)}"
	fi
	if has6; then
		ranges=$ranges${ranges:+, }"'fd00:244:${node_range[$1]}::/64'"
		addresses=$addresses${addresses:+, }"{type: InternalIP, address: '$(node_addr "$1" 6)'}"
	fi
	printf -- '---\napiVersion: v1\nkind: Node\nmetadata: {name: %s}\nspec: {podCIDRs: [%s]}\nstatus: {addresses: [%s]}\n' \
		"$1" "$ranges" "$addresses"
}
nodes_say() { # writes the objects of all nodes, in one step
	local node
	for node in "${nodes[@]}"; do object_of_node "$node"; done >"$scratch/nodes.new"
	mv "$scratch/nodes.new" "$manifests/nodes.yaml"
}
node_config() { # node: its settings
	cat <<-END
		manifests: $manifests
		runDir: /run/bulkhead/$1
		pinRoot: /sys/fs/bpf/$1
		nodeName: $1
		network: $network_mode
		$node_settings
	END
}
node_daemon() { # node
	node_config "$1" >"$scratch/config-$1.yaml"
	(exec nsenter --net="/run/netns/$1" "${daemon_under[@]}" "$BUILD/bulkheadd" --config "$scratch/config-$1.yaml" \
		>>"$scratch/daemon-$1.log" 2>&1) &
	node_pid[$1]=$!
	keep "daemon-$1" $!
}
node_ready() { (use "$1"; daemon_ready); }
node_start() { # node
	node_daemon "$1"
	wait_for 60 node_ready "$1" && return 0
	echo "node $1 is not ready: $out" >&2
	tail -n 20 "$scratch/daemon-$1.log" >&2
	return 1
}
node_stop() { # node [signal]
	kill "-${2:-TERM}" "${node_pid[$1]}" 2>/dev/null
	wait "${node_pid[$1]}" 2>/dev/null
}
nodes_start() { # count mode families [settings]
	local i node
	network_mode=$2 net_families=$3 node_settings=${4:-}
	switch_start
	outside_start
	for ((i = 1; i <= $1; i++)); do
		node=n$i
		nodes+=("$node")
		node_index[$node]=$((10 + i)) node_range[$node]=$i
		ip netns add "$node"
		plug "$node" "$(has4 && node_addr "$node" 4)" "$(has6 && node_addr "$node" 6)"
	done
	nodes_say
	for node in "${nodes[@]}"; do node_daemon "$node"; done
	for node in "${nodes[@]}"; do
		wait_for 60 node_ready "$node" && continue
		echo "node $node is not ready" >&2
		tail -n 20 "$scratch/daemon-$node.log" >&2
		return 1
	done
}
nodes_end() { # everything of them goes, so that a script can begin anew
	local name
	for name in "${nodes[@]}"; do node_stop "$name"; done
	for name in $served; do kill "$name" 2>/dev/null; done
	for name in /run/netns/*; do ip netns del "$(basename "$name")"; done
	rm -rf "$scratch"/pods/* "$manifests"/* /run/bulkhead /run/cni
	find /sys/fs/bpf -mindepth 1 -depth -delete 2>/dev/null
	nodes=() pod_node=() node_pid=() served=
}
node_ctl() { # node arguments...
	local node=$1
	shift
	"$BUILD/bulkheadctl" --socket "/run/bulkhead/$node/bulkhead.sock" "$@"
}

# --- pods
pod_object() { # namespace name node addresses...
	local namespace=$1 name=$2 node=$3 addr list=''
	shift 3
	for addr; do list="$list${list:+, }{ip: '$addr'}"; done
	printf -- 'apiVersion: v1\nkind: Pod\nmetadata: {namespace: %s, name: %s, labels: {app: %s}}\n' \
		"$namespace" "$name" "$name"
	printf 'spec: {nodeName: %s, containers: [{name: main}]}\nstatus: {phase: Running, podIPs: [%s]}\n' \
		"$node" "$list"
}
place() { # node namespace name
	local file=$manifests/pod-$2-$3.yaml
	pod_object "$2" "$3" "$1" >"$file"
	pod_node[$3]=$1
	use "$1"
	pod_add "$2" "$3" || return 1
	pod_object "$2" "$3" "$1" $(cat "$scratch/pods/$2.$3/addresses") >"$scratch/pod.new"
	mv "$scratch/pod.new" "$file"
}
