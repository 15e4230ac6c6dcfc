#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A namespace terminates while the daemon is away (R24): its policies are deleted first,
# its pods run on for a while, and stay under the policies of before.
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

for app in web db job; do pod_object "$app" "$app" || exit 1; done
api 'put|namespaces||shop|uid-shop||' || exit 1
policy_object db '{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":80},{"port":80,"protocol":"UDP"}]}]}' || exit 1
memory=$run_dir/kept-policies.json
enforced() { reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81 && denied shop/job shop/db tcp/80; }

kube_daemon_start
wait_for 20 daemon_ready || exit 1
check 'pods join' eval 'pod_add shop web uid-web && pod_add shop db uid-db && pod_add shop job uid-job'
pod_serve shop/db tcp/80 tcp/81 udp/80 udp/81 || exit 1
check 'the policy holds' enforced
is 'its memory is for root alone' "$(stat -c '%a %U' "$memory")" '600 root'

beat_start web db 80 81
daemon_stop KILL
api 'put|namespaces||shop|uid-shop||"status":{"phase":"Terminating"}'
api 'del|networkpolicies|shop|db'
kube_daemon_start
check 'the daemon comes back and syncs' wait_for 20 daemon_ready
sleep 1
check 'the policy that vanished meanwhile holds' enforced
beat_stop web
check 'no allowed packet was lost' beat_lost_none web 80
check 'no denied packet passed' beat_passed_none web 81
daemon_stop
kube_daemon_start
check 'after another restart too' eval 'wait_for 20 daemon_ready && sleep 1 && enforced'

daemon_stop KILL
echo '{"version":1,"policies":[' >"$memory"
kube_daemon_start
check 'a memory that cannot be read does not keep it from starting' wait_for 20 daemon_ready
check 'the pods are isolated then' wait_for 5 eval 'denied shop/web shop/db tcp/80 && denied shop/job shop/db tcp/80'
like 'the log names the file' "$(cat "$scratch/daemon.log")" 'error .*kept-policies.json: line 1'
like 'and the namespace' "$(cat "$scratch/daemon.log")" \
	'namespace shop terminates and what its policies were is not known'

for pod in web db job; do
	pod_del "shop/$pod"
	api "del|pods|shop|$pod"
done
api 'del|namespaces||shop'
check 'with the pods, the memory ends' wait_for 5 eval "! grep -q shop '$memory'"
daemon_stop
