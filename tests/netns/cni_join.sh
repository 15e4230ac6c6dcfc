#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ADD, CHECK, DEL, STATUS and VERSION of the real plugin in real namespaces: shapes
# of results, what a pod gets, what stays behind (nothing).
. "$(dirname "$0")/lib.sh"
double_start || exit 1
ip link add uplink type veth peer name deaf
echo 0 >/proc/sys/net/ipv6/conf/deaf/accept_ra
start=$(inventory)

add() { cni ADD "$1" "/run/netns/$1" eth0 < <(net_conf "${2:-}"); }
del() { cni DEL "$1" "/run/netns/$1" eth0 < <(net_conf "${2:-}"); }
pod_sees() { nsenter --net="/run/netns/$1" "${@:2}"; }
host_side() { printf '%s' "$out" | grep -oE '"name":"bh[0-9a-f]{13}"' | cut -d'"' -f4; }

# --- one result per version, in its own shape
for net_version in 0.3.1 0.4.0 1.0.0 1.1.0; do
	netns_new "v$net_version" >/dev/null
	add "v$net_version"
	is "ADD succeeds with $net_version" "$status" 0
	added=$out
	like "result says $net_version" "$out" "^\{\"cniVersion\":\"$net_version\",\"interfaces\":"
	case $net_version in
	0.*) like "ips carry their version in $net_version" "$out" '"ips":\[\{"version":"4","interface":1,' ;;
	*) like "ips carry no version in $net_version" "$out" '"ips":\[\{"interface":1,' ;;
	esac
	case $net_version in
	1.1.0) like "interfaces carry their mtu in $net_version" "$out" '"mac":"[0-9a-f:]{17}","mtu":1500' ;;
	*) is "interfaces carry no mtu in $net_version" "$(printf '%s' "$out" | grep -c mtu)" 0 ;;
	esac
	if [ "$net_version" != 0.3.1 ]; then
		cni CHECK "v$net_version" "/run/netns/v$net_version" eth0 < <(net_conf ",\"prevResult\":$added")
		is "CHECK agrees with the result of $net_version" "$status$out" 0
	else
		cni CHECK "v$net_version" "/run/netns/v$net_version" eth0 < <(net_conf ",\"prevResult\":$added")
		is "CHECK needs 0.4.0" "$(cni_code)" 1
	fi
	del "v$net_version" ",\"prevResult\":$added"
	is "DEL with prevResult prints nothing in $net_version" "$status$out" 0
	ip netns del "v$net_version"
done
net_version=1.0.0
is 'four pods leave nothing' "$(inventory)" "$start"

# --- what a dual-stack pod gets
netns_new dual >/dev/null
add dual ',"mtu":1400'
like 'result lists the pod interface with its sandbox' "$out" '"name":"eth0","mac":"[0-9a-f:]{17}","sandbox":"/run/netns/dual"'
like 'result keeps the routes and the gateway of IPAM' "$out" '"gateway":"10.244.1.1".*"routes":\[\{"dst":"0.0.0.0/0"\},\{"dst":"::/0"\}\]'
result_dual=$out
like 'MTU reaches the pod side' "$(pod_sees dual ip link show eth0)" 'mtu 1400'
like 'MTU reaches the host side' "$(ip link show "$(host_side)")" 'mtu 1400'
like 'IPv4 address is a single one' "$(pod_sees dual ip -4 addr show eth0)" 'inet 10\.244\.1\.[0-9]+/32'
like 'IPv6 address needs no detection' "$(pod_sees dual ip -6 addr show eth0)" 'inet6 fd00:244:1::[0-9a-f]+/128 scope global nodad'
like 'default route of IPv4 goes by the gateway' "$(pod_sees dual ip -4 route)" '^default via 10\.244\.1\.1 dev eth0 .*onlink'
like 'default route of IPv6 goes by the gateway' "$(pod_sees dual ip -6 route)" '^default via fd00:244:1::1 dev eth0'
like 'gateway is a permanent neighbour' "$(pod_sees dual ip neigh)" '^10\.244\.1\.1 dev eth0 lladdr .* PERMANENT'
like 'pod is a permanent neighbour of the node' "$(ip neigh)" '^10\.244\.1\.[0-9]+ dev bh.* PERMANENT'
for side in "pod_sees dual" ''; do
	name=$([ -n "$side" ] && echo eth0 || host_side)
	for knob in accept_ra accept_redirects accept_dad autoconf; do
		is "$knob is off on $([ -n "$side" ] && echo pod || echo host) side" \
			"$($side cat "/proc/sys/net/ipv6/conf/$name/$knob")" 0
	done
