// SPDX-License-Identifier: Apache-2.0
/* The daemon's settings: what is read, what is refused, and in which words. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config.h"
#include "base/file.h"

static int setup(void **state)
{
	static struct config config;

	*state = &config;
	return config_init(&config, NULL);
}

static int teardown(void **state)
{
	config_done(*state);
	return 0;
}

static int parse(struct config *config, const char *text, struct err *err)
{
	return config_parse(config, "bulkheadd.yaml", text, strlen(text), err);
}

/* Refused with exactly this message. */
static void refused(void **state, const char *text, const char *message)
{
	struct err err = { 0 };

	assert_int_equal(parse(*state, text, &err), -EINVAL);
	assert_string_equal(err.msg, message);
}

static void empty_file_leaves_the_defaults(void **state)
{
	struct config *config = *state;

	assert_int_equal(parse(config, "# nothing\n", NULL), 0);
	assert_int_equal(config_finish(config, NULL), 0);
	assert_string_equal(config->run_dir, "/run/bulkhead");
	assert_string_equal(config->socket, "/run/bulkhead/bulkhead.sock");
	assert_string_equal(config->metrics, "127.0.0.1:9470");
	assert_int_equal(config->posture.posture, POSTURE_STANDARD);
	assert_int_equal(config->pod_wait_s, 5);
	assert_true(config->posture.deny_pod_to_node);
	assert_false(config->posture.allow_dns);
	assert_string_equal(config->posture.dns_namespace, "kube-system");
	assert_int_equal(config->kernel.abi, BH_ABI);
}

static const char every_key[] =
	"manifests: /m\nrunDir: /r\npinRoot: /sys/fs/bpf/x\nsocket: /s.sock\nmetrics: '[::1]:9'\n"
	"logLevel: debug\npodWait: 9\nnodeName: n1\nposture: deny\n"
	"exemptNamespaces: [kube-system, infra]\n"
	"dns: {allow: true, namespace: dns, podLabels: {app: coredns, tier: a}}\n"
	"podToNode: true\nallowPolicyAudit: false\nfragments: drop\nextensionHeaders: true\n"
	"allowEncap: true\nkeepFlows: true\nflowQuota: 7\neventRate: 0\n"
	"timeouts: {tcpSyn: 1, tcpEstablished: 2, tcpClosing: 3, udp: 4, other: 5, fragment: 6}\n"
	"tunnelPort: 8472\noldFlowGrace: 0\n"
	"network: vxlan\ntunnelVNI: 77\nmasquerade: false\nnonMasqueradeCIDRs: [10.0.0.0/8, "
	"'fd00::/8']\n"
	"cni: {confDir: /etc/cni/net.d, chain: auto, podCIDRs: [10.1.0.0/24, 'fd00::/64'], mtu: "
	"1400}\n"
	"services: off\n";

static void posture_is_read(const struct config *config)
{
	assert_int_equal(config->posture.posture, POSTURE_DENY);
	assert_int_equal(config->posture.n_exempt_namespaces, 2);
	assert_string_equal(config->posture.exempt_namespaces[1], "infra");
	assert_true(config->posture.allow_dns);
	assert_string_equal(config->posture.dns_namespace, "dns");
	assert_int_equal(config->posture.dns_pods.n, 2);
	assert_string_equal(config->posture.dns_pods.v[0].key, "app");
	assert_string_equal(config->posture.dns_pods.v[0].values[0], "coredns");
	assert_false(config->posture.deny_pod_to_node);
	assert_true(config->posture.forbid_policy_audit);
}

static void kernel_is_read(const struct config *config)
{
	assert_int_equal(config->kernel.flags, BH_CONFIG_DROP_FRAGMENTS | BH_CONFIG_ALLOW_EXT_HEADERS |
						       BH_CONFIG_ALLOW_ENCAP | BH_CONFIG_KEEP_FLOWS);
	assert_int_equal(config->kernel.flow_quota, 7);
	assert_int_equal(config->kernel.event_rate, 0);
	assert_int_equal(config->kernel.tcp_syn_s, 1);
	assert_int_equal(config->kernel.tcp_established_s, 2);
	assert_int_equal(config->kernel.tcp_closing_s, 3);
	assert_int_equal(config->kernel.udp_s, 4);
	assert_int_equal(config->kernel.other_s, 5);
	assert_int_equal(config->kernel.frag_s, 6);
	assert_int_equal(config->kernel.tunnel_port, htons(8472));
}

static void network_is_read(const struct config *config)
{
	assert_int_equal(config->network.mode, NETWORK_VXLAN);
	assert_int_equal(config->network.vni, 77);
	assert_false(config->network.masquerade);
	assert_int_equal(config->network.n_keep, 2);
	assert_string_equal(config->cni.dir, "/etc/cni/net.d");
	assert_string_equal(config->cni.chain, CONFLIST_CHAIN_ANY);
	assert_int_equal(config->cni.n_pod_cidrs, 2);
	assert_false(config->cni.pod_cidrs[1].is_v4);
	assert_int_equal(config->cni.pod_mtu, 1400);
	assert_true(config->no_services);
}

