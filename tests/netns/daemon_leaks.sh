#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A hundred pods join and leave by the real plugin while the daemon runs under
# valgrind: it must lose no byte and no descriptor, and leave nothing behind.
. "$(dirname "$0")/lib.sh"

command -v valgrind >/dev/null || world_skip 'needs valgrind'
! is_sanitized || world_skip 'valgrind cannot run a sanitized binary'
cat >"$manifests/world.yaml" <<'END'
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { template: { metadata: { labels: { app: web } } } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Ingress, Egress]
  ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }]
END
# valgrind knows neither what bpf(2) writes nor that the walk of a map begins with
# no key at all.
cat >"$scratch/bpf.supp" <<'END'
{
   a walk begins without a key
   Memcheck:Param
   bpf(attr->key)
   ...
   fun:bpf_map_get_next_key
}
END
start_under_valgrind() {
	valgrind --quiet --vgdb=no --child-silent-after-fork=yes --undef-value-errors=no --suppressions="$scratch/bpf.supp" \
		--leak-check=full --show-leak-kinds=definite,indirect,possible \
		--errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 --log-file="$scratch/valgrind.log" "$BUILD/bulkheadd" --manifests "$manifests" \
		--run-dir "$run_dir" --pin-root "$pin_root" >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon $daemon_pid
	wait_for 60 daemon_ready
}
count_fds() { # a closed connection's descriptor goes within half a second
	sleep 1
	ls "/proc/$daemon_pid/fd" | wc -l
}
join_and_leave() {
	local i round
	for round in 1 2 3 4 5 6 7 8 9 10; do
		for i in 0 1 2 3 4 5 6 7 8 9; do pod_add shop "web-$round-$i" || return 1; done
		metrics >/dev/null
		for i in 0 1 2 3 4 5 6 7 8 9; do pod_del "shop/web-$round-$i" || return 1; done
	done
}

does 'the daemon starts under valgrind' start_under_valgrind
pod_add shop web-0-0 && pod_del shop/web-0-0
before=$(inventory)
fds=$(count_fds)
does 'a hundred pods join and leave' join_and_leave
is 'no descriptor is left open' "$(count_fds)" "$fds"
is 'nothing is left behind' "$(inventory)" "$before"
metrics | grep -q '^bulkhead_endpoints 0$'
is 'the daemon counts no endpoint' $? 0
kill -TERM "$daemon_pid"
wait "$daemon_pid"
is 'valgrind found nothing' $? 0
# Debian's does not know that many rows can be read and written at once.
is 'and said nothing' "$(grep -vE 'unhandled eBPF command (24|26)' "$scratch/valgrind.log")" ''
