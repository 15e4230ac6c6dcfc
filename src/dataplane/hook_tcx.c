// SPDX-License-Identifier: Apache-2.0
/*
 * TCX links, pinned as <root>/links/<ifindex>-<from|to>. libbpf 1.1 has no call
 * of its own for them, but its link calls take the attach types as numbers.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/hook_room.h"
#include "dataplane/pins.h"

/* BPF_F_BEFORE with no neighbour named: first in line, so that no other program
 * can end the walk before ours has judged. */
#define TCX_FIRST (1U << 3)

static int link_path(char out[PATH_MAX], const char *root, uint32_t ifindex, const struct hook_side *side,
		     struct err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "%u-%s", ifindex, side->name);
	return pin_path(out, root, PINS_LINKS, name, err);
}

/* Opens the pinned link if it still holds its interface; a link that outlived
 * it is unpinned, for the number may come again. */
static int link_open(const char *path, uint32_t ifindex, uint32_t *ret_prog_id, struct err *err)
{
	auto_close int fd = pin_open(path, err);
	struct bpf_link_info info = { 0 };
	__u32 size = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return err_set(err, errno, "asking the link %s: %s", path, strerror(errno));
	/* The TCX part of the answer begins with the interface, as the XDP part does. */
	if (info.xdp.ifindex != ifindex) {
		unlink(path);
		return err_set(err, ENOENT, "the link %s has lost its interface", path);
	}
	if (ret_prog_id)
		*ret_prog_id = info.prog_id;
	return TAKE_FD(fd);
}

bool tcx_is_used(uint32_t ifindex, const struct hook_side *side)
{
	__u32 ids[1] = { 0 }, n = 1, flags = 0;

	/* -ENOSPC: more than one */
	return bpf_prog_query((int)ifindex, (enum bpf_attach_type)side->attach_type, 0, &flags, ids, &n) < 0
		       ? errno == ENOSPC
		       : n > 0;
}

int tcx_attach(const char *root, uint32_t ifindex, const struct hook_side *side, int prog, struct err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = TCX_FIRST);
	struct err found = { 0 };
	char path[PATH_MAX];
	int r = link_path(path, root, ifindex, side, err);

	if (r < 0)
		return r;
	r = tcx_replace(root, ifindex, side, prog, &found);
	if (r != -ENOENT)
		return r < 0 ? err_set(err, -r, "%s", found.msg) : 0;

	auto_close int fd =
		bpf_link_create(prog, (int)ifindex, (enum bpf_attach_type)side->attach_type, &opts);

	if (fd < 0)
		return err_set(err, -fd, "TCX link: %s", strerror(-fd));
	if (bpf_obj_pin(fd, path) < 0)
		return err_set(err, errno, "pinning %s: %s", path, strerror(errno));
	return 0;
}

int tcx_unpin(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	char path[PATH_MAX];
	int r = link_path(path, root, ifindex, side, err);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		return err_set(err, errno, "removing the pin %s: %s", path, strerror(errno));
	return r;
}

int tcx_detach(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	char path[PATH_MAX];
	int r = link_path(path, root, ifindex, side, err);

	if (r < 0)
		return r;

	auto_close int fd = bpf_obj_get(path);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, -fd, "pin %s: %s", path, strerror(-fd));
	/* Detached at once even if someone else holds the link; -EOPNOTSUPP or
	 * -ENODEV only mean that unpinning has to do. */
	(void)bpf_link_detach(fd);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, errno, "removing the pin %s: %s", path, strerror(errno));
	return 0;
}

int tcx_replace(const char *root, uint32_t ifindex, const struct hook_side *side, int prog, struct err *err)
{
	char path[PATH_MAX];
	int r = link_path(path, root, ifindex, side, err);

	if (r < 0)
		return r;

	auto_close int fd = link_open(path, ifindex, NULL, err);

	if (fd < 0)
		return fd;
	if (bpf_link_update(fd, prog, NULL) < 0)
		return err_set(err, errno, "updating the link %s: %s", path, strerror(errno));
	return 0;
}

int tcx_query(const char *root, uint32_t ifindex, const struct hook_side *side, uint32_t *ret_prog_id,
	      struct err *err)
{
	char path[PATH_MAX];
	int r = link_path(path, root, ifindex, side, err);

	if (r < 0)
		return r;

	auto_close int fd = link_open(path, ifindex, ret_prog_id, err);

	return fd < 0 ? fd : 0;
}
