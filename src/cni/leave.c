// SPDX-License-Identifier: Apache-2.0
#include "cni/leave.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cni/attachment.h"
#include "cni/client.h"
#include "cni/lock.h"
#include "cni/result.h"
#include "dataplane/hook.h"
#include "dataplane/link.h"
#include "dataplane/maps.h"

#define REMOVE_POLL_NS 200000

/* What belongs to the attachment, as far as the kernel confirms it. The state
 * file (if any) only says where to look: interface numbers and names are used
 * again, so a MAC must agree before a row or a hook is touched (late DEL). */
struct leave {
	const struct ipam_request *request;
	const struct netconf *conf;
	struct attachment state;
	bool has_state;
	struct link_ns *host; /* owned */
	struct maps *maps;    /* owned; null: no table, so no row */
	int lock;
	uint32_t ifindex;     /* 0: none known */
	uint32_t delete_link; /* 0: no interface of ours is there */
	bool foreign;	      /* ifindex is someone else's interface by now */
	uint8_t mac[6];
};

static void leave_done(struct leave *leave)
{
	link_ns_free(leave->host);
	maps_free(leave->maps);
	if (leave->lock >= 0)
		close(leave->lock);
}
#define auto_leave cleanup(leave_done)

static int leave_open(struct leave *leave, struct failure *failure)
{
	const struct netconf *conf = leave->conf;
	const struct ipam_request *request = leave->request;
	struct err err = { 0 };
	int r = lock_container(conf->run_dir, request->container_id, conf->daemon_timeout_ms, &leave->lock,
			       &err);

	if (r < 0 && r != -ENOENT) /* no folder: nothing was ever attached here */
		return failure_from(failure, CODE_IO, &err, "lock of container %s", request->container_id);
	r = attachment_load(conf->run_dir, request->container_id, request->ifname, &leave->state, &err);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return failure_from(failure, CODE_IO, &err, "state of container %s", request->container_id);
	if (r == -EBADMSG)
		log_warn("state file unusable, asking the kernel instead: container=%s reason=\"%s\"",
			 request->container_id, err.msg);
	leave->has_state = r == 0;
	r = maps_open(conf->pin_root, &leave->maps, &err);
	if (r == -EPROTO) /* another version's: its daemon finds the row without an interface */
		log_warn("endpoint row left to the daemon: %s", err.msg);
	else if (r < 0 && r != -ENOENT)
		return failure_from(failure, CODE_ENDPOINT, &err, "cannot open the endpoint table");
	if (link_ns_open(-1, &leave->host, &err) < 0)
		return failure_from(failure, CODE_LINK, &err, "netlink");
	return 0;
}

/* The row of an ADD that was killed before it wrote its state, and whose veth is
 * gone with the pod: only its MAC, which follows from the id, says whose it was. */
static uint32_t row_find_by_mac(const struct leave *leave)
{
	for (uint32_t slot = 0; leave->maps && slot < BH_ENDPOINTS_MAX; slot++) {
		struct bh_endpoint row;

		if (maps_endpoint_get(leave->maps, slot, &row, NULL) == 0 &&
		    memcmp(row.mac, leave->mac, 6) == 0)
			return row.ifindex;
	}
	return 0;
}

static int standalone_find(struct leave *leave, struct err *err)
{
	char name[IF_NAMESIZE];
	uint8_t host_mac[6];
	struct link_info link;
	int r;

	attachment_name(leave->request->container_id, leave->request->ifname, name);
	attachment_macs(leave->request->container_id, leave->request->ifname, leave->mac, host_mac);
	r = link_find(leave->host, name, &link, err);
	if (r < 0 && r != -ENODEV)
		return r;
	if (r == 0) {
		leave->delete_link = leave->ifindex = link.ifindex;
		return 0;
	}
	leave->ifindex = leave->has_state ? leave->state.ifindex : row_find_by_mac(leave);
	leave->foreign = leave->ifindex && link_find_index(leave->host, leave->ifindex, &link, NULL) == 0;
	return 0;
}

/* The interface is the previous plugin's and stays. */
static int chained_find(struct leave *leave, struct err *err)
{
	struct link_info link;
	int r = link_find_index(leave->host, leave->state.ifindex, &link, err);

	memcpy(leave->mac, leave->state.mac, 6);
	leave->ifindex = leave->state.ifindex;
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	leave->foreign = strcmp(link.name, leave->state.host_ifname) != 0 ||
			 memcmp(link.mac, leave->state.host_mac, 6) != 0;
	return 0;
}

