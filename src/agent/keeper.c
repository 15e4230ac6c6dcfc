// SPDX-License-Identifier: Apache-2.0
#include "agent/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/revisions.h"
#include "base/cleanup.h"

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
	struct keeper next = { 0 };
	struct names here = { 0 };
	int r = names_build(attachments, &here);

	if (r == 0)
		r = keep_present(keeper, world, &here, &next);
	if (r == 0)
		keep_missing(keeper, world, &here, &next);
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
	return 0;
}

void keeper_done(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->n; i++)
		netpol_free(keeper->v[i].netpol);
	free(keeper->v);
	*keeper = (struct keeper){ 0 };
}
