// SPDX-License-Identifier: Apache-2.0
#include "agent/nodecheck_room.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/pins.h"

static const char *const level_names[] = {
	[CHECK_OK] = "ok", [CHECK_WARNING] = "warning", [CHECK_FAIL] = "FAIL"
};

void check_say(struct nodecheck *check, enum check_level level, const char *name, const char *todo,
	       const char *fmt, ...)
{
	cJSON *item = cJSON_CreateObject();
	char found[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(found, sizeof(found), fmt, args);
	va_end(args);
	check->has_failed |= level == CHECK_FAIL;
	if (item && cJSON_AddStringToObject(item, "name", name) &&
	    cJSON_AddStringToObject(item, "level", level_names[level]) &&
	    cJSON_AddStringToObject(item, "found", found) &&
	    (!todo || cJSON_AddStringToObject(item, "todo", todo)) && cJSON_AddItemToArray(check->list, item))
		return;
	cJSON_Delete(item);
	check->out_of_memory = true;
}

static void link_ns_close(struct link_ns **ns)
{
	link_ns_free(*ns);
}

static int print(const struct nodecheck *check, cJSON *json, FILE *out, struct err *err)
{
	auto_free char *text = NULL;

	if (check->out_of_memory || !cJSON_AddBoolToObject(json, "ok", !check->has_failed))
		return err_set(err, ENOMEM, "out of memory");
	text = cJSON_PrintUnformatted(json);
	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	if (fprintf(out, "%s\n", text) < 0 || fflush(out) != 0)
		return err_set(err, EIO, "writing the answer");
	return check->has_failed;
}

/* Pins, or the lock of a daemon that has run since the last boot. */
static bool is_installed(const struct config *config)
{
	char path[4096];
	uint32_t layout;

	snprintf(path, sizeof(path), "%s/daemon.lock", config->run_dir);
	return pins_current(config->pin_root, &layout, NULL) == 0 || access(path, F_OK) == 0;
}

int nodecheck_run(const struct config *config, const char *plugins, FILE *out, struct err *err)
{
	auto_json cJSON *json = cJSON_CreateObject();
	cleanup(link_ns_close) struct link_ns *ns = NULL;
	struct nodecheck check = { .config = config, .plugins = plugins };
	int r;

	check.list = json ? cJSON_AddArrayToObject(json, "checks") : NULL;
	if (!check.list)
		return err_set(err, ENOMEM, "out of memory");
	r = link_ns_open(-1, &ns, err);
	if (r < 0)
		return r;
	check.ns = ns;
	check.is_installed = is_installed(config);
	check_kernel(&check);
	check_runtime(&check);
	check_network(&check);
	check_apiserver(&check);
	return print(&check, json, out, err);
}
