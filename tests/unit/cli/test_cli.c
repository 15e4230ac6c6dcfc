// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/command.h"

#define ARGV_MAX 12

/* A folder for manifests and for a pretended daemon's socket, and what the last
 * run printed. */
struct shell {
	char folder[64];
	char socket[80];
	char *out;
	char *err;
	int code;
	bool colour;
	pid_t daemon;
};

static void put(const struct shell *shell, const char *name, const char *content)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", shell->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	struct shell *shell = calloc(1, sizeof(*shell));

	snprintf(shell->folder, sizeof(shell->folder), "/tmp/bulkhead-cli-XXXXXX");
	if (!mkdtemp(shell->folder))
		return -1;
	snprintf(shell->socket, sizeof(shell->socket), "%s/sock", shell->folder);
	*state = shell;
	return 0;
}

static int teardown(void **state)
{
	struct shell *shell = *state;
	char command[128];

	if (shell->daemon > 0) {
		kill(shell->daemon, SIGKILL);
		waitpid(shell->daemon, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", shell->folder);
	free(shell->out);
	free(shell->err);
	free(shell);
	return system(command);
}

/* `line` is split at spaces; DIR and SOCK stand for the shell's own. */
static void run(struct shell *shell, const char *line)
{
	char copy[512], *argv[ARGV_MAX + 1] = { (char *)"bulkheadctl" }, *save = NULL;
	size_t out_len, err_len;
	struct screen screen = { .colour = shell->colour };
	int argc = 1;

	free(shell->out);
	free(shell->err);
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < ARGV_MAX);
		argv[argc++] = strcmp(word, "DIR") == 0	   ? shell->folder
			       : strcmp(word, "SOCK") == 0 ? shell->socket
							   : word;
	}
	screen.out = open_memstream(&shell->out, &out_len);
	screen.err = open_memstream(&shell->err, &err_len);
	shell->code = cli_run(argc, argv, &screen);
	fclose(screen.out);
	fclose(screen.err);
}

static void expect_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void expect_out(const struct shell *shell, int code, const char *part)
{
	if (shell->code != code)
		fail_msg("exit %d, not %d\n%s%s", shell->code, code, shell->out, shell->err);
	expect_text(shell->out, part);
}

/* A failure is one line on stderr and nothing on stdout. */
static void expect_complaint(const struct shell *shell, const char *part)
{
	assert_int_equal(shell->code, 2);
	assert_string_equal(shell->out, "");
	expect_text(shell->err, part);
	assert_int_equal(strncmp(shell->err, "bulkheadctl: ", 13), 0);
	assert_ptr_equal(strchr(shell->err, '\n'), shell->err + strlen(shell->err) - 1);
}

#define DEPLOYMENT(name, port)                                                                               \
	"---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: " name ", namespace: shop}\n"          \
	"spec: {template: {metadata: {labels: {app: " name                                                   \
	"}}, spec: {containers: [{ports: [{containerPort: " port ", name: main}]}]}}}\n"

static const char shop[] = DEPLOYMENT("web", "80") DEPLOYMENT("db", "5432")
	DEPLOYMENT("job", "1") "---\n"
			       "kind: NetworkPolicy\n"
			       "apiVersion: networking.k8s.io/v1\n"
			       "metadata: {name: db, namespace: shop}\n"
			       "spec:\n"
			       "  podSelector: {matchLabels: {app: db}}\n"
			       "  ingress:\n"
			       "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
			       "    ports: [{port: main}]\n";

/* --- explain --- */

static void explain_exits_by_the_verdict(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	run(shell, "explain -m DIR shop/web shop/db 5432");
	expect_out(shell, 0,
		   "shop/web -> shop/db TCP/5432: allowed\n  allowed by egress of shop/web: no policy "
		   "isolates it\n"
		   "  allowed by ingress of shop/db: rule 0 of shop/db\n");
	run(shell, "explain -m DIR shop/web shop/db main");
	expect_out(shell, 0, "TCP/5432: allowed");
	run(shell, "explain -m DIR shop/job shop/db 5432");
	expect_out(shell, 1, "shop/job -> shop/db TCP/5432: denied\n");
	expect_text(shell->out, "isolated by shop/db");
	expect_text(shell->out, "app=job");
	run(shell, "explain --manifests=DIRx shop/job shop/db 5432");
	expect_complaint(shell, "DIRx: ");
	run(shell, "explain -m DIR shop/web shop/db 5432/udp");
	expect_out(shell, 1, "UDP/5432: denied");
}

