// SPDX-License-Identifier: Apache-2.0
/* What the daemon reacts to: changed objects, changed addresses, packet events,
 * timers, signals. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/control.h"
#include "agent/stamp.h"
#include "base/log.h"

#define DEBOUNCE_MS    10
#define SWEEP_S	       10
#define RETRY_FIRST_MS 250
#define RETRY_LAST_MS  30000

/* "Now" is behind what is ready already, without asking the kernel in between. */
static void event_in_ms(struct event *event, int64_t ms)
{
	struct timeval after = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (ms > 0)
		event_add(event, &after);
	else
		event_active(event, EV_TIMEOUT, 0);
}

void agent_recompile_soon(struct agent *agent)
{
	event_in_ms(agent->on_recompile, 0);
}

static void recompile_failed(struct agent *agent, const struct err *err)
{
	agent->retry_ms = agent->retry_ms ? agent->retry_ms * 2 : RETRY_FIRST_MS;
	if (agent->retry_ms > RETRY_LAST_MS)
		agent->retry_ms = RETRY_LAST_MS;
	health_bad(&agent->health, HEALTH_ENFORCE, "%s; keeping the last good policy, retrying", err->msg);
	event_in_ms(agent->on_recompile, agent->retry_ms);
}

static void refusals_tell(struct agent *agent)
{
	struct err why = { 0 };
	size_t n = tables_refused(agent->enforce.tables, &why);
	struct tables_usage usage = { 0 };

	if (n)
		health_bad(&agent->health, HEALTH_ROOM, "%zu endpoint%s closed: %s", n,
			   n == 1 ? " is" : "s are", why.msg);
	else
		health_good(&agent->health, HEALTH_ROOM);
	tables_usage_get(agent->enforce.tables, &usage);
	if (usage.unfit)
		health_bad(&agent->health, HEALTH_PEERS,
			   "%s is full: %zu addresses of pods beyond its %d are matched by no selector",
			   BH_MAP_PEERS, usage.unfit, BH_PEERS_MAX);
	else
		health_good(&agent->health, HEALTH_PEERS);
}

static void recompile_done(struct agent *agent, bool changed)
{
	int64_t now_us = stamp_now_us();

	agent->retry_ms = 0;
	health_good(&agent->health, HEALTH_ENFORCE);
	refusals_tell(agent);
	if (changed) {
		metrics_update_took(&agent->metrics, agent->enforce.last_us);
		for (int kind = 0; kind < CHANGE_KINDS; kind++)
			if (agent->enforce.heard_us[kind])
				metrics_event_took(&agent->metrics, (enum change_kind)kind,
						   now_us - agent->enforce.heard_us[kind]);
		log_debug("committed revision=%u endpoints=%zu us=%lld", agent->enforce.revision,
			  agent->attachments.n, (long long)agent->enforce.last_us);
	}
	memset(agent->enforce.heard_us, 0, sizeof(agent->enforce.heard_us));
	if (revisions_commit(&agent->revisions, agent->enforce.revision) < 0)
		log_warn("revisions of policies are out of date: out of memory");
}

/* Until the objects have been read whole once, a broken file keeps the daemon from
 * syncing: what the kernel enforces from before stays, and no new pod opens
 * without a policy that stands in that file. Returns as manifests_read(). */
static int read_manifests(struct agent *agent)
{
	struct err err = { 0 };
	size_t broken;
	int r = manifests_read(agent->manifests, &err);

	if (r < 0) {
		health_bad(&agent->health, HEALTH_MANIFESTS, "%s; keeping the last good objects", err.msg);
		return r;
	}
	broken = manifests_broken(agent->manifests);
	if (broken)
		health_bad(&agent->health, HEALTH_MANIFESTS, "%zu manifest file%s cannot be read; %s", broken,
			   broken == 1 ? "" : "s",
			   agent->objects_known ? "keeping their last good objects"
						: "not synced until every file has been read once");
	else
		health_good(&agent->health, HEALTH_MANIFESTS);
	agent->objects_known = agent->objects_known || !broken;
	return r;
}

/* The objects are read here and nowhere else: what is read anew frees objects that the
 * store points at until it has been told, and nobody may ask between. As
 * manifests_read() and cluster_read(). */
static int source_read(struct agent *agent)
{
	int r = 0;

	if (agent->manifests && agent->read_due)
		r = read_manifests(agent);
	agent->read_due = false;
	if (agent->cluster && agent->objects_known)
		r = cluster_read(agent->cluster);
	/* What was read stays with the source; the store begins with all of it. */
	if (r == CLUSTER_FIRST || (agent->manifests && !agent->objects_known))
		agent->store.is_lost = true;
	return agent->manifests && r < 0 ? 0 : r;
}

