// SPDX-License-Identifier: Apache-2.0
#include "cni/attachment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cni/result.h"

#define FILE_MAX (64u << 10)

/* FNV-1a; ids come from the runtime, so no one gains by a collision. */
static uint64_t name_hash(const char *container_id, const char *ifname)
{
	const char *const parts[] = { container_id, ":", ifname };
	uint64_t hash = 0xcbf29ce484222325u;

	for (int i = 0; i < 3; i++) {
		for (const char *p = parts[i]; *p; p++)
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
	}
	/* FNV leaves the last bytes in the low bits only; names differ at the end. */
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93u;
	return hash ^ (hash >> 32);
}

void attachment_name(const char *container_id, const char *ifname, char out[IF_NAMESIZE])
{
	snprintf(out, IF_NAMESIZE, "bh%013llx",
		 (unsigned long long)(name_hash(container_id, ifname) & 0xfffffffffffffu));
}

/* Locally administered, unicast; the two sides differ in one bit. */
void attachment_macs(const char *container_id, const char *ifname, uint8_t pod[6], uint8_t host[6])
{
	uint64_t hash = name_hash(container_id, ifname);

	for (int i = 0; i < 6; i++)
		pod[i] = (uint8_t)(hash >> (8 * i));
	pod[0] = (pod[0] & 0xfc) | 0x02;
	pod[5] &= 0xfe;
	memcpy(host, pod, 6);
	host[5] |= 0x01;
}

static void file_name(const char *run_dir, const char *container_id, const char *ifname, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/attachments/%s:%s.json", run_dir, container_id, ifname);
}

/* Whoever can write here could make us delete interfaces. */
static int dir_check(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(err, EPERM, "%s is not a folder that only its owner, we, may write", path);
	return 0;
}

