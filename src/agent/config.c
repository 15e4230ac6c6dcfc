// SPDX-License-Identifier: Apache-2.0
#include "agent/config.h"

#include <dirent.h>
#include <errno.h>
#include <event2/util.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/config_value.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "dataplane/loader.h"
#include "dataplane/pins.h"

#define CONFIG_FILE_MAX (1 << 20)

static const char *const posture_names[] = {
	[POSTURE_UNSET] = "unset",
	[POSTURE_STANDARD] = "standard",
	[POSTURE_DENY] = "deny",
	[POSTURE_AUDIT] = "audit",
};

const char *posture_name(enum posture posture)
{
	return posture_names[posture];
}

static int set_manifests(struct config *config, const cJSON *value, struct err *err)
{
	return want_path(value, &config->manifests, err);
}

static int set_source(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	if (strcmp(text, "manifests") == 0)
		config->source = SOURCE_MANIFESTS;
	else if (strcmp(text, "kubernetes") == 0)
		config->source = SOURCE_KUBERNETES;
	else
		return err_set(err, EINVAL, "must be manifests or kubernetes");
	return 0;
}

static int set_kubeconfig(struct config *config, const cJSON *value, struct err *err)
{
	return want_path(value, &config->kubeconfig, err);
}

static int set_run_dir(struct config *config, const cJSON *value, struct err *err)
{
	return want_path(value, &config->run_dir, err);
}

static int set_pin_root(struct config *config, const cJSON *value, struct err *err)
{
	return want_path(value, &config->pin_root, err);
}

static int set_socket(struct config *config, const cJSON *value, struct err *err)
{
	return want_path(value, &config->socket, err);
}

static int set_metrics(struct config *config, const cJSON *value, struct err *err)
{
	struct sockaddr_storage addr;
	int len = sizeof(addr);
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	if (strcmp(text, "none") != 0 &&
	    (evutil_parse_sockaddr_port(text, (struct sockaddr *)&addr, &len) < 0 || !strrchr(text, ':')))
		return err_set(err, EINVAL, "must be ADDRESS:PORT or none");
	return string_put(&config->metrics, text, err);
}

static int set_log_level(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r == 0 && log_level_parse(text, &config->log_level) < 0)
		return err_set(err, EINVAL, "must be error, warn, info or debug");
	return r;
}

static int set_pod_wait(struct config *config, const cJSON *value, struct err *err)
{
	return want_number(value, 0, CONFIG_POD_WAIT_MAX_S, &config->pod_wait_s, err);
}

static int set_grace(struct config *config, const cJSON *value, struct err *err)
{
	return want_number(value, 0, 3600, &config->grace_s, err);
}

static int set_node_name(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	return r < 0 ? r : string_put(&config->node_name, text, err);
}

static int set_posture(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	for (int i = POSTURE_STANDARD; i <= POSTURE_AUDIT; i++) {
		if (strcmp(text, posture_names[i]) == 0) {
			config->posture.posture = (enum posture)i;
			return 0;
		}
	}
	return err_set(err, EINVAL, "must be standard, deny or audit");
}

static int set_exempt_namespaces(struct config *config, const cJSON *value, struct err *err)
{
	struct posture_config *posture = &config->posture;
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return err_set(err, EINVAL, "must be a list of namespace names");
	for (size_t i = 0; i < posture->n_exempt_namespaces; i++)
		free(posture->exempt_namespaces[i]);
	free(posture->exempt_namespaces);
	posture->n_exempt_namespaces = 0;
	posture->exempt_namespaces = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof(char *));
	if (!posture->exempt_namespaces)
		return err_set(err, ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, value) {
		if (!cJSON_IsString(item) || !item->valuestring[0])
			return err_set(err, EINVAL, "must be a list of namespace names");
		int r = string_put(&posture->exempt_namespaces[posture->n_exempt_namespaces],
				   item->valuestring, err);

		if (r < 0)
			return r;
		posture->n_exempt_namespaces++;
	}
	return 0;
}

static int set_dns_allow(struct config *config, const cJSON *value, struct err *err)
{
	return want_bool(value, &config->posture.allow_dns, err);
}

static int set_dns_namespace(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r == 0 && !text[0])
		return err_set(err, EINVAL, "must not be empty");
	return r < 0 ? r : string_put(&config->posture.dns_namespace, text, err);
}

