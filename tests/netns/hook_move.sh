#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Interfaces move from filters to links some time after their ADD (agent_hooks.c). Under
# steady traffic, allowed and denied, direct, through Services, between pods and to the
# outside: nothing allowed is lost, nothing denied passes, and what the counters say is
# what the interfaces carried. Then the daemon's death after each step of a move, and a
# DEL there (F10).
. "$(dirname "$0")/lib.sh"
[ -z "${BULKHEAD_HOOK:-}" ] || world_skip 'filters are to stay'
net_families=4
moves=${MOVES:-25}
rate=100 # for each of five: what sockets hold even if nobody reads for a while

pair_objects >"$manifests/pair.yaml"
printf 'kind: Pod\nmetadata: { name: late, namespace: shop }\n' >"$manifests/late.yaml"
cat >"$manifests/objects.yaml" <<'END'
kind: Service
metadata: { name: db, namespace: shop }
spec:
  selector: { app: db }
  clusterIP: 10.96.0.10
  ports:
    - { name: t, port: 8080, targetPort: 82 }
    - { name: u, port: 8080, targetPort: 82, protocol: UDP }
    - { name: t-denied, port: 8081, targetPort: 83 }
    - { name: u-denied, port: 8081, targetPort: 83, protocol: UDP }
---
kind: Service
metadata: { name: outside, namespace: shop }
spec:
  clusterIP: 10.96.0.20
  ports:
    - { name: t, port: 9090, targetPort: 92 }
    - { name: u, port: 9090, targetPort: 92, protocol: UDP }
    - { name: t-denied, port: 9091, targetPort: 93 }
    - { name: u-denied, port: 9091, targetPort: 93, protocol: UDP }
---
kind: EndpointSlice
apiVersion: discovery.k8s.io/v1
metadata: { name: outside, namespace: shop, labels: { kubernetes.io/service-name: outside } }
addressType: IPv4
ports:
  - { name: t, port: 92 }
  - { name: u, port: 92, protocol: UDP }
  - { name: t-denied, port: 93 }
  - { name: u-denied, port: 93, protocol: UDP }
endpoints: [{ addresses: [192.0.2.2] }]
---
kind: NetworkPolicy
metadata: { name: web-egress, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: db } } }]
    - to: [{ ipBlock: { cidr: 192.0.2.0/24 } }]
      ports: [{ port: 90 }, { port: 90, protocol: UDP }, { port: 92 }, { port: 92, protocol: UDP }]
---
kind: NetworkPolicy
metadata: { name: db-more, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ ipBlock: { cidr: 192.0.2.0/24 } }]
      ports: [{ port: 80 }, { port: 80, protocol: UDP }]
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 82 }, { port: 82, protocol: UDP }]
END
# Services lead to ports of their own: translated, two connections of one pod could be
# one and the same. Every beat opens connections, and none of them is to be refused for their number.
printf 'flowQuota: 65536\n' >"$scratch/settings.yaml"

# A machine of the world, for what goes through the node's own stack.
outside=192.0.2.2
netns_new outside >/dev/null
ip link add up0 type veth peer name eth0 netns outside
ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up
ip -n outside addr add $outside/24 dev eth0 && ip -n outside link set eth0 up
ip -n outside route add default via 192.0.2.1
mkdir -p "$scratch/pods/outside"
echo $outside >"$scratch/pods/outside/addresses"
serve_outside() {
	(exec nsenter --net=/run/netns/outside "$PROBE" serve {tcp,udp}/{90,91,92,93} >/dev/null 2>&1) &
	sleep 0.3
}

host_link() { jq -r '.interfaces[0].name' "$(pod_file "$1")/result"; }
number() { ip -o link show "$(host_link "$1")" | cut -d: -f1; }
links() { find "$pin_root/links" -name "$(number "$1")-*" | wc -l; }
filters() { hooks=$(hooks_of "$(host_link "$1")") && echo $((hooks - $(links "$1"))); }
form() { echo "$(filters "$1") $(links "$1")"; } # filters and links
has_links() { [ "$(form "$1")" = '0 2' ]; }
steps() { # pod step...
	local pod=$1
	shift
	"$BUILD/hook-steps" "$pin_root" "$(number "$pod")" "$@"
}
cni_check() { # pod
	local file
	file=$(pod_file "$1")
	cni CHECK "$(cat "$file/id")" "/run/netns/shop.$1" eth0 < <(net_conf ",\"prevResult\":$(cat "$file/result")")
}

start() { daemon_start "$manifests" --config "$scratch/settings.yaml"; }
does 'the daemon starts' start
for name in web db; do
	check "$name joins" pod_add shop $name
	is 'its ADD leaves filters' "$(form $name)" '2 0'
done
check 'they move when no more come' wait_for 10 has_links web
check 'one after the other' wait_for 10 has_links db
check 'CHECK agrees' cni_check web
pod_serve db {tcp,udp}/{80,81,82,83} || exit 1
serve_outside

