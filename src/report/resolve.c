// SPDX-License-Identifier: Apache-2.0
/* From what an operator types to the ends of a question. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "report/report.h"
#include "report/report_part.h"

#define NAME_TEXT_MAX 512

static bool node_has(const struct report_node *node, const struct bh_addr *addr)
{
	for (size_t i = 0; node && i < node->n_addrs; i++)
		if (addr_equal(&node->addrs[i], addr))
			return true;
	return false;
}

/* Addresses of finished pods may belong to others by now (R22), those of
 * hostNetwork pods are the node's (R10). */
static const struct pod *pod_with_addr(const struct world *world, const struct bh_addr *addr)
{
	for (size_t i = 0; i < world->n_pods; i++)
		for (size_t j = 0; pod_counts(world->pods[i]) && j < world->pods[i]->n_addrs; j++)
			if (addr_equal(&world->pods[i]->addrs[j], addr))
				return world->pods[i];
	return NULL;
}

struct explain_end end_of_addr(const struct world *world, const struct report_node *node,
			       const struct bh_addr *addr)
{
	return (struct explain_end){
		.pod = pod_with_addr(world, addr),
		.has_addr = true,
		.addr = *addr,
		.is_own_node = node_has(node, addr),
	};
}

/* A Pod object before a workload's template, and one with addresses before one
 * without: a workload and an attached pod may share a name. */
int pod_rank(const struct pod *pod)
{
	return (*pod->workload ? 0 : 2) + (pod->n_addrs > 0);
}

static const struct pod *pod_named(const struct world *world, const char *namespace, const char *name)
{
	const struct pod *best = NULL;

	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *pod = world->pods[i];

		if (strcmp(pod->name, name) != 0 || strcmp(pod->namespace, namespace) != 0)
			continue;
		if (!best || pod_rank(pod) > pod_rank(best))
			best = pod;
	}
	return best;
}

int report_resolve(const struct world *world, const struct report_node *node, const char *text,
		   struct explain_end *ret_end, struct err *err)
{
	char copy[NAME_TEXT_MAX];
	struct bh_addr addr;
	const struct pod *pod;
	char *slash;

	if (addr_parse(text, &addr) == 0) {
		*ret_end = end_of_addr(world, node, &addr);
		return 0;
	}
	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	pod = slash ? pod_named(world, copy, slash + 1) : pod_named(world, "default", copy);
	if (!pod)
		return err_set(err, ENOENT, "\"%s\" is no pod or workload that is known, and no address",
			       text);
	*ret_end = (struct explain_end){ .pod = pod, .has_addr = pod->n_addrs > 0 };
	if (pod->n_addrs > 0) {
		ret_end->addr = pod->addrs[0];
		ret_end->is_own_node = node_has(node, &pod->addrs[0]);
	}
	return 0;
}

/* --- ports --- */

static bool proto_parse(const char *text, size_t len, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };

	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++)
		if (strlen(protos[i].name) == len && strncasecmp(protos[i].name, text, len) == 0) {
			*ret = protos[i].proto;
			return true;
		}
	return false;
}

static int port_by_name(const struct explain_end *to, const char *name, uint8_t proto, uint16_t *ret_port,
			struct err *err)
{
	char buf[PROTO_TEXT_MAX];

	for (size_t i = 0; to->pod && *name && i < to->pod->n_ports; i++) {
		const struct named_port *port = &to->pod->ports[i];

		if (port->proto == proto && strcmp(port->name, name) == 0) {
			*ret_port = port->number;
			return 0;
		}
	}
	return err_set(err, ENOENT, "the destination serves no %s port named \"%s\"", proto_text(proto, buf),
		       name);
}

/* "tcp/80", as the matrix prints it, means what "80/tcp" means. */
static void port_split(char *text, char **ret_port, uint8_t *ret_proto, bool *ret_ok)
{
	char *slash = strchr(text, '/');

	*ret_port = text;
	*ret_proto = IPPROTO_TCP;
	*ret_ok = true;
	if (!slash)
		return;
	*slash = '\0';
	if (proto_parse(slash + 1, strlen(slash + 1), ret_proto))
		return;
	*ret_ok = proto_parse(text, strlen(text), ret_proto);
	*ret_port = slash + 1;
}

int report_resolve_port(const struct explain_end *to, const char *text, uint8_t *ret_proto,
			uint16_t *ret_port, struct err *err)
{
	char copy[64], *port;
	unsigned long number;
	bool ok;
	int r;

	if (strcasecmp(text, "icmp") == 0 || strcasecmp(text, "icmpv6") == 0) {
		bool v6 = to->has_addr && !addr_is_v4(&to->addr);

		*ret_proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		*ret_port = 0;
		return 0;
	}
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return err_set(err, EINVAL, "a port is NUMBER, NUMBER/PROTOCOL, a port's name, or icmp");
	port_split(copy, &port, ret_proto, &ok);
	if (!ok)
		return err_set(err, EINVAL, "\"%s\": the protocol must be TCP, UDP or SCTP", text);
	r = text_to_ulong(port, 1, 65535, &number);
	if (r == -ERANGE)
		return err_set(err, EINVAL, "\"%s\": a port is from 1 to 65535", text);
	if (r < 0)
		return port_by_name(to, port, *ret_proto, ret_port, err);
	*ret_port = (uint16_t)number;
	return 0;
}
