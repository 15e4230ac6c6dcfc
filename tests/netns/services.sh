#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Services for real pods, over manifests: ClusterIPs of both families, TCP, UDP and SCTP,
# under policy on the backend (R25), a pod's own Service (R17), affinity, who of the
# endpoints serves, live connections while endpoints and policies change, and a daemon that
# is killed meanwhile.
. "$(dirname "$0")/lib.sh"

pod() { # name labels: its object
	printf -- '---\nkind: Pod\nmetadata: { name: %s, namespace: shop, labels: { %s } }\n' "$1" "$2"
	printf 'spec: { containers: [{ name: c, ports: [{ name: web, containerPort: 8080 }] }] }\n'
}
{
	pod client 'app: client'
	pod one 'app: web'
	pod two 'app: web'
	pod alone 'app: alone'
} >"$manifests/pods.yaml"

service() { # name selector spec
	printf -- '---\nkind: Service\nmetadata: { name: %s, namespace: shop }\nspec:\n  selector: { app: %s }\n%s\n' "$@"
}
vip4() { echo "10.96.0.$1"; }
vip6() { echo "fd00:96::$1"; }
all_ports='  ports:
    - { name: web, port: 80, targetPort: web }
    - { name: web-udp, port: 80, targetPort: 8080, protocol: UDP }
    - { name: sig, port: 9, targetPort: 9, protocol: SCTP }'
{
	service web web "  clusterIPs: [$(vip4 10), \"$(vip6 10)\"]
$all_ports"
	service alone alone "  clusterIPs: [$(vip4 20), \"$(vip6 20)\"]
$all_ports"
	service sticky web "  clusterIP: $(vip4 30)
  sessionAffinity: ClientIP
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 2 } }
  ports: [{ port: 80, targetPort: 8080 }]"
	service nobody nobody "  clusterIPs: [$(vip4 40), \"$(vip6 40)\"]
  ports: [{ port: 80, targetPort: 8080 }]"
} >"$manifests/services.yaml"

try() { # from address what
	pod_exec "$1" "$PROBE" try -t "${probe_ms:-400}" "$2,$3" | grep -oE '(yes|no)$'
}
opens() { [ "$(try "$@")" = yes ]; }
shut() { [ "$(try "$@")" = no ]; }
accepted() { # pod: TCP connections it has accepted so far
	pod_exec "$1" awk '$1 == "Tcp:" && $7 ~ /^[0-9]+$/ { print $7 }' /proc/net/snmp
}
times() { # n command...
	local n=$1
	shift
	for ((; n; n--)); do "$@" || return 1; done
}

# --- same node, each family and protocol
daemon_start "$manifests" || exit 1
for name in client one two alone; do pod_add shop $name || exit 1; done
for name in one two alone; do pod_serve $name tcp/8080 udp/8080 sctp/9 tcp/8081 || exit 1; done
check 'a ClusterIP answers' wait_for 5 opens client "$(vip4 10)" tcp/80
for family in 4 6; do
	check "ClusterIP over IPv$family, TCP" times 5 opens client "$(vip$family 10)" tcp/80
	check "ClusterIP over IPv$family, UDP" times 5 opens client "$(vip$family 10)" udp/80
	check "ClusterIP over IPv$family, SCTP" times 5 opens client "$(vip$family 10)" sctp/9
	check "a port that no Service has stays shut, IPv$family" shut client "$(vip$family 10)" tcp/81
done
before_one=$(accepted one) before_two=$(accepted two)
times 30 opens client "$(vip4 10)" tcp/80
check 'both backends serve' eval '[ "$(accepted one)" -gt "$before_one" ] && [ "$(accepted two)" -gt "$before_two" ]'

# --- a pod and its own Service (R17), under a policy that allows nothing
cat >"$manifests/deny.yaml" <<'END'
kind: NetworkPolicy
metadata: { name: alone, namespace: shop }
spec: { podSelector: { matchLabels: { app: alone } }, policyTypes: [Ingress, Egress] }
END
check 'alone is isolated' wait_for 5 shut client "$(vip4 20)" tcp/80
for family in 4 6; do
	check "it reaches itself through its Service, IPv$family TCP" times 3 opens alone "$(vip$family 20)" tcp/80
	check "it reaches itself through its Service, IPv$family UDP" times 3 opens alone "$(vip$family 20)" udp/80
	check "it reaches itself through its Service, IPv$family SCTP" opens alone "$(vip$family 20)" sctp/9
	check "and nothing else, IPv$family" shut alone "$(vip$family 10)" tcp/80
done
like 'the drop names the Service' "$(ctl drops)" 'shop/alone .*-> shop/(one|two) .*port 8080 by Service shop/web \((10\.96\.0\.10|fd00:96::10) port 80\)'
rm "$manifests/deny.yaml"

# --- policy on the backend's port (R25), live
cat >"$manifests/policy.yaml" <<'END'
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: client } } }], ports: [{ port: 8080 }] }]
END
check 'a rule for the backend port lets the Service port through' wait_for 5 eval \
	'opens client $(vip4 10) tcp/80 && shut client $(vip4 10) udp/80 && denied client one tcp/8081'
(exec nsenter --net=/run/netns/shop.client "$PROBE" hold "$(vip4 10)" 80 >"$scratch/hold-vip" 2>&1) &
keep hold-vip $!
check 'a connection through the Service stands' wait_for 3 grep -q '^up' "$scratch/hold-vip"
sed -i 's/port: 8080/port: 80/' "$manifests/policy.yaml"
check 'it is cut when the rule names the Service port instead' wait_for 6 hold_is_cut vip
check 'and new ones do not open' shut client "$(vip4 10)" tcp/80
rm "$manifests/policy.yaml"
check 'open again' wait_for 5 opens client "$(vip4 10)" tcp/80

