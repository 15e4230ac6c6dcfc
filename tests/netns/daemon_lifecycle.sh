#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon comes and goes; enforcement stays. Start, stop, restart, kill -9, a
# second daemon, broken manifests, and what the control socket refuses.
. "$(dirname "$0")/lib.sh"

api() { # method path [body]: the reply's status code, a space, its body
	local said
	said=$(curl -s -0 -m 20 --unix-socket "$run_dir/bulkhead.sock" -X "$1" -H Expect: -w " %{http_code}" \
		--data-binary "@-" "http://node$2" <<<"${3:-}") || return 1
	echo "${said##* } ${said% *}" | tr -d "\n"
}
api_is() { [ "$(api "$1" "$2" "${4:-}" | cut -d' ' -f1)" = "$3" ]; }
metric() { metrics | awk -v name="$1" '$1 == name { print $2 }'; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }

cat >"$manifests/pods.yaml" <<'END'
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: shop, labels: { app: db } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: job, namespace: shop }
spec: { template: { metadata: { labels: { app: job } } } }
END
cat >"$manifests/policy.yaml" <<'END'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 80 }]
END

enforced() { # what is true at every moment of this script
	reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81 && denied shop/job-1 shop/db tcp/80
}

does 'the daemon starts and is ready' daemon_start "$manifests"
does 'pods of objects and of a workload join' eval 'pod_add shop web && pod_add shop db && pod_add shop job-1'
pod_serve shop/db tcp/80 tcp/81 || exit 1
check 'the policy holds from the start' enforced
like 'status says synced' "$(api GET /v1/status)" '^200 .*"synced":true'
like 'status counts endpoints' "$(api GET /v1/status)" '"endpoints":3'
like 'endpoints are open and isolated as the policy says' "$(api GET /v1/endpoints)" \
	'"pod":"db"[^]]*.*"state":"open"'
check 'metrics count endpoints' metric_is bulkhead_endpoints 3

out=$("$BUILD/bulkheadd" --manifests "$manifests" --run-dir "$run_dir" --pin-root "$pin_root" --metrics none 2>&1)
is 'a second daemon exits 1' $? 1
is 'with one line' "$(printf '%s\n' "$out" | wc -l)" 1
like 'that names the lock' "$out" 'another bulkheadd holds .*/daemon.lock'
check 'the first one still serves' api_is GET /v1/ready 200

# --- what the control socket refuses
check 'an unknown path is 404' api_is GET /v1/nothing 404
check 'a wrong method is 405' api_is POST /v1/status 405 '{}'
check 'a broken body is 400' api_is POST /v1/attachments 400 '{"containerID":'
like 'a bad field is named' "$(api POST /v1/attachments '{"containerID":"../x"}')" '^400 .*containerID'
body='{"containerID":"x1","ifname":"eth0","slot":900,"ifindex":900,"mac":"02:00:00:00:00:01",'
body=$body'"hostMAC":"02:00:00:00:00:02","addresses":["10.244.1.99"],"namespace":"shop","pod":"web","uid":""}'
like 'an endpoint that nobody claimed is 409' "$(api POST /v1/attachments "$body")" '^409 .*slot 900'
check 'deleting the unknown is 200' api_is DELETE '/v1/attachments?containerID=none&ifname=eth0' 200
check 'deleting without a name is 400' api_is DELETE '/v1/attachments?containerID=none' 400
chmod 0666 "$run_dir/bulkhead.sock"
check 'another user may not change attachments' \
	eval "[ \"\$(setpriv --reuid=65534 --clear-groups bash -c '$(declare -f api); run_dir=$run_dir; api DELETE \"/v1/attachments?containerID=a&ifname=b\"' | cut -d' ' -f1)\" = 403 ]"
chmod 0660 "$run_dir/bulkhead.sock"
check 'a body over the limit is refused' \
	eval '! api_is POST /v1/attachments 200 "$(printf "%070000d" 0)" && api_is GET /v1/ready 200'
check 'an unknown pod is 503 after the wait, and leaves nothing' \
	eval '! pod_add shop stranger 2>/dev/null && api GET /v1/endpoints | grep -vq stranger'
ip netns del shop.stranger

printf 'kind: Pod\nmetadata: { name: late, namespace: shop }\n' >"$scratch/late.yaml"
(sleep 1; mv "$scratch/late.yaml" "$manifests/late.yaml") &
late=$!
does 'a pod may come a little before its object' pod_add shop late
wait "$late"
does 'and leaves' pod_del shop/late

