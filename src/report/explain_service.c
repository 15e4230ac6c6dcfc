// SPDX-License-Identifier: Apache-2.0
/* A connection to a Service's address: it goes to any of the backends, so each is asked
 * about, by address and port as policy will meet it (R25). */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/report.h"
#include "report/report_part.h"
#include "report/service_of.h"

struct asked {
	const struct world *world;
	const struct explain_query *query;
	const struct service *service;
	cJSON *answers;
	struct text sentences;		    /* of the backends, a line each side */
	size_t n, allowed, audited, denied; /* allowed: the audited ones too */
};

static int backend_ask(struct asked *asked, const struct bh_backend *backend, struct err *err)
{
	struct explain_query query = *asked->query;
	cJSON *answer = NULL;
	const char *verdict;
	int r;

	query.to = end_of_addr(asked->world, NULL, &backend->addr);
	query.port = ntohs(backend->port);
	r = report_explain(asked->world, &query, &answer, err);
	if (r < 0)
		return r;
	verdict = json_get(answer, "verdict")->valuestring;
	asked->n++;
	asked->allowed += strcmp(verdict, "allow") == 0 || strcmp(verdict, "audit") == 0;
	asked->audited += strcmp(verdict, "audit") == 0;
	asked->denied += strcmp(verdict, "deny") == 0;
	text_addf(&asked->sentences, "\n%s", json_get(answer, "sentence")->valuestring);
	if (cJSON_AddItemToArray(asked->answers, answer))
		return 0;
	cJSON_Delete(answer);
	return err_set(err, ENOMEM, "the answer");
}

static char *headline(const struct asked *asked)
{
	auto_free char *from = end_text(&asked->query->from);
	char addr[ADDR_TEXT_MAX], proto[PROTO_TEXT_MAX];
	struct text text = { 0 };

	if (!from)
		return NULL;
	addr_format(&asked->query->to.addr, addr);
	text_add_escaped(&text, from);
	text_addf(&text, " -> Service ");
	text_add_escaped(&text, asked->service->namespace);
	text_addf(&text, "/");
	text_add_escaped(&text, asked->service->name);
	text_addf(&text, " (%s) %s/%u: ", addr, proto_text(asked->query->proto, proto), asked->query->port);
	if (asked->n == 0)
		text_addf(&text, "refused, no endpoint serves it");
	else
		text_addf(&text, "%zu of %zu backend%s allowed", asked->allowed, asked->n,
			  asked->n == 1 ? "" : "s");
	if (asked->sentences.len)
		text_addf(&text, "%s", asked->sentences.data);
	return text_take(&text);
}

static bool answer_fill(cJSON *answer, const struct asked *asked)
{
	auto_free char *from = end_text(&asked->query->from), *sentence = headline(asked);
	char addr[ADDR_TEXT_MAX], proto[PROTO_TEXT_MAX];
	auto_text struct text name = { 0 };

	addr_format(&asked->query->to.addr, addr);
	text_addf(&name, "%s/%s", asked->service->namespace, asked->service->name);
	return !name.failed && !asked->sentences.failed && put_text(answer, "from", from) &&
	       put_text(answer, "to", name.data) && put_text(answer, "service", name.data) &&
	       put_text(answer, "toAddress", addr) && put_number(answer, "port", asked->query->port) &&
	       put_text(answer, "protocol", proto_text(asked->query->proto, proto)) &&
	       put_text(answer, "verdict",
			asked->denied == asked->n    ? "deny"
			: asked->audited == asked->n ? "audit"
			: asked->allowed == asked->n ? "allow"
						     : "unknown") &&
	       put_text(answer, "sentence", sentence);
}

int explain_service(const struct world *world, const struct explain_query *query,
		    const struct service *service, const struct service_port *port, cJSON **ret,
		    struct err *err)
{
	auto_json cJSON *answer = cJSON_CreateObject();
	struct asked asked = { world, query, service, answer ? put_array(answer, "backends") : NULL };
	struct backends backends;
	bool good;
	int r = asked.answers ? service_backends(world, service, port, !addr_is_v4(&query->to.addr),
						 query->from.pod, &backends)
			      : -ENOMEM;

	if (r < 0)
		return err_set(err, ENOMEM, "the answer");
	for (size_t i = 0; r == 0 && i < backends.n; i++)
		r = backend_ask(&asked, &backends.v[i], err);
	backends_done(&backends);
	good = r == 0 && answer_fill(answer, &asked);
	text_done(&asked.sentences);
	if (r < 0)
		return r;
	if (!good)
		return err_set(err, ENOMEM, "the answer");
	*ret = TAKE(answer);
	return 0;
}
