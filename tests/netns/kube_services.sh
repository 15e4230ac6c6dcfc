#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# internalTrafficPolicy Local with the objects of an API server (a scripted one: Debian's
# Kubernetes is older than the field), real pods here, and backends of another node that
# are reached over a wire. Who answered is what a backend has accepted.
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

# --- the other node's pod: by its address, as the network between nodes would bring it
far4=10.244.9.9 far6=fd00:244:9::9
ip netns add far
ip link add wire type veth peer name eth0 netns far
ip link set wire up
ip -n far link set lo up
ip -n far link set eth0 up
ip addr add 192.0.2.1/24 dev wire
ip -6 addr add 2001:db8::1/64 dev wire nodad
ip -n far addr add 192.0.2.2/24 dev eth0
ip -n far -6 addr add 2001:db8::2/64 dev eth0 nodad
ip -n far addr add $far4/32 dev lo
ip -n far -6 addr add $far6/128 dev lo nodad
ip route add $far4/32 via 192.0.2.2
ip -6 route add $far6/128 via 2001:db8::2
ip -n far route add default via 192.0.2.1
ip -n far -6 route add default via 2001:db8::1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
(exec nsenter --net=/run/netns/far "$PROBE" serve tcp/8080 udp/8080 >"$scratch/serve-far" 2>&1) &
keep far $!

# --- objects
pod_object client client && pod_object near web || exit 1
api "put|pods|shop|far|uid-far|\"app\":\"web\"|\"spec\":{\"nodeName\":\"m\"},\"status\":{\"phase\":\"Running\",\"podIPs\":[{\"ip\":\"$far4\"},{\"ip\":\"$far6\"}]}" || exit 1
service() { # name last-byte internalTrafficPolicy
	api "put|services|shop|$1|uid-$1||\"spec\":{\"clusterIPs\":[\"10.96.0.$2\",\"fd00:96::$2\"],\"internalTrafficPolicy\":\"$3\",\"selector\":{\"app\":\"web\"},\"ports\":[{\"name\":\"t\",\"port\":80,\"targetPort\":8080},{\"name\":\"u\",\"port\":80,\"protocol\":\"UDP\",\"targetPort\":8080}]}"
}
slice() { # service family ADDRESS:NODE:READY...
	local name=$1 family=$2 list= word addr node ready
	shift 2
	for word; do
		IFS=, read -r addr node ready <<<"$word"
		list="$list${list:+,}{\"addresses\":[\"$addr\"],\"nodeName\":\"$node\",\"conditions\":{\"ready\":$ready}}"
	done
	api "put|endpointslices|shop|$name-$family|uid-$name-$family|\"kubernetes.io/service-name\":\"$name\"|\"addressType\":\"IPv$family\",\"ports\":[{\"name\":\"t\",\"port\":8080,\"protocol\":\"TCP\"},{\"name\":\"u\",\"port\":8080,\"protocol\":\"UDP\"}],\"endpoints\":[$list]"
}
slices() { # near's node and readiness, far's
	local name
	for name in local any; do
		slice $name 4 "$(pod_addr near 4),$1,$2" "$far4,$3,$4" && slice $name 6 "$(pod_addr near 6),$1,$2" "$far6,$3,$4" || return 1
	done
}

# --- who answered
accepted() { # near or far: TCP connections so far
	local netns=shop.near
	[ "$1" = near ] || netns=far
	nsenter --net=/run/netns/$netns awk '$1 == "Tcp:" && $7 ~ /^[0-9]+$/ { print $7 }' /proc/net/snmp
}
dial() { # last-byte what: a dozen times by each family, one word
	local targets= i
	for i in 1 2 3 4 5 6; do targets="$targets 10.96.0.$1,$2 fd00:96::$1,$2"; done
	pod_exec shop/client "$PROBE" try -t 500 $targets | grep -oE '(yes|no)$' | sort -u | paste -sd' '
}
dials() { [ "$(dial "$1" "$2")" = "$3" ]; }
# A dozen connections, none of them refused: how many each has got.
shares() { # last-byte
	local near far
	near=$(accepted near) far=$(accepted far)
	dials "$1" tcp/80 yes || return 1
	echo "$(($(accepted near) - near)) $(($(accepted far) - far))"
}
only_near() { [ "$(shares "$1")" = '12 0' ]; }
both() { [[ "$(shares "$1")" =~ ^[1-9][0-9]*\ [1-9] ]]; }

kube_daemon_start --node-name n --pod-wait 2
check 'the daemon is ready' wait_for 15 daemon_ready
pod_add shop client uid-client && pod_add shop near uid-near || exit 1
pod_serve shop/near tcp/8080 udp/8080 || exit 1
service local 10 Local && service any 20 Cluster && slices n true m true || exit 1

check 'Cluster: the pod here and the one of the other node answer' wait_for 5 both 20
check 'Local: the one here, whoever is elsewhere' wait_for 5 only_near 10
check 'and by UDP' dials 10 udp/80 yes
like 'bulkheadctl shows who serves for this node' "$(ctl services | grep -A1 'shop/local .*10\.96\.0\.10:80/TCP')" 'shop/near'
is 'and nobody else' "$(ctl services -o json | jq -r '[.services[] | select(.name == "local") | .ports[].backends[].pod] | unique | join(" ")')" shop/near
like 'explain knows it' "$(ctl explain shop/client 10.96.0.10 80)" '1 of 1 backend allowed'
like 'and that the other one has two' "$(ctl explain shop/client 10.96.0.20 80)" '2 of 2 backends allowed'

policy_object near '{"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Ingress"]}'
check 'under policy: the one here is closed, and nobody else is asked' wait_for 5 dials 10 tcp/80 no
api 'del|networkpolicies|shop|near'
check 'and open again' wait_for 5 only_near 10
policy_object client '{"podSelector":{"matchLabels":{"app":"client"}},"policyTypes":["Egress"],"egress":[{"to":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":8080}]}]}'
check 'a rule for the backends opens it' eval 'wait_for 5 only_near 10 && dials 10 udp/80 no'
api 'del|networkpolicies|shop|client'

slices n false m true
check 'not ready: refused, although another node has one' wait_for 5 dials 10 tcp/80 no
check 'which goes on behind Cluster' dials 20 tcp/80 yes
like 'the drop says why' "$(ctl drops)" 'shop/client .*10\.96\.0\.10.*no endpoint serves this Service'
slices n true m true
check 'ready again' wait_for 5 only_near 10
slices m true m true
check 'an endpoint is where its slice says' wait_for 5 dials 10 tcp/80 no
slices n true m true
check 'and here again' wait_for 5 only_near 10
service local 10 Cluster
check 'the field changes: Cluster' wait_for 5 both 10
service local 10 Local
check 'and back' wait_for 5 only_near 10
daemon_stop
