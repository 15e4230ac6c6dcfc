#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who reaches whom over three nodes, cell by cell with real sockets, against what the
# slow oracle and the evaluator say of the same manifests:
#   senders    pods of three nodes, two nodes themselves, a host outside
#   receivers  pods of the same and of other nodes, a Service, the own Service, that host,
#              the nodes
#   each       by IPv4 and IPv6, TCP and UDP, on a port that policies list and one not
#   under      no policy, default deny, rules of every kind of peer
#   in         vxlan and direct, dual stack and each family alone
set -u
. "$(dirname "$0")/lib.sh"
. "$netns_dir/nodes_lib.sh"
cells=0 mismatches=0
pods=(a b c d)
whats=(tcp/80 udp/53 tcp/81)

families() { has4 && echo 4; has6 && echo 6; }
outside() { if [ "$1" = 4 ]; then echo $outside4; else echo $outside6; fi; }
names() { [ "$1" = d ] && echo "bank/$1" || echo "shop/$1"; }

# With a tunnel a node speaks to pods of other nodes by its address in its own range.
node_says() { # node family pod: its address as that pod sees it
	if [ "${pod_node[$3]}" = "$1" ]; then # by way of the pod's gateway
		if [ "$2" = 4 ]; then echo "10.244.${node_range[$1]}.0"; else echo "fd00:244:${node_range[$1]}::"; fi
	elif [ "$network_mode" = vxlan ]; then
		if [ "$2" = 4 ]; then echo "10.244.${node_range[$1]}.0"; else echo "fd00:244:${node_range[$1]}::"; fi
	else
		node_addr "$1" "$2"
	fi
}
in_sender() { # sender command...
	local sender=$1
	shift
	case $sender in
	n? | x) at "$sender" "$@" ;;
	*) pod_exec "$sender" "$@" ;;
	esac
}

# The Service of pod c. Its objects are in the manifests, its backend is what is judged.
service_addr() { if [ "$1" = 4 ]; then echo 10.96.0.12; else echo fd00:96::12; fi; }
service() {
	cat >"$manifests/service.yaml" <<-END
		apiVersion: v1
		kind: Service
		metadata: {namespace: shop, name: c}
		spec:
		  selector: {app: c}
		  clusterIP: 10.96.0.12
		  clusterIPs: [10.96.0.12, 'fd00:96::12']
		  ports: [{name: a, port: 80}, {name: b, port: 53, protocol: UDP}, {name: c, port: 81}]
	END
}

# Rows "SENDER FROM-ADDRESS TO-ADDRESS WHAT DIALLED", as the receiver sees them.
rows() { rows_plain | awk '{ print $0, ($5 == "" ? $3 : "") }' | sed 's/ $//'; }
rows_plain() {
	local family from to what
	for family in $(families); do
		for what in "${whats[@]}"; do
			for from in "${pods[@]}"; do
				for to in "${pods[@]}"; do
					[ "$from" = "$to" ] ||
						echo "$from $(pod_addr "$from" "$family") $(pod_addr "$to" "$family") $what"
				done
				echo "$from $(pod_addr "$from" "$family") $(outside "$family") $what"
				echo "$from $(pod_addr "$from" "$family") $(pod_addr c "$family") $what $(service_addr "$family")"
				for to in n1 n2 n3; do
					echo "$from $(pod_addr "$from" "$family") $(node_addr $to "$family") $what"
				done
			done
			for to in "${pods[@]}"; do
				for from in n1 n2; do
					echo "$from $(node_says $from "$family" "$to") $(pod_addr "$to" "$family") $what"
				done
				echo "x $(outside "$family") $(pod_addr "$to" "$family") $what"
			done
		done
	done
}
measure() { # every sender tries all its targets at once
	local sender targets
	for sender in "${pods[@]}" n1 n2 x; do
		targets=$(awk -v s="$sender" '$1 == s { print $5 "," $4 }' "$scratch/rows")
		in_sender "$sender" "$PROBE" try -t 500 $targets >"$scratch/got-$sender" &
	done
	wait $(jobs -p | grep -vxF "$(cat "$scratch"/keep-* 2>/dev/null)")
}
compare() { # prints a line for each cell that is not as both say
	local sender
	for sender in "${pods[@]}" n1 n2 x; do sed "s/^/$sender /" "$scratch/got-$sender"; done |
		awk 'NR == FNR { got[$1 " " $2] = $3; next }
			{ g = got[$1 " " $5 "," $4]; want = $6 == "allow" ? "yes" : "no" }
			g != want || $6 != $7 { print $1, $2, $5, $4 ": measured", g ? g : "nothing", "oracle", $6, "evaluator", $7 }' \
			- <(paste -d' ' "$scratch/rows" "$scratch/verdicts")
}
committed() { # every node has this many policies in the kernel
	local node
	for node in "${nodes[@]}"; do
		node_ctl "$node" policies -o json |
			jq -e --argjson n "$1" '(.policies | length) == $n and ([.policies[].revision] | all(. != null))' || return 1
	done
}
stage() { # what is in force, how many policies that is
	local try wrong
	wait_for 5 committed "$2" || { result 1 "$network_mode IPv$net_families, $1: policies are in force"; return; }
	"$BUILD/verdicts" "$manifests" < <(cut -d' ' -f2- "$scratch/rows") >"$scratch/verdicts" || exit 1
	# What the daemons have read may be a moment behind what was written: a cell that
	# stays wrong is wrong.
	for try in 1 2 3; do
		measure
		wrong=$(compare)
		[ -n "$wrong" ] || break
		sleep 0.3
	done
	cells=$((cells + $(wc -l <"$scratch/rows")))
	[ -z "$wrong" ] || mismatches=$((mismatches + $(printf '%s\n' "$wrong" | wc -l)))
	result "$([ -z "$wrong" ] && echo 0 || echo 1)" \
		"$network_mode IPv$net_families, $1: $(wc -l <"$scratch/rows") cells, $(grep -c '^allow' "$scratch/verdicts") pass" "$wrong"
}

