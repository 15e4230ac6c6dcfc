#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A whole one-node cluster whose network is Bulkhead: installed, used and removed by the
# commands that the README shows. Each part is a function; the list at the end is the
# order. Containers run the tests' own probe; what they print is read with kubectl.
. "$(dirname "$0")/world.sh"
. "$source_root/tests/cluster/control_plane.sh"
. "$source_root/tests/cluster/node.sh"
pod_range=10.244.0.0/16
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
# A pod of the probe: what it serves or does, as the container's arguments.
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
		  containers: [{ name: probe, image: "localhost/probe:test", imagePullPolicy: Never, args: [${args#, }] }]
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
inside() { # namespace/pod target: from within a pod, by kubectl exec
	k exec -n "${1%/*}" "${1#*/}" -- /probe try -t 700 "$2" | grep -oE '(yes|no)$'
}
from_node() { "$PROBE" try -t 700 "$1" | grep -oE '(yes|no)$'; }
from_outside() { ip netns exec outside "$PROBE" try -t 700 "$1" | grep -oE '(yes|no)$'; }
soon_is() { # want command...
	local want=$1
	shift
	wait_for 15 eval "[ \"\$($*)\" = $want ]"
}
says() { # namespace/pod pattern: its log
	k logs -n "${1%/*}" "${1#*/}" | grep -qE "$2"
}
bulkhead() { k -n bulkhead-system exec daemonset/bulkhead -c bulkheadd -- bulkheadctl "$@"; }
status_of_daemon() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(pgrep -x bulkheadd)/status"; } # key
daemon_is_ready() { bulkhead status -o json | jq -e .ready >/dev/null; }
no_pod_interface() { ! ip -o link | grep -qE ': bh[0-9a-f]+@'; }
left_on_node() {
	{
		inventory | grep -v 'pin .*\.debug$' # a bpffs comes with those
		find /opt/cni /etc/cni /run/bulkhead 2>/dev/null
	} | sort
}

# --- parts
cluster_start() {
	step 'a node: containerd, etcd, kube-apiserver, controllers, scheduler, kube-proxy, kubelet'
	uplink_new
	sysctl -qw net.ipv4.ip_forward=1
	control_plane_new $node_address
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
	check 'kube-proxy serves the API server on its ClusterIP' wait_for 30 eval '[ "$(from_node 10.96.0.1,tcp/443)" = no ] && iptables-save -t nat | grep -q 10.96.0.1/32'
	before=$(left_on_node)
}

install() {
	step 'install'
	check 'the README installs it' readme Install
	check 'the node is ready, by our configuration alone' wait_for 30 node_is_ready
	is 'which is the only one' "$(ls /etc/cni/net.d)" 05-bulkhead.conflist
	is 'with the node object'"'"'s range' "$(jq -r '.plugins[0].ipam.ranges[0][0].subnet' /etc/cni/net.d/05-bulkhead.conflist)" \
		"$(k get node $node_name -o 'jsonpath={.spec.podCIDR}')"
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
		  containers:
		    - name: probe
		      image: localhost/probe:test
		      imagePullPolicy: Never
		      args: [serve, tcp/80, tcp/81]
		      livenessProbe: { tcpSocket: { port: 80 }, periodSeconds: 2, failureThreshold: 2 }
		      readinessProbe: { tcpSocket: { port: 81 }, periodSeconds: 2, failureThreshold: 2 }
	END
	pod shop client client wait
	pod shop other other wait
	pod front caller caller wait
	for name in shop/web shop/client shop/other front/caller; do check "$name runs" runs "${name%/*}" "${name#*/}"; done
	web=$(pod_ip shop web)
	for from in shop/client shop/other front/caller; do
		is "$from reaches web" "$(inside "$from" "$web,tcp/80")" yes
	done
	like 'kubectl logs and exec work' "$(k exec -n shop client -- /probe try -t 300 127.0.0.1,tcp/9)" 'no$'
}

policies() {
	step 'default deny, then one path'
	check 'the README'"'"'s first policy' readme 'The first policy'
	check 'nobody reaches web any more' soon_is no inside shop/client "$web,tcp/80"
	policy shop web '{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]}'
	policy shop client '{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]}'
	check 'client reaches web:80' soon_is yes inside shop/client "$web,tcp/80"
	local cells=0
	while read -r from what want; do
		is "cell $from -> web $what" "$(inside "$from" "$web,$what")" "$want"
		cells=$((cells + 1))
	done <<-END
		shop/client tcp/80 yes
		shop/client tcp/81 no
		shop/other tcp/80 no
		shop/other tcp/81 no
		front/caller tcp/80 no
		front/caller tcp/81 no
	END
	is 'cell node -> web tcp/81' "$(from_node "$web,tcp/81")" yes
	is 'cell outside -> web tcp/80' "$(from_outside "$web,tcp/80")" no
	step "$((cells + 2)) cells measured"
	check 'the README shows a drop' eval 'readme "A drop" | grep -q "shop/other .*-> shop/web"'
	sleep 5
	is 'probes pass under default deny: web never restarted' \
		"$(k get pod -n shop web -o 'jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}')" '0 true'
}

first_packet() {
	step 'a policy that is there before the pod holds from its first packet'
	pod shop early-other other try -t 1500 "$web,tcp/80"
	pod shop early-client client try -t 1500 "$web,tcp/80"
	for name in early-other early-client; do
		wait_for 30 eval "k get pod -n shop $name -o 'jsonpath={.status.phase}' | grep -q Succeeded"
	done
	check 'the one that may not, could not' says shop/early-other 'no$'
	check 'the one that may, could at once' says shop/early-client 'yes$'
	k delete pod -n shop early-other early-client --wait=false >/dev/null
}

services() {
	step 'a Deployment behind a Service: NodePort, ClusterIP from the node, hostPort'
	apply <<-END
		apiVersion: apps/v1
		kind: Deployment
		metadata: { namespace: shop, name: api }
		spec:
		  replicas: 2
		  selector: { matchLabels: { app: api } }
		  template:
		    metadata: { labels: { app: api } }
		    spec:
		      terminationGracePeriodSeconds: 6
		      containers:
		        - name: probe
		          image: localhost/probe:test
		          imagePullPolicy: Never
		          args: [serve, tcp/80]
		          readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 }
		          lifecycle: { preStop: { exec: { command: [/probe, wait, "4000"] } } }
		---
		apiVersion: v1
		kind: Service
		metadata: { namespace: shop, name: api }
		spec:
		  type: NodePort
		  selector: { app: api }
		  ports: [{ port: 8080, targetPort: 80, nodePort: 30080 }]
		---
		apiVersion: v1
		kind: Service
		metadata: { namespace: shop, name: api-local }
		spec:
		  type: NodePort
		  externalTrafficPolicy: Local
		  selector: { app: api }
		  ports: [{ port: 8080, targetPort: 80, nodePort: 30081 }]
	END
	policy shop api '{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: caller}}}]}]}'
	check 'the Deployment rolls out' rolled_out shop deployment/api
	api=$(k get service -n shop api -o 'jsonpath={.spec.clusterIP}')
	check 'a pod that may reaches it by its ClusterIP' soon_is yes inside front/caller "$api,tcp/8080"
	check 'the node reaches it by its ClusterIP' soon_is yes from_node "$api,tcp/8080"
	is 'the outside does not by the NodePort: its packets are not the node'"'"'s' "$(from_outside "$node_address,tcp/30080")" no
	is 'nor where its address is kept' "$(from_outside "$node_address,tcp/30081")" no
	policy shop api-outside "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{ipBlock: {cidr: $outside_address/32}}]}]}"
	check 'a rule for its address opens that' soon_is yes from_outside "$node_address,tcp/30081"
	k delete networkpolicy -n shop api-outside >/dev/null
	apply <<-END
		apiVersion: v1
		kind: Pod
		metadata: { namespace: front, name: entry, labels: { app: entry } }
		spec:
		  terminationGracePeriodSeconds: 1
		  containers:
		    - name: probe
		      image: localhost/probe:test
		      imagePullPolicy: Never
		      args: [serve, tcp/80]
		      ports: [{ containerPort: 80, hostPort: 8081 }]
	END
	runs front entry
	check 'a hostPort is served by portmap' soon_is yes from_outside "$node_address,tcp/8081"
}

# Which only the pod's own programs can do: whoever translates later is judged by the
# Service's address, which no rule lists (R25).
translation() {
	step 'Services are translated before the verdict'
	is 'an isolated pod does not reach the Service' "$(inside shop/client "$api,tcp/8080")" no
	check 'and the drop says which one it dialled' wait_for 10 eval 'bulkhead drops | grep "shop/client " | grep -q "shop/api"'
	policy shop client-api '{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]}'
	policy shop api-client '{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}'
	check 'rules for the backends open the Service' soon_is yes inside shop/client "$api,tcp/8080"
	is 'and nothing else' "$(inside shop/other "$api,tcp/8080")" no
	check 'bulkheadctl services knows the pods behind it' eval 'bulkhead services | grep -A3 "shop/api" | grep -q shop/api-'
	k delete networkpolicy -n shop client-api api-client >/dev/null
}

outside_world() {
	step 'the outside: pods speak to it as their node'
	ip netns exec outside "$PROBE" serve tcp/8888 >/dev/null 2>&1 &
	keep outside $!
	ip netns exec outside iptables -A INPUT -s $pod_range -j DROP
	check 'a pod reaches the outside, by the address of its node' soon_is yes inside front/caller "$outside_address,tcp/8888"
	is 'one that is isolated does not' "$(inside shop/other "$outside_address,tcp/8888")" no
	ip netns exec outside iptables -D INPUT -s $pod_range -j DROP
}

# Everything below happens while these go on.
traffic_start() {
	step 'traffic: allowed, denied, and a connection that stays'
	pod front caller-on caller repeat -t 900 "$api,tcp/8080"
	pod shop client-on client repeat -t 900 "$web,tcp/80"
	pod shop other-on other repeat -t 100 "$web,tcp/80"
	pod shop holder client hold "$web" 80
	for name in front/caller-on shop/client-on shop/other-on shop/holder; do
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
	is "$1: the connection lives" "$(k logs -n shop holder)" up
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
	pod shop later client try -t 1500 "$web,tcp/80"
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
		cp deploy/kustomize/overlays/$name/settings.yaml "$folder/$name.yaml"
		echo "  - $name.yaml" >>"$folder/kustomization.yaml"
	done
	k kustomize "$folder" 2>/dev/null | k apply -f - >/dev/null
}
chained() {
	step 'behind another network: it was there first, and is there afterwards'
	cp /usr/lib/cni/ptp /opt/cni/bin
	mkdir -p /etc/cni/net.d
	cat >/etc/cni/net.d/10-lan.conflist <<-END
		{ "cniVersion": "1.0.0", "name": "lan", "plugins": [{ "type": "ptp", "ipMasq": true,
		  "ipam": { "type": "host-local", "dataDir": "/run/lan", "ranges": [[{ "subnet": "10.245.0.0/24" }]],
		            "routes": [{ "dst": "0.0.0.0/0" }] } }] }
	END
	check 'the node is ready by the other network' wait_for 30 node_is_ready
	background_stop kube-proxy
	"$kube/kube-proxy" --cleanup >>"$cluster/kube-proxy.log" 2>&1
	is 'the API server has no ClusterIP any more' "$(iptables-save -t nat | grep -c 10.96.0.1/32)" 0
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
	for name in web client other; do check "lan/$name runs" runs lan $name; done
	web=$(pod_ip lan web)
	like 'addresses are the other network'"'"'s' "$web" '^10\.245\.0\.'
	is 'cell lan/client -> web tcp/80' "$(inside lan/client "$web,tcp/80")" yes
	is 'cell lan/client -> web tcp/81' "$(inside lan/client "$web,tcp/81")" no
	is 'cell lan/other -> web tcp/80' "$(inside lan/other "$web,tcp/80")" no
	is 'cell node -> web tcp/81' "$(from_node "$web,tcp/81")" yes
	k expose pod -n lan web --port 8080 --target-port 80 >/dev/null
	lan=$(k get service -n lan web -o 'jsonpath={.spec.clusterIP}')
	check 'a Service works with no kube-proxy at all' soon_is yes inside lan/client "$lan,tcp/8080"
	is 'under policy' "$(inside lan/other "$lan,tcp/8080")" no
	check 'it is removed under pods that run' readme Uninstall
	is 'they keep their network' "$(inside lan/other "$web,tcp/80")" yes
	is 'and the node its own' "$(ls /etc/cni/net.d)" 10-lan.conflist
	check 'the node stays ready' node_is_ready
}

# CLUSTER_PARTS: only some of them, for whoever works on one.
for part in ${CLUSTER_PARTS:-cluster_start install workload policies first_packet services translation outside_world traffic_start \
	rollout daemon_killed upgrade uninstall chained}; do
	"$part"
done
