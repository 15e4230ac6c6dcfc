// SPDX-License-Identifier: Apache-2.0
#include "cni/command.h"
#include "cni/leave.h"

/* Needs no namespace, daemon or prevResult. Everything of ours is found by the
 * container id, so a DEL that comes late, when another container has taken the
 * same namespace and interface name, finds nothing of that one. */
int cmd_del(const struct cni_env *env, const struct netconf *conf, struct failure *failure)
{
	struct ipam_request request = { .conf = conf,
					.path = env->path,
					.container_id = env->container_id,
					.ifname = env->ifname,
					.netns = env->netns };

	if (leave_attachment(&request, failure) == 0)
		return 0;
	log_error("DEL failed: container=%s reason=\"%s\" details=\"%s\"", env->container_id, failure->msg,
		  failure->details);
	return -1;
}
