#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cni_join.sh once more with the hooks that kernels before TCX have.
BULKHEAD_HOOK=clsact exec "$(dirname "$0")/cni_join.sh" "$@"
