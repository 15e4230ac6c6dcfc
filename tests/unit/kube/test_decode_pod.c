// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"
#include "kube/decode.h"

static int decode_with(int (*decode)(const cJSON *, const char *, struct pod **, struct err *),
		       const char *yaml, struct pod **ret, struct err *err)
{
	struct yaml_docs docs = { 0 };
	int r;

	assert_int_equal(yaml_parse("row", yaml, strlen(yaml), &docs, NULL), 0);
	r = decode(docs.v[0].json, "default", ret, err);
	yaml_docs_done(&docs);
	return r;
}

static struct pod *pod_from(const char *yaml)
{
	struct pod *pod = NULL;
	struct err err = { 0 };

	if (decode_with(decode_pod, yaml, &pod, &err) < 0)
		fail_msg("%s: %s", yaml, err.msg);
	return pod;
}

static struct pod *workload_from(const char *yaml)
{
	struct pod *pod = NULL;
	struct err err = { 0 };

	if (decode_with(decode_workload, yaml, &pod, &err) < 0)
		fail_msg("%s: %s", yaml, err.msg);
	return pod;
}

static int namespace_from(const char *yaml, struct namespace **ret, struct err *err)
{
	struct yaml_docs docs = { 0 };
	int r;

	assert_int_equal(yaml_parse("row", yaml, strlen(yaml), &docs, NULL), 0);
	r = decode_namespace(docs.v[0].json, ret, err);
	yaml_docs_done(&docs);
	return r;
}

static void a_pod_is_read_whole(void **state)
{
	struct pod *pod =
		pod_from("{metadata: {name: web, namespace: shop, uid: u, labels: {b: '2', a: '1'}},"
			 " spec: {nodeName: n1}, status: {phase: Running, podIP: 10.0.0.1}}");

	(void)state;
	assert_string_equal(pod->namespace, "shop");
	assert_string_equal(pod->name, "web");
	assert_string_equal(pod->uid, "u");
	assert_string_equal(pod->node, "n1");
	assert_string_equal(pod->workload, "");
	assert_string_equal(labels_get(&pod->labels, "a"), "1");
	assert_string_equal(labels_get(&pod->labels, "b"), "2");
	assert_false(pod->host_network);
	assert_false(pod->finished);
	assert_int_equal(pod->n_addrs, 1);
	pod_free(pod);
}

static void a_bare_pod_is_enough(void **state)
{
	struct pod *pod = pod_from("{metadata: {name: web}}");

	(void)state;
	assert_string_equal(pod->namespace, "default");
	assert_string_equal(pod->uid, "");
	assert_string_equal(pod->node, "");
	assert_int_equal(pod->n_addrs + pod->n_ports + pod->labels.n, 0);
	pod_free(pod);
}

static void all_addresses_count_once(void **state)
{
	struct pod *pod =
		pod_from("{metadata: {name: web}, status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1},"
			 " {ip: 'fd00::1'}, {ip: bad}, {ip: 0.0.0.0}, {}, null, {ip: 'fd00:0::1'}]}}");
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(pod->n_addrs, 2);
	addr_format(&pod->addrs[1], text);
	assert_string_equal(text, "fd00::1");
	pod_free(pod);
}

