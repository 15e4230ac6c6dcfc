// SPDX-License-Identifier: Apache-2.0
/* Each row is a spec and what it means, in the notation of lib/netpol_text.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/yaml.h"
#include "kube/decode.h"
#include "kube/encode.h"
#include "lib/netpol_text.h"

static struct netpol *decode_yaml(const char *yaml)
{
	struct yaml_docs docs = { 0 };
	struct netpol *netpol = NULL;
	struct err err = { 0 };

	if (yaml_parse("row", yaml, strlen(yaml), &docs, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(docs.n, 1);
	if (decode_netpol(docs.v[0].json, "default", &netpol, &err) < 0)
		fail_msg("%s: %s", yaml, err.msg);
	yaml_docs_done(&docs);
	return netpol;
}

/* What is written for a later process means the same when it is read back. */
static void check_written(const struct netpol *netpol, const char *meaning)
{
	auto_json cJSON *json = encode_netpol(netpol);
	struct netpol *back = NULL;
	auto_free char *text = NULL;
	struct err err = { 0 };

	assert_non_null(json);
	if (decode_netpol(json, "default", &back, &err) < 0)
		fail_msg("%s: %s", meaning, err.msg);
	text = netpol_text(back);
	assert_string_equal(text, meaning);
	assert_string_equal(back->name, netpol->name);
	assert_string_equal(back->namespace, netpol->namespace);
	assert_string_equal(back->uid, netpol->uid);
	assert_int_equal(back->audit, netpol->audit);
	if (netpol->n_problems == 0) {
		assert_int_equal(back->n_problems, 0);
		assert_true(netpol_equal(back, netpol));
	}
	netpol_free(back);
}

struct row {
	const char *spec; /* in flow style, behind "spec:" */
	const char *meaning;
	const char *problem; /* its beginning; null: there must be none */
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_text struct text yaml = { 0 };
		auto_free char *meaning = NULL;
		struct netpol *netpol;

		text_addf(&yaml, "{metadata: {name: p}, spec: %s}", rows[i].spec);
		netpol = decode_yaml(yaml.data);
		meaning = netpol_text(netpol);
		if (strcmp(meaning, rows[i].meaning) != 0)
			fail_msg("%s\n  means %s\n  want  %s", rows[i].spec, meaning, rows[i].meaning);
		if (rows[i].problem) {
			size_t len = strlen(rows[i].problem);

			if (netpol->n_problems != 1 ||
			    strncmp(netpol->problems[0], rows[i].problem, len) != 0)
				fail_msg("%s\n  problem (of %zu) %s\n  want %s", rows[i].spec,
					 netpol->n_problems, netpol->n_problems ? netpol->problems[0] : "-",
					 rows[i].problem);
		} else if (netpol->n_problems) {
			fail_msg("%s\n  problem %s", rows[i].spec, netpol->problems[0]);
		}
		check_written(netpol, meaning);
		netpol_free(netpol);
	}
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(*(rows)))

/* --- rows --- */

