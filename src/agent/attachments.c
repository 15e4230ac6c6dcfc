// SPDX-License-Identifier: Apache-2.0
#include "agent/attachments.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define STATE_FILE_MAX (64 << 10)
#define NAME_MAX_LEN   253 /* Kubernetes' limit for pod and namespace names */
#define TEXT_MAX_LEN   4095

struct attachment *attachment_free(struct attachment *attachment)
{
	if (!attachment)
		return NULL;
	free(attachment->container_id);
	free(attachment->ifname);
	free(attachment->network);
	free(attachment->netns);
	free(attachment->endpoint.namespace);
	free(attachment->endpoint.pod);
	free(attachment->endpoint.uid);
	free(attachment);
	return NULL;
}

bool attachment_id_valid(const char *id)
{
	if (!isalnum((unsigned char)id[0]) || strlen(id) > NAME_MAX_LEN)
		return false;
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return true;
}

bool attachment_ifname_valid(const char *ifname)
{
	size_t len = strlen(ifname);

	if (len == 0 || len >= IF_NAMESIZE || strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0)
		return false;
	for (const char *p = ifname; *p; p++)
		if (*p == '/' || *p == ':' || isspace((unsigned char)*p) || !isprint((unsigned char)*p))
			return false;
	return true;
}

/* Kubernetes names; empty where the attachment is not of a pod. */
static bool object_name_valid(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-' && *p != '.')
			return false;
	return strlen(name) <= NAME_MAX_LEN;
}

static int field_string(const cJSON *json, const char *key, size_t max, char **slot, struct err *err)
{
	const char *text = NULL;
	int r = json_get_string(json, key, &text, err);

	if (r < 0)
		return r;
	if (text && strlen(text) > max)
		return err_set(err, EINVAL, "%s: longer than %zu bytes", key, max);
	*slot = strdup(text ? text : "");
	return *slot ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int field_mac(const cJSON *json, const char *key, uint8_t mac[6], struct err *err)
{
	const char *text = NULL;
	unsigned int b[6];
	int end = 0, r = json_get_string(json, key, &text, err);

	if (r < 0)
		return r;
	if (!text)
		return err_set(err, EINVAL, "%s: missing", key);
	if (strlen(text) != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 ||
	    end != 17)
		return err_set(err, EINVAL, "%s: not a MAC address", key);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

static int field_number(const cJSON *json, const char *key, int64_t min, int64_t max, uint32_t *ret,
			struct err *err)
{
	int64_t number;
	int r = json_get_int(json, key, min, max, &number, err);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, EINVAL, "%s: missing", key);
	*ret = (uint32_t)number;
	return 0;
}

static int field_addresses(const cJSON *json, struct endpoint *endpoint, struct err *err)
{
	const cJSON *list = json_get(json, "addresses"), *item;

	if (!cJSON_IsArray(list) || !list->child)
		return err_set(err, EINVAL, "addresses: must be a list of at least one address");
	if (cJSON_GetArraySize(list) > BH_ENDPOINT_ADDRS)
		return err_set(err, EINVAL, "addresses: more than %d", BH_ENDPOINT_ADDRS);
	cJSON_ArrayForEach (item, list) {
		struct bh_addr *addr = &endpoint->addrs[endpoint->n_addrs];

		if (!cJSON_IsString(item) || addr_parse(item->valuestring, addr) < 0 || addr_is_zero(addr))
			return err_set(err, EINVAL, "addresses[%zu]: not an IP address", endpoint->n_addrs);
		endpoint->n_addrs++;
	}
	return 0;
}

static int decode_names(const cJSON *json, struct attachment *attachment, struct err *err)
{
	struct endpoint *endpoint = &attachment->endpoint;
	int r;

	if ((r = field_string(json, "containerID", NAME_MAX_LEN, &attachment->container_id, err)) < 0 ||
	    (r = field_string(json, "ifname", IF_NAMESIZE, &attachment->ifname, err)) < 0 ||
	    (r = field_string(json, "network", NAME_MAX_LEN, &attachment->network, err)) < 0 ||
	    (r = field_string(json, "netns", TEXT_MAX_LEN, &attachment->netns, err)) < 0 ||
	    (r = field_string(json, "namespace", NAME_MAX_LEN, &endpoint->namespace, err)) < 0 ||
	    (r = field_string(json, "pod", NAME_MAX_LEN, &endpoint->pod, err)) < 0 ||
	    (r = field_string(json, "uid", NAME_MAX_LEN, &endpoint->uid, err)) < 0)
		return r;
	if (!attachment_id_valid(attachment->container_id))
		return err_set(err, EINVAL, "containerID: not a container id");
	if (!attachment_ifname_valid(attachment->ifname))
		return err_set(err, EINVAL, "ifname: not an interface name");
	if (!object_name_valid(endpoint->namespace) || !endpoint->namespace[0])
		return err_set(err, EINVAL, "namespace: not a namespace name");
	if (!object_name_valid(endpoint->pod) || !endpoint->pod[0])
		return err_set(err, EINVAL, "pod: not a pod name");
	return 0;
}

int attachment_decode(const cJSON *json, struct attachment **ret, struct err *err)
{
	auto_attachment struct attachment *attachment = calloc(1, sizeof(*attachment));
	int r;

	if (!attachment)
		return err_set(err, ENOMEM, "out of memory");
	if (!cJSON_IsObject(json))
		return err_set(err, EINVAL, "must be a JSON object");
	if ((r = decode_names(json, attachment, err)) < 0 ||
	    (r = field_number(json, "slot", 0, BH_ENDPOINTS_MAX - 1, &attachment->endpoint.slot, err)) < 0 ||
	    (r = field_number(json, "ifindex", 1, INT32_MAX, &attachment->endpoint.ifindex, err)) < 0 ||
	    (r = field_mac(json, "mac", attachment->mac, err)) < 0 ||
	    (r = field_mac(json, "hostMAC", attachment->host_mac, err)) < 0 ||
	    (r = json_get_bool(json, "chained", &attachment->chained, err)) < 0 ||
	    (r = field_addresses(json, &attachment->endpoint, err)) < 0)
		return r;
	*ret = TAKE(attachment);
	return 0;
}

bool attachment_agrees(const struct attachment *attachment, const struct bh_endpoint *row, struct err *err)
{
	const struct endpoint *endpoint = &attachment->endpoint;
	char text[ADDR_TEXT_MAX];

	if (row->ifindex != endpoint->ifindex) {
		err_set(err, ENOENT, "slot %u does not belong to interface %u", endpoint->slot,
			endpoint->ifindex);
		return false;
	}
	for (size_t i = 0; i < endpoint->n_addrs; i++) {
		bool found = false;

		for (size_t j = 0; j < BH_ENDPOINT_ADDRS; j++)
			found = found || addr_equal(&endpoint->addrs[i], &row->addr[j]);
		if (found)
			continue;
		addr_format(&endpoint->addrs[i], text);
		err_set(err, EEXIST, "address %s is not the endpoint's", text);
		return false;
	}
	return true;
}

void attachments_done(struct attachments *set)
{
	for (size_t i = 0; i < set->n; i++)
		attachment_free(set->v[i]);
	free(set->v);
	*set = (struct attachments){ 0 };
}

static size_t attachments_index(const struct attachments *set, const char *container_id, const char *ifname)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (strcmp(set->v[i]->container_id, container_id) == 0 &&
		    strcmp(set->v[i]->ifname, ifname) == 0)
			break;
	return i;
}

