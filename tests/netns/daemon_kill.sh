#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 in the middle of policy changes (THREATS F10, C4): afterwards the kernel
# holds the old policy or the new one, never neither, both, or more; and the next
# daemon carries on to the new one.
. "$(dirname "$0")/lib.sh"

write_policy() { # port: by rename, as a careful operator would
	cat >"$scratch/policy.yaml" <<END
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: $1 }] }]
END
	mv "$scratch/policy.yaml" "$manifests/policy.yaml"
}
cat >"$manifests/pods.yaml" <<'END'
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
---
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
END
write_policy 80
does 'the daemon starts' daemon_start "$manifests" --metrics none
does 'pods join' eval 'pod_add shop web && pod_add shop db'
pod_serve db tcp/80 tcp/81 tcp/82 || exit 1
check 'the first policy holds' eval 'reaches web db tcp/80 && denied web db tcp/81'

port=80 mixed=0 open=0 late=0
for round in $(seq 12); do
	port=$((161 - port))
	write_policy $port
	sleep "0.0$((round % 4 * 6 + 2))" # before, in and after the change
	daemon_stop KILL
	[ "$(reach_says web db tcp/80)" != "$(reach_says web db tcp/81)" ] || mixed=$((mixed + 1))
	denied web db tcp/82 || open=$((open + 1))
	daemon_start "$manifests" --metrics none || break
	wait_for 2 reaches web db tcp/$port && denied web db tcp/$((161 - port)) || late=$((late + 1))
done
is 'every round was played' "$round" 12
is 'no kill left a mix of two policies' "$mixed" 0
is 'no kill opened what neither allows' "$open" 0
is 'every restart arrived at the new policy' "$late" 0
daemon_stop
