#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every malformed environment and stdin: the right code in JSON on stdout, exit 1,
# and nothing changed, on a node where the well-formed command works (C18).
. "$(dirname "$0")/lib.sh"
double_start || exit 1
netns_new pod >/dev/null
conf=$(net_conf)
net_version=1.1.0
conf11=$(net_conf)

run() { # VAR=VALUE... < stdin; starts from a well-formed ADD
	out=$(env -i PATH="$PATH" CNI_COMMAND=ADD CNI_CONTAINERID=pod CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 \
		CNI_PATH="$IPAM_DIR" "$@" "$BUILD/bulkhead" 2>/dev/null)
	status=$?
}
control() {
	run <<<"$conf"
	is "control: the well-formed ADD works ($1)" "$status" 0
	run CNI_COMMAND=DEL <<<"$conf"
	is "control: the well-formed DEL works ($1)" "$status$out" 0
}
snapshot() { inventory; nsenter --net=/run/netns/pod ip -o link; }
control 'before'
start=$(snapshot)

verdict() { # code name
	local changed=''
	[ "$(snapshot)" = "$start" ] || changed=' and something changed'
	is "$2" "exit $status code $(cni_code) $(printf '%s' "$out" | grep -c '^{"cniVersion":"[0-9.]*","code":')$changed" \
		"exit 1 code $1 1"
}
plain() { printf '%s' "$1" | head -c 60 | LC_ALL=C tr -c ' -"$-~' '?'; } # neither newlines nor TAP's '#'
env_row() { # code VAR=VALUE...
	local code=$1 said
	shift
	run "$@" <<<"$conf"
	said="$*"
	verdict "$code" "environment $(plain "$said")"
}
conf_row() { # code stdin [VAR=VALUE...]
	local code=$1 text=$2
	shift 2
	run "$@" < <(printf '%s' "$text")
	verdict "$code" "stdin $(plain "$text") ${*:+with $*}"
}
file_row() { # code file name
	run <"$2"
	verdict "$1" "stdin $3"
}
key_row() { # code "member": replaces or adds one member of the configuration
	conf_row "$1" "${conf%\}},$2}"
}

long() { head -c "$1" /dev/zero | tr '\0' "${2:-a}"; }

# --- the command
for value in '' add ADDD 'ADD ' ' ADD' DELETE check VERSIONS 'ADD;DEL' $'ADD\n' '%n%n' "$(long 5000 A)" GETT UPDATE; do
	env_row 4 "CNI_COMMAND=$value"
done

# --- variables that are missing: all of them are named at once
env_row 4 CNI_CONTAINERID=
env_row 4 CNI_NETNS=
env_row 4 CNI_IFNAME=
env_row 4 CNI_PATH=
env_row 4 CNI_CONTAINERID= CNI_IFNAME=
env_row 4 CNI_CONTAINERID= CNI_NETNS= CNI_IFNAME= CNI_PATH=
is 'all missing variables are named in one message' \
	"$(printf '%s' "$out" | grep -c 'CNI_CONTAINERID CNI_NETNS CNI_IFNAME CNI_PATH')" 1
env_row 4 CNI_COMMAND=DEL CNI_CONTAINERID=
env_row 4 CNI_COMMAND=DEL CNI_IFNAME=
env_row 4 CNI_COMMAND=CHECK CNI_NETNS=
env_row 4 CNI_COMMAND=STATUS CNI_PATH=
env_row 4 CNI_COMMAND=GC CNI_PATH=

# --- container ids
ids=(../../x .. . -x _x .x a/b 'a b' 'a:b' $'a\nb' $'a\tb' $'a\eb' 'a%nb/' 'a;b' 'a$b' 'a`b`' 'a*' 'a?' 'a\b' 'a"b' "a'b" 'ü'
	'a=b' 'a&b' 'a|b' 'a<b' 'a,b' 'a@b' 'a#b' 'a~' '/' '/etc' "$(long 201)" "$(long 4096)" "$(long 100000)")
for id in "${ids[@]}"; do env_row 4 "CNI_CONTAINERID=$id"; done
for id in ../../x a/b $'a\nb' "$(long 4096)"; do env_row 4 CNI_COMMAND=DEL "CNI_CONTAINERID=$id"; done

# --- interface names
names=(. .. a/b 'a b' a:b $'a\nb' $'a\tb' $'a\eb' $'a\rb' sixteen-bytes-xx "$(long 16)" "$(long 4096)" / ' ' $'\x7f' 'ü' all default $'\xff')
for name in "${names[@]}"; do env_row 4 "CNI_IFNAME=$name"; done
for name in a/b .. "$(long 16)"; do env_row 4 CNI_COMMAND=DEL "CNI_IFNAME=$name"; done

