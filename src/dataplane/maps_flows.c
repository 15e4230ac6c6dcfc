// SPDX-License-Identifier: Apache-2.0
/* Flow records as user space sees them: swept by the kernel's own program, read
 * for display. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dataplane/maps_room.h"

int maps_flows_sweep(struct maps *maps, struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(maps->sweep_fd, &opts) < 0)
		return err_set(err, errno, "sweeping the flow records: %s", strerror(errno));
	return (int)opts.retval;
}

struct flow_walk {
	int (*each)(const struct bh_flow_key *key, const struct bh_flow *flow, void *data);
	void *data;
};

static int flow_show(int fd, const void *key, void *data)
{
	struct flow_walk *walk = data;
	struct bh_flow_key flow_key;
	struct bh_flow flow;

	if (bpf_map_lookup_elem(fd, key, &flow) < 0)
		return 0; /* swept meanwhile */
	memcpy(&flow_key, key, sizeof(flow_key));
	return walk->each(&flow_key, &flow, walk->data);
}

int maps_flows_each(struct maps *maps,
		    int (*each)(const struct bh_flow_key *key, const struct bh_flow *flow, void *data),
		    void *data, struct err *err)
{
	struct flow_walk walk = { each, data };

	return map_walk(maps->fd[MAP_FLOWS], sizeof(struct bh_flow_key), flow_show, &walk, err);
}
