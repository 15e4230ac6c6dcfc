#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints files past 600 lines and functions past 60: a habit, not an opinion.
cd "$(dirname "$0")/.." || exit 1
wc -l src/*/*.[ch] bpf/* | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }'
ctags -x --c-kinds=f --fields=+ne --_xformat='%F %N %n %e' src/*/*.c bpf/*.[ch] 2>/dev/null |
	awk '$4 - $3 > 60 { print $1 ":" $3 ": " $2 " has " $4 - $3 " lines" }'
