// SPDX-License-Identifier: Apache-2.0
/*
 * ADD. The order keeps a pod without policy from having a path (R18, C1): its
 * row is claimed closed and the programs are attached before the host side comes
 * up, and that happens after the daemon has said that the pod's rows are in.
 * Whatever fails, everything done so far is undone in reverse.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cni/client.h"
#include "cni/command.h"
#include "cni/join.h"
#include "cni/lock.h"
#include "cni/netns.h"

static void join_done(struct join *join)
{
	result_done(&join->result);
	cJSON_Delete(join->ipam_answer);
	cJSON_Delete(join->answer);
	link_ns_free(join->host);
	link_ns_free(join->pod);
	maps_free(join->maps);
	if (join->netns >= 0)
		close(join->netns);
	if (join->lock >= 0)
		close(join->lock);
}
#define auto_join cleanup(join_done)

static struct ipam_request ipam_request_of(const struct join *join)
{
	return (struct ipam_request){ .conf = join->conf,
				      .path = join->env->path,
				      .container_id = join->env->container_id,
				      .ifname = join->env->ifname,
				      .netns = join->env->netns };
}

static void addrs_take(struct join *join)
{
	struct attachment *a = &join->attachment;

	for (a->n_addrs = 0; a->n_addrs < join->result.n_ips; a->n_addrs++)
		a->addrs[a->n_addrs] = join->result.ips[a->n_addrs].addr;
}

static int step_ipam(struct join *join, struct failure *failure)
{
	struct ipam_request request = ipam_request_of(join);

	if (ipam_add(&request, &join->ipam_answer, failure) < 0)
		return -1;
	if (result_parse(join->ipam_answer, -1, &join->result, failure) < 0)
		return -1;
	addrs_take(join);
	return 0;
}

static void undo_ipam(struct join *join)
{
	struct ipam_request request = ipam_request_of(join);
	struct failure failure = { 0 };

	if (ipam_del(&request, &failure) < 0)
		log_warn("address left allocated after a failed ADD, DEL will free it: container=%s "
			 "reason=\"%s\"",
			 request.container_id, failure.msg);
}

static int step_chain(struct join *join, struct failure *failure)
{
	if (chain_find(join, failure) < 0)
		return -1;
	addrs_take(join);
	return 0;
}

static int step_save(struct join *join, struct failure *failure)
{
	struct err err = { 0 };

	/* Undone also when this fails: a temporary file may be there. */
	join->saved = true;
	if (attachment_save(join->conf->run_dir, &join->attachment, &err) < 0)
		return failure_from(failure, CODE_IO, &err, "cannot keep the attachment's state");
	return 0;
}

static void undo_save(struct join *join)
{
	struct err err = { 0 };

	if (join->saved &&
	    attachment_forget(join->conf->run_dir, join->env->container_id, join->env->ifname, &err) < 0)
		log_warn("state left behind after a failed ADD, DEL will remove it: container=%s "
			 "reason=\"%s\"",
			 join->env->container_id, err.msg);
}

/* Undone also when this fails: a daemon that answers too late has taken it in. */
static int step_announce(struct join *join, struct failure *failure)
{
	join->announced = true;
	return client_announce(join->conf, &join->attachment, failure);
}

static void undo_announce(struct join *join)
{
	if (join->announced)
		client_forget(join->conf, join->env->container_id, join->env->ifname);
}

static int step_result(struct join *join, struct failure *failure)
{
	const struct attachment *a = &join->attachment;
	const struct result_interface interfaces[] = {
		{ .name = a->host_ifname, .mac = a->host_mac, .mtu = join->host_link.mtu },
		{ .name = a->ifname, .sandbox = a->netns, .mac = a->mac, .mtu = join->pod_link.mtu },
	};

	if (a->chained)
		join->answer = cJSON_Duplicate(join->conf->prev_result, true);
	else
		join->answer = result_build(join->conf, &join->result, join->ipam_answer, interfaces);
	return join->answer ? 0 : failure_set(failure, CODE_TRY_LATER, "result: out of memory");
}

struct step {
	int (*run)(struct join *join, struct failure *failure);
	void (*undo)(struct join *join); /* null: an earlier step's undo covers it */
};

static const struct step standalone[] = {
	{ step_ipam, undo_ipam },
	{ wire_create, wire_delete },
	{ endpoint_claim, endpoint_release },
	{ endpoint_hook, endpoint_unhook },
	{ wire_configure, NULL },
	{ step_save, undo_save },
	{ step_announce, undo_announce },
	{ wire_open, wire_delete }, /* before the programs go: no moment without them */
	{ step_result, NULL },
	{ NULL, NULL },
};

