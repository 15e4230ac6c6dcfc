// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/reason.h>

#include "base/cleanup.h"
#include "report/report.h"
#include "report/report_part.h"
#include "report/service_of.h"

#define TIME_TEXT_MAX 40
#define NS_PER_S      1000000000LL

static const struct {
	const char *label;
	const char *text;
} reasons[] = {
#define BH_REASON_ROW(name, number, label, text) [number] = { label, text },
	BH_REASON_LIST(BH_REASON_ROW)
#undef BH_REASON_ROW
};

static const char *reason_label(uint8_t reason)
{
	return reason < sizeof(reasons) / sizeof(*reasons) && reasons[reason].label ? reasons[reason].label
										    : "unknown";
}

static const char *reason_words(uint8_t reason)
{
	return reason < sizeof(reasons) / sizeof(*reasons) && reasons[reason].text
		       ? reasons[reason].text
		       : "a reason of a newer version";
}

/* The kernel stamps by the monotonic clock; people want the one on the wall. */
static void event_time(const struct bh_event *event, char out[TIME_TEXT_MAX])
{
	struct timespec wall, mono;
	struct tm tm;
	long long ns;
	time_t s;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	ns = (wall.tv_sec - mono.tv_sec) * NS_PER_S + wall.tv_nsec - mono.tv_nsec + (long long)event->time_ns;
	s = (time_t)(ns / NS_PER_S);
	gmtime_r(&s, &tm);
	snprintf(out, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03lldZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ns % NS_PER_S / 1000000);
}

/* The event's two ends. The packet entered or left by the endpoint's interface,
 * so that end is the endpoint whatever address the packet claims. */
static struct explain_query event_query(const struct world *world, const struct report_node *node,
					const struct bh_event *event, const struct pod *endpoint)
{
	struct explain_query query = {
		.from = end_of_addr(world, node, &event->src),
		.to = end_of_addr(world, node, &event->dst),
		.proto = event->proto,
		.port = proto_has_ports(event->proto) ? ntohs(event->dport) : 0,
	};
	struct explain_end *own = event->direction == BH_INGRESS ? &query.to : &query.from;

	if (endpoint) {
		own->pod = endpoint;
		own->is_own_node = false;
	}
	return query;
}

static bool event_is_verdict(const struct bh_event *event)
{
	return event->reason == BH_POLICY || event->action == BH_AUDIT;
}

/* The end whose policies decided. */
static const struct explain_end *event_own(const struct bh_event *event, const struct explain_query *query)
{
	return event->direction == BH_INGRESS ? &query->to : &query->from;
}

static void end_add(struct text *text, const struct explain_end *end, __be16 port)
{
	auto_free char *name = end_text(end);
	char addr[ADDR_TEXT_MAX];

	addr_format(&end->addr, addr);
	if (!name) {
		text->failed = true;
		return;
	}
	text_add_escaped(text, name);
	if (end->pod)
		text_addf(text, " (%s)", addr);
	if (end->is_own_node && !end->pod)
		text_addf(text, " (this node)");
	if (port)
		text_addf(text, " port %u", ntohs(port));
}

/* The side that decided, in words. */
static void why_add(struct text *text, const struct world *world, const struct explain_query *query,
		    const struct bh_event *event, const struct explanation *explanation)
{
	struct explanation side = *explanation; /* a view: nothing in it is freed */
	auto_free char *words = NULL;

	side.side[event->direction == BH_INGRESS ? BH_EGRESS : BH_INGRESS].judged = false;
	if (side.side[event->direction].verdict == EXPLAIN_ALLOW) {
		text_addf(text, "; the policies as they are now would let it pass");
		return;
	}
	words = explanation_sentence(world, query, &side);
	if (!words)
		text->failed = true;
	else
		text_addf(text, "; %s", words);
	side_hint_add(text, "; ", world, query, explanation, (enum bh_direction)event->direction);
}

static bool is_bare_frame(const struct bh_event *event)
{
	return addr_is_zero(&event->src) && addr_is_zero(&event->dst);
}

