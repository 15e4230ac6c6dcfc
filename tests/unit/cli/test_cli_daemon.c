// SPDX-License-Identifier: Apache-2.0
/* What a daemon answers, in words: a pretended one says it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell.h"
#include "lib/text_has.h"

struct answer {
	const char *path; /* its beginning */
	const char *status;
	const char *body;
};

static void serve_one(int connection, const struct answer *answers)
{
	char request[4096] = "";
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n") &&
	       (n = read(connection, request + len, sizeof(request) - 1 - len)) > 0)
		request[len += (size_t)n] = '\0';
	for (; answers->path; answers++) {
		if (strncmp(request, "GET ", 4) != 0 ||
		    strncmp(request + 4, answers->path, strlen(answers->path)) != 0)
			continue;
		dprintf(connection, "HTTP/1.0 %s\r\nConnection: close\r\n\r\n%s", answers->status,
			answers->body);
		return;
	}
	dprintf(connection, "HTTP/1.0 404 Not Found\r\n\r\n{\"error\":\"no such path\"}");
}

static void start_daemon(struct shell *shell, const struct answer *answers)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, shell->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	shell->daemon = fork();
	assert_true(shell->daemon >= 0);
	while (shell->daemon == 0) {
		int connection = accept(fd, NULL, NULL);

		serve_one(connection, answers);
		close(connection);
	}
	close(fd);
}

static void an_absent_daemon_is_told_plainly(void **state)
{
	static const char *const verbs[] = { "status", "endpoints", "nodes", "services",     "policies",
					     "drops",  "matrix",    "lint",  "explain a b 1" };
	struct shell *shell = *state;
	char line[64];

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		snprintf(line, sizeof(line), "%s --socket SOCK", verbs[i]);
		shell_run(shell, line);
		shell_complained(shell, "no daemon answers at");
	}
	shell_run(shell, "--socket SOCK");
	shell_complained(shell, "no daemon answers at");
}

#define STATUS(ready, broken, degraded)                                                                      \
	"{\"version\":\"9\",\"node\":\"n1\",\"uptimeSeconds\":7300,\"synced\":true,\"ready\":" ready         \
	",\"notReady\":\"not synced\",\"degraded\":" degraded ",\"hook\":\"tcx\",\"posture\":\"standard\","  \
	"\"endpoints\":3,\"pods\":40,\"policies\":12,\"brokenManifests\":" broken                            \
	",\"tables\":{\"peers\":{\"used\":5,"                                                                \
	"\"limit\":100},\"ports\":{\"used\":90,\"limit\":100}},\"subjects\":4,\"classes\":9,\"lastUpdate\":" \
	"{\"microseconds\":310,\"revision\":17,\"count\":2}}"

static void status_is_five_lines(void **state)
{
	static const struct answer answers[] = { { "/v1/status", "200 OK", STATUS("true", "0", "null") },
						 { 0 } };
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "--socket SOCK");
	assert_int_equal(shell->code, 0);
	assert_string_equal(
		shell->out,
		"daemon    ready, version 9 on n1, up 2 h\n"
		"policy    12 policies, 40 pods known, posture standard, revision 17, last update 310 us\n"
		"endpoints 3 on this node, hook tcx, 4 subjects, 9 peer classes\n"
		"tables    fullest is ports: 90 of 100 (90.0%)\n"
		"problems  none\n");
}

static void status_tells_trouble(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/status", "200 OK",
		  STATUS("false", "2",
			 "{\"since\":\"x\",\"reasons\":[{\"part\":\"manifests\",\"since\":\"T\",\"message\":"
			 "\"bad\\u001b\"}]}") },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "status --socket SOCK");
	shell_printed(shell, 1, "daemon    not ready: not synced");
	text_has(shell->out, "problems  2 broken manifests; manifests since T: bad\\x1b\n");
	shell_run(shell, "status -o json --socket SOCK");
	shell_printed(shell, 1, "\"ready\"");
}