static void every_key_is_read(void **state)
{
	struct config *config = *state;
	struct err err = { 0 };
	int r = parse(config, every_key, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(r, 0);
	assert_string_equal(config->manifests, "/m");
	assert_string_equal(config->pin_root, "/sys/fs/bpf/x");
	assert_string_equal(config->socket, "/s.sock");
	assert_string_equal(config->metrics, "[::1]:9");
	assert_int_equal(config->log_level, LOG_DEBUG);
	assert_int_equal(config->pod_wait_s, 9);
	assert_string_equal(config->node_name, "n1");
	assert_int_equal(config->grace_s, 0);
	posture_is_read(config);
	kernel_is_read(config);
	network_is_read(config);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void a_folder_is_read_in_the_order_of_its_names(void **state)
{
	struct config *config = *state;
	char folder[] = "/tmp/config.XXXXXX", command[64];
	struct err err = { 0 };

	assert_non_null(mkdtemp(folder));
	assert_int_equal(config_load(config, folder, &err), -ENOENT);
	put(folder, "10-base.yaml", "posture: deny\npodWait: 7\n");
	put(folder, "50-audit.yaml", "posture: audit\n");
	put(folder, ".hidden.yaml", "not: read\n");
	put(folder, "README", "not: read\n");
	assert_int_equal(config_load(config, folder, NULL), 0);
	assert_int_equal(config->posture.posture, POSTURE_AUDIT);
	assert_int_equal(config->pod_wait_s, 7);
	put(folder, "60-bad.yaml", "postur: deny\n");
	assert_int_equal(config_load(config, folder, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "/60-bad.yaml:1: postur: unknown key"));
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

static void a_flag_can_be_switched_off_again(void **state)
{
	struct config *config = *state;

	assert_int_equal(parse(config, "fragments: drop\nkeepFlows: true\n", NULL), 0);
	assert_int_equal(parse(config, "fragments: pass\nkeepFlows: false\n", NULL), 0);
	assert_false(config->no_services);
	assert_int_equal(parse(config, "services: off\n", NULL), 0);
	assert_true(config->no_services);
	assert_int_equal(parse(config, "services: on\n", NULL), 0);
	assert_false(config->no_services);
	assert_int_equal(config->kernel.flags, 0);
}

static void unknown_keys_are_errors_with_their_line(void **state)
{
	refused(state, "posture: deny\npostur: audit\n", "bulkheadd.yaml:2: postur: unknown key");
	refused(state, "dns:\n  allow: true\n  label: x\n", "bulkheadd.yaml:3: dns.label: unknown key");
}

static void bad_values_are_errors_with_their_line(void **state)
{
	refused(state, "\nposture: strict\n", "bulkheadd.yaml:2: posture: must be standard, deny or audit");
	refused(state, "podToNode: 'yes'\n", "bulkheadd.yaml:1: podToNode: must be true or false");
	refused(state, "podWait: 61\n", "bulkheadd.yaml:1: podWait: must be a whole number from 0 to 60");
	refused(state, "podWait: 1.5\n", "bulkheadd.yaml:1: podWait: must be a whole number from 0 to 60");
	refused(state, "flowQuota: 0\n",
		"bulkheadd.yaml:1: flowQuota: must be a whole number from 1 to 262144");
	refused(state, "tunnelPort: 65536\n",
		"bulkheadd.yaml:1: tunnelPort: must be a whole number from 0 to 65535");
	refused(state, "network: geneve\n", "bulkheadd.yaml:1: network: must be none, vxlan or direct");
	refused(state, "tunnelVNI: 0\n",
		"bulkheadd.yaml:1: tunnelVNI: must be a whole number from 1 to 16777215");
	refused(state, "nonMasqueradeCIDRs: [10.0.0.0]\n",
		"bulkheadd.yaml:1: nonMasqueradeCIDRs: must be a list of address ranges (10.0.0.0/8)");
	refused(state, "metrics: everywhere\n", "bulkheadd.yaml:1: metrics: must be ADDRESS:PORT or none");
	refused(state, "runDir: run\n", "bulkheadd.yaml:1: runDir: must be an absolute path");
	refused(state, "cni: {confDir: net.d}\n", "bulkheadd.yaml:1: cni.confDir: must be an absolute path");
	refused(state, "cni: {chain: a/b}\n",
		"bulkheadd.yaml:1: cni.chain: must be the name of another file in confDir, or auto");
	refused(state, "cni:\n  podCIDRs: [10.0.0.1]\n",
		"bulkheadd.yaml:2: cni.podCIDRs: must be a list of address ranges (10.244.1.0/24)");
	refused(state, "cni: {mtu: 500}\n", "bulkheadd.yaml:1: cni.mtu: must be 0 or from 576 to 65535");
	refused(state, "timeouts: 5\n", "bulkheadd.yaml:1: timeouts: must be a map");
	refused(state, "fragments: maybe\n", "bulkheadd.yaml:1: fragments: must be pass or drop");
	refused(state, "services: maybe\n", "bulkheadd.yaml:1: services: must be on or off");
	refused(state, "exemptNamespaces: a\n",
		"bulkheadd.yaml:1: exemptNamespaces: must be a list of namespace names");
	refused(state, "- a\n", "bulkheadd.yaml:1: must be a map of settings");
	refused(state, "posture: deny\n---\nposture: audit\n", "bulkheadd.yaml:2: a second document");
}

/* An empty selector would open port 53 of every pod of that namespace. */
static void the_source_is_the_folder_or_a_cluster(void **state)
{
	struct config *config = *state;
	struct err err = { 0 };

	refused(state, "source: etcd\n", "bulkheadd.yaml:1: source: must be manifests or kubernetes");
	refused(state, "kubeconfig: relative\n", "bulkheadd.yaml:1: kubeconfig: must be an absolute path");
	assert_int_equal(config_finish(config, &err), 0);
	assert_int_equal(config->source, SOURCE_MANIFESTS);
	assert_int_equal(parse(config, "kubeconfig: /etc/kubeconfig\n", &err), 0);
	assert_int_equal(config_finish(config, &err), -EINVAL);
	assert_string_equal(err.msg, "kubeconfig /etc/kubeconfig: the source is manifests");
	config->source = SOURCE_UNSET;
	assert_int_equal(config_finish(config, &err), 0);
	assert_int_equal(config->source, SOURCE_KUBERNETES);
	assert_int_equal(parse(config, "source: kubernetes\n", &err), 0);
	assert_int_equal(config->source, SOURCE_KUBERNETES);
}

static void dns_labels_must_not_be_empty(void **state)
{
	refused(state, "dns: {podLabels: {}}\n",
		"bulkheadd.yaml:1: dns.podLabels: must be a map of at least one label");
}

static void flags_go_over_the_file(void **state)
{
	struct config *config = *state;
	struct err err = { 0 };

	assert_int_equal(parse(config, "posture: deny\npodWait: 3\n", NULL), 0);
	assert_int_equal(config_set(config, "posture", "audit", &err), 0);
	assert_int_equal(config_set(config, "podWait", "0", &err), 0);
	assert_int_equal(config->posture.posture, POSTURE_AUDIT);
	assert_int_equal(config->pod_wait_s, 0);
	assert_int_equal(config_set(config, "podWait", "soon", &err), -EINVAL);
	assert_string_equal(err.msg, "podWait soon: must be a whole number from 0 to 60");
}

static void a_socket_path_that_does_not_fit_is_refused(void **state)
{
	struct config *config = *state;
	char text[200] = "runDir: /";
	struct err err = { 0 };

	memset(text + 9, 'x', 120);
	assert_int_equal(parse(config, text, &err), 0);
	assert_int_equal(config_finish(config, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "path too long"));
}

/* The sample that is shipped says what the defaults are. */
static void the_sample_file_says_the_defaults(void **state)
{
	struct config sample = { 0 };
	struct config *config = *state;
	struct err err = { 0 };

	assert_int_equal(config_init(&sample, NULL), 0);
	assert_int_equal(config_load(&sample, "deploy/bulkheadd.yaml", &err), 0);
	assert_memory_equal(&sample.kernel, &config->kernel, sizeof(sample.kernel));
	assert_string_equal(sample.manifests, config->manifests);
	assert_string_equal(sample.run_dir, config->run_dir);
	assert_string_equal(sample.pin_root, config->pin_root);
	assert_string_equal(sample.metrics, config->metrics);
	assert_int_equal(sample.log_level, config->log_level);
	assert_int_equal(sample.pod_wait_s, config->pod_wait_s);
	assert_int_equal(sample.grace_s, config->grace_s);
	assert_int_equal(sample.posture.posture, config->posture.posture);
	assert_int_equal(sample.posture.allow_dns, config->posture.allow_dns);
	assert_string_equal(sample.posture.dns_namespace, config->posture.dns_namespace);
	assert_string_equal(sample.posture.dns_pods.v[0].values[0], config->posture.dns_pods.v[0].values[0]);
	assert_int_equal(sample.posture.deny_pod_to_node, config->posture.deny_pod_to_node);
	assert_int_equal(sample.posture.forbid_policy_audit, config->posture.forbid_policy_audit);
	config_done(&sample);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_file_leaves_the_defaults),
		TEST(every_key_is_read),
		TEST(a_folder_is_read_in_the_order_of_its_names),
		TEST(a_flag_can_be_switched_off_again),
		TEST(unknown_keys_are_errors_with_their_line),
		TEST(bad_values_are_errors_with_their_line),
		TEST(the_source_is_the_folder_or_a_cluster),
		TEST(dns_labels_must_not_be_empty),
		TEST(flags_go_over_the_file),
		TEST(the_sample_file_says_the_defaults),
		TEST(a_socket_path_that_does_not_fit_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
