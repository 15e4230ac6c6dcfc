// SPDX-License-Identifier: Apache-2.0
/*
 * What passes from one pod to another, exactly: for each pair the 65535 ports of each protocol
 * fall into few segments, cut where a policy that isolates one of the two begins
 * or ends a range. Each segment is judged once, at its first port.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/matrix_cell.h"
#include "report/report_part.h"

#define DNS_PORT_NUMBER 53

static const uint8_t port_protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
#define N_PORT_PROTOS (sizeof(port_protos) / sizeof(*port_protos))

/* Where segments begin, for one protocol. */
struct cuts {
	uint32_t *v; /* 1..65536 */
	size_t n;
	size_t cap;
};

struct pair {
	const struct world *world;
	struct explain_query query;
	cJSON *cell;
	enum explain_verdict other;
};

static int cut_add(struct cuts *cuts, uint32_t at)
{
	if (cuts->n == cuts->cap) {
		size_t cap = cuts->cap ? cuts->cap * 2 : 32;
		uint32_t *more = reallocarray(cuts->v, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		cuts->v = more;
		cuts->cap = cap;
	}
	cuts->v[cuts->n++] = at;
	return 0;
}

static int cut_range(struct cuts *cuts, uint32_t first, uint32_t last)
{
	return cut_add(cuts, first) < 0 ? -ENOMEM : cut_add(cuts, last + 1);
}

/* R14: a name stands for what the destination serves. */
static int cuts_for_name(struct cuts *cuts, const struct port_match *match, const struct pod *to)
{
	for (size_t i = 0; i < to->n_ports; i++)
		if (to->ports[i].proto == match->proto && strcmp(to->ports[i].name, match->name) == 0 &&
		    cut_range(cuts, to->ports[i].number, to->ports[i].number) < 0)
			return -ENOMEM;
	return 0;
}

static int cuts_for_rule(struct cuts *cuts, uint8_t proto, const struct rule *rule, const struct pod *to)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct port_match *match = &rule->ports[i];
		int r = 0;

		if (match->invalid || match->proto != proto || !match->has_port)
			continue;
		r = match->name ? cuts_for_name(cuts, match, to) : cut_range(cuts, match->first, match->last);
		if (r < 0)
			return r;
	}
	return 0;
}

static int cuts_for_side(struct cuts *cuts, uint8_t proto, const struct explanation *explanation,
			 enum bh_direction direction, const struct pod *to)
{
	const struct explain_side *side = &explanation->side[direction];

	for (size_t i = 0; i < side->n_isolating; i++)
		for (size_t j = 0; j < side->isolating[i]->n_rules[direction]; j++)
			if (cuts_for_rule(cuts, proto, &side->isolating[i]->rules[direction][j], to) < 0)
				return -ENOMEM;
	/* Posture deny has rules of its own. */
	return side->by_posture ? cut_range(cuts, DNS_PORT_NUMBER, DNS_PORT_NUMBER) : 0;
}

static int cut_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* --- judging --- */

static int pair_judge(struct pair *pair, uint8_t proto, uint16_t port, enum explain_verdict *ret,
		      struct err *err)
{
	struct explanation explanation = { 0 };
	int r;

	pair->query.proto = proto;
	pair->query.port = port;
	r = explain(pair->world, &pair->query, &explanation, err);
	if (r < 0)
		return r;
	*ret = explanation.verdict;
	explanation_done(&explanation);
	return 0;
}

static bool put_range(cJSON *ranges, uint8_t proto, uint32_t first, uint32_t last,
		      enum explain_verdict verdict)
{
	cJSON *range = put_object(ranges, NULL);
	char buf[PROTO_TEXT_MAX];

	return range && put_text(range, "protocol", proto_text(proto, buf)) &&
	       put_number(range, "first", first) && put_number(range, "last", last) &&
	       put_text(range, "verdict", verdict_text(verdict));
}

/* Judges the segments and writes those that differ from `other`, neighbours of
 * one verdict joined. */
