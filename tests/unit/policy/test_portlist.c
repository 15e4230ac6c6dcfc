// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/portlist.h"

static struct port_lists lists;

static int start(void **state)
{
	(void)state;
	port_lists_init(&lists);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	port_lists_done(&lists);
	return 0;
}

static const struct port_list *list_of(struct ranges *ranges)
{
	const struct port_list *list;

	ranges_canonical(ranges);
	assert_int_equal(port_lists_get(&lists, ranges->v, ranges->n, &list, NULL), 0);
	ranges_done(ranges);
	return list;
}

static void ranges_that_touch_or_overlap_become_one(void **state)
{
	struct ranges ranges = { 0 };

	(void)state;
	start(state);
	ranges_add(&ranges, IPPROTO_UDP, 1, 1);
	ranges_add(&ranges, IPPROTO_TCP, 81, 90);
	ranges_add(&ranges, IPPROTO_TCP, 80, 80);
	ranges_add(&ranges, IPPROTO_TCP, 85, 85);
	ranges_add(&ranges, IPPROTO_TCP, 92, 92);
	ranges_add(&ranges, IPPROTO_TCP, 65535, 65535);
	ranges_add(&ranges, IPPROTO_UDP, 0, 0);
	ranges_canonical(&ranges);
	assert_int_equal(ranges.n, 4);
	assert_int_equal(ranges.v[0].first, 80);
	assert_int_equal(ranges.v[0].last, 90);
	assert_int_equal(ranges.v[2].first, 65535);
	assert_int_equal(ranges.v[3].first, 0);
	assert_int_equal(ranges.v[3].last, 1);
	ranges_done(&ranges);
	stop(state);
}

static void a_row_is_searched_by_protocol_and_port(void **state)
{
	struct ranges ranges = { 0 };
	struct row row = { .rest = BH_AUDIT };

	(void)state;
	start(state);
	ranges_add(&ranges, IPPROTO_TCP, 1, 1);
	ranges_add(&ranges, IPPROTO_TCP, 80, 90);
	ranges_add(&ranges, IPPROTO_UDP, 53, 53);
	ranges_add(&ranges, IPPROTO_SCTP, 0, 65535);
	row.list = list_of(&ranges);
	assert_int_equal(row_action(&row, IPPROTO_TCP, 1), BH_ALLOW);
	assert_int_equal(row_action(&row, IPPROTO_TCP, 80), BH_ALLOW);
	assert_int_equal(row_action(&row, IPPROTO_TCP, 90), BH_ALLOW);
	assert_int_equal(row_action(&row, IPPROTO_TCP, 91), BH_AUDIT);
	assert_int_equal(row_action(&row, IPPROTO_TCP, 79), BH_AUDIT);
	assert_int_equal(row_action(&row, IPPROTO_TCP, 53), BH_AUDIT);
	assert_int_equal(row_action(&row, IPPROTO_UDP, 53), BH_ALLOW);
	assert_int_equal(row_action(&row, IPPROTO_SCTP, 65535), BH_ALLOW);
	assert_int_equal(row_action(&row, IPPROTO_ICMP, 0), BH_AUDIT);
	stop(state);
}

static void equal_ranges_share_one_place(void **state)
{
	struct ranges one = { 0 }, two = { 0 }, three = { 0 };
	const struct port_list *first;

	(void)state;
	start(state);
	ranges_add(&one, IPPROTO_TCP, 80, 80);
	ranges_add(&two, IPPROTO_TCP, 80, 80);
	ranges_add(&three, IPPROTO_TCP, 81, 81);
	first = list_of(&one);
	assert_ptr_equal(first, list_of(&two));
	assert_int_not_equal(first->first, list_of(&three)->first);
	assert_int_equal(lists.n_used, 2);
	stop(state);
}

static void no_ranges_need_no_list(void **state)
{
	const struct port_list *list = &(struct port_list){ 0 };

	(void)state;
	start(state);
	assert_int_equal(port_lists_get(&lists, NULL, 0, &list, NULL), 0);
	assert_null(list);
	stop(state);
}

