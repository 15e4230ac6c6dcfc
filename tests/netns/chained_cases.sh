#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The case table with real packets, chained behind other people's plugins: each file's
# pods are wired by Debian's ptp or bridge with the addresses that the file gives them,
# Bulkhead stands behind, and every row is tried by real packets. A row to a Service dials
# its address, several times, since each draws a backend; nobody but Bulkhead translates.
set -u
. "$(dirname "$0")/lib.sh"
measured=0 service_tries=8

# The outside is behind the node, and has whatever address a row gives it.
ip netns add x
ip link add uplink type veth peer name eth0 netns x
ip link set uplink up
ip -n x link set eth0 up
ip -n x link set lo up
ip addr add 192.0.2.1/32 dev uplink
ip -6 addr add 2001:db8:ffff::1/128 dev uplink nodad
ip -n x route add 192.0.2.1/32 dev eth0
ip -n x route add default via 192.0.2.1 dev eth0 onlink
nsenter --net=/run/netns/x sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0
ip -n x -6 addr add fe80::2/64 dev eth0 nodad
ip -n x -6 route add default via 2001:db8:ffff::1 dev eth0 onlink
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
outside_has() { # address: on the way to x, also for pods that look for it on their own link
	ip -n x addr show to "$1" | grep -q . && return
	case $1 in
	*:*)
		ip -n x -6 addr add "$1/128" dev lo nodad
		ip -6 route replace "$1/128" via fe80::2 dev uplink
		[ "$type" = ptp ] || ip -6 neigh replace proxy "$1" dev cni0
		;;
	*)
		ip -n x addr add "$1/32" dev lo
		ip route replace "$1/32" via "$1" dev uplink onlink
		;;
	esac
}

