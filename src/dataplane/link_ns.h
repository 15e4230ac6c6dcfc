/* SPDX-License-Identifier: Apache-2.0 */
/* What the link_*.c files share: the handle and the door where libnl's codes
 * become errno. Nobody else includes this. */
#ifndef DATAPLANE_LINK_NS_H
#define DATAPLANE_LINK_NS_H

#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>

#include "dataplane/link.h"

struct link_ns {
	struct nl_sock *sock;
	int netns;	       /* not owned; -1: the caller's own */
	int kernel_errno;      /* of the last refused request, 0: the kernel refused nothing */
	char kernel_says[160]; /* its extended acknowledgement, or empty */
};

/* Forgets the last refusal. Call before each request. */
void link_ns_reset(struct link_ns *ns);

/* errno for a libnl code: the kernel's own when it refused the request, the
 * nearest one otherwise. */
int link_ns_errno(const struct link_ns *ns, int nl_code);

/* Fills err with "what: why" and returns -errno for a libnl code. */
int link_ns_fail(const struct link_ns *ns, int nl_code, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A libnl address for the kernel's form; null when out of memory. len over the
 * v4-mapped form. */
struct nl_addr *link_nl_addr(const struct bh_addr *addr, uint8_t len);
/* The reverse; false for other families. */
bool link_prefix_of(const struct nl_addr *addr, struct prefix *ret_prefix);

static inline void nl_addr_auto(struct nl_addr **addr)
{
	nl_addr_put(*addr); /* takes null */
}
#define auto_nl_addr cleanup(nl_addr_auto)

static inline void nl_cache_auto(struct nl_cache **cache)
{
	nl_cache_free(*cache); /* takes null */
}
#define auto_nl_cache cleanup(nl_cache_auto)

#endif
