// SPDX-License-Identifier: Apache-2.0
#include "cni/ipam.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cni/exec.h"

#define IPAM_TIMEOUT_MS 60000
#define ENV_OVERRIDES	5

extern char **environ;

static void exec_output_auto(struct exec_output *output)
{
	free(output->text);
}
#define auto_exec_output cleanup(exec_output_auto)

/* CNI_PATH is a list with ':' between the folders. */
static int plugin_find(const struct ipam_request *request, char **ret_file, struct failure *failure)
{
	const char *type = request->conf->ipam_type;
	char safe[128];

	for (const char *dir = request->path; *dir;) {
		size_t n = strcspn(dir, ":");
		auto_free char *file = NULL;
		struct stat st;

		if (n > 0 && asprintf(&file, "%.*s/%s", (int)n, dir, type) < 0)
			return failure_set(failure, CODE_TRY_LATER, "out of memory");
		if (n > 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0) {
			*ret_file = TAKE(file);
			return 0;
		}
		dir += n + (dir[n] == ':');
	}
	text_escape(request->path, safe, sizeof(safe));
	return failure_set(failure, CODE_IPAM, "IPAM plugin %s is not in CNI_PATH %s", type, safe);
}

static void env_free(char ***env)
{
	if (!*env)
		return;
	for (int i = 0; i < ENV_OVERRIDES; i++)
		free((*env)[i]);
	free(*env);
}

