# SPDX-License-Identifier: Apache-2.0
# The rest of a real cluster on this one node, for scripts that have sourced world.sh and
# control_plane.sh:
#
#   containerd_start, image_import ARCHIVE
#   controllers_start, scheduler_start, kubelet_start, proxy_start
#   step TEXT                  what happens now, for whoever reads along
#   node_is_ready, pod_is NAMESPACE NAME
#   pod_ips NAMESPACE NAME, service_ips NAMESPACE NAME  an address of each family
#   rolled_out NAMESPACE KIND/NAME
#   apply                      objects from stdin

# What happened, for whoever looks for a failure afterwards.
logs_keep() {
	local folder=$BUILD/test-logs/$(basename "$0" .sh)
	rm -rf "$folder"
	mkdir -p "$folder"
	cp "$cluster"/*.log "$folder"
	k get pods -A -o wide >"$folder/pods" 2>&1
	k get events -A >"$folder/events" 2>&1
	cp -rL /var/log/pods "$folder/containers" 2>/dev/null
}
trap 'code=$?; logs_keep; (exit $code); world_end' EXIT

kubelet_socket=/run/containerd/containerd.sock

step() { printf '# %s  %s\n' "$(date +%T)" "$*"; }

containerd_start() {
	cat >"$cluster/containerd.toml" <<-END
		version = 2
		root = "$cluster/containerd"
		state = "/run/containerd"
		[grpc]
		  address = "$kubelet_socket"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "localhost/pause:test"
		  restrict_oom_score_adj = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		  bin_dir = "/opt/cni/bin"
		  conf_dir = "/etc/cni/net.d"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
	END
	mkdir -p /opt/cni/bin
	background containerd containerd --config "$cluster/containerd.toml"
	wait_for 60 ctr -a "$kubelet_socket" version
}
image_import() { ctr -a "$kubelet_socket" -n k8s.io images import "$1" >>"$cluster/images.log" 2>&1; }

controllers_start() {
	local masks=
	# one alone has the length that it has by default; both are named
	! is_dual || masks='--node-cidr-mask-size-ipv4=24 --node-cidr-mask-size-ipv6=64'
	background kube-controller-manager "$kube/kube-controller-manager" \
		--kubeconfig="$(kubeconfig controllers)" --leader-elect=false --cert-dir="$cluster" \
		--use-service-account-credentials=true \
		--service-account-private-key-file="$cluster/accounts.key" --root-ca-file="$cluster/ca.crt" \
		--allocate-node-cidrs=true --cluster-cidr="$(of pod_ranges ,)" $masks \
		--service-cluster-ip-range="$(of service_ranges ,)" $(dual_gate kube-controller-manager)
}
scheduler_start() {
	background kube-scheduler "$kube/kube-scheduler" --kubeconfig="$(kubeconfig scheduler)" --leader-elect=false \
		$(dual_gate kube-scheduler)
}
proxy_start() {
	background kube-proxy "$kube/kube-proxy" --kubeconfig="$(kubeconfig proxy)" --hostname-override=$node_name \
		--bind-address="$node_address" --cluster-cidr="$(of pod_ranges ,)" --proxy-mode=iptables \
		--conntrack-max-per-core=0 $(dual_gate kube-proxy)
}
kubelet_start() {
	local runtime=
	# older than 1.27: two kinds of runtime
	"$kube/kubelet" --help 2>&1 | grep -q -- '--container-runtime ' && runtime=--container-runtime=remote
	background kubelet "$kube/kubelet" --kubeconfig="$(kubeconfig kubelet)" $runtime \
		--container-runtime-endpoint="unix://$kubelet_socket" --hostname-override=$node_name \
		--node-ip="$(of node_at ,)" --root-dir="$cluster/kubelet" --cert-dir="$cluster/kubelet-pki" \
		--volume-plugin-dir="$cluster/volume-plugins" \
		--cgroups-per-qos=false --enforce-node-allocatable= --fail-swap-on=false --eviction-hard= \
		--cgroup-driver=cgroupfs --resolv-conf= --client-ca-file="$cluster/ca.crt" \
		--sync-frequency=5s --file-check-frequency=5s --node-status-update-frequency=2s \
		$(dual_gate kubelet)
}

apply() { k apply -f - >/dev/null; }
node_condition() { k get node $node_name -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null; }
node_is_ready() { [ "$(node_condition)" = True ]; }
node_is_not_ready() { [ "$(node_condition)" = False ]; }
pod_is() { # namespace name: Running and Ready
	[ "$(k get pod -n "$1" "$2" -o 'jsonpath={.status.phase}{.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = RunningTrue ]
}
pod_ips() { k get pod -n "$1" "$2" -o 'jsonpath={.status.podIPs[*].ip}'; }
service_ips() { k get service -n "$1" "$2" -o 'jsonpath={.spec.clusterIPs[*]}'; }
rolled_out() { k rollout status -n "$1" "$2" --timeout="${3:-90s}"; }
