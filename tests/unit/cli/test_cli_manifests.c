// SPDX-License-Identifier: Apache-2.0
/* Questions that manifests answer, without a daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "lib/shell.h"
#include "lib/text_has.h"

/* --- explain --- */

static void explain_exits_by_the_verdict(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_run(shell, "explain -m DIR shop/web shop/db 5432");
	shell_printed(shell, 0,
		      "shop/web -> shop/db TCP/5432: allowed\n  allowed by egress of shop/web: no policy "
		      "isolates it\n"
		      "  allowed by ingress of shop/db: rule 0 of shop/db\n");
	shell_run(shell, "explain -m DIR shop/web shop/db main");
	shell_printed(shell, 0, "TCP/5432: allowed");
	shell_run(shell, "explain -m DIR shop/job shop/db 5432");
	shell_printed(shell, 1, "shop/job -> shop/db TCP/5432: denied\n");
	text_has(shell->out, "isolated by shop/db");
	text_has(shell->out, "app=job");
	shell_run(shell, "explain --manifests=DIRx shop/job shop/db 5432");
	shell_complained(shell, "DIRx: ");
	shell_run(shell, "explain -m DIR shop/web shop/db 5432/udp");
	shell_printed(shell, 1, "UDP/5432: denied");
}

static void explain_cannot_say_what_depends_on_an_unknown_address(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_put(shell, "z.yaml",
		  "kind: NetworkPolicy\nmetadata: {name: block, namespace: shop}\n"
		  "spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: "
		  "10.0.0.0/8}}]}]}\n");
	shell_run(shell, "explain -m DIR shop/job shop/web 80");
	shell_printed(shell, 2, "undecided");
	shell_run(shell, "explain -m DIR 10.1.2.3 shop/web 80");
	shell_printed(shell, 0, "10.1.2.3 -> shop/web TCP/80: allowed");
}

static void explain_names_what_is_not_known(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_run(shell, "explain -m DIR shop/nobody shop/db 80");
	shell_complained(shell, "\"shop/nobody\"");
	shell_run(shell, "explain -m DIR shop/web shop/db http");
	shell_complained(shell, "serves no TCP port named \"http\"");
	shell_run(shell, "explain -m DIR shop/web shop/db 70000");
	shell_complained(shell, "a port is from 1 to 65535");
	shell_run(shell, "explain -m DIR shop/web shop/db 80/icmp");
	shell_complained(shell, "TCP, UDP or SCTP");
}

static void broken_manifests_make_no_answer(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_put(shell, "broken.yaml", "a: [");
	shell_run(shell, "explain -m DIR shop/web shop/db 5432");
	assert_int_equal(shell->code, 2);
	text_has(shell->err, "broken.yaml:");
	text_has(shell->err, "1 broken file: this is not the whole picture");
	shell_run(shell, "matrix -m DIR");
	assert_int_equal(shell->code, 2);
}

static void explain_prints_json(void **state)
{
	struct shell *shell = *state;
	auto_json cJSON *json = NULL;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_run(shell, "explain -m DIR shop/job shop/db 5432 -o json");
	assert_int_equal(shell->code, 1);
	assert_int_equal(json_parse(shell->out, strlen(shell->out), &json, NULL), 0);
	assert_string_equal(json_get(json, "verdict")->valuestring, "deny");
	assert_string_equal(json_get(json_get(json, "ingress"), "clause")->valuestring, "pod label");
}

static void posture_counts_offline(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_run(shell, "explain -m DIR shop/db shop/web 80");
	assert_int_equal(shell->code, 0);
	shell_run(shell, "explain -m DIR shop/db shop/web 80 --posture deny");
	shell_printed(shell, 1, "posture deny");
	shell_run(shell, "explain shop/db shop/web 80 --posture deny");
	shell_complained(shell, "--posture goes with --manifests");
}

/* The daemon's default is dns.allow: false. */
static void posture_deny_offline_lists_no_dns(void **state)
{
	struct shell *shell = *state;

	shell_put(
		shell, "dns.yaml",
		"kind: Pod\nmetadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\n---\n"
		"kind: Pod\nmetadata: {name: a}\n");
	shell_run(shell, "explain -m DIR default/a kube-system/dns 53/udp --posture deny");
	shell_printed(shell, 1, "posture deny");
}

static void a_folder_without_objects_is_no_answer(void **state)
{
	struct shell *shell = *state;

	shell_run(shell, "lint -m DIR");
	shell_complained(shell, "no object in its *.yaml, *.yml and *.json files");
	shell_run(shell, "matrix -m DIR");
	shell_complained(shell, "subfolders are not read");
	shell_put(shell, "a.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n");
	shell_run(shell, "matrix -m DIR");
	shell_printed(shell, 0, "No pods.");
}

/* --- matrix --- */

