// SPDX-License-Identifier: Apache-2.0

#include "dataplane/link_ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/file.h"

/* Runs in `netns` until namespace_leave(). Only this thread moves. */
static int namespace_enter(int netns, int *ret_home, struct err *err)
{
	auto_close int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return err_set(err, errno, "own network namespace: %s", strerror(errno));
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_set(err, errno, "enter network namespace: %s", strerror(errno));
	*ret_home = TAKE_FD(home);
	return 0;
}

static void namespace_leave(int home)
{
	/* Going on in a namespace that we think we left would put host routes
	 * into a pod: nothing after this line could be trusted. */
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	close(home);
}

/* With NETLINK_CAP_ACK the attributes follow the header of the request. */
static void extack_read(struct link_ns *ns, struct nlmsgerr *msg)
{
	struct nlmsghdr *hdr = (struct nlmsghdr *)((char *)msg - NLMSG_HDRLEN);
	int len = (int)hdr->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*msg));
	struct nlattr *text;

	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS) || !(hdr->nlmsg_flags & NLM_F_CAPPED) || len <= 0)
		return;
	text = nla_find((struct nlattr *)(msg + 1), len, NLMSGERR_ATTR_MSG);
	if (text)
		nla_strlcpy(ns->kernel_says, text, sizeof(ns->kernel_says));
}

static int refusal_note(struct sockaddr_nl *from, struct nlmsgerr *msg, void *data)
{
	struct link_ns *ns = data;

	(void)from;
	ns->kernel_errno = -msg->error;
	extack_read(ns, msg);
	return -nl_syserr2nlerr(msg->error);
}

