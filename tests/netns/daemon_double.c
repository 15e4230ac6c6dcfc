// SPDX-License-Identifier: Apache-2.0
/*
 * Stands in for the daemon where a test is about the plugin: loads and pins the
 * real programs and maps, and answers the control socket.
 *
 *   daemon-double RUN_DIR PIN_ROOT
 *   daemon-double rows PIN_ROOT        prints the endpoint rows in use
 *
 * The file RUN_DIR/mode says how the next request is answered: "ok" (or no file)
 * opens the endpoint without policy, "hang" reads and never answers, "cut" closes
 * without a word, and a number is an HTTP status with an error. Every request line
 * is appended to RUN_DIR/requests. Prints "ready" when it listens.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "dataplane/loader.h"
#include "dataplane/maps.h"

#define REQUEST_MAX 65536

static const char *run_dir;
static struct maps *maps;

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "daemon-double: %s: %s\n", what, err ? err->msg : strerror(errno));
	exit(2);
}

static int listen_on(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/bulkhead.sock", run_dir);
	unlink(addr.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 128) < 0)
		die(addr.sun_path, NULL);
	return fd;
}

/* Reads until the body that Content-Length announces is there. */
static int request_read(int fd, char *in)
{
	size_t len = 0;

	for (;;) {
		const char *end, *length;
		ssize_t n = read(fd, in + len, REQUEST_MAX - 1 - len);

		if (n <= 0)
			return -1;
		len += (size_t)n;
		in[len] = '\0';
		end = strstr(in, "\r\n\r\n");
		length = strstr(in, "Content-Length: ");
		if (end && (!length || strlen(end + 4) >= strtoul(length + 16, NULL, 10)))
			return 0;
	}
}

static void reply(int fd, int status, const char *body)
{
	dprintf(fd, "HTTP/1.0 %d -\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
}

static void mode_read(char out[32])
{
	char path[4096];
	auto_free char *text = NULL;

	snprintf(path, sizeof(path), "%s/mode", run_dir);
	snprintf(out, 32, "ok");
	if (file_read(path, 30, &text, NULL, NULL) == 0)
		snprintf(out, 32, "%.*s", (int)strcspn(text, "\n"), text);
}

static void request_note(const char *in)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/requests", run_dir);

	auto_fclose FILE *file = fopen(path, "ae");

	if (file)
		fprintf(file, "%.*s\n", (int)strcspn(in, "\r"), in);
}

/* What the real daemon does for a pod that no policy selects. */
static int endpoint_open(const char *body)
{
	struct bh_write write = { .kind = BH_WRITE_ENDPOINT };
	auto_json cJSON *json = NULL;
	const cJSON *item;
	int64_t slot, ifindex;

	if (json_parse(body, strlen(body), &json, NULL) < 0 ||
	    json_get_int(json, "slot", 0, BH_ENDPOINTS_MAX - 1, &slot, NULL) != 1 ||
	    json_get_int(json, "ifindex", 1, UINT32_MAX, &ifindex, NULL) != 1)
		return 400;
	write.endpoint.slot = (uint32_t)slot;
	write.endpoint.ifindex = (uint32_t)ifindex;
	write.endpoint.flags = BH_EP_OPEN;
	write.endpoint.revision = 1;
	cJSON_ArrayForEach (item, json_get(json, "addresses")) {
		struct bh_addr addr;

		if (addr_parse(item->valuestring, &addr) < 0 ||
		    maps_local_set(maps, &addr, (uint32_t)slot, NULL) < 0)
			return 400;
	}
	return maps_apply(maps, &write, 1, NULL) < 0 ? 409 : 200;
}

static void serve(int fd)
{
	static char in[REQUEST_MAX];
	char mode[32];
	int status = 200;

	if (request_read(fd, in) < 0)
		return;
	request_note(in);
	mode_read(mode);
	if (strcmp(mode, "cut") == 0)
		return;
	if (strcmp(mode, "hang") == 0) {
		while (read(fd, in, sizeof(in)) > 0)
			;
		return;
	}
	if (strcmp(mode, "ok") != 0 && strncmp(in, "DELETE", 6) != 0)
		status = atoi(mode);
	else if (strncmp(in, "POST", 4) == 0)
		status = endpoint_open(strstr(in, "\r\n\r\n") + 4);
	reply(fd, status, status == 200 ? "{}" : "{\"error\":\"as the test wants it\"}");
}

static int rows_print(const char *root)
{
	struct err err = { 0 };

	if (maps_open(root, &maps, &err) < 0)
		die("rows", &err);
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		struct bh_endpoint row;

		if (maps_endpoint_get(maps, slot, &row, NULL) == 0)
			printf("row ifindex=%u flags=%u\n", row.ifindex, row.flags);
	}
	maps_free(maps);
	return 0;
}

int main(int argc, char **argv)
{
	struct bh_config config;
	struct err err = { 0 };
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: daemon-double RUN_DIR PIN_ROOT\n");
		return 2;
	}
	if (strcmp(argv[1], "rows") == 0)
		return rows_print(argv[2]);
	run_dir = argv[1];
	loader_config_default(&config);
	if (dir_make(run_dir, 0755, &err) < 0 || loader_run(argv[2], &config, &err) < 0 ||
	    maps_open(argv[2], &maps, &err) < 0)
		die("start", &err);
	fd = listen_on();
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		auto_close int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			serve(client);
	}
}
