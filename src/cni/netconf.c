// SPDX-License-Identifier: Apache-2.0
#include "cni/netconf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

const char *const cni_version_names[CNI_VERSIONS] = { "0.3.1", "0.4.0", "1.0.0", "1.1.0" };

int cni_version_find(const char *name)
{
	for (int i = 0; i < CNI_VERSIONS; i++) {
		if (strcmp(name, cni_version_names[i]) == 0)
			return i;
	}
	return -1;
}

void netconf_done(struct netconf *conf)
{
	cJSON_Delete(conf->json);
	*conf = (struct netconf){ 0 };
}

/* A configuration without cniVersion means 0.1.0 by the specification. */
static int version_read(struct netconf *conf, enum cni_command command, struct failure *failure)
{
	static const enum cni_version oldest[] = {
		[CNI_CHECK] = CNI_V0_4_0,
		[CNI_STATUS] = CNI_V1_1_0,
		[CNI_GC] = CNI_V1_1_0,
		[CNI_VERSION] = 0,
	};
	const char *text = NULL;
	char safe[64];
	int version;

	if (json_get_string(conf->json, "cniVersion", &text, NULL) < 0)
		return failure_set(failure, CODE_CONFIG, "cniVersion is not a string");
	version = cni_version_find(text ?: "0.1.0");
	text_escape(text ?: "0.1.0", safe, sizeof(safe));
	if (version < 0)
		return failure_set(failure, CODE_VERSION,
				   "cniVersion %s is not supported (0.3.1, 0.4.0, 1.0.0, 1.1.0 are)", safe);
	conf->version = (enum cni_version)version;
	if (conf->version < oldest[command])
		return failure_set(failure, CODE_VERSION,
				   "this command needs cniVersion %s, the configuration has %s",
				   cni_version_names[oldest[command]], safe);
	return 0;
}

static int name_read(struct netconf *conf, struct failure *failure)
{
	if (json_get_string(conf->json, "name", &conf->name, NULL) < 0)
		return failure_set(failure, CODE_CONFIG, "name is not a string");
	if (!conf->name || !cni_id_valid(conf->name))
		return failure_set(failure, CODE_CONFIG,
				   "name of the network is missing or not [a-zA-Z0-9][a-zA-Z0-9_.-]* of at "
				   "most 200 bytes");
	return 0;
}

/* A value of one of our own keys that we cannot use: key and value by name. */
static int key_refuse(const struct netconf *conf, const char *key, const char *rule, struct failure *failure)
{
	auto_free char *value = cJSON_PrintUnformatted(json_get(conf->json, key));
	char safe[128];

	text_escape(value ?: "", safe, sizeof(safe));
	return failure_set(failure, CODE_UNSUPPORTED, "%s %s: %s", key, safe, rule);
}

static bool dir_valid(const char *path)
{
	if (path[0] != '/' || !path[1] || strlen(path) > NETCONF_DIR_MAX)
		return false;
	for (const char *p = path; *p; p++) {
		if (*p < ' ' || *p == 0x7f || strncmp(p, "/../", 4) == 0 || strcmp(p, "/..") == 0)
			return false;
	}
	return true;
}

static int dir_read(struct netconf *conf, const char *key, const char *fallback, char *out,
		    struct failure *failure)
{
	const char *value = NULL;

	if (json_get_string(conf->json, key, &value, NULL) < 0 || (value && !dir_valid(value)))
		return key_refuse(conf, key, "not an absolute path of at most 80 bytes", failure);
	snprintf(out, NETCONF_DIR_MAX + 1, "%s", value ?: fallback);
	return 0;
}