static void explain_cannot_say_what_depends_on_an_unknown_address(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	put(shell, "z.yaml",
	    "kind: NetworkPolicy\nmetadata: {name: block, namespace: shop}\n"
	    "spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: "
	    "10.0.0.0/8}}]}]}\n");
	run(shell, "explain -m DIR shop/job shop/web 80");
	expect_out(shell, 2, "undecided");
	run(shell, "explain -m DIR 10.1.2.3 shop/web 80");
	expect_out(shell, 0, "10.1.2.3 -> shop/web TCP/80: allowed");
}

static void explain_names_what_is_not_known(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	run(shell, "explain -m DIR shop/nobody shop/db 80");
	expect_complaint(shell, "\"shop/nobody\"");
	run(shell, "explain -m DIR shop/web shop/db http");
	expect_complaint(shell, "serves no TCP port named \"http\"");
	run(shell, "explain -m DIR shop/web shop/db 70000");
	expect_complaint(shell, "a port is from 1 to 65535");
	run(shell, "explain -m DIR shop/web shop/db 80/icmp");
	expect_complaint(shell, "TCP, UDP or SCTP");
}

static void broken_manifests_make_no_answer(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	put(shell, "broken.yaml", "a: [");
	run(shell, "explain -m DIR shop/web shop/db 5432");
	assert_int_equal(shell->code, 2);
	expect_text(shell->err, "broken.yaml:");
	expect_text(shell->err, "1 broken file: this is not the whole picture");
	run(shell, "matrix -m DIR");
	assert_int_equal(shell->code, 2);
}

static void explain_prints_json(void **state)
{
	struct shell *shell = *state;
	auto_json cJSON *json = NULL;

	put(shell, "shop.yaml", shop);
	run(shell, "explain -m DIR shop/job shop/db 5432 -o json");
	assert_int_equal(shell->code, 1);
	assert_int_equal(json_parse(shell->out, strlen(shell->out), &json, NULL), 0);
	assert_string_equal(json_get(json, "verdict")->valuestring, "deny");
	assert_string_equal(json_get(json_get(json, "ingress"), "clause")->valuestring, "pod label");
}

static void posture_counts_offline(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	run(shell, "explain -m DIR shop/db shop/web 80");
	assert_int_equal(shell->code, 0);
	run(shell, "explain -m DIR shop/db shop/web 80 --posture deny");
	expect_out(shell, 1, "posture deny");
	run(shell, "explain shop/db shop/web 80 --posture deny");
	expect_complaint(shell, "--posture goes with --manifests");
}

/* The daemon's default is dns.allow: false. */
static void posture_deny_offline_lists_no_dns(void **state)
{
	struct shell *shell = *state;

	put(shell, "dns.yaml",
	    "kind: Pod\nmetadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\n---\n"
	    "kind: Pod\nmetadata: {name: a}\n");
	run(shell, "explain -m DIR default/a kube-system/dns 53/udp --posture deny");
	expect_out(shell, 1, "posture deny");
}

static void a_folder_without_objects_is_no_answer(void **state)
{
	struct shell *shell = *state;

	run(shell, "lint -m DIR");
	expect_complaint(shell, "no object in its *.yaml, *.yml and *.json files");
	run(shell, "matrix -m DIR");
	expect_complaint(shell, "subfolders are not read");
	put(shell, "a.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n");
	run(shell, "matrix -m DIR");
	expect_out(shell, 0, "No pods.");
}

/* --- matrix --- */

static void the_matrix_is_a_table(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	run(shell, "matrix -m DIR");
	assert_int_equal(shell->code, 0);
	assert_string_equal(
		shell->out,
		"from \\ to  shop/db   shop/job  shop/web\n"
		"shop/db    -         all       all\n"
		"shop/job   -         all       all\n"
		"shop/web   tcp/5432  all       all\n"
		"\n"
		"3 pods; 5 of 6 pairs may talk.\n"
		"On the diagonal: between replicas of one workload.\n"
		"all: everything   tcp/80: only that   -: nothing   .: itself   ?: depends on an address\n");
	assert_string_equal(shell->err, "");
}

