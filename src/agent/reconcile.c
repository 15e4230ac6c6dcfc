// SPDX-License-Identifier: Apache-2.0
/* What stands on disk and in the kernel, against what the daemon believes. The
 * kernel is right about what exists, nobody is trusted to open. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/stamp.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "dataplane/hook.h"

/* An attachment younger than this may still be without its file. */
#define STATE_GRACE_MS 10000
/* An ADD is over by then, one way or the other. */
#define CLAIM_GRACE_MS 30000

static void bad_file(const char *path, const struct err *err)
{
	log_warn("state file %s: %s; its endpoint is closed when the objects are known", path, err->msg);
}

static void state_folder(const struct agent *agent, char *out, size_t size)
{
	snprintf(out, size, "%s/attachments", agent->config->run_dir);
}

static bool row_agrees(const struct agent *agent, const struct attachment *attachment, struct err *err)
{
	struct bh_endpoint row;

	if (maps_endpoint_get(agent->maps, attachment->endpoint.slot, &row, err) < 0)
		return false;
	return attachment_agrees(attachment, &row, err);
}

/* The attachments of before the restart, as far as the kernel confirms them. */
int reconcile_start(struct agent *agent, struct err *err)
{
	struct attachments *set = &agent->attachments;
	char folder[4096];
	int r;

	state_folder(agent, folder, sizeof(folder));
	r = attachments_load(folder, set, bad_file, err);
	for (size_t i = 0; r >= 0 && i < set->n;) {
		struct attachment *attachment = set->v[i];
		struct err why = { 0 };

		attachment->since_ms = stamp_now_ms();
		if (row_agrees(agent, attachment, &why)) {
			i++;
			continue;
		}
		log_warn("state of pod=%s/%s container=%s is out of date: %s; ignoring it",
			 attachment->endpoint.namespace, attachment->endpoint.pod, attachment->container_id,
			 why.msg);
		attachment_free(attachments_take(set, attachment->container_id, attachment->ifname));
	}
	return r < 0 ? r : 0;
}

/* Forgets attachments whose row was released behind our back: a DEL that could
 * not reach the daemon. */
void reconcile_attachments(struct agent *agent)
{
	struct attachments *set = &agent->attachments;

	for (size_t i = 0; i < set->n;) {
		struct attachment *attachment = set->v[i];

		if (row_agrees(agent, attachment, NULL))
			i++;
		else
			agent_detach(agent, attachment->container_id, attachment->ifname);
	}
}

static void orphan_close(struct agent *agent, uint32_t slot, const struct bh_endpoint *row)
{
	struct err err = { 0 };

	if (!(row->flags & BH_EP_OPEN))
		return;
	log_error("endpoint slot=%u ifindex=%u is open but no state file describes it; closing it", slot,
		  row->ifindex);
	if (enforce_close(&agent->enforce, slot, row, &err) < 0)
		health_bad(&agent->health, HEALTH_STATE, "closing slot %u: %s", slot, err.msg);
}

/* Open rows that nobody registered would keep their old policy for ever. */
void reconcile_orphans(struct agent *agent)
{
	struct bh_endpoint row;

	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++)
		if (maps_endpoint_get(agent->maps, slot, &row, NULL) == 0 &&
		    !attachments_find_ifindex(&agent->attachments, row.ifindex))
			orphan_close(agent, slot, &row);
}

static bool link_gone(struct agent *agent, uint32_t ifindex)
{
	struct link_info info;

	return link_find_index(agent->node.ns, ifindex, &info, NULL) == -ENODEV;
}

/* Rows of interfaces that no longer exist (THREATS F7): a plugin was killed
 * between its claim and its answer, or a DEL never came. */
static void release_vanished(struct agent *agent, uint32_t ifindex)
{
	const struct attachment *attachment = attachments_find_ifindex(&agent->attachments, ifindex);
	struct err err = { 0 };

	log_info("interface %u is gone; releasing its endpoint", ifindex);
	if (hook_detach(agent->config->pin_root, ifindex, &err) < 0)
		log_warn("hooks of interface %u: %s", ifindex, err.msg);
	if (attachment)
		agent_detach(agent, attachment->container_id, attachment->ifname);
	else if (maps_endpoint_release(agent->maps, ifindex, &err) < 0)
		log_warn("endpoint of interface %u: %s", ifindex, err.msg);
}

static void sweep_links(struct agent *agent)
{
	struct bh_endpoint row;

	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++)
		if (maps_endpoint_get(agent->maps, slot, &row, NULL) == 0 && link_gone(agent, row.ifindex))
			release_vanished(agent, row.ifindex);
}

