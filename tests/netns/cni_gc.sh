#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# GC removes exactly what the runtime does not list, of its own network only (F26).
. "$(dirname "$0")/lib.sh"
double_start || exit 1
net_version=1.1.0

conf_of() { net_conf "${2:-}" | sed "s/\"name\":\"pods\"/\"name\":\"$1\"/"; }
join() { # id network
	netns_new "$1" >/dev/null
	cni ADD "$1" "/run/netns/$1" eth0 < <(conf_of "$2")
}
gc() { cni GC '' '' '' < <(conf_of "$1" "$2"); }
attached() { ls "$run_dir/attachments" | sed 's/:eth0.json//' | tr '\n' ' '; }
links() { ip -o link | grep -c ': bh'; }

join a one && join b one && join c one && join other two || exit 1
everything=$(inventory)

# --- a list that cannot be trusted removes nothing
for bad in '' ',"cni.dev/valid-attachments":7' ',"cni.dev/valid-attachments":{}' ',"cni.dev/valid-attachments":"a"' \
	',"cni.dev/valid-attachments":[7]' ',"cni.dev/valid-attachments":[{"containerID":"a"}]' \
	',"cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"},{"containerID":"../b","ifname":"eth0"}]' \
	',"cni.dev/valid-attachments":[{"containerID":"a","ifname":7}]' ',"cni.dev/valid-attachments":[null]' \
	',"cni.dev/attachments":"x"' ',"cni.dev/valid-attachments":[{"containerID":"","ifname":"eth0"}]'; do
	gc one "$bad"
	is "list is refused: ${bad:-none at all}" "$status $(cni_code)" '1 7'
	is "nothing is touched: ${bad:-none at all}" "$(inventory)" "$everything"
done
cni GC '' '' '' < <(net_version=1.0.0 conf_of one ',"cni.dev/valid-attachments":[]')
is 'GC needs 1.1.0' "$(cni_code)" 1

# --- exactly the stale ones
gc one ',"cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"},{"containerID":"b","ifname":"eth0"},{"containerID":"c","ifname":"eth0"},{"containerID":"new","ifname":"eth0"}]'
is 'nothing goes when all are listed' "$status$(inventory)" "0$everything"
gc one ',"cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"},{"containerID":"c","ifname":"eth1"}]'
is 'GC prints nothing' "$status$out" 0
is 'what is not listed has gone' "$(attached)" 'a other '
is 'with its interfaces' "$(links)" 2
is 'and its addresses' "$(ls /run/cni/one | grep -c '^10\.')" 1
is 'and its rows' "$("$BUILD/daemon-double" rows "$pin_root" | grep -c '^row')" 2
for pin in "$pin_root"/links/*; do
	[ ! -e "$pin" ] || ip -o link | grep -q "^$(basename "${pin%-*}"): " || echo "$pin"
done >"$scratch/orphans"
is 'and its pins' "$(cat "$scratch/orphans")" ''

# --- an interface whose ADD was killed before its state was written
join lost one
rm "$run_dir/attachments/lost:eth0.json"
gc two ',"cni.dev/valid-attachments":[{"containerID":"other","ifname":"eth0"}]'
is 'another network does not take it' "$(links)" 3
gc one ',"cni.dev/attachments":[{"containerID":"a","ifname":"eth0"}]'
is 'its own network does, by the alias' "$status $(links)" '0 2'
is 'and frees its address' "$(ls /run/cni/one | grep -c '^10\.')" 1

# --- an alias is anyone's to set
ip link add bystander type veth peer name standby
ip link set bystander alias 'bulkhead one bystander eth0'
gc one ',"cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"}]'
check 'an interface of someone else stays, whatever its alias' ip link show bystander
ip link del bystander

# --- errors are reported at the end, after the rest
join d one && join e one
netns_two=$(attached)
cni_path=/nonexistent gc one ',"cni.dev/valid-attachments":[{"containerID":"a","ifname":"eth0"}]'
is 'GC without its IPAM plugin reports' "$status $(cni_code)" '1 120'
like 'and names the first attachment' "$out" 'd:eth0 \(IPAM'
like 'and names the second attachment' "$out" 'e:eth0 \(IPAM'
is 'their interfaces have gone all the same' "$(links)" 2
is 'their state stays for the next time' "$(attached)" "$netns_two"
gc one ',"cni.dev/valid-attachments":null'
is 'null means that none is valid' "$status $(attached)" '0 other '
gc two ',"cni.dev/valid-attachments":[]'
is 'so does an empty list' "$status $(attached)$(links)" '0 0'
is 'all addresses are free' "$(find /run/cni -type f ! -name 'last_*' ! -name lock | wc -l)" 0
