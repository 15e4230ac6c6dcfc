// SPDX-License-Identifier: Apache-2.0
/* Where the server is, who we are to it, and TLS. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "lib/kubeclient.h"
#include "lib/tempdir.h"

struct folder {
	char path[TEMPDIR_MAX];
	struct api_config config;
	struct err err;
};

static char *at(const struct folder *folder, const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder->path, name);
	return path;
}

static void put(const struct folder *folder, const char *name, const char *content)
{
	tempdir_put(folder->path, name, content);
}

static int setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (tempdir_make(folder->path) < 0)
		return -1;
	put(folder, "token", "canary-token\n");
	put(folder, "ca.crt", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	*state = folder;
	return 0;
}

static int teardown(void **state)
{
	struct folder *folder = *state;
	int r = tempdir_remove(folder->path);

	api_config_done(&folder->config);
	free(folder);
	return r;
}

/* --- in a cluster --- */

static void assert_in_cluster(struct folder *folder, const char *server)
{
	api_config_done(&folder->config);
	if (api_config_in_cluster(folder->path, &folder->config, &folder->err) < 0)
		fail_msg("%s", folder->err.msg);
	assert_string_equal(folder->config.server, server);
}

static void assert_not_in_cluster(struct folder *folder, const char *why)
{
	api_config_done(&folder->config);
	assert_true(api_config_in_cluster(folder->path, &folder->config, &folder->err) < 0);
	if (!strstr(folder->err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", folder->err.msg, why);
	assert_null(strstr(folder->err.msg, "canary"));
}

static void the_service_account_is_used_in_a_cluster(void **state)
{
	struct folder *folder = *state;
	size_t len;

	assert_in_cluster(folder, "https://10.96.0.1:443");
	assert_true(folder->config.in_cluster);
	assert_string_equal(api_secret_reveal(folder->config.token, &len), "canary-token");
	assert_int_equal(len, 12);
	assert_non_null(folder->config.ca);
	setenv("KUBERNETES_SERVICE_HOST", "fd00:10:96::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "6443", 1);
	assert_in_cluster(folder, "https://[fd00:10:96::1]:6443");
	setenv("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc", 1);
	assert_in_cluster(folder, "https://kubernetes.default.svc:6443");
}

static void outside_a_cluster_it_says_so(void **state)
{
	struct folder *folder = *state;

	setenv("KUBERNETES_SERVICE_PORT", "0", 1);
	assert_not_in_cluster(folder, "KUBERNETES_SERVICE_PORT");
	setenv("KUBERNETES_SERVICE_PORT", "443/evil", 1);
	assert_not_in_cluster(folder, "KUBERNETES_SERVICE_PORT");
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	setenv("KUBERNETES_SERVICE_HOST", "user@host", 1);
	assert_not_in_cluster(folder, "KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_not_in_cluster(folder, "not in a cluster's pod");
}

static void a_token_that_is_none_is_refused(void **state)
{
	struct folder *folder = *state;
	char *huge = malloc(API_TOKEN_MAX + 20);

	put(folder, "token", "");
	assert_not_in_cluster(folder, "the token is empty");
	put(folder, "token", " \n");
	assert_not_in_cluster(folder, "the token is empty");
	put(folder, "token", "canary\nX-Evil: yes\n");
	assert_not_in_cluster(folder, "more than one word");
	put(folder, "token", "canary two");
	assert_not_in_cluster(folder, "more than one word");
	memset(huge, 'c', API_TOKEN_MAX + 19);
	huge[API_TOKEN_MAX + 19] = '\0';
	put(folder, "token", huge);
	assert_not_in_cluster(folder, "larger than");
	free(huge);
	unlink(at(folder, "token"));
	assert_not_in_cluster(folder, "token");
	put(folder, "token", "good");
	put(folder, "ca.crt", "no certificate");
	assert_not_in_cluster(folder, "no PEM block");
}

/* The kubelet swaps a symlink to a folder. */
static void what_the_kubelet_swaps_is_read_again(void **state)
{
	struct folder *folder = *state;

	mkdir(at(folder, "old"), 0700);
	mkdir(at(folder, "new"), 0700);
	put(folder, "old/token", "one");
	put(folder, "new/token", "two");
	unlink(at(folder, "token"));
	assert_int_equal(symlink("old", at(folder, "data")), 0);
	assert_int_equal(symlink("data/token", at(folder, "token")), 0);
	assert_in_cluster(folder, "https://10.96.0.1:443");
	assert_int_equal(api_config_refresh(&folder->config, &folder->err), 0);
	assert_int_equal(symlink("new", at(folder, "data.next")), 0);
	assert_int_equal(rename(at(folder, "data.next"), at(folder, "data")), 0);
	assert_int_equal(api_config_refresh(&folder->config, &folder->err), 1);
	assert_string_equal(api_secret_reveal(folder->config.token, NULL), "two");
	put(folder, "new/token", "");
	assert_int_equal(api_config_refresh(&folder->config, &folder->err), -EINVAL);
	assert_string_equal(api_secret_reveal(folder->config.token, NULL), "two");
	unlink(at(folder, "ca.crt"));
	put(folder, "new/token", "three");
	assert_true(api_config_refresh(&folder->config, &folder->err) < 0);
	assert_string_equal(api_secret_reveal(folder->config.token, NULL), "three");
	assert_non_null(folder->config.ca);
}

/* --- kubeconfig --- */

#define KUBECONFIG(cluster, user)                                                                            \
	"apiVersion: v1\nkind: Config\ncurrent-context: it\ncontexts:\n- name: other\n  context: {}\n"       \
	"- name: it\n  context: {cluster: c, user: u}\n"                                                     \
	"clusters:\n- name: c\n  cluster: {" cluster "}\nusers:\n- name: u\n  user: {" user "}\n"

static void read_kubeconfig(struct folder *folder, const char *content)
{
	put(folder, "config", content);
	api_config_done(&folder->config);
	if (api_config_kubeconfig(at(folder, "config"), &folder->config, &folder->err) < 0)
		fail_msg("%s", folder->err.msg);
}

static void assert_refused(struct folder *folder, const char *content, const char *why)
{
	put(folder, "config", content);
	api_config_done(&folder->config);
	assert_true(api_config_kubeconfig(at(folder, "config"), &folder->config, &folder->err) < 0);
	if (!strstr(folder->err.msg, why))
		fail_msg("\"%s\" does not say \"%s\"", folder->err.msg, why);
	assert_null(strstr(folder->err.msg, "canary"));
}

static void a_kubeconfig_gives_server_and_identity(void **state)
{
	struct folder *folder = *state;

	put(folder, "key.pem", "-----BEGIN PRIVATE KEY-----\n");
	put(folder, "cert.pem", "-----BEGIN CERTIFICATE-----\n");
	read_kubeconfig(folder,
			KUBECONFIG("server: 'https://[fd00::1]:6443/', certificate-authority: ca.crt, "
				   "tls-server-name: api.example",
				   "client-certificate: cert.pem, client-key: key.pem"));
	assert_string_equal(folder->config.server, "https://[fd00::1]:6443");
	assert_string_equal(folder->config.server_name, "api.example");
	assert_non_null(strstr(folder->config.ca, "BEGIN CERTIFICATE"));
	assert_non_null(strstr(folder->config.cert, "BEGIN CERTIFICATE"));
	assert_non_null(strstr(api_secret_reveal(folder->config.key, NULL), "BEGIN PRIVATE"));
	assert_false(folder->config.in_cluster);
	assert_null(folder->config.token);
}

static void a_kubeconfig_may_carry_everything_inside(void **state)
{
	struct folder *folder = *state;

	read_kubeconfig(
		folder,
		KUBECONFIG("server: 'https://h', certificate-authority-data: "
			   "LS0tLS1CRUdJTiBYLS0tLS0=",
			   "token: canary-inline, client-certificate-data: QUJD, client-key-data: QUI="));
	assert_string_equal(folder->config.ca, "-----BEGIN X-----");
	assert_string_equal(folder->config.cert, "ABC");
	assert_string_equal(api_secret_reveal(folder->config.key, NULL), "AB");
	assert_string_equal(api_secret_reveal(folder->config.token, NULL), "canary-inline");
}

static void a_token_file_wins_over_a_token(void **state)
{
	struct folder *folder = *state;

	read_kubeconfig(folder, KUBECONFIG("server: 'https://h'", "tokenFile: token, token: other"));
	assert_string_equal(api_secret_reveal(folder->config.token, NULL), "canary-token");
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
	struct folder *folder = *state;

	assert_refused(folder, KUBECONFIG("server: 'https://h', insecure-skip-tls-verify: true", ""),
		       "insecure-skip-tls-verify: not supported");
	assert_refused(folder, KUBECONFIG("server: 'https://h', proxy-url: 'http://p'", ""), "proxy-url");
	assert_refused(folder, KUBECONFIG("server: 'https://h'", "exec: {command: x}"),
		       "exec: not supported");
	assert_refused(folder, KUBECONFIG("server: 'https://h'", "username: a, password: canary"),
		       "username");
	assert_refused(folder, KUBECONFIG("server: 'http://10.0.0.1:8080'", ""), "use https");
	assert_refused(folder, KUBECONFIG("server: 'http://127.0.0.1.evil.example'", ""), "use https");
	assert_refused(folder, KUBECONFIG("server: 'https://a@h'", ""), "only host, port and path");
	assert_refused(folder, KUBECONFIG("server: 'ftp://h'", ""), "not an https URL");
	assert_refused(folder, KUBECONFIG("certificate-authority: ca.crt", ""), "server: missing");
	assert_refused(folder, KUBECONFIG("server: 'https://h', certificate-authority-data: '!!'", ""),
		       "not base64");
	assert_refused(folder, KUBECONFIG("server: 'https://h'", "client-certificate: ca.crt"),
		       "one without the other");
	assert_refused(folder, KUBECONFIG("server: 'https://h'", "token: 'canary two'"),
		       "more than one word");
	assert_refused(folder, "current-context: x\n", "contexts: none is called \"x\"");
	assert_refused(folder, "{}", "current-context: missing");
	assert_refused(folder, "[]", "not a kubeconfig");
	assert_refused(folder, KUBECONFIG("server: 'https://h', certificate-authority: missing.crt", ""),
		       "missing.crt");
}

static void plain_http_is_for_loopback(void **state)
{
	(void)state;
	assert_int_equal(api_server_check("http://127.0.0.1:8001", NULL), 0);
	assert_int_equal(api_server_check("http://[::1]:8001", NULL), 0);
	assert_int_equal(api_server_check("http://localhost/", NULL), 0);
	assert_int_equal(api_server_check("http://128.0.0.1", NULL), -EINVAL);
	assert_int_equal(api_server_check("https://[fd00::1", NULL), -EINVAL);
	assert_int_equal(api_server_check("https://", NULL), -EINVAL);
}

/* --- TLS --- */

static void make_certificate(const struct folder *folder, const char *name, const char *san)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		 "-subj /CN=%s "
		 "-addext subjectAltName=%s -keyout %s.key -out %s.crt 2>/dev/null",
		 folder->path, name, san, name, name);
	assert_int_equal(system(command), 0);
}

static char *file_text(const struct folder *folder, const char *name)
{
	char text[8192] = "";
	FILE *file = fopen(at(folder, name), "r");

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	return strdup(text);
}

static struct kubeclient *tls_client(const struct folder *folder, const char *name, const char *ca)
{
	struct kubeclient *client = kubeclient_new();
	struct text url = { 0 };

	apiserver_free(client->server);
	client->server = apiserver_new(at(folder, "one.crt"), at(folder, "one.key"));
	text_addf(&url, "https://%s:%d", name, apiserver_port(client->server));
	free(client->config.server);
	client->config.server = text_take(&url);
	client->config.in_cluster = true;
	client->config.ca_file = strdup(at(folder, ca));
	client->config.ca = file_text(folder, ca);
	return client;
}

static void a_server_with_the_right_certificate_is_believed(void **state)
{
	struct folder *folder = *state;
	struct kubeclient *client;

	/* Nobody may listen there: the in-cluster address is reached without a proxy. */
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	make_certificate(folder, "one", "IP:127.0.0.1");
	client = tls_client(folder, "127.0.0.1", "one.crt");
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster));
	kubeclient_no_errors(client);
	unsetenv("https_proxy");
	kubeclient_free(client);
}