/* Only what the plugin made: a veth with its name and its mark. */
bool reconcile_link_is_ours(const struct link_info *link)
{
	return strcmp(link->kind, "veth") == 0 && strncmp(link->name, "bh", 2) == 0 &&
	       strspn(link->name + 2, "0123456789abcdef") == strlen(link->name + 2) &&
	       strncmp(link->alias, "bulkhead ", 9) == 0;
}

/* An interface of the plugin that is no attachment: an ADD is under way, or was
 * killed. A revision says that the endpoint was open once, before we lost its
 * state: then a runtime knows the pod and will say when it ends. */
static bool link_is_unclaimed(const struct agent *agent, const struct link_info *link)
{
	struct bh_endpoint row;
	uint32_t slot;

	if (!reconcile_link_is_ours(link) || attachments_find_ifindex(&agent->attachments, link->ifindex))
		return false;
	if (maps_endpoint_find(agent->maps, link->ifindex, &slot, NULL) < 0)
		return true;
	return maps_endpoint_get(agent->maps, slot, &row, NULL) == 0 && row.revision == 0;
}

/* The interface goes before its programs, so that it never passes without them. */
static void link_remove(struct agent *agent, const struct link_info *link)
{
	struct err err = { 0 };

	log_warn("interface %s (%u) was left by an unfinished ADD; removing it", link->name, link->ifindex);
	if (link_delete(agent->node.ns, link->ifindex, &err) < 0 ||
	    maps_endpoint_release(agent->maps, link->ifindex, &err) < 0 ||
	    hook_detach(agent->config->pin_root, link->ifindex, &err) < 0)
		log_warn("interface %s (%u): %s; trying again", link->name, link->ifindex, err.msg);
}

static void sweep_unclaimed(struct agent *agent)
{
	auto_free struct link_info *links = NULL;
	int64_t now = stamp_now_ms();
	struct err err = { 0 };
	size_t n = 0;

	if (link_list(agent->node.ns, &links, &n, &err) < 0) {
		log_warn("interfaces: %s; leftovers stay for now", err.msg);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		__typeof__(&agent->unclaimed[0]) seen =
			&agent->unclaimed[links[i].ifindex % BH_ENDPOINTS_MAX];

		if (!link_is_unclaimed(agent, &links[i]))
			continue;
		if (seen->ifindex != links[i].ifindex) {
			seen->ifindex = links[i].ifindex;
			seen->since_ms = now;
		} else if (now - seen->since_ms > CLAIM_GRACE_MS) {
			link_remove(agent, &links[i]);
		}
	}
}

/* A file that is gone means a DEL whose word did not reach us. */
static void sweep_files(struct agent *agent)
{
	cleanup(attachments_done) struct attachments files = { 0 };
	struct attachments *set = &agent->attachments;
	int64_t young = stamp_now_ms() - STATE_GRACE_MS;
	struct err err = { 0 };
	char folder[4096];
	int r;

	state_folder(agent, folder, sizeof(folder));
	r = attachments_load(folder, &files, NULL, &err);
	if (r < 0)
		log_warn("state files: %s; keeping every attachment", err.msg);
	if (r != 0)
		return; /* a broken file is not a missing one, and we cannot say whose it is */
	for (size_t i = 0; i < set->n;) {
		struct attachment *attachment = set->v[i];

		if (attachment->since_ms > young ||
		    attachments_find(&files, attachment->container_id, attachment->ifname)) {
			i++;
			continue;
		}
		log_info("state file of pod=%s/%s is gone; releasing its endpoint",
			 attachment->endpoint.namespace, attachment->endpoint.pod);
		agent_detach(agent, attachment->container_id, attachment->ifname);
	}
}

/* Links that were made while their pod left. */
static void sweep_pins(struct agent *agent)
{
	struct err err = { 0 };

	if (hook_sweep(agent->config->pin_root, agent->maps, &err) < 0)
		log_warn("pinned hooks: %s; trying again", err.msg);
}

void reconcile_sweep(struct agent *agent)
{
	sweep_links(agent);
	sweep_pins(agent);
	sweep_unclaimed(agent);
	sweep_files(agent);
	if (agent->enforce.synced)
		reconcile_orphans(agent);
}

void reconcile_grace(struct agent *agent)
{
	int64_t end = stamp_now_ms() - (int64_t)agent->config->grace_s * 1000;

	for (size_t i = 0; i < agent->attachments.n; i++) {
		struct attachment *attachment = agent->attachments.v[i];
		const struct endpoint *endpoint = &attachment->endpoint;
		struct err err = { 0 };

		if (attachment->grace_over || attachment->since_ms > end)
			continue;
		if (maps_endpoint_grace_end(agent->maps, endpoint->slot, endpoint->ifindex, &err) < 0)
			log_debug("grace of pod=%s/%s: %s", endpoint->namespace, endpoint->pod, err.msg);
		attachment->grace_over = true;
	}
}
