// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/report.h"
#include "report/report_part.h"

struct listing {
	const struct world *world;
	const struct service_view *view;
	cJSON *list;
	bool good;
};

static bool backend_put(const struct listing *listing, cJSON *list, const struct bh_backend *backend)
{
	struct explain_end end = end_of_addr(listing->world, NULL, &backend->addr);
	cJSON *item = put_object(list, "");
	char addr[ADDR_TEXT_MAX];

	addr_format(&backend->addr, addr);
	return item && put_text(item, "address", addr) && put_number(item, "port", ntohs(backend->port)) &&
	       (!end.pod || put_pod(item, "pod", end.pod));
}

static bool port_put(const struct listing *listing, cJSON *list, const struct service_state *state,
		     const struct bh_addr *front, const struct service_port *port)
{
	cJSON *item = put_object(list, ""), *backends;
	struct backends found;
	char addr[ADDR_TEXT_MAX], proto[PROTO_TEXT_MAX];
	bool good;

	addr_format(front, addr);
	good = item && put_text(item, "address", addr) && put_number(item, "port", port->port) &&
	       put_text(item, "protocol", proto_text(port->proto, proto)) &&
	       (!*port->name || put_text(item, "name", port->name));
	backends = good ? put_array(item, "backends") : NULL;
	if (!backends || backends_find(state->service, port, !addr_is_v4(front), state->slices,
				       state->n_slices, listing->view, &found) < 0)
		return false;
	for (size_t i = 0; good && i < found.n; i++)
		good = backend_put(listing, backends, &found.v[i]);
	good = good && put_text(item, "state", found.n ? "ok" : "no endpoints");
	backends_done(&found);
	return good;
}

static bool ports_put(const struct listing *listing, cJSON *object, const struct service_state *state)
{
	const struct service *service = state->service;
	cJSON *list = put_array(object, "ports");
	bool good = list;

	for (size_t i = 0; good && i < service->n_addrs; i++)
		for (size_t j = 0; good && j < service->n_ports; j++)
			good = port_put(listing, list, state, &service->addrs[i], &service->ports[j]);
	return good;
}

static const char *state_word(const struct service_state *state)
{
	if (state->service->headless)
		return "headless";
	if (state->service->is_name)
		return "external name";
	if (state->service->n_addrs == 0)
		return "no address";
	return *state->problem ? "refused" : "ok";
}

static bool service_put(const struct listing *listing, const struct service_state *state)
{
	const struct service *service = state->service;
	cJSON *object = put_object(listing->list, "");

	return object && put_text(object, "namespace", service->namespace) &&
	       put_text(object, "name", service->name) && ports_put(listing, object, state) &&
	       put_text(object, "state", state_word(state)) &&
	       (!*state->problem || put_text(object, "why", state->problem)) &&
	       put_number(object, "revision", state->revision) &&
	       put_bool(object, "localOnly", service->local_only) &&
	       put_number(object, "affinitySeconds", service->affinity_s);
}

static void each(const struct service_state *state, void *data)
{
	struct listing *listing = data;

	listing->good = listing->good && service_put(listing, state);
}

/* For people: by namespace and name. */
static int item_compare(const void *a, const void *b)
{
	const cJSON *x = *(cJSON *const *)a, *y = *(cJSON *const *)b;
	int order = strcmp(json_get(x, "namespace")->valuestring, json_get(y, "namespace")->valuestring);

	return order ? order : strcmp(json_get(x, "name")->valuestring, json_get(y, "name")->valuestring);
}

static bool list_sort(cJSON *list)
{
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0;
	auto_free cJSON **items = calloc(n + 1, sizeof(*items));

	if (!items)
		return false;
	while ((items[i] = cJSON_DetachItemFromArray(list, 0)))
		i++;
	qsort(items, n, sizeof(*items), item_compare);
	for (i = 0; i < n; i++)
		cJSON_AddItemToArray(list, items[i]);
	return true;
}

int report_services(const struct world *world, const struct services *services,
		    const struct service_view *view, cJSON **ret, struct err *err)
{
	auto_json cJSON *object = cJSON_CreateObject();
	struct listing listing = { world, view, object ? put_array(object, "services") : NULL, true };
	struct services_counts counts = services_counts(services);
	cJSON *tables;

	if (listing.list)
		services_each(services, each, &listing);
	if (!listing.list || !listing.good || !list_sort(listing.list))
		return err_set(err, ENOMEM, "the answer");
	tables = put_object(object, "tables");
	if (!tables || !put_number(tables, "services", (double)counts.services) ||
	    !put_number(tables, "fronts", (double)counts.fronts) ||
	    !put_number(tables, "frontsMax", BH_FRONTS_MAX) ||
	    !put_number(tables, "backends", (double)counts.backends) ||
	    !put_number(tables, "groups", (double)counts.groups) ||
	    !put_number(tables, "groupsMax", BH_GROUPS_MAX) ||
	    !put_number(tables, "refused", (double)counts.refused))
		return err_set(err, ENOMEM, "the answer");
	*ret = TAKE(object);
	return 0;
}
