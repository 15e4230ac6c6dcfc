# SPDX-License-Identifier: Apache-2.0
# A real control plane on this private node, for scripts that have sourced
# tests/netns/lib.sh. Everything lives in $cluster and ends with the script.
#
#   control_plane_new [ADDRESS]    keys and tokens; ADDRESS: how the node reaches the server
#   uplink_new                     the node's address $node_address, on the same wire as `outside`,
#                                  a namespace with $outside_address
#   etcd_start, etcd_compact       compact: nothing older than now can be watched any more
#   apiserver_start [FLAG...], apiserver_stop [SIGNAL]
#   kubeconfig USER                prints the path of one (users: admin, controllers,
#                                  scheduler, kubelet, proxy), or kubeconfig_of NAME TOKEN
#   k ...                          kubectl as admin
#   background NAME COMMAND...     runs it, log in $cluster/NAME.log, pid in $scratch/keep-NAME
#   background_stop NAME [SIGNAL]

cluster_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster=$scratch/cluster
kube=$(cat "$BUILD/.kubernetes")
service_range=10.96.0.0/16
node_name=node-1
node_address=192.0.2.10 outside_address=192.0.2.1
mkdir -p "$cluster"

background() { # name command...
	local name=$1
	shift
	"$@" >>"$cluster/$name.log" 2>&1 &
	keep "$name" $!
}
background_stop() { # name [signal]
	local pid
	pid=$(cat "$scratch/keep-$1")
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

uplink_new() {
	ip netns add outside
	ip link add node0 type veth peer name eth0 netns outside
	ip addr add $node_address/24 dev node0
	ip link set node0 up
	ip route add default via $outside_address dev node0
	ip -n outside addr add $outside_address/24 dev eth0
	ip -n outside link set lo up
	ip -n outside link set eth0 up
	ip -n outside route add default via $node_address
}

key_new() { # name subject [extension]
	local request=$cluster/$1.csr
	openssl req -newkey rsa:2048 -nodes -keyout "$cluster/$1.key" -subj "$2" -out "$request"
	openssl x509 -req -in "$request" -CA "$cluster/ca.crt" -CAkey "$cluster/ca.key" -CAcreateserial -days 90 \
		-extfile <(printf '%s' "${3:-}") -out "$cluster/$1.crt"
}
control_plane_new() { # [address]
	server=${1:-127.0.0.1}
	{
		openssl req -x509 -newkey rsa:2048 -nodes -keyout "$cluster/ca.key" -subj /CN=test-ca -days 90 \
			-out "$cluster/ca.crt"
		key_new server /CN=kube-apiserver \
			"subjectAltName=DNS:kubernetes.default.svc,IP:${service_range%0/*}1,IP:127.0.0.1,IP:$server"
		key_new to-kubelet /O=system:masters/CN=kube-apiserver-to-kubelet
		openssl genrsa -out "$cluster/accounts.key" 2048
	} 2>"$cluster/keys.log"
	cat >"$cluster/tokens.csv" <<-END
		admin-token,admin,admin,system:masters
		controllers-token,system:kube-controller-manager,controllers
		scheduler-token,system:kube-scheduler,scheduler
		proxy-token,system:kube-proxy,proxy
		kubelet-token,system:node:$node_name,kubelet,system:nodes
	END
}
kubeconfig_of() { # name token
	cat >"$cluster/$1.kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: test
		contexts: [{ name: test, context: { cluster: test, user: test } }]
		clusters: [{ name: test, cluster: { server: "https://$server:6443", certificate-authority: $cluster/ca.crt } }]
		users: [{ name: test, user: { token: $2 } }]
	END
	echo "$cluster/$1.kubeconfig"
}
kubeconfig() { kubeconfig_of "$1" "$1-token"; }
k() { kubectl --kubeconfig "$cluster/admin.kubeconfig" --cache-dir "$cluster/kubectl" "$@"; }

etcd_start() {
	background etcd etcd --data-dir "$cluster/etcd" --unsafe-no-fsync --log-level error
	wait_for 20 curl -sf http://127.0.0.1:2379/health
}
etcd_call() { curl -sf "http://127.0.0.1:2379/v3/$1" -d "$2"; }
etcd_compact() {
	local now
	now=$(etcd_call kv/range '{"key":"AA=="}' | jq -r .header.revision)
	etcd_call kv/compaction "{\"revision\":$now}" >/dev/null
}
apiserver_start() { # [flag...]
	kubeconfig admin >/dev/null
	background kube-apiserver "$kube/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
		--service-cluster-ip-range=$service_range --secure-port=6443 --bind-address=0.0.0.0 \
		--advertise-address="$server" --cert-dir="$cluster" \
		--tls-cert-file="$cluster/server.crt" --tls-private-key-file="$cluster/server.key" \
		--client-ca-file="$cluster/ca.crt" --token-auth-file="$cluster/tokens.csv" \
		--kubelet-client-certificate="$cluster/to-kubelet.crt" --kubelet-client-key="$cluster/to-kubelet.key" \
		--kubelet-preferred-address-types=InternalIP --authorization-mode=Node,RBAC --allow-privileged=true \
		--service-account-issuer=https://kubernetes.default.svc \
		--service-account-key-file="$cluster/accounts.key" \
		--service-account-signing-key-file="$cluster/accounts.key" "$@"
	wait_for 60 k get --raw /readyz && return 0
	tail -n 20 "$cluster/kube-apiserver.log" >&2
	return 1
}
apiserver_stop() { background_stop kube-apiserver "$@"; }