static int many(uint16_t tag, size_t n, struct err *err)
{
	struct bh_port *ports = calloc(n, sizeof(*ports));
	const struct port_list *list;
	int r;

	assert_non_null(ports);
	for (size_t i = 0; i < n; i++)
		ports[i] = (struct bh_port){
			.first = (uint16_t)(2 * i), .last = (uint16_t)(2 * i), .proto = 6, .pad = tag
		};
	r = port_lists_get(&lists, ports, n, &list, err);
	free(ports);
	return r;
}

static void a_full_table_and_a_long_list_are_refused_by_name(void **state)
{
	struct err err = { 0 };

	(void)state;
	start(state);
	assert_int_equal(many(0, BH_PORT_LIST_MAX + 1, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, BH_MAP_PORTS));
	for (uint16_t i = 0; i < BH_PORTS_MAX / BH_PORT_LIST_MAX; i++)
		assert_int_equal(many(i, BH_PORT_LIST_MAX, NULL), 0);
	assert_int_equal(lists.n_used, BH_PORTS_MAX);
	assert_int_equal(many(100, 1, &err), -ENOSPC);
	port_list_use((const struct port_list *)lists.pool.v[3]);
	port_lists_drop_fresh(&lists);
	assert_int_equal(lists.n_used, BH_PORT_LIST_MAX);
	assert_int_equal(many(100, 1, NULL), 0);
	stop(state);
}

/* A row that goes may still be in a packet's hands, and so may its ports. */
static void a_place_is_free_behind_the_fence_after_its_last_use(void **state)
{
	struct ranges ranges = { 0 };
	const struct port_list *list;

	(void)state;
	start(state);
	lists.now = 1;
	ranges_add(&ranges, IPPROTO_TCP, 80, 80);
	list = list_of(&ranges);
	port_list_use(list);
	port_lists_mark_written(&lists);
	port_list_drop(&lists, list);
	assert_int_equal(lists.n_used, 1);
	lists.now = 2; /* the first fence is out: who uses it again and leaves waits for the next */
	port_list_use(list);
	port_list_drop(&lists, list);
	port_lists_fenced(&lists, 1);
	assert_int_equal(lists.n_used, 1);
	lists.now = 3;
	port_list_use(list);
	port_lists_fenced(&lists, 2);
	assert_int_equal(lists.n_used, 1); /* somebody has it */
	port_list_drop(&lists, list);
	port_lists_fenced(&lists, 3);
	assert_int_equal(lists.n_used, 0);
	assert_null(lists.unused);
	/* one that no row had after all goes like one that had some */
	ranges_add(&ranges, IPPROTO_TCP, 81, 81);
	list_of(&ranges);
	port_lists_mark_written(&lists);
	assert_int_equal(lists.n_used, 1);
	port_lists_fenced(&lists, 3);
	assert_int_equal(lists.n_used, 0);
	stop(state);
}

static void adopted_places_stay_taken_even_when_their_content_is_known(void **state)
{
	static struct bh_port kernel[BH_PORTS_MAX];
	const struct port_list *one, *two, *other;
	const struct bh_port port = { .first = 9, .last = 9, .proto = 17 };

	(void)state;
	start(state);
	kernel[0] = kernel[5] = (struct bh_port){ .first = 80, .last = 80, .proto = 6, .action = BH_ALLOW };
	assert_int_equal(port_lists_adopt(&lists, kernel, 0, 1, &one), 0);
	assert_int_equal(port_lists_adopt(&lists, kernel, 5, 1, &two), 0);
	assert_ptr_equal(one, two);
	lists.cursor = 5;
	assert_int_equal(port_lists_get(&lists, &port, 1, &other, NULL), 0);
	assert_int_equal(other->first, 6);
	port_lists_unreserve(&lists);
	port_lists_drop_fresh(&lists);
	lists.cursor = 5;
	assert_int_equal(port_lists_get(&lists, &port, 1, &other, NULL), 0);
	assert_int_equal(other->first, 5);
	stop(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_that_touch_or_overlap_become_one),
		cmocka_unit_test(a_row_is_searched_by_protocol_and_port),
		cmocka_unit_test(equal_ranges_share_one_place),
		cmocka_unit_test(no_ranges_need_no_list),
		cmocka_unit_test(a_full_table_and_a_long_list_are_refused_by_name),
		cmocka_unit_test(a_place_is_free_behind_the_fence_after_its_last_use),
		cmocka_unit_test(adopted_places_stay_taken_even_when_their_content_is_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