static void cells_tell_ranges_and_protocols(void **state)
{
	static const struct {
		const char *ports;
		const char *cell; /* of b to a */
	} rows[] = {
		{ "[]", "all" },
		{ "[{}]", "tcp" },
		{ "[{protocol: UDP}]", "udp" },
		{ "[{port: 80, endPort: 90}]", "tcp/80-90" },
		{ "[{port: 1, endPort: 65535}]", "tcp" },
		{ "[{port: 80}, {port: 81}]", "tcp/80-81" },
		{ "[{port: 80}, {port: 53, protocol: UDP}]", "tcp/80,udp/53" },
		{ "[{}, {protocol: UDP}, {protocol: SCTP}]", "tcp,udp,sctp" },
		{ "[{port: 1}, {port: 3}, {port: 5}, {port: 7}, {port: 9}, {port: 11}]",
		  "tcp/1,tcp/3,tcp/5,tcp/7,tcp/9+1" },
		{ "[{port: 0}]", "-" },
	};
	struct shell *shell = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[1024], row[80];

		snprintf(text, sizeof(text),
			 "kind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: a}}\n---\n"
			 "kind: Pod\nmetadata: {name: b, namespace: shop}\n---\nkind: NetworkPolicy\n"
			 "metadata: {name: p, namespace: shop}\n"
			 "spec: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: %s}]}\n",
			 rows[i].ports);
		put(shell, "a.yaml", text);
		run(shell, "matrix -m DIR");
		snprintf(row, sizeof(row), "\nshop/b     %-6s  .\n", rows[i].cell);
		expect_out(shell, 0, row);
	}
}

static void many_pods_get_numbers(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	put(shell, "more.yaml",
	    DEPLOYMENT("e1", "1") DEPLOYMENT("e2", "1") DEPLOYMENT("e3", "1") DEPLOYMENT("e4", "1"));
	run(shell, "matrix -m DIR");
	expect_out(shell, 0, "from \\ to    1         2    3    4    5    6    7\n");
	expect_text(shell->out, "\n 2 shop/e1   -  ");
	expect_text(shell->out, "\n 7 shop/web  tcp/5432  all");
}

static void the_matrix_of_one_namespace(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	put(shell, "other.yaml", "kind: Pod\nmetadata: {name: x, namespace: other}\n");
	run(shell, "matrix -m DIR --namespace other");
	expect_out(shell, 0, "1 pod; 0 of 0 pairs");
	run(shell, "matrix -m DIR -n none");
	expect_out(shell, 0, "No pods.");
}

/* --- lint --- */

static void lint_exits_by_what_it_finds(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	run(shell, "lint -m DIR");
	expect_out(shell, 0, "0 errors, 0 warnings, 0 notes\n");
	put(shell, "z.yaml",
	    "kind: NetworkPolicy\nmetadata: {name: z, namespace: shop}\n"
	    "spec: {ingress: [{ports: [{port: nope}, {port: 0}]}]}\n---\nkind: ConfigMap\nmetadata: {name: "
	    "c}\n");
	run(shell, "lint -m DIR");
	expect_out(shell, 1,
		   "error: NetworkPolicy shop/z: spec.ingress[0].ports[1].port: must be a whole number");
	expect_text(shell->out,
		    "warning: NetworkPolicy shop/z: spec.ingress[0].ports[0]: shop/db serves no TCP port");
	expect_text(shell->err, "z.yaml:3: NetworkPolicy z: ");
	expect_text(shell->err, "z.yaml:4: ConfigMap c: skipped");
}

/* --- usage --- */

static void wrong_usage_is_one_line(void **state)
{
	static const struct {
		const char *line;
		const char *complaint;
	} rows[] = {
		{ "frob", "unknown verb \"frob\"" },
		{ "--frob", "unknown option --frob" },
		{ "-x", "unknown option -x" },
		{ "--help=yes", "--help takes no value" },
		{ "matrix -o xml", "--output is json or text, not \"xml\"" },
		{ "matrix --manifests", "--manifests needs a value" },
		{ "matrix extra", "usage: bulkheadctl matrix" },
		{ "explain a b", "usage: bulkheadctl explain FROM TO PORT[/PROTO]" },
		{ "explain a b c d", "too many arguments" },
		{ "status -m DIR", "status does not take --manifests" },
		{ "matrix --follow", "matrix does not take --follow" },
		{ "lint -m DIR --posture strict", "--posture is standard, deny or audit" },
		{ "drops --limit x", "--limit is a number" },
		{ "drops --limit 1025", "--limit is a number" },
		{ "frob --help", "unknown verb" },
	};
	struct shell *shell = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run(shell, rows[i].line);
		expect_complaint(shell, rows[i].complaint);
	}
}

static void every_verb_has_help_with_an_example(void **state)
{
	struct shell *shell = *state;
	const struct command *command;
	char line[64];

	run(shell, "--help");
	expect_out(shell, 0, "Usage: bulkheadctl [verb]");
	for (size_t i = 0; (command = command_at(i)); i++) {
		expect_text(shell->out, command->name);
		snprintf(line, sizeof(line), "%s --help", command->name);
		run(shell, line);
		expect_out(shell, 0, "Example: bulkheadctl ");
		expect_text(shell->out, command->name);
		run(shell, "-h");
	}
	run(shell, "--version");
	expect_out(shell, 0, "bulkheadctl ");
}

