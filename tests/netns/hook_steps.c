// SPDX-License-Identifier: Apache-2.0
/*
 * Moves an interface between filters and links, whole or by the steps that a killed
 * daemon would have left:
 *
 *   hook-steps PIN_ROOT IFINDEX STEP...
 *
 *   forth                  what the daemon does: hook_move()
 *   back                   to filters again, without a gap
 *   flag, link-from, drop-from, link-to, drop-to
 *                          the daemon's steps, one by one
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/bpflog.h"
#include "dataplane/fence.h"
#include "dataplane/hook.h"
#include "dataplane/hook_room.h"
#include "dataplane/maps.h"
#include "dataplane/pins.h"

static const char *root;
static uint32_t ifindex;
static struct maps *maps;
static struct err err;

static int flag(bool on)
{
	int r = maps_moving_set(maps, on, &err);

	return r < 0 ? r : fence();
}

static int put(const struct hook_side *side, bool link)
{
	auto_close int prog = pin_open_prog(root, side->prog, &err);

	if (prog < 0)
		return prog;
	return link ? tcx_attach(root, ifindex, side, prog, &err) : clsact_attach(ifindex, side, prog, &err);
}

/* The same states in the other order: with both there, either may go. */
static int back(void)
{
	int r = flag(true);

	for (int i = 0; r == 0 && i < HOOK_SIDES; i++) {
		r = put(&hook_sides[i], false);
		if (r == 0)
			r = tcx_detach(root, ifindex, &hook_sides[i], &err);
	}
	if (r == 0)
		r = fence();
	return r < 0 ? r : flag(false);
}

static int step(const char *word)
{
	const struct hook_side *side = &hook_sides[strstr(word, "-to") != NULL];

	if (strcmp(word, "forth") == 0)
		return hook_move(root, maps, ifindex, &err);
	if (strcmp(word, "back") == 0)
		return back();
	if (strcmp(word, "flag") == 0)
		return flag(true);
	if (strncmp(word, "link-", 5) == 0)
		return put(side, true);
	if (strncmp(word, "drop-", 5) == 0)
		return clsact_detach(ifindex, side, &err);
	return err_set(&err, 22, "what is %s?", word);
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: hook-steps PIN_ROOT IFINDEX STEP...\n");
		return 2;
	}
	bpflog_demote();
	root = argv[1];
	ifindex = (uint32_t)strtoul(argv[2], NULL, 10);
	r = maps_open(root, &maps, &err);
	for (int i = 3; r >= 0 && i < argc; i++)
		r = step(argv[i]);
	if (r < 0)
		fprintf(stderr, "hook-steps: %s (%s)\n", err.msg, strerror(-r));
	maps_free(maps);
	return r < 0;
}
