#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A whole one-node cluster whose network is Bulkhead: installed, used and removed by the
# commands that the README shows, over both families at once. Each part is a function; the
# list at the end is the order (cluster_v4.sh and cluster_v6.sh: a shorter one).
# Containers run the tests' own probe; what they print is read with kubectl.
. "$(dirname "$0")/world.sh"
families=${families:-46}
. "$source_root/tests/cluster/control_plane.sh"
. "$source_root/tests/cluster/node.sh"
. "$source_root/tests/cluster/parts_services.sh"
! is_sanitized || world_skip 'the plugin of the image is linked statically, which sanitizers do not allow'
export KUBECONFIG=$cluster/admin.kubeconfig
cd "$source_root" || exit 1

# --- words
# The commands under a heading of the README, as they stand there.
readme() { # heading
	local block
	block=$(awk -v heading="### $1" '$0 == heading { on = 1; next } /^#/ { on = 0 } on && /^    / { print substr($0, 5) }' README.md)
	[ -n "$block" ] || { echo "the README has no commands under $1" >&2; return 1; }
	bash -euc "$block"
}
# The one container of a pod: what the probe serves or does, and more members of it.
probe_container() { # arguments [members]
	echo "{ name: probe, image: 'localhost/probe:test', imagePullPolicy: Never, args: [$1]${2:+, $2} }"
}
pod() { # namespace name app arguments...
	local namespace=$1 name=$2 app=$3 args
	shift 3
	args=$(printf ', "%s"' "$@")
	apply <<-END
		apiVersion: v1
		kind: Pod
		metadata: { namespace: $namespace, name: $name, labels: { app: $app } }
		spec:
		  restartPolicy: Never
		  terminationGracePeriodSeconds: 1
		  containers: [$(probe_container "${args#, }")]
	END
}
runs() { wait_for 60 pod_is "$1" "$2"; }
policy() { # namespace name spec
	apply <<-END
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: { namespace: $1, name: $2 }
		spec: $3
	END
}
# Connections to all of the addresses at once, of whichever family: yes or no where all
# agree, "no yes" where they do not.
inside() { # namespace/pod what address...: from within a pod, by kubectl exec
	k exec -n "${1%/*}" "${1#*/}" -- /probe try -t 700 $(targets "${@:2}") | answer
}
from_node() { "$PROBE" try -t 700 $(targets "$@") | answer; }                             # what address...
from_outside() { ip netns exec outside "$PROBE" try -t 700 $(targets "$@") | answer; } # what address...
targets() { # what address...
	local what=$1
	shift
	printf "%s,$what " "$@"
}
answer() { grep -oE '(yes|no)$' | sort -u | paste -sd' '; }
# Nothing of a family is left out for want of an address.
has_each_family() { # address...
	local family found=
	for family in 4 6; do
		case "$family $*" in 4*.*.*.* | 6*:*) found=$found$family ;; esac
	done
	[ "$found" = "$(each_family | sort | tr -d '\n')" ]
}
blocks() { # address...: a list of ipBlocks
	local addr list=
	for addr; do
		case $addr in *:*) addr=$addr/128 ;; *) addr=$addr/32 ;; esac
		list="$list${list:+, }{ipBlock: {cidr: '$addr'}}"
	done
	echo "[$list]"
}
soon_is() { # want command...
	local want=$1
	shift
	wait_for 15 eval "[ \"\$($*)\" = $want ]"
}
says() { # namespace/pod pattern: its log
	k logs -n "${1%/*}" "${1#*/}" | grep -qE "$2"
}
said() { k logs -n "${1%/*}" "${1#*/}" | answer; } # namespace/pod: what its attempts came to
bulkhead() { k -n bulkhead-system exec daemonset/bulkhead -c bulkheadd -- bulkheadctl "$@"; }
status_of_daemon() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(pgrep -x bulkheadd)/status"; } # key
daemon_is_ready() { bulkhead status -o json | jq -e .ready >/dev/null; }
no_pod_interface() { ! ip -o link | grep -qE ': bh[0-9a-f]+@'; }
left_on_node() {
	{
		# a bpffs comes with the former; the latter with forwarding, which nobody may turn off
		inventory | grep -vE '^pin .*\.debug$|^route6 anycast '
		find /opt/cni /etc/cni /run/bulkhead 2>/dev/null
	} | sort
}

