#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cluster.sh where there is IPv4 and nothing else: what a cluster of one family may miss.
families=4
CLUSTER_PARTS=${CLUSTER_PARTS:-cluster_start install workload policies services probes translation uninstall}
. "$(dirname "$0")/cluster.sh"
