/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: one process, one thread, one event loop. Objects come from the
 * source, attachments from the plugin; both only mark the world as changed, and
 * one recompile per loop turn brings all of it into the kernel.
 *
 * The kernel's state outlives the process. At start it is taken over as it is and
 * nothing is changed until the objects have been read whole: a missing policy
 * would open what it isolates. At the end nothing is undone.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <event2/event.h>

#include "agent/attachments.h"
#include "agent/config.h"
#include "agent/drops.h"
#include "agent/enforce.h"
#include "agent/health.h"
#include "agent/metrics.h"
#include "agent/network.h"
#include "agent/node_addrs.h"
#include "agent/revisions.h"
#include "agent/store.h"
#include "agent/worker.h"
#include "base/text.h"
#include "base/version.h"
#include "dataplane/ring.h"
#include "kube/cluster.h"
#include "kube/manifests.h"
#include "report/report.h"
#include "service/services.h"

struct control;
struct exporter;

struct agent {
	const struct config *config;
	struct event_base *base;
	struct maps *maps;
	struct ring *ring;
	struct manifests *manifests; /* one of these two is the source, the other is null */
	struct cluster *cluster;
	bool objects_known;  /* read whole at least once */
	bool read_due;	     /* they have changed since they were read */
	bool conflist_known; /* the runtime's configuration has been written, or was right */
	struct attachments attachments;
	struct store store;
	struct enforce enforce;
	struct revisions revisions;
	struct node_addrs node;
	struct network network;
	struct services *services;
	bool services_adopted; /* they know what the kernel has */
	bool services_lost;    /* they do not know the objects */
	bool services_touch;   /* pods or addresses here have changed since */
	bool services_due;     /* Services or their endpoints have */
	struct {
		struct worker worker;
		uint32_t ifindex; /* under way; 0: none */
		int result;	  /* of the last one, and why: the worker's until it answers */
		struct err err;
	} move;		    /* of an interface's hooks */
	int64_t touched_ms; /* when a pod last came or went */
	bool hooks_stay;    /* this kernel has no links */
	struct metrics metrics;
	struct drops drops;
	struct health health;
	struct control *control;
	struct exporter *exporter;
	struct {
		uint32_t ifindex;
		int64_t since_ms;
	} unclaimed[BH_ENDPOINTS_MAX]; /* interfaces of ours that nobody has told of, since when */
	int64_t started_ms;
	int64_t network_ms;		     /* of the last look at the network between nodes */
	bool network_due;		     /* Node objects changed since */
	unsigned int retry_ms;		     /* after a failed recompile; 0: the last one was good */
	int64_t recompile_us, recompiled_us; /* how long the last one took, and when it ended */
	struct event *on_recompile, *on_tidy, *on_fenced, *on_source, *on_reload, *on_address, *on_node,
		*on_events, *on_second, *on_sweep, *on_term, *on_int, *on_links, *on_nft, *on_network,
		*on_services, *on_moved, *on_rested;
};

/* Loads the kernel's side, takes over what is there, opens the sockets. */
int agent_new(const struct config *config, struct agent **ret_agent, struct err *err);
/* Serves until SIGTERM or SIGINT. */
int agent_run(struct agent *agent, struct err *err);
struct agent *agent_free(struct agent *agent);

/* Creates the loop's events (agent_loop.c). */
int agent_listen(struct agent *agent, struct err *err);
struct event *agent_event(struct agent *agent, int fd, short what, event_callback_fn call,
			  const struct timeval *every); /* null: out of memory */
/* The first read of the objects, and what follows from each change of them. */
void agent_read_objects(struct agent *agent);
/* Something that the source holds changed: it is read after a moment for the rest. */
void agent_objects_changed(struct agent *agent);
/* One recompile at the end of this loop turn, however often it is asked for. */
void agent_recompile_soon(struct agent *agent);

/* Would an ADD work? If not, `why` gets a static sentence. */
bool agent_ready(const struct agent *agent, const char **why);
struct source agent_source(const struct agent *agent);
struct report_node agent_report_node(const struct agent *agent);

/* Is the attachment's endpoint open in the kernel? */
bool agent_is_open(const struct agent *agent, const struct attachment *attachment);
/* Takes an attachment over; a former one of the same name goes first. */
int agent_attach(struct agent *agent, struct attachment *attachment, struct err *err);
/* The attachment is gone: row, addresses and hooks are released, counters kept. */
void agent_detach(struct agent *agent, const char *container_id, const char *ifname);

/* A cluster as the source (agent_cluster.c). */
int agent_cluster_open(struct agent *agent, struct err *err);
void agent_cluster_turn(struct agent *agent);
cJSON *agent_cluster_json(const struct agent *agent);		       /* null: out of memory */
void agent_cluster_words(const struct agent *agent, struct text *out); /* a line per kind */

/* Brings the runtime's configuration to what it should say (agent_conflist.c).
 * Nothing happens before a pod could be added. */
void agent_conflist(struct agent *agent);

/* Services (agent_services.c). A change is told as the store does it. */
int agent_services_listen(struct agent *agent, struct err *err);
void agent_services_tell(struct agent *agent, const struct change *change);
void agent_services_turn(struct agent *agent);
void agent_services_tidy(struct agent *agent);
struct service_view agent_service_view(const struct agent *agent);

/* Hooks are moved to their fast form when nothing else is going on (agent_hooks.c). */
int agent_hooks_listen(struct agent *agent, struct err *err);
void agent_hooks_touch(struct agent *agent); /* a pod comes or goes */
void agent_hooks_turn(struct agent *agent);

/* The network between nodes (agent_network.c). */
int agent_network_listen(struct agent *agent, struct err *err);
/* An object changed; null: all of them. */
void agent_network_tell(struct agent *agent, const struct change *change);
/* What changed of the nodes is brought into the kernel now. */
void agent_network_turn(struct agent *agent);
void agent_network_second(struct agent *agent); /* once a second */

/* What stands on disk and in the kernel against each other (reconcile.c). */
int reconcile_start(struct agent *agent, struct err *err);
void reconcile_attachments(struct agent *agent);
void reconcile_orphans(struct agent *agent);
void reconcile_sweep(struct agent *agent);
/* An interface that the plugin made, and nobody else. */
bool reconcile_link_is_ours(const struct link_info *link);
/* Ends the time in which a pod that already talked when it was attached may go on
 * with connections that nobody saw opening. */
void reconcile_grace(struct agent *agent);

#endif