static void the_matrix_is_a_table(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_run(shell, "matrix -m DIR");
	assert_int_equal(shell->code, 0);
	assert_string_equal(
		shell->out,
		"from \\ to  shop/db   shop/job  shop/web\n"
		"shop/db    -         all       all\n"
		"shop/job   -         all       all\n"
		"shop/web   tcp/5432  all       all\n"
		"\n"
		"3 pods; 5 of 6 pairs may talk.\n"
		"On the diagonal: between replicas of one workload.\n"
		"all: everything   tcp/80: only that   -: nothing   .: itself   ?: depends on an address\n");
	assert_string_equal(shell->err, "");
}

static void cells_tell_ranges_and_protocols(void **state)
{
	static const struct {
		const char *ports;
		const char *cell; /* of b to a */
	} rows[] = {
		{ "[]", "all" },
		{ "[{}]", "tcp" },
		{ "[{protocol: UDP}]", "udp" },
		{ "[{port: 80, endPort: 90}]", "tcp/80-90" },
		{ "[{port: 1, endPort: 65535}]", "tcp" },
		{ "[{port: 80}, {port: 81}]", "tcp/80-81" },
		{ "[{port: 80}, {port: 53, protocol: UDP}]", "tcp/80,udp/53" },
		{ "[{}, {protocol: UDP}, {protocol: SCTP}]", "tcp,udp,sctp" },
		{ "[{port: 1}, {port: 3}, {port: 5}, {port: 7}, {port: 9}, {port: 11}]",
		  "tcp/1,tcp/3,tcp/5,tcp/7,tcp/9+1" },
		{ "[{port: 0}]", "-" },
	};
	struct shell *shell = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[1024], row[80];

		snprintf(text, sizeof(text),
			 "kind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: a}}\n---\n"
			 "kind: Pod\nmetadata: {name: b, namespace: shop}\n---\nkind: NetworkPolicy\n"
			 "metadata: {name: p, namespace: shop}\n"
			 "spec: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: %s}]}\n",
			 rows[i].ports);
		shell_put(shell, "a.yaml", text);
		shell_run(shell, "matrix -m DIR");
		snprintf(row, sizeof(row), "\nshop/b     %-6s  .\n", rows[i].cell);
		shell_printed(shell, 0, row);
	}
}

static void many_pods_get_numbers(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_put(shell, "more.yaml",
		  DEPLOYMENT("e1", "1") DEPLOYMENT("e2", "1") DEPLOYMENT("e3", "1") DEPLOYMENT("e4", "1"));
	shell_run(shell, "matrix -m DIR");
	shell_printed(shell, 0, "from \\ to    1         2    3    4    5    6    7\n");
	text_has(shell->out, "\n 2 shop/e1   -  ");
	text_has(shell->out, "\n 7 shop/web  tcp/5432  all");
}

static void the_matrix_of_one_namespace(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_put(shell, "other.yaml", "kind: Pod\nmetadata: {name: x, namespace: other}\n");
	shell_run(shell, "matrix -m DIR --namespace other");
	shell_printed(shell, 0, "1 pod; 0 of 0 pairs");
	shell_run(shell, "matrix -m DIR -n none");
	shell_printed(shell, 0, "No pods.");
}

/* --- lint --- */

static void lint_exits_by_what_it_finds(void **state)
{
	struct shell *shell = *state;

	shell_put(shell, "shop.yaml", shell_shop);
	shell_run(shell, "lint -m DIR");
	shell_printed(shell, 0, "0 errors, 0 warnings, 0 notes\n");
	shell_put(shell, "z.yaml",
		  "kind: NetworkPolicy\nmetadata: {name: z, namespace: shop}\n"
		  "spec: {ingress: [{ports: [{port: nope}, {port: 0}]}]}\n---\nkind: ConfigMap\nmetadata: "
		  "{name: "
		  "c}\n");
	shell_run(shell, "lint -m DIR");
	shell_printed(shell, 1,
		      "error: NetworkPolicy shop/z: spec.ingress[0].ports[1].port: must be a whole number");
	text_has(shell->out,
		 "warning: NetworkPolicy shop/z: spec.ingress[0].ports[0]: shop/db serves no TCP port");
	text_has(shell->err, "z.yaml:3: NetworkPolicy z: ");
	text_has(shell->err, "z.yaml:4: ConfigMap c: skipped");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shell_setup, shell_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(explain_exits_by_the_verdict),
		TEST(explain_cannot_say_what_depends_on_an_unknown_address),
		TEST(explain_names_what_is_not_known),
		TEST(broken_manifests_make_no_answer),
		TEST(explain_prints_json),
		TEST(posture_counts_offline),
		TEST(posture_deny_offline_lists_no_dns),
		TEST(a_folder_without_objects_is_no_answer),
		TEST(the_matrix_is_a_table),
		TEST(cells_tell_ranges_and_protocols),
		TEST(many_pods_get_numbers),
		TEST(the_matrix_of_one_namespace),
		TEST(lint_exits_by_what_it_finds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
