// SPDX-License-Identifier: Apache-2.0
/* Totals that never go back, a histogram that adds up, drops that are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/drops.h"
#include "agent/metrics.h"
#include "agent/revisions.h"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct metrics));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static struct metrics_counts counts(uint64_t passed, uint64_t lost)
{
	struct metrics_counts counts = { .lost = lost };

	counts.packets[BH_INGRESS][BH_PASS] = passed;
	return counts;
}

static void sample(struct metrics *metrics, uint32_t slot, uint32_t ifindex, uint64_t passed)
{
	struct metrics_counts now = counts(passed, passed);

	metrics_sample(metrics, slot, ifindex, &now);
}

static uint64_t total(const struct metrics *metrics)
{
	struct metrics_counts sum;

	metrics_total(metrics, &sum);
	assert_int_equal(sum.lost, sum.packets[BH_INGRESS][BH_PASS]);
	return sum.packets[BH_INGRESS][BH_PASS];
}

static void totals_add_up_over_slots(void **state)
{
	sample(*state, 1, 11, 5);
	sample(*state, 2, 12, 7);
	sample(*state, 1, 11, 6);
	assert_int_equal(total(*state), 13);
}

static void an_endpoint_that_leaves_takes_nothing_with_it(void **state)
{
	sample(*state, 1, 11, 5);
	metrics_release(*state, 1, 11);
	assert_int_equal(total(*state), 5);
	sample(*state, 1, 11, 2); /* the slot begins anew */
	assert_int_equal(total(*state), 7);
}

static void a_slot_that_changes_hands_unseen_keeps_its_total(void **state)
{
	sample(*state, 1, 11, 5);
	sample(*state, 1, 99, 1);
	assert_int_equal(total(*state), 6);
	metrics_release(*state, 1, 11); /* too late: it is another's now */
	assert_int_equal(total(*state), 6);
}

static char *print(const struct metrics *metrics)
{
	struct text text = { 0 };

	metrics_print(metrics, &text);
	return text_take(&text);
}

static void every_reason_has_its_series_in_both_directions(void **state)
{
	char *text = print(*state);
	size_t series = 0, reasons = 0;

	assert_non_null(text);
	for (const char *at = text; (at = strstr(at, "\nbulkhead_packets_total{")); at++)
		series++;
	for (unsigned int i = 0; i < BH_REASONS_MAX; i++)
		reasons += reason_label(i) != NULL;
	assert_true(reasons > 20);
	assert_int_equal(series, 2 * reasons);
	assert_non_null(strstr(text, "bulkhead_packets_total{direction=\"egress\",reason=\"policy\"} 0\n"));
	free(text);
}

static void histogram_buckets_are_cumulative(void **state)
{
	char *text;

	metrics_update_took(*state, 400);
	metrics_update_took(*state, 500);
	metrics_update_took(*state, 20000);
	metrics_update_took(*state, 9000000);
	text = print(*state);
	assert_non_null(text);
	assert_non_null(strstr(text, "_bucket{le=\"0.0005\"} 2\n"));
	assert_non_null(strstr(text, "_bucket{le=\"0.01\"} 2\n"));
	assert_non_null(strstr(text, "_bucket{le=\"0.025\"} 3\n"));
	assert_non_null(strstr(text, "_bucket{le=\"2.5\"} 3\n"));
	assert_non_null(strstr(text, "_bucket{le=\"+Inf\"} 4\n"));
	assert_non_null(strstr(text, "bulkhead_policy_update_seconds_count 4\n"));
	assert_non_null(strstr(text, "bulkhead_policy_update_seconds_sum 9.0209\n"));
	free(text);
	metrics_event_took(*state, CHANGE_POD, 80);
	metrics_event_took(*state, CHANGE_POD, 800);
	text = print(*state);
	assert_non_null(
		strstr(text, "bulkhead_event_to_kernel_seconds_bucket{kind=\"pod\",le=\"0.0001\"} 1\n"));
	assert_non_null(
		strstr(text, "bulkhead_event_to_kernel_seconds_bucket{kind=\"pod\",le=\"0.001\"} 2\n"));
	assert_non_null(strstr(text, "bulkhead_event_to_kernel_seconds_count{kind=\"pod\"} 2\n"));
	assert_non_null(strstr(text, "bulkhead_event_to_kernel_seconds_count{kind=\"namespace\"} 0\n"));
	free(text);
}

