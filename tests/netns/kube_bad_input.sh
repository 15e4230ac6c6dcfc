#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever the API server says wrong, to the real daemon with real pods: the log names
# kind, object and cause; readyz and status say degraded, and since when; what was allowed
# and denied before stays so; and all is well when the server is. One line per fault.
#
# Faults of a wave are made all at once, of a kind of object each. A wave has a daemon of
# its own: the third failure of a kind within minutes is a matter of patience. Silence
# is one too, so that has a world of its own beside this one (`kube_bad_input.sh silence`),
# as has what concerns every kind at once. Pages, streams and events in every wrong order:
# tests/unit/kube/test_list.c, test_watch_*.c.
tls=1
beside=${1:-}
. "$(dirname "$0")/lib.sh"
. "$netns_dir/kube_lib.sh"

list() { echo "body={\"kind\":\"$1List\",\"apiVersion\":\"${3:-v1}\",$2}"; }
version='"metadata":{"resourceVersion":"v9x"}'
event() { echo "{\"type\":\"$1\",\"object\":{\"kind\":\"$2\",\"apiVersion\":\"v1\"$3}}"; }
trouble() { echo "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":$1,\"reason\":\"$2\"}}"; }
gzip=1f8b0800000000000003ab56caceccc4b51
policies=networking.k8s.io/v1 slices=discovery.k8s.io/v1

