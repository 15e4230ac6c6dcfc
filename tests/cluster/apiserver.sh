#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Objects from a real API server, changed by kubectl, enforced on real pods: with the
# rights of deploy/bulkhead.yaml and no others; through restarts of the server, a
# compaction of its store, namespaces that terminate, pods that end and come back.
net_families=4
. "$(dirname "$0")/../netns/lib.sh"
. "$(dirname "$0")/control_plane.sh"

uplink_new
control_plane_new $node_address
etcd_start || exit 1
apiserver_start --disable-admission-plugins=ServiceAccount || exit 1

soon() { wait_for 10 "$@"; }
object() { k apply --validate=false -f - >/dev/null; }
pod_object() { # namespace name label [node]: prints its uid
	k create --validate=false -o 'jsonpath={.metadata.uid}' -f - <<-END
		apiVersion: v1
		kind: Pod
		metadata: { namespace: $1, name: $2, labels: { app: $3 } }
		spec: { nodeName: ${4:-$node_name}, containers: [{ name: c, image: none }] }
	END
}
pod_status() { # namespace name phase [address]
	k get pod -n "$1" "$2" -o json |
		jq -c --arg phase "$3" --arg ip "${4:-}" '.status = {phase: $phase} + (if $ip == "" then {} else {podIP: $ip, podIPs: [{ip: $ip}]} end)' |
		k replace --raw "/api/v1/namespaces/$1/pods/$2/status" -f - >/dev/null
}
join() { # namespace name label: object and pod
	local uid
	uid=$(pod_object "$1" "$2" "$3") && pod_add "$1" "$2" "$uid"
}
delete_now() { k delete --grace-period=0 --force --wait=false "$@" >/dev/null 2>&1; }
policy() { # namespace name spec
	object <<-END
		apiVersion: networking.k8s.io/v1
		kind: NetworkPolicy
		metadata: { namespace: $1, name: $2 }
		spec: $3
	END
}

