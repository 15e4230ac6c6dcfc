# SPDX-License-Identifier: Apache-2.0
# The parts of cluster.sh that are about Services.

services() {
	step 'a Deployment behind a Service: NodePort, ClusterIP from the node, hostPort'
	local nodes
	nodes=$(of node_at)
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
		        - $(probe_container 'serve, tcp/80' 'readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
		          lifecycle: { preStop: { exec: { command: [/probe, wait, "4000"] } } }')
	END
	service shop api 'type: NodePort, selector: {app: api}, ports: [{port: 8080, targetPort: 80, nodePort: 30080}]'
	service shop api-local 'type: NodePort, externalTrafficPolicy: Local, selector: {app: api}, ports: [{port: 8080, targetPort: 80, nodePort: 30081}]'
	policy shop api '{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: caller}}}]}]}'
	check 'the Deployment rolls out' rolled_out shop deployment/api
	api=$(service_ips shop api)
	check "it has an address of each family: $api" has_each_family $api
	check 'a pod that may reaches it by its ClusterIP' soon_is yes inside front/caller tcp/8080 $api
	check 'the node reaches it by its ClusterIP' soon_is yes from_node tcp/8080 $api
	is 'the outside does not by the NodePort: its packets are not the node'"'"'s' "$(from_outside tcp/30080 $nodes)" no
	is 'nor where its address is kept' "$(from_outside tcp/30081 $nodes)" no
	policy shop api-outside "{podSelector: {matchLabels: {app: api}}, ingress: [{from: $(blocks $(of outside_at))}]}"
	check 'a rule for its address opens that' soon_is yes from_outside tcp/30081 $nodes
	k delete networkpolicy -n shop api-outside >/dev/null
	apply <<-END
		apiVersion: v1
		kind: Pod
		metadata: { namespace: front, name: entry, labels: { app: entry } }
		spec:
		  terminationGracePeriodSeconds: 1
		  containers: [$(probe_container 'serve, tcp/80' 'ports: [{ containerPort: 80, hostPort: 8081 }]')]
	END
	runs front entry
	check 'a hostPort is served by portmap' soon_is yes from_outside tcp/8081 $nodes
}

# Which only the pod's own programs can do: whoever translates later is judged by the
# Service's address, which no rule lists (R25).
translation() {
	step 'Services are translated before the verdict'
	is 'an isolated pod does not reach the Service' "$(inside shop/client tcp/8080 $api)" no
	check 'and the drop says which one it dialled' wait_for 10 eval 'bulkhead drops | grep "shop/client " | grep -q "shop/api"'
	policy shop client-api '{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]}'
	policy shop api-client '{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}'
	check 'rules for the backends open the Service' soon_is yes inside shop/client tcp/8080 $api
	is 'and nothing else' "$(inside shop/other tcp/8080 $api)" no
	check 'bulkheadctl services knows the pods behind it' eval 'bulkhead services | grep -A3 "shop/api" | grep -q shop/api-'
	k delete networkpolicy -n shop client-api api-client >/dev/null
}

# --- kinds of Services, in a namespace where nothing is allowed but what is listed

accepted() { # namespace/pod: TCP connections so far, by either family
	local id pid
	id=$(k get pod -n "${1%/*}" "${1#*/}" -o 'jsonpath={.status.containerStatuses[0].containerID}')
	pid=$(ctr -a "$kubelet_socket" -n k8s.io task ls | awk -v id="${id#containerd://}" '$1 == id { print $2 }')
	awk '$1 == "Tcp:" && $7 ~ /^[0-9]+$/ { print $7 }' "/proc/$pid/net/snmp"
}
dozen() { for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "$@"; done; } # address...
# What each of the two backends got of a dozen connections to each address.
shares() { # address...
	local a b
	a=$(accepted kinds/a) b=$(accepted kinds/b)
	[ "$(inside kinds/dialler tcp/80 $(dozen "$@"))" = yes ] || return 1
	echo "$(($(accepted kinds/a) - a)) $(($(accepted kinds/b) - b))"
}
# The same name, another number in each pod, and both listen on both.
named_pod() { # name port
	apply <<-END
		apiVersion: v1
		kind: Pod
		metadata: { namespace: kinds, name: $1, labels: { app: named, who: $1 } }
		spec:
		  terminationGracePeriodSeconds: 1
		  containers: [$(probe_container 'serve, tcp/8001, tcp/8002' "ports: [{ name: http, containerPort: $2 }]")]
	END
}
kinds_start() {
	k create namespace kinds >/dev/null
	wait_for 20 k get serviceaccount -n kinds default
	policy kinds default-deny '{podSelector: {}, policyTypes: [Ingress, Egress]}'
	policy kinds named '{podSelector: {matchLabels: {app: named}}, ingress: [{from: [{podSelector: {matchLabels: {app: dialler}}}], ports: [{port: http}]}]}'
	policy kinds dialler "{podSelector: {matchLabels: {app: dialler}}, policyTypes: [Egress], egress: [
		{to: [{podSelector: {matchLabels: {app: named}}}], ports: [{port: http}]}, {to: $(blocks $(of outside_at)), ports: [{port: 8887}]}]}"
	named_pod a 8001
	named_pod b 8002
	pod kinds dialler dialler wait
	pod kinds stranger stranger wait
	ip netns exec outside "$PROBE" serve tcp/8887 tcp/8886 >/dev/null 2>&1 &
	keep outside-kinds $!
	for name in a b dialler stranger; do check "kinds/$name runs" runs kinds $name; done
}

