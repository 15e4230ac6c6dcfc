/* SPDX-License-Identifier: Apache-2.0 */
/* What the reports share; not for other rooms. */
#ifndef REPORT_REPORT_PART_H
#define REPORT_REPORT_PART_H

#include "base/text.h"
#include "report/report.h"

const char *verdict_text(enum explain_verdict verdict);
const char *direction_text(enum bh_direction direction);

/* A pod that policies speak of: not hostNetwork (R10), not finished (R22). */
static inline bool pod_counts(const struct pod *pod)
{
	return !pod->host_network && !pod->finished;
}

/* "ns/name" or the address; caller frees, null: out of memory. */
char *pod_text(const struct pod *pod);
char *end_text(const struct explain_end *end);

/* Members by value, false when out of memory. */
bool put_text(cJSON *object, const char *key, const char *text);
bool put_pod(cJSON *object, const char *key, const struct pod *pod);
bool put_number(cJSON *object, const char *key, double number);
bool put_bool(cJSON *object, const char *key, bool value);
/* A new member, null when out of memory. */
cJSON *put_array(cJSON *object, const char *key);
cJSON *put_object(cJSON *array_or_object, const char *key);
bool push_text(cJSON *array, const char *text);

/* Appends with what could steer a terminal escaped. */
void text_add_escaped(struct text *text, const char *raw);

/* Both sides and the verdict of an explanation into `object`. */
bool put_explanation(cJSON *object, const struct explanation *explanation);

/* R25: says after `before` when the nearest rule of that side lists a Service's port
 * instead of the one that the destination serves; else nothing. */
void side_hint_add(struct text *text, const char *before, const struct world *world,
		   const struct explain_query *query, const struct explanation *explanation,
		   enum bh_direction direction);

/* Who has this address: a pod, the node, or somebody outside. */
struct explain_end end_of_addr(const struct world *world, const struct report_node *node,
			       const struct bh_addr *addr);

/* Of pods that share a name the one with the greatest rank is meant. */
int pod_rank(const struct pod *pod);

/* Gives two pods addresses of one family where they have it. */
void ends_match_family(struct explain_end *from, struct explain_end *to);

#endif
