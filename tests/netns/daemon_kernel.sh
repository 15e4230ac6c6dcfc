#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A kernel without something the daemon needs: one line that names it, and nothing
# is changed (F17). The missing part is a system call that strace makes fail.
. "$(dirname "$0")/lib.sh"
command -v strace >/dev/null || world_skip 'needs strace'
strace -qq -o /dev/null true 2>/dev/null || world_skip 'strace may not trace here'
export ASAN_OPTIONS=detect_leaks=0 # in a sanitized build: its leak check cannot run under strace

without() { # system-call errno what-the-line-says
	said=$(strace -f -qq -o /dev/null -e "inject=$1:error=$2" "$BUILD/bulkheadd" --manifests "$manifests" \
		--run-dir "$run_dir" --pin-root "$pin_root" 2>&1)
	is "without $1 ($2) the daemon does not start" $? 1
	is "it says so in one line ($1)" "$(printf '%s\n' "$said" | wc -l)" 1
	like "the line names what is missing ($1)" "$said" "$3"
	check "no program or map is left ($1)" [ ! -e "$pin_root" ]
	check "nobody listens ($1)" [ ! -e "$run_dir/bulkhead.sock" ]
}
without membarrier ENOSYS 'membarrier'
without bpf EPERM 'CAP_BPF'
without bpf ENOSYS 'bpf\(\)'
check 'with everything there, it starts' daemon_start "$manifests"
