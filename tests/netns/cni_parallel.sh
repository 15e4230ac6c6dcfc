#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Twenty pods at once, and commands of one container racing each other (F22, F25).
. "$(dirname "$0")/lib.sh"
double_start || exit 1
start=$(inventory)

for i in $(seq 20); do netns_new "p$i" >/dev/null; done
round() { # command
	local i pids=()
	for i in $(seq 20); do
		(cni "$1" "p$i" "/run/netns/p$i" eth0 < <(net_conf); echo "$status $out" >"$scratch/$1-$i") &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$scratch/$1"-* | grep -c '^0'
}
for again in 1 2 3; do
	is "twenty ADDs at once succeed (round $again)" "$(round ADD)" 20
	is "twenty addresses differ (round $again)" \
		"$(cat "$scratch"/ADD-* | grep -oE '10\.244\.1\.[0-9]+/32' | sort -u | wc -l)" 20
	is "twenty rows are there (round $again)" "$("$BUILD/daemon-double" rows "$pin_root" | grep -c 'flags=3')" 20
	is "twenty DELs at once succeed (round $again)" "$(round DEL)" 20
	is "nothing is left (round $again)" "$(inventory)" "$start"
done

# One id: the last command decides.
for i in $(seq 15); do
	(cni ADD p1 /run/netns/p1 eth0 < <(net_conf); echo "$status $(cni_code)" >"$scratch/race-$i") &
	racer=$!
	cni DEL p1 /run/netns/p1 eth0 < <(net_conf)
	[ "$status" -eq 0 ] || echo "$status $out" >"$scratch/race-del"
	wait $racer
	cni DEL p1 /run/netns/p1 eth0 < <(net_conf)
done
is 'ADD and DEL of one container are one after the other' "$(cat "$scratch"/race-* | sort -u)" '0 '
is 'and the last DEL leaves nothing' "$(inventory)" "$start"
for i in $(seq 8); do
	(cni ADD p1 /run/netns/p1 eth0 < <(net_conf); echo "$status $(cni_code)" >"$scratch/same-$i") &
	keep_pids="${keep_pids:-} $!"
done
wait $keep_pids
is 'of eight ADDs of one attachment one succeeds' "$(cat "$scratch"/same-* | sort | uniq -c | awk '{print $1,$2,$3}' | tr '\n' ';')" \
	'1 0 ;7 1 100;'
cni DEL p1 /run/netns/p1 eth0 < <(net_conf)
is 'one DEL is enough' "$(inventory)" "$start"