static void tables_show_endpoints_and_policies(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/endpoints", "200 OK",
		  "{\"endpoints\":[{\"namespace\":\"shop\",\"pod\":\"db\",\"addresses\":[\"10.0.0.1\",\"fd00:"
		  ":1\"],"
		  "\"state\":\"open\",\"isolated\":{\"egress\":false,\"ingress\":true},\"revision\":7,"
		  "\"hook\":\"tcx\","
		  "\"ifindex\":5,\"egress\":{\"passed\":10,\"dropped\":{}},\"ingress\":{\"passed\":5,"
		  "\"dropped\":"
		  "{\"policy\":2,\"src_mac\":1}}}]}" },
		{ "/v1/policies", "200 OK",
		  "{\"policies\":[{\"namespace\":\"shop\",\"name\":\"p\",\"isolates\":[\"ingress\"],"
		  "\"selects\":[\"a/1\","
		  "\"a/2\",\"a/3\",\"a/"
		  "4\"],\"revision\":3,\"wantedRevision\":3,\"ageSeconds\":7300,\"audit\":true,\"problems\":["
		  "\"spec.x: "
		  "unknown\"]},"
		  "{\"namespace\":\"shop\",\"name\":\"q\",\"isolates\":[],\"selects\":[],\"revision\":null,"
		  "\"audit\":false,\"problems\":[]},"
		  "{\"namespace\":\"shop\",\"name\":\"r\",\"isolates\":[\"egress\"],\"selects\":[],"
		  "\"revision\":5,\"wantedRevision\":6,\"ageSeconds\":119,\"audit\":false,\"problems\":[]}]"
		  "}" },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "endpoints --socket SOCK");
	shell_printed(shell, 0,
		      "POD      ADDRESSES         STATE  ISOLATED  REVISION  PASSED  DROPPED  HOOK  IFINDEX\n"
		      "shop/db  10.0.0.1,fd00::1  open   ingress   7         15      3        tcx   5\n");
	shell_run(shell, "policies --socket SOCK");
	shell_printed(shell, 0,
		      "POLICY  ISOLATES  SELECTS                 REVISION    AGE   AUDIT  PROBLEMS\n"
		      "shop/p  ingress   a/1,a/2,a/3 and 1 more  3           2h    audit  1\n"
		      "shop/q  nothing   no pod                  -           -     -      -\n"
		      "shop/r  egress    no pod                  5, wants 6  119s  -      -\n"
		      "shop/p: spec.x: unknown\n");
}

static void nodes_are_told_with_their_reasons(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/nodes", "200 OK",
		  "{\"mode\":\"vxlan\",\"up\":true,\"mtu\":1450,\"device\":\"bh_vxlan\",\"port\":4789,"
		  "\"vni\":1,"
		  "\"masquerade\":true,\"nodes\":["
		  "{\"name\":\"n1\",\"self\":true,\"internal\":[\"192.0.2.1\"],\"external\":[],\"podRanges\":"
		  "["
		  "{\"range\":\"10.244.1.0/24\",\"route\":true}],\"state\":\"self\"},"
		  "{\"name\":\"n2\",\"self\":false,\"internal\":[\"192.0.2.2\",\"2001:db8::2\"],\"external\":"
		  "[],"
		  "\"podRanges\":[{\"range\":\"10.244.2.0/24\",\"route\":true},{\"range\":\"fd00:2::/64\","
		  "\"route\":true}],\"via\":\"192.0.2.2\",\"state\":\"ready\"},"
		  "{\"name\":\"n3\\u001b\",\"self\":false,\"internal\":[],\"external\":[],\"podRanges\":[],"
		  "\"state\":\"refused\",\"why\":\"has no pod range (spec.podCIDRs)\"}]}" },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "nodes --socket SOCK");
	shell_printed(shell, 1,
		      "mode vxlan, device bh_vxlan, UDP port 4789, VNI 1, mtu 1450, masquerade on\n"
		      "NODE    ADDRESSES              POD RANGES                 VIA        STATE    WHY\n"
		      "n1      192.0.2.1              10.244.1.0/24              -          self     \n"
		      "n2      192.0.2.2,2001:db8::2  10.244.2.0/24,fd00:2::/64  192.0.2.2  ready    \n"
		      "n3\\x1b  -                      -                          -          refused  has no "
		      "pod range "
		      "(spec.podCIDRs)\n");
	shell_run(shell, "nodes -o json --socket SOCK");
	shell_printed(shell, 1, "\"refused\"");
}

