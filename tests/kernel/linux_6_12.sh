#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian 12's newer kernel, which has TCX.
exec "$(dirname "$0")/boot.sh" linux-image-6.12-amd64 \
	"${BUILD:-build}"/tests/bpf/test_{hook,policy,service,icmp} \
	tests/netns/e2e_traffic.sh tests/netns/services.sh
