// SPDX-License-Identifier: Apache-2.0
#include "kube/manifest_world.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

struct set {
	struct manifest_file *const *files; /* sorted by name */
	size_t n_files;
	const struct manifest_reader *reader;
};

struct entry {
	const char *kind; /* "Pod", "Deployment/web", ... */
	const char *namespace;
	const char *name;
	const struct manifest_file *file;
	size_t place; /* among all entries, in the order of files */
	void *object;
};

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->kind, y->kind);

	if (!order)
		order = strcmp(x->namespace, y->namespace);
	if (!order)
		order = strcmp(x->name, y->name);
	return order;
}

/* Within one file the later object wins, as the later file does among files;
 * qsort is not stable, so the place decides. */
static int entry_compare_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = entry_compare(a, b);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void report_twice(const struct set *set, const struct entry *loser, const struct entry *winner)
{
	bool is_news = loser->file->is_new || winner->file->is_new;
	auto_text struct text line = { 0 };

	/* A renamed file stands under both names for a moment. */
	if (!is_news || loser->file->lingering || winner->file->lingering)
		return;
	text_addf(&line, "%s: %s %s%s%s is defined ", loser->file->name, loser->kind, loser->namespace,
		  *loser->namespace ? "/" : "", loser->name);
	if (loser->file == winner->file)
		text_addf(&line, "twice; the last one counts");
	else
		text_addf(&line, "in %s too; the one in %s counts", winner->file->name, winner->file->name);
	if (!line.failed)
		set->reader->report(MANIFEST_PROBLEM, line.data, set->reader->data);
}

/* Sorts, keeps the last of equals, and hands the objects to the world. */
static int entries_settle(const struct set *set, struct entry *entries, size_t n, void ***list, size_t *ret_n,
			  struct err *err)
{
	void **more = reallocarray(*list, n ? n : 1, sizeof(*more));

	*ret_n = 0;
	if (!more)
		return err_set(err, ENOMEM, "manifests");
	*list = more;
	if (n)
		qsort(entries, n, sizeof(*entries), entry_compare_place);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && entry_compare(&entries[i], &entries[i + 1]) == 0)
			report_twice(set, &entries[i], &entries[i + 1]);
		else
			more[(*ret_n)++] = entries[i].object;
	}
	return 0;
}

static int pods_collect(const struct set *set, struct entry *entries, struct world *world, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_files; i++)
		for (size_t j = 0; j < set->files[i]->objects.n_pods; j++) {
			struct pod *pod = set->files[i]->objects.pods[j];

			entries[n] = (struct entry){ *pod->workload ? pod->workload : "Pod",
						     pod->namespace,
						     pod->name,
						     set->files[i],
						     n,
						     pod };
			n++;
		}
	return entries_settle(set, entries, n, (void ***)&world->pods, &world->n_pods, err);
}

static int namespaces_collect(const struct set *set, struct entry *entries, struct world *world,
			      struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_files; i++)
		for (size_t j = 0; j < set->files[i]->objects.n_namespaces; j++) {
			struct namespace *ns = set->files[i]->objects.namespaces[j];

			entries[n] = (struct entry){ "Namespace", "", ns->name, set->files[i], n, ns };
			n++;
		}
	return entries_settle(set, entries, n, (void ***)&world->namespaces, &world->n_namespaces, err);
}

static int netpols_collect(const struct set *set, struct entry *entries, struct world *world, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_files; i++)
		for (size_t j = 0; j < set->files[i]->objects.n_netpols; j++) {
			struct netpol *netpol = set->files[i]->objects.netpols[j];

			entries[n] = (struct entry){
				"NetworkPolicy", netpol->namespace, netpol->name, set->files[i], n, netpol
			};
			n++;
		}
	return entries_settle(set, entries, n, (void ***)&world->netpols, &world->n_netpols, err);
}

static int services_collect(const struct set *set, struct entry *entries, struct world *world,
			    struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_files; i++)
		for (size_t j = 0; j < set->files[i]->objects.n_services; j++) {
			struct service *service = set->files[i]->objects.services[j];

			entries[n] = (struct entry){
				"Service", service->namespace, service->name, set->files[i], n, service
			};
			n++;
		}
	return entries_settle(set, entries, n, (void ***)&world->services, &world->n_services, err);
}

static int slices_collect(const struct set *set, struct entry *entries, struct world *world, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_files; i++)
		for (size_t j = 0; j < set->files[i]->objects.n_slices; j++) {
			struct endpoint_slice *slice = set->files[i]->objects.slices[j];

			entries[n] = (struct entry){
				"EndpointSlice", slice->namespace, slice->name, set->files[i], n, slice
			};
			n++;
		}
	return entries_settle(set, entries, n, (void ***)&world->slices, &world->n_slices, err);
}

