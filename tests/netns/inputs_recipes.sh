#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real policies that people copy from a well-known collection of recipes: each does
# what its title says, measured by real connections between real pods, and the
# evaluator agrees. The manifests are in $BULKHEAD_INPUTS (default ../shared/inputs).
set -u
. "$(dirname "$0")/lib.sh"
inputs=${BULKHEAD_INPUTS:-$source_root/../shared/inputs}/recipes
[ -d "$inputs" ] || world_skip "no recipes in $inputs"

pod() { # namespace name labels
	printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {namespace: %s, name: %s, labels: {%s}}\n' "$@" >>"$manifests/pods.yaml"
	pods+=("$1/$2")
}
pods=()
cat >"$manifests/pods.yaml" <<'E2'
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {purpose: production}}
---
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {team: operations}}
E2
pod default web 'app: web'
pod default api 'app: bookstore, role: api'
pod default db 'app: bookstore, role: db'
pod default search 'app: bookstore, role: search'
pod default inventory 'app: inventory, role: web'
pod default apiserver 'app: apiserver'
pod default monitor 'role: monitoring'
pod default foo 'app: foo'
pod other any 'app: any'
pod prod client 'app: any'
pod ops monitor 'type: monitoring'
pod ops any 'app: any'
pod kube-system dns 'k8s-app: kube-dns'

daemon_start "$manifests" || exit 1
for p in "${pods[@]}"; do
	pod_add "${p%%/*}" "${p#*/}" || exit 1
	pod_serve "$p" tcp/80 tcp/53 udp/53 tcp/5000 || exit 1
done
netns_new outside >/dev/null
ip link add uplink type veth peer name eth0 netns outside
ip addr add 198.51.100.1/24 dev uplink && ip link set uplink up
ip -n outside link set eth0 up && ip -n outside addr add 198.51.100.9/24 dev eth0
ip -n outside route add default via 198.51.100.1
ip netns exec outside "$PROBE" serve tcp/80 tcp/53 udp/53 >/dev/null &

verdict() { # from to what: yes or no, by the wire
	local address runner
	if [ "$2" = outside ]; then address=198.51.100.9; else address=$(pod_addr "$2" 4); fi
	if [ "$1" = outside ]; then runner=(ip netns exec outside); else runner=(pod_exec "$1"); fi
	"${runner[@]}" "$PROBE" try -t 300 "$address,$3" | grep -oE '(yes|no)$'
}
explained() { # the same, by the evaluator
	local from=$1 to=$2
	[ "$from" != outside ] || from=198.51.100.9
	[ "$to" != outside ] || to=198.51.100.9
	ctl explain "$from" "$to" "${3#*/}/${3%%/*}" >/dev/null
	case $? in 0) echo yes ;; 1) echo no ;; *) echo unknown ;; esac
}

recipe() { # file, title, then rows "FROM TO WHAT yes|no" on stdin
	local file=$inputs/$1.yaml name from to what want wrong=''
	name=$(sed -n 's/^ *name: *//p' "$file" | head -n 1)
	cp "$file" "$manifests/recipe.yaml"
	if ! wait_for 3 sh -c "$BUILD/bulkheadctl policies -o json | grep -q '$name'"; then
		result 1 "$1: $2" "policy $name never came"
		return
	fi
	sleep 0.1
	while read -r from to what want; do
		[ "$(verdict "$from" "$to" "$what")" = "$want" ] || wrong+="wire: $from -> $to $what is not $want"$'\n'
		[ "$(explained "$from" "$to" "$what")" = "$want" ] || wrong+="explain: $from -> $to $what is not $want"$'\n'
	done
	[ -z "$wrong" ]
	result $? "$1: $2" "$wrong"
	rm "$manifests/recipe.yaml"
	wait_for 3 sh -c "! $BUILD/bulkheadctl policies -o json | grep -q '$name'"
}

