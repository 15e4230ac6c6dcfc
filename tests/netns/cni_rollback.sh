#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever makes an ADD fail, nothing of it is left and the right code is on
# stdout; what makes a DEL fail, a second DEL mends.
. "$(dirname "$0")/lib.sh"
double_start || exit 1
netns_new pod >/dev/null
# The folder of host-local and the settings that the first pod of a node switches
# on are no trace of a failed ADD: one pod comes and goes first.
cni ADD first /run/netns/pod eth0 < <(net_conf) && cni DEL first /run/netns/pod eth0 < <(net_conf) || exit 1
start=$(inventory)$(nsenter --net=/run/netns/pod ip -o link)

fails_clean() { # name code [config members]
	cni ADD pod /run/netns/pod eth0 < <(net_conf "${3:-}")
	is "ADD fails: $1" "$status $(cni_code)" "1 $2"
	is "nothing is left: $1" "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"
}
succeeds() { # name
	cni ADD pod /run/netns/pod eth0 < <(net_conf)
	is "ADD succeeds after: $1" "$status" 0
	cni DEL pod /run/netns/pod eth0 < <(net_conf)
	is "nothing is left after: $1" "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"
}

# --- the daemon
for mode in 503 500 cut; do
	double_mode $mode
	fails_clean "daemon answers $mode" 11
done
for mode in 400 403 409; do
	double_mode $mode
	fails_clean "daemon answers $mode" 106
done
double_mode hang
(sleep 1.2; double_mode ok) &
fails_clean 'daemon hangs' 11 ',"daemonTimeout":1'
wait $!
pkill -P $$ -x sleep 2>/dev/null
double_mode ok
like 'the daemon was told to forget' "$(tail -n 1 "$run_dir/requests")" '^DELETE /v1/attachments\?containerID=pod&ifname=eth0'
succeeds 'a daemon that did not answer'
mv "$run_dir/bulkhead.sock" "$run_dir/elsewhere"
cni ADD pod /run/netns/pod eth0 < <(net_conf)
mv "$run_dir/elsewhere" "$run_dir/bulkhead.sock"
is 'ADD fails: no socket' "$status $(cni_code)" '1 11'
is 'nothing is left: no socket' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"
fails_clean 'node without tables' 11 ',"pinRoot":"/sys/fs/bpf/elsewhere"'

# --- IPAM
ipam_says() { # script body
	printf '#!/bin/sh\ncase $CNI_COMMAND in VERSION) echo '"'"'{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'"'"'; exit;; DEL) echo "$CNI_CONTAINERID" >>%s/freed; exit;; esac\n%s\n' \
		"$scratch" "$1" >"$scratch/odd-ipam"
	chmod +x "$scratch/odd-ipam"
}
ipam_fails() { # name code
	: >"$scratch/freed"
	cni_path=$scratch cni ADD pod /run/netns/pod eth0 \
		< <(printf '{"cniVersion":"%s","name":"odd","type":"bulkhead","ipam":{"type":"odd-ipam"}}' "${3:-1.0.0}")
	is "ADD fails: IPAM $1" "$status $(cni_code)" "1 $2"
	is "nothing is left: IPAM $1" "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"
	is "IPAM is told to free: IPAM $1" "$(cat "$scratch/freed")" pod
}
ipam_says 'echo "{\"cniVersion\":\"1.0.0\",\"code\":7,\"msg\":\"bad range\"}"; exit 1'
ipam_fails 'has its own error' 7
ipam_says 'echo "{\"cniVersion\":\"1.0.0\",\"code\":999,\"msg\":\"no IP addresses available\"}"; exit 1'
ipam_fails 'has no address left' 11
ipam_says 'exit 3'
ipam_fails 'dies without a word' 102
ipam_says 'kill -9 $$'
ipam_fails 'is killed' 102
ipam_says 'echo "{"'
ipam_fails 'answers no JSON' 103
ipam_says 'echo "{}"'
ipam_fails 'answers no address' 103
ipam_says 'head -c 2000000 /dev/zero'
ipam_fails 'answers two megabytes' 102
for ips in '[{"address":"10.1.1.1"}]' '[{"address":"10.1.1.300/24"}]' '[{"address":"127.0.0.1/8"}]' '[{"address":"224.0.0.1/8"}]' \
	'[{"address":"10.1.1.1/24","gateway":"fd00::1"}]' '{"address":"10.1.1.1/24"}' '[{"address":"::/0"}]' '[7]' '[{"address":"10.1.1.1/33"}]' \
	'[{"address":"10.1.1.1/32"},{"address":"10.1.1.2/32"},{"address":"10.1.1.3/32"},{"address":"10.1.1.4/32"}]'; do
	ipam_says "echo '{\"cniVersion\":\"1.0.0\",\"ips\":$ips}'"
	ipam_fails "answers ips $ips" 103
