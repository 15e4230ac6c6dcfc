/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a List's body into its items while it streams: a cluster's pods never sit
 * in memory as one JSON tree. Works when cut at every byte. What stands around
 * the items (kind, metadata) is kept and read at the end; an item is handed out
 * as text before that, so nothing counts until list_cut_end() has said yes.
 */
#ifndef KUBE_LIST_CUT_H
#define KUBE_LIST_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json_depth.h"
#include "base/text.h"

#define LIST_ITEM_MAX  (8u << 20)
#define LIST_FRAME_MAX (1u << 20) /* everything but the items */

struct list_page {
	char version[128];    /* metadata.resourceVersion: opaque */
	char *continue_token; /* null: the last page */
};
void list_page_done(struct list_page *page);

struct list_cut {
	/* One item, with JSON_SCAN_PAD behind it; may be written to. Negative: stop here. */
	int (*each)(char *text, size_t len, void *data, struct err *err);
	void *data;

	struct text frame;
	struct text item;
	size_t n;    /* items so far */
	char key[8]; /* the last string at the top level, when it is that short */
	size_t key_len;
	unsigned int depth;	/* within the frame */
	struct json_depth open; /* the item that has begun */
	bool in_items, had_items, want_comma, in_string, escaped;
};

/* -EBADMSG, -E2BIG, -ENOMEM, or what `each` said. */
int list_cut_feed(struct list_cut *cut, const char *bytes, size_t len, struct err *err);

/* The body is over: was it whole, a `kind` of `api_version`, with a version? */
int list_cut_end(struct list_cut *cut, const char *kind, const char *api_version, struct list_page *ret_page,
		 struct err *err);
void list_cut_reset(struct list_cut *cut);

#endif