int attachments_put(struct attachments *set, struct attachment *attachment, struct err *err)
{
	size_t i = attachments_index(set, attachment->container_id, attachment->ifname);

	set->serial++;
	if (i < set->n) {
		attachment_free(set->v[i]);
		set->v[i] = attachment;
		return 0;
	}
	if (set->n == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 16;
		struct attachment **v = reallocarray(set->v, cap, sizeof(*v));

		if (!v)
			return err_set(err, ENOMEM, "out of memory");
		set->v = v;
		set->cap = cap;
	}
	set->v[set->n++] = attachment;
	return 0;
}

struct attachment *attachments_take(struct attachments *set, const char *container_id, const char *ifname)
{
	size_t i = attachments_index(set, container_id, ifname);
	struct attachment *attachment;

	if (i == set->n)
		return NULL;
	set->serial++;
	attachment = set->v[i];
	set->v[i] = set->v[--set->n];
	return attachment;
}

struct attachment *attachments_find(const struct attachments *set, const char *container_id,
				    const char *ifname)
{
	size_t i = attachments_index(set, container_id, ifname);

	return i < set->n ? set->v[i] : NULL;
}

struct attachment *attachments_find_ifindex(const struct attachments *set, uint32_t ifindex)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i]->endpoint.ifindex == ifindex)
			return set->v[i];
	return NULL;
}

static bool endpoints_share_addr(const struct endpoint *a, const struct endpoint *b)
{
	for (size_t i = 0; i < a->n_addrs; i++)
		for (size_t j = 0; j < b->n_addrs; j++)
			if (addr_equal(&a->addrs[i], &b->addrs[j]))
				return true;
	return false;
}

struct attachment *attachments_conflict(const struct attachments *set, const struct attachment *but)
{
	for (size_t i = 0; i < set->n; i++) {
		struct attachment *other = set->v[i];

		if (strcmp(other->container_id, but->container_id) == 0 &&
		    strcmp(other->ifname, but->ifname) == 0)
			continue;
		if (endpoints_share_addr(&other->endpoint, &but->endpoint))
			return other;
	}
	return NULL;
}

static int state_file_load(const char *path, struct attachment **ret, struct err *err)
{
	auto_free char *text = NULL;
	auto_json cJSON *json = NULL;
	size_t len;
	int r;

	if ((r = file_read(path, STATE_FILE_MAX, &text, &len, err)) < 0 ||
	    (r = json_parse(text, len, &json, err)) < 0)
		return r;
	return attachment_decode(json, ret, err);
}

static bool is_state_file(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".json") == 0;
}

static void closedir_run(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int attachments_load(const char *folder, struct attachments *ret_set,
		     void (*bad)(const char *path, const struct err *err), struct err *err)
{
	cleanup(closedir_run) DIR *dir = opendir(folder);
	const struct dirent *entry;
	int n_bad = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_set(err, errno, "open %s: %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		auto_attachment struct attachment *attachment = NULL;
		struct err why = { 0 };
		char path[4096];
		int r;

		if (!is_state_file(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (state_file_load(path, &attachment, &why) < 0) {
			if (why.code == ENOENT)
				continue; /* a DEL came between */
			n_bad++;
			if (bad)
				bad(path, &why);
			continue;
		}
		r = attachments_put(ret_set, attachment, err);
		if (r < 0)
			return r;
		(void)TAKE(attachment);
	}
	return n_bad;
}
