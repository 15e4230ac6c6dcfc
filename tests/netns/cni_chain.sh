#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Chained behind Debian's ptp and bridge plugins: their interface, our policy;
# their result goes through unchanged.
. "$(dirname "$0")/lib.sh"
sysctl -qw net.ipv6.conf.default.accept_dad=0 # or an address gets its route while we look
double_start || exit 1
start=$(inventory)

chain_conf() { # type version [members]
	printf '{"cniVersion":"%s","name":"chain","type":"%s","bridge":"cni0","isGateway":true,"ipMasq":false,"logLevel":"warn","ipam":{"type":"host-local","dataDir":"/run/cni","ranges":[[{"subnet":"10.7.0.0/24"}],[{"subnet":"fd07::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}%s}' \
		"$2" "$1" "${3:-}"
}
ours_conf() { # version prevResult [members]
	printf '{"cniVersion":"%s","name":"chain","type":"bulkhead","logLevel":"warn","prevResult":%s%s}' "$1" "$2" "${3:-}"
}
previous() { # command id version
	CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR \
		"$IPAM_DIR/$type" < <(chain_conf "$type" "$3" "${4:-}")
}
compact() { tr -d ' \n\t'; }
flags_of() { "$BUILD/daemon-double" rows "$pin_root" | sed -n "s/^row ifindex=$1 flags=//p"; }

for type in ptp bridge; do
	for version in 0.3.1 0.4.0 1.0.0; do
		netns_new pod >/dev/null
		prev=$(previous ADD pod $version | compact)
		like "$type wires a pod ($version)" "$prev" '"ips":'
		wired=$(inventory)
		cni ADD pod /run/netns/pod eth0 < <(ours_conf $version "$prev")
		is "ADD behind $type succeeds ($version)" "$status" 0
		is "result of $type goes through unchanged ($version)" "$(printf '%s' "$out" | compact)" "$prev"
		host=$(printf '%s' "$prev" | grep -oE '"name":"veth[0-9a-f]+"' | cut -d'"' -f4)
		ifindex=$(cat "/sys/class/net/$host/ifindex" 2>/dev/null || ip -o link show "$host" | cut -d: -f1)
		# BH_EP_OPEN 1, BH_EP_ROUTED 2, BH_EP_GRACE 8
		is "row behind $type has its flags ($version)" "$(flags_of "$ifindex")" "$([ $type = ptp ] && echo 11 || echo 9)"
		like "attachment is marked as chained ($version)" "$(cat "$run_dir/attachments/pod:eth0.json")" \
			'"hostIfname":"veth[0-9a-f]+".*"addresses":\["10.7.0.[0-9]+","fd07::[0-9a-f]+"\].*"chained":true'
		check "pod behind $type still reaches its gateway ($version)" \
			nsenter --net=/run/netns/pod ping -c1 -W2 10.7.0.1
		if [ $version != 0.3.1 ]; then
			cni CHECK pod /run/netns/pod eth0 < <(ours_conf $version "$prev")
			is "CHECK behind $type is content ($version)" "$status$out" 0
			hook_remove "$host"
			cni CHECK pod /run/netns/pod eth0 < <(ours_conf $version "$prev")
			is "CHECK behind $type misses a program ($version)" "$(cni_code)" 113
		fi
		cni ADD again /run/netns/pod eth0 < <(ours_conf $version "$prev")
		is "interface of another attachment is refused ($version)" "$(cni_code)" 100
		cni DEL again /run/netns/pod eth0 < <(ours_conf $version "$prev")
		is "late DEL behind $type touches nothing ($version)" "$(flags_of "$ifindex")" "$([ $type = ptp ] && echo 11 || echo 9)"
		cni DEL pod /run/netns/pod eth0 < <(ours_conf $version "$prev")
		is "DEL behind $type succeeds ($version)" "$status$out" 0
		is "DEL leaves the interface to $type ($version)" "$(inventory)" "$wired"
		cni DEL pod /run/netns/pod eth0 < <(ours_conf $version "$prev")
		is "second DEL behind $type succeeds ($version)" "$status" 0
		previous DEL pod $version ",\"prevResult\":$prev"
		ip netns del pod
		ip link del cni0 2>/dev/null
		is "nothing is left behind $type ($version)" "$(inventory)" "$start"
	done
done

# --- a daemon that is not ready: the pod is not left with our programs
type=ptp
netns_new pod >/dev/null
prev=$(previous ADD pod 1.0.0 | compact)
wired=$(inventory)
double_mode 503
cni ADD pod /run/netns/pod eth0 < <(ours_conf 1.0.0 "$prev")
is 'ADD fails: daemon not ready' "$(cni_code)" 11
is 'the interface is as the previous plugin left it' "$(inventory)" "$wired"
double_mode ok

# --- what prevResult says is checked against the kernel
refused() { # name code prevResult
	cni ADD pod /run/netns/pod eth0 < <(ours_conf 1.0.0 "$3")
	is "ADD fails: $1" "$status $(cni_code)" "1 $2"
	is "nothing is done: $1" "$(inventory)" "$wired"
}
refused 'prevResult lists another host interface' 107 "$(printf '%s' "$prev" | sed -E 's/"name":"veth[0-9a-f]+"/"name":"vethother"/')"
refused 'prevResult has no address' 7 "$(printf '%s' "$prev" | sed -E 's/"ips":\[[^]]*\]/"ips":[]/')"
refused 'prevResult has a bad address' 7 "$(printf '%s' "$prev" | sed -E 's#"address":"10[^"]*"#"address":"10.7.0.2"#')"
nsenter --net=/run/netns/pod ip link set eth0 down
nsenter --net=/run/netns/pod ip link set eth0 name renamed
refused 'the interface is not in the namespace' 107 "$prev"
nsenter --net=/run/netns/pod ip link set renamed name eth0
nsenter --net=/run/netns/pod ip link add eth9 type bridge
cni ADD pod /run/netns/pod eth9 < <(ours_conf 1.0.0 '{"cniVersion":"1.0.0","interfaces":[{"name":"eth9","sandbox":"/run/netns/pod"}],"ips":[{"interface":0,"address":"10.7.0.2/24"}]}')
is 'ADD fails: the interface is no veth' "$(cni_code)" 107

# --- state lost while chained: DEL still succeeds, the sweep is the daemon's
nsenter --net=/run/netns/pod ip link set eth0 up
cni ADD pod /run/netns/pod eth0 < <(ours_conf 1.0.0 "$prev")
is 'ADD succeeds after all these' "$status" 0
previous DEL pod 1.0.0 ",\"prevResult\":$prev"
cni DEL pod /run/netns/pod eth0 < <(ours_conf 1.0.0 "$prev")
is 'DEL succeeds when the interface went first' "$status" 0
ip netns del pod
is 'nothing is left when the interface went first' "$(inventory)" "$start"
