// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { PODS, NAMESPACES, NETPOLS, NODES, SERVICES, SLICES };

static const struct {
	const struct object_kind *kind;
	size_t max;
} kinds[CLUSTER_KINDS] = {
	[PODS] = { &object_kind_pod, 300000 },
	[NAMESPACES] = { &object_kind_namespace, 50000 },
	[NETPOLS] = { &object_kind_netpol, 50000 },
	[NODES] = { &object_kind_node, 20000 },
	[SERVICES] = { &object_kind_service, 50000 },
	[SLICES] = { &object_kind_slice, 200000 },
};

struct cluster {
	struct api_config config;
	struct cluster_options options;
	struct pollset set;
	struct watch_env env;
	struct watch watches[CLUSTER_KINDS];
	int n_kinds; /* the first so many are watched */
	struct pollset_timer refresh;
	struct world world; /* arrays are ours, objects belong to the watches */
	struct feed coming; /* since the last read */
	struct feed read;   /* what the reader sees */
	bool is_read;	    /* once, whole */
	bool changed;	    /* since the last read */
	bool told;	    /* the owner knows */
};

static void on_changed(void *data)
{
	struct cluster *cluster = data;

	cluster->changed = true;
}

static void on_report(bool is_error, const char *message, void *data)
{
	struct cluster *cluster = data;

	cluster->options.report(is_error, message, cluster->options.data);
}

static void renew_credentials(void *data)
{
	struct cluster *cluster = data;
	auto_text struct text line = { 0 };
	struct err err = { 0 };

	if (api_config_refresh(&cluster->config, &err) >= 0)
		return;
	text_addf(&line, "credentials: %s; keeping those known", err.msg);
	if (!line.failed)
		on_report(true, line.data, cluster);
}

static void on_refresh(void *data)
{
	struct cluster *cluster = data;

	renew_credentials(cluster);
	pollset_timer_set(&cluster->set, &cluster->refresh, cluster->options.timing.refresh);
}

DEFINE_AUTO(struct cluster, cluster_free)

int cluster_new(struct api_config *config, const struct cluster_options *options, struct cluster **ret,
		struct err *err)
{
	cleanup(cluster_free_auto) struct cluster *cluster = calloc(1, sizeof(*cluster));
	int r;

	if (!cluster)
		return err_set(err, ENOMEM, "cluster");
	cluster->set = (struct pollset)POLLSET_NONE;
	cluster->options = *options;
	cluster->n_kinds = options->without_services ? SERVICES : CLUSTER_KINDS;
	cluster->env = (struct watch_env){ .set = &cluster->set,
					   .timing = options->timing,
					   .feed = &cluster->coming,
					   .renew_credentials = renew_credentials,
					   .report = on_report,
					   .changed = on_changed,
					   .data = cluster };
	cluster->env.breaker.backoff = (struct backoff){ .first_ms = options->timing.backoff_first,
							 .last_ms = options->timing.backoff_last,
							 .healthy_ms = options->timing.healthy };
	cluster->refresh = (struct pollset_timer){ .run = on_refresh, .data = cluster };
	for (int i = 0; i < cluster->n_kinds; i++)
		watch_init(&cluster->watches[i], kinds[i].kind, &cluster->env,
			   options->max[i] ? options->max[i] : kinds[i].max);
	r = pollset_open(&cluster->set, err);
	if (r == 0)
		r = api_http_new(&cluster->config, &cluster->set, &cluster->env.http, err);
	if (r < 0)
		return r;
	cluster->set.on_fd = api_http_on_fd;
	cluster->set.data = cluster->env.http;
	cluster->config = *config;
	*config = (struct api_config){ 0 };
	for (int i = 0; i < cluster->n_kinds; i++)
		watch_start(&cluster->watches[i]);
	pollset_timer_set(&cluster->set, &cluster->refresh, options->timing.refresh);
	*ret = TAKE(cluster);
	return 0;
}

struct cluster *cluster_free(struct cluster *cluster)
{
	if (!cluster)
		return NULL;
	for (int i = 0; i < cluster->n_kinds; i++)
		watch_done(&cluster->watches[i]);
	api_http_free(cluster->env.http);
	pollset_timer_stop(&cluster->set, &cluster->refresh);
	pollset_close(&cluster->set);
	feed_done(&cluster->coming);
	feed_done(&cluster->read);
	api_config_done(&cluster->config);
	free(cluster->world.pods);
	free(cluster->world.namespaces);
	free(cluster->world.netpols);
	free(cluster->world.nodes);
	free(cluster->world.services);
	free(cluster->world.slices);
	free(cluster);
	return NULL;
}