static bool env_is_overridden(const char *entry)
{
	static const char *const names[] = { "CNI_COMMAND=", "CNI_CONTAINERID=", "CNI_IFNAME=", "CNI_NETNS=",
					     "CNI_PATH=" };

	for (int i = 0; i < ENV_OVERRIDES; i++) {
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

/* Our environment with the attachment's own CNI_* values in front. The first
 * ENV_OVERRIDES strings are owned. */
static char **env_build(const struct ipam_request *request, const char *command)
{
	size_t n = 0, at = ENV_OVERRIDES;
	cleanup(env_free) char **env = NULL;

	while (environ[n])
		n++;
	env = calloc(n + ENV_OVERRIDES + 1, sizeof(*env));
	if (!env || asprintf(&env[0], "CNI_COMMAND=%s", command) < 0 ||
	    asprintf(&env[1], "CNI_CONTAINERID=%s", request->container_id) < 0 ||
	    asprintf(&env[2], "CNI_IFNAME=%s", request->ifname) < 0 ||
	    asprintf(&env[3], "CNI_NETNS=%s", request->netns) < 0 ||
	    asprintf(&env[4], "CNI_PATH=%s", request->path) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!env_is_overridden(environ[i]))
			env[at++] = environ[i];
	}
	return TAKE(env);
}

/* An exit that is not 0: the plugin's CNI error, or that it gave none. */
static int answer_failure(const struct ipam_request *request, const char *command,
			  const struct exec_output *output, struct failure *failure)
{
	const char *msg = NULL, *details = NULL;
	auto_json cJSON *json = NULL;
	int64_t code;

	if (json_parse(output->text, output->len, &json, NULL) < 0 ||
	    json_get_int(json, "code", 1, UINT32_MAX, &code, NULL) != 1)
		return failure_set(failure, CODE_IPAM, "IPAM plugin %s: %s ended with %d and no CNI error",
				   request->conf->ipam_type, command, output->exit_code);
	(void)json_get_string(json, "msg", &msg, NULL);
	(void)json_get_string(json, "details", &details, NULL);
	failure_set(failure, code < 100 ? (int)code : CODE_TRY_LATER, "IPAM plugin %s: %s: %s",
		    request->conf->ipam_type, command, msg ?: "");
	snprintf(failure->details, sizeof(failure->details), "%s", details ?: "");
	return -1;
}

/* Returns 0 with the plugin's output, whatever its exit code; -1 if it could not
 * be run. */
static int plugin_run(const struct ipam_request *request, const char *command, const cJSON *config,
		      struct exec_output *ret_output, struct failure *failure)
{
	cleanup(env_free) char **env = env_build(request, command);
	auto_free char *text = cJSON_PrintUnformatted(config);
	auto_free char *file = NULL;
	struct err err = { 0 };

	if (!env || !text)
		return failure_set(failure, CODE_TRY_LATER, "IPAM plugin: out of memory");
	if (plugin_find(request, &file, failure) < 0)
		return -1;
	if (exec_run(file, env, text, IPAM_TIMEOUT_MS, ret_output, &err) < 0)
		return failure_from(failure, CODE_IPAM, &err, "IPAM plugin %s: %s", request->conf->ipam_type,
				    command);
	return 0;
}

/* The newest version that the plugin lists and that is not newer than the
 * configuration's; -1 with failure. */
static int version_negotiate(const struct ipam_request *request, struct failure *failure)
{
	auto_exec_output struct exec_output output = { 0 };
	auto_json cJSON *json = NULL;
	const cJSON *item;
	int best = -1;

	if (plugin_run(request, "VERSION", request->conf->json, &output, failure) < 0)
		return -1;
	if (output.exit_code != 0)
		return answer_failure(request, "VERSION", &output, failure);
	if (json_parse(output.text, output.len, &json, NULL) < 0)
		return failure_set(failure, CODE_IPAM, "IPAM plugin %s: VERSION answers no JSON",
				   request->conf->ipam_type);
	cJSON_ArrayForEach (item, json_get(json, "supportedVersions")) {
		int version = cJSON_IsString(item) ? cni_version_find(item->valuestring) : -1;

		if (version > best && version <= (int)request->conf->version)
			best = version;
	}
	if (best < 0)
		return failure_set(failure, CODE_VERSION,
				   "IPAM plugin %s has no version of CNI in common with us",
				   request->conf->ipam_type);
	return best;
}

static int older_run(const struct ipam_request *request, const char *command, int version,
		     struct exec_output *ret_output, struct failure *failure)
{
	auto_json cJSON *config = cJSON_Duplicate(request->conf->json, true);
	cJSON *name = cJSON_CreateString(cni_version_names[version]);

	if (!config || !name || !cJSON_ReplaceItemInObjectCaseSensitive(config, "cniVersion", name)) {
		cJSON_Delete(name);
		return failure_set(failure, CODE_TRY_LATER, "IPAM plugin: out of memory");
	}
	return plugin_run(request, command, config, ret_output, failure);
}

/* Tries the configuration's version first: a plugin that does not know it says
 * so with CODE_VERSION before it does anything, and most do know it. */
static int plugin_call(const struct ipam_request *request, const char *command,
		       struct exec_output *ret_output, struct failure *failure)
{
	int version;

	if (plugin_run(request, command, request->conf->json, ret_output, failure) < 0)
		return -1;
	if (ret_output->exit_code == 0)
		return 0;
	answer_failure(request, command, ret_output, failure);
	if (failure->code != CODE_VERSION)
		return -1;
	version = version_negotiate(request, failure);
	if (version < 0)
		return -1;
	free(TAKE(ret_output->text));
	if (older_run(request, command, version, ret_output, failure) < 0)
		return -1;
	return ret_output->exit_code == 0 ? 0 : answer_failure(request, command, ret_output, failure);
}

int ipam_add(const struct ipam_request *request, cJSON **ret_answer, struct failure *failure)
{
	auto_exec_output struct exec_output output = { 0 };
	struct err err = { 0 };

	if (plugin_call(request, "ADD", &output, failure) < 0)
		return -1;
	if (json_parse(output.text, output.len, ret_answer, &err) < 0)
		return failure_from(failure, CODE_IPAM_RESULT, &err, "IPAM plugin %s: ADD answers no JSON",
				    request->conf->ipam_type);
	return 0;
}

int ipam_del(const struct ipam_request *request, struct failure *failure)
{
	auto_exec_output struct exec_output output = { 0 };

	return plugin_call(request, "DEL", &output, failure);
}

int ipam_check(const struct ipam_request *request, struct failure *failure)
{
	auto_exec_output struct exec_output output = { 0 };

	return plugin_call(request, "CHECK", &output, failure);
}

/* STATUS and GC came with CNI 1.1: older plugins do not know the words. */
static int newer_call(const struct ipam_request *request, const char *command, struct failure *failure)
{
	auto_exec_output struct exec_output output = { 0 };
	int version = version_negotiate(request, failure);

	if (version < 0)
		return -1;
	if (version < CNI_V1_1_0)
		return 0;
	return plugin_call(request, command, &output, failure);
}

int ipam_status(const struct ipam_request *request, struct failure *failure)
{
	return newer_call(request, "STATUS", failure);
}

int ipam_gc(const struct ipam_request *request, struct failure *failure)
{
	return newer_call(request, "GC", failure);
}
