#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may include whom. Every #include in src is checked against this table, so
# the rooms stay rooms. TAP on stdout.
set -u
cd "$(dirname "$0")/.." || exit 1
n=0 bad=0

may() { # room, what else it may include (extended regular expressions)
	room=$1
	shift
	allowed="\"$room/"
	for item in "$@"; do allowed="$allowed|$item"; done
	system='<(bulkhead/)?[a-z_0-9/]+\.h>'
	foreign='<(bpf|netlink|cjson|event2|yaml|curl|nftables)[/.]'
	wrong=$(grep -HnE '^#[[:space:]]*include' src/"$room"/*.[ch] |
		grep -vE "include[[:space:]]+($allowed)" |
		{ grep -vE "include[[:space:]]+$system" || true; })
	alien=$(grep -HnE "^#[[:space:]]*include[[:space:]]+$foreign" src/"$room"/*.[ch] |
		grep -vE "include[[:space:]]+($allowed)")
	n=$((n + 1))
	if [ -z "$wrong$alien" ]; then
		echo "ok $n - $room includes only what it may"
	else
		echo "not ok $n - $room includes only what it may"
		printf '%s\n' "$wrong" "$alien" | sed '/^$/d; s/^/# /'
		bad=1
	fi
}

file_only() { # header pattern, the files that may include it
	header=$1
	shift
	found=$(grep -lE "^#[[:space:]]*include[[:space:]]+<$header" -r src --include='*.[ch]' | grep -vE "$1")
	n=$((n + 1))
	if [ -z "$found" ]; then
		echo "ok $n - <$header stops where it should"
	else
		echo "not ok $n - <$header stops where it should"
		printf '%s\n' "$found" | sed 's/^/# /'
		bad=1
	fi
}

may base '<cjson/' '<yaml\.h>'
may policy '"base/(err|text|addr|cleanup)\.h"'
may service '"base/(err|addr)\.h"' '"policy/(model|change)\.h"'
may report '"base/' '"policy/(model|explain)\.h"' '"service/(services|backends)\.h"' '<cjson/'
may kube '"base/' '"policy/(model|change)\.h"' '<cjson/' '<curl/'
may dataplane '"base/' '<bpf/' '<netlink/' '<nftables/'
may cni '"base/' '"dataplane/' '<cjson/'
may agent '"(base|policy|service|report|kube|dataplane)/' '<event2/' '<cjson/'
may cli '"(base|policy|report|kube)/' '<cjson/'
file_only 'yaml\.h' '^src/base/yaml(_line)?\.c$'
file_only 'netlink/' '^src/dataplane/(link|route|neigh|nl)[a-z_]*\.[ch]$'
file_only 'nftables/' '^src/dataplane/nft\.c$'
file_only 'event2/' '^src/agent/'
file_only 'bpf/' '^src/dataplane/'
file_only 'curl/' '^src/kube/api_'

if grep -nE '\b(strcpy|strcat|sprintf|atoi|cJSON_GetObjectItem)\(' -r src --include='*.c' | grep -vE 'text\.c.*sprintf'; then
	echo "not ok $((n += 1)) - no banned calls"
	bad=1
else
	echo "ok $((n += 1)) - no banned calls"
fi
missing=$(find src bpf include tests deploy Makefile -type f ! -name '*.conflist' -exec grep -L SPDX-License-Identifier {} +)
if [ -z "$missing" ]; then
	echo "ok $((n += 1)) - every file names its licence"
else
	echo "not ok $((n += 1)) - every file names its licence"
	printf '%s\n' "$missing" | sed 's/^/# /'
	bad=1
fi
echo "1..$n"
exit $bad
