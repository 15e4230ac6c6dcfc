#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian 12's own kernel, which has no TCX: its verifier takes the programs, hooks are
# clsact filters, and pods meet each other by policy.
exec "$(dirname "$0")/boot.sh" linux-image-amd64 \
	"${BUILD:-build}"/tests/bpf/test_{hook,policy,service} tests/netns/e2e_traffic.sh
