// SPDX-License-Identifier: Apache-2.0
/* What the kernel must have, found by trying. */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/instance.h"
#include "agent/nodecheck_room.h"
#include "dataplane/hook.h"
#include "dataplane/loader.h"
#include "dataplane/pins.h"

static void programs(struct nodecheck *check)
{
	struct utsname kernel = { 0 };
	struct err err = { 0 };

	uname(&kernel);
	if (loader_probe(&err) == -EPERM)
		check_say(check, CHECK_FAIL, "kernel", "run this as root", "Linux %s: %s", kernel.release,
			  err.msg);
	else if (err.msg[0] || loader_try(&err) < 0)
		check_say(check, CHECK_FAIL, "kernel",
			  "use Linux 5.14 or newer with CONFIG_BPF_SYSCALL, CONFIG_BPF_JIT and "
			  "CONFIG_MEMBARRIER",
			  "Linux %s: %s", kernel.release, err.msg);
	else
		check_say(check, CHECK_OK, "kernel", NULL, "Linux %s takes the programs", kernel.release);
}

static void hooks(struct nodecheck *check)
{
	enum hook_kind kind = HOOK_NONE;
	struct err err = { 0 };

	if (hook_probe(&kind, &err) < 0)
		check_say(check, CHECK_WARNING, "hooks", "run this as root on the node", "not tried: %s",
			  err.msg);
	else if (kind == HOOK_TCX)
		check_say(check, CHECK_OK, "hooks", NULL, "TCX links");
	else if (kind == HOOK_CLSACT)
		check_say(check, CHECK_OK, "hooks", NULL, "clsact filters (TCX needs Linux 6.6)");
	else
		check_say(check, CHECK_FAIL, "hooks",
			  "use a kernel with CONFIG_NET_CLS_BPF and CONFIG_NET_CLS_ACT",
			  "neither TCX links nor clsact filters can be attached");
}

/* Our programs read no kernel structures, so nothing depends on it. */
static void btf(struct nodecheck *check)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		check_say(check, CHECK_OK, "btf", NULL, "the kernel describes its types");
	else
		check_say(check, CHECK_OK, "btf", NULL, "absent, and not needed");
}

static void bpffs(struct nodecheck *check)
{
	const char *root = check->config->pin_root;

	if (instance_on_bpffs(root))
		check_say(check, CHECK_OK, "bpffs", NULL, "%s", root);
	else if (strncmp(root, "/sys/fs/bpf", strlen("/sys/fs/bpf")) == 0 && !check->is_installed)
		check_say(check, CHECK_WARNING, "bpffs",
			  "nothing: the daemon mounts it; or: mount -t bpf bpf /sys/fs/bpf",
			  "no bpffs is mounted for %s", root);
	else
		check_say(check, CHECK_FAIL, "bpffs", "mount a bpffs there (mount -t bpf bpf FOLDER)",
			  "%s is not on a bpffs", root);
}

static void layout(struct nodecheck *check)
{
	uint32_t found = 0;
	struct err err = { 0 };
	int r = pins_current(check->config->pin_root, &found, &err);

	if (r == -ENOENT)
		check_say(check, CHECK_OK, "layout", NULL, "nothing is pinned yet; this version's is %d",
			  BH_ABI);
	else if (r < 0)
		check_say(check, CHECK_FAIL, "layout", "drain the node and remove the pins", "%s", err.msg);
	else if (found > BH_ABI)
		check_say(check, CHECK_FAIL, "layout", "install the version that made them, or a newer one",
			  "the pinned tables have layout %u, this version needs %d", found, BH_ABI);
	else if (found < BH_ABI)
		check_say(check, CHECK_WARNING, "layout", "start this version's daemon: it takes over",
			  "the pinned tables have layout %u, this version has %d", found, BH_ABI);
	else
		check_say(check, CHECK_OK, "layout", NULL, "the pinned tables have layout %d", BH_ABI);
}

void check_kernel(struct nodecheck *check)
{
	programs(check);
	hooks(check);
	btf(check);
	bpffs(check);
	layout(check);
}
