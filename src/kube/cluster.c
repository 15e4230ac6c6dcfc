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
	[PODS] = { &object_kind_pod, 300000 },	      [NAMESPACES] = { &object_kind_namespace, 50000 },
	[NETPOLS] = { &object_kind_netpol, 50000 },   [NODES] = { &object_kind_node, 20000 },
	[SERVICES] = { &object_kind_service, 50000 }, [SLICES] = { &object_kind_slice, 200000 },
};

struct cluster {
	struct api_config config;
	struct cluster_options options;
	struct pollset set;
	struct watch_env env;
	struct watch watches[CLUSTER_KINDS];
	int n_kinds; /* the first so many are watched */
	struct pollset_timer refresh;
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

/* The reader has read what it was told, and is told what came since. */
static void changes_read(struct cluster *cluster)
{
	struct feed was = cluster->read;

	feed_clear(&was);
	cluster->read = cluster->coming;
	cluster->coming = was;
	cluster->coming.heard_us = cluster->read.heard_us;
}

int cluster_read(struct cluster *cluster)
{
	bool first = !cluster->is_read;

	/* Told now, so that nobody points at it when the next change takes it away. */
	if (!cluster->changed || !cluster_synced(cluster)) {
		feed_clear(&cluster->read);
		return 0;
	}
	cluster->is_read = true;
	cluster->changed = cluster->told = false;
	if (first)
		feed_clear(&cluster->coming); /* nobody has seen any of it */
	else
		changes_read(cluster);
	return first ? CLUSTER_FIRST : cluster->read.n > 0;
}

bool cluster_loosens(const struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->coming.n; i++)
		if (cluster->coming.v[i].kind == CHANGE_NETPOL && !cluster->coming.v[i].now)
			return true;
	return false;
}

void cluster_each(const struct cluster *cluster, void (*each)(const struct change *change, void *data),
		  void *data)
{
	for (int i = 0; i < cluster->n_kinds; i++) {
		const struct objects *live = &cluster->watches[i].live;

		for (size_t k = 0; k < live->n; k++) {
			struct change change = { kinds[i].kind->change, NULL, live->v[k]->body, 0 };

			if (change.now)
				each(&change, data);
		}
	}
}

const struct change *cluster_changes(const struct cluster *cluster, size_t *ret_n)
{
	*ret_n = cluster->read.n;
	return cluster->read.v;
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
		.faulty = watch->live.n_faulty,
		.counts = watch->counts,
	};
}
