// SPDX-License-Identifier: Apache-2.0
/* From the environment to JSON on stdout. Nothing else ever writes there. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cni/command.h"

static int json_print(const cJSON *json, FILE *out)
{
	auto_free char *text = cJSON_PrintUnformatted(json);

	if (!text || fprintf(out, "%s\n", text) < 0 || fflush(out) != 0) {
		log_error("answer not written: reason=\"%s\"", text ? strerror(errno) : "out of memory");
		return -1;
	}
	return 0;
}

/* cJSON passes bytes through as they are; escaped, the text is UTF-8. */
static bool put_escaped(cJSON *json, const char *key, const char *text)
{
	char safe[2 * ERR_MSG_MAX];

	text_escape(text, safe, sizeof(safe));
	return cJSON_AddStringToObject(json, key, safe);
}

static void failure_print(const struct failure *failure, const char *version, FILE *out)
{
	auto_json cJSON *json = cJSON_CreateObject();

	if (json && cJSON_AddStringToObject(json, "cniVersion", version) &&
	    cJSON_AddNumberToObject(json, "code", failure->code) && put_escaped(json, "msg", failure->msg) &&
	    (!failure->details[0] || put_escaped(json, "details", failure->details)) &&
	    json_print(json, out) == 0)
		return;
	/* Without memory for more, the code must still get through. */
	fprintf(out, "{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"out of memory\"}\n", version,
		failure->code);
	fflush(out);
}

static int command_run(const struct cni_env *env, const struct netconf *conf, cJSON **ret_result,
		       struct failure *failure)
{
	switch (env->command) {
	case CNI_ADD:
		return cmd_add(env, conf, ret_result, failure);
	case CNI_DEL:
		return cmd_del(env, conf, failure);
	case CNI_CHECK:
		return cmd_check(env, conf, failure);
	case CNI_STATUS:
		return cmd_status(env, conf, failure);
	case CNI_GC:
		return cmd_gc(env, conf, failure);
	case CNI_NONE:
	case CNI_VERSION:
		break;
	}
	return failure_set(failure, CODE_ENVIRONMENT, "no such command");
}

static int version_print(FILE *out)
{
	auto_json cJSON *json = cmd_version();

	return json && json_print(json, out) == 0 ? 0 : 1;
}

int dispatch(int config_fd, FILE *out)
{
	auto_netconf struct netconf conf = { .version = CNI_VERSIONS - 1 };
	auto_json cJSON *result = NULL;
	struct failure failure = { 0 };
	struct cni_env env = { 0 };
	int r = cni_env_read(&env, &failure);

	umask(077);
	if (r == 0 && env.command == CNI_VERSION)
		return version_print(out);
	if (r == 0)
		r = netconf_read(config_fd, env.command, &conf, &failure);
	if (r == 0)
		r = command_run(&env, &conf, &result, &failure);
	/* A reader that went away is an error to report, not a reason to die; only
	 * now, because programs that we start inherit this. */
	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		return !result || json_print(result, out) == 0 ? 0 : 1;
	failure_print(&failure, cni_version_names[conf.version], out);
	return 1;
}
