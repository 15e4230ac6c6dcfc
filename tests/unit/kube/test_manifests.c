// SPDX-License-Identifier: Apache-2.0
/* What a folder of manifests says, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/manifest_folder.h"

static void reported(const struct folder *folder, const char *message)
{
	if (!folder->reports.data || !strstr(folder->reports.data, message))
		fail_msg("\"%s\" is not in: %s", message, folder->reports.data ? folder->reports.data : "-");
}

static void every_kind_of_file_is_read(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", POD("a") "---\n" POLICY("p"));
	put(folder, "b.yml", "kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n");
	put(folder, "c.json",
	    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"c\\ud83d\\ude00\"}}");
	put(folder, ".hidden.yaml", POD("hidden"));
	put(folder, "notes.txt", POD("notes"));
	put(folder, "d.yaml~", POD("backup"));
	put(folder, "empty.yaml", "");
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(world_of(folder)->n_pods, 2);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	assert_int_equal(world_of(folder)->n_namespaces, 1);
	assert_int_equal(folder->errors, 0);
	assert_int_equal(read_now(folder), 0);
}

static void lists_are_opened(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml",
	    "kind: List\napiVersion: v1\nitems:\n- {kind: Pod, apiVersion: v1, metadata: {name: a}}\n"
	    "- {kind: Deployment, apiVersion: apps/v1, metadata: {name: d}, spec: {template: {}}}\n"
	    "---\nkind: NetworkPolicyList\napiVersion: networking.k8s.io/v1\nitems:\n- {metadata: {name: "
	    "p}}\n");
	read_now(folder);
	assert_int_equal(world_of(folder)->n_pods, 2);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	assert_int_equal(folder->errors, 0);
}

static void unknown_kinds_are_skipped_with_a_word(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", "kind: ServiceAccount\napiVersion: v1\nmetadata: {name: x}\n---\n" POD("a"));
	put(folder, "b.yaml", "kind: Service\napiVersion: v1\nmetadata: {name: x}\n");
	read_now(folder);
	assert_int_equal(folder->errors, 0);
	assert_int_equal(manifests_broken(folder->manifests), 0);
	assert_string_equal(folder->reports.data,
			    "a.yaml:1: ServiceAccount x: skipped, this kind is not read\n");
	assert_int_equal(world_of(folder)->n_pods, 1);
}

static void a_policy_of_another_api_is_an_error(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", "kind: NetworkPolicy\napiVersion: projectcalico.org/v3\nmetadata: {name: x}\n");
	read_now(folder);
	assert_int_equal(folder->errors, 1);
	reported(folder, "a.yaml:1: NetworkPolicy x: skipped, it isolates nothing: apiVersion must be "
			 "networking.k8s.io/v1");
	assert_int_equal(world_of(folder)->n_netpols, 0);
}

static void a_broken_file_keeps_its_last_good_objects(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", POD("a") "---\n" POLICY("p"));
	put(folder, "b.yaml", POD("b"));
	read_now(folder);
	put(folder, "a.yaml", POD("a2") "---\nkind: NetworkPolicy\nmetadata: {nam: p}\n");
	assert_int_equal(read_now(folder), 0);
	reported(folder, "a.yaml:6: NetworkPolicy: metadata.name: missing");
	assert_int_equal(folder->broken, 1);
	assert_int_equal(manifests_broken(folder->manifests), 1);
	assert_non_null(world_pod(world_of(folder), "default", "a"));
	assert_null(world_pod(world_of(folder), "default", "a2"));
	assert_int_equal(world_of(folder)->n_netpols, 1);

	put(folder, "a.yaml", "a: [");
	assert_int_equal(read_now(folder), 0);
	reported(folder, "did not find expected node content");
	assert_int_equal(world_of(folder)->n_netpols, 1);

	put(folder, "a.yaml", POD("a3"));
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(manifests_broken(folder->manifests), 0);
	assert_non_null(world_pod(world_of(folder), "default", "a3"));
	assert_int_equal(world_of(folder)->n_netpols, 0);
}

static void a_file_that_was_never_good_still_isolates(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", POLICY("p") "---\nkind: Pod\nmetadata: {}\n");
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(manifests_broken(folder->manifests), 1);
	assert_int_equal(world_of(folder)->n_netpols, 1);
}

static void the_same_fault_is_reported_once(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", "a: [");
	read_now(folder);
	assert_int_equal(read_now(folder), 0);
	usleep(150000);
	assert_int_equal(read_now(folder), 0);
	assert_int_equal(folder->errors, 1);
	assert_int_equal(manifests_broken(folder->manifests), 1);
}

static void problems_of_a_policy_name_their_line(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml",
	    "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata:\n  name: p\nspec:\n  ingress:\n"
	    "  - ports:\n    - port: 80\n    - protocol: TCP\n      port: 0\n");
	put(folder, "b.yaml",
	    "kind: List\nitems:\n- kind: NetworkPolicy\n  metadata: {name: q}\n  spec:\n    tier: 1\n");
	read_now(folder);
	assert_int_equal(folder->errors, 2);
	assert_int_equal(folder->broken, 0);
	assert_int_equal(manifests_broken(folder->manifests), 0);
	reported(folder, "a.yaml:10: NetworkPolicy p: spec.ingress[0].ports[1].port: must be a whole number");
	reported(folder, "b.yaml:6: NetworkPolicy q: items[0].spec.tier: unknown field");
	assert_int_equal(world_of(folder)->n_netpols, 2);
}

static void a_wrong_posture_is_reported(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml",
	    "kind: Namespace\nmetadata:\n  name: n\n  annotations:\n    bulkhead.dev/posture: strict\n");
	read_now(folder);
	reported(folder, "a.yaml:5: Namespace n: metadata.annotations.bulkhead.dev/posture: must be "
			 "standard, deny or");
	assert_int_equal(world_of(folder)->n_namespaces, 1);
}

static void the_later_file_wins(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", "kind: Pod\nmetadata: {name: x, labels: {from: a}}\n");
	put(folder, "b.yaml", "kind: Pod\nmetadata: {name: x, labels: {from: b}}\n");
	read_now(folder);
	assert_int_equal(world_of(folder)->n_pods, 1);
	assert_string_equal(labels_get(&world_of(folder)->pods[0]->labels, "from"), "b");
	reported(folder, "a.yaml: Pod default/x is defined in b.yaml too; the one in b.yaml counts");
	assert_int_equal(folder->errors, 1);
	assert_int_equal(folder->broken, 0);
	put(folder, "c.yaml", POD("y"));
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(folder->errors, 1);
	drop(folder, "b.yaml");
	assert_int_equal(read_now(folder), 1);
	assert_string_equal(labels_get(&world_pod(world_of(folder), "default", "x")->labels, "from"), "a");
}

static void the_last_of_two_in_one_file_counts(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml",
	    "kind: Pod\nmetadata: {name: x, labels: {at: first}}\n---\n"
	    "kind: Pod\nmetadata: {name: x, labels: {at: last}}\n");
	read_now(folder);
	assert_int_equal(world_of(folder)->n_pods, 1);
	assert_string_equal(labels_get(&world_of(folder)->pods[0]->labels, "at"), "last");
	reported(folder, "a.yaml: Pod default/x is defined twice; the last one counts");
}

#define SERVICE(name, port)                                                                                  \
	"kind: Service\nmetadata: {name: " name "}\nspec: {selector: {a: b}, ports: [{port: " port "}]}\n"

static void services_are_read_and_the_later_counts(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", SERVICE("x", "80"));
	put(folder, "b.yaml", SERVICE("x", "81") "---\n" SERVICE("y", "82"));
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(world_of(folder)->n_services, 2);
	assert_int_equal(world_of(folder)->services[0]->ports[0].port, 81);
	reported(folder, "a.yaml: Service default/x is defined in b.yaml too; the one in b.yaml counts");
	put(folder, "b.yaml", "{");
	assert_int_equal(read_now(folder), 0);
	assert_int_equal(world_of(folder)->n_services, 2);
	drop(folder, "b.yaml");
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(world_of(folder)->n_services, 1);
	assert_int_equal(world_of(folder)->services[0]->ports[0].port, 80);
}

static void nodes_are_read_and_a_broken_one_holds_nothing_back(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml",
	    "kind: Node\nmetadata: {name: n1}\nspec: {podCIDRs: [10.0.1.0/24]}\n---\n" POLICY(
		    "p") "---\n"
			 "kind: Node\nmetadata: {name: n2}\nspec:\n  podCIDRs: [anything]\n");
	put(folder, "b.yaml", "kind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.0.2.0/24}\n");
	assert_int_equal(read_now(folder), 1);
	reported(folder, "Node n2: spec.podCIDRs[0]: must be ADDRESS/LENGTH");
	reported(folder, "a.yaml: Node n1 is defined in b.yaml too; the one in b.yaml counts");
	assert_int_equal(manifests_broken(folder->manifests), 0);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	assert_int_equal(world_of(folder)->n_nodes, 1);
	assert_int_equal(world_of(folder)->nodes[0]->pod_ranges[0].addr.b[14], 2);
}

static void a_service_that_cannot_be_read_holds_no_policy_back(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", POLICY("p") "---\n" SERVICE("x", "0"));
	assert_int_equal(read_now(folder), 1);
	reported(folder, "a.yaml:8: Service x: spec.ports[0].port: must be a whole number from 1 to 65535");
	assert_int_equal(manifests_broken(folder->manifests), 0);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	assert_int_equal(world_of(folder)->n_services, 0);
}

static void deleting_a_file_takes_its_objects(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", POD("a"));
	put(folder, "b.yaml", POLICY("p"));
	read_now(folder);
	drop(folder, "b.yaml");
	assert_int_equal(read_now(folder), 1);
	assert_int_equal(world_of(folder)->n_netpols, 0);
	assert_int_equal(world_of(folder)->n_pods, 1);
}

static void a_missing_folder_keeps_the_world(void **state)
{
	struct folder *folder = *state;
	struct err err = { 0 };
	char away[80];

	put(folder, "a.yaml", POLICY("p"));
	read_now(folder);
	snprintf(away, sizeof(away), "%s-away", folder->path);
	assert_int_equal(rename(folder->path, away), 0);
	assert_int_equal(manifests_read(folder->manifests, &err), -ENOENT);
	assert_non_null(strstr(err.msg, folder->path));
	assert_int_equal(world_of(folder)->n_netpols, 1);
	assert_int_equal(rename(away, folder->path), 0);
}

static void an_unreadable_file_is_broken_and_comes_back(void **state)
{
	struct folder *folder = *state;
	char path[256], target[256];

	put(folder, "a.yaml", POLICY("p"));
	read_now(folder);
	/* A file too large to be a manifest. */
	snprintf(path, sizeof(path), "%s/a.yaml", folder->path);
	assert_int_equal(truncate(path, 64 << 20), 0);
	assert_int_equal(read_now(folder), 0);
	assert_int_equal(manifests_broken(folder->manifests), 1);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	put(folder, "a.yaml", POLICY("p"));
	read_now(folder);
	assert_int_equal(manifests_broken(folder->manifests), 0);
	/* A FIFO or a dangling link is no file. */
	snprintf(target, sizeof(target), "%s/fifo.yaml", folder->path);
	assert_int_equal(mkfifo(target, 0600), 0);
	snprintf(target, sizeof(target), "%s/link.yaml", folder->path);
	assert_int_equal(symlink("/nowhere", target), 0);
	assert_int_equal(read_now(folder), 0);
}

