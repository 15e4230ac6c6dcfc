// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "base/cleanup.h"
#include "cni/attachment.h"
#include "cni/client.h"
#include "cni/command.h"
#include "cni/ipam.h"
#include "dataplane/maps.h"

/* Pods that run here while the tables are out of reach keep the policy they have
 * and get no newer one. */
static bool pods_are_attached(const struct netconf *conf)
{
	auto_free struct attachment_key *keys = NULL;
	size_t n = 0;

	return attachment_list(conf->run_dir, &keys, &n, NULL) == 0 && n > 0;
}

static int tables_check(const struct netconf *conf, struct failure *failure)
{
	struct maps *maps = NULL;
	struct err err = { 0 };
	int r = maps_open(conf->pin_root, &maps, &err);

	maps_free(maps);
	if (r == 0)
		return 0;
	failure_from(failure, CODE_NONE, &err, "the Bulkhead daemon has not set up this node");
	failure->code = pods_are_attached(conf) ? CODE_NOT_AVAILABLE_PODS_SUFFER : CODE_NOT_AVAILABLE;
	return -1;
}

static int ipam_ready(const struct cni_env *env, const struct netconf *conf, struct failure *failure)
{
	struct ipam_request request = {
		.conf = conf, .path = env->path, .container_id = "", .ifname = "", .netns = ""
	};

	if (!conf->ipam_type || ipam_status(&request, failure) == 0)
		return 0;
	if (failure->code != CODE_NOT_AVAILABLE_PODS_SUFFER)
		failure->code = CODE_NOT_AVAILABLE;
	return -1;
}

int cmd_status(const struct cni_env *env, const struct netconf *conf, struct failure *failure)
{
	if (tables_check(conf, failure) < 0 || client_ready(conf, failure) < 0)
		return -1;
	return ipam_ready(env, conf, failure);
}