static int nodes_collect(const struct set *set, struct entry *entries, struct world *world, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_files; i++)
		for (size_t j = 0; j < set->files[i]->objects.n_nodes; j++) {
			struct node *node = set->files[i]->objects.nodes[j];

			entries[n] = (struct entry){ "Node", "", node->name, set->files[i], n, node };
			n++;
		}
	return entries_settle(set, entries, n, (void ***)&world->nodes, &world->n_nodes, err);
}

int manifest_world_build(struct manifest_file *const *files, size_t n_files,
			 const struct manifest_reader *reader, struct world *world, struct err *err)
{
	const struct set set = { files, n_files, reader };
	auto_free struct entry *entries = NULL;
	size_t n = 1;
	int r;

	for (size_t i = 0; i < n_files; i++) {
		const struct manifest_objects *objects = &files[i]->objects;

		n += objects->n_pods + objects->n_namespaces + objects->n_netpols + objects->n_services +
		     objects->n_nodes + objects->n_slices;
	}
	entries = calloc(n, sizeof(*entries));
	if (!entries)
		return err_set(err, ENOMEM, "manifests");
	r = pods_collect(&set, entries, world, err);
	if (r == 0)
		r = namespaces_collect(&set, entries, world, err);
	if (r == 0)
		r = netpols_collect(&set, entries, world, err);
	if (r == 0)
		r = services_collect(&set, entries, world, err);
	if (r == 0)
		r = slices_collect(&set, entries, world, err);
	if (r == 0)
		r = nodes_collect(&set, entries, world, err);
	return r;
}

void manifest_world_free(struct world *world)
{
	free(world->pods);
	free(world->namespaces);
	free(world->netpols);
	free(world->services);
	free(world->slices);
	free(world->nodes);
	*world = (struct world){ 0 };
}

/* --- from one world to the next */

static struct entry entry_of(enum change_kind kind, void *object)
{
	const struct pod *pod = object;
	const struct namespace *ns = object;
	const struct netpol *netpol = object;
	const struct service *service = object;
	const struct endpoint_slice *slice = object;
	const struct node *node = object;

	switch (kind) {
	case CHANGE_POD:
		return (struct entry){ *pod->workload ? pod->workload : "Pod", pod->namespace, pod->name };
	case CHANGE_NAMESPACE:
		return (struct entry){ "", "", ns->name };
	case CHANGE_NETPOL:
		return (struct entry){ "", netpol->namespace, netpol->name };
	case CHANGE_SERVICE:
		return (struct entry){ "", service->namespace, service->name };
	case CHANGE_SLICE:
		return (struct entry){ "", slice->namespace, slice->name };
	case CHANGE_NODE:
		return (struct entry){ "", "", node->name };
	case CHANGE_KINDS:
		break;
	}
	return (struct entry){ "", "", "" };
}

/* Both sorted by name and without repetitions. */
static int lists_compare(enum change_kind kind, void **old, size_t n_old, void **now, size_t n_now,
			 struct feed *changes)
{
	size_t i = 0, k = 0;

	if (feed_reserve(changes, n_old + n_now) < 0)
		return -ENOMEM;
	while (i < n_old || k < n_now) {
		int order = i == n_old ? 1 : k == n_now ? -1 : 0;

		if (order == 0) {
			const struct entry x = entry_of(kind, old[i]), y = entry_of(kind, now[k]);

			order = entry_compare(&x, &y);
		}
		if (order != 0 || old[i] != now[k])
			feed_add(changes, kind, order <= 0 ? old[i] : NULL, order >= 0 ? now[k] : NULL);
		i += order <= 0;
		k += order >= 0;
	}
	return 0;
}

#define LISTS_COMPARE(kind, list)                                                                            \
	lists_compare(kind, (void **)old->list, old->n_##list, (void **)now->list, now->n_##list, changes)

int manifest_world_compare(const struct world *old, const struct world *now, struct feed *changes)
{
	int r = LISTS_COMPARE(CHANGE_NAMESPACE, namespaces);

	if (r == 0)
		r = LISTS_COMPARE(CHANGE_POD, pods);
	if (r == 0)
		r = LISTS_COMPARE(CHANGE_NETPOL, netpols);
	if (r == 0)
		r = LISTS_COMPARE(CHANGE_SERVICE, services);
	if (r == 0)
		r = LISTS_COMPARE(CHANGE_SLICE, slices);
	return r < 0 ? r : LISTS_COMPARE(CHANGE_NODE, nodes);
}
