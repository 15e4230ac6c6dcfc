// SPDX-License-Identifier: Apache-2.0
#include "agent/exporter.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <string.h>

#include "agent/connlimit.h"
#include "base/cleanup.h"
#include "base/text.h"

struct exporter {
	struct agent *agent;
	struct evhttp *http;
	struct connlimit limit;
};

static void reply(struct exporter *exporter, struct evhttp_request *request, int code, const char *type,
		  const char *text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Connection", "close");
	connlimit_expect(&exporter->limit, request, CONNLIMIT_REPLY_MS);
	if (body)
		evbuffer_add(body, text, strlen(text));
	evhttp_send_reply(request, body ? code : 500, code == 200 ? "OK" : "Unavailable", body);
	if (body)
		evbuffer_free(body);
}

static void gauge(struct text *out, const char *name, const char *help, uint64_t value)
{
	metrics_family(out, name, "gauge", help);
	text_addf(out, "%s %" PRIu64 "\n", name, value);
}

static void print_tables(const struct agent *agent, struct text *out)
{
	struct tables_usage usage = { 0 };

	tables_usage_get(agent->enforce.tables, &usage);
	const struct {
		const char *name;
		uint64_t used, limit;
	} tables[] = {
		{ "endpoints", agent->attachments.n, BH_ENDPOINTS_MAX },
		{ "peers", usage.peers, BH_PEERS_MAX },
		{ "prefixes", usage.prefixes, BH_PREFIXES_MAX },
		{ "verdicts", usage.verdicts, BH_VERDICTS_MAX },
		{ "ports", usage.ports, BH_PORTS_MAX },
		{ "flows", agent->metrics.flows, BH_FLOWS_MAX },
	};
	const size_t n = sizeof(tables) / sizeof(tables[0]);

	metrics_family(out, "bulkhead_table_entries", "gauge", "Entries in the kernel's tables.");
	for (size_t i = 0; i < n; i++)
		text_addf(out, "bulkhead_table_entries{table=\"%s\"} %" PRIu64 "\n", tables[i].name,
			  tables[i].used);
	metrics_family(out, "bulkhead_table_entries_limit", "gauge", "What the tables can hold.");
	for (size_t i = 0; i < n; i++)
		text_addf(out, "bulkhead_table_entries_limit{table=\"%s\"} %" PRIu64 "\n", tables[i].name,
			  tables[i].limit);
}

static void print_cluster(const struct agent *agent, struct text *out)
{
	static const struct {
		const char *name, *help;
	} gauges[] = {
		{ "bulkhead_kubernetes_synced", "1 when all objects of the kind have been known once." },
		{ "bulkhead_kubernetes_degraded", "1 while the kind is not up to date with the API server." },
		{ "bulkhead_kubernetes_objects", "Objects of the kind." },
	};

	for (size_t i = 0; i < sizeof(gauges) / sizeof(*gauges); i++) {
		metrics_family(out, gauges[i].name, "gauge", gauges[i].help);
		for (unsigned int j = 0; j < CLUSTER_KINDS; j++) {
			struct cluster_kind_status kind = cluster_status(agent->cluster, j);
			const size_t values[] = { kind.synced, kind.degraded, kind.objects };

			text_addf(out, "%s{kind=\"%s\"} %zu\n", gauges[i].name, kind.name, values[i]);
		}
	}
}

static void print_gauges(const struct agent *agent, struct text *out)
{
	const char *why = NULL;

	gauge(out, "bulkhead_endpoints", "Pod interfaces on this node.", agent->attachments.n);
	gauge(out, "bulkhead_policies", "Policies known.", agent->store.world.n_netpols);
	gauge(out, "bulkhead_flows", "Flow records in the kernel.", agent->metrics.flows);
	gauge(out, "bulkhead_degraded", "1 while something is wrong; status says what.",
	      health_degraded(&agent->health));
	gauge(out, "bulkhead_ready", "1 when a pod could be added.", agent_ready(agent, &why));
	if (agent->manifests)
		gauge(out, "bulkhead_manifests_broken", "Manifest files that cannot be read.",
		      manifests_broken(agent->manifests));
	else
		print_cluster(agent, out);
	print_tables(agent, out);
	metrics_family(out, "bulkhead_posture", "gauge",
		       "The cluster's posture; audit drops nothing by policy.");
	text_addf(out, "bulkhead_posture{posture=\"%s\"} 1\n", posture_name(agent->config->posture.posture));
	metrics_family(out, "bulkhead_build_info", "gauge", "The daemon's version.");
	text_addf(out, "bulkhead_build_info{version=\"%s\",abi=\"%d\"} 1\n", BULKHEAD_VERSION, BH_ABI);
}

