#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The API server is away while pods come and go (THREATS F1, F2, C3): what was known
# is enforced, deletions on the node are handled, known pods join, unknown ones are
# told to come again, the daemon knocks seldom; back again, what changed meanwhile is
# caught up with. $OUTAGE seconds long: 30 by default, 600 for the whole story.
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"
outage=${OUTAGE:-30}

for app in web db job; do pod_object "$app" "$app" || exit 1; done
api 'put|namespaces||shop|uid-shop||' || exit 1
api 'put|pods|shop|far|uid-far|"app":"web"|"spec":{"nodeName":"other"},"status":{"podIPs":[{"ip":"10.99.0.9"}]}' || exit 1
from() { # app: a policy's spec
	printf '{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"%s"}}}],"ports":[{"port":80},{"port":80,"protocol":"UDP"}]}]}' "$1"
}
policy_object db "$(from web)" || exit 1

# Flow records of the steady traffic would fill an hour's quota.
printf 'flowQuota: 65536\ntimeouts: { udp: 20 }\n' >"$scratch/settings.yaml"
start() { kube_daemon_start --config "$scratch/settings.yaml" --pod-wait 1; }
start
wait_for 20 daemon_ready || exit 1
check 'pods join' eval 'pod_add shop web uid-web && pod_add shop db uid-db && pod_add shop job uid-job'
pod_serve shop/db tcp/80 tcp/81 udp/80 udp/81 || exit 1
hold_start web db 80 || exit 1
enforced() { reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81 && denied shop/job shop/db tcp/80; }
far_is() {
	curl -s --unix-socket "$run_dir/bulkhead.sock" 'http://node/v1/explain?from=10.99.0.9&to=shop/db&port=80' |
		grep -q "\"verdict\":\"$1\""
}
check 'the policy holds' enforced
check 'a pod of another node is known' far_is allow
refusals() { nstat -asz TcpAttemptFails | awk '$1 == "TcpAttemptFails" { print $2 }'; } # the node's own: the daemon's

# --- away
beat_rate=200
beat_start web db 80 81
api stop
check 'status says degraded' wait_for 10 status_says '"kind":"pods"[^}]*"degradedSince"'
start_s=$(date +%s) knocked=$(refusals) turns=0 unknown_in='' known_out='' wrong=0 leftover=0 unready=0
api "del|pods|shop|far"                        # what the daemon cannot know yet
policy_object late "$(from nobody | sed 's/"db"/"job"/')"
while [ $(($(date +%s) - start_s)) -lt "$outage" ]; do
	turns=$((turns + 1))
	pod_del shop/job || leftover=$((leftover + 1))
	ctl endpoints -o json | grep -q '"pod": *"job"' && leftover=$((leftover + 1))
	pod_add shop job uid-job 2>/dev/null || known_out="$known_out $(cni_code)"
	pod_add shop "ghost$turns" 2>/dev/null && unknown_in="$unknown_in $turns"
	[ "$(cni_code)" = 11 ] || unknown_in="$unknown_in code:$(cni_code)"
	ip netns del "shop.ghost$turns"
	rm -rf "$scratch/pods/shop.ghost$turns"
	enforced || wrong=$((wrong + 1))
	daemon_ready || unready=$((unready + 1))
	sleep "${pause:-1}"
done
elapsed=$(($(date +%s) - start_s)) knocks=$(($(refusals) - knocked))
echo "# RESULT $elapsed s without the server: $turns times a pod left and came, $knocks connections tried"
is 'known pods join' "$known_out" ''
is 'unknown pods are told to try again later, each time' "$unknown_in" ''
is 'pods that leave are forgotten' "$leftover" 0
is 'the policy holds at every moment' "$wrong" 0
is 'the node stays ready' "$unready" 0
check 'what was known of other nodes counts on' far_is allow
# Full jitter up to 0.8 s, 1.6 s, ... 30 s: on average half of that, a dozen at first.
check 'the daemon knocks seldom' [ "$knocks" -le $((12 + elapsed * 22 / 100)) ]
check 'but it knocks' [ "$knocks" -ge 1 ]

# --- the daemon dies meanwhile
daemon_stop KILL
start
check 'a daemon that starts without the server does not sync' eval '! wait_for 3 daemon_ready'
check 'enforcement is what it was' enforced
pod_del shop/job
pod_add shop job uid-job 2>/dev/null
is 'and takes no pod, known before or not' "$(cni_code)" 11
ip netns del shop.job
rm -rf "$scratch/pods/shop.job"

# --- back
api start
check 'the server is back, and so is the node' wait_for 60 daemon_ready
check 'nothing is degraded' wait_for 60 status_says '"degraded":null'
check 'a pod deleted meanwhile is no peer any more' wait_for 5 far_is deny
check 'a policy made meanwhile is there' eval "ctl policies -o json | grep -q '\"late\"'"
check 'pods join again' pod_add shop job uid-job
check 'under the same policy' enforced
beat_stop web
check 'no allowed packet was lost in all that time' beat_lost_none web 80
check 'and none passed that was denied' beat_passed_none web 81
check 'a connection from before lives' eval '! hold_is_cut db'
hold_stop db
daemon_stop