static void names_never_reach_the_terminal_raw(void **state)
{
	struct shell *shell = *state;
	const char *forms[] = { "explain -m DIR 10.0.0.1 10.0.0.2 80", "matrix -m DIR",
				"matrix -m DIR -o json", "explain -m DIR 10.0.0.1 10.0.0.2 80 -o json",
				"lint -m DIR" };

	put(shell, "a.yaml",
	    "kind: Pod\nmetadata: {name: \"a\\e[2J\\x9b\\u202eb\"}\nstatus: {podIP: 10.0.0.1}\n---\n"
	    "kind: Pod\nmetadata: {name: b}\nstatus: {podIP: 10.0.0.2}\n---\n"
	    "kind: NetworkPolicy\nmetadata: {name: \"p\\e]0;x\\a\"}\nspec: {\"x\\e[1m\": 1}\n");
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		run(shell, forms[i]);
		for (const char *text = shell->out; *text; text++)
			if ((*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7f)
				fail_msg("byte %02x in the answer to %s", (unsigned char)*text, forms[i]);
		assert_null(strchr(shell->err, '\033'));
		assert_null(strstr(shell->out, "\xe2\x80\xae"));
		assert_null(strstr(shell->out, "\xc2\x9b"));
	}
}

static void colour_is_for_terminals(void **state)
{
	struct shell *shell = *state;

	put(shell, "shop.yaml", shop);
	shell->colour = true;
	run(shell, "explain -m DIR shop/job shop/db 5432");
	expect_out(shell, 1, "\033[31mshop/job -> shop/db TCP/5432: denied\033[0m\n");
	run(shell, "matrix -m DIR -o json");
	assert_null(strchr(shell->out, '\033'));
	shell->colour = false;
	run(shell, "explain -m DIR shop/job shop/db 5432");
	assert_null(strchr(shell->out, '\033'));
}

/* --- a pretended daemon --- */

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
		run(shell, line);
		expect_complaint(shell, "no daemon answers at");
	}
	run(shell, "--socket SOCK");
	expect_complaint(shell, "no daemon answers at");
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
	run(shell, "--socket SOCK");
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
	run(shell, "status --socket SOCK");
	expect_out(shell, 1, "daemon    not ready: not synced");
	expect_text(shell->out, "problems  2 broken manifests; manifests since T: bad\\x1b\n");
	run(shell, "status -o json --socket SOCK");
	expect_out(shell, 1, "\"ready\"");
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
	run(shell, "endpoints --socket SOCK");
	expect_out(shell, 0,
		   "POD      ADDRESSES         STATE  ISOLATED  REVISION  PASSED  DROPPED  HOOK  IFINDEX\n"
		   "shop/db  10.0.0.1,fd00::1  open   ingress   7         15      3        tcx   5\n");
	run(shell, "policies --socket SOCK");
	expect_out(shell, 0,
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
	run(shell, "nodes --socket SOCK");
	expect_out(shell, 1,
		   "mode vxlan, device bh_vxlan, UDP port 4789, VNI 1, mtu 1450, masquerade on\n"
		   "NODE    ADDRESSES              POD RANGES                 VIA        STATE    WHY\n"
		   "n1      192.0.2.1              10.244.1.0/24              -          self     \n"
		   "n2      192.0.2.2,2001:db8::2  10.244.2.0/24,fd00:2::/64  192.0.2.2  ready    \n"
		   "n3\\x1b  -                      -                          -          refused  has no "
		   "pod range "
		   "(spec.podCIDRs)\n");
	run(shell, "nodes -o json --socket SOCK");
	expect_out(shell, 1, "\"refused\"");
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
	run(shell, "services --socket SOCK");
	expect_out(shell, 1,
		   "SERVICE   ADDRESS           STATE         BACKENDS\n"
		   "shop/all  -                 headless      -\n"
		   "shop/db   10.96.0.1:80/TCP  refused       port 80 of its address is shop/web's\n"
		   "shop/web  10.96.0.1:80/TCP  ok            10.0.0.1:8080 shop/web-0, 10.0.0.2:8080, "
		   "10.0.0.3:8080, "
		   "10.0.0.4:8080, and 2 more\n"
		   "shop/web  [fd00::1]:80/UDP  no endpoints  -\n");
	run(shell, "services -o json --socket SOCK");
	expect_out(shell, 1, "\"refused\"");
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
	run(shell, "nodes --socket SOCK");
	assert_int_equal(shell->code, 0);
	assert_string_equal(shell->out, "mode none, masquerade off\n");
}

