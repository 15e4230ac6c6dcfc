// SPDX-License-Identifier: Apache-2.0
/*
 * From filters to links. Both run for a moment, the link first, and what it lets go on
 * carries a mark by which the filter knows it (bpf/moving.h):
 *
 *   1. BH_CONFIG_MOVING, and a grace period: from now on every program heeds marks
 *   2. the link, with the program that the filter has: it judges, the filter lets pass
 *   3. the filter goes, and after a grace period BH_CONFIG_MOVING
 *
 * Killed anywhere, every packet is still judged once: without the link by the filter,
 * with it by the link, and the flag outlives us. Whoever starts next takes filters
 * away where links are (hook_settle_all()) before it writes the configuration anew.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/fence.h"
#include "dataplane/hook.h"
#include "dataplane/hook_room.h"
#include "dataplane/maps.h"
#include "dataplane/pins.h"

static int fence_or_say(struct err *err)
{
	int r = fence();

	return r < 0 ? err_set(err, -r, "waiting for the programs: %s", strerror(-r)) : 0;
}

/* 1: a filter of ours is there, 0: none. */
static int filters_find(uint32_t ifindex, struct err *err)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		struct err found = { 0 };
		int r = clsact_ours(ifindex, &hook_sides[i], &found);

		if (r == 0)
			return 1;
		if (r != -ENOENT && r != -EBUSY)
			return err_set(err, -r, "%s", found.msg);
	}
	return 0;
}

/* Where neither is, someone has detached it, and it stays so. */
static int side_move(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err)
{
	auto_close int prog = pin_open_prog(root, side->prog, err);
	uint32_t id;
	int r;

	if (prog < 0)
		return prog;
	r = tcx_query(root, ifindex, side, &id, NULL);
	if (r == -ENOENT) {
		r = clsact_ours(ifindex, side, NULL);
		if (r < 0)
			return r == -ENOENT || r == -EBUSY ? 0 : r;
		r = tcx_attach(root, ifindex, side, prog, err);
	}
	return r < 0 ? r : clsact_detach(ifindex, side, err);
}

static int sides_move(const char *root, uint32_t ifindex, struct err *err)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		int r = side_move(root, ifindex, &hook_sides[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Another load has other marks. */
static int programs_align(const char *root, uint32_t ifindex, struct err *err)
{
	return hook_check(root, ifindex, NULL) == -EPROTO ? hook_replace(root, ifindex, err) : 0;
}

int hook_move(const char *root, struct maps *maps, uint32_t ifindex, struct err *err)
{
	struct err ignored;
	uint32_t slot;
	int r = clsact_forced() ? 0 : filters_find(ifindex, err);

	if (r <= 0)
		return r;
	if ((r = programs_align(root, ifindex, err)) < 0 || (r = maps_moving_set(maps, true, err)) < 0 ||
	    (r = fence_or_say(err)) < 0)
		return r;
	r = sides_move(root, ifindex, err);
	if (r == -ENODEV)
		r = 0; /* it went away, and the sweep finds its row */
	/* Released meanwhile: who did it has looked for links before ours was there. */
	if (maps_endpoint_find(maps, ifindex, &slot, NULL) < 0)
		r = hook_detach(root, ifindex, r < 0 ? &ignored : err);
	/* The flag stays as long as both forms may. */
	if (r < 0 && !tcx_missing(r))
		return err_wrap(err, r, "moving interface %u to links", ifindex);
	if (fence_or_say(&ignored) == 0)
		maps_moving_set(maps, false, &ignored);
	return r < 0 ? -EOPNOTSUPP : 1;
}

int hook_settle(const char *root, uint32_t ifindex, bool *ret_found, struct err *err)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		uint32_t id;
		int r;

		if (tcx_query(root, ifindex, &hook_sides[i], &id, NULL) < 0 ||
		    clsact_ours(ifindex, &hook_sides[i], NULL) < 0)
			continue;
		r = clsact_detach(ifindex, &hook_sides[i], err);
		if (r < 0)
			return r;
		*ret_found = true;
	}
	return 0;
}
