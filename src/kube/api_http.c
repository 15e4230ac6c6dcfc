// SPDX-License-Identifier: Apache-2.0
#include "kube/api_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"

#define USER_AGENT	  "bulkheadd"
#define CONNECTIONS_MAX	  8L
#define BUFFER_BYTES	  (128L << 10)
#define KEEPALIVE_IDLE_S  15
#define KEEPALIVE_EVERY_S 5
#define KEEPALIVE_PROBES  3
#define USER_TIMEOUT_MS	  30000

struct api_http {
	CURLM *multi;
	const struct api_config *config;
	struct pollset *set;
	struct pollset_timer timer; /* libcurl's */
	struct api_call *calls;
};

struct api_call {
	struct api_http *http;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct api_handler handler;
	struct pollset_timer silence;
	int64_t silence_ms, last_ms;
	bool had_head;
	char error[CURL_ERROR_SIZE];
	struct api_call *next;
};

/* --- the end of a call --- */

static void headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *item = headers; item; item = item->next)
		explicit_bzero(item->data, strlen(item->data)); /* one is the token's */
	curl_slist_free_all(headers);
}

static void call_free(struct api_call *call)
{
	struct api_call **at = &call->http->calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	pollset_timer_stop(call->http->set, &call->silence);
	if (call->easy) {
		curl_multi_remove_handle(call->http->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	headers_free(call->headers);
	curl_slist_free_all(call->connect_to);
	free(call);
}

void api_call_cancel(struct api_call *call)
{
	call_free(call);
}

static int code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_WRITE_ERROR:
		return -ECANCELED;
	default:
		return -EIO;
	}
}

/* Seconds only: a date would need the wall clock. */
static int64_t retry_after_ms(CURL *easy)
{
	struct curl_header *header;
	unsigned long seconds;

	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
	    text_to_ulong(header->value, 0, 1000000, &seconds) < 0)
		return -1;
	return (int64_t)seconds * 1000;
}

/* For people and for checks: nothing here decides by it. */
static int64_t server_date(CURL *easy)
{
	struct curl_header *header;
	time_t date;

	if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return 0;
	date = curl_getdate(header->value, NULL);
	return date > 0 ? (int64_t)date : 0;
}

static int64_t certificate_end(CURL *easy)
{
	static const char key[] = "Expire date:";
	struct curl_certinfo *info = NULL;
	time_t date;

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info || info->num_of_certs < 1)
		return 0;
	for (const struct curl_slist *item = info->certinfo[0]; item; item = item->next) {
		if (strncmp(item->data, key, sizeof(key) - 1) != 0)
			continue;
		date = curl_getdate(item->data + sizeof(key) - 1, NULL);
		return date > 0 ? (int64_t)date : 0;
	}
	return 0;
}

static void call_end(struct api_call *call, int error, const char *what)
{
	struct api_handler handler = call->handler;
	struct api_reply reply = { .error = error,
				   .retry_after_ms = retry_after_ms(call->easy),
				   .date_s = server_date(call->easy),
				   .cert_end_s = certificate_end(call->easy) };
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	reply.status = (int)status;
	snprintf(reply.what, sizeof(reply.what), "%s", what);
	call_free(call);
	handler.done(&reply, handler.data);
}

static void calls_collect(struct api_http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		CURLcode code = message->data.result;
		struct api_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		call_end(call, code_of(code),
			 code == CURLE_OK ? ""
			 : call->error[0] ? call->error
					  : curl_easy_strerror(code));
	}
}

/* --- libcurl's callbacks --- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
	struct api_http *http = data;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		pollset_watch(http->set, fd, true, false, false);
		curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	pollset_watch(http->set, fd, known != NULL, what & CURL_POLL_IN, what & CURL_POLL_OUT);
	curl_multi_assign(http->multi, fd, http);
	return 0;
}

static int on_curl_timer(CURLM *multi, long ms, void *data)
{
	struct api_http *http = data;

	(void)multi;
	if (ms < 0)
		pollset_timer_stop(http->set, &http->timer);
	else
		pollset_timer_set(http->set, &http->timer, ms);
	return 0;
}

static int on_opened(void *data, curl_socket_t fd, curlsocktype purpose)
{
	const int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, probes = KEEPALIVE_PROBES;
	const unsigned int user_timeout = USER_TIMEOUT_MS;

	(void)data, (void)purpose;
	/* Best effort: the silence timer stands behind them. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
	return CURL_SOCKOPT_OK;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *data)
{
	struct api_call *call = data;
	const char *type = NULL;
	long status = 0;

	call->last_ms = pollset_now_ms();
	/* The empty line ends the head; interim (1xx) answers have one of their own. */
	if (size * n != 2 || memcmp(bytes, "\r\n", 2) != 0)
		return size * n;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || call->had_head)
		return size * n; /* or it is a trailer's end */
	call->had_head = true;
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	call->handler.head((int)status, type ? type : "", call->handler.data);
	return size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	struct api_call *call = data;

	call->last_ms = pollset_now_ms();
	if (call->handler.body(bytes, size * n, call->handler.data) < 0)
		return CURL_WRITEFUNC_ERROR;
	return size * n;
}

/* --- the pollset's callbacks --- */

static void socket_action(struct api_http *http, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(http->multi, fd, what, &running);
	calls_collect(http);
}

void api_http_on_fd(int fd, bool is_readable, bool is_writable, void *data)
{
	socket_action(data, fd, (is_readable ? CURL_CSELECT_IN : 0) | (is_writable ? CURL_CSELECT_OUT : 0));
}

