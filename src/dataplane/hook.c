// SPDX-License-Identifier: Apache-2.0
/* Both forms behind one door: TCX where the kernel answers, clsact otherwise. */
#include "dataplane/hook.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/hook_room.h"
#include "dataplane/pins.h"

const struct hook_side hook_sides[HOOK_SIDES] = {
	{ "from", BH_PROG_FROM_POD, BPF_TC_INGRESS, 46 },
	{ "to", BH_PROG_TO_POD, BPF_TC_EGRESS, 47 },
};

/* The interface outlives the daemon, so its pins have names of their own: whoever
 * walks them tells an endpoint's from the tunnel's. */
static const struct hook_side tunnel_sides[HOOK_SIDES] = {
	{ "decap", BH_PROG_DECAP, BPF_TC_INGRESS, 46 },
	{ "encap", BH_PROG_ENCAP, BPF_TC_EGRESS, 47 },
};

bool clsact_forced(void)
{
	const char *form = getenv("BULKHEAD_HOOK");

	return form && strcmp(form, "clsact") == 0;
}

/* Errors that say "this kernel has no TCX", as opposed to "this attempt failed". */
bool tcx_missing(int r)
{
	return r == -EINVAL || r == -EOPNOTSUPP || r == -ENOTSUP;
}

/* To stay, and whatever it costs. */
static int side_attach_slow(const char *root, uint32_t ifindex, const struct hook_side *side,
			    enum hook_kind *ret_kind, struct err *err)
{
	auto_close int prog = pin_open_prog(root, side->prog, err);
	struct err found = { 0 };
	int r;

	if (prog < 0)
		return prog;
	if (!clsact_forced()) {
		r = tcx_attach(root, ifindex, side, prog, &found);
		if (!tcx_missing(r)) {
			*ret_kind = HOOK_TCX;
			return r < 0 ? err_set(err, -r, "%s", found.msg) : 0;
		}
	}
	*ret_kind = HOOK_CLSACT;
	return clsact_attach(ifindex, side, prog, err);
}

/* A new link waits for a grace period with the lock of all interfaces held, and pods that
 * start together would wait for each other; a filter waits for nothing. But links run
 * before filters, so where others have one, or where our filter finds no place, it is a
 * link at once. */
static int side_attach_fast(const char *root, uint32_t ifindex, const struct hook_side *side,
			    enum hook_kind *ret_kind, struct err *err)
{
	auto_close int prog = pin_open_prog(root, side->prog, err);
	struct err found = { 0 };
	uint32_t id;
	int r;

	if (prog < 0)
		return prog;
	r = tcx_replace(root, ifindex, side, prog, &found);
	if (r != -ENOENT) {
		*ret_kind = HOOK_TCX;
		return r < 0 ? err_set(err, -r, "%s", found.msg) : 0;
	}
	if (clsact_forced() || !tcx_is_used(ifindex, side)) {
		*ret_kind = HOOK_CLSACT;
		r = clsact_attach(ifindex, side, prog, &found);
		/* The daemon may have been moving the interface for an attachment that
		 * is gone; one of us two sees what the other did. */
		if (r == 0)
			return tcx_query(root, ifindex, side, &id, NULL) == 0
				       ? clsact_detach(ifindex, side, err)
				       : 0;
		if (clsact_forced())
			return err_set(err, -r, "%s", found.msg);
	}
	return side_attach_slow(root, ifindex, side, ret_kind, err);
}

static int sides_detach(const char *root, uint32_t ifindex, const struct hook_side *sides, struct err *err)
{
	int first = 0;

	for (int i = 0; i < HOOK_SIDES; i++) {
		int r = tcx_detach(root, ifindex, &sides[i], err);
		int c = clsact_detach(ifindex, &sides[i], r < 0 ? NULL : err);

		if (first == 0)
			first = r < 0 ? r : c;
	}
	return first;
}

typedef int side_attach_fn(const char *root, uint32_t ifindex, const struct hook_side *side,
			   enum hook_kind *ret_kind, struct err *err);

static int sides_attach(const char *root, uint32_t ifindex, const struct hook_side *sides,
			side_attach_fn *attach, enum hook_kind *ret_kind, struct err *err)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		int r = attach(root, ifindex, &sides[i], ret_kind, err);

		if (r < 0) {
			sides_detach(root, ifindex, sides, NULL);
			return err_wrap(err, r, "attaching %s to interface %u", sides[i].prog, ifindex);
		}
	}
	return 0;
}