/* A row of another pod on the same interface number stays. */
static int row_release(struct leave *leave, struct err *err)
{
	auto_close int lock = -1;
	struct bh_endpoint row;
	uint32_t slot;
	int r;

	if (!leave->maps || maps_endpoint_find(leave->maps, leave->ifindex, &slot, NULL) < 0)
		return 0;
	r = maps_lock(leave->maps, &lock, err);
	if (r < 0)
		return r == -ENOENT || r == -ESTALE ? 0 : r;
	if (maps_endpoint_get(leave->maps, slot, &row, NULL) < 0 || memcmp(row.mac, leave->mac, 6) != 0)
		return 0;
	return maps_endpoint_release(leave->maps, leave->ifindex, err);
}

/* The process that stays until the kernel is done. Nobody may wait for what it holds
 * open. */
static void __attribute__((noreturn)) remover_run(struct leave *leave)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct link_ns *own = NULL; /* the other socket's answers are not ours */

	for (int fd = 0; fd <= 2; fd++) {
		if (nothing < 0 || dup2(nothing, fd) < 0)
			close(fd);
	}
	if (leave->lock >= 0)
		close(leave->lock);
	_exit(link_ns_open(-1, &own, NULL) < 0 || link_delete(own, leave->delete_link, NULL) < 0);
}

static bool link_is_gone(uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	/* takes no lock, unlike netlink */
	return !if_indextoname(ifindex, name) && errno == ENXIO;
}

/* The kernel hides an interface long before it has waited for the last who might use it,
 * and that we leave to a process of its own: half of a DEL's time or more. From then
 * on no packet passes and its routes are gone. 0, or -1: it could not be removed so. */
static int link_remove_soon(struct leave *leave)
{
	const struct timespec pause = { .tv_nsec = REMOVE_POLL_NS };
	pid_t pid = fork();
	int status;

	if (pid == 0)
		remover_run(leave);
	while (pid > 0 && !link_is_gone(leave->delete_link)) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return link_is_gone(leave->delete_link) ? 0 : -1;
		nanosleep(&pause, NULL);
	}
	return pid > 0 ? 0 : -1;
}

static int link_remove(struct leave *leave, struct err *err)
{
	return link_remove_soon(leave) == 0 ? 0 : link_delete(leave->host, leave->delete_link, err);
}

/* The interface goes before its programs, and where it stays the row goes first:
 * at no moment does a packet pass unjudged. */
static int kernel_clear(struct leave *leave, struct failure *failure)
{
	struct err err = { 0 };
	int r = leave->has_state && leave->state.chained ? chained_find(leave, &err)
							 : standalone_find(leave, &err);

	if (r == 0 && leave->delete_link)
		r = link_remove(leave, &err);
	if (r < 0)
		return failure_from(failure, CODE_LINK, &err, "cannot remove the pod's interface");
	if (!leave->ifindex)
		return 0;
	if (row_release(leave, &err) < 0)
		return failure_from(failure, CODE_ENDPOINT, &err, "cannot clear the endpoint row");
	if (!leave->foreign && hook_detach(leave->conf->pin_root, leave->ifindex, &err) < 0)
		return failure_from(failure, CODE_HOOK, &err, "cannot detach the programs");
	return 0;
}

/* An unknown container may still hold an address: an ADD killed after IPAM. */
static int addresses_free(struct leave *leave, struct failure *failure)
{
	const struct netconf *conf = leave->conf;

	if (!conf->ipam_type || (leave->has_state && leave->state.chained))
		return 0;
	if (!*leave->request->path)
		return leave->has_state
			       ? failure_set(failure, CODE_ENVIRONMENT,
					     "missing environment: CNI_PATH, to free the pod's addresses")
			       : 0;
	return ipam_del(leave->request, failure);
}

int leave_attachment(const struct ipam_request *request, struct failure *failure)
{
	auto_leave struct leave leave = { .request = request, .conf = request->conf, .lock = -1 };
	struct err err = { 0 };

	if (leave_open(&leave, failure) < 0)
		return -1;
	client_forget(leave.conf, request->container_id, request->ifname);
	if (kernel_clear(&leave, failure) < 0 || addresses_free(&leave, failure) < 0)
		return -1;
	/* Last: as long as the file is there, another DEL knows what to look for. */
	if (attachment_forget(leave.conf->run_dir, request->container_id, request->ifname, &err) < 0)
		return failure_from(failure, CODE_IO, &err, "state of container %s", request->container_id);
	return 0;
}
