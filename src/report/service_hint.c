// SPDX-License-Identifier: Apache-2.0
/* R25 in a denial: the nearest rule lists the port that the client dialled, and
 * the packet carries the one that the Service translated it to. */
#include <string.h>

#include "report/report_part.h"
#include "report/service_port.h"

static bool hint_add(struct text *text, const struct world *world, const struct explain_query *query,
		     const struct port_match *match)
{
	uint16_t target;

	if (match->proto != query->proto)
		return false;
	for (size_t i = 0; i < world->n_services; i++) {
		const struct service *service = world->services[i];

		if (!service_port_mistaken(world, service, match, query->to.pod, &target) ||
		    target != query->port)
			continue;
		text_addf(text, "hint: ");
		service_port_add(text, service, match, target);
		return true;
	}
	return false;
}

void side_hint_add(struct text *text, const char *before, const struct world *world,
		   const struct explain_query *query, const struct explanation *explanation,
		   enum bh_direction direction)
{
	const struct explain_side *side = &explanation->side[direction];
	auto_text struct text hint = { 0 };
	const struct rule *rule;

	if (!side->judged || !query->to.pod || !side->policy ||
	    (side->clause != CLAUSE_PORT && side->clause != CLAUSE_NAMED_PORT))
		return;
	rule = &side->policy->rules[direction][side->rule];
	for (size_t i = 0; i < rule->n_ports; i++)
		if (hint_add(&hint, world, query, &rule->ports[i]))
			break;
	text->failed |= hint.failed;
	if (hint.data)
		text_addf(text, "%s%s", before, hint.data);
}
