// SPDX-License-Identifier: Apache-2.0
#include "cni/env.h"

#include <ctype.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { NEED_ID = 1, NEED_NETNS = 2, NEED_IFNAME = 4, NEED_PATH = 8 };

static const struct {
	const char *name;
	enum cni_command command;
	unsigned int needs;
} commands[] = {
	{ "ADD", CNI_ADD, NEED_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH },
	{ "DEL", CNI_DEL, NEED_ID | NEED_IFNAME },
	{ "CHECK", CNI_CHECK, NEED_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH },
	{ "STATUS", CNI_STATUS, NEED_PATH },
	{ "GC", CNI_GC, NEED_PATH },
	{ "VERSION", CNI_VERSION, 0 },
};

bool cni_id_valid(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > CNI_ID_MAX || !isalnum((unsigned char)id[0]))
		return false;
	return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

bool cni_ifname_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IF_NAMESIZE)
		return false;
	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "all") || !strcmp(name, "default"))
		return false;
	for (const char *p = name; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '/' || *p == ':')
			return false;
	}
	return true;
}

static int value_refuse(struct failure *failure, const char *variable, const char *value, const char *rule)
{
	char safe[128];

	text_escape(value, safe, sizeof(safe));
	return failure_set(failure, CODE_ENVIRONMENT, "%s=\"%s\": %s", variable, safe, rule);
}

static const char *env_get(const char *name)
{
	return getenv(name) ?: "";
}

static int command_read(struct cni_env *env, unsigned int *ret_needs, struct failure *failure)
{
	const char *name = env_get("CNI_COMMAND");

	if (!*name)
		return failure_set(failure, CODE_ENVIRONMENT, "missing environment: CNI_COMMAND");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) == 0) {
			env->command = commands[i].command;
			*ret_needs = commands[i].needs;
			return 0;
		}
	}
	return value_refuse(failure, "CNI_COMMAND", name, "unknown command");
}

/* All missing ones in one message: whoever repairs a runtime wants to do it once. */
static int missing_check(const struct cni_env *env, unsigned int needs, struct failure *failure)
{
	auto_text struct text names = { 0 };

	if ((needs & NEED_ID) && !*env->container_id)
		text_addf(&names, " CNI_CONTAINERID");
	if ((needs & NEED_NETNS) && !*env->netns)
		text_addf(&names, " CNI_NETNS");
	if ((needs & NEED_IFNAME) && !*env->ifname)
		text_addf(&names, " CNI_IFNAME");
	if ((needs & NEED_PATH) && !*env->path)
		text_addf(&names, " CNI_PATH");
	if (!names.len)
		return 0;
	return failure_set(failure, CODE_ENVIRONMENT, "missing environment:%s", names.data);
}

static int values_check(const struct cni_env *env, unsigned int needs, struct failure *failure)
{
	if ((needs & NEED_ID) && !cni_id_valid(env->container_id))
		return value_refuse(failure, "CNI_CONTAINERID", env->container_id,
				    "not [a-zA-Z0-9][a-zA-Z0-9_.-]* of at most 200 bytes");
	if ((needs & NEED_IFNAME) && !cni_ifname_valid(env->ifname))
		return value_refuse(failure, "CNI_IFNAME", env->ifname, "no interface can have this name");
	return 0;
}

/* One value of CNI_ARGS into a fixed field: `set` plus letters and digits. */
static int arg_take(const char *key, const char *value, const char *extra, char *out, size_t size,
		    struct failure *failure)
{
	if (*out && strcmp(out, value) != 0)
		return value_refuse(failure, "CNI_ARGS", key, "given twice with different values");
	if (strlen(value) >= size)
		return value_refuse(failure, "CNI_ARGS", key, "value too long");
	for (const char *p = value; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr(extra, *p))
			return value_refuse(failure, "CNI_ARGS", value,
					    "not the name of a Kubernetes object");
	}
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static int pair_read(struct cni_env *env, char *pair, struct failure *failure)
{
	char *equals = strchr(pair, '=');

	if (!equals || equals == pair || strchr(equals + 1, '='))
		return value_refuse(failure, "CNI_ARGS", pair, "not KEY=VALUE");
	*equals = '\0';
	if (strcmp(pair, "K8S_POD_NAMESPACE") == 0)
		return arg_take(pair, equals + 1, "-", env->namespace, sizeof(env->namespace), failure);
	if (strcmp(pair, "K8S_POD_NAME") == 0)
		return arg_take(pair, equals + 1, "-.", env->pod, sizeof(env->pod), failure);
	if (strcmp(pair, "K8S_POD_UID") == 0)
		return arg_take(pair, equals + 1, "-_.", env->uid, sizeof(env->uid), failure);
	return 0;
}

static int args_read(struct cni_env *env, struct failure *failure)
{
	auto_free char *args = strdup(env_get("CNI_ARGS"));
	char *rest = args, *pair;

	if (!args)
		return failure_set(failure, CODE_TRY_LATER, "out of memory");
	while ((pair = strsep(&rest, ";"))) {
		if (*pair && pair_read(env, pair, failure) < 0)
			return -1;
	}
	if (!*env->namespace != !*env->pod)
		return failure_set(
			failure, CODE_ENVIRONMENT,
			"CNI_ARGS: K8S_POD_NAMESPACE and K8S_POD_NAME come together or not at all");
	return 0;
}

int cni_env_read(struct cni_env *ret_env, struct failure *failure)
{
	const char *override = env_get("CNI_NETNS_OVERRIDE");
	struct cni_env env = {
		.container_id = env_get("CNI_CONTAINERID"),
		.netns = env_get("CNI_NETNS"),
		.ifname = env_get("CNI_IFNAME"),
		.path = env_get("CNI_PATH"),
		.netns_override = strcmp(override, "1") == 0 || strcasecmp(override, "true") == 0,
	};
	unsigned int needs = 0;

	if (command_read(&env, &needs, failure) < 0)
		return -1;
	if (missing_check(&env, needs, failure) < 0 || values_check(&env, needs, failure) < 0)
		return -1;
	/* A DEL must not fail for arguments that it does not use. */
	if (env.command == CNI_ADD && args_read(&env, failure) < 0)
		return -1;
	*ret_env = env;
	return 0;
}