rules() {
	cat >"$manifests/rules.yaml" <<-END
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: shop, name: a}
		spec:
		  podSelector: {matchLabels: {app: a}}
		  policyTypes: [Ingress, Egress]
		  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}], ports: [{port: 53, protocol: UDP}]}]
		  egress:
		  - {to: [{podSelector: {matchLabels: {app: c}}}], ports: [{port: 80}]}
		  - {to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: d}}}]}
		  - {to: [{ipBlock: {cidr: $outside4/32}}, {ipBlock: {cidr: '$outside6/128'}}], ports: [{port: 80}]}
		---
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: shop, name: b}
		spec:
		  podSelector: {matchLabels: {app: b}}
		  policyTypes: [Egress]
		  egress:
		  - {to: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.13/32]}}, {ipBlock: {cidr: '2001:db8::/64', except: ['2001:db8::13/128']}}]}
		---
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: shop, name: c}
		spec:
		  podSelector: {matchLabels: {app: c}}
		  ingress:
		  - {from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [a, b]}]}}], ports: [{port: 80}, {port: 53, protocol: UDP}]}
		  - {from: [{ipBlock: {cidr: $outside4/32}}, {ipBlock: {cidr: '$outside6/128'}}], ports: [{port: 81}]}
		---
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: bank, name: d}
		spec:
		  podSelector: {matchLabels: {app: d}}
		  policyTypes: [Ingress, Egress]
		  ingress:
		  - {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}], ports: [{port: 80}, {port: 81}]}
		  - {from: [{ipBlock: {cidr: 10.244.1.0/24}}, {ipBlock: {cidr: 'fd00:244:1::/64'}}], ports: [{port: 53, protocol: UDP}]}
		  egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}]
	END
}

world() { # mode families
	local node pod family
	nodes_start 3 "$1" "$2" || exit 1
	place n1 shop a && place n1 shop b && place n2 shop c && place n3 bank d || exit 1
	for pod in "${pods[@]}"; do pod_serve $pod "${whats[@]}" || exit 1; done
	for node in n1 n2 n3; do serve_at $node "${whats[@]}"; done
	# The outside knows the way in; whether it may is the policies' affair.
	for node in n1 n2 n3; do
		! has4 || ip -n x route add "10.244.${node_range[$node]}.0/24" via "$(node_addr $node 4)"
		! has6 || ip -n x -6 route add "fd00:244:${node_range[$node]}::/64" via "$(node_addr $node 6)"
	done
	service
	rows >"$scratch/rows"
	stage 'no policy' 0
	default_deny shop >"$manifests/deny-shop.yaml"
	default_deny bank >"$manifests/deny-bank.yaml"
	stage 'default deny' 2
	rules
	stage 'rules' 6
	nodes_end
}

for mode in vxlan direct; do
	for families in 46 4 6; do world $mode $families; done
done
echo "# RESULT cells measured $cells, mismatches $mismatches"
is 'every cell is what the oracle and the evaluator say' "$mismatches" 0
