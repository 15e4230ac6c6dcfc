// SPDX-License-Identifier: Apache-2.0
/*
 * GC: everything of this network that the runtime does not list goes. The list
 * is checked whole before anything is touched (F26); what cannot be removed is
 * named at the end, after the rest has been.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cni/attachment.h"
#include "cni/command.h"
#include "cni/leave.h"
#include "dataplane/link.h"

struct gc {
	const struct cni_env *env;
	const struct netconf *conf;
	const cJSON *valid;
	struct text failed; /* owned; "id:ifname (reason), ..." */
};

static void gc_done(struct gc *gc)
{
	text_done(&gc->failed);
}
#define auto_gc cleanup(gc_done)

/* The specification's key, and the shorter one that some runtimes send. null
 * and [] both mean that nothing is valid; a missing key means that the runtime
 * did not say. */
static int valid_read(struct gc *gc, struct failure *failure)
{
	const cJSON *item;

	gc->valid = cJSON_GetObjectItemCaseSensitive(gc->conf->json, "cni.dev/valid-attachments");
	if (!gc->valid)
		gc->valid = cJSON_GetObjectItemCaseSensitive(gc->conf->json, "cni.dev/attachments");
	if (!gc->valid)
		return failure_set(failure, CODE_CONFIG, "cni.dev/valid-attachments is missing");
	if (!cJSON_IsNull(gc->valid) && !cJSON_IsArray(gc->valid))
		return failure_set(failure, CODE_CONFIG, "cni.dev/valid-attachments is not a list");
	cJSON_ArrayForEach (item, gc->valid) {
		const char *id = NULL, *ifname = NULL;

		if (json_get_string(item, "containerID", &id, NULL) < 0 ||
		    json_get_string(item, "ifname", &ifname, NULL) < 0 || !id || !ifname ||
		    !cni_id_valid(id) || !cni_ifname_valid(ifname))
			return failure_set(
				failure, CODE_CONFIG,
				"cni.dev/valid-attachments: an entry is not {containerID, ifname}");
	}
	return 0;
}

static bool is_valid(const struct gc *gc, const struct attachment_key *key)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, gc->valid) {
		const char *id = NULL, *ifname = NULL;

		(void)json_get_string(item, "containerID", &id, NULL);
		(void)json_get_string(item, "ifname", &ifname, NULL);
		if (strcmp(id, key->container_id) == 0 && strcmp(ifname, key->ifname) == 0)
			return true;
	}
	return false;
}

static void failed_note(struct gc *gc, const struct attachment_key *key, const char *why)
{
	text_addf(&gc->failed, "%s%s:%s (%s)", gc->failed.len ? ", " : "", key->container_id, key->ifname,
		  why);
}

static void stale_remove(struct gc *gc, const struct attachment_key *key, const char *netns)
{
	struct ipam_request request = { .conf = gc->conf,
					.path = gc->env->path,
					.container_id = key->container_id,
					.ifname = key->ifname,
					.netns = netns };
	struct failure failure = { 0 };

	if (is_valid(gc, key))
		return;
	if (leave_attachment(&request, &failure) < 0)
		failed_note(gc, key, failure.msg);
	else
		log_info("stale attachment removed: container=%s ifname=%s network=%s", key->container_id,
			 key->ifname, gc->conf->name);
}

/* A file that cannot be read does not say whose network it is. The alias of its
 * interface does; with neither there is no interface any more either, and the
 * daemon's sweep owns what is left. */
static void files_sweep(struct gc *gc)
{
	auto_free struct attachment_key *keys = NULL;
	struct err err = { 0 };
	size_t n = 0;

	if (attachment_list(gc->conf->run_dir, &keys, &n, &err) < 0)
		text_addf(&gc->failed, "%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		struct attachment state;
		int r = attachment_load(gc->conf->run_dir, keys[i].container_id, keys[i].ifname, &state,
					&err);

		if (r == 0 && strcmp(state.network, gc->conf->name) == 0)
			stale_remove(gc, &keys[i], state.netns);
		else if (r < 0 && r != -EBADMSG && r != -ENOENT)
			failed_note(gc, &keys[i], err.msg);
	}
}

/* "bulkhead <network> <containerID> <ifname>" */
static bool alias_parse(const char *alias, const char *network, struct attachment_key *key)
{
	char found[CNI_ID_MAX + 1];

	if (sscanf(alias, "bulkhead %200s %200s %15s", found, key->container_id, key->ifname) != 3)
		return false;
	return strcmp(found, network) == 0 && cni_id_valid(key->container_id) &&
	       cni_ifname_valid(key->ifname);
}

/* Interfaces whose ADD was killed before it wrote its state. */
static void links_sweep(struct gc *gc)
{
	auto_free struct link_info *links = NULL;
	auto_link_ns struct link_ns *host = NULL;
	struct err err = { 0 };
	size_t n = 0;

	if (link_ns_open(-1, &host, &err) < 0 || link_list(host, &links, &n, &err) < 0)
		text_addf(&gc->failed, "%s%s", gc->failed.len ? ", " : "", err.msg);
	for (size_t i = 0; i < n; i++) {
		struct attachment_key key;
		char name[IF_NAMESIZE];

		if (strcmp(links[i].kind, "veth") != 0 || !alias_parse(links[i].alias, gc->conf->name, &key))
			continue;
		/* An alias is anyone's to set; the name must follow from it. */
		attachment_name(key.container_id, key.ifname, name);
		if (strcmp(name, links[i].name) == 0)
			stale_remove(gc, &key, "");
	}
}

int cmd_gc(const struct cni_env *env, const struct netconf *conf, struct failure *failure)
{
	auto_gc struct gc gc = { .env = env, .conf = conf };
	struct ipam_request request = {
		.conf = conf, .path = env->path, .container_id = "", .ifname = "", .netns = ""
	};
	struct failure ipam = { 0 };

	if (valid_read(&gc, failure) < 0)
		return -1;
	files_sweep(&gc);
	links_sweep(&gc);
	if (conf->ipam_type && ipam_gc(&request, &ipam) < 0)
		text_addf(&gc.failed, "%s%s", gc.failed.len ? ", " : "", ipam.msg);
	if (!gc.failed.len && !gc.failed.failed)
		return 0;
	failure_set(failure, CODE_GC, "some stale attachments are left");
	snprintf(failure->details, sizeof(failure->details), "%s", gc.failed.data ?: "out of memory");
	return -1;
}
