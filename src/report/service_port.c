// SPDX-License-Identifier: Apache-2.0
#include "report/service_port.h"

#include <string.h>

#include "report/report_part.h"

bool service_leads_to(const struct service *service, const struct pod *pod)
{
	return pod_counts(pod) && service_selects(service, pod);
}

/* One port, by number or name. A wider range is hardly a Service's. */
static bool match_lists(const struct port_match *match, const char *name, uint8_t proto, uint16_t number)
{
	if (match->invalid || !match->has_port || match->proto != proto)
		return false;
	if (match->name)
		return *name && strcmp(match->name, name) == 0;
	return match->first == number && match->last == number;
}

/* By a container that declares it, or by any Service that leads there. */
static bool pod_uses(const struct world *world, const struct port_match *match, const struct pod *pod)
{
	for (size_t i = 0; i < pod->n_ports; i++)
		if (match_lists(match, pod->ports[i].name, pod->ports[i].proto, pod->ports[i].number))
			return true;
	for (size_t i = 0; !match->name && i < world->n_services; i++) {
		const struct service *service = world->services[i];

		for (size_t j = 0; service_leads_to(service, pod) && j < service->n_ports; j++)
			if (match_lists(match, "", service->ports[j].proto,
					service_port_in(&service->ports[j], pod)))
				return true;
	}
	return false;
}

/* A headless one translates nothing: its clients dial what the pods serve. */
bool service_lists(const struct service *service, const struct port_match *match)
{
	for (size_t i = 0; !service->headless && i < service->n_ports; i++)
		if (match_lists(match, service->ports[i].name, service->ports[i].proto,
				service->ports[i].port))
			return true;
	return false;
}

bool service_port_mistaken(const struct world *world, const struct service *service,
			   const struct port_match *match, const struct pod *pod, uint16_t *ret_target)
{
	if (!service_lists(service, match) || !service_leads_to(service, pod) || pod_uses(world, match, pod))
		return false;
	for (size_t i = 0; i < service->n_ports; i++) {
		const struct service_port *port = &service->ports[i];
		uint16_t target = service_port_in(port, pod);

		if (target && match_lists(match, port->name, port->proto, port->port)) {
			*ret_target = target;
			return true;
		}
	}
	return false;
}

void service_port_add(struct text *text, const struct service *service, const struct port_match *match,
		      uint16_t target)
{
	if (match->name) {
		text_addf(text, "port \"");
		text_add_escaped(text, match->name);
		text_addf(text, "\" is Service ");
	} else {
		text_addf(text, "port %u is Service ", match->first);
	}
	text_add_escaped(text, service->namespace);
	text_addf(text, "/");
	text_add_escaped(text, service->name);
	text_addf(text, "'s; its pods serve %u", target);
}