# --- no endpoint: refused, with a reason of its own
check 'a Service without endpoints answers nobody' shut client "$(vip4 40)" tcp/80
for family in 4 6; do
	# by the words of the client's own kernel, in far less than a timeout
	like "and is refused at once, IPv$family" "$(pod_exec client timeout 20 bash -c "exec 3<>/dev/tcp/$(vip$family 40)/80" 2>&1)" \
		'Connection refused'
done
like 'and says so' "$(ctl drops)" 'shop/client .*10\.96\.0\.40.*no endpoint serves this Service'

# --- affinity
before_one=$(accepted one) before_two=$(accepted two)
times 12 opens client "$(vip4 30)" tcp/80
one=$(($(accepted one) - before_one)) two=$(($(accepted two) - before_two))
check 'affinity keeps one backend' eval '[ $((one * two)) = 0 ] && [ $((one + two)) = 12 ]'

# --- endpoints said by slices
slice() { # name addresses... as ADDRESS:ready:serving:terminating
	local name=$1 endpoint addr
	shift
	printf 'kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\n'
	printf 'metadata: { name: %s, namespace: shop, labels: { kubernetes.io/service-name: web } }\n' "$name"
	printf 'addressType: IPv4\nports: [{ name: web, port: 8080 }, { name: web-udp, port: 8080, protocol: UDP }]\nendpoints:\n'
	for endpoint; do
		IFS=: read -r addr ready serving terminating <<<"$endpoint"
		printf '  - { addresses: [%s], conditions: { ready: %s, serving: %s, terminating: %s } }\n' \
			"$addr" "$ready" "$serving" "$terminating"
	done
}
put_slice() {
	slice web "$@" >"$scratch/slice" && mv "$scratch/slice" "$manifests/slice.yaml"
}
only() { # pod other: new connections go to the one and not to the other
	local one two
	one=$(accepted "$1") two=$(accepted "$2")
	times 8 opens client "$(vip4 10)" tcp/80 && [ $(($(accepted "$1") - one)) = 8 ] && [ "$(accepted "$2")" = "$two" ]
}
put_slice "$(pod_addr one 4):true:true:false" "$(pod_addr two 4):false:false:false"
check 'an endpoint that is not ready gets nothing' wait_for 5 only one two
put_slice "$(pod_addr one 4):false:true:true" "$(pod_addr two 4):true:true:false"
check 'nor one that terminates, while another is ready' wait_for 5 only two one
put_slice "$(pod_addr one 4):false:true:true" "$(pod_addr two 4):false:false:true"
check 'but it serves when no one else does' wait_for 5 only one two
put_slice "$(pod_addr one 4):false:false:true"
check 'and not when it has stopped serving' wait_for 5 shut client "$(vip4 10)" tcp/80

# --- live flows while endpoints change: TCP stays, UDP asks again
put_slice "$(pod_addr one 4):true:true:false"
check 'back' wait_for 5 only one two
(exec nsenter --net=/run/netns/shop.client "$PROBE" hold "$(vip4 10)" 80 >"$scratch/hold-vip" 2>&1) &
keep hold-vip $!
wait_for 3 grep -q '^up' "$scratch/hold-vip"
put_slice "$(pod_addr one 4):false:true:true" "$(pod_addr two 4):true:true:false"
check 'new connections go to the new endpoint' wait_for 5 only two one
sleep 0.5
check 'the old connection goes on to the old one' eval '! hold_is_cut vip'
daemon_stop KILL
check 'with the daemon dead, Services go on' times 10 opens client "$(vip4 10)" tcp/80
check 'and so does the connection' eval '! hold_is_cut vip'
daemon_start "$manifests" || exit 1
check 'a restart changes nothing' only two one
check 'nor does it cut' eval '! hold_is_cut vip'
hold_stop vip
rm "$manifests/slice.yaml"

# --- an external backend, and one of the node itself
ip addr add 192.0.2.1/32 dev lo
"$PROBE" serve tcp/8080 udp/8080 >/dev/null 2>&1 &
keep node-serve $!
cat >"$manifests/manual.yaml" <<END
kind: Service
metadata: { name: manual, namespace: shop }
spec: { clusterIP: $(vip4 50), ports: [{ port: 80, targetPort: 8080 }, { name: u, port: 80, protocol: UDP }] }
---
kind: EndpointSlice
apiVersion: discovery.k8s.io/v1
metadata: { name: manual, namespace: shop, labels: { kubernetes.io/service-name: manual } }
addressType: IPv4
ports: [{ name: '', port: 8080 }, { name: u, port: 8080, protocol: UDP }]
endpoints: [{ addresses: [192.0.2.1] }]
END
check "a Service without selector leads to the node's own address" wait_for 5 opens client "$(vip4 50)" tcp/80
check 'over UDP too' opens client "$(vip4 50)" udp/80
check 'the slice is forgotten' wait_for 5 eval "ctl services | grep -qE 'shop/web .*SCTP +ok'"
like 'bulkheadctl shows who serves' "$(ctl services)" 'shop/web +10\.96\.0\.10:80/TCP +ok .*10\.244\.1\.[0-9]+:8080 shop/one'
like 'and who does not' "$(ctl services)" 'shop/nobody +10\.96\.0\.40:80/TCP +no endpoints'
daemon_stop
echo 'services: off' >"$scratch/off.yaml"
daemon_start "$manifests" --config "$scratch/off.yaml" || exit 1
check 'off: nothing is translated' wait_for 5 shut client "$(vip4 50)" tcp/80
is 'and the tables are empty' "$(ctl services -o json | tr -d ' \t\n' | grep -oE '"fronts":[0-9]+')" '"fronts":0'
