#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `bulkheadctl check` before and after the installation, and what it says of each thing
# that can be wrong: every failure here is provoked for real.
tls=1
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

confs=$scratch/net.d plugins=$scratch/bin
mkdir -p "$confs" "$plugins"
settings() { # more lines
	cat >"$scratch/settings.yaml" <<END
manifests: $manifests
runDir: $run_dir
pinRoot: $pin_root
cni: { confDir: $confs${cni_more:-} }
$*
END
}
settings
check_node() { # flags...: the answer in $answer, a line per check; the code in $code
	answer=$(ctl check --config "$scratch/settings.yaml" --plugins "$plugins" "$@" 2>&1)
	code=$?
}
says() { # name level pattern [exit code]
	check_node "${flags[@]}"
	like "$1" "$answer" "^$2 +$3"
	[ -z "${4:-}" ] || is "$1: exit code" "$code" "$4"
}
flags=()

# --- before the installation
check_node
is 'a fit node passes before anything is installed' "$code" 0
like 'the kernel is asked by loading the programs' "$answer" '^ok +kernel +Linux .* takes the programs'
like 'the hooks are tried' "$answer" '^ok +hooks +TCX links|^ok +hooks +clsact'
like 'what is missing is a warning' "$answer" '^warning +daemon .*-> start bulkheadd'
is 'one line for each check' "$(printf '%s\n' "$answer" | grep -cvE '^(ok|warning|FAIL) ')" 0
check 'and nothing is changed' eval '[ ! -e "$pin_root" ] && [ ! -e "$run_dir/daemon.lock" ]'
check 'as JSON too' eval 'ctl check --config "$scratch/settings.yaml" -o json | jq -e ".ok == true and (.checks | length) > 10" '
is 'a setting that is wrong is exit 2' "$(ctl check --config /none >/dev/null 2>&1; echo $?)" 2
BULKHEADD=/none ctl check >/dev/null 2>&1
is 'no daemon program is exit 2' $? 2

# --- the kernel
if strace -qq -o /dev/null true 2>/dev/null; then
	answer=$(ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e inject=membarrier:error=ENOSYS \
		"$BUILD/bulkheadd" --check-node --config "$scratch/settings.yaml" --plugins "$plugins" 2>&1)
	is 'a kernel without membarrier fails' "$?" 1
	like 'by name' "$answer" '"kernel","level":"FAIL","found":"Linux [^"]*membarrier'
fi
chmod o+x "$scratch"
answer=$(setpriv --reuid=65534 --clear-groups --bounding-set=-all --inh-caps=-all "$BUILD/bulkheadctl" check 2>&1)
like 'without rights it says whose are needed' "$answer" '^FAIL +kernel .*CAP_BPF.*-> run this as root'
flags=(--socket "$run_dir/bulkhead.sock")

# --- installed
cp "$BUILD/bulkhead" "$plugins/bulkhead" && chmod 0755 "$plugins/bulkhead"
printf 'kind: Pod\nmetadata: { name: web, namespace: shop }\n' >"$manifests/pods.yaml"
does 'the daemon starts' daemon_start "$manifests"
printf '{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"bulkhead"}]}' >"$confs/05-bulkhead.conflist"
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link add uplink type veth peer name far && ip link set uplink up && ip link set far up
ip addr add 198.51.100.1/24 dev uplink && ip route add default via 198.51.100.9
check 'a pod joins' pod_add shop web
check_node
is 'an installed node passes' "$code" 0
is 'without a warning' "$(printf '%s\n' "$answer" | grep -v '^ok ')" ''
like 'plugin and daemon are of one version' "$answer" '^ok +plugin .*bulkhead [0-9.]+ layout [0-9]+'
like 'the daemon is synced' "$answer" '^ok +daemon +version [0-9.]+, synced'
like 'nobody else is on the pod interface' "$answer" "^ok +programs +nobody else's on 1 pod interface"

# --- the plugin
chmod 0777 "$plugins/bulkhead"
says 'a plugin that anybody may write fails' FAIL 'plugin .*can be written by others than root' 1
printf '#!/bin/sh\necho bulkhead 0.0.1 layout 1\n' >"$plugins/bulkhead" && chmod 0755 "$plugins/bulkhead"
says 'a plugin of another version fails' FAIL 'plugin .* is not "bulkhead [0-9.]+ layout [0-9]+" -> ' 1
rm "$plugins/bulkhead"
says 'a missing plugin fails' FAIL 'plugin .*No such file' 1
cp "$BUILD/bulkhead" "$plugins/bulkhead" && chmod 0755 "$plugins/bulkhead"

# --- the runtime's configuration
printf '{"cniVersion":"1.0.0","name":"other","type":"ptp"}' >"$confs/00-other.conf"
says "another network's configuration that sorts before ours fails" FAIL \
	'conflist .*00-other.conf sorts before 05-bulkhead.conflist' 1
