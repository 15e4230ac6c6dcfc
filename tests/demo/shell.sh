#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A shell on a private node with the demo's pods, for trying policies by hand. It
# ends with everything in it.
set -u
world_required=1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../netns/lib.sh"
. "$here/shop.sh"

pods_manifest | manifest pods
daemon_start "$manifests" || exit 1
for pod in "${pods[@]}"; do
	pod_add shop "$pod" && pod_serve "$pod" "${port[$pod]}" || exit 1
done

cat >"$scratch/rc" <<EOF
PATH=$BUILD:\$PATH
PS1='node:shop# '
cd "$manifests"
EOF
export BUILD PROBE scratch manifests
export -f pod_file pod_exec pod_addr reach_says reaches denied
printf '%s\n' "The pods ${pods[*]} of namespace shop run on this private node." \
	'Policies go into this folder as YAML files and are in force when they are saved.' \
	'  reaches stolen db && echo open || echo closed     a real connection' \
	'  bulkheadctl drops, bulkheadctl explain shop/stolen shop/db 5432, bulkheadctl matrix' \
	'  pod_exec web COMMAND...                           a command inside a pod' \
	'exit ends the node.'
bash --noprofile --rcfile "$scratch/rc" -i