done
check 'node reaches the pod by IPv4' ping -c1 -W1 "$(printf '%s' "$result_dual" | grep -oE '10\.244\.1\.[0-9]+/32' | cut -d/ -f1)"
check 'node reaches the pod by IPv6' ping -c1 -W1 "$(printf '%s' "$result_dual" | grep -oE 'fd00:[0-9a-f:]+/128' | cut -d/ -f1)"
is 'IPv4 is forwarded' "$(cat /proc/sys/net/ipv4/ip_forward)" 1
is 'IPv6 is forwarded' "$(cat /proc/sys/net/ipv6/conf/all/forwarding)" 1
is 'an interface that listens to routers goes on listening' "$(cat /proc/sys/net/ipv6/conf/uplink/accept_ra)" 2
is 'one that does not is left alone' "$(cat /proc/sys/net/ipv6/conf/deaf/accept_ra)" 0
is 'state file is for root alone' "$(stat -c %a%u "$run_dir/attachments/dual:eth0.json")" 6000

# --- the same again: refused, and the first one lives on (F23)
living=$(inventory)
add dual
is 'second ADD of the same attachment is refused' "$status $(cni_code)" '1 100'
cni ADD other /run/netns/dual eth0 < <(net_conf)
is 'ADD over an existing interface is refused' "$status $(cni_code)" '1 100'
is 'first attachment is untouched' "$(inventory)" "$living"
cni DEL other /run/netns/dual eth0 < <(net_conf)
is 'late DEL of another container succeeds' "$status$out" 0
is 'late DEL of another container touches nothing' "$(inventory)" "$living"

# --- CHECK finds what is broken
check_code() { cni CHECK dual /run/netns/dual eth0 < <(net_conf ",\"prevResult\":$result_dual"); echo "$(cni_code)"; }
is 'CHECK of a whole attachment is silent' "$(check_code)" ''
pod_sees dual ip route del default
is 'CHECK misses a route of the pod' "$(check_code)" 112
pod_sees dual ip route add default via 10.244.1.1 dev eth0 onlink
is 'CHECK is content again' "$(check_code)" ''
pod_sees dual ip addr del "$(printf '%s' "$result_dual" | grep -oE '10\.244\.1\.[0-9]+/32')" dev eth0
is 'CHECK misses an address' "$(check_code)" 111
pod_sees dual ip addr add "$(printf '%s' "$result_dual" | grep -oE '10\.244\.1\.[0-9]+/32')" dev eth0
pod_sees dual ip route add default via 10.244.1.1 dev eth0 onlink # it went with the address
host=$(out=$result_dual host_side)
pod_route=$(ip route show dev "$host" | head -n 1)
ip route del $pod_route dev "$host"
is 'CHECK misses a route of the node' "$(check_code)" 112
ip route add $pod_route dev "$host"
ip link set "$host" down
is 'CHECK sees an interface that is down' "$(check_code)" 110
ip link set "$host" up
ip route replace $pod_route dev "$host"
ip -6 route replace "$(printf '%s' "$result_dual" | grep -oE 'fd00:[0-9a-f:]+/128')" dev "$host"
is 'CHECK is content once more' "$(check_code)" ''
slot=$(grep -oE '"slot":[0-9]+' "$run_dir/attachments/dual:eth0.json")
sed -i "s/$slot,/\"slot\":999,/" "$run_dir/attachments/dual:eth0.json"
is 'CHECK sees an endpoint row that is not the one of ADD' "$(check_code)" 114
sed -i "s/\"slot\":999,/$slot,/" "$run_dir/attachments/dual:eth0.json"
is 'CHECK is content for the third time' "$(check_code)" ''
hook_remove "$host"
is 'CHECK misses a program' "$(check_code)" 113
cni CHECK dual /run/netns/dual eth0 < <(net_conf)
is 'CHECK without prevResult is refused' "$(cni_code)" 7
cni CHECK nobody /run/netns/dual eth0 < <(net_conf ",\"prevResult\":$result_dual")
is 'CHECK of an unknown container says so' "$(cni_code)" 3
pod_sees dual ip link set eth0 down
pod_sees dual ip link set eth0 address 02:00:00:00:00:77
pod_sees dual ip link set eth0 up
is 'CHECK sees a changed MAC' "$(check_code)" 110

