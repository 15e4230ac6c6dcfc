// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/control.h"
#include "agent/exporter.h"
#include "agent/loading.h"
#include "agent/stamp.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "dataplane/hook.h"
#include "dataplane/loader.h"

DEFINE_AUTO(struct agent, agent_free)

static void report_manifest(enum manifest_news news, const char *message, void *data)
{
	(void)data;
	if (news == MANIFEST_BROKEN)
		log_error("manifest %s; keeping the last good objects of that file", message);
	else if (news == MANIFEST_PROBLEM)
		log_error("manifest %s", message);
	else
		log_info("manifest %s", message);
}

static const struct pod *pod_in_cluster(const void *data, const char *namespace, const char *name)
{
	return cluster_pod_for(data, namespace, name);
}

static void all_of_cluster(const void *data, void (*each)(const struct change *change, void *each_data),
			   void *each_data)
{
	cluster_each(data, each, each_data);
}

static const struct pod *pod_for(const void *data, const char *namespace, const char *name)
{
	return manifests_pod_for(data, namespace, name);
}

static void all_of_manifests(const void *data, void (*each)(const struct change *change, void *each_data),
			     void *each_data)
{
	manifests_each(data, each, each_data);
}

struct source agent_source(const struct agent *agent)
{
	struct source source = { .data = agent->manifests, .whole = all_of_manifests, .pod_for = pod_for };

	if (!agent->cluster) {
		source.changes = manifests_changes(agent->manifests, &source.n);
		return source;
	}
	source =
		(struct source){ .data = agent->cluster, .whole = all_of_cluster, .pod_for = pod_in_cluster };
	source.changes = cluster_changes(agent->cluster, &source.n);
	return source;
}

struct report_node agent_report_node(const struct agent *agent)
{
	return (struct report_node){ agent->node.addrs, agent->node.n_addrs };
}

static int kernel_start(struct agent *agent, struct err *err)
{
	const struct config *config = agent->config;
	int r;

	if ((r = maps_open(config->pin_root, &agent->maps, err)) < 0 ||
	    (r = enforce_init(&agent->enforce, agent->maps, err)) < 0 ||
	    (r = network_init(&agent->network, config, err)) < 0 ||
	    (r = node_addrs_init(&agent->node, err)) < 0 ||
	    (r = node_addrs_refresh(&agent->node, agent->maps, err)) < 0)
		return r;
	return reconcile_start(agent, err);
}

/* A memory that cannot be read closes pods and no door: the daemon goes on. */
static int memory_load(struct agent *agent, struct err *err)
{
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/kept-policies.json", agent->config->run_dir);
	r = keeper_load(&agent->store.kept, path, err);
	if (r == -EBADMSG)
		log_error("%s; policies of namespaces that terminate are not known", err->msg);
	return r == -EBADMSG ? 0 : r;
}

static int source_open(struct agent *agent, struct err *err)
{
	const struct config *config = agent->config;

	if (config->source == SOURCE_KUBERNETES)
		return agent_cluster_open(agent, err);
	return manifests_new(config->manifests, "default", report_manifest, agent, &agent->manifests, err);
}

/* Objects that come in while the programs are loaded wait at the source. */
static void objects_hear(struct agent *agent, int until_fd)
{
	struct pollfd fds[] = { { .fd = until_fd, .events = POLLIN },
				{ .fd = agent->cluster ? cluster_fd(agent->cluster) : -1,
				  .events = POLLIN } };

	do {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			agent_cluster_turn(agent);
	} while (!fds[0].revents);
}

static int load_and_hear(struct agent *agent, struct err *err)
{
	struct err source_err = { 0 };
	struct loading loading;
	int r = loading_start(&loading, agent->config, err), source;

	if (r < 0)
		return r;
	source = source_open(agent, &source_err);
	if (source == 0)
		objects_hear(agent, loading.fd);
	r = loading_end(&loading, err);
	if (r == 0 && source < 0)
		*err = source_err;
	return r < 0 ? r : source;
}

static void on_world_change(const struct change *change, void *data)
{
	struct agent *agent = data;

	enforce_tell(change, &agent->enforce);
	revisions_tell(&agent->revisions, change, time(NULL));
	agent_services_tell(agent, change);
	agent_network_tell(agent, change);
}

int agent_new(const struct config *config, struct agent **ret_agent, struct err *err)
{
	cleanup(agent_free_auto) struct agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return err_set(err, ENOMEM, "out of memory");
	agent->config = config;
	agent->move.worker = (struct worker)WORKER_NONE;
	agent->node.fd = agent->network.link_fd = agent->network.nft_fd = -1;
	agent->started_ms = stamp_now_ms();
	revisions_init(&agent->revisions);
	store_init(&agent->store, on_world_change, agent);
	agent->store.world.posture = config->posture;
	agent->services = services_new();
	agent->base = event_base_new();
	if (!agent->base || !agent->services)
		return err_set(err, ENOMEM, "event loop");
	if ((r = load_and_hear(agent, err)) < 0 || (r = kernel_start(agent, err)) < 0 ||
	    (r = memory_load(agent, err)) < 0 || (r = control_open(agent, &agent->control, err)) < 0 ||
	    (r = exporter_open(agent, &agent->exporter, err)) < 0 || (r = agent_listen(agent, err)) < 0)
		return r;
	*ret_agent = TAKE(agent);
	return 0;
}