static int segments_put(struct pair *pair, cJSON *ranges, uint8_t proto, const struct cuts *cuts,
			struct err *err)
{
	enum explain_verdict current = pair->other, verdict = pair->other;
	uint32_t start = 1;

	for (size_t i = 0; i < cuts->n && cuts->v[i] <= 65535; i++) {
		int r;

		if (i && cuts->v[i] == cuts->v[i - 1])
			continue;
		r = pair_judge(pair, proto, (uint16_t)cuts->v[i], &verdict, err);
		if (r < 0)
			return r;
		if (i && verdict == current)
			continue;
		if (i && current != pair->other && !put_range(ranges, proto, start, cuts->v[i] - 1, current))
			return err_set(err, ENOMEM, "the matrix");
		start = cuts->v[i];
		current = verdict;
	}
	if (current != pair->other && !put_range(ranges, proto, start, 65535, current))
		return err_set(err, ENOMEM, "the matrix");
	return 0;
}

static int protocol_put(struct pair *pair, cJSON *ranges, uint8_t proto,
			const struct explanation *explanation, struct err *err)
{
	const struct pod *to = pair->query.to.pod;
	struct cuts cuts = { 0 };
	int r = cut_add(&cuts, 1);

	for (int direction = 0; r == 0 && direction < 2; direction++)
		r = cuts_for_side(&cuts, proto, explanation, (enum bh_direction)direction, to);
	if (r == 0) {
		qsort(cuts.v, cuts.n, sizeof(*cuts.v), cut_compare);
		r = segments_put(pair, ranges, proto, &cuts, err);
	} else {
		err_set(err, ENOMEM, "the matrix");
	}
	free(cuts.v);
	return r;
}

/* The ports that the destination declares, each with its verdict. */
static int declared_put(struct pair *pair, struct err *err)
{
	const struct pod *to = pair->query.to.pod;
	cJSON *ports = put_array(pair->cell, "ports");
	char buf[PROTO_TEXT_MAX];

	for (size_t i = 0; ports && i < to->n_ports; i++) {
		enum explain_verdict verdict;
		cJSON *port;
		int r = pair_judge(pair, to->ports[i].proto, to->ports[i].number, &verdict, err);

		if (r < 0)
			return r;
		port = put_object(ports, NULL);
		if (!port || !put_number(port, "port", to->ports[i].number) ||
		    !put_text(port, "protocol", proto_text(to->ports[i].proto, buf)) ||
		    !put_text(port, "verdict", verdict_text(verdict)))
			return err_set(err, ENOMEM, "the matrix");
	}
	return ports ? 0 : err_set(err, ENOMEM, "the matrix");
}

static int ranges_put(struct pair *pair, struct err *err)
{
	struct explanation explanation = { 0 };
	cJSON *ranges = put_array(pair->cell, "ranges");
	int r;

	/* A port-less protocol is what the rules with ports do not speak of (R20). */
	pair->query.proto = IPPROTO_ICMP;
	pair->query.port = 0;
	r = explain(pair->world, &pair->query, &explanation, err);
	if (r < 0)
		return r;
	pair->other = explanation.verdict;
	if (!ranges || !put_text(pair->cell, "other", verdict_text(pair->other)))
		r = err_set(err, ENOMEM, "the matrix");
	for (size_t i = 0; r == 0 && i < N_PORT_PROTOS; i++)
		r = protocol_put(pair, ranges, port_protos[i], &explanation, err);
	explanation_done(&explanation);
	return r;
}

static struct explain_end end_of(const struct pod *pod)
{
	struct explain_end end = { .pod = pod, .has_addr = pod->n_addrs > 0 };

	if (end.has_addr)
		end.addr = pod->addrs[0];
	return end;
}

int matrix_cell_fill(const struct world *world, const struct pod *from, const struct pod *to, cJSON *cell,
		     struct err *err)
{
	struct pair pair = { .world = world,
			     .query = { .from = end_of(from), .to = end_of(to) },
			     .cell = cell };
	int r;

	ends_match_family(&pair.query.from, &pair.query.to);
	r = declared_put(&pair, err);
	if (r == 0)
		r = ranges_put(&pair, err);
	return r;
}