static const struct step chained[] = {
	{ step_chain, NULL },	  { endpoint_claim, endpoint_release }, { endpoint_hook, endpoint_unhook },
	{ step_save, undo_save }, { step_announce, undo_announce },	{ step_result, NULL },
	{ NULL, NULL },
};

static int steps_run(struct join *join, const struct step *steps, struct failure *failure)
{
	for (int i = 0; steps[i].run; i++) {
		if (steps[i].run(join, failure) == 0)
			continue;
		log_error("ADD failed, undoing: container=%s reason=\"%s\" details=\"%s\"",
			  join->env->container_id, failure->msg, failure->details);
		for (; i >= 0; i--) {
			if (steps[i].undo)
				steps[i].undo(join);
		}
		return -1;
	}
	return 0;
}

static void attachment_init(struct join *join)
{
	const struct cni_env *env = join->env;
	struct attachment *a = &join->attachment;

	snprintf(a->container_id, sizeof(a->container_id), "%s", env->container_id);
	snprintf(a->ifname, sizeof(a->ifname), "%s", env->ifname);
	snprintf(a->network, sizeof(a->network), "%s", join->conf->name);
	snprintf(a->netns, sizeof(a->netns), "%s", env->netns);
	snprintf(a->cni_version, sizeof(a->cni_version), "%s", cni_version_names[join->conf->version]);
	snprintf(a->namespace, sizeof(a->namespace), "%s", env->namespace);
	snprintf(a->pod, sizeof(a->pod), "%s", env->pod);
	snprintf(a->uid, sizeof(a->uid), "%s", env->uid);
	a->chained = join->conf->prev_result;
	if (!a->chained) {
		snprintf(a->ipam, sizeof(a->ipam), "%s", join->conf->ipam_type);
		attachment_name(a->container_id, a->ifname, a->host_ifname);
		attachment_macs(a->container_id, a->ifname, a->mac, a->host_mac);
	}
}

/* F23: asked before IPAM is, because undoing an IPAM ADD would free the address
 * of the attachment that is there. */
static int join_check_free(struct join *join, struct failure *failure)
{
	const struct attachment *a = &join->attachment;
	struct attachment there;
	struct link_info link;
	struct err err = { 0 };
	int r = attachment_load(join->conf->run_dir, a->container_id, a->ifname, &there, &err);

	if (r == 0 || r == -EBADMSG)
		return failure_set(failure, CODE_EXISTS, "container %s has an attachment %s already",
				   a->container_id, a->ifname);
	if (r != -ENOENT)
		return failure_from(failure, CODE_IO, &err, "state of container %s", a->container_id);
	if (a->chained)
		return 0;
	r = link_find(join->pod, a->ifname, &link, &err);
	if (r == -ENODEV)
		r = link_find(join->host, a->host_ifname, &link, &err);
	if (r == 0)
		return failure_set(failure, CODE_EXISTS, "interface %s exists already", link.name);
	return r == -ENODEV ? 0
			    : failure_from(failure, CODE_LINK, &err, "cannot look at the pod's interfaces");
}

static int join_open(struct join *join, struct failure *failure)
{
	const struct netconf *conf = join->conf;
	struct err err = { 0 };

	if (netns_open(join->env, &join->netns, failure) < 0)
		return -1;
	if (maps_open(conf->pin_root, &join->maps, &err) < 0)
		return failure_from(failure, CODE_TRY_LATER, &err,
				    "the Bulkhead daemon has not set up this node");
	if (link_ns_open(-1, &join->host, &err) < 0 || link_ns_open(join->netns, &join->pod, &err) < 0)
		return failure_from(failure, CODE_LINK, &err, "netlink");
	if (attachment_dir_make(conf->run_dir, &err) < 0)
		return failure_from(failure, CODE_IO, &err, "state folder");
	if (lock_container(conf->run_dir, join->env->container_id, conf->daemon_timeout_ms, &join->lock,
			   &err) < 0)
		return failure_from(failure, CODE_IO, &err, "lock of container %s", join->env->container_id);
	return join_check_free(join, failure);
}

int cmd_add(const struct cni_env *env, const struct netconf *conf, cJSON **ret_result,
	    struct failure *failure)
{
	auto_join struct join join = { .env = env, .conf = conf, .netns = -1, .lock = -1 };

	attachment_init(&join);
	if (join_open(&join, failure) < 0)
		return -1;
	if (steps_run(&join, join.attachment.chained ? chained : standalone, failure) < 0)
		return -1;
	log_debug("pod joined: container=%s interface=%s slot=%u", env->container_id,
		  join.attachment.host_ifname, join.attachment.slot);
	*ret_result = TAKE(join.answer);
	return 0;
}
