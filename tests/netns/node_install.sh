#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node from nothing to nothing: plugins installed, the runtime's configuration
# written once the daemon has synced and kept right, pods by that configuration,
# everything removed again.
. "$(dirname "$0")/lib.sh"

mkdir -p "$scratch/net.d"
bin=$scratch/opt/cni/bin conf=$scratch/net.d settings=$scratch/settings
ours=$conf/05-bulkhead.conflist
plugins=$scratch/image
mkdir -p "$settings" "$plugins"
cp "$BUILD/bulkhead" "$IPAM_DIR/host-local" "$IPAM_DIR/portmap" "$plugins"
cat >"$settings/10-base.yaml" <<END
cni: { confDir: $conf, podCIDRs: [10.244.1.0/24, "fd00:244:1::/64"] }
END
daemon() { "$BUILD/bulkheadd" --config "$settings" --run-dir "$run_dir" --pin-root "$pin_root" "$@"; }
node_object() { # podCIDRs
	cat >"$manifests/node.yaml" <<END
apiVersion: v1
kind: Node
metadata: { name: n1 }
spec: { podCIDRs: $1 }
END
}
status_says() { ctl status -o json | tr -d '[:space:]' | grep -qE "$1"; }
readyz_code() { curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9470/readyz; }

# --- plugins
before=$(inventory)
check 'plugins are installed' daemon --install "$bin" --plugins "$plugins"
is 'all of them' "$(ls "$bin" | tr '\n' ' ')" 'bulkhead host-local portmap '
is 'so that anyone may run them' "$(stat -c %a "$bin/bulkhead")" 755
first=$(stat -c %i "$bin/bulkhead")
check 'again' daemon --install "$bin" --plugins "$plugins"
is 'what is right stays as it is' "$(stat -c %i "$bin/bulkhead")" "$first"
echo theirs >"$bin/portmap"
echo old >"$bin/bulkhead"
daemon --install "$bin" --plugins "$plugins" 2>/dev/null
check 'ours is brought up to date' cmp "$bin/bulkhead" "$plugins/bulkhead"
is "someone else's is left alone" "$(cat "$bin/portmap")" theirs
rm "$bin/portmap"
# a plugin that runs cannot be written over, only replaced (C23)
cp "$(command -v sleep)" "$bin/bulkhead"
"$bin/bulkhead" 60 &
keep sleeper $!
check 'ours is replaced while it runs' daemon --install "$bin" --plugins "$plugins"
kill "$(cat "$scratch/keep-sleeper")"
# whoever was killed while writing left this
touch "$bin/bulkhead.Ab12Cd" "$conf/05-bulkhead.conflist.xY34zW" "$bin/bulkhead.tar"
daemon --install "$bin" --plugins "$plugins" 2>/dev/null
check 'another file with our name in front is not ours' rm "$bin/bulkhead.tar"
is 'no temporary file is left' "$(ls -A "$bin" | tr '\n' ' ')" 'bulkhead host-local portmap '
check 'a missing source is an error' eval '! daemon --install "$bin" --plugins /nonexistent'

# --- the configuration
check 'nothing is written before the daemon runs' test ! -e "$ours"
mkdir "$scratch/broken"
echo '{' >"$scratch/broken/x.yaml"
"$BUILD/bulkheadd" --config "$settings" --manifests "$scratch/broken" 2>>"$scratch/daemon.log" &
daemon_pid=$!
keep daemon $daemon_pid
wait_for 5 curl -sf http://127.0.0.1:9470/healthz
check 'nor before it has synced' eval '! wait_for 1 test -e "$ours"'
is 'which readyz says' "$(readyz_code)" 503
daemon_stop
daemon_start "$manifests" --config "$settings"
check 'it is written once synced' wait_for 5 test -e "$ours"
is 'readyz agrees' "$(readyz_code)" 200
is 'it has the ranges that the settings name' \
	"$(jq -c '.plugins[0].ipam.ranges' "$ours")" '[[{"subnet":"10.244.1.0/24"}],[{"subnet":"fd00:244:1::/64"}]]'
is 'nothing beside it that a runtime would read' "$(ls -A "$conf")" 05-bulkhead.conflist
rm "$ours"
check 'removed by someone, it is written again' wait_for 15 test -e "$ours"
daemon_stop
check 'a daemon that ends leaves it' test -e "$ours"

# --- by this file, as a runtime would
conf_of_plugin() { jq -c '. as $l | .plugins[0] + {name: $l.name, cniVersion: $l.cniVersion}' "$ours"; }
daemon_start "$manifests" --config "$settings"
cat >"$manifests/pods.yaml" <<END
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: web }
END
netns_new shop.web >/dev/null
cni_path=$bin cni_args='IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web' \
	cni ADD c1 /run/netns/shop.web eth0 < <(conf_of_plugin)
is 'a pod joins by it' "$status" 0
like 'with an address of the range' "$out" '10\.244\.1\.'
check 'its reservation lies beside the state' test -e "$run_dir/ipam/bulkhead/10.244.1.2"

# --- this node's own ranges
daemon_stop
rm "$ours"
echo "cni: { podCIDRs: [] }" >"$settings/20-own.yaml"
daemon_start "$manifests" --config "$settings" --node-name n1
is 'without a Node object there is none' "$(readyz_code)" 503
check 'status names the object and the setting' status_says 'part":"conflist".*noNodeobjectiscalledn1:setnodeNameorcni.podCIDRs'
node_object '[]'
check 'nor without ranges in it' wait_for 5 status_says 'noden1hasnopodCIDRsyet'
node_object '["10.244.7.0/24"]'
check 'when the ranges come, it is written' wait_for 5 test -e "$ours"
is 'with them' "$(jq -c '.plugins[0].ipam.ranges' "$ours")" '[[{"subnet":"10.244.7.0/24"}]]'
is 'and the node is ready' "$(readyz_code)" 200
check 'nothing is degraded any more' status_says '"degraded":null'
daemon_stop

# --- behind another network
rm "$ours"
echo "cni: { chain: auto }" >"$settings/20-own.yaml"
daemon_start "$manifests" --config "$settings"
check 'with no network to stand behind, status says so' status_says 'holdsnonetworktostandbehind'
echo '{"cniVersion":"0.4.0","name":"lan","plugins":[{"type":"ptp"},{"type":"portmap"}]}' >"$conf/10-lan.conflist"
check 'when there is one, it is repeated' wait_for 15 test -e "$ours"
is 'with bulkhead behind it' "$(jq -c '[.name, .cniVersion, (.plugins | map(.type))]' "$ours")" \
	'["lan","0.4.0",["ptp","portmap","bulkhead"]]'
echo '{"cniVersion":"1.0.0","name":"lan","plugins":[{"type":"bridge"}]}' >"$conf/10-lan.conflist"
follows() { [ "$(jq -c '.plugins | map(.type)' "$ours")" = '["bridge","bulkhead"]' ]; }
check 'a change of it is followed' wait_for 15 follows

# --- nothing left
daemon --uninstall "$bin" 2>"$scratch/said"
is 'uninstall is refused while a daemon runs' $? 1
like 'and says so' "$(cat "$scratch/said")" 'another bulkheadd holds'
check 'nothing was touched' test -e "$ours"
daemon_stop
check 'with no daemon, it works' daemon --uninstall "$bin"
is 'the configuration is gone' "$(ls -A "$conf")" 10-lan.conflist
is 'our plugin too' "$(ls "$bin" | tr '\n' ' ')" 'host-local portmap '
ip netns del shop.web
is 'and everything else' "$(inventory)" "$before"
check 'it can be repeated' daemon --uninstall "$bin"
