# SPDX-License-Identifier: Apache-2.0
# A node whose objects come from the scripted API server (fake_api.c). Sourced after
# lib.sh; the server runs from then on.
#
#   api COMMAND                    as fake_api.c knows them; false: it did not obey
#   pod_object NAME APP            a pod of namespace shop
#   policy_object NAME SPEC        a policy there, SPEC as JSON
#   kube_daemon_start [FLAG...]    the daemon on that server; waits for nothing
#   status_says PATTERN            in `bulkheadctl status -o json`, without blanks

mkfifo "$scratch/api-in"
"$BUILD/fake-api" <"$scratch/api-in" >"$scratch/api-out" 2>"$scratch/api-err" &
keep api $!
exec 8>"$scratch/api-in"
said=1
wait_for 5 test -s "$scratch/api-out" || exit 1
port=$(head -n 1 "$scratch/api-out")
answered() { [ "$(wc -l <"$scratch/api-out")" -ge "$said" ]; }
api() { # command
	said=$((said + 1))
	echo "$1" >&8
	wait_for 5 answered && [ "$(tail -n 1 "$scratch/api-out")" = ok ]
}
pod_object() { api "put|pods|shop|$1|uid-$1|\"app\":\"$2\"|\"spec\":{\"nodeName\":\"n\"}"; }
policy_object() { api "put|networkpolicies|shop|$1|uid-$1||\"spec\":$2"; }

cat >"$scratch/kubeconfig" <<END
apiVersion: v1
kind: Config
current-context: test
contexts: [{ name: test, context: { cluster: test, user: test } }]
clusters: [{ name: test, cluster: { server: "http://127.0.0.1:$port" } }]
users: [{ name: test, user: { token: canary-of-a-token } }]
END

kube_daemon_start() { # flags...
	"$BUILD/bulkheadd" --kubeconfig "$scratch/kubeconfig" --run-dir "$run_dir" --pin-root "$pin_root" \
		"$@" >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
}
status_says() { ctl status -o json 2>/dev/null | tr -d '[:space:]' | grep -qE "$1"; }
