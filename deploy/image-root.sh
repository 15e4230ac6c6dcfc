#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#   image-root.sh FOLDER
# Completes the folder into which the daemon and the CLI were installed to the root of
# an image: the shared libraries that they need, each with its licence, the reference
# plugins that ours calls, and nothing else; no shell, no package manager. The
# Dockerfile and `make image` both do this, so that what is tested is what is shipped.
set -eu
root=$1
plugins=${PLUGINS:-/usr/lib/cni}

# The loader among them; the kernel's own (no path) is not a file.
needed() {
	ldd "$@" | sed -nE 's/.*=> (\/[^ ]+).*/\1/p; s/^\t(\/[^ ]+) .*/\1/p' | sort -u
}

licence_of() { # library
	package=$(dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "$(readlink -f "$1")")
	package=${package%%:*}
	install -D -m 0644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
}

for library in $(needed "$root"/usr/local/sbin/bulkheadd "$root"/usr/local/bin/bulkheadctl); do
	install -D -m 0755 "$(readlink -f "$library")" "$root$library"
	licence_of "$library"
done
for plugin in host-local portmap loopback; do
	install -D -m 0755 "$plugins/$plugin" "$root/opt/cni/bin/$plugin"
done
install -D -m 0644 /usr/share/doc/containernetworking-plugins/copyright \
	"$root/usr/share/doc/containernetworking-plugins/copyright"
mkdir -p "$root/run" "$root/tmp" "$root/sys" "$root/proc" "$root/dev" "$root/etc"