static void assert_not_believed(struct kubeclient *client, const char *why)
{
	kubeclient_start(client);
	UNTIL(client, kubeclient_status(client, "pods").degraded);
	if (!kubeclient_said(client, why))
		fail_msg("%s does not say %s", client->reports.data, why);
	assert_false(cluster_synced(client->cluster));
	assert_int_equal(apiserver_count(client->server, ""), 0);
	kubeclient_free(client);
}

static void a_server_of_another_authority_is_not_believed(void **state)
{
	struct folder *folder = *state;

	make_certificate(folder, "one", "IP:127.0.0.1");
	make_certificate(folder, "two", "IP:127.0.0.1");
	assert_not_believed(tls_client(folder, "127.0.0.1", "two.crt"), "SSL certificate problem");
}

static void a_certificate_for_another_host_is_not_believed(void **state)
{
	struct folder *folder = *state;

	make_certificate(folder, "one", "DNS:api.example");
	assert_not_believed(tls_client(folder, "127.0.0.1", "one.crt"), "SSL:");
}

static void another_name_may_be_asked_of_the_certificate(void **state)
{
	struct folder *folder = *state;
	struct kubeclient *client;

	make_certificate(folder, "one", "DNS:api.example");
	client = tls_client(folder, "127.0.0.1", "one.crt");
	client->config.server_name = strdup("api.example");
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster));
	kubeclient_free(client);
}

