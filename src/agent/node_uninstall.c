// SPDX-License-Identifier: Apache-2.0
/* The order is what keeps a node that is being emptied closed: nothing starts any
 * more, then interfaces go, and only then what guarded them. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/instance.h"
#include "agent/node_install.h"
#include "base/file.h"
#include "base/log.h"
#include "dataplane/link.h"
#include "dataplane/loader.h"

struct uninstall {
	const struct config *config;
	const char *plugins;
	struct err *err;
	int failed; /* the first error */
};

static void step_failed(struct uninstall *run, int r, const struct err *err)
{
	log_error("%s; going on", err->msg);
	if (run->failed)
		return;
	run->failed = r;
	if (run->err)
		*run->err = *err;
}

static void remove_conflist(struct uninstall *run)
{
	const char *dir = run->config->cni.dir;
	struct err err = { 0 };
	int r = dir[0] ? conflist_remove(dir, &err) : 0;

	if (r < 0)
		step_failed(run, r, &err);
	else if (r == 1)
		log_info("removed %s/%s", dir, CONFLIST_NAME);
}

static void remove_links(struct uninstall *run)
{
	struct link_ns *ns = NULL;
	struct link_info *links = NULL;
	struct err err = { 0 };
	size_t n = 0;
	int r = link_ns_open(-1, &ns, &err);

	if (r == 0)
		r = link_list(ns, &links, &n, &err);
	if (r < 0)
		step_failed(run, r, &err);
	for (size_t i = 0; i < n; i++) {
		if (!reconcile_link_is_ours(&links[i]))
			continue;
		r = link_delete(ns, links[i].ifindex, &err);
		if (r < 0)
			step_failed(run, r, &err);
		else
			log_info("removed interface %s", links[i].name);
	}
	free(links);
	link_ns_free(ns);
}

static void remove_network(struct uninstall *run)
{
	const struct config none = { 0 };
	struct network network;
	struct err err = { 0 };
	int r = network_init(&network, &none, &err); /* mode none removes what another left */

	network_done(&network);
	if (r < 0)
		step_failed(run, r, &err);
	else
		log_info("removed routes, tunnel and nftables table");
}

static void remove_pins(struct uninstall *run)
{
	struct err err = { 0 };
	int r;

	if (access(run->config->pin_root, F_OK) < 0)
		return;
	r = loader_unpin_all(run->config->pin_root, &err);
	if (r < 0)
		step_failed(run, r, &err);
	else
		log_info("removed hooks and pins under %s", run->config->pin_root);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	/* The folder itself may be a mount point of the pod this runs in. */
	return remove(path) < 0 && errno != ENOENT && errno != EBUSY ? -1 : 0;
}

static void remove_state(struct uninstall *run)
{
	const char *folder = run->config->run_dir;
	struct err err = { 0 };

	if (nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		step_failed(run, err_set(&err, errno, "remove %s: %s", folder, strerror(errno)), &err);
	else
		log_info("removed %s", folder);
}

static void remove_plugin(struct uninstall *run)
{
	struct err err = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/bulkhead", run->plugins);
	file_sweep_temps(path);
	if (unlink(path) == 0)
		log_info("removed %s", path);
	else if (errno != ENOENT)
		step_failed(run, err_set(&err, errno, "remove %s: %s", path, strerror(errno)), &err);
}

int node_uninstall(const struct config *config, const char *plugins, struct err *err)
{
	struct uninstall run = { .config = config, .plugins = plugins, .err = err };
	auto_close int lock = instance_lock(config->run_dir, err);

	if (lock < 0)
		return lock;
	remove_conflist(&run);
	remove_links(&run);
	remove_network(&run);
	remove_pins(&run);
	remove_state(&run);
	remove_plugin(&run);
	return run.failed;
}