# --- DEL needs nothing (F24)
cni DEL dual '' eth0 < <(net_conf)
is 'DEL without a namespace succeeds' "$status$out" 0
for i in 1 2; do
	del dual
	is "DEL again ($i) succeeds" "$status$out" 0
done
is 'nothing of the pod is left' "$(inventory)" "$start"
cni DEL unknown /run/netns/nowhere eth0 < <(net_conf)
is 'DEL of an unknown container succeeds' "$status$out" 0
(unset cni_path; cni_path='' && cni DEL unknown '' eth0 < <(net_conf) && echo "$status$out") >"$scratch/nopath"
is 'DEL of an unknown container needs no CNI_PATH' "$(cat "$scratch/nopath")" 0
add dual
ip netns del dual
del dual
is 'DEL after the namespace went succeeds' "$status$out" 0
is 'nothing is left after the namespace went' "$(inventory)" "$start"

# --- a state file is only a hint (F13)
for damage in empty random foreign missing; do
	netns_new "broken" >/dev/null
	add broken
	file=$run_dir/attachments/broken:eth0.json
	case $damage in
	empty) : >"$file" ;;
	random) head -c 300 /dev/urandom >"$file" ;;
	foreign) sed -i 's/"containerID":"broken"/"containerID":"mended"/' "$file" ;;
	missing) rm "$file" ;;
	esac
	del broken
	is "DEL with a state file that is $damage succeeds" "$status$out" 0
	is "nothing is left after a state file that is $damage" "$(inventory)" "$start"
	ip netns del broken
done

# --- one family only
for net_families in 4 6; do
	netns_new single >/dev/null
	add single
	is "ADD with IPv$net_families only succeeds" "$status" 0
	name=$(host_side)
	if [ "$net_families" = 4 ]; then
		is 'IPv6 is off in an IPv4 pod' "$(pod_sees single cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" 1
		is 'IPv6 is off on its host side' "$(cat "/proc/sys/net/ipv6/conf/$name/disable_ipv6")" 1
	else
		is 'an IPv6 pod has no IPv4 address' "$(pod_sees single ip -4 addr show eth0)" ''
		is 'an IPv6 pod needs 1280 bytes' "$(cni ADD small "$(netns_new small)" eth0 < <(net_conf ',"mtu":1000'); cni_code)" 2
	fi
	del single
	ip netns del single
	ip netns del small 2>/dev/null
	is "nothing of the IPv$net_families pod is left" "$(inventory)" "$start"
done
net_families=46

