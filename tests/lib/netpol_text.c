// SPDX-License-Identifier: Apache-2.0
#include "lib/netpol_text.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"

static void put_selector(struct text *out, const struct selector *selector)
{
	static const char *const words[] = { "in", "notin", "exists", "absent" };

	if (selector->invalid)
		text_addf(out, "!");
	else if (selector->n == 0)
		text_addf(out, "*");
	for (size_t i = 0; i < selector->n; i++) {
		const struct requirement *q = &selector->v[i];

		text_addf(out, "%s%s %s", i ? "&" : "", q->key, words[q->op]);
		for (size_t j = 0; j < q->n_values; j++)
			text_addf(out, "%c%s", j ? '|' : ' ', q->values[j]);
	}
}

static void put_prefix(struct text *out, const char *before, const struct prefix *prefix)
{
	char text[ADDR_TEXT_MAX];

	prefix_format(prefix, text);
	text_addf(out, "%s%s", before, text);
}

static void put_peer(struct text *out, const struct peer *peer)
{
	if (peer->invalid) {
		text_addf(out, "!");
		return;
	}
	if (peer->namespaces.has) {
		text_addf(out, "ns{");
		put_selector(out, &peer->namespaces);
		text_addf(out, "}%s", peer->pods.has ? "+" : "");
	}
	if (peer->pods.has) {
		text_addf(out, "pods{");
		put_selector(out, &peer->pods);
		text_addf(out, "}");
	}
	if (peer->has_block)
		put_prefix(out, "", &peer->block);
	for (size_t i = 0; i < peer->n_excepts; i++)
		put_prefix(out, "-", &peer->excepts[i]);
}

static void put_port(struct text *out, const struct port_match *port)
{
	if (port->invalid) {
		text_addf(out, "!");
		return;
	}
	text_addf(out, "%s",
		  port->proto == IPPROTO_TCP   ? "tcp"
		  : port->proto == IPPROTO_UDP ? "udp"
					       : "sctp");
	if (port->name)
		text_addf(out, "/%s", port->name);
	else if (port->has_port)
		text_addf(out, port->first == port->last ? "/%u" : "/%u-%u", port->first, port->last);
}

static void put_rule(struct text *out, const struct rule *rule)
{
	if (rule->invalid) {
		text_addf(out, "!");
		return;
	}
	assert_int_equal(rule->has_peers, rule->n_peers > 0);
	assert_int_equal(rule->has_ports, rule->n_ports > 0);
	text_addf(out, rule->has_peers ? "" : "any");
	for (size_t i = 0; i < rule->n_peers; i++) {
		text_addf(out, i ? "," : "");
		put_peer(out, &rule->peers[i]);
	}
	text_addf(out, rule->has_ports ? "/" : "/any");
	for (size_t i = 0; i < rule->n_ports; i++) {
		text_addf(out, i ? "," : "");
		put_port(out, &rule->ports[i]);
	}
}

static void put_direction(struct text *out, const struct netpol *netpol, enum bh_direction direction)
{
	if (!netpol->isolates[direction]) {
		text_addf(out, "open");
		return;
	}
	text_addf(out, "[");
	for (size_t i = 0; i < netpol->n_rules[direction]; i++) {
		text_addf(out, i ? " " : "");
		put_rule(out, &netpol->rules[direction][i]);
	}
	text_addf(out, "]");
}

char *netpol_text(const struct netpol *netpol)
{
	auto_text struct text out = { 0 };

	assert_true(netpol->pods.has);
	put_selector(&out, &netpol->pods);
	text_addf(&out, "; ");
	put_direction(&out, netpol, BH_INGRESS);
	text_addf(&out, "; ");
	put_direction(&out, netpol, BH_EGRESS);
	return text_take(&out);
}
