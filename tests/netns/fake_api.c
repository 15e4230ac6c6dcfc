// SPDX-License-Identifier: Apache-2.0
/*
 * The scripted API server as a program, for tests with a whole node: says its
 * port, then obeys one command per line and answers "ok".
 *
 *	put|KIND|NAMESPACE|NAME|UID|LABELS|REST		members as JSON text
 *	del|KIND|NAMESPACE|NAME
 *	stop, start					the port closes, and opens again
 *	refuse|STATUS					every request gets it
 *	answer|KIND|STATUS|TYPE|BODY			every request for the kind gets it
 *	date|HTTP-DATE					what the server's clock says
 *	obey						and no longer
 *	say|KIND|LINE					to those who watch the kind
 *	cut						watches end
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/apiserver.h"

#define WORDS_MAX 7

static int words_split(char *line, char **words)
{
	int n = 0;

	line[strcspn(line, "\n")] = '\0';
	while (n < WORDS_MAX && (words[n] = strsep(&line, "|")))
		n++;
	return n;
}

/* The server keeps the words until it ends. */
static void answer_always(struct apiserver *server, char **words)
{
	apiserver_fault(server, (struct apiserver_fault){ .match = strdup(words[1]),
							  .times = -1,
							  .status = (int)strtol(words[2], NULL, 10),
							  .type = strdup(words[3]),
							  .body = strdup(words[4]) });
}

static void say_date(struct apiserver *server, const char *date)
{
	char header[128];

	snprintf(header, sizeof(header), "Date: %s\r\n", date);
	apiserver_fault(server, (struct apiserver_fault){ .match = "/version",
							  .times = -1,
							  .status = 200,
							  .headers = strdup(header),
							  .body = "{}" });
}

static int obey(struct apiserver *server, char **words, int n)
{
	if (n == 7 && strcmp(words[0], "put") == 0)
		apiserver_put(server, words[1], words[2], words[3], words[4], words[5], words[6]);
	else if (n == 4 && strcmp(words[0], "del") == 0)
		apiserver_delete(server, words[1], words[2], words[3]);
	else if (n == 1 && strcmp(words[0], "stop") == 0)
		apiserver_stop(server);
	else if (n == 1 && strcmp(words[0], "start") == 0)
		apiserver_start(server);
	else if (n == 2 && strcmp(words[0], "refuse") == 0)
		apiserver_fault(server,
				(struct apiserver_fault){ .match = "/",
							  .times = -1,
							  .status = (int)strtol(words[1], NULL, 10) });
	else if (n == 5 && strcmp(words[0], "answer") == 0)
		answer_always(server, words);
	else if (n == 3 && strcmp(words[0], "say") == 0)
		apiserver_say(server, words[1], words[2]);
	else if (n == 1 && strcmp(words[0], "cut") == 0)
		apiserver_end_watches(server, true);
	else if (n == 2 && strcmp(words[0], "date") == 0)
		say_date(server, words[1]);
	else if (n == 1 && strcmp(words[0], "obey") == 0)
		apiserver_forgive(server);
	else
		return -1;
	return 0;
}

int main(void)
{
	struct apiserver *server;
	char line[65536], *words[WORDS_MAX + 1];

	signal(SIGPIPE, SIG_IGN);
	server = apiserver_new(NULL, NULL);
	printf("%d\n", apiserver_port(server));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		puts(obey(server, words, words_split(line, words)) == 0 ? "ok" : "what?");
		fflush(stdout);
	}
	apiserver_free(server);
	return 0;
}
