// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/report.h"
#include "report/report_part.h"
#include "report/service_of.h"

static const char *const outcome_words[] = {
	[EXPLAIN_ALLOW] = "allowed",
	[EXPLAIN_DENY] = "denied",
	[EXPLAIN_AUDIT] = "allowed, reported by audit",
	[EXPLAIN_UNKNOWN] = "undecided, it depends on an address that is not known",
};

/* "shop/web -> shop/db TCP/5432: denied", then a line per side. */
static char *answer_sentence(const struct world *world, const struct explain_query *query,
			     const struct explanation *explanation, const char *from, const char *to)
{
	auto_free char *sides = explanation_sentence(world, query, explanation);
	struct text text = { 0 };
	char buf[PROTO_TEXT_MAX];

	if (!sides)
		return NULL;
	text_add_escaped(&text, from);
	text_addf(&text, " -> ");
	text_add_escaped(&text, to);
	text_addf(&text, " %s", proto_text(query->proto, buf));
	if (proto_has_ports(query->proto))
		text_addf(&text, "/%u", query->port);
	text_addf(&text, ": %s\n%s", outcome_words[explanation->verdict], sides);
	for (int direction = 0; direction < 2; direction++)
		side_hint_add(&text, "\n", world, query, explanation, (enum bh_direction)direction);
	return text_take(&text);
}

static bool put_addr(cJSON *object, const char *key, const struct explain_end *end)
{
	char addr[ADDR_TEXT_MAX];

	if (!end->has_addr)
		return true;
	addr_format(&end->addr, addr);
	return put_text(object, key, addr);
}

static bool answer_fill(cJSON *answer, const struct world *world, const struct explain_query *query,
			const struct explanation *explanation)
{
	auto_free char *from = end_text(&query->from), *to = end_text(&query->to), *sentence = NULL;
	char buf[PROTO_TEXT_MAX];

	if (!from || !to)
		return false;
	sentence = answer_sentence(world, query, explanation, from, to);
	return put_text(answer, "from", from) && put_text(answer, "to", to) &&
	       put_addr(answer, "fromAddress", &query->from) && put_addr(answer, "toAddress", &query->to) &&
	       put_number(answer, "port", query->port) &&
	       put_text(answer, "protocol", proto_text(query->proto, buf)) &&
	       put_explanation(answer, explanation) && put_text(answer, "sentence", sentence);
}

int report_explain(const struct world *world, const struct explain_query *query, cJSON **ret, struct err *err)
{
	auto_json cJSON *answer = cJSON_CreateObject();
	struct explain_query asked = *query;
	struct explanation explanation = { 0 };
	const struct service_port *port;
	const struct service *service;
	bool ok;
	int r;

	service = query->to.has_addr && !query->to.pod
			  ? service_of(world, &query->to.addr, query->proto, query->port, &port)
			  : NULL;
	if (service)
		return explain_service(world, query, service, port, ret, err);
	ends_match_family(&asked.from, &asked.to);
	r = explain(world, &asked, &explanation, err);
	if (r < 0)
		return r;
	ok = answer && answer_fill(answer, world, &asked, &explanation);
	explanation_done(&explanation);
	if (!ok)
		return err_set(err, ENOMEM, "the answer");
	*ret = TAKE(answer);
	return 0;
}