# --- what deploy/ holds, as a real server takes it and the daemon reads it
settings_of_cluster() { # folder: the ConfigMap's keys as files, as a pod has them
	rm -rf "$1"
	mkdir "$1"
	k get configmap -n bulkhead-system bulkhead -o json | jq -r '.data | keys[]' | while read -r key; do
		k get configmap -n bulkhead-system bulkhead -o json | jq -r --arg key "$key" '.data[$key]' >"$1/$key"
	done
}
overlay_is_good() { # folder
	kubectl kustomize "$1" 2>/dev/null | k apply -f - >/dev/null || return 1
	settings_of_cluster "$scratch/settings"
	"$BUILD/bulkheadd" --config "$scratch/settings" --check-config && ls "$scratch/settings"
}
for overlay in "$source_root"/deploy/kustomize/overlays/*; do
	name=$(basename "$overlay")
	said=$(overlay_is_good "$overlay" 2>&1)
	like "overlay $name is taken, and its settings are good" "$said" '^ok$'
	like "it adds its own to the ones of the base" "$(echo "$said" | tr '\n' ' ')" '10-bulkheadd.yaml (50-|kubernetesService)'
done
is 'deploy/bulkhead.yaml is the base itself' "$(readlink "$source_root/deploy/bulkhead.yaml")" kustomize/base/bulkhead.yaml
k delete -k "$source_root/deploy/kustomize/base" --wait=false >/dev/null 2>&1
k get namespace bulkhead-system -o json | jq '.spec.finalizers = []' |
	k replace --raw /api/v1/namespaces/bulkhead-system/finalize -f - >/dev/null

# --- the rights of the daemon, by its own service account
check 'deploy/bulkhead.yaml is accepted by a real server' k apply -f "$source_root/deploy/bulkhead.yaml"
token=$(echo '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}' |
	k create --raw /api/v1/namespaces/bulkhead-system/serviceaccounts/bulkhead/token -f - | jq -r .status.token)
kubeconfig_of bulkhead "$token" >/dev/null
as_daemon() { kubectl --kubeconfig "$cluster/bulkhead.kubeconfig" --cache-dir "$cluster/kubectl-daemon" "$@"; }
may() { [ "$(as_daemon auth can-i "$@" --all-namespaces 2>/dev/null)" = yes ]; }
for kind in pods namespaces nodes services networkpolicies.networking.k8s.io endpointslices.discovery.k8s.io; do
	check "it may list $kind" may list "$kind"
	check "and watch them" may watch "$kind"
	for verb in create update patch delete deletecollection; do
		check "but not $verb them" eval "! may $verb $kind"
	done
done
for kind in secrets configmaps serviceaccounts; do
	check "it may not get $kind" eval "! may get $kind"
	check "nor list them" eval "! may list $kind"
done
check 'nor start a process in a pod' eval '! may create pods --subresource=exec'
check 'nor read what one says' eval '! may get pods --subresource=log'
check 'nor speak to a kubelet' eval '! may get nodes --subresource=proxy'
k create secret generic -n default s --from-literal=a=b >/dev/null
refused() { "$@" 2>&1 | grep -qi forbidden; }
check 'a secret is refused to it for real' refused as_daemon get secret -n default s
check 'so is a write' refused as_daemon create namespace x

# --- the daemon on it
k create namespace shop >/dev/null
k create namespace dev >/dev/null
start() {
	"$BUILD/bulkheadd" --kubeconfig "$cluster/bulkhead.kubeconfig" --node-name "$node_name" --pod-wait 2 \
		--log-level debug >>"$scratch/daemon.log" 2>&1 &
	daemon_pid=$!
	keep daemon "$daemon_pid"
}
start
check 'the daemon syncs with these rights' wait_for 20 daemon_ready
join shop web web && join shop db db && join shop job job && join dev web web || exit 1
pod_serve shop/db tcp/80 tcp/81 || exit 1
pod_serve shop/web tcp/90 || exit 1
check 'without a policy, pods reach each other' eval 'reaches shop/web shop/db tcp/80 && reaches dev/web shop/db tcp/80'
pod_add shop ghost 2>/dev/null
is 'a pod that no object describes is told to try again later' "$(cni_code)" 11
ip netns del shop.ghost
rm -rf "$scratch/pods/shop.ghost"

# --- policies by kubectl
policy shop db '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]}'
web_only() {
	reaches shop/web shop/db tcp/80 && denied shop/web shop/db tcp/81 && denied shop/job shop/db tcp/80 &&
		denied dev/web shop/db tcp/80
}
check 'a policy is enforced' soon web_only
policy shop db '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: dev}}}]}]}'
check 'a changed one too' soon eval 'denied shop/web shop/db tcp/80 && denied dev/web shop/db tcp/80'
k label namespace dev team=dev >/dev/null
check 'a relabelled namespace gains what its label gives' soon reaches dev/web shop/db tcp/81
k label namespace dev team- >/dev/null
check 'and loses it' soon denied dev/web shop/db tcp/81
policy shop db '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]}'
k label pod -n shop job app=web --overwrite >/dev/null
check 'a relabelled pod gains what its label gives' soon reaches shop/job shop/db tcp/80
k label pod -n shop job app=job --overwrite >/dev/null
check 'and loses it' soon denied shop/job shop/db tcp/80
hold_start shop/web db 80 || exit 1
k delete networkpolicy -n shop db >/dev/null
check 'a deleted policy is forgotten' soon reaches shop/job shop/db tcp/81
policy shop all '{podSelector: {}, policyTypes: [Ingress, Egress]}'
check 'default deny cuts a live connection' soon hold_is_cut db
check 'and denies new ones' soon denied shop/job shop/db tcp/80
k delete networkpolicy -n shop all >/dev/null
policy shop db '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]}'
check 'and back' soon web_only

# --- pods of other nodes, finished pods, pods that come back
ip -n outside addr add 10.244.9.9/32 dev lo
ip -n outside route replace 10.244.0.0/16 via $node_address src 10.244.9.9
ip route add 10.244.9.0/24 via $outside_address
sysctl -qw net.ipv4.ip_forward=1
from_outside() { ip netns exec outside "$PROBE" try -t 300 "$(pod_addr shop/db),tcp/$1" | grep -q yes; }
pod_object shop far web other-node >/dev/null
check 'a pod of another node without an address reaches nothing' eval '! from_outside 80'
pod_status shop far Running 10.244.9.9
check 'with its address it is what its labels say' soon from_outside 80
pod_status shop far Succeeded 10.244.9.9
check 'finished, it is nobody' soon eval '! from_outside 80'
pod_object shop heir web other-node >/dev/null
pod_status shop heir Running 10.244.9.9
check 'its address may be reused at once' soon from_outside 80
delete_now pod -n shop heir
check 'a deleted pod is nobody' soon eval '! from_outside 80'

k delete pod -n shop job --grace-period=0 --force >/dev/null 2>&1
uid=$(pod_object shop job web)
check 'an object with another uid does not speak for the pod that is here' eval '! wait_for 2 reaches shop/job shop/db tcp/80'
pod_del shop/job
check 'the pod that it speaks for joins' pod_add shop job "$uid"
check 'with its labels' soon reaches shop/job shop/db tcp/80
k label pod -n shop job app=job --overwrite >/dev/null

# --- a namespace that terminates keeps its isolation until its pods are gone (R24);
# nothing here finalizes it, so the steps are ours
policy dev closed '{podSelector: {}, policyTypes: [Ingress]}'
pod_serve dev/web tcp/70 || exit 1
check 'a pod in the namespace is isolated' soon denied shop/web dev/web tcp/70
k delete namespace dev --wait=false >/dev/null
terminating() { [ "$(k get namespace dev -o 'jsonpath={.status.phase}')" = Terminating ]; }
check 'the namespace terminates' soon terminating
k delete networkpolicy -n dev closed >/dev/null
sleep 1
check 'its policy is gone first, the pod stays isolated' denied shop/web dev/web tcp/70
delete_now pod -n dev web
pod_del dev/web
k get namespace dev -o json | jq '.spec.finalizers = []' | k replace --raw /api/v1/namespaces/dev/finalize -f - >/dev/null
k create namespace dev >/dev/null
check 'a new namespace of that name starts open' eval 'join dev web web && pod_serve dev/web tcp/70 && soon reaches shop/web dev/web tcp/70'

# --- the server goes away
hold_start shop/web db 80 || exit 1
apiserver_stop KILL
ready() { curl -s http://127.0.0.1:9470/readyz; }
check 'enforcement goes on without the server' web_only
check 'readyz says what is out of date' wait_for 20 eval 'ready | grep -qE "pods: synced, degraded since"'
pod_del shop/job
check 'a known pod joins, under the policy that was known' eval 'pod_add shop job && denied shop/job shop/db tcp/80'
apiserver_start --disable-admission-plugins=ServiceAccount || exit 1
policy shop db '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: [web]}}}], ports: [{port: 80}]}]}' 2>/dev/null
policy shop more '{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: job}}}], ports: [{port: 81}]}]}'
check 'changes are enforced when it is back' wait_for 45 reaches shop/job shop/db tcp/81
is 'the live connection lost nothing' "$(hold_stop db; hold_says db | cut -d' ' -f1)" alive

# --- what the daemon would watch on from has been compacted
lists() { ctl status -o json | jq "[.kubernetes[] | select(.kind == \"networkpolicies\") | .lists] | add"; }
settled() { ctl status -o json | jq -e '.degraded == null' >/dev/null; }
wait_for 45 settled
before=$(lists)
kill -STOP "$daemon_pid"
k delete networkpolicy -n shop more >/dev/null
for i in 1 2 3 4 5; do k annotate namespace shop "n$i=x" >/dev/null; done
apiserver_stop KILL
etcd_compact
apiserver_start --disable-admission-plugins=ServiceAccount || exit 1
etcd_compact
check 'a stopped daemon still enforces' reaches shop/job shop/db tcp/81
kill -CONT "$daemon_pid"
check 'a version that is gone is listed anew, what changed is enforced' wait_for 60 denied shop/job shop/db tcp/81
listed_again() { [ "$(lists)" -gt "$before" ]; }
check 'for which the daemon lists again' wait_for 60 listed_again
check 'the rest is as it was' web_only
check 'and nothing stays degraded' wait_for 60 settled
check 'the token is in no log' eval '! grep -rqF "$token" "$scratch/daemon.log" "$run_dir"'
daemon_stop
