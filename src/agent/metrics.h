/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Prometheus reads. Labels come from fixed sets only: direction, reason,
 * table, posture; never a name, an address or a port (THREATS C16).
 *
 * The kernel counts per slot and a slot starts at zero with each new endpoint, so
 * what a slot had when its endpoint left is kept here: totals never go back.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "dataplane/maps.h"
#include "policy/change.h"

struct metrics_counts {
	uint64_t packets[2][BH_REASONS_MAX];
	uint64_t emitted, suppressed, lost; /* events */
};

struct metrics_slot {
	uint32_t ifindex; /* 0: nothing sampled since the slot was free */
	struct metrics_counts last;
};

#define METRICS_BUCKETS 12
struct metrics_histogram {
	uint64_t bucket[METRICS_BUCKETS + 1]; /* the last is +Inf */
	uint64_t n;
	double seconds;
};

struct metrics {
	struct metrics_slot slot[BH_ENDPOINTS_MAX + 1];
	struct metrics_counts gone; /* of endpoints that left */
	struct metrics_histogram updates;
	struct metrics_histogram events[CHANGE_KINDS];
	uint64_t flows;		/* as of the last sweep */
	uint64_t followers_cut; /* slow readers of drops that were let go */
	uint64_t unexplained;	/* events over what is explained per second */
};

/* Takes a slot's counters as they are now. Another interface than last time means
 * that the former endpoint left. */
void metrics_sample(struct metrics *metrics, uint32_t slot, uint32_t ifindex,
		    const struct metrics_counts *now);
/* The slot's endpoint left: what was sampled last counts for good. */
void metrics_release(struct metrics *metrics, uint32_t slot, uint32_t ifindex);
void metrics_total(const struct metrics *metrics, struct metrics_counts *ret);

void metrics_update_took(struct metrics *metrics, int64_t us);
/* From hearing of the oldest change of a kind to the commit that brought it. */
void metrics_event_took(struct metrics *metrics, enum change_kind kind, int64_t us);

/* Samples every claimed slot and the one for packets without endpoint. */
int metrics_read(struct metrics *metrics, struct maps *maps, struct err *err);
/* Samples one slot, if it is (still) this interface's. */
int metrics_read_slot(struct metrics *metrics, struct maps *maps, uint32_t slot, uint32_t ifindex,
		      struct err *err);

/* Metric label and sentence of a reason; null for numbers that mean nothing. */
const char *reason_label(unsigned int reason);

/* Writes the packet, event and update families; the daemon adds its gauges. */
void metrics_print(const struct metrics *metrics, struct text *out);
void metrics_family(struct text *out, const char *name, const char *type, const char *help);

#endif
