// SPDX-License-Identifier: Apache-2.0
/* Attachments: the plugin's ADD and DEL. An ADD's request stays open until the
 * pod's rows are in the kernel, or its time is up and the endpoint stays closed. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/control_room.h"
#include "base/cleanup.h"
#include "base/log.h"

static void waiter_free(struct waiter *waiter)
{
	if (waiter->timer)
		event_free(waiter->timer);
	free(waiter->container_id);
	free(waiter->ifname);
	free(waiter);
}

void waiters_free(struct control *control)
{
	while (control->waiters) {
		struct waiter *waiter = control->waiters;

		control->waiters = waiter->next;
		waiter_free(waiter);
	}
}

/* The attachment did not come to life: as if it had never been told. The plugin
 * takes the interface down. */
static void give_up(struct waiter *waiter, struct attachment *attachment)
{
	struct control *control = waiter->control;
	struct agent *agent = control->agent;
	const struct endpoint *endpoint = &attachment->endpoint;
	const char *why = "its policy could not be brought into the kernel";

	if (!store_pod(&agent->store, endpoint))
		why = "no object describes it";
	else if (agent->health.part[HEALTH_ENFORCE].bad)
		why = agent->health.part[HEALTH_ENFORCE].why;
	else if (agent->health.part[HEALTH_ROOM].bad)
		why = agent->health.part[HEALTH_ROOM].why;
	log_warn("attach pod=%s/%s container=%s: %s; its endpoint stays closed", endpoint->namespace,
		 endpoint->pod, attachment->container_id, why);
	reply_error(control, waiter->request, 503, "pod %s/%s: %s", endpoint->namespace, endpoint->pod, why);
	agent_detach(agent, waiter->container_id, waiter->ifname);
}

/* A plugin that was killed or gave up has closed its end, and nobody will use what
 * we would open (THREATS F7). */
static bool client_is_gone(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	char byte;
	ssize_t n = recv(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), &byte, 1,
			 MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Answers if there is an answer. */
static bool waiter_settle(struct waiter *waiter)
{
	struct control *control = waiter->control;
	struct agent *agent = control->agent;
	struct attachment *attachment =
		attachments_find(&agent->attachments, waiter->container_id, waiter->ifname);
	auto_json cJSON *nothing = NULL;

	if (!attachment) {
		reply_error(control, waiter->request, 409, "the attachment was deleted meanwhile");
		return true;
	}
	if (client_is_gone(waiter->request)) {
		log_warn("attach pod=%s/%s container=%s: the plugin is gone; closing the endpoint",
			 attachment->endpoint.namespace, attachment->endpoint.pod, attachment->container_id);
		reply_error(control, waiter->request, 503, "nobody listens");
		agent_detach(agent, waiter->container_id, waiter->ifname);
		return true;
	}
	if (!agent_is_open(agent, attachment)) {
		if (waiter->judged && waiter->expired)
			give_up(waiter, attachment);
		return waiter->judged && waiter->expired;
	}
	log_info("attached pod=%s/%s container=%s ifindex=%u", attachment->endpoint.namespace,
		 attachment->endpoint.pod, attachment->container_id, attachment->endpoint.ifindex);
	nothing = cJSON_CreateObject();
	reply_json(control, waiter->request, 200, nothing);
	return true;
}

static void settle(struct control *control)
{
	struct waiter **at = &control->waiters;

	while (*at) {
		struct waiter *waiter = *at;

		if (!waiter_settle(waiter)) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		waiter_free(waiter);
	}
}

void control_settle(struct control *control)
{
	for (struct waiter *waiter = control->waiters; waiter; waiter = waiter->next)
		waiter->judged = true;
	settle(control);
}

static void on_timeout(evutil_socket_t fd, short what, void *data)
{
	struct waiter *waiter = data;

	(void)fd, (void)what;
	waiter->expired = true;
	settle(waiter->control);
}

static int wait_for(struct call *call, const struct attachment *attachment)
{
	struct timeval wait = { .tv_sec = call->agent->config->pod_wait_s };
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	waiter->control = call->control;
	waiter->request = call->request;
	waiter->container_id = strdup(attachment->container_id);
	waiter->ifname = strdup(attachment->ifname);
	waiter->timer = event_new(call->agent->base, -1, 0, on_timeout, waiter);
	if (!waiter->container_id || !waiter->ifname || !waiter->timer ||
	    event_add(waiter->timer, &wait) < 0) {
		waiter_free(waiter);
		return -ENOMEM;
	}
	waiter->next = call->control->waiters;
	call->control->waiters = waiter;
	connlimit_expect(&call->control->limit, call->request, 0);
	return 0;
}

static int read_attachment(struct call *call, struct attachment **ret, struct err *err)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(call->request);
	size_t len = evbuffer_get_length(body);
	const char *text = len ? (const char *)evbuffer_pullup(body, -1) : "";
	auto_json cJSON *json = NULL;
	int r;

	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	r = json_parse(text, len, &json, err);
	return r < 0 ? err_wrap(err, r, "body") : attachment_decode(json, ret, err);
}

