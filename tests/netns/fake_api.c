// SPDX-License-Identifier: Apache-2.0
/*
 * The scripted API server as a program, for tests with a whole node: says its
 * port, then obeys one command per line and answers "ok".
 *
 *	put|KIND|NAMESPACE|NAME|UID|LABELS|REST		members as JSON text
 *	del|KIND|NAMESPACE|NAME
 *	crowd|N						so many nodes besides
 *	stop, start					the port closes, and opens again
 *	certificate|CERT|KEY				shown to new connections
 *	fault|MATCH|WHAT...				a mistake, in answer to every target with MATCH:
 *			status=N, type=TEXT, header=TEXT, body=TEXT, hex=BYTES, silent, held, cut=N, end=N,
 *			flood=N, once
 *	obey						and no longer
 *	say|KIND|LINE					to those who watch the kind
 *	cut						watches end
 *	expire|KIND					those of the kind, and only a list helps
 *	compact						only a list would help
 *	watching|N					"ok" if so many watches are open, or more
 *
 * With a certificate and its key as arguments it speaks TLS.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/apiserver.h"

#define WORDS_MAX 10

static int words_split(char *line, char **words)
{
	int n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < WORDS_MAX && (words[n] = strsep(&line, "|")))
		n++;
	return n;
}

static void hex_read(struct apiserver_fault *fault, const char *hex)
{
	char *bytes = calloc(1, strlen(hex) / 2 + 1);

	for (; sscanf(hex, "%2hhx", (unsigned char *)bytes + fault->body_len) == 1; hex += 2)
		fault->body_len++;
	fault->body = bytes;
}

/* One word of a fault. The server keeps what it points at until it ends. */
static bool fault_word(struct apiserver_fault *fault, const char *word)
{
	const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : "";
	size_t number = strtoul(value, NULL, 10);
	char *line = NULL;

	if (strncmp(word, "status=", 7) == 0)
		fault->status = (int)number;
	else if (strncmp(word, "type=", 5) == 0)
		fault->type = strdup(value);
	else if (strncmp(word, "body=", 5) == 0)
		fault->body = strdup(value);
	else if (strncmp(word, "hex=", 4) == 0)
		hex_read(fault, value);
	else if (strncmp(word, "header=", 7) == 0 && asprintf(&line, "%s\r\n", value) > 0)
		fault->headers = line;
	else if (strncmp(word, "cut=", 4) == 0 || strncmp(word, "end=", 4) == 0)
		fault->cut = number;
	else if (strncmp(word, "flood=", 6) == 0)
		fault->flood = number;
	else if (strcmp(word, "silent") == 0)
		fault->silent = true;
	else if (strcmp(word, "held") == 0)
		fault->held = true;
	else if (strcmp(word, "once") == 0)
		fault->times = 0;
	else
		return false;
	fault->cut_clean = fault->cut_clean || strncmp(word, "end=", 4) == 0;
	return true;
}

static int fault_set(struct apiserver *server, char **words, int n)
{
	struct apiserver_fault fault = { .match = strdup(words[1]), .times = -1 };

	for (int i = 2; i < n; i++)
		if (!fault_word(&fault, words[i]))
			return -1;
	apiserver_fault(server, fault);
	return 0;
}

static void node_write(struct text *out, size_t i, long version, bool with_kind)
{
	text_addf(out,
		  "{%s\"metadata\":{\"name\":\"crowd-%zu\",\"uid\":\"crowd-%zu\",\"resourceVersion\":\"v%"
		  "ldx\"}}",
		  with_kind ? "\"kind\":\"Node\",\"apiVersion\":\"v1\"," : "", i, i, version);
}

/* What is said of objects. */
static int obey_object(struct apiserver *server, char **words, int n)
{
	if (n == 7 && strcmp(words[0], "put") == 0)
		apiserver_put(server, words[1], words[2], words[3], words[4], words[5], words[6]);
	else if (n == 4 && strcmp(words[0], "del") == 0)
		apiserver_delete(server, words[1], words[2], words[3]);
	else if (n == 2 && strcmp(words[0], "crowd") == 0)
		apiserver_crowd(server, "nodes",
				(struct apiserver_crowd){ strtoul(words[1], NULL, 10), node_write });
	else if (n == 3 && strcmp(words[0], "say") == 0)
		apiserver_say(server, words[1], words[2]);
	else if (n == 2 && strcmp(words[0], "expire") == 0)
		apiserver_expire(server, words[1]);
	else
		return -1;
	return 0;
}

static int obey(struct apiserver *server, char **words, int n)
{
	if (n == 1 && strcmp(words[0], "stop") == 0)
		apiserver_stop(server);
	else if (n == 1 && strcmp(words[0], "start") == 0)
		apiserver_start(server);
	else if (n == 3 && strcmp(words[0], "certificate") == 0)
		apiserver_certificate(server, words[1], words[2]);
	else if (n > 2 && strcmp(words[0], "fault") == 0)
		return fault_set(server, words, n);
	else if (n == 1 && strcmp(words[0], "obey") == 0)
		apiserver_forgive(server);
	else if (n == 1 && strcmp(words[0], "cut") == 0)
		apiserver_end_watches(server, true);
	else if (n == 1 && strcmp(words[0], "compact") == 0)
		apiserver_compact(server);
	else if (n == 2 && strcmp(words[0], "watching") == 0)
		return apiserver_watching(server) >= strtoul(words[1], NULL, 10) ? 0 : -1;
	else
		return obey_object(server, words, n);
	return 0;
}

int main(int argc, char **argv)
{
	struct apiserver *server;
	char line[65536], *words[WORDS_MAX + 1];

	signal(SIGPIPE, SIG_IGN);
	server = apiserver_new(argc == 3 ? argv[1] : NULL, argc == 3 ? argv[2] : NULL);
	printf("%d\n", apiserver_port(server));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		puts(obey(server, words, words_split(line, words)) == 0 ? "ok" : "what?");
		fflush(stdout);
	}
	apiserver_free(server);
	return 0;
}
