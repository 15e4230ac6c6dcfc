# SPDX-License-Identifier: Apache-2.0
# The namespace `shop` of the demo: five pods, each with the port it serves. Sourced
# after tests/netns/lib.sh.

pods=(web db logging batch stolen)
declare -A port=([web]=tcp/80 [db]=tcp/5432 [logging]=tcp/514 [batch]=tcp/9000 [stolen]=tcp/4444)

manifest() { cat >"$manifests/$1.yaml"; }

pods_manifest() {
	for pod in "${pods[@]}"; do
		cat <<-EOF
			---
			apiVersion: v1
			kind: Pod
			metadata: {namespace: shop, name: $pod, labels: {app: $pod}}
			spec: {containers: [{name: main, ports: [{containerPort: ${port[$pod]#tcp/}}]}]}
		EOF
	done
}

# On one node; tests/demo/nodes.sh has the same words for several.
shop_start() {
	pods_manifest | manifest pods
	daemon_start "$manifests"
}
shop_pod() { pod_add shop "$1"; }
shop_settled() { :; }
