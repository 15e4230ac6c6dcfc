// SPDX-License-Identifier: Apache-2.0
/* The runtime's network configuration: what this node's one says, and when it is
 * written. */
#include <errno.h>

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/log.h"

static int standalone_text(const struct agent *agent, const struct conflist_entry *entry, char **ret_text,
			   struct err *err)
{
	const struct config *config = agent->config;
	const struct conflist_settings *cni = &config->cni;
	const struct node *node;

	if (cni->n_pod_cidrs)
		return conflist_standalone(entry, cni->pod_cidrs, cni->n_pod_cidrs, ret_text, err);
	node = world_node(&agent->store.world, config->node_name);
	if (!node)
		return err_set(err, ENODATA, "no Node object is called %s: set nodeName or cni.podCIDRs",
			       config->node_name);
	if (node->n_pod_ranges == 0)
		return err_set(err, ENODATA,
			       "node %s has no podCIDRs yet: let the cluster assign them, or set "
			       "cni.podCIDRs",
			       config->node_name);
	return conflist_standalone(entry, node->pod_ranges, node->n_pod_ranges, ret_text, err);
}

static int wanted_text(const struct agent *agent, char **ret_text, struct err *err)
{
	const struct config *config = agent->config;
	const struct conflist_settings *cni = &config->cni;
	const struct conflist_entry entry = { config->run_dir, config->pin_root, cni->pod_mtu };
	auto_free char *name = NULL;
	auto_free char *base = NULL;
	int r;

	if (!cni->chain[0])
		return standalone_text(agent, &entry, ret_text, err);
	r = conflist_read_base(cni, &name, &base, err);
	return r < 0 ? r : conflist_chained(&entry, name, base, ret_text, err);
}

void agent_conflist(struct agent *agent)
{
	const char *dir = agent->config->cni.dir;
	auto_free char *text = NULL;
	const char *why;
	struct err err = { 0 };
	int r;

	if (!dir[0] || !agent_ready(agent, &why))
		return;
	r = wanted_text(agent, &text, &err);
	if (r == 0)
		r = conflist_put(dir, text, &err);
	if (r < 0) {
		health_bad(&agent->health, HEALTH_CONFLIST, "%s/%s: %s", dir, CONFLIST_NAME, err.msg);
		return;
	}
	agent->conflist_known = true;
	health_good(&agent->health, HEALTH_CONFLIST);
	if (r == 1)
		log_info("wrote %s/%s", dir, CONFLIST_NAME);
}
