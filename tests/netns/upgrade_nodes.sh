#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One node of two goes on to another table layout (F28, F32) under traffic with the other
# one through the tunnel: between pods both ways, and by a Service whose backend is there.
set -u
. "$(dirname "$0")/lib.sh"
. "$netns_dir/nodes_lib.sh"
next=$BUILD/next
[ -x "$next/bulkheadd" ] || world_skip 'needs the next version: make next'
command -v strace >/dev/null || world_skip 'needs strace'
strace -qq -o /dev/null true 2>/dev/null || world_skip 'strace may not trace here'
export ASAN_OPTIONS=detect_leaks=0 # in a sanitized build: its leak check cannot run under strace
service=10.96.0.10 beat_rate=100 probe_ms=1000

cat >"$manifests/policy.yaml" <<END
apiVersion: v1
kind: Service
metadata: { name: b, namespace: shop }
spec:
  selector: { app: b }
  clusterIP: $service
  ports:
    - { name: t, port: 8080, targetPort: 80 }
    - { name: u, port: 8080, targetPort: 80, protocol: UDP }
    - { name: t-denied, port: 8081, targetPort: 81 }
    - { name: u-denied, port: 8081, targetPort: 81, protocol: UDP }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: all, namespace: shop }
spec:
  podSelector: {}
  ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }, { port: 80, protocol: UDP }] }]
END
nodes_start 2 vxlan 46 'logLevel: warn' || exit 1
place n1 shop a && place n1 shop cart && place n2 shop b || exit 1
pod_serve a tcp/80 tcp/81 udp/80 udp/81 && pod_serve b tcp/80 tcp/81 udp/80 udp/81 || exit 1
judged() { reaches a b tcp/80 && denied a b tcp/81 && reaches b a tcp/80 && denied b a tcp/81; }
check 'the policy holds across nodes' wait_for 10 judged
check 'a Service leads to the other node' wait_for 10 reaches cart $service tcp/8080
hold_start a b 80 && hold_start b a 80 && hold_start cart $service 8080 || exit 1
layout() { readlink /sys/fs/bpf/n1/current; }
old=$(layout)

beat_start a b 80 81
beat_start b a 80 81
beat_start cart $service 8080 8081
sleep 0.5
node_stop n1 KILL
# In slow motion, as in upgrade.sh.
daemon_under=(strace -f -qq -o /dev/null -e trace=bpf,symlink -e inject=bpf:delay_enter=1000:when=1..1700
	-e inject=symlink:delay_enter=1500000)
next_version() { BUILD=$next "$@"; }
does "a node's daemon with another layout takes over" next_version node_start n1
check 'its network is whole' wait_for 10 node_ctl n1 nodes
sleep 1
for pod in a b cart; do beat_stop $pod; done
check 'the tables have the new layout' eval '[ "$(layout)" != $old ]'
is 'the old ones are gone' "$(cd /sys/fs/bpf/n1 && ls -d abi_*)" "$(layout)"
check 'no allowed packet was lost, neither way' eval 'beat_lost_none a 80 && beat_lost_none b 80'
check 'none by the Service' beat_lost_none cart 8080
check 'no denied packet passed' eval 'beat_passed_none a 81 && beat_passed_none b 81 && beat_passed_none cart 8081'
check 'connections from before live' eval '! hold_is_cut a && ! hold_is_cut b && ! hold_is_cut $service'
check 'the policy still holds across nodes' judged
