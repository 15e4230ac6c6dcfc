# SPDX-License-Identifier: Apache-2.0
# A node whose objects come from the scripted API server (fake_api.c). Sourced after
# lib.sh; the server runs from then on.
#
#   api COMMAND                    as fake_api.c knows them; false: it did not obey
#   pod_object NAME APP            a pod of namespace shop
#   policy_object NAME SPEC        a policy there, SPEC as JSON
#   kube_daemon_start [FLAG...]    the daemon on that server; waits for nothing
#   status_says PATTERN            in `bulkheadctl status -o json`, without blanks
#   readyz_says PATTERN            in a line of /readyz
#   cert_new NAME DAYS [IP [CA]]   makes $scratch/NAME.crt and .key, of the authority ca
#
# With tls=1 the server speaks TLS, by the certificate "server".

cert_new() { # name days [address [authority]]
	local name=$scratch/$1 ca=$scratch/${4:-ca}
	[ -e "$ca.crt" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj "/CN=${ca##*/}" -keyout "$ca.key" -out "$ca.crt" 2>/dev/null || return 1
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$name.key" \
		-out "$name.csr" 2>/dev/null &&
		openssl x509 -req -in "$name.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -days "$2" \
			-extfile <(echo "subjectAltName=IP:${3:-127.0.0.1}") -out "$name.crt" 2>/dev/null
}
scheme=http authority= api_tls=()
if [ -n "${tls:-}" ]; then
	cert_new server 30 || exit 1
	scheme=https authority="certificate-authority: $scratch/ca.crt"
	api_tls=("$scratch/server.crt" "$scratch/server.key")
fi

mkfifo "$scratch/api-in"
"$BUILD/fake-api" "${api_tls[@]}" <"$scratch/api-in" >"$scratch/api-out" 2>"$scratch/api-err" &
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
clusters: [{ name: test, cluster: { server: "$scheme://127.0.0.1:$port", $authority } }]
users: [{ name: test, user: { tokenFile: $scratch/token } }]
END
echo canary-of-a-token >"$scratch/token"

kube_daemon_start() { # flags...
	"$BUILD/bulkheadd" --kubeconfig "$scratch/kubeconfig" --run-dir "$run_dir" --pin-root "$pin_root" \
		"$@" >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
}
status_says() { ctl status -o json 2>/dev/null | tr -d '[:space:]' | grep -qE "$1"; }
readyz() {
	exec 9<>/dev/tcp/127.0.0.1/9470 || return 1
	printf 'GET /readyz HTTP/1.0\r\n\r\n' >&9
	cat <&9
	exec 9>&-
}
readyz_says() { readyz | grep -qE -- "$1"; }
