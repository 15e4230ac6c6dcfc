// SPDX-License-Identifier: Apache-2.0
#include "policy/portlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void port_lists_init(struct port_lists *lists)
{
	memset(lists, 0, sizeof(*lists));
	pool_init(&lists->pool, sizeof(struct port_list), NULL);
	lists->unused_end = &lists->unused;
}

void port_lists_done(struct port_lists *lists)
{
	pool_done(&lists->pool);
}

/* First of n free entries in [from, to), or -1. */
static int64_t gap_find(const struct port_lists *lists, uint32_t from, uint32_t to, size_t n)
{
	size_t run = 0;

	for (uint32_t i = from; i < to; i++) {
		run = lists->used[i] || lists->reserved[i] ? 0 : run + 1;
		if (run == n)
			return (int64_t)i + 1 - (int64_t)n;
	}
	return -1;
}

static void place_mark(struct port_lists *lists, uint32_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		lists->n_used += lists->used[i]++ == 0;
}

/* From where the last search ended, then from the start. */
static bool place_find(struct port_lists *lists, size_t n, uint32_t *ret_first)
{
	int64_t first = gap_find(lists, lists->cursor, BH_PORTS_MAX, n);

	if (first < 0)
		first = gap_find(lists, 0, BH_PORTS_MAX, n);
	if (first < 0)
		return false;
	*ret_first = (uint32_t)first;
	lists->cursor = (uint32_t)((size_t)first + n);
	return true;
}

int port_lists_get(struct port_lists *lists, const struct bh_port *ports, size_t n,
		   const struct port_list **ret_list, struct err *err)
{
	struct port_list *list;
	uint32_t first;

	*ret_list = NULL;
	if (n == 0)
		return 0;
	if (n > BH_PORT_LIST_MAX)
		return err_set(err, ENOSPC, "%s: one row needs %zu port ranges, %d are the limit", "bh_ports",
			       n, BH_PORT_LIST_MAX);
	*ret_list = (const struct port_list *)pool_find(&lists->pool, ports, n * sizeof(*ports));
	if (*ret_list)
		return 0;
	if (!place_find(lists, n, &first))
		return err_set(err, ENOSPC, "%s: no room for %zu more port ranges (%u of %d used)",
			       "bh_ports", n, lists->n_used, BH_PORTS_MAX);
	list = (struct port_list *)pool_get(&lists->pool, ports, n * sizeof(*ports), NULL);
	if (!list)
		return err_set(err, ENOMEM, "port list");
	list->first = first;
	list->n = (uint16_t)n;
	place_mark(lists, first, n);
	list->next = lists->fresh;
	lists->fresh = list;
	*ret_list = list;
	return 0;
}

int port_lists_adopt(struct port_lists *lists, const struct bh_port *ports, uint32_t first, uint16_t n,
		     const struct port_list **ret_list)
{
	struct port_list *list;
	bool is_new;

	memset(lists->reserved + first, 1, n);
	list = (struct port_list *)pool_get(&lists->pool, ports + first, n * sizeof(*ports), &is_new);
	if (!list)
		return -ENOMEM;
	if (is_new) {
		list->first = first;
		list->n = n;
		list->written = true;
		place_mark(lists, first, n);
	}
	*ret_list = list;
	return 0;
}

static struct port_list *own(const struct port_list *list)
{
	/* lists are const to everyone but their owner */
	return (struct port_list *)(uintptr_t)list;
}

void port_list_use(const struct port_list *list)
{
	if (list)
		own(list)->users++;
}

void port_list_drop(struct port_lists *lists, const struct port_list *list)
{
	struct port_list *unused = own(list);

	if (!list || --unused->users > 0 || !unused->written)
		return;
	unused->unused_at = lists->now;
	if (unused->waiting)
		return;
	unused->waiting = true;
	unused->next = NULL;
	*lists->unused_end = unused;
	lists->unused_end = &unused->next;
}

static void port_list_free(struct port_lists *lists, struct port_list *list)
{
	for (size_t i = list->first; i < (size_t)list->first + list->n; i++)
		lists->n_used -= --lists->used[i] == 0;
	pool_remove(&lists->pool, &list->entry);
}

void port_lists_mark_written(struct port_lists *lists)
{
	while (lists->fresh) {
		struct port_list *list = lists->fresh;

		lists->fresh = list->next;
		list->written = true;
		/* one that no row has after all leaves like one that had some */
		list->users++;
		port_list_drop(lists, list);
	}
}

void port_lists_drop_fresh(struct port_lists *lists)
{
	struct port_list **at = &lists->fresh;

	while (*at) {
		struct port_list *list = *at;

		if (list->users) {
			at = &list->next;
			continue;
		}
		*at = list->next;
		port_list_free(lists, list);
	}
}

void port_lists_fenced(struct port_lists *lists, uint64_t fence)
{
	while (lists->unused && lists->unused->unused_at <= fence) {
		struct port_list *list = lists->unused;

		lists->unused = list->next;
		if (!lists->unused)
			lists->unused_end = &lists->unused;
		list->waiting = false;
		if (!list->users)
			port_list_free(lists, list);
	}
}

void port_lists_unreserve(struct port_lists *lists)
{
	memset(lists->reserved, 0, sizeof(lists->reserved));
}

bool row_equal(const struct row *a, const struct row *b)
{
	return a->list == b->list && a->rest == b->rest;
}

struct bh_verdict row_verdict(const struct row *row)
{
	return (struct bh_verdict){
		.first = row->list ? row->list->first : 0,
		.count = row->list ? row->list->n : 0,
		.rest = (__u8)row->rest,
	};
}

enum bh_action row_action(const struct row *row, uint8_t proto, uint16_t port)
{
	const struct bh_port *ports = row->list ? row->list->entry.key : NULL;
	size_t low = 0, high = row->list ? row->list->n : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct bh_port *at = &ports[middle];

		if (at->proto < proto || (at->proto == proto && at->last < port))
			low = middle + 1;
		else if (at->proto > proto || at->first > port)
			high = middle;
		else
			return at->action;
	}
	return row->rest;
}

void ranges_done(struct ranges *ranges)
{
	free(ranges->v);
	*ranges = (struct ranges){ 0 };
}

void ranges_add(struct ranges *ranges, uint8_t proto, uint16_t first, uint16_t last)
{
	if (!array_reserve(&ranges->v, &ranges->cap, ranges->n, sizeof(*ranges->v))) {
		ranges->failed = true;
		return;
	}
	ranges->v[ranges->n++] =
		(struct bh_port){ .first = first, .last = last, .proto = proto, .action = BH_ALLOW };
}

static int range_compare(const void *a, const void *b)
{
	const struct bh_port *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->last > y->last) - (x->last < y->last);
}

void ranges_canonical(struct ranges *ranges)
{
	size_t n = 0;

	if (ranges->n == 0)
		return;
	qsort(ranges->v, ranges->n, sizeof(*ranges->v), range_compare);
	for (size_t i = 1; i < ranges->n; i++) {
		struct bh_port *last = &ranges->v[n], *next = &ranges->v[i];

		if (next->proto == last->proto && next->first <= (uint32_t)last->last + 1)
			last->last = next->last > last->last ? next->last : last->last;
		else
			ranges->v[++n] = *next;
	}
	ranges->n = n + 1;
}
