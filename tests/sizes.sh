#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints files past 600 lines and functions past 60, and how much was looked at: a
# habit, not an opinion.
cd "$(dirname "$0")/.." || exit 1
ctags --version 2>/dev/null | grep -q Universal || { echo 'sizes: needs universal-ctags' >&2; exit 1; }
files=$(find src bpf include tests -name '*.[ch]' -o -name '*.sh')
wc -l $files | awk '$2 == "total" { next }
	$1 > 600 { print $2 ": " $1 " lines"; past++ }
	END { printf "%d of %d files are past 600 lines\n", past, NR - 1 }'
ctags -x --languages=C --c-kinds=f --fields=+ne --_xformat='%F %N %n %e' $files | awk '
	{ lines = $4 - $3 + 1 }
	lines > 60 { print $1 ":" $3 ": " $2 " has " lines " lines"; past++ }
	lines > longest { longest = lines }
	END { printf "%d of %d functions are past 60 lines, the longest has %d\n", past, NR, longest }'