# --- the faults. How: any (request for the kind), list, watch (requests of that sort), once
# (a list, and nothing is degraded by it), say (a line in the watch), put (an object).
# wave name                   ; kind            ; how   ; what => what is said of it
faults() {
	cat <<END
1 no credentials             ; pods            ; any   ; status=401 => HTTP 401
1 no rights                  ; networkpolicies ; any   ; status=403|body={"reason":"Forbidden","message":"no"} => HTTP 403: Forbidden: no
1 no such API                ; namespaces      ; any   ; status=404|type=text/plain|body=not found => HTTP 404
1 a web page                 ; nodes           ; any   ; status=200|type=text/html|body=<html> => the answer is not JSON: something else answers
1 another address            ; services        ; any   ; status=302|header=Location: http://127.0.0.1:1/ => HTTP 302
1 a connection that breaks   ; endpointslices  ; list  ; cut=60 => list: .
2 too many requests          ; services        ; any   ; status=429|header=Retry-After: 1 => HTTP 429
3 a server that is broken    ; networkpolicies ; any   ; status=500 => HTTP 500
4 a server that is away      ; namespaces      ; any   ; status=503|type=text/html|body=<html> => HTTP 503
5 another list               ; services        ; list  ; status=200|$(list Pod "$version,\"items\":[]") => list: kind: is PodList, not ServiceList
6 a table                    ; endpointslices  ; list  ; status=200|body={"kind":"Table","apiVersion":"meta.k8s.io/v1",$version,"rows":[]} => list: kind: is Table, not EndpointSliceList
2 a list without a version   ; networkpolicies ; list  ; status=200|$(list NetworkPolicy '"metadata":{},"items":[]' $policies) => list: metadata.resourceVersion: missing
3 a list without items       ; pods            ; list  ; status=200|$(list Pod "$version") => list: items: missing
2 half a gzip                ; namespaces      ; list  ; status=200|header=Content-Encoding: gzip|hex=$gzip => list: .
3 an item without a uid      ; services        ; list  ; status=200|$(list Service "$version,\"items\":[{\"metadata\":{\"name\":\"x\",\"namespace\":\"y\"}}]") => list: item 0: y/x: metadata.uid: missing
3 an item of another kind    ; endpointslices  ; list  ; status=200|$(list EndpointSlice "$version,\"items\":[{\"kind\":\"Secret\",\"metadata\":{}}]" $slices) => list: item 0: kind: is Secret, not EndpointSlice
3 a node without a uid       ; nodes           ; list  ; status=200|$(list Node "$version,\"items\":[{\"metadata\":{\"name\":\"x\"}}]") => list: item 0: x: metadata.uid: missing
6 a suddenly empty list      ; networkpolicies ; once  ; status=200|$(list NetworkPolicy "$version,\"items\":[]" $policies) => suddenly empty
4 a list without an end      ; services        ; list  ; flood=67108864 => list: not a list: .* without an item
4 a line of 64 MiB           ; networkpolicies ; watch ; flood=67108864 => watch: line of more than 8388608 bytes
3 a NUL byte                 ; namespaces      ; watch ; status=200|hex=7b2261223a007d0a => watch: NUL byte in the stream
4 no JSON                    ; pods            ; say   ; {"type": => event: line 1
4 an unknown event           ; nodes           ; say   ; {"type":"PATCHED","object":{}} => event of unknown type "PATCHED"
4 a watch that ends at once  ; endpointslices  ; watch ; status=200|body= => watch: ended at once without an event
5 an event of another kind   ; pods            ; say   ; $(event ADDED Secret) => ADDED event: kind: is Secret, not Pod
6 an event without a uid     ; services        ; say   ; $(event MODIFIED Service ',"metadata":{"name":"x","namespace":"y"}') => MODIFIED event: y/x: metadata.uid: missing
5 an event without a version ; namespaces      ; say   ; $(event MODIFIED Namespace ',"metadata":{"name":"x","uid":"z"}') => MODIFIED event: x: no resourceVersion
5 a bookmark without one     ; nodes           ; say   ; $(event BOOKMARK Node ',"metadata":{}') => bookmark without a resourceVersion
5 an ERROR 500 in the stream ; networkpolicies ; say   ; $(trouble 500 InternalError) => error in the watch: InternalError
5 an ERROR 429 in the stream ; endpointslices  ; say   ; $(trouble 429 TooManyRequests) => error in the watch: TooManyRequests
6 too many objects           ; nodes           ; crowd ; 20001 => more than 20000 objects; crowd-[0-9]+ and further new ones are refused
7 labels that are none       ; pods            ; put   ; shop|web|uid-web|"app":7|"spec":{"nodeName":"n"} => shop/web: metadata.labels.app: must be a string
7 a port out of range        ; networkpolicies ; put   ; shop|job|uid-job||"spec":{"podSelector":{"matchLabels":{"app":"job"}},"ingress":[{"ports":[{"port":70000}]}]} => shop/job: spec.ingress\[0\].ports\[0\].port: .*; what is invalid allows nothing
7 a Service port of words    ; services        ; put   ; shop|db|uid-svc||"spec":{"clusterIPs":["10.96.0.10"],"ports":[{"port":"http"}]} => shop/db: spec.ports\[0\].port: must be a whole number
7 an address that is none    ; endpointslices  ; put   ; shop|db-1|uid-slice|"kubernetes.io/service-name":"db"|"addressType":"IPv4","endpoints":[{"addresses":["db"]}] => shop/db-1: endpoints\[0\].addresses\[0\]: must be an IPv4 address
END
}

# --- two pods under a policy, and a Service
objects() { # as they are when nothing is wrong
	pod_object web web && pod_object db db && pod_object job job &&
		api 'put|namespaces||shop|uid-shop|"team":"shop"|' && api 'put|nodes||n|uid-n||' &&
		policy_object db "$only_web" && policy_object job '{"podSelector":{"matchLabels":{"app":"job"}}}' &&
		api 'put|services|shop|db|uid-svc||"spec":{"clusterIPs":["10.96.0.10"],"ports":[{"port":80}]}' &&
		api "put|endpointslices|shop|db-1|uid-slice|\"kubernetes.io/service-name\":\"db\"|$slice"
}
only_web='{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}},"namespaceSelector":{"matchLabels":{"team":"shop"}}}],"ports":[{"port":80}]}]}'
slice='"addressType":"IPv4","endpoints":[]'
objects || exit 1
start() { kube_daemon_start --pod-wait 2 --log-level debug && wait_for 40 daemon_ready; }
does 'the daemon is ready' start
check 'pods join' eval 'pod_add shop web uid-web && pod_add shop db uid-db && pod_add shop job uid-job'
pod_serve shop/db tcp/80 tcp/81 || exit 1
slice="\"addressType\":\"IPv4\",\"ports\":[{\"port\":80}],\"endpoints\":[{\"addresses\":[\"$(pod_addr shop/db 4)\"]}]"
objects || exit 1
enforced() {
	reaches shop/web shop/db tcp/80 && reaches shop/web 10.96.0.10 tcp/80 && denied shop/web shop/db tcp/81 &&
		denied shop/job shop/db tcp/80
}
check 'the policy holds, and the Service leads to its pod' wait_for 10 enforced
daemon_stop

# --- what every fault has to show
is_logged() { grep -qE "kubernetes $1: (watch: |list: )?$2.*; keeping the [0-9]+ objects known" "$scratch/daemon.log"; }
is_said() { # kind what: by readyz and by status
	readyz_says "^$1: synced, degraded since 20[0-9T:-]+Z: .*$2" &&
		status_says "\"kind\":\"$1\"[^}]*\"degradedSince\":\"20[^}]*\"message\":" &&
		status_says '"degraded":{"reasons":\[{"part":"kubernetes","since":"20'
}
is_well() { readyz_says "^$1: synced.?\$" && grep -q "kubernetes $1: recovered, [0-9]* objects" "$scratch/daemon.log"; }

fresh_start() {
	: >"$scratch/daemon.log"
	start || result 1 'the daemon starts' "$(tail -n 5 "$scratch/daemon.log")"
	wait_for 20 api 'watching|6' || result 1 'it watches every kind'
	sleep 1.2 # a watch that ends before that is a fault of its own
}
provoke() { # kind how what
	case $2 in
	any) api "fault|/$1?|$3" && api "expire|$1" ;;
	once) api "fault|/$1?limit|once|$3" && api "expire|$1" ;;
	list) api "fault|/$1?limit|$3" && api "expire|$1" ;;
	watch) api "fault|/$1?watch|$3" && api "expire|$1" ;;
	say) api "fault|/$1?|held" && api "say|$1|$3" ;; # what it asks for next, waits
	crowd) api "crowd|$3" && api "expire|$1" ;;
	put) api "put|$1|$3" ;;
	esac
}
repair() {
	api 'crowd|0'
	api compact # what was said wrong is not said again
	api obey
	objects
}
each() { # wave command...: with name, kind, how, what, says
	local wave line
	wave=$1
	shift
	while IFS= read -r line; do
		name=${line%%;*} says=${line#* => } line=${line% => *}
		name=${name#* } line=${line#*;}
		kind=${line%%;*} line=${line#*;}
		how=${line%%;*} what=${line#*;}
		name=$(echo $name) kind=$(echo $kind) how=$(echo $how) what=${what# }
		"$@"
	done < <(faults | grep "^$wave ")
}
make() { provoke "$kind" "$how" "$what" || result 1 "$name: the server does it"; }
show() {
	if [ "$how" = once ]; then
		check "$name: it is logged, by kind" wait_for 30 is_logged "$kind" "$says"
		check "$name: and degrades nothing" readyz_says "^$kind: synced.?\$"
		return
	fi
	# While the server is in trouble one kind at a time asks, and backoffs are up to 30 s.
	check "$name: the log names kind, object and cause" wait_for 60 is_logged "$kind" "$says"
	check "$name: readyz and status say it, and since when" wait_for 30 is_said "$kind" "$says"
}
heal() { [ "$how" = once ] || check "$name: all is well when the server is" wait_for 60 is_well "$kind"; }
wave() { # number
	fresh_start
	each "$1" make
	each "$1" show
	check "wave $1: what was allowed and denied stays so, with all of that wrong" enforced
	check "wave $1: and the daemon stays ready" daemon_ready
	repair || exit 1
	each "$1" heal
	check "wave $1: nothing is degraded then" wait_for 60 status_says '"degraded":null'
	check "wave $1: and enforced is what was" enforced
	daemon_stop
}

# --- what concerns every kind: beside this world, in worlds of their own
any='[a-z]+' # while the server is in trouble one kind at a time asks
server_fault() { # name what-is-said provoke repair
	fresh_start
	eval "$3" || result 1 "$1: the server does it"
	check "$1: the log names it" wait_for 150 is_logged "$any" "$2"
	check "$1: readyz and status say it, and since when" wait_for 10 is_said "$any" "$2"
	check "$1: what was allowed and denied stays so" enforced
	eval "$4"
	check "$1: nothing is degraded when all is well" wait_for 90 status_says '"degraded":null'
	daemon_stop
}
show_certificate() { # name
	api "certificate|$scratch/$1.crt|$scratch/$1.key" && api stop && api start
}
silence() {
	server_fault 'a server that is silent' 'no answer from the server: silent for [0-9]+ ms' \
		'provoke pods any silent' repair
}
absence() {
	nft 'add table inet far; add chain inet far in { type filter hook input priority 0; }'
	server_fault 'a server that has vanished' 'no answer from the server: .' \
		"nft add rule inet far in tcp dport $port drop" 'nft delete table inet far'
}
credentials() {
	local no='no answer from the server: .*' well='show_certificate server'
	cert_new other 30 127.0.0.1 another && cert_new old -1 && cert_new elsewhere 30 192.0.2.1 || exit 1
	server_fault 'a certificate of another authority' "${no}certificate" 'show_certificate other' "$well"
	server_fault 'a certificate that is over' "${no}certificate.*expired" 'show_certificate old' "$well"
	server_fault "another server's certificate" "${no}(name|host)" 'show_certificate elsewhere' "$well"
	server_fault 'a token that is refused' 'HTTP 401' 'bad_tokens' 'cp "$scratch/good" "$scratch/token" && repair'
}
credentials_are_said() { grep -qE "kubernetes credentials: .*$1.*; keeping those known" "$scratch/daemon.log"; }
bad_tokens() {
	cp "$scratch/token" "$scratch/good"
	printf 'two\nlines\n' >"$scratch/token"
	api 'fault|/pods?|status=401' && api 'expire|pods'
	check 'a token of two lines is named' wait_for 60 credentials_are_said 'token is more than one word'
	: >"$scratch/token"
	check 'and one that is empty' wait_for 60 credentials_are_said 'token is empty'
}
if [ -n "$beside" ]; then
	"$beside"
	exit
fi
besides='silence absence credentials'
for beside in $besides; do
	BULKHEAD_WORLD='' bash "$0" "$beside" >"$scratch/$beside.log" 2>&1 &
	keep "$beside" $!
done

for number in $(faults | cut -d' ' -f1 | sort -u); do wave "$number"; done

for beside in $besides; do
	wait "$(cat "$scratch/keep-$beside")"
	result $? "beside all this: $beside" "$(cat "$scratch/$beside.log")"
done
