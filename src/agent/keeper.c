// SPDX-License-Identifier: Apache-2.0
#include "agent/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/kept_file.h"
#include "agent/revisions.h"
#include "base/cleanup.h"
#include "base/log.h"

static int kept_compare(const void *a, const void *b)
{
	const struct netpol *p = ((const struct kept *)a)->netpol, *q = ((const struct kept *)b)->netpol;
	int r = strcmp(p->namespace, q->namespace);

	return r ? r : strcmp(p->name, q->name);
}

static struct kept *kept_find(const struct keeper *keeper, const struct netpol *netpol)
{
	struct kept key = { .netpol = (struct netpol *)netpol };

	return keeper->n ? bsearch(&key, keeper->v, keeper->n, sizeof(key), kept_compare) : NULL;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The namespaces that have pods here, sorted; borrowed names. */
struct names {
	const char **v;
	size_t n;
};

static int names_build(const struct attachments *attachments, struct names *names)
{
	names->v = calloc(attachments->n + 1, sizeof(*names->v));
	if (!names->v)
		return -ENOMEM;
	for (size_t i = 0; i < attachments->n; i++)
		names->v[names->n++] = attachments->v[i]->endpoint.namespace;
	qsort(names->v, names->n, sizeof(*names->v), name_compare);
	return 0;
}

static bool names_have(const struct names *names, const char *name)
{
	return names->n && bsearch(&name, names->v, names->n, sizeof(name), name_compare);
}

/* The copy of before where it still reads the same, else a new one. */
static int keep(struct keeper *keeper, const struct netpol *netpol, struct kept *ret)
{
	uint64_t fingerprint = netpol_fingerprint(netpol);
	struct kept *old = kept_find(keeper, netpol);

	*ret = (struct kept){ .fingerprint = fingerprint };
	if (old && !old->moved && old->fingerprint == fingerprint) {
		old->moved = true;
		ret->netpol = old->netpol;
		return 0;
	}
	ret->fresh = true;
	ret->netpol = netpol_copy(netpol);
	return ret->netpol ? 0 : -ENOMEM;
}

static int keep_present(struct keeper *keeper, const struct world *world, const struct names *here,
			struct keeper *next)
{
	next->v = calloc(world->n_netpols + keeper->n + 1, sizeof(*next->v));
	if (!next->v)
		return -ENOMEM;
	for (size_t i = 0; i < world->n_netpols; i++) {
		if (!names_have(here, world->netpols[i]->namespace))
			continue;
		if (keep(keeper, world->netpols[i], &next->v[next->n]) < 0)
			return -ENOMEM;
		next->n++;
	}
	if (next->n)
		qsort(next->v, next->n, sizeof(*next->v), kept_compare);
	return 0;
}

static void keep_missing(struct keeper *keeper, const struct world *world, const struct names *here,
			 struct keeper *next)
{
	size_t n_present = next->n;

	for (size_t i = 0; i < keeper->n; i++) {
		struct kept *old = &keeper->v[i];
		const struct namespace *ns = world_namespace(world, old->netpol->namespace);
		struct keeper present = { next->v, n_present };

		if (old->moved || !ns || !ns->terminating || !names_have(here, old->netpol->namespace) ||
		    kept_find(&present, old->netpol))
			continue;
		old->moved = true;
		next->v[next->n++] = (struct kept){ old->netpol, old->fingerprint, .missing = true };
	}
	if (next->n)
		qsort(next->v, next->n, sizeof(*next->v), kept_compare);
}

/* Isolates every pod of a namespace and allows nothing. */
static struct netpol *netpol_of_the_unknown(const char *namespace)
{
	struct netpol *netpol = calloc(1, sizeof(*netpol));