named_port() {
	local named addr got
	service kinds named 'selector: {app: named}, ports: [{port: 80, targetPort: http}]'
	named=$(service_ips kinds named)
	check 'a named port leads to the number that each pod has for it' soon_is yes inside kinds/dialler tcp/80 $(dozen $named)
	like 'both of them' "$(shares $named)" '^[1-9][0-9]* [1-9]'
	is 'and to nobody who may not' "$(inside kinds/stranger tcp/80 $named)" no
	is 'the other number stays shut' "$(inside kinds/dialler tcp/8002 $(pod_ips kinds a))" no
	service kinds sticky 'selector: {app: named}, sessionAffinity: ClientIP, ports: [{port: 80, targetPort: http}]'
	wait_for 15 eval '[ "$(inside kinds/dialler tcp/80 $(service_ips kinds sticky))" = yes ]'
	for addr in $(service_ips kinds sticky); do
		got=$(shares "$addr")
		like "session affinity: all twelve to one of them ($got)" "$got" '^(12 0|0 12)$'
	done
}

local_traffic() {
	k apply --validate=false -f - >/dev/null <<-END
		apiVersion: v1
		kind: Service
		metadata: { namespace: kinds, name: local }
		spec: { ipFamilyPolicy: PreferDualStack, internalTrafficPolicy: Local, selector: { app: named }, ports: [{ port: 80, targetPort: http }] }
	END
	if [ "$(k get service -n kinds local -o 'jsonpath={.spec.internalTrafficPolicy}')" != Local ]; then
		step 'this server is older than internalTrafficPolicy: see tests/netns/kube_services.sh'
		return
	fi
	check 'internalTrafficPolicy Local: the ones of this node, which all are' soon_is yes inside kinds/dialler tcp/80 $(dozen $(service_ips kinds local))
	check 'bulkheadctl says so' eval 'bulkhead services -o json | jq -e ".services[] | select(.name == \"local\") | .localOnly"'
}

# Clients of these dial what a resolver tells them: the pods, and somebody outside.
resolved() {
	local told
	service kinds headless 'clusterIP: None, selector: {who: a}, ports: [{port: 80, targetPort: http}]'
	wait_for 15 eval 'has_each_family $(told_of headless)'
	told=$(told_of headless)
	check "a headless Service is its pods: $told" has_each_family $told
	is 'which a client that may dials' "$(inside kinds/dialler tcp/8001 $told)" yes
	is 'by their own port, not the Service'"'"'s' "$(inside kinds/dialler tcp/80 $told)" no
	is 'and one that may not does not' "$(inside kinds/stranger tcp/8001 $told)" no
	apply <<-END
		apiVersion: v1
		kind: Service
		metadata: { namespace: kinds, name: away }
		spec: { type: ExternalName, externalName: outside.example }
	END
	check 'neither is translated' wait_for 15 eval '[ "$(bulkhead services -o json | jq -r ".services[] | select(.namespace == \"kinds\" and (.name == \"headless\" or .name == \"away\")) | .state + \" \" + (.ports | length | tostring)" | sort | paste -sd,)" = "external name 0,headless 0" ]'
	is 'where the name leads is a rule'"'"'s business' "$(inside kinds/dialler tcp/8887 $(of outside_at))" yes
	is 'of this port' "$(inside kinds/dialler tcp/8886 $(of outside_at))" no
	is 'and this pod' "$(inside kinds/stranger tcp/8887 $(of outside_at))" no
}
told_of() { # headless service: as a resolver would answer
	k get endpointslices -n kinds -l "kubernetes.io/service-name=$1" -o 'jsonpath={.items[*].endpoints[*].addresses[0]}'
}

# A Service without a selector: its endpoints are written by hand, and are no pods.
by_hand() {
	local family name addresses=
	service kinds slices 'ports: [{port: 80, targetPort: 8887}]'
	service kinds endpoints 'ports: [{port: 80, targetPort: 8887}]'
	for family in $(each_family); do
		addresses="$addresses${addresses:+, }{ip: '${outside_at[$family]}'}"
		apply <<-END
			apiVersion: $(k api-versions | grep -m1 '^discovery.k8s.io/v1')
			kind: EndpointSlice
			metadata: { namespace: kinds, name: slices-v$family, labels: { kubernetes.io/service-name: slices } }
			addressType: IPv$family
			ports: [{ name: '', port: 8887, protocol: TCP }]
			endpoints: [{ addresses: ['${outside_at[$family]}'], conditions: { ready: true } }]
		END
	done
	apply <<-END
		apiVersion: v1
		kind: Endpoints
		metadata: { namespace: kinds, name: endpoints }
		subsets: [{ addresses: [$addresses], ports: [{ port: 8887 }] }]
	END
	for name in slices endpoints; do
		check "$name by hand lead outside, under an ipBlock" soon_is yes inside kinds/dialler tcp/80 $(service_ips kinds $name)
		is 'for who may' "$(inside kinds/stranger tcp/80 $(service_ips kinds $name))" no
	done
	policy kinds dialler '{podSelector: {matchLabels: {app: dialler}}, policyTypes: [Egress]}'
	check 'no longer, when the rule is gone' soon_is no inside kinds/dialler tcp/80 $(service_ips kinds slices)
}

kinds() {
	step 'kinds of Services under default deny: named ports, affinity, headless, external, by hand'
	kinds_start
	named_port
	local_traffic
	resolved
	by_hand
	k delete namespace kinds --wait=false >/dev/null
}
