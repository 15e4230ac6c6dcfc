// SPDX-License-Identifier: Apache-2.0
#include "agent/node_addrs.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

int node_addrs_init(struct node_addrs *node, struct err *err)
{
	struct sockaddr_nl local = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};

	*node = (struct node_addrs){ .fd = -1 };
	node->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (node->fd < 0 || bind(node->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_set(err, errno, "listen for address changes: %s", strerror(errno));
	return link_ns_open(-1, &node->ns, err);
}

void node_addrs_done(struct node_addrs *node)
{
	if (node->fd >= 0)
		close(node->fd);
	link_ns_free(node->ns);
	free(node->addrs);
	*node = (struct node_addrs){ .fd = -1 };
}

/* What changed does not matter, also when so much did that messages were lost
 * (ENOBUFS): all addresses are read again. */
void node_addrs_drain(struct node_addrs *node)
{
	char buffer[8192];

	for (;;) {
		ssize_t n = recv(node->fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			return;
		if (n == 0)
			return;
	}
}

/* Sorted, each once. */
static size_t addrs_tidy(struct bh_addr *addrs, size_t n)
{
	size_t kept = 0;

	qsort(addrs, n, sizeof(*addrs), addr_compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !addr_equal(&addrs[kept - 1], &addrs[i]))
			addrs[kept++] = addrs[i];
	return kept;
}

int node_addrs_refresh(struct node_addrs *node, struct maps *maps, struct err *err)
{
	auto_free struct prefix *prefixes = NULL;
	auto_free struct bh_addr *addrs = NULL;
	size_t n = 0;
	int r = link_addrs(node->ns, 0, &prefixes, &n, err);

	if (r < 0)
		return err_wrap(err, r, "the node's addresses");
	addrs = calloc(n + 1, sizeof(*addrs));
	if (!addrs)
		return err_set(err, ENOMEM, "the node's addresses: out of memory");
	for (size_t i = 0; i < n; i++)
		addrs[i] = prefixes[i].addr;
	n = addrs_tidy(addrs, n);
	if (node->addrs && n == node->n_addrs && memcmp(addrs, node->addrs, n * sizeof(*addrs)) == 0)
		return 0;
	r = maps_node_addrs_set(maps, addrs, n, err);
	if (r < 0)
		return err_wrap(err, r, "the node's addresses");
	free(node->addrs);
	node->addrs = TAKE(addrs);
	node->n_addrs = n;
	return 1;
}

bool node_addrs_has(const struct node_addrs *node, const struct bh_addr *addr)
{
	return node->n_addrs && bsearch(addr, node->addrs, node->n_addrs, sizeof(*addr), addr_compare);
}
