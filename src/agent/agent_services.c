// SPDX-License-Identifier: Apache-2.0
/* Services into the kernel: those that changed, after a start or a failed write all. */
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
	agent->services_adopted = r == 0;
	return r < 0 ? err_set(err, ENOMEM, "Services: out of memory") : 0;
}

static int find(struct agent *agent, struct err *err)
{
	const struct world *world = agent->config->no_services ? NULL : &agent->store.world;

	if (services_reset(agent->services, world) < 0)
		return err_set(err, ENOMEM, "Services: out of memory");
	agent->services_lost = false;
	return 0;
}

static int apply(struct agent *agent, struct service_plan *plan, struct err *err)
{
	int r = maps_services_apply(agent->maps, plan->v, plan->n, err);

	service_plan_done(plan);
	agent->services_adopted = r == 0;
	return r;
}

static int plan(struct agent *agent, struct err *err)
{
	const struct service_view view = agent_service_view(agent);
	int more = 1, r = 0;

	while (more > 0 && r == 0) {
		struct service_plan part = { 0 };

		more = services_plan(agent->services, &view, &part);
		r = apply(agent, &part, err);
	}
	if (more < 0) {
		agent->services_adopted = false;
		return err_set(err, ENOMEM, "Services: out of memory");
	}
	return r;
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

void agent_services_tell(struct agent *agent, const struct change *change)
{
	if (agent->config->no_services)
		return;
	if (!change) {
		services_reset(agent->services, NULL); /* all is told anew */
		agent->services_lost = false;
		agent->services_due = true;
		return;
	}
	agent->services_touch |= change->kind == CHANGE_POD && !agent->cluster;
	agent->services_due |= change->kind == CHANGE_SERVICE || change->kind == CHANGE_SLICE;
	if (services_change(agent->services, change) < 0)
		agent->services_lost = true;
}

static void failed(struct agent *agent, const struct err *err)
{
	health_bad(&agent->health, HEALTH_SERVICES, "%s; keeping the backends known before, retrying",
		   err->msg);
	retry(agent);
}

void agent_services_turn(struct agent *agent)
{
	struct err err = { 0 };
	int r = 0;

	if (agent->services_adopted && !agent->services_lost && !agent->services_touch &&
	    !agent->services_due)
		return;
	if (agent->services_lost)
		r = find(agent, &err);
	if (r == 0 && !agent->services_adopted)
		r = adopt(agent, &err);
	if (r == 0 && agent->services_touch)
		services_touch(agent->services, agent->cluster);
	if (r == 0)
		r = plan(agent, &err);
	if (r < 0)
		return failed(agent, &err);
	agent->services_touch = agent->services_due = false;
	report(agent);
}

/* Sets that no front has any more, all of a second behind one fence. */
void agent_services_tidy(struct agent *agent)
{
	struct service_plan plan = { 0 };
	struct err err = { 0 };

	if (!agent->services_adopted)
		return;
	if (services_tidy(agent->services, &plan) < 0)
		agent->services_adopted = false;
	if (apply(agent, &plan, &err) < 0)
		failed(agent, &err);
}

static void on_services(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;

	(void)fd, (void)what;
	if (agent->enforce.synced)
		agent_services_turn(agent);
}

int agent_services_listen(struct agent *agent, struct err *err)
{
	agent->on_services = agent_event(agent, -1, 0, on_services, NULL);
	return agent->on_services ? 0 : err_set(err, ENOMEM, "events of the Services: out of memory");
}