int attachment_dir_make(const char *run_dir, struct err *err)
{
	char path[PATH_MAX];
	int r = dir_make(run_dir, 0755, err);

	if (r == 0)
		r = dir_check(run_dir, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/attachments", run_dir);
	r = dir_make(path, 0700, err);
	return r < 0 ? r : dir_check(path, err);
}

static bool put_text(cJSON *json, const char *key, const char *value)
{
	return cJSON_AddStringToObject(json, key, value);
}

static bool put_mac(cJSON *json, const char *key, const uint8_t mac[6])
{
	char text[18];

	mac_format(mac, text);
	return put_text(json, key, text);
}

static bool put_addrs(cJSON *json, const struct attachment *a)
{
	cJSON *list = cJSON_AddArrayToObject(json, "addresses");

	for (unsigned int i = 0; list && i < a->n_addrs; i++) {
		char text[ADDR_TEXT_MAX];
		cJSON *item;

		addr_format(&a->addrs[i], text);
		item = cJSON_CreateString(text);
		if (!item || !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			return false;
		}
	}
	return list;
}

cJSON *attachment_json(const struct attachment *a)
{
	auto_json cJSON *json = cJSON_CreateObject();

	if (!json || !put_text(json, "containerID", a->container_id) ||
	    !put_text(json, "ifname", a->ifname) || !put_text(json, "network", a->network) ||
	    !put_text(json, "netns", a->netns) || !put_text(json, "hostIfname", a->host_ifname) ||
	    !put_text(json, "ipam", a->ipam) || !put_text(json, "cniVersion", a->cni_version) ||
	    !put_text(json, "namespace", a->namespace) || !put_text(json, "pod", a->pod) ||
	    !put_text(json, "uid", a->uid) || !put_mac(json, "mac", a->mac) ||
	    !put_mac(json, "hostMAC", a->host_mac) || !put_addrs(json, a) ||
	    !cJSON_AddNumberToObject(json, "slot", a->slot) ||
	    !cJSON_AddNumberToObject(json, "ifindex", a->ifindex) ||
	    !cJSON_AddBoolToObject(json, "chained", a->chained))
		return NULL;
	return TAKE(json);
}

int attachment_save(const char *run_dir, const struct attachment *a, struct err *err)
{
	auto_json cJSON *json = attachment_json(a);
	auto_free char *text = json ? cJSON_PrintUnformatted(json) : NULL;
	char path[PATH_MAX];

	if (!text)
		return err_set(err, ENOMEM, "state of %s: out of memory", a->container_id);
	file_name(run_dir, a->container_id, a->ifname, path);
	return file_write_atomic(path, text, strlen(text), 0600, err);
}

static bool get_text(const cJSON *json, const char *key, char *out, size_t size)
{
	const char *value = NULL;

	if (json_get_string(json, key, &value, NULL) < 0 || !value || strlen(value) >= size)
		return false;
	memcpy(out, value, strlen(value) + 1);
	return true;
}

static bool get_mac(const cJSON *json, const char *key, uint8_t out[6])
{
	const char *value = NULL;

	return json_get_string(json, key, &value, NULL) == 0 && value && mac_parse(value, out) == 0;
}

static bool get_number(const cJSON *json, const char *key, uint32_t *out)
{
	int64_t value;

	if (json_get_int(json, key, 0, UINT32_MAX, &value, NULL) != 1)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool get_addrs(const cJSON *json, struct attachment *a)
{
	const cJSON *list = json_get(json, "addresses"), *item;

	cJSON_ArrayForEach (item, list) {
		if (a->n_addrs == BH_ENDPOINT_ADDRS || !cJSON_IsString(item) ||
		    addr_parse(item->valuestring, &a->addrs[a->n_addrs]) < 0)
			return false;
		a->n_addrs++;
	}
	return cJSON_IsArray(list);
}

/* Keys of a later version are ignored; a missing one makes the file unusable. */
static bool attachment_from_json(const cJSON *json, struct attachment *a)
{
	return get_text(json, "containerID", a->container_id, sizeof(a->container_id)) &&
	       get_text(json, "ifname", a->ifname, sizeof(a->ifname)) &&
	       get_text(json, "network", a->network, sizeof(a->network)) &&
	       get_text(json, "netns", a->netns, sizeof(a->netns)) &&
	       get_text(json, "hostIfname", a->host_ifname, sizeof(a->host_ifname)) &&
	       get_text(json, "ipam", a->ipam, sizeof(a->ipam)) &&
	       get_text(json, "cniVersion", a->cni_version, sizeof(a->cni_version)) &&
	       get_text(json, "namespace", a->namespace, sizeof(a->namespace)) &&
	       get_text(json, "pod", a->pod, sizeof(a->pod)) &&
	       get_text(json, "uid", a->uid, sizeof(a->uid)) && get_mac(json, "mac", a->mac) &&
	       get_mac(json, "hostMAC", a->host_mac) && get_addrs(json, a) &&
	       get_number(json, "slot", &a->slot) && get_number(json, "ifindex", &a->ifindex) &&
	       json_get_bool(json, "chained", &a->chained, NULL) == 1;
}

int attachment_load(const char *run_dir, const char *container_id, const char *ifname,
		    struct attachment *ret_attachment, struct err *err)
{
	struct attachment a = { 0 };
	auto_free char *text = NULL;
	auto_json cJSON *json = NULL;
	char path[PATH_MAX];
	size_t len;
	int r;

	file_name(run_dir, container_id, ifname, path);
	r = file_read(path, FILE_MAX, &text, &len, err);
	if (r == -EINVAL || r == -EFBIG || r == -ENXIO)
		return err_wrap(err, -EBADMSG, "state file");
	if (r < 0)
		return r == -ENOTDIR ? -ENOENT : r;
	if (json_parse(text, len, &json, err) < 0)
		return err_wrap(err, -EBADMSG, "state file %s", path);
	if (!attachment_from_json(json, &a) || strcmp(a.container_id, container_id) ||
	    strcmp(a.ifname, ifname))
		return err_set(err, EBADMSG, "state file %s is not this attachment's", path);
	*ret_attachment = a;
	return 0;
}

static int dir_open(const char *run_dir, DIR **ret_dir, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/attachments", run_dir);
	*ret_dir = opendir(path);
	return *ret_dir ? 0 : err_set(err, errno, "open %s: %s", path, strerror(errno));
}

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int attachment_forget(const char *run_dir, const char *container_id, const char *ifname, struct err *err)
{
	cleanup(dir_close) DIR *dir = NULL;
	char stem[NAME_MAX + 1];
	struct dirent *entry;
	int r = dir_open(run_dir, &dir, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	snprintf(stem, sizeof(stem), "%s:%s.json", container_id, ifname);
	while ((entry = readdir(dir))) {
		const char *rest = entry->d_name + strlen(stem);

		if (strncmp(entry->d_name, stem, strlen(stem)) != 0 || (*rest && *rest != '.'))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			return err_set(err, errno, "remove state file %s: %s", entry->d_name,
				       strerror(errno));
	}
	return 0;
}

static bool key_parse(const char *name, struct attachment_key *key)
{
	const char *colon = strchr(name, ':');
	const char *json = colon ? strstr(colon, ".json") : NULL;

	/* The interface name may itself contain ".json". */
	while (json && strstr(json + 1, ".json"))
		json = strstr(json + 1, ".json");
	if (!json || colon - name > CNI_ID_MAX || json - colon - 1 >= IF_NAMESIZE)
		return false;
	snprintf(key->container_id, sizeof(key->container_id), "%.*s", (int)(colon - name), name);
	snprintf(key->ifname, sizeof(key->ifname), "%.*s", (int)(json - colon - 1), colon + 1);
	return cni_id_valid(key->container_id) && cni_ifname_valid(key->ifname);
}

static bool key_known(const struct attachment_key *keys, size_t n, const struct attachment_key *key)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(keys[i].container_id, key->container_id) && !strcmp(keys[i].ifname, key->ifname))
			return true;
	}
	return false;
}

int attachment_list(const char *run_dir, struct attachment_key **ret_keys, size_t *ret_n, struct err *err)
{
	auto_free struct attachment_key *keys = NULL;
	cleanup(dir_close) DIR *dir = NULL;
	struct dirent *entry;
	size_t n = 0, cap = 0;
	int r = dir_open(run_dir, &dir, err);

	*ret_keys = NULL;
	*ret_n = 0;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((entry = readdir(dir))) {
		struct attachment_key key;

		if (!key_parse(entry->d_name, &key) || key_known(keys, n, &key))
			continue;
		if (n == cap) {
			size_t more = cap ? cap * 2 : 64;
			void *grown = realloc(keys, more * sizeof(*keys));

			if (!grown)
				return err_set(err, ENOMEM, "list of attachments: out of memory");
			keys = grown;
			cap = more;
		}
		keys[n++] = key;
	}
	*ret_keys = TAKE(keys);
	*ret_n = n;
	return 0;
}