int hook_attach_tunnel(const char *root, uint32_t ifindex, struct err *err)
{
	enum hook_kind kind;

	return sides_attach(root, ifindex, tunnel_sides, side_attach_slow, &kind, err);
}

int hook_detach(const char *root, uint32_t ifindex, struct err *err)
{
	char name[IF_NAMESIZE];

	/* Asking about filters and links takes the lock of all interfaces, which whoever
	 * removes this one may hold for a while. */
	if (!if_indextoname(ifindex, name) && errno == ENXIO) {
		int from = tcx_unpin(root, ifindex, &hook_sides[0], err);
		int to = tcx_unpin(root, ifindex, &hook_sides[1], from < 0 ? NULL : err);

		return from < 0 ? from : to;
	}
	return sides_detach(root, ifindex, hook_sides, err);
}

int hook_detach_tunnel(const char *root, uint32_t ifindex, struct err *err)
{
	return sides_detach(root, ifindex, tunnel_sides, err);
}

static int side_check(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	auto_close int prog = pin_open_prog(root, side->prog, err);
	uint32_t wanted, found;
	int r;

	if (prog < 0)
		return prog;
	r = prog_id(prog, &wanted, err);
	if (r < 0)
		return r;
	r = tcx_query(root, ifindex, side, &found, NULL);
	if (r == -ENOENT)
		r = clsact_query(ifindex, side, &found, NULL);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "%s is not attached to interface %u", side->prog, ifindex);
	if (r < 0)
		return err_set(err, -r, "asking for %s on interface %u: %s", side->prog, ifindex,
			       strerror(-r));
	if (found != wanted)
		return err_set(err, EPROTO, "interface %u runs program %u, not the pinned %s (%u)", ifindex,
			       found, side->prog, wanted);
	return 0;
}

static int sides_check(const char *root, uint32_t ifindex, const struct hook_side *sides, struct err *err)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		int r = side_check(root, ifindex, &sides[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int hook_check(const char *root, uint32_t ifindex, struct err *err)
{
	return sides_check(root, ifindex, hook_sides, err);
}

int hook_check_tunnel(const char *root, uint32_t ifindex, struct err *err)
{
	return sides_check(root, ifindex, tunnel_sides, err);
}

static int side_replace(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	auto_close int prog = pin_open_prog(root, side->prog, err);
	struct err found = { 0 };
	int r;

	if (prog < 0)
		return prog;
	r = tcx_replace(root, ifindex, side, prog, &found);
	if (r == -ENOENT)
		return clsact_replace(ifindex, side, prog, err);
	return r < 0 ? err_set(err, -r, "%s", found.msg) : 0;
}

int hook_replace(const char *root, uint32_t ifindex, struct err *err)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		int r = side_replace(root, ifindex, &hook_sides[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A daemon that replaced the pinned programs between our opening one and attaching
 * it has not seen this interface; we see that the pin is another now. */
static int hook_attach_latest(const char *root, uint32_t ifindex, struct err *err)
{
	int r = hook_check(root, ifindex, err);

	for (int i = 0; r == -EPROTO && i < 3; i++) {
		r = hook_replace(root, ifindex, err);
		if (r == 0)
			r = hook_check(root, ifindex, err);
	}
	return r;
}

int hook_attach(const char *root, uint32_t ifindex, enum hook_kind *ret_kind, struct err *err)
{
	enum hook_kind kind = HOOK_NONE;
	int r = sides_attach(root, ifindex, hook_sides, side_attach_fast, &kind, err);

	if (r < 0)
		return r;
	r = hook_attach_latest(root, ifindex, err);
	if (r < 0) {
		hook_detach(root, ifindex, NULL);
		return err_wrap(err, r, "interface %u after attaching", ifindex);
	}
	if (ret_kind)
		*ret_kind = kind;
	return 0;
}

int prog_id(int prog_fd, uint32_t *ret_id, struct err *err)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &size) < 0)
		return err_set(err, errno, "asking for a program's number: %s", strerror(errno));
	*ret_id = info.id;
	return 0;
}