done
ipam_says "echo '{\"ips\":[{\"address\":\"10.1.1.1/24\"}],\"routes\":[{\"dst\":\"nowhere\"}]}'"
ipam_fails 'answers an odd route' 103
ipam_says "echo '{\"ips\":[{\"address\":\"10.1.1.1/24\"}],\"routes\":[{\"dst\":\"::/0\"}]}'"
ipam_fails 'answers a route of the other family' 101
ipam_says 'cat >/dev/null; echo "{\"code\":1,\"msg\":\"incompatible\"}"; exit 1'
ipam_fails 'knows no version of ours' 1 0.4.0
cni_path=$scratch/none fails_clean 'IPAM plugin is missing' 102
: >"$scratch/host-local"
chmod -x "$scratch/host-local"
cni_path=$scratch fails_clean 'IPAM plugin cannot be run' 102
rm "$scratch/host-local"
printf '{"cniVersion":"1.0.0","name":"tiny","type":"bulkhead","ipam":{"type":"host-local","dataDir":"/run/tiny","subnet":"10.3.0.0/30"}}' >"$scratch/tiny"
netns_new one >/dev/null
cni ADD one /run/netns/one eth0 <"$scratch/tiny"
is 'the only address of a range is given' "$status" 0
cni ADD pod /run/netns/pod eth0 <"$scratch/tiny"
is 'ADD fails: range used up' "$status $(cni_code)" '1 11'
cni DEL one /run/netns/one eth0 <"$scratch/tiny"
ip netns del one
rm -r /run/tiny
is 'nothing is left: range used up' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"

# --- the namespace (F15)
: >/run/netns/plain
cni ADD pod /run/netns/plain eth0 < <(net_conf)
is 'ADD fails: a file that is no namespace' "$(cni_code)" 8
rm /run/netns/plain
cni ADD pod /run/netns/vanished eth0 < <(net_conf)
is 'ADD fails: a namespace that is gone' "$(cni_code)" 3
is 'nothing is left: no namespace' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"

# --- the disk (F12)
mount -t tmpfs -o size=4k,nr_inodes=1,mode=0700 tmpfs "$run_dir/attachments"
fails_clean 'no inode left for the state' 11
umount "$run_dir/attachments"
mount -t tmpfs -o ro,mode=0700 tmpfs "$run_dir/attachments"
fails_clean 'state folder is read-only' 11
umount "$run_dir/attachments"
chmod 0777 "$run_dir/attachments"
fails_clean 'state folder is open to everyone' 5
chmod 0700 "$run_dir/attachments"

# --- the pod's interface name, taken at the last moment
ipam_says 'nsenter --net=/run/netns/pod ip link add eth0 type veth peer name other; echo "{\"ips\":[{\"address\":\"10.1.1.1/24\"}]}"'
cni_path=$scratch cni ADD pod /run/netns/pod eth0 < <(printf '{"cniVersion":"1.0.0","name":"odd","type":"bulkhead","ipam":{"type":"odd-ipam"}}')
is 'ADD fails: the name is taken while IPAM runs' "$status $(cni_code)" '1 100'
check 'the interface of someone else stays' nsenter --net=/run/netns/pod ip link show eth0
nsenter --net=/run/netns/pod ip link del eth0
is 'nothing is left: the name was taken' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"

# --- descriptors and memory that run out (F29)
limited() { # name, then a limit for the shell that starts the plugin
	local name=$1 answers=''
	shift
	for value in "${@:2}"; do
		out=$(ulimit "$1" "$value" && CNI_COMMAND=ADD CNI_CONTAINERID=pod CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 \
			CNI_PATH=$IPAM_DIR "$BUILD/bulkhead" < <(net_conf) 2>/dev/null)
		status=$?
		case $status:$out in 0:*'"ips"'* | 1:*'"code":11,'*) ;; *) answers="$answers $value:$status:$out" ;; esac
		[ $status -ne 0 ] || cni DEL pod /run/netns/pod eth0 < <(net_conf)
		[ "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" = "$start" ] || answers="$answers $value:left"
	done
	is "ADD works or says try later with $name" "$answers" ''
}
limited 'few descriptors' -n 5 6 7 8 9 10 11 12 13 14 16 18 20 24 28 32

# --- a lock that another command holds
double_mode hang
cni ADD pod /run/netns/pod eth0 < <(net_conf ',"daemonTimeout":3') &
sleep 0.5
cni DEL pod /run/netns/pod eth0 < <(net_conf ',"daemonTimeout":1')
is 'DEL says try later while the ADD of the same container runs' "$status $(cni_code)" '1 11'
double_mode ok
wait $!
cni DEL pod /run/netns/pod eth0 < <(net_conf)
is 'DEL after that succeeds' "$status" 0
is 'nothing is left: two commands at once' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"

# --- DEL
cni ADD pod /run/netns/pod eth0 < <(net_conf)
cni_path=/nonexistent cni DEL pod /run/netns/pod eth0 < <(net_conf)
is 'DEL fails when the address cannot be freed' "$status $(cni_code)" '1 102'
cni DEL pod /run/netns/pod eth0 < <(net_conf)
is 'and succeeds later' "$status" 0
is 'nothing is left: DEL in two parts' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"
cni ADD pod /run/netns/pod eth0 < <(net_conf)
host=$(printf '%s' "$out" | grep -oE 'bh[0-9a-f]{13}')
ip link del "$host"
cni DEL pod /run/netns/pod eth0 < <(net_conf)
is 'DEL succeeds when the interface was deleted by hand (F16)' "$status" 0
is 'nothing is left: interface deleted by hand' "$(inventory)$(nsenter --net=/run/netns/pod ip -o link)" "$start"
succeeds 'all this'