# --- the plugin before us, with the table's addresses
previous() { # command namespace.name addresses...
	local command=$1 netns=$2 list='' routes='' addr
	shift 2
	for addr; do
		case $addr in
		*:*) list="$list${list:+,}{\"address\":\"$addr/16\",\"gateway\":\"${addr%%:*}:ffff::1\"}" routes="$routes${routes:+,}{\"dst\":\"::/0\"}" ;;
		*) list="$list${list:+,}{\"address\":\"$addr/10\",\"gateway\":\"10.63.255.1\"}" routes="$routes${routes:+,}{\"dst\":\"0.0.0.0/0\"}" ;;
		esac
	done
	printf '{"cniVersion":"1.0.0","name":"chain","type":"%s","bridge":"cni0","isGateway":true,"ipam":{"type":"static","addresses":[%s],"routes":[%s]}}' \
		$type "$list" "$routes" |
		CNI_COMMAND=$command CNI_CONTAINERID=$netns CNI_NETNS=/run/netns/$netns CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR "$IPAM_DIR/$type"
}
chained_add() { # namespace name addresses...
	local netns=$1.$2 prev
	ip netns add "$netns"
	ip -n "$netns" link set lo up
	nsenter --net="/run/netns/$netns" sysctl -qw net.ipv6.conf.default.accept_dad=0
	prev=$(previous ADD "$netns" "${@:3}" | tr -d '\n\t')
	cni_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=$1;K8S_POD_NAME=$2" cni ADD "$netns" "/run/netns/$netns" eth0 \
		<<<"{\"cniVersion\":\"1.0.0\",\"name\":\"chain\",\"type\":\"bulkhead\",\"logLevel\":\"warn\",\"prevResult\":$prev}" && return
	echo "$1/$2: $prev $out" >&2
	return 1
}
chained_del() { # namespace name addresses...
	cni DEL "$1.$2" "/run/netns/$1.$2" eth0 <<<'{"cniVersion":"1.0.0","name":"chain","type":"bulkhead"}'
	previous DEL "$1.$2" "${@:3}"
	ip netns del "$1.$2"
}

# --- a file
in_end() { # end: how to run something there
	case $1 in
	node) ;;
	x) echo nsenter --net=/run/netns/x ;;
	*) echo nsenter --net="/run/netns/${1%%/*}.${1#*/}" ;;
	esac
}
serve_all() { # every receiver listens on what is asked of it
	local end
	for end in $(cut -d' ' -f1 "$scratch/listeners" | sort -u); do
		: >"$scratch/serve-${end//\//.}"
		(exec $(in_end "$end") "$PROBE" serve $(awk -v e="$end" '$1 == e { print $2 }' "$scratch/listeners" | sort -u) \
			>"$scratch/serve-${end//\//.}" 2>&1) &
		served="$served $!"
	done
	for end in $(cut -d' ' -f1 "$scratch/listeners" | sort -u); do
		wait_for 5 grep -q ready "$scratch/serve-${end//\//.}" || return 1
	done
}
measure() { # prints what each row of $scratch/rows came to
	local from addr pids=()
	rm -f "$scratch"/got.*
	while read -r from addr; do
		$(in_end "$from") "$PROBE" try -t 500 -s "$addr" $(targets "$from" "$addr") |
			sed "s#^#$from $addr #" >"$scratch/got.${from//\//.}.$addr" &
		pids+=($!)
	done < <(awk '{ print $1, $2 }' "$scratch/rows" | sort -u)
	wait "${pids[@]}"
	cat "$scratch"/got.*
}
targets() { # from address
	awk -v f="$1" -v a="$2" -v tries=$service_tries '$1 == f && $2 == a {
		for (n = $3 ~ /^(10\.96\.|fd96:)/ ? tries : 1; n; n--) print $3 "," $4 }' "$scratch/rows"
}
wrong_rows() { # lines of rows that did not come to what they want
	awk 'NR == FNR { key = $1 " " $2 " " $3; if (!(key in got)) got[key] = $4; else if (got[key] != $4) got[key] = "yes and no"; next }
		{ g = got[$1 " " $2 " " $3 "," $4]; want = $5 == "deny" || $5 == "no_backend" ? "no" : "yes" }
		g != want { print $0 ": measured", g ? g : "nothing" }' - "$scratch/rows"
}
judge() { # file
	local name wrong rest word pods
	name=$(basename "$1" .yaml)
	rest=$("$BUILD/verdicts" --rows "$1") || exit 1
	printf '%s\n' "$rest" | sed -n 's/^row //p' >"$scratch/rows"
	printf '%s\n' "$rest" | sed -n 's/^listen //p' | sort -u >"$scratch/listeners"
	pods=$(printf '%s\n' "$rest" | sed -n 's/^pod //p')
	cp "$1" "$manifests/cases.yaml"
	start_daemon "$(printf '%s\n' "$rest" | sed -n 's/^posture //p')" "$1"
	each_pod chained_add "$pods" || exit 1
	for word in $(printf '%s\n' "$rest" | sed -n 's/^outside //p' | sort -u); do outside_has "$word"; done
	serve_all || { result 1 "$type, $name: receivers listen"; return; }
	for _ in 1 2 3; do # links settle; a row that stays wrong is wrong
		wrong=$(measure | wrong_rows)
		[ -n "$wrong" ] || break
		sleep 0.3
	done
	measured=$((measured + $(wc -l <"$scratch/rows")))
	result "$([ -z "$wrong" ] && echo 0 || echo 1)" "$type, $name: $(wc -l <"$scratch/rows") rows" "$wrong"
	kill $served 2>/dev/null
	wait $served 2>/dev/null
	served=
	each_pod chained_del "$pods"
}
each_pod() { # command pods: as a runtime does, all at once
	local word pids=() pid bad=0
	while read -r word; do
		"$1" $word &
		pids+=($!)
	done <<<"$2"
	for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
	return $bad
}
start_daemon() { # posture file: the settings that the file is written for
	local want="$1 $(grep '^exemptNamespaces' "$2")"
	[ "${running:-}" != "$want" ] || return 0
	[ -z "${running:-}" ] || daemon_stop
	running=$want
	{
		echo "posture: $1"
		echo 'nodeName: here'
		grep '^exemptNamespaces' "$2"
		[ "$1" != deny ] || echo 'dns: { allow: true }'
	} >"$scratch/settings.yaml"
	daemon_start "$manifests" --config "$scratch/settings.yaml" || exit 1
}

for type in ptp bridge; do
	if [ $type = bridge ]; then
		ip link add cni0 type bridge
		ip link set cni0 up
		sysctl -qw net.ipv6.conf.cni0.accept_dad=0 net.ipv4.conf.cni0.proxy_arp=1 net.ipv6.conf.cni0.proxy_ndp=1
		ip -n x addr flush dev lo scope global # the proxies are made anew
	fi
	for file in "$source_root"/tests/cases/*.yaml; do judge "$file"; done
done
echo "# RESULT rows measured $measured, none left out"
