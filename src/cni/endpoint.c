// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cni/join.h"
#include "dataplane/hook.h"

static struct bh_endpoint row_make(const struct join *join)
{
	const struct attachment *a = &join->attachment;
	bool routed = !a->chained || !join->host_link.master;
	struct bh_endpoint row = {
		.ifindex = a->ifindex,
		.flags = (routed ? BH_EP_ROUTED : 0) | (a->chained ? BH_EP_GRACE : 0),
	};
	unsigned int n = 0;

	memcpy(row.mac, a->mac, 6);
	memcpy(row.host_mac, a->host_mac, 6);
	for (; n < a->n_addrs; n++)
		row.addr[n] = a->addrs[n];
	if (join_has_v6(join) && n < BH_ENDPOINT_ADDRS)
		row.addr[n] = join_link_local(join);
	return row;
}

/* A veth that was born a moment ago cannot have a row of its own: what is there
 * belonged to a dead interface with the same number. An interface that a chain
 * hands us may well be someone else's endpoint already. */
static int row_claim(struct join *join, struct err *err)
{
	struct bh_endpoint row = row_make(join);
	auto_close int lock = -1;
	int r = maps_lock(join->maps, &lock, err);

	if (r < 0)
		return r;
	r = maps_endpoint_claim(join->maps, &row, &join->attachment.slot, err);
	if (r != -EEXIST || join->attachment.chained)
		return r;
	r = maps_endpoint_release(join->maps, row.ifindex, err);
	return r < 0 ? r : maps_endpoint_claim(join->maps, &row, &join->attachment.slot, err);
}

int endpoint_claim(struct join *join, struct failure *failure)
{
	struct err err = { 0 };
	int r = row_claim(join, &err);

	if (r == -EEXIST)
		return failure_from(failure, CODE_EXISTS, &err, "the interface is an endpoint already");
	if (r == -ESTALE)
		return failure_from(failure, CODE_TRY_LATER, &err, "the daemon was upgraded meanwhile");
	if (r == -ENOSPC) /* another pod leaving frees one, but the next interface number may do as well */
		return failure_from(failure, CODE_TRY_LATER, &err, "no endpoint slot");
	if (r < 0)
		return failure_from(failure, CODE_ENDPOINT, &err, "no endpoint row for the pod");
	join->claimed = true;
	return 0;
}

void endpoint_release(struct join *join)
{
	auto_close int lock = -1;
	struct err err = { 0 };

	if (!join->claimed)
		return;
	if (maps_lock(join->maps, &lock, &err) < 0 ||
	    maps_endpoint_release(join->maps, join->attachment.ifindex, &err) < 0)
		log_warn("endpoint row left behind, closed, after a failed ADD; the daemon's sweep frees it: "
			 "interface=%u reason=\"%s\"",
			 join->attachment.ifindex, err.msg);
}

int endpoint_hook(struct join *join, struct failure *failure)
{
	enum hook_kind kind;
	struct err err = { 0 };

	if (hook_attach(join->conf->pin_root, join->attachment.ifindex, &kind, &err) < 0)
		return failure_from(failure, CODE_HOOK, &err,
				    "cannot attach the programs to the pod's interface");
	join->hooked = true;
	return 0;
}

void endpoint_unhook(struct join *join)
{
	struct err err = { 0 };

	if (join->hooked && hook_detach(join->conf->pin_root, join->attachment.ifindex, &err) < 0)
		log_warn("programs left attached after a failed ADD: interface=%u reason=\"%s\"",
			 join->attachment.ifindex, err.msg);
}
