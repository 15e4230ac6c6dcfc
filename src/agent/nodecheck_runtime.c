// SPDX-License-Identifier: Apache-2.0
/* What the container runtime finds: the plugin, the configuration it takes first, and
 * a daemon that answers. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/nodecheck_room.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/unixhttp.h"
#include "base/version.h"
#include "dataplane/pins.h"

#define CONF_DIR      "/etc/cni/net.d"
#define CONF_MAX      (1u << 20)
#define SOCKET_MS     3000
#define VERSION_BYTES 128

/* --- the plugin */

/* What `path --version` prints, its line end cut; -errno. */
static int version_of(const char *path, char out[VERSION_BYTES])
{
	char *argv[] = { (char *)path, (char *)"--version", NULL }, *envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status;
	pid_t child;
	ssize_t n = 0;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&child, path, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (r == 0) {
		n = read(ends[0], out, VERSION_BYTES - 1);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	if (r != 0 || n <= 0)
		return r ? -r : -ENODATA;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

/* Whoever may write it is root on every node (C23). */
static bool is_guarded(const struct stat *st)
{
	return st->st_uid == 0 && !(st->st_mode & 06022);
}

static void plugin(struct nodecheck *check)
{
	char path[4096], version[VERSION_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "%s/bulkhead", check->plugins);
	if (stat(path, &st) < 0)
		return check_say(check, check_missing(check), "plugin",
				 "bulkheadd --install FOLDER puts it there", "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return check_say(check, CHECK_FAIL, "plugin", "bulkheadd --install FOLDER replaces it",
				 "%s cannot be executed", path);
	if (!is_guarded(&st))
		return check_say(check, CHECK_FAIL, "plugin", "chown root: and chmod 0755 it",
				 "%s can be written by others than root, or is setuid", path);
	if (version_of(path, version) < 0 || strcmp(version, PINS_VERSION_LINE("bulkhead")) != 0)
		return check_say(check, CHECK_FAIL, "plugin",
				 "bulkheadd --install FOLDER replaces it with the daemon's own",
				 "%s is not \"%s\"", path, PINS_VERSION_LINE("bulkhead"));
	check_say(check, CHECK_OK, "plugin", NULL, "%s: %s", path, version);
}

/* --- the configuration */

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

static int is_conf(const struct dirent *item)
{
	return ends_with(item->d_name, ".conflist") || ends_with(item->d_name, ".conf") ||
	       ends_with(item->d_name, ".json");
}

static bool names_us(const cJSON *plugin)
{
	const cJSON *type = json_get(plugin, "type");

	return cJSON_IsString(type) && strcmp(type->valuestring, "bulkhead") == 0;
}

static bool conf_has_us(const char *dir, const char *name)
{
	auto_free char *text = NULL;
	auto_json cJSON *json = NULL;
	const cJSON *plugin;
	char path[4096];
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_read(path, CONF_MAX, &text, &len, NULL) < 0 || json_parse(text, len, &json, NULL) < 0)
		return false;
	if (names_us(json))
		return true;
	cJSON_ArrayForEach (plugin, json_get(json, "plugins"))
		if (names_us(plugin))
			return true;
	return false;
}

/* The runtime takes the first by name, and that one alone. */
static void conflist_judge(struct nodecheck *check, const char *dir, struct dirent *const *items, int n)
{
	int ours = -1;

	for (int i = n - 1; i >= 0; i--)
		if (conf_has_us(dir, items[i]->d_name))
			ours = i;
	if (ours == 0)
		check_say(check, CHECK_OK, "conflist", NULL, "%s/%s is the first there", dir,
			  items[0]->d_name);
	else if (ours > 0)
		check_say(check, CHECK_FAIL, "conflist", "remove the other network, or rename its file",
			  "%s/%s sorts before %s: the runtime takes it and pods have no policy", dir,
			  items[0]->d_name, items[ours]->d_name);
	else if (n > 0)
		check_say(check, CHECK_WARNING, "conflist",
			  "remove it, or chain Bulkhead behind it (cni.chain), or its pods have no policy",
			  "%s/%s is another network's", dir, items[0]->d_name);
	else
		check_say(check, CHECK_WARNING, "conflist",
			  "the daemon writes it once it has synced (cni.confDir)",
			  "%s has none: the runtime waits for one", dir);
}

static void conflist(struct nodecheck *check)
{
	const char *dir =
		check->config->cni.dir && *check->config->cni.dir ? check->config->cni.dir : CONF_DIR;
	struct dirent **items = NULL;
	int n = scandir(dir, &items, is_conf, alphasort);

	if (n < 0)
		return check_say(check, CHECK_WARNING, "conflist", "install a container runtime", "%s: %s",
				 dir, strerror(errno));
	conflist_judge(check, dir, items, n);
	for (int i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

/* --- the daemon */

static void daemon_judge(struct nodecheck *check, const struct unixhttp_reply *reply)
{
	auto_json cJSON *json = NULL;
	const char *version = NULL, *since = NULL;
	bool synced;

	if (reply->status != 200 || json_parse(reply->body, reply->len, &json, NULL) < 0 ||
	    json_get_string(json, "version", &version, NULL) < 0 || !version)
		return check_say(check, CHECK_FAIL, "daemon", "is another program at this socket?",
				 "%s answers %d", check->config->socket, reply->status);
	synced = cJSON_IsTrue(json_get(json, "synced"));
	if (strcmp(version, BULKHEAD_VERSION) != 0)
		return check_say(check, CHECK_FAIL, "daemon", "restart it",
				 "version %s runs, %s is installed", version, BULKHEAD_VERSION);
	if (!synced)
		return check_say(check, CHECK_FAIL, "daemon", "see its log, and `bulkheadctl status`",
				 "running, and not synced: no pod can be added");
	json_get_string(json_get(json, "degraded"), "since", &since, NULL);
	if (since)
		return check_say(check, CHECK_WARNING, "daemon", "`bulkheadctl status` says what",
				 "degraded since %s", since);
	check_say(check, CHECK_OK, "daemon", NULL, "version %s, synced", version);
}

static void daemon_asked(struct nodecheck *check)
{
	struct unixhttp_reply reply = { 0 };
	struct err err = { 0 };

	if (unixhttp_request(check->config->socket, "GET", "/v1/status", NULL, SOCKET_MS, &reply, &err) < 0)
		check_say(check, check_missing(check), "daemon", "start bulkheadd", "%s", err.msg);
	else
		daemon_judge(check, &reply);
	unixhttp_reply_done(&reply);
}

void check_runtime(struct nodecheck *check)
{
	plugin(check);
	conflist(check);
	daemon_asked(check);
}