static void drops_keep_the_last_ones_in_order(void **state)
{
	static struct drops drops;
	char line[32];

	(void)state;
	for (int i = 0; i < DROPS_KEPT + 10; i++) {
		snprintf(line, sizeof(line), "%d", i);
		drops_keep(&drops, strdup(line));
	}
	assert_int_equal(drops.n, DROPS_KEPT);
	assert_string_equal(drops_line(&drops, 0), "10");
	assert_string_equal(drops_line(&drops, DROPS_KEPT - 1), "1033");
	drops_done(&drops);
}

static void a_second_has_room_for_so_many_drops(void **state)
{
	static struct drops drops;

	(void)state;
	for (int i = 0; i < DROPS_PER_SECOND; i++)
		assert_true(drops_admit(&drops, 7));
	assert_false(drops_admit(&drops, 7));
	assert_true(drops_admit(&drops, 8));
}

static void a_policy_keeps_its_revision_until_it_reads_differently(void **state)
{
	struct netpol netpol = { .namespace = (char *)"shop",
				 .name = (char *)"web",
				 .pods = { .has = true } };
	const struct netpol *policy = &netpol;
	const struct change is_new = { CHANGE_NETPOL, NULL, policy, 1 },
			    edited = { CHANGE_NETPOL, policy, policy, 1 },
			    gone = { CHANGE_NETPOL, policy, NULL, 1 };
	const struct revision *revision;
	struct revisions revisions;

	(void)state;
	revisions_init(&revisions);
	revisions_tell(&revisions, &is_new, 100);
	revision = revisions_find(&revisions, "shop", "web");
	assert_int_equal(revision->revision, 0);
	assert_int_equal(revision->wanted, 1);
	assert_int_equal(revisions_commit(&revisions, 5), 0);
	revisions_tell(&revisions, &edited, 200);
	assert_int_equal(revisions_commit(&revisions, 6), 0);
	assert_int_equal(revision->revision, 5);
	assert_int_equal(revision->since, 100);
	netpol.isolates[BH_INGRESS] = true;
	revisions_tell(&revisions, &edited, 300);
	assert_int_equal(revision->revision, 5);
	assert_int_equal(revision->wanted, 7);
	assert_int_equal(revision->since, 300);
	assert_int_equal(revisions_commit(&revisions, 7), 0);
	assert_int_equal(revision->revision, 7);
	/* told anew: what is told again stays as it was, what is not is gone */
	revisions_tell(&revisions, NULL, 400);
	revisions_tell(&revisions, &is_new, 400);
	assert_int_equal(revisions_commit(&revisions, 8), 0);
	assert_int_equal(revisions_find(&revisions, "shop", "web")->revision, 7);
	revisions_tell(&revisions, NULL, 500);
	assert_int_equal(revisions_commit(&revisions, 8), 0);
	assert_null(revisions_find(&revisions, "shop", "web"));
	revisions_tell(&revisions, &is_new, 600);
	revisions_tell(&revisions, &gone, 600); /* while it waits */
	assert_int_equal(revisions_commit(&revisions, 9), 0);
	assert_null(revisions_find(&revisions, "shop", "web"));
	revisions_done(&revisions);
}

static void fingerprints_tell_absent_from_empty(void **state)
{
	struct peer peer = { 0 };
	struct rule rule = { .peers = &peer, .n_peers = 1, .has_peers = true };
	struct netpol netpol = { .rules = { [BH_INGRESS] = &rule }, .n_rules = { [BH_INGRESS] = 1 } };
	uint64_t nothing = netpol_fingerprint(&netpol), pods, namespaces;

	(void)state;
	peer.pods.has = true;
	pods = netpol_fingerprint(&netpol);
	peer.pods.has = false;
	peer.namespaces.has = true;
	namespaces = netpol_fingerprint(&netpol);
	assert_true(nothing != pods && pods != namespaces && nothing != namespaces);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(totals_add_up_over_slots),
		TEST(an_endpoint_that_leaves_takes_nothing_with_it),
		TEST(a_slot_that_changes_hands_unseen_keeps_its_total),
		TEST(every_reason_has_its_series_in_both_directions),
		TEST(histogram_buckets_are_cumulative),
		TEST(drops_keep_the_last_ones_in_order),
		TEST(a_second_has_room_for_so_many_drops),
		TEST(a_policy_keeps_its_revision_until_it_reads_differently),
		TEST(fingerprints_tell_absent_from_empty),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
