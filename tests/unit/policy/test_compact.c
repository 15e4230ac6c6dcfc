// SPDX-License-Identifier: Apache-2.0
/* Compact pods and policies, and the things they share. The linker puts the __wrap_ functions in
 * place (Makefile). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/build.h"
#include "policy/shared.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static long until_failure = -1; /* allocations that still succeed; negative: all */

void *__wrap_malloc(size_t size)
{
	return until_failure >= 0 && until_failure-- == 0 ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return until_failure >= 0 && until_failure-- == 0 ? NULL : __real_calloc(n, size);
}

static struct pod *a_web_pod(const char *name, const char *addr)
{
	struct pod *pod = a_pod("shop", name, "app=web,tier=front");

	pod_add_addr(pod, addr);
	pod_add_port(pod, "http", IPPROTO_TCP, 8080);
	pod_add_port(pod, "", IPPROTO_UDP, 53);
	return pod;
}

static void assert_says_the_same(const struct pod *a, const struct pod *b)
{
	assert_string_equal(a->namespace, b->namespace);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->uid, b->uid);
	assert_string_equal(a->node, b->node);
	assert_string_equal(a->workload, b->workload);
	assert_true(labels_equal(&a->labels, &b->labels));
	assert_true(pod_ports_equal(a, b));
	assert_int_equal(a->n_addrs, b->n_addrs);
	for (size_t i = 0; i < a->n_addrs; i++)
		assert_true(addr_equal(&a->addrs[i], &b->addrs[i]));
	assert_int_equal(a->host_network, b->host_network);
	assert_int_equal(a->finished, b->finished);
}

static void a_compact_pod_says_what_its_original_says(void **state)
{
	struct pod *pod = a_web_pod("web-0", "10.0.0.1"), *compact;

	(void)state;
	pod_add_addr(pod, "fd00::1");
	pod->host_network = true;
	compact = pod_compact(pod);
	assert_says_the_same(pod, compact);
	assert_says_the_same(compact, pod);
	pod_free(pod);
	assert_string_equal(compact->labels.v[1].value, "front");
	assert_string_equal(compact->ports[0].name, "http");
	pod_free(compact);
	assert_int_equal(shared_count(), 0);
}

static void null_members_become_empty(void **state)
{
	const struct pod nothing = { 0 };
	struct pod *compact = pod_compact(&nothing);

	(void)state;
	assert_string_equal(compact->name, "");
	assert_string_equal(compact->node, "");
	assert_null(compact->labels.v);
	assert_null(compact->ports);
	pod_free(compact);
	assert_int_equal(shared_count(), 0);
}

static void pods_of_a_workload_share(void **state)
{
	struct pod *a = a_web_pod("web-0", "10.0.0.1"), *b = a_web_pod("web-1", "10.0.0.2"), *x, *y;
	size_t n;

	(void)state;
	x = pod_compact(a);
	n = shared_count();
	y = pod_compact(b);
	assert_int_equal(shared_count(), n);
	assert_ptr_equal(x->labels.v, y->labels.v);
	assert_ptr_equal(x->ports, y->ports);
	assert_ptr_equal(x->namespace, y->namespace);
	pod_free(x);
	assert_says_the_same(y, b);
	pod_free(y);
	assert_int_equal(shared_count(), 0);
	pod_free(a);
	pod_free(b);
}

static void another_label_is_another_set(void **state)
{
	struct labels front = some_labels("app=web,tier=front"), back = some_labels("app=web,tier=back"), x,
		      y;

	(void)state;
	assert_int_equal(labels_share(&front, &x), 0);
	assert_int_equal(labels_share(&back, &y), 0);
	assert_false(labels_equal(&x, &y));
	assert_true(labels_equal(&x, &front));
	assert_ptr_equal(x.v[0].value, y.v[0].value);
	labels_done(&x);
	assert_string_equal(labels_get(&y, "tier"), "back");
	labels_done(&y);
	labels_done(&front);
	labels_done(&back);
	assert_int_equal(shared_count(), 0);
}

static void writing_to_a_shared_set_leaves_the_others_alone(void **state)
{
	struct labels own = some_labels("app=web"), x, y;

	(void)state;
	labels_share(&own, &x);
	labels_share(&own, &y);
	assert_int_equal(labels_set(&x, "app", "db"), 0);
	assert_string_equal(labels_get(&x, "app"), "db");
	assert_string_equal(labels_get(&y, "app"), "web");
	labels_done(&x);
	labels_done(&y);
	labels_done(&own);
	assert_int_equal(shared_count(), 0);
}

