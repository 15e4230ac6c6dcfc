// SPDX-License-Identifier: Apache-2.0
/* Word that something changed in the kernel's networking, by plain sockets: only
 * that it happened counts, so nothing is parsed. */
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/link.h"

static int monitor_open(int protocol, uint32_t groups, struct err *err)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK, .nl_groups = groups };
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return err_set(err, errno, "listen for changes: %s", strerror(errno));
	return TAKE_FD(fd);
}

int link_monitor_open(struct err *err)
{
	return monitor_open(NETLINK_ROUTE,
			    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
				    RTMGRP_IPV6_ROUTE,
			    err);
}

int link_monitor_nft_open(struct err *err)
{
	return monitor_open(NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1), err);
}

void link_monitor_drain(int fd)
{
	char buffer[16384];

	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n == 0 || (n < 0 && errno != ENOBUFS && errno != EINTR))
			return;
	}
}
