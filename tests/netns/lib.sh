# SPDX-License-Identifier: Apache-2.0
# A private node for tests and the demo. Sourcing this file (bash) moves the
# script into network, mount and PID namespaces of its own, with a private bpffs
# on /sys/fs/bpf and a tmpfs on /run; all of it ends with the script, whatever
# happens. Binaries come from $BUILD (default: build).
#
# Words a script may use:
#   pods        pod_add NAMESPACE NAME [UID]   wires a pod by the real plugin
#               pair_objects                   prints a manifest of two pods that reach each other
#               admits APP OTHER PORT, default_deny NAMESPACE: print a policy
#               pod_del NAME, pod_addr NAME [4|6], pod_exec NAME COMMAND...
#               pod_serve NAME WHAT...         listens there (tests/netns/probe.c)
#               NAME may be written NAMESPACE/NAME where two pods share a name.
#   daemons     daemon_start MANIFEST-FOLDER [FLAG...], daemon_stop
#               double_start                   stands in for it (daemon_double.c)
#               double_mode MODE               how it answers from now on
#   traffic     reaches FROM TO [WHAT], denied FROM TO [WHAT]: by real sockets
#               hold_start FROM TO PORT, hold_is_cut TO, hold_says TO, hold_stop TO
#               beat_start FROM TO PORT..., beat_stop FROM: steady traffic (beat.c); then
#               beat_lost_none FROM PORT, beat_passed_none FROM PORT
#               TO may be an address: a Service's
#   plugin      cni COMMAND ID NETNS IFNAME < CONFIG: answer in $out, code in $status
#               net_conf [JSON-MEMBERS]        prints a configuration; $net_version
#                                              and $net_families ("4", "6", "46") shape it
#               netns_new NAME                 prints its path
#   tests       check NAME COMMAND..., does NAME COMMAND... (in this shell, so that what it
#               sets stays), is NAME GOT WANT, like NAME TEXT PATTERN: one TAP line each; the
#               plan and the exit code follow at the end
#   ctl ...     bulkheadctl; ctl_counts: packets passed and dropped, from the metrics
#   hooks_of, hook_remove HOST-INTERFACE: TCX links or clsact filters
#   inventory   everything a pod may leave behind, as text: compare before and after
#   $scratch    a folder that goes with the script; $manifests another one in it