static int own_keys_read(struct netconf *conf, struct failure *failure)
{
	int64_t mtu = 0, timeout_s = 10;
	const char *level_name = NULL;
	enum log_level level = LOG_INFO;

	if (json_get_int(conf->json, "mtu", 0, NETCONF_MTU_MAX, &mtu, NULL) < 0 ||
	    (mtu && mtu < NETCONF_MTU_MIN))
		return key_refuse(conf, "mtu", "not 0 or 68..65535", failure);
	if (json_get_int(conf->json, "daemonTimeout", 1, 60, &timeout_s, NULL) < 0)
		return key_refuse(conf, "daemonTimeout", "not 1..60 seconds", failure);
	if (json_get_string(conf->json, "logLevel", &level_name, NULL) < 0 ||
	    (level_name && log_level_parse(level_name, &level) < 0))
		return key_refuse(conf, "logLevel", "not error, warn, info or debug", failure);
	log_set_level(level);
	conf->mtu = (uint32_t)mtu;
	conf->daemon_timeout_ms = (unsigned int)timeout_s * 1000;
	if (dir_read(conf, "runDir", "/run/bulkhead", conf->run_dir, failure) < 0)
		return -1;
	return dir_read(conf, "pinRoot", "/sys/fs/bpf/bulkhead", conf->pin_root, failure);
}

static int ipam_read(struct netconf *conf, struct failure *failure)
{
	const cJSON *ipam = json_get(conf->json, "ipam");

	if (ipam && !cJSON_IsObject(ipam))
		return failure_set(failure, CODE_CONFIG, "ipam is not an object");
	if (json_get_string(ipam, "type", &conf->ipam_type, NULL) < 0)
		return failure_set(failure, CODE_CONFIG, "ipam.type is not a string");
	if (conf->ipam_type && (!*conf->ipam_type || strlen(conf->ipam_type) > 63 ||
				*conf->ipam_type == '.' || strchr(conf->ipam_type, '/')))
		return failure_set(failure, CODE_CONFIG, "ipam.type is not the name of a plugin");
	return 0;
}

/* In a chain addresses come from prevResult; alone there must be an IPAM plugin. */
static int sections_check(struct netconf *conf, enum cni_command command, struct failure *failure)
{
	conf->prev_result = json_get(conf->json, "prevResult");
	if (conf->prev_result && !cJSON_IsObject(conf->prev_result))
		return failure_set(failure, CODE_CONFIG, "prevResult is not an object");
	if (command == CNI_CHECK && !conf->prev_result)
		return failure_set(failure, CODE_CONFIG, "prevResult is missing, and CHECK needs it");
	if (command == CNI_ADD && !conf->prev_result && !conf->ipam_type)
		return failure_set(failure, CODE_CONFIG, "ipam.type is missing, and there is no prevResult");
	return 0;
}

int netconf_parse(const char *text, size_t len, enum cni_command command, struct netconf *ret_conf,
		  struct failure *failure)
{
	auto_netconf struct netconf conf = { 0 };
	struct err err = { 0 };

	if (json_parse(text, len, &conf.json, &err) < 0)
		return failure_from(failure, CODE_UNDECODABLE, &err,
				    "network configuration on stdin is not JSON");
	if (!cJSON_IsObject(conf.json))
		return failure_set(failure, CODE_UNDECODABLE,
				   "network configuration on stdin is not a JSON object");
	if (version_read(&conf, command, failure) < 0 || name_read(&conf, failure) < 0 ||
	    own_keys_read(&conf, failure) < 0 || ipam_read(&conf, failure) < 0 ||
	    sections_check(&conf, command, failure) < 0)
		return -1;
	*ret_conf = conf;
	conf.json = NULL;
	return 0;
}

int netconf_read(int fd, enum cni_command command, struct netconf *ret_conf, struct failure *failure)
{
	auto_free char *text = NULL;
	struct err err = { 0 };
	size_t len;
	int r = file_read_fd(fd, "stdin", NETCONF_STDIN_MAX, &text, &len, &err);

	if (r < 0)
		return failure_from(failure, r == -EFBIG ? CODE_UNDECODABLE : CODE_IO, &err,
				    "network configuration on stdin");
	return netconf_parse(text, len, command, ret_conf, failure);
}