# --- network namespaces
: >"$scratch/file"
mkfifo "$scratch/fifo"
ln -s /nowhere "$scratch/dangling"
ln -s /proc/self/ns/net "$scratch/own"
ln -s "$scratch/loop" "$scratch/loop"
for path in /proc/self/ns/net /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/user "$scratch/file" "$scratch/fifo" "$scratch" /dev/null \
	/dev/zero /proc/self/status "$scratch/own" "$scratch/loop" /sys/fs/bpf /; do
	env_row 8 "CNI_NETNS=$path"
done
for path in /run/netns/nothing "$scratch/dangling" relative /run/netns/pod/below '%s%n' ; do
	env_row 3 "CNI_NETNS=$path"
done
env_row 8 "CNI_NETNS=/$(long 5000)"
env_row 8 CNI_NETNS_OVERRIDE=0 CNI_NETNS=/proc/self/ns/net
env_row 8 CNI_NETNS_OVERRIDE=yes CNI_NETNS=/proc/self/ns/net

# --- CNI_ARGS
args=(K8S_POD_NAMESPACE 'K8S_POD_NAME=a;K8S_POD_NAMESPACE' '=x' 'A=B=C' 'K8S_POD_NAMESPACE=../etc;K8S_POD_NAME=x' 'K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=x'
	'K8S_POD_NAMESPACE=a;K8S_POD_NAME=x/y' 'K8S_POD_NAMESPACE=a' 'K8S_POD_NAME=a' 'K8S_POD_NAMESPACE=a;K8S_POD_NAMESPACE=b;K8S_POD_NAME=x'
	'K8S_POD_NAMESPACE=a;K8S_POD_NAME=x;K8S_POD_NAME=y' $'K8S_POD_NAMESPACE=a\nb;K8S_POD_NAME=x' "K8S_POD_NAMESPACE=$(long 64);K8S_POD_NAME=x"
	"K8S_POD_NAMESPACE=a;K8S_POD_NAME=$(long 254)" 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=x;K8S_POD_UID=$(id)' 'K8S_POD_NAMESPACE=a;K8S_POD_NAME=x y'
	'K8S_POD_NAMESPACE=a;K8S_POD_NAME=x;K8S_POD_UID="' $'\xff\xfe' 'K8S_POD_NAMESPACE=a";"x=b;K8S_POD_NAME=x' 'K8S_POD_NAMESPACE=a&b;K8S_POD_NAME=x'
	"K8S_POD_NAMESPACE=a;K8S_POD_NAME=x;K8S_POD_UID=$(long 129)")
for value in "${args[@]}"; do env_row 4 "CNI_ARGS=$value"; done

# --- CNI_PATH
env_row 102 CNI_PATH=/nonexistent
env_row 102 CNI_PATH=:
env_row 102 "CNI_PATH=:::/nonexistent:$scratch"
env_row 102 "CNI_PATH=$(long 100000 :)"

# --- stdin that is no JSON object
texts=('' ' ' '{' '}' '[' '[]' '"x"' '7' 'null' 'true' '{}{}' '{},' '{"a":}' '{"a" 1}' '{a:1}' "{'a':1}" '{"a":1,}' '{"a":1}x' '{"a":01}'
	'{"a":+1}' '{"a":.5}' '{"a":1e}' '{"a":NaN}' '{"a":"\x"}' '{"a":"\u12"}' '{"a":"x}' '//x' '/*x*/{}' 'name=x' '<xml/>' $'\xef\xbb\xbf' '%s%n'
	'{"cniVersion":"1.0.0","cniVersion":"0.4.0","name":"x"}' '{"name":"x","name":"y"}' '{"ipam":{"type":"a","type":"b"}}' '{"a":"\u0000"}')
for text in "${texts[@]}"; do conf_row 6 "$text"; done
for text in '' '{' '[]'; do
	conf_row 6 "$text" CNI_COMMAND=DEL
	conf_row 6 "$text" CNI_COMMAND=CHECK
done
{ printf '{"a":'; long 100000 '['; } >"$scratch/deep"
file_row 6 "$scratch/deep" 'nested a hundred thousand times'
{ printf '%s' "${conf%\}}"; printf ',"x":"'; long 1100000; printf '"}'; } >"$scratch/large"
file_row 6 "$scratch/large" 'of more than a megabyte'
head -c 300000 /dev/urandom >"$scratch/random"
file_row 6 "$scratch/random" 'of random bytes'
printf '%s\0' "$conf" >"$scratch/nul"
file_row 6 "$scratch/nul" 'with a NUL at the end'
printf '{"cniVersion":"1.0.0","name":"a\0b"}' >"$scratch/nul2"
file_row 6 "$scratch/nul2" 'with a NUL in a string'
file_row 6 /dev/null 'that is /dev/null'
file_row 6 /dev/zero 'that never ends'
out=$(CNI_COMMAND=DEL CNI_CONTAINERID=pod CNI_IFNAME=eth0 "$BUILD/bulkhead" 2>/dev/null <&-)
status=$?
verdict 5 'stdin that is closed'
run <"$scratch"
verdict 5 'stdin that is a folder'

