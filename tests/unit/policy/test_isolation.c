// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/build.h"
#include "policy/isolation.h"

static struct posture_config config = { .posture = POSTURE_STANDARD };

static struct isolation isolate(struct netpol *policy, struct pod *pod, enum posture posture)
{
	struct isolation isolation;

	isolation_init(&isolation, posture);
	assert_int_equal(isolation_add(&isolation, &config, posture, policy, pod, BH_INGRESS), 0);
	return isolation;
}

static void a_policy_selects_pods_of_its_own_namespace_only(void **state)
{
	struct pod *here = a_pod("shop", "web", "app=web"), *there = a_pod("bank", "web", "app=web");
	struct netpol *policy = a_policy("shop", "p", "app=web");

	(void)state;
	assert_true(netpol_selects(policy, here));
	assert_false(netpol_selects(policy, there));
	netpol_free(policy);
	pod_free(here);
	pod_free(there);
}

static void a_missing_pod_selector_selects_the_namespace(void **state)
{
	struct pod *pod = a_pod("shop", "web", "app=web");
	struct netpol *policy = a_policy("shop", "p", NULL);

	(void)state;
	assert_true(netpol_selects(policy, pod));
	policy->pods = a_selector("app=nobody");
	assert_false(netpol_selects(policy, pod));
	policy->pods.invalid = true; /* R23: closed, not open */
	assert_true(netpol_selects(policy, pod));
	netpol_free(policy);
	pod_free(pod);
}

static void host_network_and_finished_pods_are_no_subjects(void **state)
{
	struct pod *pod = a_pod("shop", "web", "");
	struct netpol *policy = a_policy("shop", "p", "");

	(void)state;
	pod->host_network = true;
	assert_false(netpol_selects(policy, pod));
	pod->host_network = false;
	pod->finished = true;
	assert_false(netpol_selects(policy, pod));
	netpol_free(policy);
	pod_free(pod);
}

static void a_direction_that_is_not_listed_stays_open(void **state)
{
	struct pod *pod = a_pod("shop", "web", "");
	struct netpol *policy = a_policy("shop", "p", "");
	struct isolation isolation;

	(void)state;
	policy_isolates(policy, BH_EGRESS);
	isolation = isolate(policy, pod, POSTURE_STANDARD);
	assert_false(isolation.isolated);
	assert_int_equal(isolation.n, 0);
	isolation_done(&isolation);
	netpol_free(policy);
	pod_free(pod);
}

static void audit_counts_only_while_nothing_enforced_isolates(void **state)
{
	struct pod *pod = a_pod("shop", "web", "");
	struct netpol *trial = a_policy("shop", "trial", ""), *real = a_policy("shop", "real", "");
	struct isolation isolation;

	(void)state;
	policy_isolates(trial, BH_INGRESS);
	policy_isolates(real, BH_INGRESS);
	trial->audit = true;
	isolation = isolate(trial, pod, POSTURE_STANDARD);
	assert_int_equal(isolation.otherwise, BH_AUDIT);
	assert_int_equal(isolation_add(&isolation, &config, POSTURE_STANDARD, real, pod, BH_INGRESS), 0);
	assert_int_equal(isolation.otherwise, BH_DENY);
	isolation_sort(&isolation);
	assert_ptr_equal(isolation.v[0], real);
	isolation_done(&isolation);

	isolation = isolate(trial, pod, POSTURE_DENY);
	assert_int_equal(isolation.otherwise, BH_DENY);
	isolation_done(&isolation);
	isolation = isolate(real, pod, POSTURE_AUDIT);
	assert_int_equal(isolation.otherwise, BH_AUDIT);
	isolation_done(&isolation);
	config.forbid_policy_audit = true;
	isolation = isolate(trial, pod, POSTURE_STANDARD);
	assert_int_equal(isolation.otherwise, BH_DENY);
	isolation_done(&isolation);
	config.forbid_policy_audit = false;
	netpol_free(trial);
	netpol_free(real);
	pod_free(pod);
}

static void a_namespace_s_posture_comes_before_the_cluster_s(void **state)
{
	char name[] = "shop";
	char *exempt[] = { name };
	struct posture_config deny = { .posture = POSTURE_DENY };
	struct namespace *ns = a_namespace("shop", "");

	(void)state;
	assert_int_equal(posture_in(&deny, "shop", NULL), POSTURE_DENY);
	assert_int_equal(posture_in(&deny, "shop", ns), POSTURE_DENY);
	ns->posture = POSTURE_AUDIT;
	assert_int_equal(posture_in(&deny, "shop", ns), POSTURE_AUDIT);
	ns->posture = POSTURE_DENY;
	deny.exempt_namespaces = exempt;
	deny.n_exempt_namespaces = 1;
	assert_int_equal(posture_in(&deny, "shop", ns), POSTURE_STANDARD);
	assert_int_equal(posture_in(&deny, "bank", NULL), POSTURE_DENY);
	namespace_free(ns);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_selects_pods_of_its_own_namespace_only),
		cmocka_unit_test(a_missing_pod_selector_selects_the_namespace),
		cmocka_unit_test(host_network_and_finished_pods_are_no_subjects),
		cmocka_unit_test(a_direction_that_is_not_listed_stays_open),
		cmocka_unit_test(audit_counts_only_while_nothing_enforced_isolates),
		cmocka_unit_test(a_namespace_s_posture_comes_before_the_cluster_s),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
