#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Objects from an API server (a scripted one), enforced on real pods: policies and
# labels come and go, the server goes away and comes back. What it may say wrong: kube_bad_input.sh.
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

start() { kube_daemon_start --pod-wait 2 --log-level debug; }
soon() { wait_for 5 "$@"; }

for app in web db job; do pod_object "$app" "$app" || exit 1; done
api 'put|namespaces||shop|uid-shop||' || exit 1
only_web='{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":80}]}]}'
any_from_job='{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"job"}}}]}]}'
policy_object db "$only_web" || exit 1

# --- a server that refuses: the node takes no pods
api 'fault|/|status=403'
start
wait_for 15 readyz_says 'networkpolicies: not synced, degraded since .*HTTP 403'
check 'a kind that was never listed is named by readyz' \
	readyz_says 'networkpolicies: not synced, degraded since .*HTTP 403'
check 'not synced, STATUS refuses' eval '! daemon_ready'
pod_add shop web uid-web 2>/dev/null
is 'and an ADD is told to try again later' "$(cni_code)" 11
ip netns del shop.web
rm -rf "$scratch/pods/shop.web"
api obey
check 'when the server answers, the daemon is ready' wait_for 40 daemon_ready
check 'every kind is synced then' soon readyz_says 'networkpolicies: synced.?$'

# --- policy that exists before the pods
check 'pods with objects join' eval \
	'pod_add shop web uid-web && pod_add shop db uid-db && pod_add shop job uid-job'
pod_serve shop/db tcp/80 tcp/81 || exit 1
enforced() { reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81 && denied shop/job shop/db tcp/80; }
check 'the policy holds from the first packet' enforced
pod_add shop ghost uid-ghost 2>/dev/null
is 'a pod that no object describes is told to try again later' "$(cni_code)" 11
ip netns del shop.ghost
rm -rf "$scratch/pods/shop.ghost"

# --- an object that comes while the ADD waits for it
(sleep 0.5; echo 'put|pods|shop|late|uid-late|"app":"web"|' >&8) &
keep late $!
check 'a pod whose object comes a moment later joins' pod_add shop late uid-late
said=$((said + 1))
check 'and its labels count' soon reaches shop/late shop/db tcp/80

# --- changes
policy_object db "$any_from_job"
check 'a changed policy is enforced' soon eval 'reaches shop/job shop/db tcp/81 && denied shop/web shop/db tcp/80'
pod_object job other
check 'a relabelled pod loses what its label gave' soon denied shop/job shop/db tcp/81
pod_object web job
check 'a relabelled pod gains what its label gives' soon reaches shop/web shop/db tcp/81
policy_object all '{"podSelector":{},"policyTypes":["Ingress"]}'
pod_serve shop/job tcp/90 || exit 1
check 'a new policy is enforced' soon denied shop/web shop/job tcp/90
api 'del|networkpolicies|shop|all'
check 'a deleted policy is forgotten' soon reaches shop/web shop/job tcp/90
pod_object web web
pod_object job job
policy_object db "$only_web"
check 'and back to the first policy' soon enforced

# --- the server goes away
api stop
check 'status says degraded, by kind' soon status_says '"kind":"networkpolicies"[^}]*"degradedSince"'
check 'enforcement goes on' enforced
check 'the daemon stays ready' daemon_ready
check 'readyz names what is out of date' readyz_says '^pods: synced, degraded since 20.*Z: [a-z]'
pod_del shop/job
check 'a pod that is known joins' pod_add shop job uid-job
check 'under the policy that was known' enforced
pod_add shop ghost uid-ghost 2>/dev/null
is 'an unknown one is told to try again later' "$(cni_code)" 11
ip netns del shop.ghost
rm -rf "$scratch/pods/shop.ghost"
api "put|networkpolicies|shop|db|uid-db||\"spec\":$any_from_job"
api start
check 'what changed meanwhile is enforced when it is back' wait_for 40 eval \
	'reaches shop/job shop/db tcp/81 && denied shop/web shop/db tcp/80'
check 'and nothing is degraded any more' wait_for 40 status_says '"degraded":null'

# --- the daemon restarts while the server is away
api stop
daemon_stop KILL
start
check 'a daemon without a server does not become ready' eval '! wait_for 2 daemon_ready'
check 'what the kernel enforced before stays' eval 'reaches shop/job shop/db tcp/81 && denied shop/web shop/db tcp/80'
api start
check 'and it is ready when the server is' wait_for 40 daemon_ready
check 'with the same policy' eval 'reaches shop/job shop/db tcp/81 && denied shop/web shop/db tcp/80'
check 'the token is in no log' eval '! grep -rq canary-of-a-token "$scratch/daemon.log" "$run_dir"'
daemon_stop