static void a_client_certificate_is_shown(void **state)
{
	struct folder *folder = *state;
	struct kubeclient *client;

	make_certificate(folder, "one", "IP:127.0.0.1");
	make_certificate(folder, "two", "DNS:node");
	client = tls_client(folder, "127.0.0.1", "one.crt");
	apiserver_want_client(client->server, at(folder, "two.crt"));
	client->config.cert_file = strdup(at(folder, "two.crt"));
	client->config.key_file = strdup(at(folder, "two.key"));
	assert_int_equal(api_config_refresh(&client->config, &folder->err), 1);
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster));
	kubeclient_no_errors(client);
	kubeclient_free(client);
	client = tls_client(folder, "127.0.0.1", "one.crt");
	apiserver_want_client(client->server, at(folder, "two.crt"));
	kubeclient_start(client);
	UNTIL(client, kubeclient_status(client, "pods").degraded);
	assert_false(cluster_synced(client->cluster));
	kubeclient_free(client);
}

static void a_rotated_certificate_is_believed_with_the_new_authority(void **state)
{
	struct folder *folder = *state;
	struct kubeclient *client;

	make_certificate(folder, "one", "IP:127.0.0.1");
	make_certificate(folder, "two", "IP:127.0.0.1");
	client = tls_client(folder, "127.0.0.1", "one.crt");
	client->options.timing.refresh = 50;
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster) && apiserver_watching(client->server) == CLUSTER_KINDS);
	apiserver_stop(client->server);
	apiserver_certificate(client->server, at(folder, "two.crt"), at(folder, "two.key"));
	apiserver_start(client->server);
	UNTIL(client, kubeclient_said(client, "SSL certificate problem"));
	assert_true(cluster_synced(client->cluster));
	assert_int_equal(rename(at(folder, "two.crt"), at(folder, "one.crt")), 0);
	UNTIL(client, apiserver_watching(client->server) == CLUSTER_KINDS);
	UNTIL(client, !kubeclient_status(client, "pods").degraded);
	kubeclient_free(client);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_service_account_is_used_in_a_cluster),
		T(outside_a_cluster_it_says_so),
		T(a_token_that_is_none_is_refused),
		T(what_the_kubelet_swaps_is_read_again),
		T(a_kubeconfig_gives_server_and_identity),
		T(a_kubeconfig_may_carry_everything_inside),
		T(a_token_file_wins_over_a_token),
		T(what_is_not_supported_is_refused_by_name),
		T(plain_http_is_for_loopback),
		T(a_server_with_the_right_certificate_is_believed),
		T(a_server_of_another_authority_is_not_believed),
		T(a_certificate_for_another_host_is_not_believed),
		T(another_name_may_be_asked_of_the_certificate),
		T(a_client_certificate_is_shown),
		T(a_rotated_certificate_is_believed_with_the_new_authority),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