int cluster_fd(const struct cluster *cluster)
{
	return cluster->set.epoll;
}

void cluster_drain(struct cluster *cluster)
{
	cluster->coming.heard_us = pollset_now_us();
	pollset_turn(&cluster->set);
	/* The first read tells everything as new. */
	if (!cluster_synced(cluster))
		feed_clear(&cluster->coming);
	if (!cluster->changed || cluster->told || !cluster_synced(cluster))
		return;
	cluster->told = true;
	cluster->options.changed(cluster->options.data);
}

bool cluster_synced(const struct cluster *cluster)
{
	for (int i = 0; i < cluster->n_kinds; i++)
		if (!cluster->watches[i].synced)
			return false;
	return true;
}

static int bodies_collect(const struct objects *objects, void ***ret, size_t *ret_n)
{
	void **v = calloc(objects->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < objects->n; i++)
		if (objects->v[i]->body)
			v[(*ret_n)++] = objects->v[i]->body;
	*ret = v;
	return 0;
}

/* The reader has read what it was told, and is told what came since. */
static int changes_read(struct cluster *cluster)
{
	struct feed was = cluster->read;

	if (!cluster->is_read) {
		feed_clear(&cluster->coming);
		for (int i = 0; i < cluster->n_kinds; i++)
			if (objects_tell(&cluster->watches[i].live, &cluster->coming) < 0)
				return -ENOMEM;
	}
	cluster->is_read = true;
	feed_clear(&was);
	cluster->read = cluster->coming;
	cluster->coming = was;
	cluster->coming.heard_us = cluster->read.heard_us;
	return 0;
}

int cluster_read(struct cluster *cluster, struct err *err)
{
	void **v[CLUSTER_KINDS] = { NULL };
	size_t n[CLUSTER_KINDS] = { 0 };
	int r = 0;

	if (!cluster->changed || !cluster_synced(cluster))
		return 0;
	for (int i = 0; i < CLUSTER_KINDS && r == 0; i++)
		r = bodies_collect(&cluster->watches[i].live, &v[i], &n[i]);
	if (r == 0)
		r = changes_read(cluster);
	if (r < 0) {
		for (int i = 0; i < CLUSTER_KINDS; i++)
			free(v[i]);
		return err_set(err, ENOMEM, "objects of the cluster");
	}
	free(cluster->world.pods);
	free(cluster->world.namespaces);
	free(cluster->world.netpols);
	free(cluster->world.nodes);
	free(cluster->world.services);
	free(cluster->world.slices);
	cluster->world.pods = (struct pod **)v[PODS];
	cluster->world.n_pods = n[PODS];
	cluster->world.namespaces = (struct namespace **)v[NAMESPACES];
	cluster->world.n_namespaces = n[NAMESPACES];
	cluster->world.netpols = (struct netpol **)v[NETPOLS];
	cluster->world.n_netpols = n[NETPOLS];
	cluster->world.nodes = (struct node **)v[NODES];
	cluster->world.n_nodes = n[NODES];
	cluster->world.services = (struct service **)v[SERVICES];
	cluster->world.n_services = n[SERVICES];
	cluster->world.slices = (struct endpoint_slice **)v[SLICES];
	cluster->world.n_slices = n[SLICES];
	cluster->changed = cluster->told = false;
	return 1;
}

const struct change *cluster_changes(const struct cluster *cluster, size_t *ret_n)
{
	*ret_n = cluster->read.n;
	return cluster->read.v;
}

const struct world *cluster_world(const struct cluster *cluster)
{
	return &cluster->world;
}

const struct pod *cluster_pod_for(const struct cluster *cluster, const char *namespace, const char *name)
{
	const struct object *object;

	if (!cluster_synced(cluster))
		return NULL;
	object = objects_find(&cluster->watches[PODS].live, namespace, name);
	return object ? object->body : NULL;
}

unsigned int cluster_n_kinds(const struct cluster *cluster)
{
	return (unsigned int)cluster->n_kinds;
}

struct cluster_kind_status cluster_status(const struct cluster *cluster, unsigned int kind)
{
	const struct watch *watch = &cluster->watches[kind];

	return (struct cluster_kind_status){
		.name = watch->kind->name,
		.state = watch_state_name(watch->state),
		.synced = watch->synced,
		.degraded = watch->is_degraded,
		.degraded_since = watch->degraded_since,
		.why = watch->is_degraded ? watch->why : "",
		.objects = watch->live.n,
		.unreadable = watch->live.n_unreadable,
		.counts = watch->counts,
	};
}
