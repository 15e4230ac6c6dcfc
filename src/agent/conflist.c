// SPDX-License-Identifier: Apache-2.0
#include "agent/conflist.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "dataplane/pins.h"

#define CONFLIST_MAX	 (1u << 20)
#define CONFLIST_VERSION "1.0.0" /* what today's runtimes and reference plugins share */
#define PLUGIN_TYPE	 "bulkhead"

void conflist_settings_done(struct conflist_settings *settings)
{
	free(settings->dir);
	free(settings->chain);
	free(settings->pod_cidrs);
	*settings = (struct conflist_settings){ 0 };
}

/* --- JSON; a null anywhere means out of memory, told once at the end */

/* Takes `item` over, and frees it when it finds no place. */
static bool list_add(cJSON *list, cJSON *item)
{
	if (cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool is_default(const char *value, const char *standard)
{
	return strcmp(value, standard) == 0;
}

static cJSON *entry_json(const struct conflist_entry *entry)
{
	auto_json cJSON *json = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(json, "type", PLUGIN_TYPE) ||
	    (entry->mtu && !cJSON_AddNumberToObject(json, "mtu", entry->mtu)) ||
	    (!is_default(entry->run_dir, CONFIG_DEFAULT_RUN_DIR) &&
	     !cJSON_AddStringToObject(json, "runDir", entry->run_dir)) ||
	    (!is_default(entry->pin_root, PINS_DEFAULT_ROOT) &&
	     !cJSON_AddStringToObject(json, "pinRoot", entry->pin_root)))
		return NULL;
	return TAKE(json);
}

/* One range set per family, so that a pod gets an address of each. */
static bool family_add(cJSON *ipam, bool v4, const struct prefix *ranges, size_t n)
{
	cJSON *sets = cJSON_GetObjectItemCaseSensitive(ipam, "ranges");
	cJSON *routes = cJSON_GetObjectItemCaseSensitive(ipam, "routes");
	cJSON *set = NULL, *route;
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		cJSON *range;

		if (ranges[i].is_v4 != v4)
			continue;
		if (!set && !list_add(sets, set = cJSON_CreateArray()))
			return false;
		if (!list_add(set, range = cJSON_CreateObject()))
			return false;
		prefix_format(&ranges[i], text);
		if (!cJSON_AddStringToObject(range, "subnet", text))
			return false;
	}
	if (!set)
		return true;
	return list_add(routes, route = cJSON_CreateObject()) &&
	       cJSON_AddStringToObject(route, "dst", v4 ? "0.0.0.0/0" : "::/0");
}

/* Reservations go with the attachments at a reboot, so they lie beside them. */
static bool ipam_add(cJSON *plugin, const struct conflist_entry *entry, const struct prefix *ranges, size_t n)
{
	cJSON *ipam = cJSON_AddObjectToObject(plugin, "ipam");
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s/ipam", entry->run_dir);
	return cJSON_AddStringToObject(ipam, "type", "host-local") &&
	       cJSON_AddStringToObject(ipam, "dataDir", folder) && cJSON_AddArrayToObject(ipam, "ranges") &&
	       cJSON_AddArrayToObject(ipam, "routes") && family_add(ipam, true, ranges, n) &&
	       family_add(ipam, false, ranges, n);
}

static cJSON *portmap_json(void)
{
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *capabilities;

	if (!cJSON_AddStringToObject(json, "type", "portmap") ||
	    !(capabilities = cJSON_AddObjectToObject(json, "capabilities")) ||
	    !cJSON_AddTrueToObject(capabilities, "portMappings"))
		return NULL;
	return TAKE(json);
}

static int print(const cJSON *json, char **ret_text, struct err *err)
{
	*ret_text = cJSON_Print(json);
	return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

int conflist_standalone(const struct conflist_entry *entry, const struct prefix *ranges, size_t n_ranges,
			char **ret_text, struct err *err)
{
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *plugins, *plugin;

	if (n_ranges == 0)
		return err_set(err, ENODATA, "no pod addresses for this node");
	if (!cJSON_AddStringToObject(json, "cniVersion", CONFLIST_VERSION) ||
	    !cJSON_AddStringToObject(json, "name", PLUGIN_TYPE) ||
	    !(plugins = cJSON_AddArrayToObject(json, "plugins")) ||
	    !list_add(plugins, plugin = entry_json(entry)) || !ipam_add(plugin, entry, ranges, n_ranges) ||
	    !list_add(plugins, portmap_json()))
		return err_set(err, ENOMEM, "out of memory");
	return print(json, ret_text, err);
}

/* A .conf holds one plugin with the network's name and version among its keys. */
static cJSON *list_of(cJSON *conf)
{
	static const char *const common[] = { "cniVersion", "name", "disableCheck" };
	auto_json cJSON *plugin = conf;
	auto_json cJSON *list = cJSON_CreateObject();
	cJSON *plugins;

	for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++) {
		cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(plugin, common[i]);

		if (item && !cJSON_AddItemToObject(list, common[i], item)) {
			cJSON_Delete(item);
			return NULL;
		}
	}
	plugins = cJSON_AddArrayToObject(list, "plugins");
	return list_add(plugins, TAKE(plugin)) ? TAKE(list) : NULL;
}

