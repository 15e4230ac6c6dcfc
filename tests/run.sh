#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs test programs that speak TAP and sums them up:
#   tests/run.sh PROGRAM... [--beside PROGRAM...]
# one after the other, and those after --beside at the same time: they all live in
# worlds of their own, and most of the time they wait. The last line is "N passed, M failed, K skipped"; exit 1 when M is not 0 or
# nothing ran. A program that fails without saying which test counts as one failure.
# Lines "# RESULT ..." of its output are shown. BULKHEAD_TEST_TIMEOUT (seconds, default
# 600) bounds each program. With BULKHEAD_TEST_SHOW=1 its output is shown while it runs;
# it is always kept in a log.
set -u
logs=${BUILD:-build}/test-logs

count() { grep -cE "$1" "$2" || true; }

# One program: its lines at once when it has ended, and its counts beside its log.
run_one() { # program
	program=$1
	log=$logs/$(echo "$program" | tr '/' '_').log
	started=$(date +%s)
	timeout -k 10 "${BULKHEAD_TEST_TIMEOUT:-600}" "$program" >"$log" 2>&1 </dev/null &
	running=$!
	trap 'kill "$running" 2>/dev/null; exit 130' INT TERM
	[ -z "${BULKHEAD_TEST_SHOW:-}" ] || tail -n +1 -f --pid="$running" "$log"
	wait "$running"
	status=$?
	skip=$(count '^(not )?ok .*# SKIP' "$log")
	ok=$(grep -E '^ok ' "$log" | grep -cv '# SKIP')
	bad=$(grep -E '^not ok ' "$log" | grep -cv '# SKIP')
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
		echo "not ok - $program exited with $status" >>"$log"
	elif [ $((ok + bad + skip)) -eq 0 ]; then
		bad=1
		echo "not ok - $program ran no test" >>"$log"
	fi
	echo "$ok $bad $skip" >"$log.count"
	said=$(summary)
	printf '%s\n' "$said"
}

summary() {
	printf '%-58s %4d passed' "$program" "$ok"
	[ "$bad" -eq 0 ] || printf ', %d FAILED' "$bad"
	[ "$skip" -eq 0 ] || printf ', %d skipped' "$skip"
	printf '  (%ds)\n' $(($(date +%s) - started))
	grep -E '# SKIP' "$log" | sed 's/^/    /'
	sed -n 's/^# RESULT /    /p' "$log"
	if [ "$bad" -ne 0 ]; then
		grep -nE '^not ok' "$log" | grep -v '# SKIP' | head -20 | sed 's/^/    /'
		tail -n 25 "$log" | sed 's/^/    | /'
	fi
}

if [ "${1:-}" = --one ]; then
	run_one "$2"
	exit 0
fi

lane() { # program...
	for program; do "$0" --one "$program"; done
}

mkdir -p "$logs"
rm -f "$logs"/*.count
all= first= beside= to=first
for program; do
	[ "$program" != --beside ] || { to=beside; continue; }
	eval "$to=\"\$$to $program\""
	all="$all $program"
done
set -m # each lane is a process group, to be ended as one
lane $first &
lane1=$!
lane $beside &
lane2=$!
set +m
trap 'kill -TERM -$lane1 -$lane2 2>/dev/null; wait; exit 130' INT TERM
wait $lane1
wait $lane2
for program in $all; do
	log=$logs/$(echo "$program" | tr '/' '_').log
	cat "$log.count" 2>/dev/null || echo '0 1 0' # it did not even end
done | awk '{ ok += $1; bad += $2; skip += $3 }
	END { printf "\n%d passed, %d failed, %d skipped\n", ok, bad, skip; exit !(bad == 0 && ok > 0) }'