netns_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_root=$(cd "$netns_dir/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$source_root/$BUILD ;; esac

# A test without its node is skipped; the demo, which sets world_required, fails.
world_skip() {
	if [ -n "${world_required:-}" ]; then
		echo "$(basename "$0"): $1" >&2
		exit 1
	fi
	printf '1..1\nok 1 - %s # SKIP %s\n' "$(basename "$0")" "$1"
	exit 0
}

is_sanitized() { ldd "$BUILD/bulkheadd" | grep -q libasan; }

if [ -z "${BULKHEAD_WORLD:-}" ]; then
	[ "$(id -u)" = 0 ] || world_skip 'needs root to make namespaces'
	unshare -n -m -p --fork --mount-proc true 2>/dev/null || world_skip 'the kernel refuses namespaces'
	BULKHEAD_WORLD=1 BUILD=$BUILD exec unshare -n -m -p --fork --kill-child --mount-proc bash "$0" "$@"
fi

export BUILD
PROBE=$BUILD/probe
IPAM_DIR=${IPAM_DIR:-/usr/lib/cni}
run_dir=/run/bulkhead
pin_root=/sys/fs/bpf/bulkhead
net_version=${net_version:-1.0.0}
net_families=${net_families:-46}
net_index=1 ipam_state=/run/cni # of the node
on_node=() # a command in front: where another node is
tests_run=0 tests_failed=0 containers=0 served=
out='' status=0

mount -t tmpfs -o mode=0755 tmpfs /run || exit 1
mount -t bpf bpf /sys/fs/bpf || exit 1
mkdir -p /run/netns
ip link set lo up
scratch=$(mktemp -d /run/scratch.XXXXXX)
manifests=$scratch/manifests
mkdir -p "$manifests" "$scratch/pods"

world_end() {
	local code=$?
	[ "$tests_run" -eq 0 ] || printf '1..%d\n' "$tests_run"
	if [ "$code" -eq 0 ] && [ "$tests_failed" -gt 0 ]; then code=1; fi
	trap - EXIT
	exit "$code" # the namespaces, and every process in them, go now
}
trap world_end EXIT

# --- TAP
result() { # good? name [detail]
	tests_run=$((tests_run + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d - %s\n' "$tests_run" "$2"
	else
		tests_failed=$((tests_failed + 1))
		printf 'not ok %d - %s\n' "$tests_run" "$2"
		[ -z "${3:-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
	fi
}
check() { # name command...
	local name=$1 said code
	shift
	said=$("$@" 2>&1)
	code=$?
	result "$code" "$name" "$said"
}
does() { # name command...: as check, but in this shell, so that what it sets stays
	local name=$1
	shift
	"$@" >"$scratch/said" 2>&1
	result $? "$name" "$(cat "$scratch/said")"
}
is() { # name got want
	if [ "$2" = "$3" ]; then result 0 "$1"; else result 1 "$1" "got:  $2
want: $3"; fi
}
like() { # name text pattern
	if printf '%s\n' "$2" | grep -qE -- "$3"; then result 0 "$1"; else result 1 "$1" "no match of $3 in: $2"; fi
}

# --- waiting
# Times are for a machine that is not emulated (tests/kernel).
wait_for() { # seconds command...
	local deadline=$(($(date +%s%3N) + $1 * 1000 * ${BULKHEAD_TEST_PATIENCE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%3N)" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}
keep() { # file pid: a background process that outlives a `wait`
	echo "$2" >"$scratch/keep-$1"
}

# --- the plugin
net_conf() { # [more JSON members, with a comma in front]
	local ranges='' routes=''
	case $net_families in *4*) ranges="[{\"subnet\":\"10.244.$net_index.0/24\"}]" routes='{"dst":"0.0.0.0/0"}' ;; esac
	case $net_families in *6*)
		ranges=$ranges${ranges:+,}"[{\"subnet\":\"fd00:244:$net_index::/64\"}]"
		routes=$routes${routes:+,}'{"dst":"::/0"}'
		;;
	esac
	printf '{"cniVersion":"%s","name":"pods","type":"bulkhead","logLevel":"%s",' "$net_version" "${log_level:-warn}"
	[ ${#on_node[@]} -eq 0 ] || printf '"runDir":"%s","pinRoot":"%s",' "$run_dir" "$pin_root"
	printf '"ipam":{"type":"host-local","dataDir":"%s","ranges":[%s],"routes":[%s]}%s}\n' "$ipam_state" "$ranges" "$routes" "${1:-}"
}
cni() { # command id netns ifname < config
	out=$(CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=$3 CNI_IFNAME=$4 CNI_PATH=${cni_path-$IPAM_DIR} \
		CNI_ARGS=${cni_args:-} "${on_node[@]}" "$BUILD/bulkhead" 2>>"$scratch/plugin.log")
	status=$?
	return $status
}
netns_new() { # name
	ip netns add "$1" && echo "/run/netns/$1"
}
cni_code() { printf '%s' "$out" | sed -n 's/.*"code":\([0-9]*\).*/\1/p'; }

# --- pods
pod_file() { # name or namespace/name
	local found
	case $1 in */*) found=$scratch/pods/${1%%/*}.${1#*/} ;; *) found=$(ls -d "$scratch"/pods/*."$1" 2>/dev/null | head -n 1) ;; esac
	echo "${found:-$scratch/pods/none}"
}
pod_add() { # namespace name [uid]
	local file=$scratch/pods/$1.$2 netns
	containers=$((containers + 1))
	mkdir -p "$file"
	netns=$(netns_new "$1.$2") || return 1
	echo "c$containers-$1-$2" >"$file/id"
	cni_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=$1;K8S_POD_NAME=$2;K8S_POD_UID=${3:-}" \
		cni ADD "c$containers-$1-$2" "$netns" eth0 < <(net_conf)
	if [ $status -ne 0 ]; then
		echo "pod $1/$2: $out" >&2
		return 1
	fi
	printf '%s\n' "$out" >"$file/result"
	nsenter --net="$netns" ip link set lo up
	printf '%s' "$out" | grep -oE '"address":"[^/"]+' | cut -d'"' -f4 >"$file/addresses"
}
pod_del() { # name
	local file
	file=$(pod_file "$1")
	cni DEL "$(cat "$file/id")" "/run/netns/$(basename "$file")" eth0 < <(net_conf) || return 1
	ip netns del "$(basename "$file")"
	rm -r "$file"
}
pod_addr() { # name [family]; or an address, which stays as it is
	case $1 in *[.:]*) echo "$1" && return ;; esac
	case ${2:-any} in
	4) grep -v : "$(pod_file "$1")/addresses" ;;
	6) grep : "$(pod_file "$1")/addresses" ;;
	*) head -n 1 "$(pod_file "$1")/addresses" ;;
	esac
}
pod_exec() { # name command...
	local netns
	netns=/run/netns/$(basename "$(pod_file "$1")")
	shift
	nsenter --net="$netns" "$@"
}
pod_serve() { # name what...
	local name=$1 netns
	netns=/run/netns/$(basename "$(pod_file "$1")")
	shift
	echo "$1" >"$(pod_file "$name")/serves"
	# exec: the process to keep, and to signal, is the probe itself
	(exec nsenter --net="$netns" "$PROBE" serve "$@" >"$scratch/serve-$(basename "$netns").log" 2>&1) &
	keep "serve-$(basename "$netns")" $!
	served="$served $!"
	wait_for 3 pod_listens "$name" "$1" || return 1
}
pod_listens() { # name what: sockets are there
	case $2 in
	tcp/*) pod_exec "$1" ss -Hltn "sport = :${2#*/}" | grep -q . ;;
	udp/*) pod_exec "$1" ss -Hlun "sport = :${2#*/}" | grep -q . ;;
	*) sleep 0.1 ;;
	esac
}

admits() { # app other port: a policy of shop, by TCP and UDP
	cat <<-END
		kind: NetworkPolicy
		metadata: { name: $1, namespace: shop }
		spec:
		  podSelector: { matchLabels: { app: $1 } }
		  ingress:
		    - from: [{ podSelector: { matchLabels: { app: $2 } } }]
		      ports: [{ port: $3 }, { port: $3, protocol: UDP }]
	END
}
pair_objects() { # web and db of shop: web may reach db on 80, db may reach web on 90
	cat <<-END
		kind: Pod
		metadata: { name: web, namespace: shop, labels: { app: web } }
		---
		kind: Pod
		metadata: { name: db, namespace: shop, labels: { app: db } }
		---
		$(admits db web 80)
		---
		$(admits web db 90)
	END
}
default_deny() { # namespace
	cat <<-END
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: {namespace: $1, name: default-deny}
		spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
	END
}

# --- traffic
reach_says() { # from to what
	local what=${3:-$(cat "$(pod_file "$2")/serves")}
	pod_exec "$1" "$PROBE" try -t "${probe_ms:-300}" "$(pod_addr "$2"),$what" | grep -oE '(yes|no)$'
}
reaches() { [ "$(reach_says "$@")" = yes ]; }
denied() { [ "$(reach_says "$@")" = no ]; }
hold_start() { # from to port
	local netns
	netns=/run/netns/$(basename "$(pod_file "$1")")
	: >"$scratch/hold-$2" # what an earlier one said counts no more
	(exec nsenter --net="$netns" "$PROBE" hold "$(pod_addr "$2")" "$3" >"$scratch/hold-$2" 2>&1) &
	keep "hold-$2" $!
	wait_for 3 grep -q '^up' "$scratch/hold-$2"
}
hold_is_cut() { grep -q '^cut' "$scratch/hold-$1"; }
hold_says() { tail -n 1 "$scratch/hold-$1"; }
hold_stop() {
	local pid
	pid=$(cat "$scratch/keep-hold-$1")
	kill -TERM "$pid" 2>/dev/null
	wait_for 3 pid_is_gone "$pid"
}
beat_start() { # from to port...; $beat_rate a second
	local from=$1 netns to
	netns=/run/netns/$(basename "$(pod_file "$1")")
	to=$(pod_addr "$2")
	shift 2
	(exec nsenter --net="$netns" "$BUILD/beat" "${beat_rate:-500}" "$to" "$@" >"$scratch/beat-$from" 2>&1) &
	keep "beat-$from" $!
	sleep 0.2
}
beat_stop() { # from
	local pid
	pid=$(cat "$scratch/keep-beat-$1")
	kill -TERM "$pid" && wait_for 5 pid_is_gone "$pid"
	sed "s/^/# $1 to /" "$scratch/beat-$1"
}
beat_says() { # from port condition on "sent" and "answered", for each kind
	awk -v port="$2" '$1 == port { n++; for (i = 3; i < NF; i += 3) { sent = $i; answered = $(i + 1)
		if (!('"$3"')) bad = 1 } } END { exit bad || n != 1 }' "$scratch/beat-$1"
}
beat_lost_none() { beat_says "$1" "$2" 'sent > 0 && answered == sent'; }
beat_passed_none() { beat_says "$1" "$2" 'sent > 0 && answered == 0'; }
pid_is_gone() { ! kill -0 "$1" 2>/dev/null; }

# --- daemons
daemon_ready() {
	net_version=1.1.0 net_conf | (cni STATUS '' '' '')
}
daemon_start() { # manifests [flags...]
	local folder=$1
	shift
	"$BUILD/bulkheadd" --manifests "$folder" --run-dir "$run_dir" --pin-root "$pin_root" "$@" \
		>>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
	wait_for 30 daemon_ready && return 0
	echo "the daemon is not ready:" >&2
	tail -n 20 "$scratch/daemon.log" >&2
	return 1
}
daemon_stop() { # [signal]
	kill "-${1:-TERM}" "$daemon_pid" 2>/dev/null
	wait "$daemon_pid" 2>/dev/null
}
double_start() {
	"$BUILD/daemon-double" "$run_dir" "$pin_root" >"$scratch/double.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
	wait_for 10 grep -q '^ready' "$scratch/double.log" && return 0
	cat "$scratch/double.log" >&2
	return 1
}
double_mode() { echo "$1" >"$run_dir/mode"; }
ctl() { "$BUILD/bulkheadctl" "$@"; }
metrics() {
	exec 9<>/dev/tcp/127.0.0.1/9470 || return 1
	printf 'GET /metrics HTTP/1.0\r\n\r\n' >&9
	cat <&9
	exec 9>&-
}
ctl_counts() {
	metrics | awk '/^bulkhead_packets_total/ { if (/reason="pass"/) passed += $NF; else dropped += $NF }
		END { printf "%d packets passed, %d dropped\n", passed, dropped }'
}

# --- hooks, in whichever form this kernel has them
hooks_of() { # interface of the host: how many programs of ours, 0 to 2
	local ifindex pins filters
	ifindex=$(ip -o link show "$1" | cut -d: -f1)
	pins=$(find "$pin_root/links" -name "$ifindex-*" 2>/dev/null | wc -l)
	filters=$({
		tc filter show dev "$1" ingress
		tc filter show dev "$1" egress
	} 2>/dev/null | grep -c 'handle .* bh_')
	echo $((pins + filters))
}
hook_remove() { # interface of the host: its to_pod program goes
	rm -f "$pin_root/links/$(ip -o link show "$1" | cut -d: -f1)-to"
	tc filter del dev "$1" egress 2>/dev/null || true
}

# --- what could be left behind
inventory() {
	ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/'
	# link-local routes come and go with the carrier, at the kernel's leisure
	ip -4 route show table all | grep -v '^broadcast' | sed -E 's/^/route /; s/ linkdown//'
	ip -6 route show table all | grep -vE 'fe80|ff00|multicast' | sed -E 's/^/route6 /; s/ linkdown//'
	ip neigh show nud permanent | sed 's/^/neigh /' | sort
	find /sys/fs/bpf -type f -o -type d | sed 's/^/pin /'
	find "$run_dir" ! -name mode ! -name requests ! -name '*.lock' ! -name attachments 2>/dev/null | sed 's/^/file /'
	find /run/cni -type f ! -name 'last_reserved*' ! -name lock 2>/dev/null | sed 's/^/address /'
	[ ! -d "$pin_root" ] || "$BUILD/daemon-double" rows "$pin_root"
}