# --- versions
for version in '""' '"0.1.0"' '"0.2.0"' '"0.3.0"' '"1.2.0"' '"2.0.0"' '"1.0"' '"1.0.0 "' '"v1.0.0"' '"1.0.0\\n"' 'null'; do
	conf_row 1 "$(printf '%s' "$conf" | sed "s/\"cniVersion\":\"[^\"]*\"/\"cniVersion\":$version/")"
done
conf_row 1 '{"name":"x"}'
conf_row 1 '{}'
for version in 1 1.0 true '[]' '{}'; do
	conf_row 7 "$(printf '%s' "$conf" | sed "s/\"cniVersion\":\"[^\"]*\"/\"cniVersion\":$version/")"
done
conf_row 1 "$(printf '%s' "$conf" | sed 's/1\.0\.0/0.3.1/')" CNI_COMMAND=CHECK
conf_row 1 "$conf" CNI_COMMAND=STATUS
conf_row 1 "$conf" CNI_COMMAND=GC

# --- the network's name
for name in '""' '"a b"' '"../x"' '"a/b"' '"-a"' '".a"' '"a\nb"' '"%n/"' "\"$(long 201)\"" 7 null '[]' '{}' true; do
	conf_row 7 "$(printf '%s' "$conf" | sed "s#\"name\":\"pods\"#\"name\":$(printf '%s' "$name" | sed 's/[\\#&]/\\&/g')#")"
done
conf_row 7 "$(printf '%s' "$conf" | sed 's/"name":"pods",//')"

# --- our own keys
for value in -1 1 67 65536 1.5 '"1500"' true '[]' 1e9 '{}'; do key_row 2 "\"mtu\":$value"; done
for value in 0 -1 61 1.5 '"10"' true 1e99; do key_row 2 "\"daemonTimeout\":$value"; done
for value in '"relative"' '""' '"/"' '"/run/../etc"' '"/run/.."' '"/a\nb"' 7 '[]' "\"/$(long 81)\""; do
	key_row 2 "\"runDir\":$value"
	key_row 2 "\"pinRoot\":$value"
done
for value in '"loud"' '""' '"INFO"' 7 true '{}'; do
	conf_row 2 "$(printf '%s' "$conf" | sed "s#\"logLevel\":\"warn\"#\"logLevel\":$value#")"
done
key_row 2 '"mtu":70000'
like 'an unsupported value is named with its key' "$out" 'mtu 70000'

# --- IPAM and prevResult
no_ipam=$(printf '%s' "$conf" | sed 's/"ipam":{.*/"x":1}/')
conf_row 7 "$no_ipam"
for ipam in '{}' '[]' '"host-local"' 7 '{"type":""}' '{"type":7}' '{"type":"../host-local"}' '{"type":"a/b"}' '{"type":"."}' '{"type":".."}' \
	'{"type":null}' "{\"type\":\"$(long 64)\"}" '{"Type":"host-local"}'; do
	conf_row 7 "${no_ipam%\}},\"ipam\":$ipam}"
done
conf_row 102 "${no_ipam%\}},\"ipam\":{\"type\":\"no-such-plugin\"}}"
for prev in 7 '"x"' '[]' true; do key_row 7 "\"prevResult\":$prev"; done
for prev in '{}' '{"ips":7}' '{"ips":[]}' '{"ips":[7]}' '{"ips":[{"address":"x"}]}' '{"ips":[{"address":"10.0.0.1"}]}' '{"ips":[{}]}' \
	'{"ips":[{"address":"10.0.0.1/24","interface":-1}]}' '{"ips":[{"address":"10.0.0.1/24","interface":"0"}]}' \
	'{"ips":[{"address":"10.0.0.1/24","gateway":7}]}' '{"ips":[{"address":"10.0.0.1/24"}],"routes":7}' \
	'{"ips":[{"address":"10.0.0.1/24"}],"routes":[{"dst":"x"}]}' '{"ips":[{"address":"10.0.0.1/24"}],"routes":[{}]}' \
	'{"ips":[{"address":"10.0.0.1/24"}],"routes":[{"dst":"10.0.0.0/8","gw":"fd00::1"}]}' '{"ips":[{"address":"255.255.255.255/32"}]}'; do
	key_row 7 "\"prevResult\":$prev"
	conf_row 7 "${conf%\}},\"prevResult\":$prev}" CNI_COMMAND=CHECK
done
key_row 107 '"prevResult":{"ips":[{"address":"10.0.0.1/24"}]}'
conf_row 7 "$conf" CNI_COMMAND=CHECK
conf_row 7 "$conf11" CNI_COMMAND=GC

is 'stderr is not stdout: VERSION prints one line' "$(CNI_COMMAND=VERSION "$BUILD/bulkhead" 2>/dev/null <&- | wc -l)" 1
control 'after'
