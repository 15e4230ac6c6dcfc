/* SPDX-License-Identifier: Apache-2.0 */
/*
 * R25: policies are about the ports of pods. Whoever writes down the port that
 * clients dial, a Service's, has written a rule that matches nothing.
 */
#ifndef REPORT_SERVICE_PORT_H
#define REPORT_SERVICE_PORT_H

#include "base/text.h"
#include "policy/model.h"

/* Does its selector pick a pod that policies speak of? */
bool service_leads_to(const struct service *service, const struct pod *pod);

/* Does `match` list one of its ports, and does it translate it at all? */
bool service_lists(const struct service *service, const struct port_match *match);

/* Does `match` list a port of `service` that `pod`, one of its backends, serves
 * under another number and does not use itself? Then *ret_target is that number. */
bool service_port_mistaken(const struct world *world, const struct service *service,
			   const struct port_match *match, const struct pod *pod, uint16_t *ret_target);

/* "port 80 is Service shop/api's; its pods serve 8080" */
void service_port_add(struct text *text, const struct service *service, const struct port_match *match,
		      uint16_t target);

#endif
