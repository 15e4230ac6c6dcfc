/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kind of object, kept up to date:
 *
 *	COLD -> LIST (into a shadow) -> WATCH <-> WAIT -> LIST (into a shadow)
 *
 * The live objects are replaced only by a complete shadow, and stay what they are
 * in every other state: an error, however long it lasts, takes no policy away. The
 * collection's version is opaque; it comes from a list's metadata, a bookmark or
 * an applied event, and from nowhere else.
 *
 * Where the server can, list and watch are one request (a streaming list); where
 * it cannot, a list in pages.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include <time.h>

#include "kube/api_http.h"
#include "kube/backoff.h"
#include "kube/line.h"
#include "kube/list_cut.h"
#include "kube/objects.h"

/* Milliseconds, but for the timeouts that the server is asked for. */
struct watch_timing {
	int64_t backoff_first, backoff_last, healthy;
	int64_t connect;	 /* name, TCP and TLS */
	int64_t list_deadline;	 /* one page, or a whole list in one body */
	int64_t silence;	 /* a watch without a byte for so long is dead */
	int64_t initial_silence; /* the same while a streaming list is not whole */
	int64_t brief;		 /* a watch that ends before this and said nothing failed */
	int64_t server_errors;	 /* so long the version is worth another try after a 500 */
	int64_t retry_after_max;
	int64_t relist;				   /* a list older than this is renewed when its watch ends */
	int64_t refresh;			   /* credentials are read again so often */
	unsigned int timeout_min_s, timeout_max_s; /* of a watch */
	int64_t timeout_slack;			   /* the client's own deadline is so much later */
};
extern const struct watch_timing watch_timing_default;

enum watch_state { WATCH_COLD, WATCH_LISTING, WATCH_STREAMING, WATCH_WATCHING, WATCH_WAITING };

/* What the watches of one server share. */
struct watch_env {
	struct api_http *http;
	struct pollset *set;
	struct breaker breaker;
	struct feed *feed; /* what changed in the live objects of them all */
	struct watch_timing timing;
	void (*renew_credentials)(void *data);
	void (*report)(bool is_error, const char *message, void *data);
	void (*changed)(void *data); /* live objects changed, or the kind is synced now */
	void *data;
};

enum watch_next { WATCH_NEXT_NONE, WATCH_NEXT_LIST, WATCH_NEXT_WATCH };

/* What a line or an item said that ends the call it came in. */
struct watch_verdict {
	enum watch_next next;
	bool is_trouble;
	int64_t wait_ms; /* -1: by the backoff */
	char why[300];
};

struct watch_counts {
	uint64_t lists, watches, events, bookmarks, troubles, partial_lines, refused;
};

struct watch {
	const struct object_kind *kind;
	struct watch_env *env;
	size_t max;		     /* objects; more are refused */
	struct objects live, shadow; /* the shadow is an overlay of the live ones */
	bool synced;
	enum watch_state state;
	char version[OBJECT_VERSION_MAX]; /* empty: list */

	struct api_call *call;
	int status;	    /* of the call; 0: no head yet */
	bool is_json;	    /* its content type */
	struct text answer; /* the body of an error */
	struct line line;
	struct list_cut cut;
	struct watch_verdict verdict;
	uint64_t call_events;
	int64_t call_ms, progress_ms;

	char list_version[OBJECT_VERSION_MAX];
	char *token;	      /* continue */
	unsigned int expired; /* lists that lost their token half way */
	bool no_streaming;    /* the server cannot */
	bool plain_once;      /* a streaming list failed: take the plain one */
	bool confirming;      /* an empty list is asked for a second time */
	bool has_renewed;     /* credentials, after a 401 */
	int64_t listed_ms, errors_since_ms;

	struct pollset_timer timer;  /* ends a wait; watches a streaming list's progress */
	struct pollset_timer settle; /* a watch that lives so long is well */
	enum watch_next next;
	struct backoff backoff;
	bool is_degraded;
	time_t degraded_since; /* for people */
	char why[300];
	size_t n_lasting; /* watch_lasting() when `why` was the last of those; else 0 */
	struct watch_counts counts;
};

/* `env` and `kind` outlive it; it stays where it is. */
void watch_init(struct watch *watch, const struct object_kind *kind, struct watch_env *env, size_t max);
void watch_start(struct watch *watch);
void watch_done(struct watch *watch);
const char *watch_state_name(enum watch_state state);

/* --- for watch*.c --- */

/* Ends the call with this verdict; returns a negative errno for the caller. */
int watch_judge(struct watch *watch, enum watch_next next, bool is_trouble, int64_t wait_ms, const char *fmt,
		...) __attribute__((format(printf, 5, 6)));
/* A shadow is whole: it becomes the live objects, unless it is suddenly empty. 1:
 * it must be confirmed first. -ENOMEM: the live objects stay. */
int watch_commit(struct watch *watch, const char *version);
void watch_is_well(struct watch *watch);
/* Objects that keep the kind degraded while all else is well: refused, or not read wholly. */
size_t watch_lasting(const struct watch *watch);
/* wait_ms negative: nothing is waited for. */
void watch_degrade(struct watch *watch, const char *why, int64_t wait_ms);
void watch_report(const struct watch *watch, bool is_error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One line of a watch, one item of a list (watch_event.c). */
int watch_on_line(char *text, size_t len, void *watch, struct err *err);
int watch_on_item(char *text, size_t len, void *watch, struct err *err);

/* Reason and message of a Status object, for people. */
void watch_status_words(const cJSON *status, char *out, size_t out_size);

#endif