static void on_timer(void *data)
{
	socket_action(data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_silence(void *data)
{
	struct api_call *call = data;
	int64_t left = call->last_ms + call->silence_ms - pollset_now_ms();
	char what[64];

	if (left > 0) {
		pollset_timer_set(call->http->set, &call->silence, left);
		return;
	}
	snprintf(what, sizeof(what), "silent for %lld ms", (long long)call->silence_ms);
	call_end(call, -ETIME, what);
}

/* --- a call --- */

static int opt_failed(struct err *err)
{
	return err_set(err, ENOMEM, "HTTP request");
}

static int secret_blob(CURL *easy, CURLoption option, const struct api_secret *secret)
{
	struct curl_blob blob = { .flags = CURL_BLOB_COPY };

	blob.data = (void *)api_secret_reveal(secret, &blob.len);
	return curl_easy_setopt(easy, option, &blob) == CURLE_OK ? 0 : -ENOMEM;
}

static int text_blob(CURL *easy, CURLoption option, const char *text)
{
	struct curl_blob blob = { .data = (void *)text, .len = strlen(text), .flags = CURL_BLOB_COPY };

	return curl_easy_setopt(easy, option, &blob) == CURLE_OK ? 0 : -ENOMEM;
}

static int set_tls(struct api_call *call, struct err *err)
{
	const struct api_config *config = call->http->config;
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (config->ca) {
		/* The cluster's CA alone: the system's roots may not speak for the cluster. */
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		if (text_blob(easy, CURLOPT_CAINFO_BLOB, config->ca) < 0)
			return opt_failed(err);
	}
	if (!config->cert)
		return 0;
	curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
	curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
	if (text_blob(easy, CURLOPT_SSLCERT_BLOB, config->cert) < 0 ||
	    secret_blob(easy, CURLOPT_SSLKEY_BLOB, config->key) < 0)
		return opt_failed(err);
	return 0;
}

static int header_add(struct api_call *call, const char *line, struct err *err)
{
	struct curl_slist *more = curl_slist_append(call->headers, line);

	if (!more)
		return opt_failed(err);
	call->headers = more;
	return 0;
}

static int set_headers(struct api_call *call, struct err *err)
{
	const struct api_secret *token = call->http->config->token;
	char *line = NULL;
	int r = header_add(call, "Accept: application/json", err), n;

	if (r == 0 && token) {
		n = asprintf(&line, "Authorization: Bearer %s", api_secret_reveal(token, NULL));
		if (n < 0)
			return opt_failed(err);
		r = header_add(call, line, err);
		explicit_bzero(line, (size_t)n);
		free(line);
	}
	if (r == 0 && curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK)
		r = opt_failed(err);
	return r;
}

/* The certificate names another host than the one to connect to: the URL gets the
 * name, and the connection goes where it went before. */
static int set_url(struct api_call *call, const char *target, struct err *err)
{
	const struct api_config *config = call->http->config;
	auto_text struct text url = { 0 }, connect_to = { 0 };
	const char *host = strstr(config->server, "://") + 3, *rest;

	rest = *host == '[' ? strchr(host, ']') + 1 : host + strcspn(host, ":/");
	if (config->server_name)
		text_addf(&url, "%.*s%s%s%s", (int)(host - config->server), config->server,
			  config->server_name, rest, target);
	else
		text_addf(&url, "%s%s", config->server, target);
	if (url.failed || curl_easy_setopt(call->easy, CURLOPT_URL, url.data) != CURLE_OK)
		return opt_failed(err);
	if (!config->server_name)
		return 0;
	text_addf(&connect_to, "::%.*s:", (int)(rest - host), host);
	if (!connect_to.failed)
		call->connect_to = curl_slist_append(NULL, connect_to.data);
	if (!call->connect_to ||
	    curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to) != CURLE_OK)
		return opt_failed(err);
	return 0;
}

static void set_rest(struct api_call *call, const struct api_request *request)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* One connection per call: a stalled list must not stall a watch beside it. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->deadline_ms);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->fresh ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_CERTINFO, request->certificate ? 1L : 0L);
	if (call->http->config->in_cluster)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_opened);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
}

int api_http_get(struct api_http *http, const struct api_request *request, const struct api_handler *handler,
		 struct api_call **ret_call, struct err *err)
{
	struct api_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return opt_failed(err);
	call->http = http;
	call->handler = *handler;
	call->silence = (struct pollset_timer){ .run = on_silence, .data = call };
	call->silence_ms = request->silence_ms;
	call->last_ms = pollset_now_ms();
	call->next = http->calls;
	http->calls = call;
	call->easy = curl_easy_init();
	r = call->easy ? 0 : opt_failed(err);
	if (r == 0) {
		set_rest(call, request);
		r = set_tls(call, err);
	}
	if (r == 0)
		r = set_headers(call, err);
	if (r == 0)
		r = set_url(call, request->target, err);
	if (r == 0 && curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
		r = opt_failed(err);
	if (r < 0) {
		call_free(call);
		return r;
	}
	pollset_timer_set(http->set, &call->silence, call->silence_ms);
	*ret_call = call;
	return 0;
}

/* --- life --- */

int api_http_new(const struct api_config *config, struct pollset *set, struct api_http **ret, struct err *err)
{
	struct api_http *http = calloc(1, sizeof(*http));

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		return err_set(err, ENOMEM, "HTTP client");
	}
	http->config = config;
	http->set = set;
	http->timer = (struct pollset_timer){ .run = on_timer, .data = http };
	http->multi = curl_multi_init();
	if (!http->multi) {
		api_http_free(http);
		return err_set(err, ENOMEM, "HTTP client");
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	*ret = http;
	return 0;
}

struct api_http *api_http_free(struct api_http *http)
{
	if (!http)
		return NULL;
	while (http->calls)
		call_free(http->calls);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	pollset_timer_stop(http->set, &http->timer);
	free(http);
	curl_global_cleanup();
	return NULL;
}
