#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kills the plugin at its N-th system call (F7, F9) and makes its N-th system call
# fail (F8). After a kill, DEL cleans up; after a failure, the answer is a CNI error
# or success, and a failed ADD has left nothing. FAULT_STEP=1 tries every N; the
# default takes a sample that starts anew at another place each time it runs.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || world_skip 'needs strace'
strace -qq -o /dev/null true 2>/dev/null || world_skip 'strace may not trace here'
export ASAN_OPTIONS=detect_leaks=0 # in a sanitized build: its leak check cannot run under strace
double_start || exit 1
netns_new pod >/dev/null
conf=$(net_conf)
step=${FAULT_STEP:-17}
first=$(($(date +%s) % step))
echo "# every ${step}th system call from the ${first}th"

add() { cni ADD pod /run/netns/pod eth0 <<<"$conf"; }
del() { cni DEL pod /run/netns/pod eth0 <<<"$conf"; }
add && del || exit 1
left() { inventory; nsenter --net=/run/netns/pod ip -o link; }
start=$(left)

under_strace() { # command strace-options...
	local command=$1
	shift
	out=$(CNI_COMMAND=$command CNI_CONTAINERID=pod CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 CNI_PATH=$IPAM_DIR \
		strace -qq -o "$scratch/trace" "$@" "$BUILD/bulkhead" <<<"$conf" 2>>"$scratch/plugin.log")
	status=$?
}
# Bash says "Killed" for each; that is what we want to see happen, not to read.
quietly() { { "$@"; } 2>/dev/null; }

under_strace ADD
add_calls=$(wc -l <"$scratch/trace")
# Before this the loader is at work, which has no JSON to print.
own_calls=$(grep -n '^umask' "$scratch/trace" | cut -d: -f1)
under_strace DEL
del_calls=$(wc -l <"$scratch/trace")

trials=0 dirty='' refused=''
for n in $(seq $((first + 1)) "$step" "$add_calls"); do
	quietly under_strace ADD -e trace=all -e "inject=all:signal=KILL:when=$n"
	del || refused="$refused $n"
	[ "$(left)" = "$start" ] || dirty="$dirty $n"
	trials=$((trials + 1))
done
is "DEL succeeds after ADD was killed at any of $trials calls" "$refused" ''
is 'and leaves nothing' "$dirty" ''
add
is 'ADD succeeds after all these kills' "$status" 0

trials=0 dirty='' refused=''
for n in $(seq $((first + 1)) "$step" "$del_calls"); do
	quietly under_strace DEL -e trace=all -e "inject=all:signal=KILL:when=$n"
	del || refused="$refused $n"
	[ "$(left)" = "$start" ] || dirty="$dirty $n"
	trials=$((trials + 1))
	add || refused="$refused ADD:$n"
done
del
is "a second DEL succeeds after DEL was killed at any of $trials calls" "$refused" ''
is 'and leaves nothing behind' "$dirty" ''

errors=(EIO ENOMEM EINTR EAGAIN ENOSPC EPERM)
trials=0 dirty='' speechless=''
for n in $(seq $((own_calls + first)) "$step" "$add_calls"); do
	error=${errors[$((n % 6))]}
	quietly under_strace ADD -e trace=all -e "inject=all:error=$error:when=$n"
	if [ "$status" -eq 0 ]; then
		del
	else
		case $out in '{"cniVersion":"1.'*'"code":'*) ;; *) speechless="$speechless $n:$error:$status:$out" ;; esac
	fi
	[ "$(left)" = "$start" ] || dirty="$dirty $n:$error:$(grep INJECTED "$scratch/trace" | cut -c1-60)"
	del
	trials=$((trials + 1))
done
is "ADD answers in JSON whichever of $trials calls fails" "$speechless" ''
is 'and what failed left nothing' "$dirty" ''

trials=0 dirty='' speechless=''
for n in $(seq $((own_calls + first)) "$step" "$del_calls"); do
	error=${errors[$((n % 6))]}
	add
	quietly under_strace DEL -e trace=all -e "inject=all:error=$error:when=$n"
	if [ "$status" -ne 0 ]; then
		case $out in '{"cniVersion":"1.'*'"code":'*) ;; *) speechless="$speechless $n:$error:$status:$out" ;; esac
		del
	fi
	[ "$(left)" = "$start" ] || dirty="$dirty $n:$error:$(grep INJECTED "$scratch/trace" | cut -c1-60)"
	del
	trials=$((trials + 1))
done
is "DEL answers in JSON whichever of $trials calls fails" "$speechless" ''
is 'and what DEL could not do, the next one did' "$dirty" ''