# --- under traffic
traffic_starts() {
	local service addr good bad
	beat_rate=$rate beat_start web db 80 81
	for service in 10.96.0.10:8080:8081 10.96.0.20:9090:9091 $outside:90:91; do
		IFS=: read -r addr good bad <<<"$service"
		(exec nsenter --net=/run/netns/shop.web "$BUILD/beat" "$rate" "$addr" "$good" "$bad" >"$scratch/beat-$addr" 2>&1) &
		keep "beat-$addr" $!
	done
	(exec nsenter --net=/run/netns/outside "$BUILD/beat" "$rate" "$(pod_addr db)" 80 81 >"$scratch/beat-outside" 2>&1) &
	keep beat-outside $!
	sleep 0.3
}
traffic_judged() { # when
	local who name good bad
	for who in web:80:81 10.96.0.10:8080:8081 10.96.0.20:9090:9091 $outside:90:91 outside:80:81; do
		IFS=: read -r name good bad <<<"$who"
		beat_stop "$name" >"$scratch/said-$name"
		check "$1: nothing allowed is lost on the way of $name" beat_lost_none "$name" "$good"
		check "$1: nothing denied passes on the way of $name" beat_passed_none "$name" "$bad"
		cat "$scratch/said-$name"
	done
}
carried() { # rx|tx: what all pods' own interfaces have carried
	local sum=0 name
	for name in web db; do
		sum=$((sum + $(ip -n shop.$name -j -s link show eth0 | jq ".[0].stats64.$1.packets")))
	done
	echo $sum
}
counted() { # direction reason-pattern
	metrics | awk -v want="direction=\"$1\"" -v reason="reason=\"$2\"" \
		'/^bulkhead_packets_total/ && index($0, want) && $0 ~ reason { n += $NF } END { printf "%d\n", n }'
}
totals() { sleep 0.3; echo "$(carried tx) $(counted egress '[^"]*') $(carried rx) $(counted ingress pass)"; }
same_growth() { # before after
	local tx egress rx ingress tx2 egress2 rx2 ingress2
	read -r tx egress rx ingress <<<"$1"
	read -r tx2 egress2 rx2 ingress2 <<<"$2"
	echo "pods sent $((tx2 - tx)), counted $((egress2 - egress)); pods got $((rx2 - rx)), counted $((ingress2 - ingress))"
	[ $((tx2 - tx)) -gt 300 ] && [ $((tx2 - tx)) -eq $((egress2 - egress)) ] && [ $((rx2 - rx)) -eq $((ingress2 - ingress)) ]
}

before=$(totals)
traffic_starts
failed=''
for i in $(seq "$moves"); do
	for name in web db; do steps $name back || failed="$failed $i-back-$name"; done
	for name in web db; do steps $name forth || failed="$failed $i-forth-$name"; done
done
is "$moves times back and forth" "$failed" ''
traffic_judged "$moves moves"
after=$(totals)
check 'each packet was counted once' same_growth "$before" "$after"
echo "# $(same_growth "$before" "$after")"
is 'they are links' "$(form web), $(form db)" '0 2, 0 2'

# --- death after each step, and what comes next
all_steps=(flag link-from drop-from link-to drop-to)
for n in $(seq 0 ${#all_steps[@]}); do
	name="after ${all_steps[n - 1]}"
	[ "$n" -gt 0 ] || name='before the first step'
	steps web back || exit 1
	before=$(totals)
	daemon_stop KILL
	[ "$n" -eq 0 ] || steps web "${all_steps[@]:0:n}" || exit 1
	traffic_starts
	check "$name: CHECK agrees" cni_check web
	sleep 0.5
	does "$name: the next daemon starts" start
	[ "$n" -lt 2 ] || is "$name: it finds a link and no filter beside it" "$(($(links web) + $(filters web)))" 2
	check "$name: and goes on" wait_for 10 has_links web
	traffic_judged "$name"
	check "$name: each packet was counted once" same_growth "$before" "$(totals)"
done

# --- the daemon ended by surprise while it moves
has_link() { [ "$(links web)" -gt 0 ]; }
before=$(totals)
traffic_starts
ended=''
for i in $(seq "${ENDS:-6}"); do
	steps web back || ended="$ended $i-back"
	daemon_stop KILL
	start || ended="$ended $i"
	wait_for 10 has_link || ended="$ended $i-link"
	sleep "0.0$((i * 5 % 8))"
	if [ $((i % 2)) = 0 ]; then daemon_stop TERM; else daemon_stop KILL; fi
	cni_check web || ended="$ended $i-check"
	start || ended="$ended $i-start"
done
is 'ended while it moves, it starts again' "$ended" ''
check 'and goes on' wait_for 10 has_links web
traffic_judged 'ended while it moves'
check 'ended while it moves: each packet was counted once' same_growth "$before" "$(totals)"

# --- DEL at each step
for n in $(seq 0 ${#all_steps[@]}); do
	pod_add shop late || exit 1
	[ "$n" -eq 0 ] || steps late "${all_steps[@]:0:n}" || exit 1
	index=$(number late)
	check "DEL after $n steps" pod_del late
	is "DEL after $n steps leaves no pin" "$(find "$pin_root/links" -name "$index-*")" ''
done

# --- interfaces that go while they are moved: by DEL, and without a word
for i in $(seq 8); do
	pod_add shop late || exit 1
	index=$(number late)
	while kill -0 $$ && "$BUILD/hook-steps" "$pin_root" "$index" forth back; do :; done >/dev/null 2>&1 &
	mover=$!
	sleep "0.0$((i * 7 % 9))"
	if [ $((i % 2)) = 0 ]; then
		pod_del late || failed="$failed $i"
	else
		ip link del "$(host_link late)"
		pod_del late || failed="$failed $i"
	fi
	kill $mover 2>/dev/null
	wait $mover 2>/dev/null
done
is 'pods leave while they are moved' "$failed" ''
check 'nothing is left of them' wait_for 15 eval '[ "$(ls "$pin_root/links" | wc -l)" = 4 ]'
daemon_stop