# --- explained
like 'explain says why' "$(api GET '/v1/explain?from=shop/job-1&to=shop/db&port=80')" '"verdict":"deny"'
check 'explain of an unknown name is 404' api_is GET '/v1/explain?from=shop/none&to=shop/db&port=80' 404
check 'explain of a bad port is 400' api_is GET '/v1/explain?from=shop/web&to=shop/db&port=99999' 400
like 'policies carry a revision' "$(api GET /v1/policies)" '"name":"db".*"revision":[0-9]+'
like 'drops are remembered with both names' "$(api GET /v1/drops)" 'shop/job-1.*shop/db'
follow() { # prints drops as they come, until it is killed
	exec curl -s -N -i -0 --unix-socket "$run_dir/bulkhead.sock" 'http://node/v1/drops?follow=1&limit=0'
}
follow >"$scratch/followed" &
follower=$!
wait_for 3 grep -q '^Content-Type' "$scratch/followed"
denied web db tcp/82
check 'who follows sees a drop as it happens' wait_for 3 grep -q '"port":82.*explanation' "$scratch/followed"
kill "$follower"
reaches web db tcp/80
like 'flows are listed' "$(api GET /v1/flows)" '^200 .*"pod":"db"'

# --- gone and back
hold_start web db 80 || exit 1
passed() { metrics | awk '/^bulkhead_packets_total.*reason="pass"/ { sum += $NF } END { print sum }'; }
does 'it stops cleanly' daemon_stop
check 'stopped: the policy holds' enforced
check 'stopped: a live connection lives' eval '! hold_is_cut db'
check 'stopped: no pod can be added' eval '! pod_add shop job-2 2>/dev/null'
ip netns del shop.job-2
does 'it starts again' daemon_start "$manifests"
check 'restarted: the policy holds' enforced
check 'restarted: it knows its endpoints' metric_is bulkhead_endpoints 3
daemon_stop KILL
check 'killed: the policy holds' enforced
does 'it starts after a kill' daemon_start "$manifests"
check 'after the kill: the policy holds' enforced
check 'after the kill: the live connection lives' eval '! hold_is_cut db'
does 'after the kill: a pod can be added' pod_add shop job-3
does 'and removed' pod_del shop/job-3
check 'and is forgotten' metric_is bulkhead_endpoints 3

# --- broken manifests
cp "$manifests/policy.yaml" "$scratch/policy.good"
printf 'kind: NetworkPolicy\nmetadata: [\n' >"$manifests/policy.yaml"
check 'a broken file is noticed' wait_for 3 metric_is bulkhead_manifests_broken 1
check 'it makes the daemon degraded' metric_is bulkhead_degraded 1
like 'the log names file and line' "$(cat "$scratch/daemon.log")" 'policy.yaml:[0-9]+'
check 'its last good objects stay' enforced
does 'pods can still be added' pod_add shop job-4
pod_del shop/job-4
daemon_stop
"$BUILD/bulkheadd" --manifests "$manifests" --run-dir "$run_dir" --pin-root "$pin_root" \
	>>"$scratch/daemon.log" 2>&1 &
daemon_pid=$!
keep daemon $daemon_pid
wait_for 5 api_is GET /v1/status 200
check 'started over a broken file it is not ready' api_is GET /v1/ready 503
check 'nor on the port' eval '[ "$(exec 9<>/dev/tcp/127.0.0.1/9470; printf "GET /readyz HTTP/1.0\r\n\r\n" >&9; head -1 <&9 | cut -d" " -f2)" = 503 ]'
check 'it refuses attachments' api_is POST /v1/attachments 503 "$body"
check 'what was enforced stays' enforced
cp "$scratch/policy.good" "$manifests/policy.yaml"
check 'repaired, it becomes ready' wait_for 3 api_is GET /v1/ready 200
check 'and healthy' wait_for 3 metric_is bulkhead_degraded 0
check 'and enforces the same' enforced

# --- a change arrives, a live connection goes
sed -i 's/port: 80/port: 81/' "$manifests/policy.yaml"
check 'a changed policy applies' wait_for 3 reaches shop/web shop/db tcp/81
check 'the connection it no longer allows is cut' wait_for 5 hold_is_cut db
total=$(passed)
does 'a pod leaves' pod_del shop/job-1
check 'packet totals do not go back with it' eval '[ "$total" -gt 0 ] && [ "$(passed)" -ge "$total" ]'

# --- asked while objects change (what was read anew must not be spoken of: a
# sanitized build tells)
for i in $(seq 60); do
	printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: p%d}\nspec: {podSelector: {matchLabels: {app: none}}}\n' \
		"$i" >"$manifests/churn.yaml"
	api GET /v1/policies >/dev/null &
	api GET '/v1/explain?from=shop/web&to=shop/db&port=80' >/dev/null &
	sleep 0.00$((i % 10))
	api GET /v1/policies >/dev/null
done
check 'asked while its objects change, the daemon answers the newest' \
	wait_for 3 eval "api GET /v1/policies | grep -q '\"name\":\"p60\"'"
kill -HUP "$daemon_pid"
check 'a hangup is no reason to end' api_is GET /v1/ready 200
does 'it stops cleanly again' daemon_stop
