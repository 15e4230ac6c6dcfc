// SPDX-License-Identifier: Apache-2.0
#include "agent/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/control_room.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

static const struct route {
	enum evhttp_cmd_type method;
	const char *path;
	void (*serve)(struct call *call);
	bool root_only;
	bool needs_world; /* an empty world before the first sync would answer nonsense */
} routes[] = {
	{ EVHTTP_REQ_POST, "/v1/attachments", control_attach, true, false },
	{ EVHTTP_REQ_DELETE, "/v1/attachments", control_detach, true, false },
	{ EVHTTP_REQ_GET, "/v1/ready", control_ready, false, false },
	{ EVHTTP_REQ_GET, "/v1/status", control_status, false, false },
	{ EVHTTP_REQ_GET, "/v1/endpoints", control_endpoints, false, false },
	{ EVHTTP_REQ_GET, "/v1/policies", control_policies, false, true },
	{ EVHTTP_REQ_GET, "/v1/nodes", control_nodes, false, true },
	{ EVHTTP_REQ_GET, "/v1/services", control_services, false, true },
	{ EVHTTP_REQ_GET, "/v1/flows", control_flows, false, false },
	{ EVHTTP_REQ_GET, "/v1/explain", control_explain, false, true },
	{ EVHTTP_REQ_GET, "/v1/matrix", control_matrix, false, true },
	{ EVHTTP_REQ_GET, "/v1/lint", control_lint, false, true },
	{ EVHTTP_REQ_GET, "/v1/drops", control_drops, false, false },
};

const char *call_query(const struct call *call, const char *key)
{
	return evhttp_find_header(&call->query, key);
}

int call_query_number(const struct call *call, const char *key, unsigned long max, unsigned long fallback,
		      unsigned long *ret)
{
	const char *text = call_query(call, key);

	*ret = fallback;
	return text && text_to_ulong(text, 0, max, ret) < 0 ? -EINVAL : 0;
}

static const char *reason_of(int code)
{
	switch (code) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

void reply_json(struct control *control, struct evhttp_request *request, int code, const cJSON *json)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	auto_free char *text = json ? cJSON_PrintUnformatted(json) : NULL;
	struct evbuffer *body = evbuffer_new();

	if (!text)
		code = 500;
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_add_header(headers, "Connection", "close");
	connlimit_expect(&control->limit, request, CONNLIMIT_REPLY_MS);
	if (body)
		evbuffer_add_printf(body, "%s\n", text ? text : "{\"error\":\"out of memory\"}");
	evhttp_send_reply(request, code, reason_of(code), body);
	if (body)
		evbuffer_free(body);
}

void reply_error(struct control *control, struct evhttp_request *request, int code, const char *fmt, ...)
{
	auto_json cJSON *json = cJSON_CreateObject();
	char message[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	cJSON_AddStringToObject(json, "error", message);
	reply_json(control, request, code, json);
}

/* Who is at the other end, as the kernel knows it. */
static bool peer_is_root(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == 0;
}

static const struct route *route_find(struct evhttp_request *request, const char *path, bool *ret_path_known)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		*ret_path_known = true;
		if (routes[i].method == evhttp_request_get_command(request))
			return &routes[i];
	}
	return NULL;
}

static void serve(struct evhttp_request *request, void *data)
{
	struct control *control = data;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct call call = { .control = control, .agent = control->agent, .request = request };
	bool path_known = false;
	const struct route *route = path ? route_find(request, path, &path_known) : NULL;

	if (!route)
		return reply_error(control, request, path_known ? 405 : 404, "%s",
				   path_known ? "method not allowed" : "no such path");
	if (route->root_only && !peer_is_root(request))
		return reply_error(control, request, 403, "only root may change attachments");
	if (route->needs_world && !control->agent->enforce.synced)
		return reply_error(control, request, 503, "not synced yet");
	if (evhttp_parse_query_str(query ? query : "", &call.query) < 0)
		return reply_error(control, request, 400, "query: cannot be read");
	route->serve(&call);
	evhttp_clear_headers(&call.query);
}

/* The lock on the run folder says that no other daemon serves this path, so what
 * lies there is left over. */
static int socket_listen(const char *path, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int r;

	if (fd < 0)
		return err_set(err, errno, "control socket: %s", strerror(errno));
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "control socket %s: path too long", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, errno, "control socket %s: %s", path, strerror(errno));
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (r < 0 || chmod(path, 0660) < 0 || listen(fd, 128) < 0)
		return err_set(err, errno, "control socket %s: %s", path, strerror(errno));
	return TAKE_FD(fd);
}

static int serve_socket(struct control *control, int fd, struct err *err)
{
	struct agent *agent = control->agent;
	struct evconnlistener *listener = evconnlistener_new(
		agent->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	control->http = evhttp_new(agent->base);
	if (!listener || !control->http || !evhttp_bind_listener(control->http, listener)) {
		if (listener)
			evconnlistener_free(listener);
		else
			close(fd);
		return err_set(err, ENOMEM, "control socket: out of memory");
	}
	evhttp_set_max_headers_size(control->http, CONTROL_HEADERS_MAX);
	evhttp_set_max_body_size(control->http, CONTROL_BODY_MAX);
	evhttp_set_allowed_methods(control->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
	evhttp_set_timeout(control->http, CONNLIMIT_REQUEST_MS / 1000);
	evhttp_set_gencb(control->http, serve, control);
	return connlimit_init(&control->limit, agent->base, control->http, listener, err);
}

int control_open(struct agent *agent, struct control **ret_control, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd, r;

	if (!control)
		return err_set(err, ENOMEM, "control socket: out of memory");
	control->agent = agent;
	fd = socket_listen(agent->config->socket, err);
	r = fd < 0 ? fd : serve_socket(control, fd, err);
	if (r < 0) {
		control_free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	waiters_free(control);
	followers_free(control);
	connlimit_stop(&control->limit);
	if (control->http)
		evhttp_free(control->http);
	connlimit_done(&control->limit);
	free(control);
	return NULL;
}