proxied() { # what kube-proxy does about the API server's family
	case $first_family in 4) iptables-save -t nat ;; 6) ip6tables-save -t nat ;; esac
}
service() { # namespace name spec; with an address of each family
	apply <<-END
		apiVersion: v1
		kind: Service
		metadata: { namespace: $1, name: $2 }
		spec: { ipFamilyPolicy: PreferDualStack, $3 }
	END
}

# --- parts
cluster_start() {
	step 'a node: containerd, etcd, kube-apiserver, controllers, scheduler, kube-proxy, kubelet'
	uplink_new
	control_plane_new "$node_address"
	check 'containerd runs' containerd_start
	check 'etcd runs' etcd_start
	check 'kube-apiserver runs' apiserver_start
	controllers_start
	scheduler_start
	proxy_start
	kubelet_start
	for archive in images/pause.tar images/probe.tar bulkhead-image.tar; do
		check "$archive is imported" image_import "$BUILD/$archive"
	done
	check 'the node registers, and is not ready: it has no network' wait_for 60 node_is_not_ready
	check 'kube-proxy serves the API server on its ClusterIP' wait_for 30 eval 'proxied | grep -q "${api_service[$first_family]}/"'
	before=$(left_on_node)
}

install() {
	step 'install'
	check 'the README installs it' readme Install
	check 'the node is ready, by our configuration alone' wait_for 30 node_is_ready
	is 'which is the only one' "$(ls /etc/cni/net.d)" 05-bulkhead.conflist
	is 'with the node object'"'"'s ranges' "$(jq -r '[.plugins[0].ipam.ranges[][].subnet] | sort | join(" ")' /etc/cni/net.d/05-bulkhead.conflist)" \
		"$(k get node $node_name -o json | jq -r '.spec.podCIDRs | sort | join(" ")')"
	is 'and a way out for each family' "$(jq '.plugins[0].ipam.routes | length' /etc/cni/net.d/05-bulkhead.conflist)" ${#families}
	check 'a bpffs is on the node' eval '[ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ]'
	local said
	said=$(readme Verify 2>&1)
	check 'the README verifies it' test $? = 0
	like 'the check looked at the plugin that the runtime starts' "$said" '^ok +plugin +/opt/cni/bin/bulkhead'
	like 'and at the rights' "$said" '^ok +rights +may list and watch all'
	step "$(echo "$said" | grep -cE '^ok ') checks are good; $(echo "$said" | grep -E '^(warning|FAIL) ')"
	is 'the daemon has three capabilities' "$(capsh --decode="$(status_of_daemon CapEff)" | sed 's/.*=//')" \
		cap_net_admin,cap_perfmon,cap_bpf
	is 'no way to more of them, and a filter of system calls' "$(status_of_daemon NoNewPrivs) $(status_of_daemon Seccomp)" '1 2'
}

probed_on() { echo "{ tcpSocket: { port: $1 }, periodSeconds: 2, failureThreshold: 2 }"; } # port
workload() {
	step 'pods, open as long as no policy selects them'
	k create namespace shop >/dev/null
	k create namespace front >/dev/null
	apply <<-END
		apiVersion: v1
		kind: Pod
		metadata: { namespace: shop, name: web, labels: { app: web } }
		spec:
		  terminationGracePeriodSeconds: 1
		  containers: [$(probe_container 'serve, tcp/80, tcp/81' "livenessProbe: $(probed_on 80), readinessProbe: $(probed_on 81)")]
	END
	pod shop client client wait
	pod shop other other wait
	pod front caller caller wait
	for name in shop/web shop/client shop/other front/caller; do check "$name runs" runs "${name%/*}" "${name#*/}"; done
	web=$(pod_ips shop web)
	check "a pod has an address of each family: $web" has_each_family $web
	for from in shop/client shop/other front/caller; do
		is "$from reaches web" "$(inside "$from" tcp/80 $web)" yes
	done
	like 'kubectl logs and exec work' "$(k exec -n shop client -- /probe try -t 300 127.0.0.1,tcp/9)" 'no$'
}

policies() {
	step 'default deny, then one path'
	check 'the README'"'"'s first policy' readme 'The first policy'
	check 'nobody reaches web any more' soon_is no inside shop/client tcp/80 $web
	policy shop web '{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]}'
	policy shop client '{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]}'
	check 'client reaches web:80' soon_is yes inside shop/client tcp/80 $web
	local cells=0
	while read -r from what want; do
		is "cell $from -> web $what" "$(inside "$from" "$what" $web)" "$want"
		cells=$((cells + ${#families}))
	done <<-END
		shop/client tcp/80 yes
		shop/client tcp/81 no
		shop/other tcp/80 no
		shop/other tcp/81 no
		front/caller tcp/80 no
		front/caller tcp/81 no
	END
	is 'cell node -> web tcp/81' "$(from_node tcp/81 $web)" yes
	is 'cell outside -> web tcp/80' "$(from_outside tcp/80 $web)" no
	step "$((cells + 2 * ${#families})) cells measured"
	check 'the README shows a drop' eval 'readme "A drop" | grep -q "shop/other .*-> shop/web"'
	denied_since=$SECONDS
}

probes() {
	while [ $((SECONDS - denied_since)) -lt 6 ]; do sleep 0.2; done
	is 'probes pass under default deny: web never restarted' \
		"$(k get pod -n shop web -o 'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}')" '0 true'
}

first_packet() {
	step 'a policy that is there before the pod holds from its first packet'
	pod shop early-other other try -t 1500 $(targets tcp/80 $web)
	pod shop early-client client try -t 1500 $(targets tcp/80 $web)
	for name in early-other early-client; do
		wait_for 30 eval "k get pod -n shop $name -o 'jsonpath={.status.phase}' | grep -q Succeeded"
	done
	is 'the one that may not, could not' "$(said shop/early-other)" no
	is 'the one that may, could at once' "$(said shop/early-client)" yes
	k delete pod -n shop early-other early-client --wait=false >/dev/null
}

outside_world() {
	step 'the outside: pods speak to it as their node'
	local outside
	outside=$(of outside_at)
	ip netns exec outside "$PROBE" serve tcp/8888 >/dev/null 2>&1 &
	keep outside $!
	outside_refuses_pods -A
	check 'a pod reaches the outside, by the address of its node' soon_is yes inside front/caller tcp/8888 $outside
	is 'one that is isolated does not' "$(inside shop/other tcp/8888 $outside)" no
	outside_refuses_pods -D
}

outside_refuses_pods() { # -A or -D
	! has_family 4 || ip netns exec outside iptables "$1" INPUT -s "${pod_ranges[4]}" -j DROP
	! has_family 6 || ip netns exec outside ip6tables "$1" INPUT -s "${pod_ranges[6]}" -j DROP
}

# Someone behind the outside, on a link that is narrower than its own end says.
declare -A beyond_at=([4]=198.51.100.2 [6]=2001:db8:1::2) beyond_router=([4]=198.51.100.1 [6]=2001:db8:1::1)
beyond_new() {
	local family
	ip netns add beyond
	ip -n outside link add narrow type veth peer name eth0 netns beyond
	ip -n outside link set narrow mtu 1300 up
	ip -n beyond link set eth0 up
	for family in $(each_family); do
		wire "$family" '-n beyond' eth0 "${beyond_at[$family]}" "${beyond_router[$family]}"
		wire "$family" '-n outside' narrow "${beyond_router[$family]}"
	done
	ip netns exec outside sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip netns exec beyond "$PROBE" sink 8889 >/dev/null 2>&1 &
	keep beyond $!
}
told_too_big() { # family: packets that did not fit there, whose sender was told
	case $1 in
	4) ip netns exec outside awk '$1 == "Ip:" && $19 ~ /^[0-9]+$/ { print $19 }' /proc/net/snmp ;;
	6) ip netns exec outside awk '$1 == "Icmp6OutPktTooBigs" { print $2 }' /proc/net/snmp6 ;;
	esac
}
path_mtu() {
	step 'path MTU under default deny: a router of the outside tells an isolated pod'
	local family
	beyond_new
	policy shop pusher "{podSelector: {matchLabels: {app: pusher}}, policyTypes: [Egress], egress: [{to: $(blocks $(of beyond_at)), ports: [{port: 8889}]}]}"
	for family in $(each_family); do pod shop "pusher$family" pusher push "${beyond_at[$family]}" 8889 1000000; done
	for family in $(each_family); do
		check "IPv$family: a large transfer gets through" wait_for 30 says "shop/pusher$family" '^pushed 1000000'
		check 'whose packets did not fit at first' [ "$(told_too_big $family)" -gt 0 ]
	done
}

# Everything below happens while these go on.
traffic_start() {
	step 'traffic: allowed, denied, and a connection that stays'
	local addr name
	holders=
	pod front caller-on caller repeat -t 900 $(targets tcp/8080 $api)
	pod shop client-on client repeat -t 900 $(targets tcp/80 $web)
	pod shop other-on other repeat -t 100 $(targets tcp/80 $web)
	for addr in $web; do
		case $addr in *:*) name=holder6 ;; *) name=holder4 ;; esac
		pod shop $name client hold "$addr" 80
		holders="$holders shop/$name"
	done
	for name in front/caller-on shop/client-on shop/other-on $holders; do
		check "$name runs" runs "${name%/*}" "${name#*/}"
	done
}
traffic_is_right() { # after what
	local counts
	sleep 2
	for name in front/caller-on shop/client-on; do
		counts=$(k logs -n "${name%/*}" "${name#*/}" --tail=400 | grep '^yes' | tail -n 1)
		like "$1: $name lost nothing" "$counts" '^yes [1-9][0-9]* no 0$'
		step "$name: $counts"
	done
	counts=$(k logs -n shop other-on --tail=20 | grep '^yes' | tail -n 1)
	like "$1: nothing denied passed" "$counts" '^yes 0 no [1-9]'
	for name in $holders; do is "$1: the connection of ${name#*/} lives" "$(k logs -n shop "${name#*/}")" up; done
}

rollout() {
	step 'a rollout under traffic and policy'
	k rollout restart -n shop deployment/api >/dev/null
	check 'the Deployment is replaced' rolled_out shop deployment/api
	traffic_is_right rollout
}

daemon_killed() {
	step 'the daemon is killed'
	kill -KILL "$(pgrep -x bulkheadd)"
	check 'the kubelet starts it again' wait_for 60 eval '[ "$(k get pods -n bulkhead-system -o "jsonpath={.items[0].status.containerStatuses[0].restartCount}")" = 1 ]'
	check 'it is ready again' rolled_out bulkhead-system daemonset/bulkhead
	wait_for 30 daemon_is_ready
	traffic_is_right 'kill -9'
}

upgrade() {
	step 'the DaemonSet gets a new build'
	cp -r "$BUILD/image" "$cluster/next"
	strip "$cluster/next/usr/local/sbin/bulkheadd"
	cp "$BUILD/bulkhead-static" "$cluster/next/opt/cni/bin/bulkhead"
	check 'another build is another image' eval '! cmp -s "$cluster/next/usr/local/sbin/bulkheadd" "$BUILD/image/usr/local/sbin/bulkheadd"'
	deploy/image-archive.sh "$cluster/next" "$cluster/next.tar" localhost/bulkhead:next /usr/local/sbin/bulkheadd
	check 'it is imported' image_import "$cluster/next.tar"
	k set image -n bulkhead-system daemonset/bulkhead '*=localhost/bulkhead:next' >/dev/null
	check 'it rolls out' rolled_out bulkhead-system daemonset/bulkhead
	check 'the plugin was replaced' cmp "$BUILD/bulkhead-static" /opt/cni/bin/bulkhead
	traffic_is_right upgrade
	pod shop later client try -t 1500 $(targets tcp/80 $web)
	check 'a new pod starts' wait_for 30 says shop/later 'yes$'
}

uninstall() {
	step 'uninstall'
	k delete deployment --all -n shop >/dev/null
	# this kubelet takes a minute for some of them, if it is asked to say when they are gone
	for namespace in shop front; do k delete pod --all -n $namespace --grace-period=0 --force >/dev/null 2>&1; done
	check 'the pods are gone, and their interfaces' wait_for 60 no_pod_interface
	check 'the README removes it' readme Uninstall
	is 'nothing is left on the node but the reference plugins' "$(left_on_node)" "$(printf '%s\n' "$before" \
		/opt/cni/bin/host-local /opt/cni/bin/loopback /opt/cni/bin/portmap /etc/cni/net.d | sort -u)"
	check 'nor in the cluster' eval '! k get namespace bulkhead-system 2>/dev/null && ! k get clusterrole bulkhead 2>/dev/null'
	check 'the node is not ready again' wait_for 30 node_is_not_ready
}

# An overlay of one's own, put together from two: chained, and the API server by its own
# address where nobody serves the ClusterIP.
own_overlay() {
	local folder=$cluster/own name
	mkdir -p "$folder"
	printf 'bases:\n  - %s\npatchesStrategicMerge:\n' "$(realpath --relative-to="$folder" deploy/kustomize/base)" \
		>"$folder/kustomization.yaml"
	for name in chained api-server; do
		sed "s/192\.0\.2\.10/'$node_address'/" deploy/kustomize/overlays/$name/settings.yaml >"$folder/$name.yaml"
		echo "  - $name.yaml" >>"$folder/kustomization.yaml"
	done
	k kustomize "$folder" 2>/dev/null | k apply -f - >/dev/null
}
chained() {
	step 'behind another network: it was there first, and is there afterwards'
	local ranges='' routes=''
	! has_family 4 || ranges='[{ "subnet": "10.245.0.0/24" }]' routes='{ "dst": "0.0.0.0/0" }'
	! has_family 6 || ranges=$ranges${ranges:+, }'[{ "subnet": "fd00:245::/64" }]' routes=$routes${routes:+, }'{ "dst": "::/0" }'
	cp /usr/lib/cni/ptp /opt/cni/bin
	mkdir -p /etc/cni/net.d
	cat >/etc/cni/net.d/10-lan.conflist <<-END
		{ "cniVersion": "1.0.0", "name": "lan", "plugins": [{ "type": "ptp", "ipMasq": true,
		  "ipam": { "type": "host-local", "dataDir": "/run/lan", "ranges": [$ranges], "routes": [$routes] } }] }
	END
	check 'the node is ready by the other network' wait_for 30 node_is_ready
	background_stop kube-proxy
	"$kube/kube-proxy" --cleanup >>"$cluster/kube-proxy.log" 2>&1
	is 'the API server has no ClusterIP any more' "$(proxied | grep -c "${api_service[$first_family]}/")" 0
	check 'an overlay of two is taken' own_overlay
	check 'Bulkhead runs behind that network' rolled_out bulkhead-system daemonset/bulkhead
	is 'by a configuration that repeats it' "$(jq -c '[.name, (.plugins | map(.type))]' /etc/cni/net.d/05-bulkhead.conflist)" \
		'["lan",["ptp","bulkhead"]]'
	k create namespace lan >/dev/null
	wait_for 20 k get serviceaccount -n lan default
	policy lan web '{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]}'
	pod lan web web serve tcp/80 tcp/81
	pod lan client client wait
	pod lan other other wait
	local addr
	for name in web client other; do check "lan/$name runs" runs lan $name; done
	web=$(pod_ips lan web)
	check "a pod has an address of each family: $web" has_each_family $web
	for addr in $web; do like 'which is the other network'"'"'s' "$addr" '^(10\.245\.0\.|fd00:245::)'; done
	# The gateway that ptp gives a pod is tentative for a second after its ADD.
	check 'cell lan/client -> web tcp/80' soon_is yes inside lan/client tcp/80 $web
	is 'cell lan/client -> web tcp/81' "$(inside lan/client tcp/81 $web)" no
	is 'cell lan/other -> web tcp/80' "$(inside lan/other tcp/80 $web)" no
	is 'cell node -> web tcp/81' "$(from_node tcp/81 $web)" yes
	service lan web 'selector: {app: web}, ports: [{port: 8080, targetPort: 80}]'
	lan=$(service_ips lan web)
	check 'a Service works with no kube-proxy at all' soon_is yes inside lan/client tcp/8080 $lan
	is 'under policy' "$(inside lan/other tcp/8080 $lan)" no
	check 'it is removed under pods that run' readme Uninstall
	is 'they keep their network' "$(inside lan/other tcp/80 $web)" yes
	is 'and the node its own' "$(ls /etc/cni/net.d)" 10-lan.conflist
	check 'the node stays ready' node_is_ready
}

# CLUSTER_PARTS: only some of them, for whoever works on one.
for part in ${CLUSTER_PARTS:-cluster_start install workload policies first_packet services probes translation kinds outside_world path_mtu \
	traffic_start rollout daemon_killed upgrade uninstall chained}; do
	"$part"
done
