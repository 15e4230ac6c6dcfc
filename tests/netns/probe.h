/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the probe share (probe.c says what it does). */
#ifndef NETNS_PROBE_H
#define NETNS_PROBE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define SOCKETS_MAX 512

enum kind { KIND_TCP, KIND_UDP, KIND_SCTP, KIND_PROTO, KIND_ICMP };

struct what {
	enum kind kind;
	uint16_t port; /* or the protocol's number */
};
static inline bool what_is_raw(struct what what)
{
	return what.kind != KIND_TCP && what.kind != KIND_UDP;
}

__attribute__((noreturn)) void die(const char *what);
struct what what_parse(const char *text);
socklen_t address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret);
int64_t now_ms(void);
extern volatile sig_atomic_t stopping;
void stop_on_term(void); /* sets it */

/* --- raw sockets: packets that are made and read here; `id` tells attempts apart */
int raw_socket(struct what what, int family, int flags);
void raw_ask(int fd, struct what what, int family, uint16_t id);
bool raw_is_answer(struct what what, int family, uint16_t id, const uint8_t *data, ssize_t n);
void raw_serve(int fd, struct what what, int family); /* answers what came, if it is a question */

/* --- commands; the arguments behind their names */
int cmd_serve(int argc, char **argv);
int cmd_sink(char **argv);
int cmd_try(int argc, char **argv);
int cmd_repeat(int argc, char **argv);
int cmd_hold(char **argv);
int cmd_push(char **argv);

#endif