# --- no gateway from IPAM: the link-local ones stand in
cat >"$scratch/static-ipam" <<'IPAM'
#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}' ;;
ADD) echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.9.9/32"},{"address":"fd09::9/128"}],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"},{"dst":"10.50.0.0/16","gw":"10.9.9.254"}],"dns":{"nameservers":["10.96.0.10"]}}' ;;
esac
IPAM
chmod +x "$scratch/static-ipam"
static_conf() { printf '{"cniVersion":"1.0.0","name":"static","type":"bulkhead","ipam":{"type":"static-ipam"}}'; }
netns_new static >/dev/null
cni_path=/nonexistent:$scratch cni ADD static /run/netns/static eth0 < <(static_conf)
is 'ADD without a gateway succeeds' "$status" 0
like 'DNS of IPAM is handed on' "$out" '"dns":\{"nameservers":\["10.96.0.10"\]\}'
like 'default route goes by 169.254.1.1' "$(pod_sees static ip -4 route)" '^default via 169\.254\.1\.1 dev eth0'
like 'default route goes by fe80::1' "$(pod_sees static ip -6 route)" '^default via fe80::1 dev eth0'
like 'route of IPAM keeps its own gateway' "$(pod_sees static ip -4 route)" '^10\.50\.0\.0/16 via 10\.9\.9\.254 dev eth0'
like 'and that gateway is a permanent neighbour' "$(pod_sees static ip neigh)" '^10\.9\.9\.254 .* PERMANENT'
check 'pod reaches the node by 169.254.1.1' pod_sees static ping -c1 -W1 169.254.1.1
cni_path=$scratch cni DEL static /run/netns/static eth0 < <(static_conf)
ip netns del static
is 'nothing of it is left' "$(inventory)" "$start"

# --- the plugin's own namespace, when the runtime insists
CNI_NETNS_OVERRIDE=1 cni ADD own /proc/self/ns/net eth7 < <(net_conf)
is 'CNI_NETNS_OVERRIDE allows the own namespace' "$status" 0
check 'both sides are in it' ip link show eth7
cni DEL own /proc/self/ns/net eth7 < <(net_conf)
is 'DEL there succeeds' "$status" 0
is 'nothing is left there' "$(inventory)" "$start"

# --- no path before policy (R18): what there is while the daemon has not answered
netns_new waiting >/dev/null
double_mode hang
(add waiting ',"daemonTimeout":3') &
wait_for 2 grep -q waiting "$run_dir/requests"
host=$(ip -o link | grep -oE 'bh[0-9a-f]{13}' | head -n 1)
like 'the host side is down while the daemon thinks' "$(ip link show "$host")" 'state DOWN'
is 'it is not administratively up either' "$(ip -o link show "$host" | grep -c '[<,]UP[,>]')" 0
is 'its row is closed' "$("$BUILD/daemon-double" rows "$pin_root" | sed 's/.*flags=//')" 2
is 'its programs are attached' "$(hooks_of "$host")" 2
is 'the node has no route to the pod' "$(ip route show dev "$host")" ''
check 'the pod cannot reach its gateway' sh -c '! nsenter --net=/run/netns/waiting ping -c1 -W1 10.244.1.1'
wait $!
double_mode ok
ip netns del waiting
is 'and when it never answers nothing is left' "$(inventory)" "$start"

# --- readiness
status_code() { cni STATUS '' '' '' < <(net_version=1.1.0 net_conf "${1:-}"); echo "$status $(cni_code)"; }
is 'STATUS is content' "$(status_code)" '0 '
is 'STATUS needs 1.1.0' "$(cni STATUS '' '' '' < <(net_conf); cni_code)" 1
double_mode 503
is 'STATUS says 50 when the daemon is not ready' "$(status_code)" '1 50'
double_mode ok
is 'STATUS says 50 on a node without tables' "$(status_code ',"pinRoot":"/sys/fs/bpf/elsewhere"')" '1 50'
netns_new witness >/dev/null
add witness
is 'STATUS says 51 when pods run without their tables' "$(status_code ',"pinRoot":"/sys/fs/bpf/elsewhere"')" '1 51'
del witness
is 'STATUS says 50 without the IPAM plugin' "$(cni_path=/nonexistent status_code)" '1 50'
add witness
kill "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
is 'STATUS says 50 without a daemon' "$(status_code)" '1 50'
del witness
is 'DEL needs no daemon' "$status$out" 0
rm -f "$run_dir/bulkhead.sock"
ip netns del witness
is 'nothing is left without a daemon' "$(inventory)" "$(printf '%s' "$start" | grep -v bulkhead.sock)"
is 'VERSION lists what is supported' "$(CNI_COMMAND=VERSION "$BUILD/bulkhead" </dev/null)" \
	'{"cniVersion":"1.1.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}'
