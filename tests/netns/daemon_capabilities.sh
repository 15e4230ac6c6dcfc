#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon with the capabilities that deploy/bulkhead.yaml gives it and no others, by
# each form of hooks: it starts, enforces, is restarted over what it left, and removes
# everything.
. "$(dirname "$0")/lib.sh"
! is_sanitized || world_skip 'the leak checker needs a capability of its own'

capabilities=$(awk '/- name: bulkheadd$/ { on = 1 } on && /^ +- [A-Z_]+ / { print tolower($2) } /livenessProbe/ { on = 0 }' \
	"$source_root/deploy/bulkhead.yaml" | paste -sd,)
like 'the manifest names capabilities' "$capabilities" '^[a-z_]+(,[a-z_]+)*$'
bounds=-all,+$(echo "$capabilities" | sed 's/,/,+/g')

cat >"$manifests/shop.yaml" <<END
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: web, labels: { app: web } }
---
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: db }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: db }
spec: { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 80 }] }] }
END
start() { # and not through a function, whose shell would be the one that gets the signals
	setpriv --bounding-set="$bounds" --inh-caps=-all "$BUILD/bulkheadd" --manifests "$manifests" \
		>>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
	wait_for 15 daemon_ready
}
prog_of() { # interface: id of the program on its ingress
	tc -j filter show dev "$1" ingress 2>/dev/null | jq -r '.[] | select(.options.bpf_name // "" != "") | .options.prog.id' | head -n 1
}
enforced() { reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81; }
no_errors() { ! grep -E '^(warn|error)' "$scratch/daemon.log"; }

before=$(inventory)
for hook in tcx clsact; do
	[ $hook = tcx ] && unset BULKHEAD_HOOK || export BULKHEAD_HOOK=clsact
	: >"$scratch/daemon.log"
	does "$hook: the daemon starts" start
	does "$hook: pods join" eval "pod_add shop web && pod_add shop db"
	pod_serve shop/db tcp/80 tcp/81 || exit 1
	check "$hook: policy is enforced" enforced
	[ $hook = clsact ] || check "$hook: filters become links" wait_for 10 eval '[ "$(ls "$pin_root/links" | wc -l)" = 4 ]'
	host=$(ip -o link | grep -oE 'bh[0-9a-f]+' | head -n 1)
	old=$(prog_of "$host")
	daemon_stop
	does "$hook: it is restarted over what it left" start
	[ $hook = tcx ] || check "$hook: the filter runs the new program" test "$(prog_of "$host")" != "$old"
	check "$hook: policy is enforced" enforced
	check "$hook: nothing went wrong" no_errors
	daemon_stop
	check "$hook: it can be uninstalled" setpriv --bounding-set="$bounds" --inh-caps=-all \
		"$BUILD/bulkheadd" --manifests "$manifests" --uninstall /nonexistent
	ip netns del shop.web
	ip netns del shop.db
	rm -rf "$scratch"/pods/* /run/cni
	is "$hook: nothing is left" "$(inventory)" "$before"
done