#define DEPLOYMENT(name, label)                                                                              \
	"---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: " name "}\n"                           \
	"spec: {template: {metadata: {labels: {from: " label "}}}}\n"

static void check_pod_for(const struct folder *folder, const char *name, const char *from)
{
	const struct pod *pod = manifests_pod_for(folder->manifests, "default", name);

	if (!from) {
		assert_null(pod);
		return;
	}
	assert_non_null(pod);
	assert_string_equal(labels_get(&pod->labels, "from"), from);
}

static void a_pod_is_described_by_the_nearest_object(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml",
	    "kind: Pod\nmetadata: {name: web-0, labels: {from: pod}}\n" DEPLOYMENT("web", "web")
		    DEPLOYMENT("web-api", "web-api"));
	read_now(folder);
	check_pod_for(folder, "web-0", "pod");
	check_pod_for(folder, "web-0-x", "web");
	check_pod_for(folder, "web", "web");
	check_pod_for(folder, "web-5d8f-abcde", "web");
	check_pod_for(folder, "web-api", "web-api");
	check_pod_for(folder, "web-api-abc", "web-api");
	check_pod_for(folder, "website", NULL);
	check_pod_for(folder, "we", NULL);
	assert_null(manifests_pod_for(folder->manifests, "other", "web"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_kind_of_file_is_read),
		TEST(lists_are_opened),
		TEST(unknown_kinds_are_skipped_with_a_word),
		TEST(a_policy_of_another_api_is_an_error),
		TEST(a_broken_file_keeps_its_last_good_objects),
		TEST(a_file_that_was_never_good_still_isolates),
		TEST(the_same_fault_is_reported_once),
		TEST(problems_of_a_policy_name_their_line),
		TEST(a_wrong_posture_is_reported),
		TEST(the_later_file_wins),
		TEST(the_last_of_two_in_one_file_counts),
		TEST(services_are_read_and_the_later_counts),
		TEST(nodes_are_read_and_a_broken_one_holds_nothing_back),
		TEST(a_service_that_cannot_be_read_holds_no_policy_back),
		TEST(deleting_a_file_takes_its_objects),
		TEST(a_missing_folder_keeps_the_world),
		TEST(an_unreadable_file_is_broken_and_comes_back),
		TEST(a_pod_is_described_by_the_nearest_object),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