recipe 01-deny-all-traffic-to-an-application 'deny all traffic to an application' <<'E2'
default/foo default/web tcp/80 no
prod/client default/web tcp/80 no
outside default/web tcp/80 no
default/web default/foo tcp/80 yes
default/foo default/api tcp/80 yes
E2
recipe 02-limit-traffic-to-an-application 'limit traffic to an application' <<'E2'
default/search default/api tcp/80 yes
default/db default/api tcp/80 yes
default/foo default/api tcp/80 no
other/any default/api tcp/80 no
default/foo default/web tcp/80 yes
E2
recipe 02a-allow-all-traffic-to-an-application 'allow all traffic to an application' <<'E2'
default/foo default/web tcp/80 yes
other/any default/web udp/53 yes
outside default/web tcp/80 yes
E2
recipe 03-deny-all-non-whitelisted-traffic-in-the-namespace 'deny all non-whitelisted traffic in the namespace' <<'E2'
default/foo default/web tcp/80 no
other/any default/api tcp/80 no
outside default/web tcp/80 no
default/web other/any tcp/80 yes
default/web outside tcp/80 yes
E2
recipe 04-deny-traffic-from-other-namespaces 'deny traffic from other namespaces' <<'E2'
default/foo default/web tcp/80 yes
other/any default/web tcp/80 no
prod/client default/api tcp/80 no
outside default/web tcp/80 no
default/web other/any tcp/80 yes
E2
recipe 05-allow-traffic-from-all-namespaces 'allow traffic from all namespaces' <<'E2'
default/foo default/web tcp/80 yes
other/any default/web tcp/80 yes
kube-system/dns default/web tcp/80 yes
outside default/web tcp/80 no
E2
recipe 06-allow-traffic-from-a-namespace 'allow traffic from a namespace' <<'E2'
prod/client default/web tcp/80 yes
other/any default/web tcp/80 no
default/foo default/web tcp/80 no
E2
recipe 07-allow-traffic-from-some-pods-in-another-namespace 'allow traffic from some pods in another namespace' <<'E2'
ops/monitor default/web tcp/80 yes
ops/any default/web tcp/80 no
default/monitor default/web tcp/80 no
E2
recipe 08-allow-external-traffic 'allow external traffic' <<'E2'
outside default/web tcp/80 yes
other/any default/web tcp/80 yes
E2
recipe 09-allow-traffic-only-to-a-port 'allow traffic only to a port' <<'E2'
default/monitor default/apiserver tcp/5000 yes
default/monitor default/apiserver tcp/80 no
default/foo default/apiserver tcp/5000 no
ops/monitor default/apiserver tcp/5000 no
E2
recipe 10-allowing-traffic-with-multiple-selectors 'allow traffic with multiple selectors' <<'E2'
default/search default/db tcp/80 yes
default/api default/db tcp/80 yes
default/inventory default/db tcp/80 yes
default/foo default/db tcp/80 no
other/any default/db tcp/80 no
E2
recipe 11-deny-egress-traffic-from-an-application-1 'deny egress traffic from an application' <<'E2'
default/foo default/web tcp/80 no
default/foo kube-system/dns udp/53 no
default/foo outside tcp/80 no
default/web default/foo tcp/80 yes
E2
recipe 11-deny-egress-traffic-from-an-application-2 'deny egress traffic but DNS' <<'E2'
default/foo default/web tcp/80 no
default/foo kube-system/dns udp/53 yes
default/foo kube-system/dns tcp/53 yes
default/foo kube-system/dns tcp/80 no
default/foo other/any udp/53 no
E2
recipe 12-deny-all-non-whitelisted-traffic-from-the-namespace 'deny all non-whitelisted traffic from the namespace' <<'E2'
default/foo default/web tcp/80 no
default/web other/any tcp/80 no
default/web outside tcp/80 no
other/any default/web tcp/80 yes
E2
recipe 14-deny-external-egress-traffic 'deny external egress traffic' <<'E2'
default/foo outside tcp/80 no
default/foo outside udp/53 no
default/foo kube-system/dns udp/53 yes
default/foo default/web tcp/80 no
E2
n=0
for file in "$inputs"/*.yaml; do n=$((n + 1)); done
is 'every recipe in the folder was run' "$tests_run" "$n"