int agent_run(struct agent *agent, struct err *err)
{
	agent_read_objects(agent);
	if (event_base_dispatch(agent->base) < 0)
		return err_set(err, EIO, "event loop failed");
	return 0;
}

static void event_drop(struct event *event)
{
	if (event)
		event_free(event);
}

struct agent *agent_free(struct agent *agent)
{
	if (!agent)
		return NULL;
	control_free(agent->control);
	exporter_free(agent->exporter);
	event_drop(agent->on_recompile);
	event_drop(agent->on_tidy);
	event_drop(agent->on_fenced);
	event_drop(agent->on_source);
	event_drop(agent->on_reload);
	event_drop(agent->on_address);
	event_drop(agent->on_node);
	event_drop(agent->on_events);
	event_drop(agent->on_second);
	event_drop(agent->on_sweep);
	event_drop(agent->on_term);
	event_drop(agent->on_int);
	event_drop(agent->on_links);
	event_drop(agent->on_nft);
	event_drop(agent->on_network);
	event_drop(agent->on_services);
	event_drop(agent->on_moved);
	event_drop(agent->on_rested);
	worker_stop(&agent->move.worker);
	ring_free(agent->ring);
	agent->store.tell = NULL;
	store_done(&agent->store);
	enforce_done(&agent->enforce);
	revisions_done(&agent->revisions);
	attachments_done(&agent->attachments);
	node_addrs_done(&agent->node);
	network_done(&agent->network);
	services_free(agent->services);
	drops_done(&agent->drops);
	manifests_free(agent->manifests);
	cluster_free(agent->cluster);
	maps_free(agent->maps);
	if (agent->base)
		event_base_free(agent->base);
	free(agent);
	return NULL;
}

bool agent_ready(const struct agent *agent, const char **why)
{
	if (!agent->objects_known && agent->cluster)
		*why = "not synced: the API server's objects are not known whole yet";
	else if (!agent->objects_known)
		*why = "not synced: the manifests have not been read whole yet";
	else if (!agent->enforce.synced)
		*why = "not synced: the first compile is not in the kernel yet";
	else if (agent->config->network.mode != NETWORK_NONE && !agent->network.is_up)
		*why = "not synced: the network between nodes is not set up yet";
	else if (agent->health.part[HEALTH_ENFORCE].bad)
		*why = "the last change could not be brought into the kernel";
	else
		return true;
	return false;
}

bool agent_is_open(const struct agent *agent, const struct attachment *attachment)
{
	const struct endpoint *endpoint = &attachment->endpoint;
	struct bh_endpoint row;

	return maps_endpoint_get(agent->maps, endpoint->slot, &row, NULL) == 0 &&
	       row.ifindex == endpoint->ifindex && (row.flags & BH_EP_OPEN);
}

int agent_attach(struct agent *agent, struct attachment *attachment, struct err *err)
{
	struct attachment *old =
		attachments_find(&agent->attachments, attachment->container_id, attachment->ifname);
	int r;

	if (old && old->endpoint.ifindex != attachment->endpoint.ifindex)
		agent_detach(agent, attachment->container_id, attachment->ifname);
	agent_hooks_touch(agent);
	attachment->since_ms = stamp_now_ms();
	r = attachments_put(&agent->attachments, attachment, err);
	if (r == 0)
		agent_recompile_soon(agent);
	agent->services_touch = true;
	return r;
}

void agent_detach(struct agent *agent, const char *container_id, const char *ifname)
{
	auto_attachment struct attachment *attachment =
		attachments_take(&agent->attachments, container_id, ifname);
	const struct endpoint *endpoint;
	struct err err = { 0 };

	agent_hooks_touch(agent);
	if (!attachment)
		return;
	endpoint = &attachment->endpoint;
	if (metrics_read_slot(&agent->metrics, agent->maps, endpoint->slot, endpoint->ifindex, &err) < 0)
		log_warn("detach pod=%s/%s: last counters are lost: %s", endpoint->namespace, endpoint->pod,
			 err.msg);
	metrics_release(&agent->metrics, endpoint->slot, endpoint->ifindex);
	if (maps_endpoint_release(agent->maps, endpoint->ifindex, &err) < 0)
		log_warn("detach pod=%s/%s: %s; the sweep tries again", endpoint->namespace, endpoint->pod,
			 err.msg);
	log_info("detached pod=%s/%s container=%s ifindex=%u", endpoint->namespace, endpoint->pod,
		 attachment->container_id, endpoint->ifindex);
	agent->services_touch = true;
	agent_recompile_soon(agent);
}