static int socket_connect(struct link_ns *ns, struct err *err)
{
	int home = -1, one = 1, r;

	if (ns->netns >= 0) {
		r = namespace_enter(ns->netns, &home, err);
		if (r < 0)
			return r;
	}
	errno = 0;
	r = nl_connect(ns->sock, NETLINK_ROUTE);
	if (r < 0)
		ns->kernel_errno = errno; /* libnl knows no word for "too many open files" */
	if (home >= 0)
		namespace_leave(home);
	if (r < 0)
		return link_ns_fail(ns, r, err, "open a netlink socket");
	/* Only the words of an error depend on these two: ignoring failure. */
	(void)setsockopt(nl_socket_get_fd(ns->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(nl_socket_get_fd(ns->sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
}

int link_ns_open(int netns, struct link_ns **ret_ns, struct err *err)
{
	auto_link_ns struct link_ns *ns = calloc(1, sizeof(*ns));
	int r;

	if (!ns)
		return err_set(err, ENOMEM, "netlink handle: out of memory");
	ns->netns = netns;
	ns->sock = nl_socket_alloc();
	if (!ns->sock)
		return err_set(err, ENOMEM, "netlink socket: out of memory");
	nl_socket_modify_err_cb(ns->sock, NL_CB_CUSTOM, refusal_note, ns);
	r = socket_connect(ns, err);
	if (r < 0)
		return r;
	*ret_ns = TAKE(ns);
	return 0;
}

struct link_ns *link_ns_free(struct link_ns *ns)
{
	if (!ns)
		return NULL;
	nl_socket_free(ns->sock);
	free(ns);
	return NULL;
}

void link_ns_reset(struct link_ns *ns)
{
	ns->kernel_errno = 0;
	ns->kernel_says[0] = '\0';
}

int link_ns_errno(const struct link_ns *ns, int nl_code)
{
	if (ns->kernel_errno)
		return ns->kernel_errno;
	switch (-nl_code) {
	case NLE_NOMEM:
		return ENOMEM;
	case NLE_EXIST:
		return EEXIST;
	case NLE_NODEV:
	case NLE_OBJ_NOTFOUND:
		return ENODEV;
	case NLE_INVAL:
	case NLE_RANGE:
		return EINVAL;
	case NLE_OPNOTSUPP:
	case NLE_AF_NOSUPPORT:
		return EOPNOTSUPP;
	case NLE_AGAIN:
		return EAGAIN;
	case NLE_INTR:
	case NLE_DUMP_INTR:
		return EINTR;
	case NLE_BUSY:
		return EBUSY;
	case NLE_PERM:
	case NLE_NOACCESS:
		return EPERM;
	default:
		return EIO;
	}
}

int link_ns_fail(const struct link_ns *ns, int nl_code, struct err *err, const char *fmt, ...)
{
	int code = link_ns_errno(ns, nl_code);
	char what[ERR_MSG_MAX / 2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (ns->kernel_says[0])
		return err_set(err, code, "%s: %s (%s)", what, strerror(code), ns->kernel_says);
	return err_set(err, code, "%s: %s", what, strerror(code));
}

static int sysctl_write(const char *path, const char *value, struct err *err)
{
	size_t n = strlen(value), len;
	auto_free char *now = NULL;
	int r = file_read(path, 256, &now, &len, err);

	if (r < 0)
		return r;
	if (len == n + 1 && strncmp(now, value, n) == 0)
		return 0;
	return file_put(path, value, err);
}

/* /proc/sys/net shows the namespace of whoever opens it. */
int link_sysctl_set(struct link_ns *ns, const char *path, const char *value, struct err *err)
{
	char full[256];
	int home = -1, r;

	if (snprintf(full, sizeof(full), "/proc/sys/net/%s", path) >= (int)sizeof(full))
		return err_set(err, ENAMETOOLONG, "sysctl %s: name too long", path);
	if (ns->netns >= 0) {
		r = namespace_enter(ns->netns, &home, err);
		if (r < 0)
			return r;
	}
	r = sysctl_write(full, value, err);
	if (home >= 0)
		namespace_leave(home);
	return r;
}

struct nl_addr *link_nl_addr(const struct bh_addr *addr, uint8_t len)
{
	bool v4 = addr_is_v4(addr);
	struct nl_addr *out =
		v4 ? nl_addr_build(AF_INET, addr->b + 12, 4) : nl_addr_build(AF_INET6, addr->b, 16);

	if (out)
		nl_addr_set_prefixlen(out, v4 ? len - 96 : len);
	return out;
}

bool link_prefix_of(const struct nl_addr *addr, struct prefix *ret_prefix)
{
	const void *bytes = nl_addr_get_binary_addr(addr);
	uint8_t len = (uint8_t)nl_addr_get_prefixlen(addr);

	/* A default route comes without bytes. */
	if (nl_addr_get_len(addr) == 0) {
		bool v4 = nl_addr_get_family(addr) == AF_INET;

		*ret_prefix = (struct prefix){ .len = v4 ? 96 : 0, .is_v4 = v4 };
		if (v4)
			ret_prefix->addr = addr_from_v4(&(uint32_t){ 0 });
		return v4 || nl_addr_get_family(addr) == AF_INET6;
	}
	if (nl_addr_get_family(addr) == AF_INET && nl_addr_get_len(addr) == 4) {
		*ret_prefix = (struct prefix){ .addr = addr_from_v4(bytes), .len = 96 + len, .is_v4 = true };
		return true;
	}
	if (nl_addr_get_family(addr) != AF_INET6 || nl_addr_get_len(addr) != 16)
		return false;
	*ret_prefix = (struct prefix){ .len = len };
	memcpy(ret_prefix->addr.b, bytes, 16);
	return true;
}

int link_settle(struct link_ns *ns, const char *name, struct err *err)
{
	struct ethtool_value up = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (void *)&up };
	auto_close int fd = -1;
	int home = -1, r = 0;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ns->netns >= 0) {
		r = namespace_enter(ns->netns, &home, err);
		if (r < 0)
			return r;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || (ioctl(fd, SIOCETHTOOL, &request) < 0 && errno != EOPNOTSUPP))
		r = err_set(err, errno, "state of interface %s: %s", name, strerror(errno));
	if (home >= 0)
		namespace_leave(home);
	return r;
}
