// SPDX-License-Identifier: Apache-2.0
#include "dataplane/link_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/link_ns.h"

static void link_ns_auto(struct link_ns **ns)
{
	link_ns_free(*ns);
}

static void nl_msg_auto(struct nl_msg **msg)
{
	nlmsg_free(*msg); /* takes null */
}

static int answer_read(struct nl_msg *msg, void *data)
{
	struct nlattr *attrs[TCA_MAX + 1], *options[TCA_BPF_MAX + 1];
	char *name = data;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct tcmsg), attrs, TCA_MAX, NULL) == 0 &&
	    attrs[TCA_OPTIONS] && nla_parse_nested(options, TCA_BPF_MAX, attrs[TCA_OPTIONS], NULL) == 0 &&
	    options[TCA_BPF_NAME])
		nla_strlcpy(name, options[TCA_BPF_NAME], LINK_FILTER_NAME_MAX);
	return NL_OK;
}

static struct nl_msg *question(uint32_t ifindex, bool ingress, uint32_t handle, uint16_t priority)
{
	const struct tcmsg tc = {
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS),
		.tcm_handle = handle,
		.tcm_info = TC_H_MAKE((uint32_t)priority << 16, htons(ETH_P_ALL)),
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETTFILTER, 0);

	if (msg && nlmsg_append(msg, (void *)&tc, sizeof(tc), NLMSG_ALIGNTO) == 0 &&
	    nla_put_string(msg, TCA_KIND, "bpf") == 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int link_filter_name(uint32_t ifindex, bool ingress, uint32_t handle, uint16_t priority,
		     char ret_name[LINK_FILTER_NAME_MAX], struct err *err)
{
	cleanup(link_ns_auto) struct link_ns *ns = NULL;
	cleanup(nl_msg_auto) struct nl_msg *msg = NULL;
	int r = link_ns_open(-1, &ns, err);

	if (r < 0)
		return r;
	msg = question(ifindex, ingress, handle, priority);
	if (!msg)
		return err_set(err, ENOMEM, "filter of interface %u: out of memory", ifindex);
	ret_name[0] = '\0';
	nl_socket_modify_cb(ns->sock, NL_CB_VALID, NL_CB_CUSTOM, answer_read, ret_name);
	link_ns_reset(ns);
	r = nl_send_sync(ns->sock, TAKE(msg)); /* frees it */
	if (r < 0)
		return link_ns_fail(ns, r, err, "filter of interface %u", ifindex);
	return ret_name[0] ? 0 : err_set(err, ENOENT, "no filter of ours on interface %u", ifindex);
}
