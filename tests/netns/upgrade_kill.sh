#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at every system call of an upgrade to another layout (THREATS F28): the old
# set of tables or the new one judges, never a mix; no packet is lost and none passes;
# the next start, of the version whose set it is, carries on, and of the other one
# refuses. UPGRADE_STEP=1 tries every call; the default takes a sample that starts anew
# at another place each time it runs.
. "$(dirname "$0")/lib.sh"
next=$BUILD/next
[ -x "$next/bulkheadd" ] || world_skip 'needs the next version: make next'
command -v strace >/dev/null || world_skip 'needs strace'
strace -qq -o /dev/null true 2>/dev/null || world_skip 'strace may not trace here'
export ASAN_OPTIONS=detect_leaks=0 # in a sanitized build: its leak check cannot run under strace

pair_objects >"$manifests/objects.yaml"
flags=(--manifests "$manifests" --run-dir "$run_dir" --pin-root "$pin_root" --metrics none --log-level warn)
start() { # build folder
	"$1/bulkheadd" "${flags[@]}" >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	wait_for 10 eval 'pid_is_gone $daemon_pid || synced $daemon_pid' && ! pid_is_gone "$daemon_pid"
}
synced() { kill -0 "$1" && curl -sf --unix-socket "$run_dir/bulkhead.sock" http://node/v1/ready; }
layout() { readlink "$pin_root/current"; }
quietly() { { "$@"; } 2>/dev/null; }
beat_rate=100

world_new() {
	start "$BUILD" && pod_add shop web && pod_add shop db && pod_serve db tcp/80 tcp/81 udp/80 udp/81 &&
		pod_serve web tcp/90 tcp/91 udp/90 udp/91 &&
		hold_start web db 80 && beat_start web db 80 81 && beat_start db web 90 91 || exit 1
	daemon_stop KILL
}
world_judge() { # what happened since world_new
	beat_stop web >/dev/null
	beat_stop db >/dev/null
	beat_lost_none web 80 && beat_lost_none db 90 || lost="$lost $1:$(cat "$scratch"/beat-* | tr ' ' ,)"
	beat_passed_none web 81 && beat_passed_none db 91 || passed="$passed $1"
	hold_stop db
	hold_says db | grep -q '^alive' || cut="$cut $1"
}
world_clear() {
	pod_del web && pod_del db
	rm -rf "$pin_root" "$run_dir"
}

# The daemon of the next version under strace, until it serves or is killed.
upgrade_under_strace() { # strace-options...
	strace -f -qq "$@" "$next/bulkheadd" "${flags[@]}" >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	wait_for 20 eval 'pid_is_gone $daemon_pid || synced $daemon_pid'
	kill -KILL "$(pgrep -P "$daemon_pid")" # what strace runs, if it still does
	wait "$daemon_pid"
}
trial() { # system-call n; leaves the world as it is if the old set is alive
	trials=$((trials + 1))
	quietly upgrade_under_strace -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2"
	# the old version: carries on or refuses
	if quietly start "$BUILD"; then
		[ "$(layout)" = "$old" ] || mixed="$mixed $1:$2:back"
		daemon_stop KILL
		return
	fi
	turned=$((turned + 1))
	start "$next" || stuck="$stuck $1:$2"
	[ "$(layout)" != "$old" ] && [ "$(ls -d "$pin_root"/abi_*)" = "$pin_root/$(layout)" ] ||
		mixed="$mixed $1:$2:left"
	world_judge "$1:$2"
	daemon_stop
	world_clear
	world_new
}

trials=0 turned=0 lost='' passed='' cut='' mixed='' stuck=''
world_new
old=$(layout)
quietly upgrade_under_strace -o "$scratch/trace" -e trace=bpf,unlinkat,mkdir,rename,symlink,membarrier,rmdir
world_judge counting
world_clear
world_new
for call in bpf:317 unlinkat:9 mkdir:21 rename:5 symlink:2 membarrier:3 rmdir:3; do # strace counts each by itself
	step=${UPGRADE_STEP:-${call#*:}}
	call=${call%:*}
	last=$(grep -c " $call(" "$scratch/trace")
	echo "# $call: every ${step}th of $last"
	for n in $(seq $((1 + $(date +%s) % step)) "$step" "$last"); do trial "$call" "$n"; done
done
world_judge end
echo "# $trials trials, $turned ended in the new layout"
check 'kills were tried before and after the change' [ "$turned" -gt 1 ] && [ "$turned" -lt "$trials" ]
is 'no kill lost an allowed packet' "$lost" ''
is 'no kill let a denied packet pass' "$passed" ''
is 'no kill cut a connection' "$cut" ''
is 'each left one layout or the other' "$mixed" ''
is 'the new version always carried on' "$stuck" ''
