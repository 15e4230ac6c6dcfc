#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots another kernel of Debian's and runs test programs on it:
#   boot.sh KERNEL-PACKAGE PROGRAM...
# KERNEL-PACKAGE may be one that depends on the newest of its line (linux-image-amd64).
# The virtual machine sees this machine's files, read-only, and what it writes is gone
# with it. It is emulated, so that it runs the same wherever this runs, and slow:
# BULKHEAD_TEST_PATIENCE stretches what scripts wait for. One TAP line a program.
#
# The kernel is kept in $BULKHEAD_CACHE, or ~/.cache/bulkhead: outside the tree on purpose.
set -u
package=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
BUILD=${BUILD:-build}
cache=${BULKHEAD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/bulkhead}/kernels

skip_all() {
	printf '1..1\nok 1 - %s # SKIP %s\n' "$package" "$1"
	exit 0
}
give_up() {
	printf '1..1\nnot ok 1 - %s: %s\n' "$package" "$1"
	exit 1
}

[ "$(uname -m)" = x86_64 ] || skip_all 'only x86_64 is emulated here'
[ "$(id -u)" = 0 ] || skip_all 'needs root'
! ldd "$root/$BUILD/bulkheadd" | grep -q libasan || skip_all 'sanitized programs are too slow to be emulated'
sh "$here/../lib/packages.sh" qemu-system-x86 busybox-static cpio kmod || give_up 'packages are missing'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# --- the kernel
while next=$(apt-cache depends "$package" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1) && [ -n "$next" ]; do
	package=$next
done
kernel=$cache/$package
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -d "$kernel" ]; then
	(cd "$work" && { apt-get download "$package" || { apt-get update && apt-get download "$package"; }; }) >"$work/log" 2>&1 &&
		dpkg -x "$work/$package"_*.deb "$work/kernel" && mv "$work/kernel" "$kernel" ||
		give_up "cannot be downloaded: $(tail -n 1 "$work/log")"
fi
release=$(ls "$kernel/lib/modules" 2>/dev/null || ls "$kernel/usr/lib/modules")
[ -d "$kernel/lib" ] || ln -s usr/lib "$kernel/lib"
[ -f "$kernel/lib/modules/$release/modules.dep" ] || depmod -b "$kernel" "$release" || give_up 'depmod'
flock -u 9

# --- its first program and what that needs
first=$work/first
mkdir -p "$first"/{bin,sbin,proc,sys,dev,modules,lower,rw,mnt}
cp /bin/busybox "$first/bin/"
for module in virtio_pci 9pnet_virtio 9p overlay; do
	modprobe -d "$kernel" -S "$release" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r file; do
	case $file in
	*.xz) xz -dc "$file" >"$first/modules/$(basename "$file" .xz)" ;;
	*) cp "$file" "$first/modules/" ;;
	esac
	basename "$file" .xz >>"$first/modules/order"
done
cp "$here/init" "$first/init"
cat >"$first/sbin/modprobe" <<'E2'
#!/bin/busybox sh
exec /bin/busybox chroot /mnt /sbin/modprobe "$@"
E2
{
	printf 'echo\ncd %q\n' "$root"
	printf 'export BUILD=%q BULKHEAD_TEST_PATIENCE=8 BULKHEAD_TEST_TIMEOUT=900 BULKHEAD_TEST_SHOW=1 HOME=/root LC_ALL=C.UTF-8\n' "$BUILD"
	printf 'tests/run.sh'
	printf ' %q' "$@"
	printf '\n'
} >"$first/job"
printf 'KERNEL=%q\n' "$kernel" >"$first/kernel"
chmod +x "$first/init" "$first/sbin/modprobe"
(cd "$first" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd" || give_up 'no initial file system'

# --- the run
timeout --foreground -k 5 "${BULKHEAD_TEST_TIMEOUT:-600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
	-nographic -no-reboot -nic none -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initrd" \
	-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
	-append 'console=ttyS0 panic=-1 quiet loglevel=1' </dev/null >"$work/console" 2>&1 &
machine=$!
trap 'kill "$machine"; exit 1' INT TERM
wait "$machine"
tr -d '\r' <"$work/console" >"$work/said"

n=0 bad=0
for program; do
	n=$((n + 1))
	line=$(grep -aE "^$program +[0-9]+ passed" "$work/said" | head -n 1)
	case $line in
	*FAILED* | '') bad=$((bad + 1)) && printf 'not ' ;;
	esac
	printf 'ok %d - Linux %s: %s\n' "$n" "$release" "$(echo "${line:-$program has not ended}" | tr -s ' ')"
done
printf '1..%d\n' "$n"
[ "$bad" -eq 0 ] || { grep -aA4 '^not ok' "$work/said"; tail -n 20 "$work/said"; } | sed 's/^/# /'
[ "$bad" -eq 0 ]