/* Nothing behind the Ethernet header was read: "ARP frame", "frame of type 0x88cc". */
static void frame_add(struct text *text, uint16_t ethertype)
{
	switch (ethertype) {
	case ETH_P_IP:
		text_addf(text, "IPv4 frame");
		break;
	case ETH_P_IPV6:
		text_addf(text, "IPv6 frame");
		break;
	case ETH_P_ARP:
		text_addf(text, "ARP frame");
		break;
	default:
		text_addf(text, "frame of type 0x%04x", ethertype);
	}
}

static void connection_add(struct text *text, const struct explain_query *query, const struct bh_event *event)
{
	char buf[PROTO_TEXT_MAX];

	text_addf(text, "%s ", proto_text(event->proto, buf));
	end_add(text, &query->from, 0);
	text_addf(text, " -> ");
	end_add(text, &query->to, proto_has_ports(event->proto) ? event->dport : 0);
}

/* Refused between nodes, where it is no pod's business yet. */
static bool event_is_tunnels(const struct bh_event *event)
{
	return event->reason == BH_TUNNEL_SENDER || event->reason == BH_TUNNEL_RANGE;
}

static void tunnel_add(struct text *text, const struct bh_event *event)
{
	char addr[ADDR_TEXT_MAX];

	addr_format(&event->service, addr);
	if (event->direction == BH_EGRESS)
		text_addf(text, ", into the tunnel");
	else
		text_addf(text, ", out of the tunnel from %s", addr);
}

/* What the client dialled, when that is a Service: in the event when it was translated,
 * else where the packet was going. */
static bool event_front(const struct world *world, const struct bh_event *event, struct bh_addr *ret_addr,
			uint16_t *ret_port, const struct service **ret_service)
{
	bool translated = !addr_is_zero(&event->service);
	const struct service_port *port;

	if (event_is_tunnels(event))
		return false;

	*ret_addr = translated ? event->service : event->dst;
	*ret_port = ntohs(translated ? event->service_port : event->dport);
	*ret_service = service_of(world, ret_addr, event->proto, *ret_port, &port);
	return translated || *ret_service;
}

static void front_add(struct text *text, const struct world *world, const struct bh_event *event)
{
	const struct service *service;
	char addr[ADDR_TEXT_MAX];
	struct bh_addr front;
	uint16_t port;

	if (!event_front(world, event, &front, &port, &service))
		return;
	addr_format(&front, addr);
	text_addf(text, " by Service ");
	if (service) {
		text_add_escaped(text, service->namespace);
		text_addf(text, "/");
		text_add_escaped(text, service->name);
		text_addf(text, " ");
	}
	text_addf(text, "(%s port %u)", addr, port);
}

static void own_add(struct text *text, const struct bh_event *event, const struct explain_end *own,
		    const char *name)
{
	text_addf(text, ", %s of ", direction_text((enum bh_direction)event->direction));
	if (!own->pod && is_bare_frame(event))
		text_addf(text, "interface %u", event->ifindex);
	else
		text_add_escaped(text, name);
}

/* "dropped TCP shop/job (10.1.0.7) -> shop/db (10.1.0.9) port 5432, ingress of
 * shop/db; denied by ingress of ..." in one line. */
static char *event_sentence(const struct world *world, const struct explain_query *query,
			    const struct bh_event *event, const struct explanation *explanation)
{
	const struct explain_end *own = event_own(event, query);
	auto_free char *name = end_text(own);
	struct text text = { 0 };

	if (!name)
		return NULL;
	text_addf(&text, "%s ", event->action == BH_AUDIT ? "would drop" : "dropped");
	if (is_bare_frame(event))
		frame_add(&text, event->ethertype);
	else
		connection_add(&text, query, event);
	front_add(&text, world, event);
	if (event_is_tunnels(event))
		tunnel_add(&text, event);
	else
		own_add(&text, event, own, name);
	if (explanation)
		why_add(&text, world, query, event, explanation);
	else if (event_is_verdict(event))
		text_addf(&text, ": %s; why is not known, for the pod is not", reason_words(BH_POLICY));
	else
		text_addf(&text, ": %s", reason_words(event->reason));
	return text_take(&text);
}

