// SPDX-License-Identifier: Apache-2.0
#include "lib/simservices.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "lib/packet.h"

struct service_port web_ports[1] = { { .name = "web", .proto = IPPROTO_TCP, .port = 80, .target = 8080 } };
struct bh_addr web_addrs[2], api_addrs[1];
struct service web = { .namespace = "shop", .name = "web", .has_selector = true };
struct service api = { .namespace = "shop", .name = "api" };
struct slice_port slice_ports[1] = { { "web", IPPROTO_TCP, 8080 } };
struct service_view view;
struct kernel kernel;
struct services *services;

void endpoint(struct said *said, const char *addr, bool ready, bool serving, bool terminating)
{
	said->slice.namespace = "shop";
	said->slice.name = "web-1";
	said->slice.service = "web";
	said->slice.ports = slice_ports;
	said->slice.n_ports = 1;
	said->slice.endpoints = said->endpoints;
	said->endpoints[said->slice.n_endpoints++] =
		(struct slice_endpoint){ addr_of(addr), "", ready, serving, terminating };
}

static bool is_local(const struct bh_addr *addr, void *data)
{
	return data && addr_equal(addr, data);
}

static struct bh_front_row *kernel_front(const struct bh_front *key)
{
	for (size_t i = 0; i < kernel.n_fronts; i++)
		if (memcmp(&kernel.fronts[i].front, key, sizeof(*key)) == 0)
			return &kernel.fronts[i];
	return NULL;
}

static struct bh_group_row *kernel_group(const struct bh_group_key *key)
{
	for (size_t i = 0; i < kernel.n_groups; i++)
		if (memcmp(&kernel.groups[i].key, key, sizeof(*key)) == 0)
			return &kernel.groups[i];
	return NULL;
}

/* Every front's set is there, whole and sorted: whenever a packet may come. */
static void kernel_check(void)
{
	for (size_t i = 0; i < kernel.n_fronts; i++) {
		const struct bh_service *row = &kernel.fronts[i].service;
		const struct bh_backend *last = NULL;

		for (uint32_t j = 0; j < row->count; j++) {
			struct bh_group_key key = { row->set, j / BH_GROUP_SIZE };
			const struct bh_group_row *group = kernel_group(&key);
			const struct bh_backend *backend;

			assert_non_null(group);
			backend = &group->group.backend[j % BH_GROUP_SIZE];
			assert_int_not_equal(backend->port, 0);
			if (last)
				assert_true(bh_sorts_after(&backend->addr, backend->port, &last->addr,
							   last->port));
			last = backend;
		}
	}
}

static void kernel_write(const struct bh_service_write *write)
{
	struct bh_front_row *front;
	struct bh_group_row *group;

	switch (write->kind) {
	case BH_GROUP_PUT:
		group = kernel_group(&write->group.key);
		assert_null(group); /* sets are never written over */
		kernel.groups[kernel.n_groups].key = write->group.key;
		kernel.groups[kernel.n_groups++].group = write->group.group;
		break;
	case BH_FRONT_PUT:
		front = kernel_front(&write->front.key);
		if (!front)
			front = &kernel.fronts[kernel.n_fronts++];
		front->front = write->front.key;
		front->service = write->front.service;
		break;
	case BH_FRONT_ERASE:
		front = kernel_front(&write->front.key);
		assert_non_null(front);
		*front = kernel.fronts[--kernel.n_fronts];
		break;
	case BH_UDP_CHANGED:
		kernel.gens++;
		break;
	case BH_SETS_FENCE:
		kernel.fences++;
		break;
	case BH_GROUP_ERASE:
		assert_int_not_equal(kernel.fences, 0);
		group = kernel_group(&write->group.key);
		if (group)
			*group = kernel.groups[--kernel.n_groups];
		break;
	default:
		fail_msg("a write of kind %u", write->kind);
	}
	kernel.writes++;
	kernel_check();
}

void settle(void)
{
	int more = 1;

	kernel.writes = 0;
	while (more >= 0) {
		struct service_plan plan = { 0 };

		if (more)
			more = services_plan(services, &view, &plan);
		else
			more = services_tidy(services, &plan) - 1;
		assert_in_range(more + 1, 0, 2);
		for (size_t i = 0; i < plan.n; i++)
			kernel_write(&plan.v[i]);
		service_plan_done(&plan);
	}
}

void change(enum change_kind kind, const void *old, const void *now)
{
	const struct change it = { kind, old, now, 0 };

	assert_int_equal(services_change(services, &it), 0);
}

const char *behind(const struct bh_addr *addr, uint16_t port, uint8_t proto)
{
	static char out[512];
	struct bh_front key = { .addr = *addr, .port = htons(port), .proto = proto };
	const struct bh_front_row *row = kernel_front(&key);

	if (!row)
		return "absent";
	snprintf(out, sizeof(out), "%s", row->service.count ? "" : "none");
	for (uint32_t i = 0; i < row->service.count; i++) {
		struct bh_group_key at = { row->service.set, i / BH_GROUP_SIZE };
		const struct bh_backend *backend = &kernel_group(&at)->group.backend[i % BH_GROUP_SIZE];
		char text[ADDR_TEXT_MAX];
		size_t used = strlen(out);

		addr_format(&backend->addr, text);
		snprintf(out + used, sizeof(out) - used, "%s%s:%u", i ? " " : "", text, ntohs(backend->port));
	}
	return out;
}

const char *behind_web(void)
{
	return behind(&web_addrs[0], 80, IPPROTO_TCP);
}

int services_setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	web_addrs[0] = addr_of("10.96.0.10");
	web_addrs[1] = addr_of("fd00:96::10");
	api_addrs[0] = addr_of("10.96.0.20");
	web.addrs = web_addrs;
	web.n_addrs = 1;
	web.ports = web_ports;
	web.n_ports = 1;
	web.local_only = web.headless = web.is_name = false;
	web.affinity_s = 0;
	web_ports[0].proto = slice_ports[0].proto = IPPROTO_TCP;
	api.addrs = api_addrs;
	api.n_addrs = 1;
	api.ports = web_ports;
	api.n_ports = 1;
	view = (struct service_view){ .node = "", .is_local = is_local };
	services = services_new();
	return services ? 0 : -1;
}

int services_teardown(void **state)
{
	(void)state;
	services = services_free(services);
	return 0;
}