static void absent_null_and_empty_differ_at_every_level(void **state)
{
	static const struct row rows[] = {
		/* spec and subject: R2 */
		{ "", "*; []; open", NULL },
		{ "{}", "*; []; open", NULL },
		{ "{podSelector: }", "*; []; open", NULL },
		{ "{podSelector: {}}", "*; []; open", NULL },
		{ "{podSelector: {matchLabels: }}", "*; []; open", NULL },
		{ "{podSelector: {matchLabels: {}, matchExpressions: []}}", "*; []; open", NULL },
		/* direction: R3, R4 */
		{ "{ingress: }", "*; []; open", NULL },
		{ "{ingress: []}", "*; []; open", NULL },
		{ "{ingress: [{}]}", "*; [any/any]; open", NULL },
		{ "{ingress: [null]}", "*; [!]; open", "spec.ingress[0]: must be an object" },
		{ "{egress: }", "*; []; open", NULL },
		{ "{egress: []}", "*; []; open", NULL },
		{ "{egress: [{}]}", "*; []; [any/any]", NULL },
		{ "{egress: [null]}", "*; []; [!]", "spec.egress[0]: must be an object" },
		/* peers: R7 */
		{ "{ingress: [{from: }]}", "*; [any/any]; open", NULL },
		{ "{ingress: [{from: []}]}", "*; [any/any]; open", NULL },
		{ "{ingress: [{from: [{}]}]}", "*; [!/any]; open", "spec.ingress[0].from[0]: names no peer" },
		{ "{ingress: [{from: [null]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0]: must be an object" },
		{ "{egress: [{to: []}]}", "*; []; [any/any]", NULL },
		{ "{egress: [{to: [{}]}]}", "*; []; [!/any]", "spec.egress[0].to[0]: names no peer" },
		/* selectors of a peer: R8 */
		{ "{ingress: [{from: [{podSelector: }]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0]: names no" },
		{ "{ingress: [{from: [{podSelector: {}}]}]}", "*; [pods{*}/any]; open", NULL },
		{ "{ingress: [{from: [{namespaceSelector: }]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0]: n" },
		{ "{ingress: [{from: [{namespaceSelector: {}}]}]}", "*; [ns{*}/any]; open", NULL },
		{ "{ingress: [{from: [{namespaceSelector: {}, podSelector: }]}]}", "*; [ns{*}/any]; open",
		  NULL },
		{ "{ingress: [{from: [{namespaceSelector: {}, podSelector: {}}]}]}",
		  "*; [ns{*}+pods{*}/any]; open", NULL },
		{ "{ingress: [{from: [{namespaceSelector: {}}, {podSelector: {}}]}]}",
		  "*; [ns{*},pods{*}/any]; open", NULL },
		{ "{ingress: [{from: [{ipBlock: }]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0]: names no peer" },
		{ "{ingress: [{from: [{ipBlock: {}}]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0].ipBlock.cidr: missing" },
		/* ports: R7, R12 */
		{ "{ingress: [{ports: }]}", "*; [any/any]; open", NULL },
		{ "{ingress: [{ports: []}]}", "*; [any/any]; open", NULL },
		{ "{ingress: [{ports: [{}]}]}", "*; [any/tcp]; open", NULL },
		{ "{ingress: [{ports: [null]}]}", "*; [any/!]; open",
		  "spec.ingress[0].ports[0]: must be an object" },
		{ "{ingress: [{ports: [{port: }]}]}", "*; [any/tcp]; open", NULL },
		{ "{ingress: [{ports: [{protocol: }]}]}", "*; [any/tcp]; open", NULL },
		{ "{ingress: [{ports: [{port: 80, endPort: }]}]}", "*; [any/tcp/80]; open", NULL },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void policy_types_decide_the_directions(void **state)
{
	static const struct row rows[] = {
		{ "{policyTypes: }", "*; []; open", NULL },
		{ "{policyTypes: []}", "*; []; open", NULL },
		{ "{policyTypes: [Ingress]}", "*; []; open", NULL },
		{ "{policyTypes: [Egress]}", "*; open; []", NULL },
		{ "{policyTypes: [Ingress, Egress]}", "*; []; []", NULL },
		{ "{policyTypes: [Egress], ingress: [{}]}", "*; open; []", NULL },
		{ "{policyTypes: [Ingress], egress: [{}]}", "*; []; open", NULL },
		{ "{policyTypes: [Egress], egress: [{}]}", "*; open; [any/any]", NULL },
		{ "{ingress: [{}], egress: [{}]}", "*; [any/any]; [any/any]", NULL },
		{ "{policyTypes: [egress]}", "*; []; []", "spec.policyTypes[0]: must be Ingress or Egress" },
		{ "{policyTypes: [Ingress, 5]}", "*; []; []",
		  "spec.policyTypes[1]: must be Ingress or Egress" },
		{ "{policyTypes: Egress}", "*; []; []", "spec.policyTypes: must be a list" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void unknown_fields_and_wrong_types_allow_nothing(void **state)
{
	static const struct row rows[] = {
		{ "{ingress: [{form: [{podSelector: {}}]}]}", "*; [!]; open",
		  "spec.ingress[0].form: unknown field" },
		{ "{ingress: [{to: []}]}", "*; [!]; open", "spec.ingress[0].to: unknown field" },
		{ "{egress: [{from: []}]}", "*; []; [!]", "spec.egress[0].from: unknown field" },
		{ "{ingress: [{from: [{podSelector: {}, nodes: {}}]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0].nodes: unknown field" },
		{ "{ingress: [{ports: [{port: 80, icmp: 8}]}]}", "*; [any/!]; open",
		  "spec.ingress[0].ports[0].icmp: unknown field" },
		{ "{ingress: [{from: [{podSelector: {matchNames: [a]}}]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0].podSelector.matchNames: unknown field" },
		{ "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, port: 1}}]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0].ipBlock.port: unknown field" },
		{ "{ingress: [{from: {podSelector: {}}}]}", "*; [!]; open",
		  "spec.ingress[0].from: must be a list" },
		{ "{ingress: [{ports: 80}]}", "*; [!]; open", "spec.ingress[0].ports: must be a list" },
		{ "{ingress: [all]}", "*; [!]; open", "spec.ingress[0]: must be an object" },
		{ "{ingress: {}}", "*; []; open", "spec.ingress: must be a list" },
		{ "{egress: {}}", "*; []; []", "spec.egress: must be a list" },
		{ "{egres: [{}]}", "*; []; []", "spec.egres: unknown field" },
		{ "{policyTypes: [Ingress], tier: 1}", "*; []; open", "spec.tier: unknown field" },
		{ "[]", "*; []; []", "spec: must be an object" },
		{ "deny", "*; []; []", "spec: must be an object" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void a_broken_part_leaves_its_neighbours(void **state)
{
	static const struct row rows[] = {
		{ "{ingress: [{from: [{podSelector: {}}, {x: 1}], ports: [{port: 80}]}]}",
		  "*; [pods{*},!/tcp/80]; open", "spec.ingress[0].from[1].x: unknown field" },
		{ "{ingress: [{ports: [{port: 0}, {port: 81}]}]}", "*; [any/!,tcp/81]; open",
		  "spec.ingress[0].ports[0].port" },
		{ "{ingress: [{x: 1}, {}]}", "*; [! any/any]; open", "spec.ingress[0].x" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void a_broken_subject_isolates_the_whole_namespace(void **state)
{
	static const struct row rows[] = {
		{ "{podSelector: {matchLabels: {app: 5}}, ingress: [{}]}", "*; [!]; open",
		  "spec.podSelector.matchLabels.app: must be a string; quote it; every pod of the namespace "
		  "is isolated" },
		{ "{podSelector: {app: web}, ingress: [{}], egress: [{}]}", "*; [!]; [!]",
		  "spec.podSelector.app: unknown field" },
		{ "{podSelector: all}", "*; []; open", "spec.podSelector: must be an object" },
		{ "{podSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}}", "*; []; open",
		  "spec.podSelector.matchExpressions[0].operator" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void selector_requirements_are_checked(void **state)
{
#define EXPR(text) "{ingress: [{from: [{podSelector: {matchExpressions: [{" text "}]}}]}]}"
#define AT	   "spec.ingress[0].from[0].podSelector.matchExpressions[0]"
	static const struct row rows[] = {
		{ "{podSelector: {matchLabels: {app: web, example.com/tier: ''}}}",
		  "app in web&example.com/tier in ; []; open", NULL },
		{ EXPR("key: a, operator: In, values: [x, y]"), "*; [pods{a in x|y}/any]; open", NULL },
		{ EXPR("key: a, operator: NotIn, values: [x]"), "*; [pods{a notin x}/any]; open", NULL },
		{ EXPR("key: a, operator: Exists"), "*; [pods{a exists}/any]; open", NULL },
		{ EXPR("key: a, operator: Exists, values: []"), "*; [pods{a exists}/any]; open", NULL },
		{ EXPR("key: a, operator: DoesNotExist, values: "), "*; [pods{a absent}/any]; open", NULL },
		{ EXPR("key: a, operator: In"), "*; [!/any]; open",
		  AT ".values: this operator needs at least one" },
		{ EXPR("key: a, operator: In, values: []"), "*; [!/any]; open",
		  AT ".values: this operator needs" },
		{ EXPR("key: a, operator: NotIn, values: []"), "*; [!/any]; open", AT ".values" },
		{ EXPR("key: a, operator: Exists, values: [x]"), "*; [!/any]; open",
		  AT ".values: this operator takes none" },
		{ EXPR("key: a, operator: DoesNotExist, values: [x]"), "*; [!/any]; open", AT ".values" },
		{ EXPR("key: a, operator: exists"), "*; [!/any]; open", AT ".operator: must be In" },
		{ EXPR("key: a"), "*; [!/any]; open", AT ".operator" },
		{ EXPR("key: a, operator: 1"), "*; [!/any]; open", AT ".operator" },
		{ EXPR("operator: Exists"), "*; [!/any]; open", AT ".key: not a label key" },
		{ EXPR("key: -a, operator: Exists"), "*; [!/any]; open", AT ".key" },
		{ EXPR("key: a/b/c, operator: Exists"), "*; [!/any]; open", AT ".key" },
		{ EXPR("key: /a, operator: Exists"), "*; [!/any]; open", AT ".key" },
		{ EXPR("key: UP.com/a, operator: Exists"), "*; [!/any]; open", AT ".key" },
		{ EXPR("key: a, operator: In, values: [1]"), "*; [!/any]; open",
		  AT ".values[0]: must be a string" },
		{ EXPR("key: a, operator: NotIn, values: [x, 'a b']"), "*; [!/any]; open",
		  AT ".values[1]: not a label" },
		{ EXPR("key: a, operator: In, values: x"), "*; [!/any]; open", AT ".values: must be a list" },
		{ EXPR("key: a, operator: Exists, x: 1"), "*; [!/any]; open", AT ".x: unknown field" },
		{ "{ingress: [{from: [{namespaceSelector: {matchLabels: {a: true}}}]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0].namespaceSelector.matchLabels.a: must be a string" },
	};
#undef EXPR
#undef AT

	(void)state;
	CHECK_ROWS(rows);
}

static void blocks_are_canonical_and_excepts_lie_inside(void **state)
{
#define BLOCK(text) "{ingress: [{from: [{ipBlock: {" text "}}]}]}"
#define AT	    "spec.ingress[0].from[0].ipBlock"
	static const struct row rows[] = {
		{ BLOCK("cidr: 10.1.2.3/8"), "*; [10.0.0.0/8/any]; open", NULL },
		{ BLOCK("cidr: 0.0.0.0/0"), "*; [0.0.0.0/0/any]; open", NULL },
		{ BLOCK("cidr: '::/0'"), "*; [::/0/any]; open", NULL },
		{ BLOCK("cidr: 10.0.0.1/32, except: []"), "*; [10.0.0.1/32/any]; open", NULL },
		{ BLOCK("cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.3.4/32]"),
		  "*; [10.0.0.0/8-10.1.0.0/16-10.2.3.4/32/any]; open", NULL },
		{ BLOCK("cidr: 'fd00::/8', except: ['fd01::/16']"), "*; [fd00::/8-fd01::/16/any]; open",
		  NULL },
		{ BLOCK("cidr: 10.0.0.0"), "*; [!/any]; open", AT ".cidr: not a CIDR: \"10.0.0.0\"" },
		{ BLOCK("cidr: 10.0.0.0/33"), "*; [!/any]; open", AT ".cidr" },
		{ BLOCK("cidr: 10.0.0/8"), "*; [!/any]; open", AT ".cidr" },
		{ BLOCK("cidr: '::ffff:10.0.0.0/104'"), "*; [!/any]; open", AT ".cidr" },
		{ BLOCK("cidr: 10"), "*; [!/any]; open", AT ".cidr: not a CIDR" },
		{ BLOCK("cidr: 10.0.0.0/8, except: [11.0.0.0/16]"), "*; [!/any]; open",
		  AT ".except[0]: 11.0.0.0/16 is" },
		{ BLOCK("cidr: 10.0.0.0/8, except: [10.0.0.0/8]"), "*; [!/any]; open", AT ".except[0]" },
		{ BLOCK("cidr: 10.0.0.0/8, except: [0.0.0.0/0]"), "*; [!/any]; open", AT ".except[0]" },
		{ BLOCK("cidr: 10.0.0.0/8, except: ['fd00::/8']"), "*; [!/any]; open", AT ".except[0]" },
		{ BLOCK("cidr: 10.0.0.0/8, except: [10.1.0.0/16, nonsense]"), "*; [!/any]; open",
		  AT ".except[1]: not a CIDR: \"nonsense\"" },
		{ BLOCK("cidr: 10.0.0.0/8, except: 10.1.0.0/16"), "*; [!/any]; open",
		  AT ".except: must be a list" },
		{ BLOCK("except: [10.1.0.0/16]"), "*; [!/any]; open", AT ".cidr: missing" },
		{ "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}", "*; [!/any]; open",
		  "spec.ingress[0].from[0]: ipBlock and selectors exclude each other" },
		{ "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}]}]}",
		  "*; [!/any]; open", "spec.ingress[0].from[0]: ipBlock and selectors" },
	};
#undef BLOCK
#undef AT

	(void)state;
	CHECK_ROWS(rows);
}

static void ports_are_numbers_names_or_ranges(void **state)
{
#define PORT(text) "{egress: [{ports: [{" text "}]}]}"
#define AT	   "spec.egress[0].ports[0]"
	static const struct row rows[] = {
		{ PORT("port: 1"), "*; []; [any/tcp/1]", NULL },
		{ PORT("port: 65535, protocol: UDP"), "*; []; [any/udp/65535]", NULL },
		{ PORT("protocol: SCTP"), "*; []; [any/sctp]", NULL },
		{ PORT("port: http"), "*; []; [any/tcp/http]", NULL },
		{ PORT("port: 80-http"), "*; []; [any/tcp/80-http]", NULL },
		{ PORT("port: 1, endPort: 65535"), "*; []; [any/tcp/1-65535]", NULL },
		{ PORT("port: 80, endPort: 80"), "*; []; [any/tcp/80]", NULL },
		{ PORT("port: 0"), "*; []; [any/!]", AT ".port: must be a whole number from 1 to 65535" },
		{ PORT("port: -1"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: 65536"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: 65616"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: 4294967376"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: 80.5"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: 1e99"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: true"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: [80]"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: '80'"), "*; []; [any/!]", AT ".port: \"80\" is not a port name" },
		{ PORT("port: ''"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: HTTP"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: -http"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: http-"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: a--b"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: sixteen-bytes-xx"), "*; []; [any/!]", AT ".port" },
		{ PORT("port: fifteen-bytes-x"), "*; []; [any/tcp/fifteen-bytes-x]", NULL },
		{ PORT("port: 90, endPort: 80"), "*; []; [any/!]", AT ".endPort: 80 is less than port 90" },
		{ PORT("port: 80, endPort: 65536"), "*; []; [any/!]", AT ".endPort: must be" },
		{ PORT("port: 80, endPort: '90'"), "*; []; [any/!]", AT ".endPort: must be" },
		{ PORT("port: http, endPort: 90"), "*; []; [any/!]", AT ".endPort: needs a numeric port" },
		{ PORT("endPort: 90"), "*; []; [any/!]", AT ".endPort: needs a numeric port" },
		{ PORT("port: 80, protocol: tcp"), "*; []; [any/!]",
		  AT ".protocol: must be TCP, UDP or SCTP" },
		{ PORT("port: 80, protocol: ICMP"), "*; []; [any/!]", AT ".protocol" },
		{ PORT("port: 80, protocol: 6"), "*; []; [any/!]", AT ".protocol: must be a string" },
		{ PORT("protocol: ''"), "*; []; [any/!]", AT ".protocol" },
	};
#undef PORT
#undef AT

	(void)state;
	CHECK_ROWS(rows);
}

static void names_come_from_metadata(void **state)
{
	struct netpol *netpol = decode_yaml("{metadata: {name: p, namespace: shop, uid: u-1}}");

	(void)state;
	assert_string_equal(netpol->namespace, "shop");
	assert_string_equal(netpol->name, "p");
	assert_string_equal(netpol->uid, "u-1");
	netpol_free(netpol);
	netpol = decode_yaml("{metadata: {name: Odd_Name, namespace: }}");
	assert_string_equal(netpol->namespace, "default");
	assert_string_equal(netpol->uid, "");
	assert_int_equal(netpol->n_problems, 1);
	assert_true(netpol->isolates[BH_INGRESS]);
	netpol_free(netpol);
}

static void an_object_without_a_name_is_refused(void **state)
{
	static const char *const nameless[] = {
		"[]",
		"text",
		"{spec: {}}",
		"{metadata: }",
		"{metadata: []}",
		"{metadata: {}}",
		"{metadata: {name: ''}}",
		"{metadata: {name: 5}}",
		"{metadata: {name: a/b}}",
		"{metadata: {name: a, namespace: x/y}}",
		"{metadata: {name: a, namespace: 1}}",
		"{metadata: {generateName: a-}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(nameless) / sizeof(*nameless); i++) {
		struct yaml_docs docs = { 0 };
		struct netpol *netpol = NULL;

		assert_int_equal(yaml_parse("row", nameless[i], strlen(nameless[i]), &docs, NULL), 0);
		if (decode_netpol(docs.v[0].json, "default", &netpol, NULL) != -EINVAL)
			fail_msg("accepted: %s", nameless[i]);
		assert_null(netpol);
		yaml_docs_done(&docs);
	}
}

static void audit_needs_the_word_true(void **state)
{
	static const struct {
		const char *value;
		bool audit;
		size_t problems;
	} rows[] = {
		{ "'true'", true, 0 }, { "'false'", false, 0 }, { "true", false, 1 },
		{ "'yes'", false, 1 }, { "'TRUE'", false, 1 },	{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_text struct text yaml = { 0 };
		struct netpol *netpol;

		text_addf(&yaml, "{metadata: {name: p, annotations: {bulkhead.dev/audit: %s}}}",
			  rows[i].value);
		netpol = decode_yaml(yaml.data);
		assert_int_equal(netpol->audit, rows[i].audit);
		assert_int_equal(netpol->n_problems, rows[i].problems);
		netpol_free(netpol);
	}
}

/* n copies of `item` in an ingress list or in one rule's from list. */
static struct netpol *many(const char *before, const char *item, size_t n, const char *after)
{
	auto_text struct text yaml = { 0 };

	text_addf(&yaml, "{metadata: {name: p}, spec: {ingress: %s", before);
	for (size_t i = 0; i < n; i++)
		text_addf(&yaml, "%s%s", i ? "," : "", item);
	text_addf(&yaml, "%s}}", after);
	return decode_yaml(yaml.data);
}

static void too_much_allows_nothing(void **state)
{
	struct netpol *netpol = many("[", "{}", 5000, "]");

	(void)state;
	assert_true(netpol->isolates[BH_INGRESS]);
	assert_int_equal(netpol->n_rules[BH_INGRESS], 0);
	assert_non_null(strstr(netpol->problems[0], "spec.ingress: has 5000 items, at most"));
	netpol_free(netpol);
	netpol = many("[{ports: [", "{port: 80}", 5000, "]}, {}]");
	assert_true(netpol->rules[BH_INGRESS][0].invalid);
	assert_false(netpol->rules[BH_INGRESS][1].invalid);
	netpol_free(netpol);
}

static void problems_are_bounded(void **state)
{
	struct netpol *netpol = many("[", "{x: 1}", 1000, "]");

	(void)state;
	assert_int_equal(netpol->n_rules[BH_INGRESS], 1000);
	assert_true(netpol->rules[BH_INGRESS][999].invalid);
	assert_in_range(netpol->n_problems, 2, 100);
	assert_string_equal(netpol->problems[netpol->n_problems - 1], "more problems are not listed");
	netpol_free(netpol);
}

static void a_selector_alone_says_what_is_wrong(void **state)
{
	auto_json cJSON *json = cJSON_Parse("{\"matchLabels\":{\"a\":\"b\"}}");
	auto_json cJSON *bad = cJSON_Parse("{\"matchLabels\":{\"a\":null}}");
	struct selector selector;
	struct err err;

	(void)state;
	assert_int_equal(decode_selector(NULL, "dns", &selector, &err), 0);
	assert_false(selector.has);
	assert_int_equal(decode_selector(json, "dns", &selector, &err), 0);
	assert_true(selector.has && !selector.invalid && selector.n == 1);
	selector_done(&selector);
	assert_int_equal(decode_selector(bad, "dns", &selector, &err), -EINVAL);
	assert_true(selector.has && selector.invalid && selector.n == 0);
	assert_string_equal(err.msg, "dns.matchLabels.a: must be a string; quote it");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_null_and_empty_differ_at_every_level),
		cmocka_unit_test(policy_types_decide_the_directions),
		cmocka_unit_test(unknown_fields_and_wrong_types_allow_nothing),
		cmocka_unit_test(a_broken_part_leaves_its_neighbours),
		cmocka_unit_test(a_broken_subject_isolates_the_whole_namespace),
		cmocka_unit_test(selector_requirements_are_checked),
		cmocka_unit_test(blocks_are_canonical_and_excepts_lie_inside),
		cmocka_unit_test(ports_are_numbers_names_or_ranges),
		cmocka_unit_test(names_come_from_metadata),
		cmocka_unit_test(an_object_without_a_name_is_refused),
		cmocka_unit_test(audit_needs_the_word_true),
		cmocka_unit_test(too_much_allows_nothing),
		cmocka_unit_test(problems_are_bounded),
		cmocka_unit_test(a_selector_alone_says_what_is_wrong),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