static void serve_metrics(struct evhttp_request *request, void *data)
{
	struct exporter *exporter = data;
	struct agent *agent = exporter->agent;
	auto_text struct text out = { 0 };
	struct err err = { 0 };

	if (metrics_read(&agent->metrics, agent->maps, &err) < 0)
		return reply(exporter, request, 500, "text/plain", err.msg);
	metrics_print(&agent->metrics, &out);
	print_gauges(agent, &out);
	if (out.failed)
		return reply(exporter, request, 500, "text/plain", "out of memory\n");
	reply(exporter, request, 200, "text/plain; version=0.0.4; charset=utf-8", out.data);
}

/* Alive is whoever can answer: the loop turns. */
static void serve_health(struct evhttp_request *request, void *data)
{
	reply(data, request, 200, "text/plain", "ok\n");
}

/* For whoever waits for the node, not for the plugin: that runs by a configuration
 * that is there. */
static bool conflist_there(const struct agent *agent, const char **why)
{
	if (!agent->config->cni.dir[0] || agent->conflist_known)
		return true;
	*why = "the runtime's network configuration could not be written yet; status says why";
	return false;
}

static void serve_ready(struct evhttp_request *request, void *data)
{
	struct exporter *exporter = data;
	const char *why = "ok";
	bool ready = agent_ready(exporter->agent, &why) && conflist_there(exporter->agent, &why);
	auto_text struct text out = { 0 };

	text_addf(&out, "%s\n", why);
	if (exporter->agent->cluster)
		agent_cluster_words(exporter->agent, &out);
	reply(exporter, request, ready ? 200 : 503, "text/plain", out.failed ? why : out.data);
}

static void serve_other(struct evhttp_request *request, void *data)
{
	reply(data, request, 404, "text/plain", "try /metrics, /healthz or /readyz\n");
}

static int serve_port(struct exporter *exporter, struct err *err)
{
	struct agent *agent = exporter->agent;
	const char *where = agent->config->metrics;
	struct evconnlistener *listener;
	struct sockaddr_storage addr;
	int len = sizeof(addr);

	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&addr, &len) < 0)
		return err_set(err, EINVAL, "metrics %s: must be ADDRESS:PORT or none", where);
	listener = evconnlistener_new_bind(agent->base, NULL, NULL,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
					   64, (struct sockaddr *)&addr, len);
	if (!listener)
		return err_set(err, errno, "metrics %s: %s", where, strerror(errno));
	exporter->http = evhttp_new(agent->base);
	if (!exporter->http || !evhttp_bind_listener(exporter->http, listener)) {
		evconnlistener_free(listener);
		return err_set(err, ENOMEM, "metrics %s: out of memory", where);
	}
	evhttp_set_max_headers_size(exporter->http, 8 << 10);
	evhttp_set_max_body_size(exporter->http, 0);
	evhttp_set_allowed_methods(exporter->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(exporter->http, CONNLIMIT_REQUEST_MS / 1000);
	evhttp_set_cb(exporter->http, "/metrics", serve_metrics, exporter);
	evhttp_set_cb(exporter->http, "/healthz", serve_health, exporter);
	evhttp_set_cb(exporter->http, "/readyz", serve_ready, exporter);
	evhttp_set_gencb(exporter->http, serve_other, exporter);
	return connlimit_init(&exporter->limit, agent->base, exporter->http, listener, err);
}

int exporter_open(struct agent *agent, struct exporter **ret_exporter, struct err *err)
{
	struct exporter *exporter;
	int r;

	if (strcmp(agent->config->metrics, "none") == 0)
		return 0;
	exporter = calloc(1, sizeof(*exporter));
	if (!exporter)
		return err_set(err, ENOMEM, "metrics: out of memory");
	exporter->agent = agent;
	r = serve_port(exporter, err);
	if (r < 0) {
		exporter_free(exporter);
		return r;
	}
	*ret_exporter = exporter;
	return 0;
}

struct exporter *exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return NULL;
	connlimit_stop(&exporter->limit);
	if (exporter->http)
		evhttp_free(exporter->http);
	connlimit_done(&exporter->limit);
	free(exporter);
	return NULL;
}
