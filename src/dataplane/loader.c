// SPDX-License-Identifier: Apache-2.0
/*
 * Order matters: probe before anything is changed, half-done moves ended, an older layout's handover first,
 * maps before programs, configuration before programs are pinned, hooks last. A crash
 * at any point leaves the older programs running on the same maps.
 */
#include "dataplane/loader.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "dataplane/bpflog.h"
#include "dataplane/handover.h"
#include "dataplane/hook.h"
#include "dataplane/loader_room.h"

/* The kernel's tick as user space can see it: the coarse clock advances by one
 * tick, and 1e9 / hz nanoseconds are its resolution. */
static __u32 kernel_hz(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec != 0 || tick.tv_nsec <= 0)
		return 0;
	return (__u32)((1000000000L + tick.tv_nsec / 2) / tick.tv_nsec);
}

void loader_config_default(struct bh_config *ret_config)
{
	*ret_config = (struct bh_config){
		.abi = BH_ABI,
		.hz = kernel_hz(),
		.flow_quota = 16384,
		.event_rate = 100,
		.tcp_syn_s = 30,
		.tcp_established_s = 7440,
		.tcp_closing_s = 60,
		.udp_s = 120,
		.other_s = 60,
		.frag_s = 5,
	};
}

int loader_try(struct err *err)
{
	cleanup(object_close) struct bpf_object *object = object_open(err);
	int r;

	bpflog_demote();
	if (!object)
		return -EIO;
	r = bpf_object__load(object);
	return r < 0 ? err_set(err, -r, "loading the programs: %s", strerror(-r)) : 0;
}

static int root_make(const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, PINS_LINKS, "", err);

	return r < 0 ? r : dir_make(path, 0755, err);
}

static int current_build(const char *root, const struct bh_config *config, struct err *err)
{
	cleanup(object_close) struct bpf_object *object = object_open(err);
	int r;

	if (!object)
		return -EIO;
	r = set_folders_make(root, err);
	if (r < 0 || (r = set_build(root, object, config, err)) < 0)
		return r;
	return pins_current_set(root, BH_ABI, err);
}

int loader_run(const char *root, const struct bh_config *config, struct err *err)
{
	auto_close int lock = -1;
	int r;

	bpflog_demote();
	if (config->abi != BH_ABI || config->hz == 0)
		return err_set(err, EINVAL, "configuration with abi %u and hz %u", config->abi, config->hz);
	if ((r = loader_probe(err)) < 0 || (r = root_make(root, err)) < 0 ||
	    (r = pins_lock(root, &lock, err)) < 0 || (r = hook_settle_all(root, err)) < 0 ||
	    (r = handover_run(root, config, err)) < 0 || (r = current_build(root, config, err)) < 0 ||
	    (r = hooks_replace_all(root, err)) < 0)
		return r;
	return sets_remove(root, BH_ABI, err);
}

int loader_unpin_all(const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "current", "", err);

	if (r < 0)
		return r;
	hooks_detach_all(root);
	r = folder_remove(root, PINS_LINKS, err);
	if (r < 0 || (r = sets_remove(root, 0, err)) < 0)
		return r;
	path[strlen(path) - 1] = '\0';
	unlink(path);
	rmdir(root);
	return 0;
}

int loader_prog_info(const char *root, const char *prog, struct loader_prog_info *ret_info, struct err *err)
{
	auto_close int fd = pin_open_prog(root, prog, err);
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return err_set(err, errno, "asking the program %s: %s", prog, strerror(errno));
	ret_info->insns = info.xlated_prog_len / 8;
	ret_info->insns_verified = info.verified_insns;
	return 0;
}