static int world_enforce(struct agent *agent, bool was_read, struct err *err)
{
	struct source source = agent_source(agent);
	int r;

	if (!was_read)
		source.n = 0; /* they were taken in before */
	r = store_read(&agent->store, &source, &agent->attachments, err);
	if (r == 0)
		r = enforce_run(&agent->enforce, &agent->store, &agent->attachments, err);
	store_bury(&agent->store);
	return r;
}

static void synced_tell(const struct agent *agent)
{
	log_info("synced pods=%zu policies=%zu endpoints=%zu posture=%s", agent->store.world.n_pods,
		 agent->store.world.n_netpols, agent->attachments.n,
		 posture_name(agent->config->posture.posture));
}

static void on_recompile(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;
	struct err err = { 0 };
	bool first = !agent->enforce.synced;
	int64_t start_us = stamp_now_us();
	int r = source_read(agent);

	(void)fd, (void)what;
	if (!agent->objects_known)
		return;
	reconcile_attachments(agent);
	if (first)
		reconcile_orphans(agent);
	if (r >= 0)
		r = world_enforce(agent, r > 0, &err);
	agent->recompiled_us = stamp_now_us();
	agent->recompile_us = agent->recompiled_us - start_us;
	if (r < 0)
		recompile_failed(agent, &err);
	else
		recompile_done(agent, r == 0);
	if (first && agent->enforce.synced)
		synced_tell(agent);
	agent_services_turn(agent);
	agent_network_turn(agent);
	if (!agent->conflist_known)
		agent_conflist(agent);
	control_settle(agent->control);
}

static void on_fenced(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;
	struct err err = { 0 };
	int r = enforce_fenced(&agent->enforce, &err);

	(void)fd, (void)what;
	if (r < 0)
		recompile_failed(agent, &err);
	else if (r == 0)
		event_in_ms(agent->on_tidy, 1); /* what is more urgent first */
}

void agent_read_objects(struct agent *agent)
{
	agent->read_due = true;
	if (agent->cluster)
		agent->objects_known = agent->objects_known || cluster_synced(agent->cluster);
	agent_recompile_soon(agent);
}

/* How long to wait for the rest. Files are written in several steps; a policy that is
 * gone may be followed by the word that its namespace terminates (R24), and loosening
 * is not urgent. Else there is no wait, but a rest as long as the last work took: a
 * stream of changes is taken in bursts then and cannot eat the machine. */
static int64_t wait_ms(const struct agent *agent)
{
	int64_t rest_ms = (agent->recompile_us - (stamp_now_us() - agent->recompiled_us)) / 1000;

	if (!agent->cluster || cluster_loosens(agent->cluster))
		return rest_ms > DEBOUNCE_MS ? rest_ms : DEBOUNCE_MS;
	return rest_ms > 0 ? rest_ms : 0;
}

/* The wait starts with the first change, so that a stream of them cannot postpone it.
 * Before the loop there is nothing to wait for: it begins with a read. */
void agent_objects_changed(struct agent *agent)
{
	if (agent->on_reload && !event_pending(agent->on_reload, EV_TIMEOUT, NULL))
		event_in_ms(agent->on_reload, wait_ms(agent));
}

static void on_source(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;

	(void)fd, (void)what;
	if (agent->cluster)
		return agent_cluster_turn(agent);
	manifests_drain(agent->manifests);
	agent_objects_changed(agent);
}

static void on_reload(evutil_socket_t fd, short what, void *data)
{
	(void)fd, (void)what;
	agent_read_objects(data);
}

static void on_address(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;

	(void)fd, (void)what;
	node_addrs_drain(&agent->node);
	if (!event_pending(agent->on_node, EV_TIMEOUT, NULL))
		event_in_ms(agent->on_node, DEBOUNCE_MS);
}

static void on_node(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;
	struct err err = { 0 };

	(void)fd, (void)what;
	if (node_addrs_refresh(&agent->node, agent->maps, &err) < 0)
		health_bad(&agent->health, HEALTH_NODE, "%s; keeping the addresses known before", err.msg);
	else
		health_good(&agent->health, HEALTH_NODE);
}