static int requirement_fill(struct requirement *requirement, const char *key, const char *value)
{
	requirement->op = SELECTOR_IN;
	requirement->key = strdup(key);
	requirement->values = calloc(1, sizeof(char *));
	if (!requirement->key || !requirement->values)
		return -ENOMEM;
	requirement->values[0] = strdup(value);
	requirement->n_values = requirement->values[0] ? 1 : 0;
	return requirement->n_values ? 0 : -ENOMEM;
}

static int set_dns_labels(struct config *config, const cJSON *value, struct err *err)
{
	struct selector *selector = &config->posture.dns_pods;
	const cJSON *item;

	/* An empty selector would open port 53 of every pod there. */
	if (!cJSON_IsObject(value) || !value->child)
		return err_set(err, EINVAL, "must be a map of at least one label");
	selector_done(selector);
	*selector = (struct selector){ .has = true };
	selector->v = calloc((size_t)cJSON_GetArraySize(value), sizeof(*selector->v));
	if (!selector->v)
		return err_set(err, ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, value) {
		if (!cJSON_IsString(item))
			return err_set(err, EINVAL, "label %s must be a string", item->string);
		if (requirement_fill(&selector->v[selector->n++], item->string, item->valuestring) < 0)
			return err_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

static int set_pod_to_node(struct config *config, const cJSON *value, struct err *err)
{
	bool allow = false;
	int r = want_bool(value, &allow, err);

	if (r == 0)
		config->posture.deny_pod_to_node = !allow;
	return r;
}

static int set_allow_policy_audit(struct config *config, const cJSON *value, struct err *err)
{
	bool allow = false;
	int r = want_bool(value, &allow, err);

	if (r == 0)
		config->posture.forbid_policy_audit = !allow;
	return r;
}

static int set_fragments(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	if (strcmp(text, "pass") != 0 && strcmp(text, "drop") != 0)
		return err_set(err, EINVAL, "must be pass or drop");
	config->kernel.flags &= ~(uint32_t)BH_CONFIG_DROP_FRAGMENTS;
	if (text[0] == 'd')
		config->kernel.flags |= BH_CONFIG_DROP_FRAGMENTS;
	return 0;
}

static int set_extension_headers(struct config *config, const cJSON *value, struct err *err)
{
	return want_flag(value, BH_CONFIG_ALLOW_EXT_HEADERS, &config->kernel.flags, err);
}

static int set_allow_encap(struct config *config, const cJSON *value, struct err *err)
{
	return want_flag(value, BH_CONFIG_ALLOW_ENCAP, &config->kernel.flags, err);
}

static int set_services(struct config *config, const cJSON *value, struct err *err)
{
	const char *text = "";
	int r = want_string(value, &text, err);

	if (r < 0)
		return r;
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		return err_set(err, EINVAL, "must be on or off");
	config->no_services = strcmp(text, "off") == 0;
	return 0;
}

static int set_keep_flows(struct config *config, const cJSON *value, struct err *err)
{
	return want_flag(value, BH_CONFIG_KEEP_FLOWS, &config->kernel.flags, err);
}

static int set_flow_quota(struct config *config, const cJSON *value, struct err *err)
{
	return want_number(value, 1, BH_FLOWS_MAX, &config->kernel.flow_quota, err);
}

static int set_event_rate(struct config *config, const cJSON *value, struct err *err)
{
	return want_number(value, 0, 100000, &config->kernel.event_rate, err);
}

#define SET_SECONDS(name, field)                                                                             \
	static int set_##name(struct config *config, const cJSON *value, struct err *err)                    \
	{                                                                                                    \
		return want_number(value, 1, 7 * 86400, &config->kernel.field, err);                         \
	}
SET_SECONDS(tcp_syn, tcp_syn_s)
SET_SECONDS(tcp_established, tcp_established_s)
SET_SECONDS(tcp_closing, tcp_closing_s)
SET_SECONDS(udp, udp_s)
SET_SECONDS(other, other_s)
SET_SECONDS(fragment, frag_s)
#undef SET_SECONDS

/* --- the keys */

static const struct config_key dns_keys[] = {
	{ "allow", set_dns_allow, NULL },
	{ "namespace", set_dns_namespace, NULL },
	{ "podLabels", set_dns_labels, NULL },
	{ NULL, NULL, NULL },
};

static const struct config_key timeout_keys[] = {
	{ "tcpSyn", set_tcp_syn, NULL },
	{ "tcpEstablished", set_tcp_established, NULL },
	{ "tcpClosing", set_tcp_closing, NULL },
	{ "udp", set_udp, NULL },
	{ "other", set_other, NULL },
	{ "fragment", set_fragment, NULL },
	{ NULL, NULL, NULL },
};

static const struct config_key keys[] = {
	{ "source", set_source, NULL },
	{ "kubeconfig", set_kubeconfig, NULL },
	{ "manifests", set_manifests, NULL },
	{ "runDir", set_run_dir, NULL },
	{ "pinRoot", set_pin_root, NULL },
	{ "socket", set_socket, NULL },
	{ "metrics", set_metrics, NULL },
	{ "logLevel", set_log_level, NULL },
	{ "podWait", set_pod_wait, NULL },
	{ "nodeName", set_node_name, NULL },
	{ "posture", set_posture, NULL },
	{ "exemptNamespaces", set_exempt_namespaces, NULL },
	{ "dns", NULL, dns_keys },
	{ "podToNode", set_pod_to_node, NULL },
	{ "allowPolicyAudit", set_allow_policy_audit, NULL },
	{ "fragments", set_fragments, NULL },
	{ "extensionHeaders", set_extension_headers, NULL },
	{ "allowEncap", set_allow_encap, NULL },
	{ "keepFlows", set_keep_flows, NULL },
	{ "flowQuota", set_flow_quota, NULL },
	{ "eventRate", set_event_rate, NULL },
	{ "oldFlowGrace", set_grace, NULL },
	{ "timeouts", NULL, timeout_keys },
	{ "cni", NULL, config_cni_keys },
	{ "services", set_services, NULL },
	{ "network", config_set_network, NULL },
	{ "tunnelPort", config_set_tunnel_port, NULL },
	{ "tunnelVNI", config_set_tunnel_vni, NULL },
	{ "masquerade", config_set_masquerade, NULL },
	{ "nonMasqueradeCIDRs", config_set_non_masquerade, NULL },
	{ NULL, NULL, NULL },
};

static const struct config_key *key_find(const struct config_key *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

struct config_source {
	const char *path;
	const char *text;
	size_t len;
	unsigned int line; /* of the document */
};

/* Puts "file:line: field" before what a setter said. */
static int locate(const struct config_source *source, const char *field, int r, struct err *err)
{
	return err_wrap(err, r, "%s:%u: %s", source->path,
			yaml_line_of(source->text, source->len, source->line, field), field);
}

static int apply_object(struct config *config, const struct config_source *source, const char *prefix,
			const struct config_key *table, const cJSON *object, struct err *err)
{
	const cJSON *value;

	cJSON_ArrayForEach (value, object) {
		const struct config_key *key = key_find(table, value->string);
		char field[256];
		int r;

		snprintf(field, sizeof(field), "%s%s%s", prefix, prefix[0] ? "." : "", value->string);
		if (!key)
			return locate(source, field, err_set(err, EINVAL, "unknown key"), err);
		if (key->members && cJSON_IsObject(value)) {
			r = apply_object(config, source, field, key->members, value, err);
			if (r < 0)
				return r;
			continue;
		}
		r = key->members ? err_set(err, EINVAL, "must be a map") : key->set(config, value, err);
		if (r < 0)
			return locate(source, field, r, err);
	}
	return 0;
}

int config_parse(struct config *config, const char *path, const char *text, size_t len, struct err *err)
{
	cleanup(yaml_docs_done) struct yaml_docs docs = { 0 };
	struct config_source source = { .path = path, .text = text, .len = len };
	int r = yaml_parse(path, text, len, &docs, err);

	if (r < 0)
		return r;
	if (docs.n == 0)
		return 0; /* only comments: the defaults */
	source.line = docs.v[0].line;
	if (docs.n > 1)
		return err_set(err, EINVAL, "%s:%u: a second document", path, docs.v[1].line);
	if (!cJSON_IsObject(docs.v[0].json))
		return err_set(err, EINVAL, "%s:%u: must be a map of settings", path, source.line);
	return apply_object(config, &source, "", keys, docs.v[0].json, err);
}

static int load_file(struct config *config, const char *path, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = file_read(path, CONFIG_FILE_MAX, &text, &len, err);

	return r < 0 ? r : config_parse(config, path, text, len, err);
}

/* Hidden names are not settings: a mounted ConfigMap keeps its versions under them. */
static int is_settings_file(const struct dirent *item)
{
	const char *end = strrchr(item->d_name, '.');

	return item->d_name[0] != '.' && end && strcmp(end, ".yaml") == 0;
}

static int load_folder(struct config *config, const char *folder, struct err *err)
{
	struct dirent **items = NULL;
	int n = scandir(folder, &items, is_settings_file, alphasort);
	int r = n < 0 ? err_set(err, errno, "open %s: %s", folder, strerror(errno)) : 0;

	if (n == 0)
		r = err_set(err, ENOENT, "%s holds no .yaml file", folder);
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, items[i]->d_name);
		if (r == 0)
			r = load_file(config, path, err);
		free(items[i]);
	}
	free(items);
	return r;
}

int config_load(struct config *config, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return load_folder(config, path, err);
	return load_file(config, path, err);
}

int config_set(struct config *config, const char *key, const char *value, struct err *err)
{
	const struct config_key *known = key_find(keys, key);
	auto_json cJSON *json = NULL;
	unsigned long number;
	int r;

	if (!known || !known->set)
		return err_set(err, EINVAL, "%s: unknown key", key);
	if (known->set == set_pod_wait && text_to_ulong(value, 0, UINT32_MAX, &number) == 0)
		json = cJSON_CreateNumber((double)number);
	else
		json = cJSON_CreateString(value);
	if (!json)
		return err_set(err, ENOMEM, "out of memory");
	r = known->set(config, json, err);
	return r < 0 ? err_wrap(err, r, "%s %s", key, value) : 0;
}

static int dns_default(struct posture_config *posture)
{
	posture->dns_namespace = strdup("kube-system");
	posture->dns_pods.has = true;
	posture->dns_pods.v = calloc(1, sizeof(*posture->dns_pods.v));
	if (!posture->dns_namespace || !posture->dns_pods.v)
		return -ENOMEM;
	posture->dns_pods.n = 1;
	return requirement_fill(&posture->dns_pods.v[0], "k8s-app", "kube-dns");
}

int config_init(struct config *config, struct err *err)
{
	char host[256] = "";

	*config = (struct config){ .log_level = LOG_INFO, .pod_wait_s = 5, .grace_s = 30 };
	config->network = (struct network_settings){ .vni = NETWORK_DEFAULT_VNI, .masquerade = true };
	config->posture.posture = POSTURE_STANDARD;
	config->posture.deny_pod_to_node = true;
	loader_config_default(&config->kernel);
	gethostname(host, sizeof(host) - 1);
	config->manifests = strdup(CONFIG_DEFAULT_MANIFESTS);
	config->kubeconfig = strdup("");
	config->run_dir = strdup(CONFIG_DEFAULT_RUN_DIR);
	config->pin_root = strdup(PINS_DEFAULT_ROOT);
	config->metrics = strdup(CONFIG_DEFAULT_METRICS);
	config->node_name = strdup(host);
	config->socket = strdup("");
	config->cni.dir = strdup("");
	config->cni.chain = strdup("");
	if (dns_default(&config->posture) < 0 || !config->manifests || !config->kubeconfig ||
	    !config->run_dir || !config->pin_root || !config->metrics || !config->node_name ||
	    !config->socket || !config->cni.dir || !config->cni.chain)
		return err_set(err, ENOMEM, "out of memory");
	return 0;
}

int config_finish(struct config *config, struct err *err)
{
	char path[4096];

	if (config->source == SOURCE_MANIFESTS && config->kubeconfig[0])
		return err_set(err, EINVAL, "kubeconfig %s: the source is manifests", config->kubeconfig);
	if (config->source == SOURCE_UNSET)
		config->source = config->kubeconfig[0] ? SOURCE_KUBERNETES : SOURCE_MANIFESTS;
	if (config->network.mode == NETWORK_VXLAN && !config->kernel.tunnel_port)
		config->kernel.tunnel_port = htons(NETWORK_DEFAULT_PORT);
	if (config->socket[0] == '\0') {
		snprintf(path, sizeof(path), "%s/bulkhead.sock", config->run_dir);
		int r = string_put(&config->socket, path, err);

		if (r < 0)
			return r;
	}
	if (strlen(config->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return err_set(err, EINVAL, "socket %s: path too long", config->socket);
	return 0;
}

void config_done(struct config *config)
{
	free(config->manifests);
	free(config->kubeconfig);
	free(config->run_dir);
	free(config->pin_root);
	free(config->socket);
	free(config->metrics);
	free(config->node_name);
	conflist_settings_done(&config->cni);
	free(config->network.keep);
	posture_config_done(&config->posture);
	*config = (struct config){ 0 };
}
