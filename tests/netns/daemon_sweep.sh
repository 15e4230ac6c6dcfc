#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What nobody tells the daemon it finds out: interfaces deleted by hand, state
# files that are gone, ADDs that were killed (THREATS F7, F13, F16), routes that were
# flushed (F20).
. "$(dirname "$0")/lib.sh"

metric_is() { [ "$(metrics | awk -v name="$1" '$1 == name { print $2 }')" = "$2" ]; }
host_link() { sed -n 's/.*"hostIfname":"\([^"]*\)".*/\1/p' "$run_dir/attachments/$(cat "$(pod_file "$1")/id"):eth0.json"; }
our_links() { ip -o link | grep -c ': bh[0-9a-f]*@'; }

cat >"$manifests/world.yaml" <<'END'
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } } } }
END
does 'the daemon starts' daemon_start "$manifests"
empty=$("$BUILD/daemon-double" rows "$pin_root")
does 'pods join' eval 'pod_add shop web-1 && pod_add shop web-2 && pod_add shop web-3'

# Routes to pods are put back, however they went.
pod_routes() {
	ip -4 route show proto 184
	ip -6 route show proto 184
}
routes=$(pod_routes)
is 'each address of a pod has a route' "$(printf '%s\n' "$routes" | wc -l)" 6
routes_are_there() { [ "$(pod_routes)" = "$routes" ]; }
node_reaches() { # pod: both families
	ping -qc 1 -W 1 "$(pod_addr "$1" 4)" && ping -qc 1 -W 1 "$(pod_addr "$1" 6)"
}
flush_routes() {
	ip -4 route flush proto 184
	ip -6 route flush proto 184
}
flush_routes
check 'routes to pods that were flushed are back within two seconds' wait_for 2 routes_are_there
ip route replace "$(pod_addr web-1 4)" dev lo
check 'one that was turned aside leads right again' wait_for 2 routes_are_there
link1=$(host_link web-1)
ip link set "$link1" down
sleep 0.7 # the daemon has seen that nothing can be done
is 'an interface that is down has no route' "$(pod_routes | grep -c "dev $link1 ")" 0
ip link set "$link1" up
check 'and has its routes when it is up' wait_for 2 eval '[ "$(pod_routes | grep -c "dev '"$link1"' ")" -eq 2 ]'
check 'so the node reaches its pods' wait_for 3 eval 'node_reaches web-1 && node_reaches web-2'
daemon_stop
flush_routes
does 'the daemon starts after somebody flushed them' daemon_start "$manifests"
check 'and they are back' wait_for 5 eval '[ "$(pod_routes | sort)" = "$(echo "$routes" | sort)" ]'
check 'in words' grep -q 'network: 6 routes to pods of this node were missing and are back' "$scratch/daemon.log"

# An ADD is killed while the daemon thinks.
netns_new shop.killed >/dev/null
kill -STOP "$daemon_pid"
before=$(our_links)
net_conf >"$scratch/conf"
(CNI_COMMAND=ADD CNI_CONTAINERID=killed CNI_NETNS=/run/netns/shop.killed CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR \
	CNI_ARGS='IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-4' exec "$BUILD/bulkhead" <"$scratch/conf" >"$scratch/add" 2>&1) &
adder=$!
check 'an ADD waits for the daemon' wait_for 5 test -e "$run_dir/attachments/killed:eth0.json"
sleep 0.2
kill -KILL "$adder"
wait "$adder" 2>/dev/null
is 'killed, it leaves an interface' "$(our_links)" $((before + 1))
kill -CONT "$daemon_pid"
check 'its endpoint does not stay open' wait_for 3 metric_is bulkhead_endpoints 3

ip link del "$link1"
check 'a deleted interface releases its endpoint' wait_for 15 metric_is bulkhead_endpoints 2
rm "$run_dir/attachments/$(cat "$(pod_file web-2)/id"):eth0.json"
check 'a lost state file releases its endpoint' wait_for 25 metric_is bulkhead_endpoints 1
check 'which then lets nothing pass' denied web-2 web-3 icmp
check 'what the killed ADD left goes within a minute' wait_for 60 eval '[ "$(our_links)" -eq '"$((before - 1))"' ]'
check 'the pod that was left alone is open' metric_is bulkhead_endpoints 1

# A state file that cannot be read closes its endpoint at the next start.
daemon_stop
echo '{' >"$run_dir/attachments/$(cat "$(pod_file web-3)/id"):eth0.json"
does 'it starts over a broken state file' daemon_start "$manifests"
check 'and takes that endpoint for nobody' metric_is bulkhead_endpoints 0
like 'and closes it, in words' "$(cat "$scratch/daemon.log")" 'is open but no state file describes it; closing it'
does 'its pod can leave' pod_del web-3
is 'no row is left' "$("$BUILD/daemon-double" rows "$pin_root")" "$empty"
daemon_stop