/* Nobody else may hold the interface or an address. What holds it without a row
 * in the kernel left without a word, and is let go. */
static int check_free(struct agent *agent, const struct attachment *attachment, struct err *err)
{
	const struct endpoint *endpoint = &attachment->endpoint;
	const struct attachment *other;
	char text[ADDR_TEXT_MAX];

	reconcile_attachments(agent);
	other = attachments_find_ifindex(&agent->attachments, endpoint->ifindex);
	if (other && (strcmp(other->container_id, attachment->container_id) != 0 ||
		      strcmp(other->ifname, attachment->ifname) != 0))
		return err_set(err, EEXIST, "ifindex %u belongs to container %s", endpoint->ifindex,
			       other->container_id);
	other = attachments_conflict(&agent->attachments, attachment);
	if (other)
		return err_set(err, EEXIST, "addresses: one belongs to pod %s/%s", other->endpoint.namespace,
			       other->endpoint.pod);
	for (size_t i = 0; i < endpoint->n_addrs; i++) {
		if (!node_addrs_has(&agent->node, &endpoint->addrs[i]))
			continue;
		addr_format(&endpoint->addrs[i], text);
		return err_set(err, EEXIST, "addresses[%zu]: %s is the node's own", i, text);
	}
	return 0;
}

static int check_kernel(struct agent *agent, const struct attachment *attachment, struct err *err)
{
	struct bh_endpoint row;
	int r = maps_endpoint_get(agent->maps, attachment->endpoint.slot, &row, err);

	if (r < 0)
		return r;
	return attachment_agrees(attachment, &row, err) ? 0 : -EEXIST;
}

/* A pod in the node's own network has no interface that could be attached. */
static bool is_host_network(const struct agent *agent, const struct endpoint *endpoint)
{
	struct source source = agent_source(agent);
	const struct pod *pod = source.pod_for(source.data, endpoint->namespace, endpoint->pod);

	return pod && pod->host_network;
}

void control_attach(struct call *call)
{
	auto_attachment struct attachment *attachment = NULL;
	struct agent *agent = call->agent;
	const char *why = NULL;
	struct err err = { 0 };
	int r = read_attachment(call, &attachment, &err);

	if (r < 0)
		return reply_error(call->control, call->request, r == -ENOMEM ? 503 : 400, "%s", err.msg);
	if (!agent_ready(agent, &why))
		return reply_error(call->control, call->request, 503, "%s", why);
	if (is_host_network(agent, &attachment->endpoint))
		return reply_error(call->control, call->request, 403, "pod: %s/%s uses the node's network",
				   attachment->endpoint.namespace, attachment->endpoint.pod);
	if (check_kernel(agent, attachment, &err) < 0 || check_free(agent, attachment, &err) < 0)
		return reply_error(call->control, call->request, 409, "%s", err.msg);
	r = wait_for(call, attachment);
	if (r < 0)
		return reply_error(call->control, call->request, 503, "out of memory");
	if (agent_attach(agent, attachment, &err) < 0)
		log_warn("attach container=%s: %s", attachment->container_id, err.msg);
	else
		(void)TAKE(attachment);
}

void control_detach(struct call *call)
{
	const char *container_id = call_query(call, "containerID"), *ifname = call_query(call, "ifname");
	auto_json cJSON *nothing = cJSON_CreateObject();

	if (!container_id || !attachment_id_valid(container_id))
		return reply_error(call->control, call->request, 400, "containerID: not a container id");
	if (!ifname || !attachment_ifname_valid(ifname))
		return reply_error(call->control, call->request, 400, "ifname: not an interface name");
	agent_detach(call->agent, container_id, ifname);
	reply_json(call->control, call->request, 200, nothing);
}