/* Ports that differ only in what lies between their members in memory. */
static void padding_makes_no_difference(void **state)
{
	struct pod *a = a_web_pod("web-0", "10.0.0.1"), *b = a_web_pod("web-0", "10.0.0.1"), *x, *y;

	(void)state;
	memset((char *)&b->ports[0] + offsetof(struct named_port, proto), 0xff,
	       sizeof(b->ports[0]) - offsetof(struct named_port, proto));
	b->ports[0].proto = IPPROTO_TCP;
	b->ports[0].number = 8080;
	x = pod_compact(a);
	y = pod_compact(b);
	assert_true(pod_ports_equal(x, y));
	pod_free(a);
	pod_free(b);
	pod_free(x);
	pod_free(y);
}

static void thousands_are_found_again(void **state)
{
	const char *texts[5000];
	char text[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "name-%d", i);
		texts[i] = shared_text(text);
	}
	assert_int_equal(shared_count(), 5000);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "name-%d", i);
		assert_ptr_equal(shared_text(text), texts[i]);
		shared_drop(texts[i]);
		assert_string_equal(texts[i], text);
		shared_drop(texts[i]);
	}
	assert_int_equal(shared_count(), 0);
}

static struct netpol *a_full_policy(void)
{
	struct netpol *policy = a_policy("shop", "db", "app=db");
	struct rule *rule = policy_add_rule(policy, BH_INGRESS);

	selector_add(&policy->pods, "tier", SELECTOR_IN, "front,back");
	selector_add(&policy->pods, "old", SELECTOR_NOT_EXISTS, "");
	rule_add_peer(rule, "app=web", "team=a");
	peer_add_except(rule_add_block(rule, "10.0.0.0/8"), "10.1.0.0/16");
	rule_add_port(rule, IPPROTO_TCP, 80, 90);
	rule_add_named_port(rule, IPPROTO_UDP, "dns");
	policy_add_rule(policy, BH_EGRESS);
	policy_add_rule(policy, BH_EGRESS);
	policy_isolates(policy, BH_EGRESS);
	policy->problems = calloc(1, sizeof(char *));
	policy->problems[policy->n_problems++] = strdup("spec: odd");
	return policy;
}

static void a_compact_policy_says_what_its_original_says(void **state)
{
	struct netpol *policy = a_full_policy(), *compact = netpol_compact(policy), *copy;
	size_t n = shared_count();

	(void)state;
	assert_true(netpol_equal(policy, compact));
	copy = netpol_compact(compact);
	assert_int_equal(shared_count(), n);
	netpol_free(policy);
	netpol_free(compact);
	policy = a_full_policy();
	assert_true(netpol_equal(policy, copy));
	policy->rules[BH_INGRESS][0].ports[0].last = 91;
	assert_false(netpol_equal(policy, copy));
	netpol_free(policy);
	policy = netpol_copy(copy);
	netpol_free(copy);
	assert_string_equal(policy->rules[BH_INGRESS][0].ports[1].name, "dns");
	netpol_free(policy);
	assert_int_equal(shared_count(), 0);
}

static void a_policy_that_does_not_fit_leaves_nothing_behind(void **state)
{
	struct netpol *policy = a_full_policy(), *compact = NULL;
	long n = 0;

	(void)state;
	for (; !compact; n++) {
		until_failure = n;
		compact = netpol_compact(policy);
		until_failure = -1;
		if (!compact)
			assert_int_equal(shared_count(), 0);
		assert_in_range(n, 0, 100);
	}
	assert_true(n > 10);
	assert_true(netpol_equal(policy, compact));
	netpol_free(compact);
	netpol_free(policy);
	assert_int_equal(shared_count(), 0);
}

static void out_of_memory_leaves_nothing_behind(void **state)
{
	struct pod *pod = a_web_pod("web-0", "10.0.0.1"), *compact = NULL;
	long n = 0;

	(void)state;
	for (; !compact; n++) {
		until_failure = n;
		compact = pod_compact(pod);
		until_failure = -1;
		if (!compact)
			assert_int_equal(shared_count(), 0);
		assert_in_range(n, 0, 100);
	}
	assert_true(n > 10);
	assert_says_the_same(compact, pod);
	pod_free(compact);
	pod_free(pod);
	assert_int_equal(shared_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_compact_pod_says_what_its_original_says),
		cmocka_unit_test(null_members_become_empty),
		cmocka_unit_test(pods_of_a_workload_share),
		cmocka_unit_test(another_label_is_another_set),
		cmocka_unit_test(writing_to_a_shared_set_leaves_the_others_alone),
		cmocka_unit_test(padding_makes_no_difference),
		cmocka_unit_test(thousands_are_found_again),
		cmocka_unit_test(out_of_memory_leaves_nothing_behind),
		cmocka_unit_test(a_compact_policy_says_what_its_original_says),
		cmocka_unit_test(a_policy_that_does_not_fit_leaves_nothing_behind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