static void succeeded_and_failed_pods_are_finished(void **state)
{
	static const struct {
		const char *yaml;
		bool finished;
	} rows[] = {
		{ "{metadata: {name: p}, status: {phase: Succeeded}}", true },
		{ "{metadata: {name: p}, status: {phase: Failed}}", true },
		{ "{metadata: {name: p}, status: {phase: Pending}}", false },
		{ "{metadata: {name: p}, status: {phase: Unknown}}", false },
		{ "{metadata: {name: p}, status: {}}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pod *pod = pod_from(rows[i].yaml);

		assert_int_equal(pod->finished, rows[i].finished);
		pod_free(pod);
	}
}

static void ports_come_from_containers_and_sidecars(void **state)
{
	struct pod *pod = pod_from(
		"{metadata: {name: web}, spec: {containers: [{ports: [{name: http, containerPort: 8080},"
		" {containerPort: 53, protocol: UDP}]}, {}, {ports: [{name: db, containerPort: 5432, "
		"protocol: SCTP}]}],"
		" initContainers: [{ports: [{name: once, containerPort: 1}]},"
		" {restartPolicy: Always, ports: [{name: mesh, containerPort: 15001}]}]}}");

	(void)state;
	assert_int_equal(pod->n_ports, 4);
	assert_string_equal(pod->ports[0].name, "http");
	assert_int_equal(pod->ports[0].number, 8080);
	assert_int_equal(pod->ports[0].proto, IPPROTO_TCP);
	assert_string_equal(pod->ports[1].name, "");
	assert_int_equal(pod->ports[1].proto, IPPROTO_UDP);
	assert_int_equal(pod->ports[2].proto, IPPROTO_SCTP);
	assert_string_equal(pod->ports[3].name, "mesh");
	pod_free(pod);
}

static void wrong_ports_are_left_out(void **state)
{
	struct pod *pod =
		pod_from("{metadata: {name: web}, spec: {containers: [{ports: [{name: a}, {containerPort: 0},"
			 " {containerPort: 65536}, {containerPort: '80'}, {containerPort: 80, protocol: tcp},"
			 " {name: 5, containerPort: 80}, {name: ok, containerPort: 81}, 82]}]}}");

	(void)state;
	assert_int_equal(pod->n_ports, 1);
	assert_string_equal(pod->ports[0].name, "ok");
	pod_free(pod);
}

static void a_pod_whose_labels_cannot_be_read_is_refused(void **state)
{
	static const struct {
		const char *yaml;
		const char *message;
	} rows[] = {
		{ "{metadata: {name: p, labels: {app: 5}}}",
		  "metadata.labels.app: must be a string; quote it" },
		{ "{metadata: {name: p, labels: {app: }}}", "metadata.labels.app: must be a string" },
		{ "{metadata: {name: p, labels: [a]}}", "metadata.labels: must be an object" },
		{ "{metadata: {name: p, labels: {'a b': c}}}", "metadata.labels.a b: not a label key" },
		{ "{metadata: {name: p, labels: {a: 'b c'}}}", "metadata.labels.a: not a label value" },
		{ "{metadata: {name: p}, spec: {hostNetwork: 'false'}}",
		  "spec.hostNetwork: must be true or false" },
		{ "{metadata: {name: p}, spec: []}", "spec: must be an object" },
		{ "{metadata: {labels: {}}}", "metadata.name: missing" },
		{ "{}", "metadata: missing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pod *pod = NULL;
		struct err err = { 0 };

		assert_int_equal(decode_with(decode_pod, rows[i].yaml, &pod, &err), -EINVAL);
		assert_null(pod);
		if (strncmp(err.msg, rows[i].message, strlen(rows[i].message)) != 0)
			fail_msg("%s: %s", rows[i].yaml, err.msg);
	}
}

static void label_forms_follow_kubernetes(void **state)
{
	struct pod *pod = pod_from(
		"{metadata: {name: p, labels: {a: '', app.kubernetes.io/name: Web_1.x-y, A.b_c: z}}}");

	(void)state;
	assert_string_equal(labels_get(&pod->labels, "app.kubernetes.io/name"), "Web_1.x-y");
	assert_string_equal(labels_get(&pod->labels, "a"), "");
	assert_string_equal(labels_get(&pod->labels, "A.b_c"), "z");
	pod_free(pod);
}

static void host_network_is_kept(void **state)
{
	struct pod *pod =
		pod_from("{metadata: {name: p}, spec: {hostNetwork: true}, status: {podIP: 192.0.2.1}}");

	(void)state;
	assert_true(pod->host_network);
	pod_free(pod);
}

static void a_template_stands_for_its_pods(void **state)
{
	struct pod *pod =
		workload_from("{kind: Deployment, metadata: {name: web, namespace: shop, labels: {own: x}},"
			      " spec: {template: {metadata: {labels: {app: web}}, spec: {hostNetwork: true,"
			      " containers: [{ports: [{containerPort: 80, name: http}]}]}}}}");

	(void)state;
	assert_string_equal(pod->namespace, "shop");
	assert_string_equal(pod->name, "web");
	assert_string_equal(pod->workload, "Deployment/web");
	assert_string_equal(labels_get(&pod->labels, "app"), "web");
	assert_null(labels_get(&pod->labels, "own"));
	assert_true(pod->host_network);
	assert_int_equal(pod->n_ports, 1);
	assert_int_equal(pod->n_addrs, 0);
	pod_free(pod);
}

static void a_cron_job_keeps_its_template_one_level_deeper(void **state)
{
	struct pod *pod =
		workload_from("{kind: CronJob, metadata: {name: tidy}, spec: {jobTemplate: {spec: {template:"
			      " {metadata: {labels: {app: tidy}}}}}}}");

	(void)state;
	assert_string_equal(pod->workload, "CronJob/tidy");
	assert_string_equal(labels_get(&pod->labels, "app"), "tidy");
	pod_free(pod);
}

static void a_workload_without_a_template_is_refused(void **state)
{
	struct pod *pod = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(decode_with(decode_workload,
				     "{kind: CronJob, metadata: {name: a}, spec: {template: {}}}", &pod,
				     &err),
			 -EINVAL);
	assert_string_equal(err.msg, "spec.jobTemplate.spec.template: must be an object");
	assert_int_equal(
		decode_with(
			decode_workload,
			"{kind: Job, metadata: {name: a}, spec: {template: {metadata: {labels: {a: 1}}}}}",
			&pod, &err),
		-EINVAL);
	assert_string_equal(err.msg, "spec.template.metadata.labels.a: must be a string; quote it");
	assert_null(pod);
}

static void a_namespace_always_carries_its_name_label(void **state)
{
	struct namespace *ns = NULL;

	(void)state;
	assert_int_equal(namespace_from("{metadata: {name: shop, labels: {team: a,"
					" kubernetes.io/metadata.name: kube-system}}}",
					&ns, NULL),
			 0);
	assert_string_equal(labels_get(&ns->labels, "kubernetes.io/metadata.name"), "shop");
	assert_string_equal(labels_get(&ns->labels, "team"), "a");
	assert_int_equal(ns->posture, POSTURE_UNSET);
	assert_false(ns->terminating);
	namespace_free(ns);
}

static void a_posture_is_one_of_three_words(void **state)
{
	static const struct {
		const char *yaml;
		enum posture posture;
		int result;
	} rows[] = {
		{ "{metadata: {name: n, annotations: {bulkhead.dev/posture: deny}}}", POSTURE_DENY, 0 },
		{ "{metadata: {name: n, annotations: {bulkhead.dev/posture: audit}}}", POSTURE_AUDIT, 0 },
		{ "{metadata: {name: n, annotations: {bulkhead.dev/posture: standard}}}", POSTURE_STANDARD,
		  0 },
		{ "{metadata: {name: n, annotations: {bulkhead.dev/posture: Deny}}}", POSTURE_UNSET, 1 },
		{ "{metadata: {name: n, annotations: {bulkhead.dev/posture: true}}}", POSTURE_UNSET, 1 },
		{ "{metadata: {name: n, annotations: {other: deny}}}", POSTURE_UNSET, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct namespace *ns = NULL;
		struct err err = { 0 };

		assert_int_equal(namespace_from(rows[i].yaml, &ns, &err), rows[i].result);
		assert_int_equal(ns->posture, rows[i].posture);
		assert_int_equal(rows[i].result, err.code ? 1 : 0);
		namespace_free(ns);
	}
}

static void a_terminating_namespace_is_marked(void **state)
{
	struct namespace *ns = NULL;

	(void)state;
	assert_int_equal(namespace_from("{metadata: {name: n}, status: {phase: Terminating}}", &ns, NULL), 0);
	assert_true(ns->terminating);
	namespace_free(ns);
	assert_int_equal(
		namespace_from("{metadata: {name: n, deletionTimestamp: '2020-01-01T00:00:00Z'}}", &ns, NULL),
		0);
	assert_true(ns->terminating);
	namespace_free(ns);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_is_read_whole),
		cmocka_unit_test(a_bare_pod_is_enough),
		cmocka_unit_test(all_addresses_count_once),
		cmocka_unit_test(succeeded_and_failed_pods_are_finished),
		cmocka_unit_test(ports_come_from_containers_and_sidecars),
		cmocka_unit_test(wrong_ports_are_left_out),
		cmocka_unit_test(a_pod_whose_labels_cannot_be_read_is_refused),
		cmocka_unit_test(label_forms_follow_kubernetes),
		cmocka_unit_test(host_network_is_kept),
		cmocka_unit_test(a_template_stands_for_its_pods),
		cmocka_unit_test(a_cron_job_keeps_its_template_one_level_deeper),
		cmocka_unit_test(a_workload_without_a_template_is_refused),
		cmocka_unit_test(a_namespace_always_carries_its_name_label),
		cmocka_unit_test(a_posture_is_one_of_three_words),
		cmocka_unit_test(a_terminating_namespace_is_marked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
