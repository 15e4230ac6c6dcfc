#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A daemon whose tables have another layout (THREATS F28, C2, principle 4): the upgrade
# loses nothing and lets nothing through, whatever moment it is killed at; a downgrade
# is refused in words. The next version is this one with longer records (`make next`).
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || world_skip 'needs strace'
strace -qq -o /dev/null true 2>/dev/null || world_skip 'strace may not trace here'
export ASAN_OPTIONS=detect_leaks=0 # in a sanitized build: its leak check cannot run under strace
next=$BUILD/next
[ -x "$next/bulkheadd" ] || world_skip 'needs the next version: make next'

service=10.96.0.10 own_service=fd00:96::20

pair_objects >"$manifests/pair.yaml"
cat >"$manifests/objects.yaml" <<END
kind: Pod
metadata: { name: late, namespace: shop, labels: { app: web } }
---
kind: Pod
metadata: { name: cart, namespace: shop, labels: { app: web } }
---
kind: Pod
metadata: { name: self, namespace: shop, labels: { app: self } }
---
kind: Service
metadata: { name: db, namespace: shop }
spec:
  selector: { app: db }
  clusterIP: $service
  ports:
    - { name: t, port: 8080, targetPort: 80 }
    - { name: u, port: 8080, targetPort: 80, protocol: UDP }
    - { name: t-denied, port: 8081, targetPort: 81 }
    - { name: u-denied, port: 8081, targetPort: 81, protocol: UDP }
---
kind: Service
metadata: { name: self, namespace: shop }
spec:
  selector: { app: self }
  clusterIP: '$own_service'
  ports: [{ name: t, port: 8090, targetPort: 90 }, { name: u, port: 8090, targetPort: 90, protocol: UDP }]
---
kind: NetworkPolicy
metadata: { name: self, namespace: shop }
spec: { podSelector: { matchLabels: { app: self } }, policyTypes: [Ingress, Egress] }
END
cat >"$scratch/settings.yaml" <<END
manifests: $manifests
metrics: none
logLevel: warn
flowQuota: 65536
timeouts: { udp: 20 }
END
start() { # build folder [command in front...]: a daemon of that version
	local build=$1
	shift
	"$@" "$build/bulkheadd" --config "$scratch/settings.yaml" --run-dir "$run_dir" --pin-root "$pin_root" \
		>>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
	wait_for 30 synced "$daemon_pid"
}
synced() { kill -0 "$1" && curl -sf --unix-socket "$run_dir/bulkhead.sock" http://node/v1/ready; }
layout() { readlink "$pin_root/current"; }
flows() { curl -s --unix-socket "$run_dir/bulkhead.sock" http://node/v1/flows | tr -d "[:space:]" | sed 's/.*"total":\([0-9]*\).*/\1/'; }

start "$BUILD" || exit 1
old=$(layout)
check 'pods join' eval 'for pod in web db cart self; do pod_add shop $pod || exit 1; done'
pod_serve db tcp/80 tcp/81 udp/80 udp/81 || exit 1
pod_serve web tcp/90 tcp/91 udp/90 udp/91 || exit 1
pod_serve self tcp/90 udp/90 || exit 1
check 'Services answer' wait_for 10 eval 'reaches cart $service tcp/8080 && reaches self $own_service tcp/8090'
hold_start web db 80 && hold_start cart $service 8080 && hold_start self $own_service 8090 || exit 1

# Directly, by a Service, and by the own Service, which no policy denies (R17).
traffic_start() {
	beat_start web db 80 81
	beat_start db web 90 91
	beat_rate=100 beat_start cart $service 8080 8081
	beat_rate=100 beat_start self $own_service 8090
}
traffic_stop() {
	for name in web db cart self; do beat_stop $name; done
}
lost_none() { beat_lost_none web 80 && beat_lost_none db 90; }
passed_none() { beat_passed_none web 81 && beat_passed_none db 91; }
services_lost_none() { beat_lost_none cart 8080 && beat_lost_none self 8090; }
services_live() { ! hold_is_cut $service && ! hold_is_cut $own_service; }

# --- upgrade under traffic, in slow motion: every step of it takes a millisecond, and
# after the change of programs there is time for connections to miss their records
slowly=(strace -f -qq -o /dev/null -e trace=bpf,symlink -e inject=bpf:delay_enter=1000:when=1..1700 -e inject=symlink:delay_enter=1500000)
traffic_start
sleep 1
flows_before=$(flows)
daemon_stop KILL
does 'a daemon with another layout takes over' start "$next" "${slowly[@]}"
daemon_pid=$(pgrep -P "$daemon_pid")
sleep 1
traffic_stop
check 'no allowed packet was lost' lost_none
check 'no denied packet passed' passed_none
check 'none was lost on the way by a Service' services_lost_none
check 'none passed on that way' beat_passed_none cart 8081
check 'a connection from before lives' eval '! hold_is_cut db'
check 'and so do translated ones' services_live
check 'the tables have the new layout' eval '[ "$(layout)" != $old ]'
is 'the old ones are gone' "$(ls -d "$pin_root"/abi_*)" "$pin_root/$(layout)"
check 'the policy holds' eval 'reaches web db tcp/80 && denied web db tcp/81 && denied db web tcp/80'
check 'flow records were carried over' [ "$(flows)" -ge "$flows_before" ]

check 'and there were some' [ "$flows_before" -gt 50 ]

# --- the plugin of the old version
netns_new shop.late >/dev/null
cni_args='IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=late' cni ADD late /run/netns/shop.late eth0 < <(net_conf)
is "the old version's plugin adds no pod" "$(cni_code)" 11
like 'and says why' "$out" 'have layout [0-9]+, this program needs'
cni DEL late /run/netns/shop.late eth0 < <(net_conf)
is 'but it may delete' "$status" 0
new_plugin() { (BUILD=$next; "$@"); }
ip netns del shop.late
check "the new version's plugin adds one" new_plugin pod_add shop late
check 'that is under policy' eval 'reaches late db tcp/80 && denied late db tcp/81'
pod_del late
is 'the old plugin deletes it' $status 0
check 'and the daemon frees its row' wait_for 15 eval '! ctl endpoints | grep -q late'

# --- downgrade under traffic
traffic_start
daemon_stop KILL
wait_for 3 pid_is_gone "$daemon_pid" # it was strace's child
said=$("$BUILD/bulkheadd" --config "$scratch/settings.yaml" --run-dir "$run_dir" --pin-root "$pin_root" 2>&1)
is 'an older daemon does not start' $? 1
like 'it names map, found and needed' "$said" \
	'have layout [0-9]+, this program needs [0-9]+ .*/bh_[a-z_]+ has another layout .*value [0-9]+.* than this program needs'
sleep 0.5
traffic_stop
check 'refused: no allowed packet was lost' eval 'lost_none && services_lost_none'
check 'refused: no denied packet passed' eval 'passed_none && beat_passed_none cart 8081'
does 'the newer one starts again' start "$next"
check 'and has the policy' eval 'reaches web db tcp/80 && denied web db tcp/81'
for name in db $service $own_service; do
	hold_stop $name
	like "the connection to $name lives through all of it" "$(hold_says $name)" '^alive'
done
daemon_stop