rm "$confs/05-bulkhead.conflist"
says 'another one alone is a warning' warning "conflist .*00-other.conf is another network's" 0
mv "$confs/00-other.conf" "$confs/10-other.conf"
printf '{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"bulkhead"}]}' >"$confs/05-bulkhead.conflist"
says 'one behind ours is fine' ok 'conflist .*05-bulkhead.conflist is the first' 0

# --- interfaces
ip link add cali1234 type veth peer name stray0
says 'what another network left is a warning, by name' warning 'other-cni +cali1234 \(Calico\)' 0
ip link del cali1234

# --- MTU, forwarding, reverse paths
ip link set uplink mtu 1400
says 'pods with more than the uplink carries are a warning' warning 'mtu .*pods have 1500 .*uplink carries 1400' 0
settings 'network: vxlan'
says 'and a failure with a tunnel' FAIL 'mtu .*pods have 1500 and the tunnel adds 50, uplink carries 1400' 1
settings
ip link set uplink mtu 1200
says 'an uplink too small for pods too' warning 'mtu .*uplink carries 1200' 0
ip link set uplink mtu 1500
sysctl -qw net.ipv4.ip_forward=0
says 'without forwarding: a warning' warning 'forwarding .*ip_forward is 0.*-> sysctl -w' 0
settings 'network: direct'
says 'and a failure with a network between nodes' FAIL 'forwarding .*ip_forward is 0' 1
settings
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1
says 'strict reverse paths are a warning' warning 'rp_filter .*rp_filter is 1' 0
sysctl -qw net.ipv4.conf.all.rp_filter=0

# --- the daemon and its pins
printf 'kind: [\n' >"$manifests/broken.yaml"
wait_for 3 eval 'ctl status -o json | grep -q since'
says 'a degraded daemon is a warning' warning 'daemon +degraded since 20' 0
daemon_stop
"$BUILD/bulkheadd" --manifests "$manifests" --run-dir "$run_dir" --pin-root "$pin_root" --metrics none \
	>>"$scratch/daemon.log" 2>&1 &
daemon_pid=$!
wait_for 5 ctl status
says 'a daemon that has not synced fails' FAIL 'daemon .*not synced' 1
rm "$manifests/broken.yaml"
daemon_stop
says 'a daemon that is gone fails' FAIL 'daemon .*-> start bulkheadd' 1
layout=$(readlink "$pin_root/current")
ln -sfn abi_99 "$pin_root/current"
says 'tables of a newer layout fail' FAIL 'layout .*layout 99, this version needs [0-9]+' 1
ln -sfn abi_0 "$pin_root/current"
says 'tables of an older one are taken over' warning 'layout .*layout 0, this version has [0-9]+ -> start'
is 'and a folder of the tables is left alone' "$(ls -d "$pin_root"/abi_*)" "$pin_root/$layout"
sed -i "s|^pinRoot: .*|pinRoot: $scratch/pins|" "$scratch/settings.yaml"
says 'pins that are on no bpffs fail' FAIL 'bpffs .*is not on a bpffs' 1
settings

# --- the API server
sed -i "s|^manifests: .*|source: kubernetes|" "$scratch/settings.yaml"
flags=(--kubeconfig "$scratch/kubeconfig")
says 'a server that lets us in' ok 'apiserver +https://127.0.0.1:[0-9]+ answers'
like 'and all that we need' "$answer" '^ok +rights +may list and watch all 6 kinds'
like 'by a certificate that is good' "$answer" '^ok +certificate +trusted, for (29|30) days more'
cert_new soon 1 && cert_new over -1 && cert_new other 30 127.0.0.1 another || exit 1
certificate() { api "certificate|$scratch/$1.crt|$scratch/$1.key"; }
certificate soon
says 'one that ends in a day is a warning' warning \
	"certificate +it ends in 2[34] hours -> renew the API server's certificate"
certificate over
says 'one that is over fails' FAIL 'apiserver +https://[^ ]*: .*certificate has expired.* -> renew the certificate' 1
certificate other
says 'and one that another authority signed' FAIL \
	'apiserver +https://[^ ]*: .*certificate.* -> .*or give the CA that signed it' 1
certificate server
clock() { LC_ALL=C date -u -d "$1" '+fault|/version|status=200|body={}|header=Date: %a, %d %b %Y %H:%M:%S GMT'; }
api "$(clock now)"
says 'clocks that agree' ok 'time +within'
api obey && api "$(clock '1 minute ago')"
says 'a clock that is a minute off is a warning' warning "time .*(59|6[0-9]) s ahead of the API server's"
api obey && api "$(clock '1 hour')"
says 'an hour is a failure' FAIL "time .*3[56][0-9][0-9] s behind the API server's -> set" 1
api obey && api 'fault|networkpolicies|status=403|body={}'
says 'a right that is missing is named' FAIL \
	'rights +denied: list networkpolicies \(HTTP 403\), watch networkpolicies \(HTTP 403\) -> apply' 1
api obey && api stop
says 'a server that does not answer fails' FAIL 'apiserver +https://127.0.0.1:[0-9]+: ' 1
flags=(--kubeconfig /none)
says 'a kubeconfig that is not there too' FAIL 'apiserver .*/none.*-> repair the kubeconfig' 1
