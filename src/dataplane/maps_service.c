// SPDX-License-Identifier: Apache-2.0
/* The Services' tables: written by a plan, read back after a restart. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "dataplane/fence.h"
#include "dataplane/maps_room.h"

static int gen_advance(int fd)
{
	struct bh_service_gen is;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(fd, &zero, &is) < 0)
		return -errno;
	is.gen++;
	return map_put(fd, &zero, &is);
}

/* Before a front is there, so that no packet overlooks it. */
static int bounds_widen(int fd, const struct bh_addr *addr)
{
	bool v6 = !addr_is_v4(addr);
	__u32 zero = 0, word = ntohl(addr->w[v6 ? 0 : 3]);
	struct bh_service_gen is;

	if (bpf_map_lookup_elem(fd, &zero, &is) < 0)
		return -errno;
	if (word >= is.first[v6] && word <= is.last[v6])
		return 0;
	if (is.last[v6] == 0 || word < is.first[v6])
		is.first[v6] = word;
	if (word > is.last[v6])
		is.last[v6] = word;
	return map_put(fd, &zero, &is);
}

static int front_put(struct maps *maps, const struct bh_service_write *write)
{
	int r = bounds_widen(maps->fd[MAP_SERVICE_GEN], &write->front.key.addr);

	return r < 0 ? r : map_put(maps->fd[MAP_SERVICES], &write->front.key, &write->front.service);
}

static int write_apply(struct maps *maps, const struct bh_service_write *write)
{
	switch (write->kind) {
	case BH_GROUP_PUT:
		return map_put(maps->fd[MAP_BACKENDS], &write->group.key, &write->group.group);
	case BH_FRONT_PUT:
		return front_put(maps, write);
	case BH_FRONT_ERASE:
		return map_erase(maps->fd[MAP_SERVICES], &write->front.key);
	case BH_UDP_CHANGED:
		return gen_advance(maps->fd[MAP_SERVICE_GEN]);
	case BH_SETS_FENCE:
		return fence();
	case BH_GROUP_ERASE:
		return map_erase(maps->fd[MAP_BACKENDS], &write->group.key);
	default:
		return -EINVAL;
	}
}

/* What a failed write was about, for the operator. */
static void write_name(const struct bh_service_write *write, char *out, size_t size)
{
	char addr[ADDR_TEXT_MAX];

	switch (write->kind) {
	case BH_FRONT_PUT:
	case BH_FRONT_ERASE:
		addr_format(&write->front.key.addr, addr);
		snprintf(out, size, "Service address %s port %u protocol %u", addr,
			 ntohs(write->front.key.port), write->front.key.proto);
		break;
	case BH_GROUP_PUT:
	case BH_GROUP_ERASE:
		snprintf(out, size, "group %u of set %u", write->group.key.group, write->group.key.set);
		break;
	default:
		snprintf(out, size, "kind %u", write->kind);
	}
}

int maps_services_apply(struct maps *maps, const struct bh_service_write *writes, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char name[128];
		int r = write_apply(maps, &writes[i]);

		if (r == 0)
			continue;
		write_name(&writes[i], name, sizeof(name));
		return err_set(err, -r, "Services: write %zu of %zu, %s: %s", i + 1, n, name, strerror(-r));
	}
	return 0;
}

int maps_services_snapshot(struct maps *maps, struct bh_service_snapshot *ret_snapshot, struct err *err)
{
	int r;

	*ret_snapshot = (struct bh_service_snapshot){ 0 };
	r = rows_read(maps->fd[MAP_SERVICES], BH_MAP_SERVICES, sizeof(struct bh_front),
		      sizeof(struct bh_front_row), &ret_snapshot->fronts, &ret_snapshot->n_fronts, err);
	if (r == 0)
		r = rows_read(maps->fd[MAP_BACKENDS], BH_MAP_BACKENDS, sizeof(struct bh_group_key),
			      sizeof(struct bh_group_row), &ret_snapshot->groups, &ret_snapshot->n_groups,
			      err);
	if (r < 0)
		maps_services_snapshot_done(ret_snapshot);
	return r;
}

void maps_services_snapshot_done(struct bh_service_snapshot *snapshot)
{
	free(snapshot->fronts);
	free(snapshot->groups);
	*snapshot = (struct bh_service_snapshot){ 0 };
}