/* A program in the daemon's place, which answers as `bulkheadd --check-node` does. */
static void pretend_checks(const struct shell *shell, const char *script)
{
	char path[96];

	put(shell, "bulkheadd", script);
	snprintf(path, sizeof(path), "%s/bulkheadd", shell->folder);
	assert_int_equal(chmod(path, 0755), 0);
	setenv("BULKHEADD", path, 1);
}

static void checks_are_one_line_each(void **state)
{
	struct shell *shell = *state;

	pretend_checks(
		shell,
		"#!/bin/sh\n[ \"$*\" = '--check-node --config c --kubeconfig k --plugins p' ] || exit 2\n"
		"echo '{\"checks\":[{\"name\":\"kernel\",\"level\":\"ok\",\"found\":\"fine\"},'\n"
		"echo '{\"name\":\"plugin\",\"level\":\"FAIL\",\"found\":\"b\\u001bad\",\"todo\":\"mend "
		"it\"}],'\n"
		"echo '\"ok\":false}'; exit 1\n");
	run(shell, "check --config c --kubeconfig k --plugins p");
	expect_out(shell, 1, "ok       kernel       fine\nFAIL     plugin       b\\x1bad -> mend it\n");
	run(shell, "check --config c --kubeconfig k --plugins p -o json");
	expect_out(shell, 1, "\"ok\":\tfalse");
	pretend_checks(shell, "#!/bin/sh\necho '{\"checks\":[],\"ok\":true}'\n");
	run(shell, "check");
	assert_int_equal(shell->code, 0);
	unsetenv("BULKHEADD");
}

static void checks_without_an_answer_are_told_plainly(void **state)
{
	struct shell *shell = *state;

	setenv("BULKHEADD", "/none", 1);
	run(shell, "check");
	expect_complaint(shell, "/none: No such file or directory");
	pretend_checks(shell, "#!/bin/sh\nexit 2\n");
	run(shell, "check");
	expect_complaint(shell, "gave no answer");
	pretend_checks(shell, "#!/bin/sh\necho nonsense\n");
	run(shell, "check");
	assert_int_equal(shell->code, 2);
	unsetenv("BULKHEADD");
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
	run(shell, "drops --limit 2 --socket SOCK");
	expect_out(shell, 0, "T1 dropped \\x1b x\nT2 would drop y\n");
	run(shell, "drops --limit=2 --socket SOCK -ojson");
	expect_out(
		shell, 0,
		"{\"time\":\"T1\",\"action\":\"drop\",\"sentence\":\"dropped \\u001b x\"}\n{\"time\":\"T2\"");
	run(shell, "drops -f --socket SOCK");
	expect_complaint(shell, "16 others follow already");
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
	run(shell, "explain shop/web fd00::1 53/udp --socket SOCK");
	expect_out(shell, 1, "a -> b: denied\n  why\n");
	run(shell, "matrix -n a&b --socket SOCK");
	expect_complaint(shell, "namespace a&b is not known");
	run(shell, "lint --socket SOCK");
	expect_complaint(shell, "the daemon's answer (status 200): line 1 column 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(explain_exits_by_the_verdict),
		TEST(explain_cannot_say_what_depends_on_an_unknown_address),
		TEST(explain_names_what_is_not_known),
		TEST(broken_manifests_make_no_answer),
		TEST(explain_prints_json),
		TEST(posture_counts_offline),
		TEST(posture_deny_offline_lists_no_dns),
		TEST(a_folder_without_objects_is_no_answer),
		TEST(the_matrix_is_a_table),
		TEST(cells_tell_ranges_and_protocols),
		TEST(many_pods_get_numbers),
		TEST(the_matrix_of_one_namespace),
		TEST(lint_exits_by_what_it_finds),
		TEST(wrong_usage_is_one_line),
		TEST(every_verb_has_help_with_an_example),
		TEST(names_never_reach_the_terminal_raw),
		TEST(colour_is_for_terminals),
		TEST(an_absent_daemon_is_told_plainly),
		TEST(status_is_five_lines),
		TEST(status_tells_trouble),
		TEST(tables_show_endpoints_and_policies),
		TEST(nodes_are_told_with_their_reasons),
		TEST(services_are_told_port_by_port),
		TEST(nobody_between_nodes_is_one_line),
		TEST(checks_are_one_line_each),
		TEST(checks_without_an_answer_are_told_plainly),
		TEST(drops_come_one_to_a_line),
		TEST(questions_reach_the_daemon_encoded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
