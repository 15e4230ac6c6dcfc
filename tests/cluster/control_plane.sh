# SPDX-License-Identifier: Apache-2.0
# A real control plane on this private node, for scripts that have sourced
# tests/netns/lib.sh. Everything lives in $cluster and ends with the script.
#
#   $families                      4, 6 or both, the cluster's own first: 4, 6, 46, 64
#   of TABLE [SEPARATOR]           an address or range for each of them, from
#                                  node_at, outside_at, service_ranges, pod_ranges
#   control_plane_new [ADDRESS]    keys and tokens; ADDRESS: how the node reaches the server
#   uplink_new                     the node's addresses, on the same wire as `outside`, a
#                                  namespace with addresses of its own
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
families=${families:-4}
first_family=${families:0:1}
node_name=node-1
declare -A node_at=([4]=192.0.2.10 [6]=2001:db8::10) outside_at=([4]=192.0.2.1 [6]=2001:db8::1)
declare -A service_ranges=([4]=10.96.0.0/16 [6]=fd00:96::/112) pod_ranges=([4]=10.244.0.0/16 [6]=fd00:244::/48)
declare -A api_service=([4]=10.96.0.1 [6]=fd00:96::1)
node_address=${node_at[$first_family]} outside_address=${outside_at[$first_family]}
mkdir -p "$cluster"

each_family() { echo "$families" | grep -o .; }
has_family() { case $families in *$1*) ;; *) return 1 ;; esac }
is_dual() { [ ${#families} = 2 ]; }
of() { # table [separator]
	local -n table=$1
	local family list=
	for family in $(each_family); do list=$list${list:+${2:- }}${table[$family]}; done
	echo "$list"
}
# The switch of a program that still has to be asked for both families; later ones know
# it no more.
dual_gate() { # program
	! is_dual || ! "$kube/$1" --help 2>&1 | grep -q IPv6DualStack= || echo --feature-gates=IPv6DualStack=true
}

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
	local family
	ip netns add outside
	ip link add node0 type veth peer name eth0 netns outside
	ip link set node0 up
	ip -n outside link set lo up
	ip -n outside link set eth0 up
	for family in $(each_family); do
		wire "$family" "" node0 "${node_at[$family]}" "${outside_at[$family]}"
		wire "$family" "-n outside" eth0 "${outside_at[$family]}" "${node_at[$family]}"
	done
}
wire() { # family where interface own-address [gateway]; nobody else has these, so v6 need not ask
	local length=24 nodad=
	[ "$1" = 4 ] || length=64 nodad=nodad
	ip $2 addr add "$4/$length" dev "$3" $nodad
	[ -z "${5:-}" ] || ip $2 "-$1" route add default via "$5" dev "$3"
}

key_new() { # name subject [extension]
	local request=$cluster/$1.csr
	openssl req -newkey rsa:2048 -nodes -keyout "$cluster/$1.key" -subj "$2" -out "$request"
	openssl x509 -req -in "$request" -CA "$cluster/ca.crt" -CAkey "$cluster/ca.key" -CAcreateserial -days 90 \
		-extfile <(printf '%s' "${3:-}") -out "$cluster/$1.crt"
}
control_plane_new() { # [address]
	server=${1:-127.0.0.1}
	case $server in *:*) server_url="https://[$server]:6443" ;; *) server_url=https://$server:6443 ;; esac
	{
		openssl req -x509 -newkey rsa:2048 -nodes -keyout "$cluster/ca.key" -subj /CN=test-ca -days 90 \
			-out "$cluster/ca.crt"
		key_new server /CN=kube-apiserver \
			"subjectAltName=DNS:kubernetes.default.svc,IP:${api_service[$first_family]},IP:127.0.0.1,IP:$server"
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
		clusters: [{ name: test, cluster: { server: "$server_url", certificate-authority: $cluster/ca.crt } }]
		users: [{ name: test, user: { token: $2 } }]
	END
	echo "$cluster/$1.kubeconfig"
}
kubeconfig() { kubeconfig_of "$1" "$1-token"; }
k() { kubectl --kubeconfig "$cluster/admin.kubeconfig" --cache-dir "$cluster/kubectl" "$@"; }

etcd_start() {
	background etcd etcd --data-dir "$cluster/etcd" --unsafe-no-fsync --log-level error
	wait_for 60 curl -sf http://127.0.0.1:2379/health
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
		--service-cluster-ip-range="$(of service_ranges ,)" --secure-port=6443 --bind-address=:: \
		$(dual_gate kube-apiserver) \
		--advertise-address="$server" --cert-dir="$cluster" \
		--tls-cert-file="$cluster/server.crt" --tls-private-key-file="$cluster/server.key" \
		--client-ca-file="$cluster/ca.crt" --token-auth-file="$cluster/tokens.csv" \
		--kubelet-client-certificate="$cluster/to-kubelet.crt" --kubelet-client-key="$cluster/to-kubelet.key" \
		--kubelet-preferred-address-types=InternalIP --authorization-mode=Node,RBAC --allow-privileged=true \
		--service-account-issuer=https://kubernetes.default.svc \
		--service-account-key-file="$cluster/accounts.key" \
		--service-account-signing-key-file="$cluster/accounts.key" "$@"
	wait_for 180 k get --raw /readyz && return 0
	tail -n 20 "$cluster/kube-apiserver.log" >&2
	return 1
}
apiserver_stop() { background_stop kube-apiserver "$@"; }
