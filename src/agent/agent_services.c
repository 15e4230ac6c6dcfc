// SPDX-License-Identifier: Apache-2.0
/* Services into the kernel: after each reading of the objects the ones that changed,
 * after a start or a failed write all of them. */
#include <errno.h>

#include "agent/agent.h"
#include "base/log.h"

#define RETRY_MS 1000

static void retry(struct agent *agent)
{
	const struct timeval after = { .tv_sec = RETRY_MS / 1000 };

	event_add(agent->on_services, &after);
}

static bool addr_is_here(const struct bh_addr *addr, void *data)
{
	const struct agent *agent = data;

	for (size_t i = 0; i < agent->attachments.n; i++) {
		const struct endpoint *endpoint = &agent->attachments.v[i]->endpoint;

		for (size_t j = 0; j < endpoint->n_addrs; j++)
			if (addr_equal(&endpoint->addrs[j], addr))
				return true;
	}
	return node_addrs_has(&agent->node, addr);
}

/* An API server's objects have a controller that writes slices; a folder has none. */
struct service_view agent_service_view(const struct agent *agent)
{
	struct service_view view = {
		.node = agent->config->node_name ? agent->config->node_name : "",
		.is_local = addr_is_here,
		.data = (void *)(uintptr_t)agent,
	};

	if (!agent->cluster) {
		view.pods = (const struct pod *const *)agent->store.world.pods;
		view.n_pods = agent->store.world.n_pods;
	}
	return view;
}

static int adopt(struct agent *agent, struct err *err)
{
	struct bh_service_snapshot snapshot = { 0 };
	int r = maps_services_snapshot(agent->maps, &snapshot, err);

	if (r < 0)
		return err_wrap(err, r, "reading the kernel's Services");
	r = services_adopt(agent->services, &snapshot);
	maps_services_snapshot_done(&snapshot);
	return r < 0 ? err_set(err, ENOMEM, "Services: out of memory") : 0;
}

static int reset(struct agent *agent, struct err *err)
{
	const struct world *world = agent->config->no_services ? NULL : &agent->store.world;
	int r = adopt(agent, err);

	if (r < 0)
		return r;
	if (services_reset(agent->services, world) < 0)
		return err_set(err, ENOMEM, "Services: out of memory");
	agent->services_known = true;
	return 0;
}

static int apply(struct agent *agent, struct err *err)
{
	const struct service_view view = agent_service_view(agent);
	int more = 1, r = 0;

	while (more > 0 && r == 0) {
		struct service_plan plan = { 0 };

		more = services_plan(agent->services, &view, &plan);
		r = more < 0 ? err_set(err, ENOMEM, "Services: out of memory")
			     : maps_services_apply(agent->maps, plan.v, plan.n, err);
		service_plan_done(&plan);
	}
	agent->services_known = r == 0;
	return r;
}

void agent_services_tell(struct agent *agent, const struct change *change)
{
	if (!change || (agent->services_known && services_change(agent->services, change) < 0))
		agent->services_known = false;
	agent->services_touch |= change && change->kind == CHANGE_POD && !agent->cluster;
}

static void report(struct agent *agent)
{
	struct services_counts counts = services_counts(agent->services);

	if (counts.refused)
		health_bad(&agent->health, HEALTH_SERVICES,
			   "%zu Services are not translated as they say: see bulkheadctl services",
			   counts.refused);
	else
		health_good(&agent->health, HEALTH_SERVICES);
}

void agent_services_turn(struct agent *agent)
{
	struct err err = { 0 };
	int r = 0;

	if (agent->services_known && agent->config->no_services)
		return;
	if (!agent->services_known)
		r = reset(agent, &err);
	else if (agent->services_touch)
		services_touch(agent->services, agent->cluster);
	agent->services_touch = false;
	if (r == 0)
		r = apply(agent, &err);
	if (r == 0)
		return report(agent);
	agent->services_known = false;
	health_bad(&agent->health, HEALTH_SERVICES, "%s; keeping the backends known before, retrying",
		   err.msg);
	retry(agent);
}

static void on_services(evutil_socket_t fd, short what, void *data)
{
	(void)fd, (void)what;
	agent_services_turn(data);
}

int agent_services_listen(struct agent *agent, struct err *err)
{
	agent->on_services = agent_event(agent, -1, 0, on_services, NULL);
	return agent->on_services ? 0 : err_set(err, ENOMEM, "events of the Services: out of memory");
}
