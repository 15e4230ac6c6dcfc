// SPDX-License-Identifier: Apache-2.0
/*
 * clsact filters with a fixed handle and priority. The qdisc is created when it
 * is not there and never destroyed: destroying it would take other people's
 * filters along.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/hook_room.h"
#include "dataplane/link_filter.h"

#define CLSACT_HANDLE	0xbd
#define CLSACT_PRIORITY 1 /* before everyone else's filters */

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -EINVAL;
}

/* The kernel answers -EINVAL when there is no qdisc to ask, -ENOENT when there
 * is no filter. */
int clsact_query(uint32_t ifindex, const struct hook_side *side, uint32_t *ret_prog_id, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = side->point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
	int r = bpf_tc_query(&hook, &opts);

	if (is_gone(r))
		return err_set(err, ENOENT, "no filter of ours on interface %u", ifindex);
	if (r < 0)
		return err_set(err, -r, "asking for filters on interface %u: %s", ifindex, strerror(-r));
	*ret_prog_id = opts.prog_id;
	return 0;
}

int clsact_ours(uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	char name[LINK_FILTER_NAME_MAX];
	size_t len = strlen(side->prog);
	int r = link_filter_name(ifindex, side->point == BPF_TC_INGRESS, CLSACT_HANDLE, CLSACT_PRIORITY, name,
				 err);

	if (is_gone(r))
		return err_set(err, ENOENT, "no filter of ours on interface %u", ifindex);
	if (r < 0)
		return r;
	if (strncmp(name, side->prog, len) != 0 || strncmp(name + len, ":[", 2) != 0)
		return err_set(err, EBUSY, "another program holds handle %#x, priority %d on interface %u",
			       CLSACT_HANDLE, CLSACT_PRIORITY, ifindex);
	return 0;
}

static int filter_put(uint32_t ifindex, const struct hook_side *side, int prog, __u32 flags, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = side->point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY, .prog_fd = prog,
		    .flags = flags);
	int r = bpf_tc_attach(&hook, &opts);

	if (r < 0)
		return err_set(err, -r, "clsact filter: %s", strerror(-r));
	return 0;
}

int clsact_attach(uint32_t ifindex, const struct hook_side *side, int prog, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = (enum bpf_tc_attach_point)(BPF_TC_INGRESS | BPF_TC_EGRESS));
	struct err found = { 0 };
	int r = clsact_replace(ifindex, side, prog, &found);

	if (r != -ENOENT)
		return r < 0 ? err_set(err, -r, "%s", found.msg) : 0;
	r = bpf_tc_hook_create(&hook);
	if (r < 0 && r != -EEXIST)
		return err_set(err, -r, "clsact qdisc: %s", strerror(-r));
	return filter_put(ifindex, side, prog, 0, err);
}

int clsact_replace(uint32_t ifindex, const struct hook_side *side, int prog, struct err *err)
{
	int r = clsact_ours(ifindex, side, err);

	return r < 0 ? r : filter_put(ifindex, side, prog, BPF_TC_F_REPLACE, err);
}

int clsact_detach(uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = side->point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
	struct err found = { 0 };
	int r = clsact_ours(ifindex, side, &found);

	if (r == -ENOENT || r == -EBUSY)
		return 0;
	if (r < 0)
		return err_set(err, -r, "%s", found.msg);
	r = bpf_tc_detach(&hook, &opts);
	if (r < 0 && !is_gone(r))
		return err_set(err, -r, "removing the filter from interface %u: %s", ifindex, strerror(-r));
	return 0;
}
