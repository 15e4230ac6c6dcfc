# SPDX-License-Identifier: Apache-2.0
# A machine of its own for a whole cluster. Sourcing this (bash) moves the script into
# network, mount, PID and cgroup namespaces, with its own /sys, cgroup tree, /run, and
# throw-away layers over /etc, /var and /opt: kubelet, containerd and their containers
# write where they always do, and all of it ends with the script. What no namespace
# takes along, the cgroups, is removed from outside, whatever happened inside.

world_cgroups() { # folder and options of each hierarchy
	awk '$3 == "cgroup" || $3 == "cgroup2" { print $2, $3, $4 }' /proc/mounts
}

world_cgroup_clean() { # name
	local folder kind options tries
	while read -r folder kind options; do
		# a process that just ended may hold its cgroup a moment longer
		for tries in 1 2 3 4 5 6 7 8 9 10; do
			find "$folder/$1" -depth -type d -exec rmdir {} + 2>/dev/null
			[ -d "$folder/$1" ] || break
			sleep 0.2
		done
	done < <(world_cgroups)
}

# What a script left that could not clean up, because it was killed itself.
world_cgroup_sweep() {
	local folder kind options left
	while read -r folder kind options; do
		for left in "$folder"/bulkhead-test-*; do
			[ -d "$left" ] && ! kill -0 "${left##*-}" 2>/dev/null || continue
			# the number may be a process of another namespace
			[ -n "$(find "$left" -name cgroup.procs -exec cat {} +)" ] || world_cgroup_clean "$(basename "$left")"
		done
	done < <(world_cgroups)
}

world_cgroup_new() { # name
	local folder kind options file
	while read -r folder kind options; do
		mkdir "$folder/$1" || return 1
		for file in cpuset.cpus cpuset.mems; do
			if [ "$kind" = cgroup ] && [ -e "$folder/$file" ]; then cat "$folder/$file" >"$folder/$1/$file"; fi
		done
	done < <(world_cgroups)
}

world_cgroup_enter() { # name
	local folder kind options
	while read -r folder kind options; do
		echo $BASHPID >"$folder/$1/cgroup.procs" || return 1
	done < <(world_cgroups)
}

# Seen from the new cgroup namespace, ours is the root of each hierarchy.
world_cgroup_mount() {
	local list folder kind options controllers
	list=$(world_cgroups)
	mount -t sysfs sysfs /sys || return 1
	if [ "$(echo "$list" | cut -d' ' -f1)" = /sys/fs/cgroup ]; then
		mount -t cgroup2 cgroup2 /sys/fs/cgroup || return 1
		# processes and controllers of children exclude each other in one group
		mkdir -p /sys/fs/cgroup/init
		echo 0 >/sys/fs/cgroup/init/cgroup.procs
		sed 's/\([^ ]*\)/+\1/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
		return
	fi
	mount -t tmpfs -o mode=0755 tmpfs /sys/fs/cgroup || return 1
	while read -r folder kind options; do
		controllers=$(echo "$options" | tr , '\n' | grep -vE '^(rw|nosuid|nodev|noexec|relatime|xattr|nsdelegate|memory_recursiveprot)$' | paste -sd,)
		case $controllers in name=*) controllers=none,$controllers ;; esac
		mkdir -p "$folder"
		mount -t "$kind" ${controllers:+-o "$controllers"} "$kind" "$folder" || return 1
	done <<<"$list"
}

if [ -z "${BULKHEAD_WORLD:-}" ]; then
	if [ "$(id -u)" != 0 ]; then
		printf '1..1\nok 1 - %s # SKIP needs root to make namespaces\n' "$(basename "$0")"
		exit 0
	fi
	world_name=bulkhead-test-$$
	world_end_outside() {
		[ -z "${world_child:-}" ] || kill -KILL "$world_child" 2>/dev/null
		wait
		world_cgroup_clean "$world_name"
	}
	trap world_end_outside EXIT
	trap 'exit 143' TERM INT HUP
	world_cgroup_sweep
	world_cgroup_new "$world_name" || exit 1
	BUILD=$(cd "${BUILD:-build}" && pwd) BULKHEAD_WORLD=1
	export BUILD BULKHEAD_WORLD
	(world_cgroup_enter "$world_name" && exec setpriv --pdeathsig KILL \
		unshare -n -m -p -C --fork --kill-child --mount-proc bash "$0" "$@") &
	world_child=$!
	wait "$world_child"
	world_code=$?
	world_child=
	exit "$world_code"
fi

world_cgroup_mount || exit 1
. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.sh"
umount /sys/fs/bpf # installing mounts one
mkdir "$scratch/over"
mount -t tmpfs tmpfs "$scratch/over" || exit 1
for folder in etc var; do
	mkdir -p "$scratch/over/$folder/upper" "$scratch/over/$folder/work"
	mount -t overlay -o "lowerdir=/$folder,upperdir=$scratch/over/$folder/upper,workdir=$scratch/over/$folder/work" \
		overlay "/$folder" || exit 1
done
mount -t tmpfs -o mode=0755 tmpfs /opt || exit 1
rm -rf /etc/cni/net.d
# mounts by a container reach the node, as they do where an init system shares them
mount --make-rshared /
