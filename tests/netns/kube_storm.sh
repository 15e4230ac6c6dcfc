#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# THREATS F34: a policy that changes a thousand times a second, labels that flap, many
# namespaces relabelled at once. The last word counts soon after it is said, the daemon
# does not eat the machine meanwhile, and nothing of it stays in the tables.
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

for app in web db job; do pod_object "$app" "$app" || exit 1; done
api 'put|namespaces||shop|uid-shop||' || exit 1
on_port() { # port: the policy that opens it to web alone
	echo '{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":'"$1"'}]}]}'
}
policy_object db "$(on_port 80)" || exit 1
kube_daemon_start
check 'the daemon syncs' wait_for 20 daemon_ready
check 'pods join' eval 'pod_add shop web uid-web && pod_add shop db uid-db && pod_add shop job uid-job'
pod_serve shop/db tcp/80 tcp/81 || exit 1
check 'the policy holds' eval 'reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81'

cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$daemon_pid/stat"; } # of 100 ticks a second
now_ms() { date +%s%3N; }
mkfifo "$scratch/never"
exec 7<>"$scratch/never"
# Says $1 commands as `words I` gives them, ten in each hundredth of a second.
storm() {
	local i start cpu
	start=$(now_ms) cpu=$(cpu_ms)
	for ((i = 1; i <= $1; i++)); do
		words "$i" >&8
		((i % 10)) || read -rt 0.01 -u 7
	done
	said=$((said + $1))
	wait_for 20 answered || return 1
	storm_ms=$(($(now_ms) - start)) storm_cpu=$(($(cpu_ms) - cpu))
	echo "# $1 events in $storm_ms ms took the daemon $storm_cpu ms"
}
calm() { [ $((storm_cpu * 10)) -lt $((storm_ms * 7)) ]; } # of one core
subjects() { ctl status -o json | jq .subjects; }
verdicts() { ctl status -o json | jq .tables.verdicts.used; }
before="$(subjects) $(verdicts)"
as_before() { [ "$(subjects) $(verdicts)" = "$before" ]; }
soon() { wait_for 2 "$@"; }

words() { echo "put|networkpolicies|shop|db|uid-db||\"spec\":$(on_port $((80 + $1 % 2)))"; }
storm 2001
check 'a policy flapped' [ $? = 0 ]
check 'its last word counts within two seconds' soon eval \
	'reaches shop/web shop/db tcp/81 && denied shop/web shop/db tcp/80'
check 'at less than 70 % of a core' calm
check 'the tables are as large as before' soon as_before
in_force() { ctl policies -o json | jq -e '.policies | all(.revision == .wantedRevision and .revision > 0)'; }
check 'and the policy waits for nothing' in_force

words() { echo "put|pods|shop|web|uid-web|\"app\":\"$( ((${1} % 2)) && echo web || echo job)\"|\"spec\":{\"nodeName\":\"n\"}"; }
storm 2001
check 'a label flapped' [ $? = 0 ]
check 'its last word counts within two seconds' soon reaches shop/web shop/db tcp/81
check 'at less than 70 % of a core' calm

words() { echo "put|namespaces||many-$1|uid-many-$1|\"team\":\"a\"|"; }
storm 2000
check 'two thousand namespaces came' [ $? = 0 ]
words() { echo "put|namespaces||many-$1|uid-many-$1|\"team\":\"b\"|"; }
storm 2000
check 'and were relabelled' [ $? = 0 ]
policy_object db "$(on_port 80)"
check 'a policy behind them counts within two seconds' soon eval \
	'reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81'
check 'the tables are as large as before' soon as_before

metric() { curl -s http://127.0.0.1:9470/metrics | awk -v name="$1" '$1 == name { print $2 }'; }
check 'the time from hearing of a policy to its commit was taken' eval \
	'[ "$(metric "bulkhead_event_to_kernel_seconds_count{kind=\"networkpolicy\"}")" -gt 10 ]'
check 'and of a pod' eval '[ "$(metric "bulkhead_event_to_kernel_seconds_count{kind=\"pod\"}")" -gt 10 ]'
daemon_stop
