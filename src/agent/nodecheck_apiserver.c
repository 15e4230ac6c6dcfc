// SPDX-License-Identifier: Apache-2.0
/* The API server, as the daemon would meet it: reached, trusted, in time, and willing
 * to list and watch every kind. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/nodecheck_room.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "kube/api_probe.h"
#include "kube/objects.h"

#define CLOCK_WARN_S 5
#define CLOCK_FAIL_S 300 /* a token or certificate of today is not valid by then */
#define CERT_WARN_S  (7 * 24 * 3600)

static const struct object_kind *const kinds[] = { &object_kind_pod,	 &object_kind_namespace,
						   &object_kind_netpol,	 &object_kind_node,
						   &object_kind_service, &object_kind_slice };
#define N_KINDS		   (sizeof(kinds) / sizeof(kinds[0]))
#define N_WITHOUT_SERVICES (N_KINDS - 2)

static void clock_judge(struct nodecheck *check, const struct api_reply *reply)
{
	int64_t off = (int64_t)time(NULL) - reply->date_s, size = off < 0 ? -off : off;

	if (!reply->date_s)
		check_say(check, CHECK_WARNING, "time", "compare the clocks by hand",
			  "the API server says no date");
	else if (size > CLOCK_WARN_S)
		check_say(check, size > CLOCK_FAIL_S ? CHECK_FAIL : CHECK_WARNING, "time",
			  "set this node's clock (NTP)", "this node's clock is %lld s %s the API server's",
			  (long long)size, off > 0 ? "ahead of" : "behind");
	else
		check_say(check, CHECK_OK, "time", NULL, "within %d s of the API server's clock",
			  CLOCK_WARN_S);
}

static void certificate_judge(struct nodecheck *check, const struct api_reply *reply)
{
	int64_t left = reply->cert_end_s - (int64_t)time(NULL);

	if (!reply->cert_end_s)
		return; /* not over TLS */
	if (left < CERT_WARN_S)
		check_say(check, CHECK_WARNING, "certificate", "renew the API server's certificate",
			  "it ends in %lld hours", (long long)(left / 3600));
	else
		check_say(check, CHECK_OK, "certificate", NULL, "trusted, for %lld days more",
			  (long long)(left / 86400));
}

/* 0 allowed, 1 denied, negative: no answer. */
static int right_ask(const struct api_config *api, const char *path, const char *query,
		     struct api_reply *reply)
{
	char target[256];
	struct err err = { 0 };

	snprintf(target, sizeof(target), "%s?%s", path, query);
	if (api_probe(api, target, reply, &err) < 0)
		return -EIO;
	if (reply->status == 401 || reply->status == 403)
		return 1;
	return reply->status == 200 ? 0 : -EIO;
}

static void rights(struct nodecheck *check, const struct api_config *api)
{
	static const char *const verbs[][2] = { { "list", "limit=1" },
						{ "watch", "watch=1&timeoutSeconds=1" } };
	size_t n = check->config->no_services ? N_WITHOUT_SERVICES : N_KINDS;
	auto_text struct text denied = { 0 };
	struct api_reply reply;

	for (size_t i = 0; i < n; i++) {
		const struct object_kind *kind = kinds[i];

		for (size_t v = 0; v < 2; v++) {
			int r = right_ask(api, kind->path, verbs[v][1], &reply);

			if (r < 0 && reply.status == 404 && kind->older) {
				kind = kind->older;
				r = right_ask(api, kind->path, verbs[v][1], &reply);
			}
			if (r == 1)
				text_addf(&denied, "%s%s %s (HTTP %d)", denied.len ? ", " : "", verbs[v][0],
					  kinds[i]->name, reply.status);
			else if (r < 0)
				return check_say(check, CHECK_FAIL, "rights", "see the API server's log",
						 "%s %s: HTTP %d %s", verbs[v][0], kinds[i]->name,
						 reply.status, reply.what);
		}
	}
	if (denied.len || denied.failed)
		check_say(check, CHECK_FAIL, "rights",
			  "apply the ClusterRole and its binding of deploy/bulkhead.yaml", "denied: %s",
			  denied.data ? denied.data : "?");
	else
		check_say(check, CHECK_OK, "rights", NULL, "may list and watch all %zu kinds of objects", n);
}

void check_apiserver(struct nodecheck *check)
{
	cleanup(api_config_done) struct api_config api = { 0 };
	const char *kubeconfig = check->config->kubeconfig;
	struct api_reply reply = { 0 };
	struct err err = { 0 };
	int r;

	if (check->config->source != SOURCE_KUBERNETES)
		return;
	r = kubeconfig[0] ? api_config_kubeconfig(kubeconfig, &api, &err)
			  : api_config_in_cluster(API_SERVICE_ACCOUNT, &api, &err);
	if (r < 0)
		return check_say(check, CHECK_FAIL, "apiserver",
				 kubeconfig[0] ? "repair the kubeconfig"
					       : "run this in the daemon's pod, or give --kubeconfig",
				 "%s", err.msg);
	if (api_probe(&api, "/version", &reply, &err) < 0)
		return check_say(check, CHECK_FAIL, "apiserver", "report this", "%s", err.msg);
	if (!reply.status)
		return check_say(
			check, CHECK_FAIL, "apiserver",
			strstr(reply.what, "certificate")
				? "renew the certificate, or give the CA that signed it; check the clock"
				: "check address, network, CA and the clock",
			"%s: %s", api.server, reply.what);
	check_say(check, CHECK_OK, "apiserver", NULL, "%s answers", api.server);
	certificate_judge(check, &reply);
	clock_judge(check, &reply);
	rights(check, &api);
}
