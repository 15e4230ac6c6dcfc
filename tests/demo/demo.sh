#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Zero trust in one screen: real pods wired by the real plugin, real connections,
# every figure measured in this run. Exit 1 if any cell is not what the policies
# say. Everything happens in namespaces that end with this script. NODES=3 spreads the
# pods over so many nodes, each with a daemon of its own, a tunnel between them.
set -u
world_required=1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../netns/lib.sh"

wrong=0 cells=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' dim='' green='' red='' plain=''
fi

act() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
say() { printf '  %s\n' "$*"; }
fail() {
	printf '%s  wrong: %s%s\n' "$red" "$*" "$plain"
	wrong=$((wrong + 1))
}
now_ms() { date +%s%3N; }

. "$here/shop.sh"
[ "${NODES:-1}" -le 1 ] || . "$here/nodes.sh"

# What the policies say, by the evaluator; what the wire says, by connecting.
expected() { ctl explain "shop/$1" "shop/$2" "${port[$2]#tcp/}" >/dev/null 2>&1; }

measure() { # pod: prints "TARGET yes|no" for every other pod
	local targets=() other
	for other in "${pods[@]}"; do
		[ "$other" = "$1" ] || targets+=("$(pod_addr "$other"),${port[$other]}")
	done
	pod_exec "$1" "$PROBE" try -t 500 "${targets[@]}"
}

matrix() {
	local from to got want line passing=0
	declare -A reach=()
	for from in "${pods[@]}"; do measure "$from" >"$scratch/reach-$from" & done
	wait $(jobs -p | grep -vxF "$(cat "$scratch"/keep-* 2>/dev/null)")
	printf '\n  %s%-10s' "$dim" 'from \ to'
	for to in "${pods[@]}"; do printf '%-14s' "$to:${port[$to]#tcp/}"; done
	printf '%s\n' "$plain"
	for from in "${pods[@]}"; do
		printf '  %-10s' "$from"
		for to in "${pods[@]}"; do
			if [ "$from" = "$to" ]; then
				printf '%s%-14s%s' "$dim" '.' "$plain"
				continue
			fi
			line=$(grep -F "$(pod_addr "$to"),${port[$to]} " "$scratch/reach-$from")
			got=${line##* }
			if expected "$from" "$to"; then want=yes; else want=no; fi
			cells=$((cells + 1))
			[ "$got" != yes ] || passing=$((passing + 1))
			if [ "$got" != "$want" ]; then
				reach[$from/$to]="measured ${got:-nothing}, the policies say $want"
				printf '%s%-14s%s' "$red$bold" "WRONG" "$plain"
			elif [ "$got" = yes ]; then
				printf '%s%-14s%s' "$green" 'reaches' "$plain"
			else
				printf '%s%-14s%s' "$red" '-' "$plain"
			fi
		done
		printf '\n'
	done
	for line in "${!reach[@]}"; do fail "$line: ${reach[$line]}"; done
	printf '\n'
	last_passing=$passing
}

# Waits until the daemon has the newest manifests in the kernel.
settle() { # what must become true, as a command
	local deadline=$(($(now_ms) + 3000))
	until "$@"; do
		[ "$(now_ms)" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

printf '%sBulkhead: zero trust between pods%s\n' "$bold" "$plain"
started=$(now_ms)

act "1. A flat cluster: five pods${NODES:+ on $NODES nodes}, no policy"
shop_start || exit 1
for pod in "${pods[@]}"; do
	t=$(now_ms)
	shop_pod "$pod" || exit 1
	say "pod $pod is up at $(pod_addr "$pod") after $(($(now_ms) - t)) ms, its policy in the kernel first"
	pod_serve "$pod" "${port[$pod]}"
done
shop_settled || fail 'the nodes do not know of each other'"'"'s pods'
matrix
flat=$last_passing
say "$flat of 20 paths are open. One stolen pod is the whole cluster."

act '2. Default deny, both directions'
manifest default-deny <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
YAML
settle denied web db || fail 'default deny did not reach the kernel'
matrix
say "$last_passing of 20."

act '3. Only the paths that are needed'
say 'web may reach db:5432 and logging:514; db may reach logging:514. Each side says so.'
manifest paths <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - {to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}
  - {to: [{podSelector: {matchLabels: {app: logging}}}], ports: [{port: 514}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}
  egress:
  - {to: [{podSelector: {matchLabels: {app: logging}}}], ports: [{port: 514}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: logging}
spec:
  podSelector: {matchLabels: {app: logging}}
  ingress:
  - {from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}}], ports: [{port: 514}]}
YAML
settle reaches web db || fail 'the paths did not reach the kernel'
matrix
say "$last_passing of 20: exactly the listed ones."

act '4. The stolen pod tries the database'
reaches stolen db && fail 'the stolen pod reached the database'
drop=$(ctl drops | grep 'shop/stolen.*shop/db.*5432' | tail -n 1)
[ -n "$drop" ] || fail 'the drop was not reported'
say '$ bulkheadctl drops'
printf '%s\n' "$drop" | fold -s -w 96 | sed 's/^/    /'
say '$ bulkheadctl explain shop/stolen shop/db 5432'
ctl explain shop/stolen shop/db 5432 | fold -s -w 96 | sed 's/^/    /'

act '5. A live connection loses its rule; another lives on'
hold_start web db 5432 || fail 'web could not hold a connection to db'
hold_start web logging 514 || fail 'web could not hold a connection to logging'
sleep 0.3
say 'web holds a connection to db and one to logging. The rule web -> db is removed.'
removed=$(now_ms)
sed -i '/matchLabels: {app: db}}}\], ports/d' "$manifests/paths.yaml"
settle hold_is_cut db || fail 'the connection to db was not cut'
say "db:      $(hold_says db), noticed $(($(now_ms) - removed)) ms after the edit (the client waits a second for its echo)"
hold_stop logging
case $(hold_says logging) in
alive*) say "logging: $(hold_says logging) echoes, none lost" ;;
*) fail "the connection to logging did not live: $(hold_says logging)" ;;
esac

act 'The count'
say "$cells cells measured by real connections, $wrong wrong; $(ctl_counts)"
say "$((($(now_ms) - started) / 1000)) seconds; nothing is left behind."
[ "$wrong" -eq 0 ]