	if (!netpol)
		return NULL;
	netpol->namespace = strdup(namespace);
	netpol->name = strdup("unreadable-memory");
	netpol->uid = strdup("");
	netpol->pods.has = netpol->isolates[BH_EGRESS] = netpol->isolates[BH_INGRESS] = true;
	return netpol->namespace && netpol->name && netpol->uid ? netpol : netpol_free(netpol);
}

static int keep_closed(const struct world *world, const struct names *here, struct keeper *next)
{
	for (size_t i = 0; i < here->n; i++) {
		const struct namespace *ns = world_namespace(world, here->v[i]);
		struct kept kept = { .missing = true, .fresh = true };
		struct kept *more;

		if (!ns || !ns->terminating || (i > 0 && strcmp(here->v[i], here->v[i - 1]) == 0))
			continue;
		more = reallocarray(next->v, next->n + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		next->v = more;
		kept.netpol = netpol_of_the_unknown(ns->name);
		if (!kept.netpol)
			return -ENOMEM;
		kept.fingerprint = netpol_fingerprint(kept.netpol);
		next->v[next->n++] = kept;
		log_error("namespace %s terminates and what its policies were is not known: its pods here "
			  "are isolated",
			  ns->name);
	}
	if (next->n)
		qsort(next->v, next->n, sizeof(*next->v), kept_compare);
	return 0;
}

/* Of what the file would say; never 0. */
static uint64_t content_of(const struct keeper *keeper)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < keeper->n; i++)
		hash = (hash ^ keeper->v[i].fingerprint) * 0x100000001b3u;
	return hash ? hash : 1;
}

static int memory_write(const struct keeper *keeper, struct err *err)
{
	auto_free const struct netpol **netpols = calloc(keeper->n + 1, sizeof(*netpols));

	if (!netpols)
		return err_set(err, ENOMEM, "%s: out of memory", keeper->path);
	for (size_t i = 0; i < keeper->n; i++)
		netpols[i] = keeper->v[i].netpol;
	return kept_file_write(keeper->path, netpols, keeper->n, err);
}

static void memory_save(struct keeper *keeper)
{
	uint64_t content = content_of(keeper);
	struct err err = { 0 };

	if (!keeper->path || content == keeper->written)
		return;
	if (memory_write(keeper, &err) == 0) {
		keeper->written = content;
		return;
	}
	/* What stands there may allow what has been taken back since. */
	unlink(keeper->path);
	keeper->written = 0;
	log_warn("%s; a restart while a namespace terminates would miss its policies", err.msg);
}

int keeper_load(struct keeper *keeper, const char *path, struct err *err)
{
	auto_free struct netpol **netpols = NULL;
	size_t n = 0;
	int r;

	keeper->path = strdup(path);
	if (!keeper->path)
		return err_set(err, ENOMEM, "remembering policies: out of memory");
	r = kept_file_read(path, &netpols, &n, err);
	keeper->blind = r == -EBADMSG;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	keeper->v = calloc(n + 1, sizeof(*keeper->v));
	for (size_t i = 0; i < n; i++) {
		if (!keeper->v)
			netpol_free(netpols[i]);
		else
			keeper->v[keeper->n++] =
				(struct kept){ netpols[i], netpol_fingerprint(netpols[i]), .missing = true };
	}
	if (!keeper->v)
		return err_set(err, ENOMEM, "remembering policies: out of memory");
	if (n)
		qsort(keeper->v, keeper->n, sizeof(*keeper->v), kept_compare);
	keeper->written = content_of(keeper);
	return 0;
}

static void undo(struct keeper *keeper, struct keeper *next)
{
	for (size_t i = 0; i < next->n; i++)
		if (next->v[i].fresh)
			netpol_free(next->v[i].netpol);
	free(next->v);
	for (size_t i = 0; i < keeper->n; i++)
		keeper->v[i].moved = false;
}

int keeper_update(struct keeper *keeper, const struct world *world, const struct attachments *attachments,
		  struct err *err)
{
	struct keeper next = { .path = keeper->path, .written = keeper->written };
	struct names here = { 0 };
	int r = names_build(attachments, &here);

	if (r == 0)
		r = keep_present(keeper, world, &here, &next);
	if (r == 0)
		keep_missing(keeper, world, &here, &next);
	if (r == 0 && keeper->blind)
		r = keep_closed(world, &here, &next);
	free(here.v);
	if (r < 0) {
		undo(keeper, &next);
		return err_set(err, ENOMEM, "remembering policies: out of memory");
	}
	for (size_t i = 0; i < keeper->n; i++)
		if (!keeper->v[i].moved)
			netpol_free(keeper->v[i].netpol);
	free(keeper->v);
	*keeper = next;
	memory_save(keeper);
	return 0;
}

void keeper_done(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->n; i++)
		netpol_free(keeper->v[i].netpol);
	free(keeper->v);
	free(keeper->path);
	*keeper = (struct keeper){ 0 };
}