static bool ends_put(cJSON *object, const struct explain_query *query)
{
	auto_free char *from = end_text(&query->from), *to = end_text(&query->to);
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

	addr_format(&query->from.addr, src);
	addr_format(&query->to.addr, dst);
	return put_text(object, "from", from) && put_text(object, "to", to) &&
	       put_text(object, "fromAddress", src) && put_text(object, "toAddress", dst);
}

static bool ports_put(cJSON *object, const struct bh_event *event)
{
	char buf[PROTO_TEXT_MAX];
	bool ok = put_text(object, "protocol", proto_text(event->proto, buf)) &&
		  put_number(object, "length", event->length);

	if (ok && proto_has_ports(event->proto))
		ok = put_number(object, "fromPort", ntohs(event->sport)) &&
		     put_number(object, "port", ntohs(event->dport));
	if (ok && event->proto == IPPROTO_TCP)
		ok = put_number(object, "tcpFlags", event->tcp_flags);
	if (ok && (event->proto == IPPROTO_ICMP || event->proto == IPPROTO_ICMPV6))
		ok = put_number(object, "icmpType", event->icmp_type) &&
		     put_number(object, "icmpCode", event->icmp_code);
	return ok;
}

static bool front_put(cJSON *object, const struct world *world, const struct bh_event *event)
{
	const struct service *service;
	auto_text struct text name = { 0 };
	char addr[ADDR_TEXT_MAX];
	struct bh_addr front;
	uint16_t port;

	if (!event_front(world, event, &front, &port, &service))
		return true;
	addr_format(&front, addr);
	if (service)
		text_addf(&name, "%s/%s", service->namespace, service->name);
	return !name.failed && put_text(object, "service", name.data ? name.data : "") &&
	       put_text(object, "serviceAddress", addr) && put_number(object, "servicePort", port);
}

static bool tunnel_put(cJSON *object, const struct bh_event *event)
{
	char addr[ADDR_TEXT_MAX];

	if (!event_is_tunnels(event) || event->direction == BH_EGRESS)
		return true;
	addr_format(&event->service, addr);
	return put_text(object, "tunnelFrom", addr);
}

static bool event_put(cJSON *object, const struct world *world, const struct bh_event *event,
		      const struct explain_query *query, const struct pod *endpoint)
{
	char when[TIME_TEXT_MAX];

	event_time(event, when);
	return put_text(object, "time", when) &&
	       put_text(object, "action", event->action == BH_AUDIT ? "audit" : "drop") &&
	       put_text(object, "reason", reason_label(event->reason)) &&
	       put_text(object, "reasonText", reason_words(event->reason)) &&
	       put_text(object, "direction", direction_text((enum bh_direction)event->direction)) &&
	       (!endpoint || put_pod(object, "endpoint", endpoint)) && ends_put(object, query) &&
	       ports_put(object, event) && front_put(object, world, event) && tunnel_put(object, event);
}

static bool verdict_put(cJSON *object, const struct world *world, const struct explain_query *query,
			const struct bh_event *event, const struct explanation *explanation)
{
	auto_free char *sentence = event_sentence(world, query, event, explanation);
	cJSON *details = explanation ? put_object(object, "explanation") : NULL;

	if (explanation && (!details || !put_explanation(details, explanation)))
		return false;
	return put_text(object, "sentence", sentence);
}

int report_event(const struct world *world, const struct report_node *node, const struct bh_event *event,
		 const struct pod *endpoint, cJSON **ret, struct err *err)
{
	auto_json cJSON *object = cJSON_CreateObject();
	struct explain_query query = event_query(world, node, event, endpoint);
	struct explanation explanation = { 0 };
	/* After a start the kernel tells of pods whose objects are not read yet: what an
	 * empty world would say of them is not why. */
	bool verdict = event_is_verdict(event) && event_own(event, &query)->pod, ok;
	int r = verdict ? explain(world, &query, &explanation, err) : 0;

	if (r < 0)
		return r;
	ok = object && event_put(object, world, event, &query, endpoint) &&
	     verdict_put(object, world, &query, event, verdict ? &explanation : NULL);
	explanation_done(&explanation);
	if (!ok)
		return err_set(err, ENOMEM, "the event");
	*ret = TAKE(object);
	return 0;
}
