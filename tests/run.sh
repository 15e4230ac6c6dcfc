#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs test programs that speak TAP and sums them up:
#   tests/run.sh PROGRAM...
# The last line is "N passed, M failed, K skipped"; exit 1 when M is not 0 or
# nothing ran. A program that fails without saying which test counts as one failure.
# Lines "# RESULT ..." of its output are shown. BULKHEAD_TEST_TIMEOUT (seconds, default
# 600) bounds each program. With BULKHEAD_TEST_SHOW=1 its output is shown while it runs;
# it is always kept in a log.
set -u
trap 'kill "$running" 2>/dev/null; exit 130' INT TERM
running=
passed=0 failed=0 skipped=0
logs=${BUILD:-build}/test-logs
mkdir -p "$logs"

count() { grep -cE "$1" "$2" || true; }

for program in "$@"; do
	log=$logs/$(echo "$program" | tr '/' '_').log
	started=$(date +%s)
	timeout -k 10 "${BULKHEAD_TEST_TIMEOUT:-600}" "$program" >"$log" 2>&1 </dev/null &
	running=$!
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
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
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
done
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