static void on_event(const struct bh_event *event, void *data)
{
	struct agent *agent = data;
	struct report_node node = agent_report_node(agent);
	const struct attachment *attachment = attachments_find_ifindex(&agent->attachments, event->ifindex);
	auto_json cJSON *json = NULL;
	char *line;

	if (!drops_admit(&agent->drops, (int64_t)(event->time_ns / 1000000000))) {
		agent->metrics.unexplained++;
		return;
	}
	if (report_event(&agent->store.world, &node, event,
			 attachment ? store_pod(&agent->store, &attachment->endpoint) : NULL, &json,
			 NULL) < 0)
		return (void)agent->metrics.unexplained++;
	line = cJSON_PrintUnformatted(json);
	if (!line)
		return (void)agent->metrics.unexplained++;
	control_event(agent->control, line);
	drops_keep(&agent->drops, line);
}

static void on_events(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;
	int r = ring_consume(agent->ring);

	(void)fd, (void)what;
	if (r < 0)
		health_bad(&agent->health, HEALTH_EVENTS, "the event ring cannot be read: %s", strerror(-r));
	else
		health_good(&agent->health, HEALTH_EVENTS);
}

static void on_second(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;
	struct err err = { 0 };
	int r = maps_flows_sweep(agent->maps, &err);

	(void)fd, (void)what;
	if (r < 0)
		log_warn("sweep of flow records: %s", err.msg);
	else
		agent->metrics.flows = (uint64_t)r;
	reconcile_grace(agent);
	agent_hooks_turn(agent);
	agent_services_tidy(agent);
	agent_network_second(agent);
}

static void on_sweep(evutil_socket_t fd, short what, void *data)
{
	(void)fd, (void)what;
	reconcile_sweep(data);
	agent_conflist(data); /* removed by someone, or the network before ours has changed */
}

static void on_signal(evutil_socket_t signal, short what, void *data)
{
	struct agent *agent = data;

	(void)what;
	log_info("stopping signal=%d; enforcement stays as it is", (int)signal);
	event_base_loopbreak(agent->base);
}

struct event *agent_event(struct agent *agent, int fd, short what, event_callback_fn call,
			  const struct timeval *every)
{
	struct event *event = event_new(agent->base, fd, what, call, agent);

	if (event && (fd >= 0 || every) && event_add(event, every) < 0) {
		event_free(event);
		return NULL;
	}
	return event;
}

int agent_listen(struct agent *agent, struct err *err)
{
	const struct timeval second = { .tv_sec = 1 }, sweep = { .tv_sec = SWEEP_S };
	int source = agent->cluster ? cluster_fd(agent->cluster) : manifests_fd(agent->manifests, err);
	int r;

	if (source < 0)
		return source;
	r = ring_open(agent->maps, on_event, agent, &agent->ring, err);
	if (r < 0)
		return r;
	agent->on_recompile = agent_event(agent, -1, 0, on_recompile, NULL);
	agent->on_tidy = agent_event(agent, -1, 0, on_fenced, NULL);
	agent->on_fenced =
		agent_event(agent, agent->enforce.fencer.answer, EV_READ | EV_PERSIST, on_fenced, NULL);
	agent->on_reload = agent_event(agent, -1, 0, on_reload, NULL);
	agent->on_node = agent_event(agent, -1, 0, on_node, NULL);
	agent->on_source = agent_event(agent, source, EV_READ | EV_PERSIST, on_source, NULL);
	agent->on_address = agent_event(agent, agent->node.fd, EV_READ | EV_PERSIST, on_address, NULL);
	agent->on_events = agent_event(agent, ring_fd(agent->ring), EV_READ | EV_PERSIST, on_events, NULL);
	agent->on_second = agent_event(agent, -1, EV_PERSIST, on_second, &second);
	agent->on_sweep = agent_event(agent, -1, EV_PERSIST, on_sweep, &sweep);
	agent->on_term = agent_event(agent, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, NULL);
	agent->on_int = agent_event(agent, SIGINT, EV_SIGNAL | EV_PERSIST, on_signal, NULL);
	if (!agent->on_recompile || !agent->on_tidy || !agent->on_fenced || !agent->on_reload ||
	    !agent->on_node || !agent->on_source || !agent->on_address || !agent->on_events ||
	    !agent->on_second || !agent->on_sweep || !agent->on_term || !agent->on_int)
		return err_set(err, ENOMEM, "events of the loop: out of memory");
	if ((r = agent_services_listen(agent, err)) < 0 || (r = agent_hooks_listen(agent, err)) < 0)
		return r;
	return agent_network_listen(agent, err);
}