int conflist_chained(const struct conflist_entry *entry, const char *name, const char *base, char **ret_text,
		     struct err *err)
{
	auto_json cJSON *json = NULL;
	const cJSON *plugin;
	cJSON *plugins;
	int r = json_parse(base, strlen(base), &json, err);

	if (r < 0)
		return err_wrap(err, r, "%s", name);
	if (!cJSON_IsObject(json))
		return err_set(err, EINVAL, "%s: must be an object", name);
	if (!json_get(json, "plugins") && !(json = list_of(json)))
		return err_set(err, ENOMEM, "out of memory");
	plugins = cJSON_GetObjectItemCaseSensitive(json, "plugins");
	if (!cJSON_IsArray(plugins) || !plugins->child)
		return err_set(err, EINVAL, "%s: plugins: must be a list of at least one plugin", name);
	cJSON_ArrayForEach (plugin, plugins) {
		const cJSON *type = json_get(plugin, "type");

		if (!cJSON_IsString(type))
			return err_set(err, EINVAL, "%s: plugins: an entry has no type", name);
		if (strcmp(type->valuestring, PLUGIN_TYPE) == 0)
			return err_set(err, EEXIST, "%s: plugins: bulkhead is in that list already", name);
	}
	if (!list_add(plugins, entry_json(entry)))
		return err_set(err, ENOMEM, "out of memory");
	return print(json, ret_text, err);
}

/* --- files */

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* What a runtime would read there, were we not: the first by name. */
static int base_find(const char *dir, char **ret_name, struct err *err)
{
	auto_free char *first = NULL;
	DIR *folder = opendir(dir);
	const struct dirent *item;

	if (!folder)
		return err_set(err, errno, "open %s: %s", dir, strerror(errno));
	while ((item = readdir(folder))) {
		const char *name = item->d_name;

		if (name[0] == '.' || strcmp(name, CONFLIST_NAME) == 0 ||
		    (!ends_with(name, ".conflist") && !ends_with(name, ".conf") &&
		     !ends_with(name, ".json")) ||
		    (first && strcmp(first, name) < 0))
			continue;
		free(first);
		first = strdup(name);
		if (!first)
			break;
	}
	closedir(folder);
	if (item)
		return err_set(err, ENOMEM, "out of memory");
	if (!first)
		return err_set(err, ENOENT, "%s holds no network to stand behind", dir);
	*ret_name = TAKE(first);
	return 0;
}

int conflist_read_base(const struct conflist_settings *settings, char **ret_name, char **ret_text,
		       struct err *err)
{
	auto_free char *name = NULL;
	char path[4096];
	int r = 0;

	if (strcmp(settings->chain, CONFLIST_CHAIN_ANY) == 0)
		r = base_find(settings->dir, &name, err);
	else if (!(name = strdup(settings->chain)))
		r = err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/%s", settings->dir, name) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "%s: path too long", settings->dir);
	r = file_read(path, CONFLIST_MAX, ret_text, NULL, err);
	if (r == 0)
		*ret_name = TAKE(name);
	return r;
}

int conflist_put(const char *dir, const char *text, struct err *err)
{
	auto_free char *old = NULL;
	char path[4096];
	int r = dir_make(dir, 0755, err);

	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/%s", dir, CONFLIST_NAME) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "%s: path too long", dir);
	if (file_read(path, CONFLIST_MAX, &old, NULL, NULL) == 0 && strcmp(old, text) == 0)
		return 0;
	file_sweep_temps(path);
	r = file_write_atomic(path, text, strlen(text), 0644, err);
	return r < 0 ? r : 1;
}

int conflist_remove(const char *dir, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, CONFLIST_NAME);
	file_sweep_temps(path);
	if (unlink(path) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_set(err, errno, "remove %s: %s", path, strerror(errno));
}
