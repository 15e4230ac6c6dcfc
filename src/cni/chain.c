// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "cni/join.h"

static int chain_failure(struct failure *failure, const char *why)
{
	failure_set(failure, CODE_CHAIN, "no host side veth belongs to the pod's interface");
	snprintf(failure->details, sizeof(failure->details), "%s", why);
	return -1;
}

/* When prevResult lists interfaces of the host, ours must be among them: the
 * peer's number alone could mean something else in a third namespace. */
static bool listed(const cJSON *prev, const char *host_name)
{
	bool any = false;
	const cJSON *item;

	cJSON_ArrayForEach (item, json_get(prev, "interfaces")) {
		const char *name = NULL, *sandbox = NULL;

		(void)json_get_string(item, "name", &name, NULL);
		(void)json_get_string(item, "sandbox", &sandbox, NULL);
		if (!name || (sandbox && *sandbox))
			continue;
		if (strcmp(name, host_name) == 0)
			return true;
		any = true;
	}
	return !any;
}

static int host_side_find(struct join *join, struct failure *failure)
{
	struct err err = { 0 };

	if (link_find(join->pod, join->attachment.ifname, &join->pod_link, &err) < 0)
		return failure_from(failure, CODE_CHAIN, &err, "the previous plugin made no such interface");
	if (!join->pod_link.peer_ifindex)
		return chain_failure(failure, "the pod's interface is not a veth");
	if (link_find_index(join->host, join->pod_link.peer_ifindex, &join->host_link, &err) < 0)
		return chain_failure(failure, err.msg);
	if (join->host_link.peer_ifindex != join->pod_link.ifindex)
		return chain_failure(failure, "the two interfaces are not each other's peers");
	if (!listed(join->conf->prev_result, join->host_link.name))
		return chain_failure(failure, "prevResult.interfaces does not list the host side");
	return 0;
}

int chain_find(struct join *join, struct failure *failure)
{
	struct attachment *a = &join->attachment;
	int index = result_pod_interface(join->conf->prev_result, a->ifname);

	if (result_parse(join->conf->prev_result, index, &join->result, failure) < 0) {
		failure->code = failure->code == CODE_IPAM_RESULT ? CODE_CONFIG : failure->code;
		return -1;
	}
	if (host_side_find(join, failure) < 0)
		return -1;
	a->ifindex = join->host_link.ifindex;
	memcpy(a->mac, join->pod_link.mac, 6);
	memcpy(a->host_mac, join->host_link.mac, 6);
	snprintf(a->host_ifname, sizeof(a->host_ifname), "%s", join->host_link.name);
	return 0;
}