static void services_are_told_port_by_port(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/services", "200 OK",
		  "{\"services\":["
		  "{\"namespace\":\"shop\",\"name\":\"all\",\"state\":\"headless\",\"ports\":[]},"
		  "{\"namespace\":\"shop\",\"name\":\"db\",\"state\":\"refused\",\"why\":\"port 80 of its "
		  "address is "
		  "shop/"
		  "web's\",\"ports\":[{\"address\":\"10.96.0.1\",\"port\":80,\"protocol\":\"TCP\",\"state\":"
		  "\"ok\",\"backends\":[{\"address\":\"10.0.0.9\",\"port\":1}]}]},"
		  "{\"namespace\":\"shop\",\"name\":\"web\",\"state\":\"ok\",\"ports\":["
		  "{\"address\":\"10.96.0.1\",\"port\":80,\"protocol\":\"TCP\",\"state\":\"ok\",\"backends\":"
		  "["
		  "{\"address\":\"10.0.0.1\",\"port\":8080,\"pod\":\"shop/web-0\"},"
		  "{\"address\":\"10.0.0.2\",\"port\":8080},{\"address\":\"10.0.0.3\",\"port\":8080},"
		  "{\"address\":\"10.0.0.4\",\"port\":8080},{\"address\":\"10.0.0.5\",\"port\":8080},"
		  "{\"address\":\"10.0.0.6\",\"port\":8080}]},"
		  "{\"address\":\"fd00::1\",\"port\":80,\"protocol\":\"UDP\",\"state\":\"no "
		  "endpoints\",\"backends\":"
		  "[]}]}],\"tables\":{\"refused\":1}}" },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "services --socket SOCK");
	shell_printed(shell, 1,
		      "SERVICE   ADDRESS           STATE         BACKENDS\n"
		      "shop/all  -                 headless      -\n"
		      "shop/db   10.96.0.1:80/TCP  refused       port 80 of its address is shop/web's\n"
		      "shop/web  10.96.0.1:80/TCP  ok            10.0.0.1:8080 shop/web-0, 10.0.0.2:8080, "
		      "10.0.0.3:8080, "
		      "10.0.0.4:8080, and 2 more\n"
		      "shop/web  [fd00::1]:80/UDP  no endpoints  -\n");
	shell_run(shell, "services -o json --socket SOCK");
	shell_printed(shell, 1, "\"refused\"");
}

static void nobody_between_nodes_is_one_line(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/nodes", "200 OK",
		  "{\"mode\":\"none\",\"up\":false,\"mtu\":0,\"masquerade\":false,\"nodes\":[]}" },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "nodes --socket SOCK");
	assert_int_equal(shell->code, 0);
	assert_string_equal(shell->out, "mode none, masquerade off\n");
}

static void drops_come_one_to_a_line(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/drops?limit=2 ", "200 OK",
		  "{\"time\":\"T1\",\"action\":\"drop\",\"sentence\":\"dropped \\u001b x\"}\n"
		  "{\"time\":\"T2\",\"action\":\"audit\",\"sentence\":\"would drop y\"}\n" },
		{ "/v1/drops?follow=1 ", "503 Service Unavailable",
		  "{\"error\":\"16 others follow already\"}\n" },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "drops --limit 2 --socket SOCK");
	shell_printed(shell, 0, "T1 dropped \\x1b x\nT2 would drop y\n");
	shell_run(shell, "drops --limit=2 --socket SOCK -ojson");
	shell_printed(
		shell, 0,
		"{\"time\":\"T1\",\"action\":\"drop\",\"sentence\":\"dropped \\u001b x\"}\n{\"time\":\"T2\"");
	shell_run(shell, "drops -f --socket SOCK");
	shell_complained(shell, "16 others follow already");
}

static void questions_reach_the_daemon_encoded(void **state)
{
	static const struct answer answers[] = {
		{ "/v1/explain?from=shop%2Fweb&to=fd00%3A%3A1&port=53%2Fudp ", "200 OK",
		  "{\"verdict\":\"deny\",\"sentence\":\"a -> b: denied\\nwhy\"}" },
		{ "/v1/matrix?namespace=a%26b ", "404 Not Found",
		  "{\"error\":\"namespace a&b is not known\"}" },
		{ "/v1/lint ", "200 OK", "nonsense" },
		{ 0 }
	};
	struct shell *shell = *state;

	start_daemon(shell, answers);
	shell_run(shell, "explain shop/web fd00::1 53/udp --socket SOCK");
	shell_printed(shell, 1, "a -> b: denied\n  why\n");
	shell_run(shell, "matrix -n a&b --socket SOCK");
	shell_complained(shell, "namespace a&b is not known");
	shell_run(shell, "lint --socket SOCK");
	shell_complained(shell, "the daemon's answer (status 200): line 1 column 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shell_setup, shell_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_absent_daemon_is_told_plainly),
		TEST(status_is_five_lines),
		TEST(status_tells_trouble),
		TEST(tables_show_endpoints_and_policies),
		TEST(nodes_are_told_with_their_reasons),
		TEST(services_are_told_port_by_port),
		TEST(nobody_between_nodes_is_one_line),
		TEST(drops_come_one_to_a_line),
		TEST(questions_reach_the_daemon_encoded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
