// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics.h"

#include <bulkhead/reason.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const double update_s[METRICS_BUCKETS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
						  0.05,	  0.1,	 0.25,	 0.5,	1,    2.5 };
static const double event_s[METRICS_BUCKETS] = { 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
						 0.005,	  0.025,  0.1,	   0.5,	   1,	  5 };
/* Kinds whose changes reach the kernel's rows. */
static const char *const event_kinds[CHANGE_KINDS] = {
	[CHANGE_POD] = "pod",
	[CHANGE_NAMESPACE] = "namespace",
	[CHANGE_NETPOL] = "networkpolicy",
};

static const char *const labels[BH_REASONS_MAX] = {
#define REASON_LABEL(name, number, label, text) [number] = label,
	BH_REASON_LIST(REASON_LABEL)
#undef REASON_LABEL
};

static const char *const direction_labels[2] = { [BH_EGRESS] = "egress", [BH_INGRESS] = "ingress" };

const char *reason_label(unsigned int reason)
{
	return reason < BH_REASONS_MAX ? labels[reason] : NULL;
}

static void counts_add(struct metrics_counts *to, const struct metrics_counts *from)
{
	for (int direction = 0; direction < 2; direction++)
		for (int reason = 0; reason < BH_REASONS_MAX; reason++)
			to->packets[direction][reason] += from->packets[direction][reason];
	to->emitted += from->emitted;
	to->suppressed += from->suppressed;
	to->lost += from->lost;
}

void metrics_release(struct metrics *metrics, uint32_t slot, uint32_t ifindex)
{
	struct metrics_slot *entry = &metrics->slot[slot];

	if (!entry->ifindex || entry->ifindex != ifindex)
		return;
	counts_add(&metrics->gone, &entry->last);
	*entry = (struct metrics_slot){ 0 };
}

void metrics_sample(struct metrics *metrics, uint32_t slot, uint32_t ifindex,
		    const struct metrics_counts *now)
{
	struct metrics_slot *entry = &metrics->slot[slot];

	if (entry->ifindex != ifindex)
		metrics_release(metrics, slot, entry->ifindex);
	entry->ifindex = ifindex;
	entry->last = *now;
}

void metrics_total(const struct metrics *metrics, struct metrics_counts *ret)
{
	*ret = metrics->gone;
	for (size_t i = 0; i <= BH_ENDPOINTS_MAX; i++)
		if (metrics->slot[i].ifindex)
			counts_add(ret, &metrics->slot[i].last);
}

static void took(struct metrics_histogram *histogram, const double bounds[METRICS_BUCKETS], int64_t us)
{
	double seconds = (double)us / 1e6;
	size_t i = 0;

	while (i < METRICS_BUCKETS && seconds > bounds[i])
		i++;
	histogram->bucket[i]++;
	histogram->n++;
	histogram->seconds += seconds;
}

void metrics_update_took(struct metrics *metrics, int64_t us)
{
	took(&metrics->updates, update_s, us);
}

void metrics_event_took(struct metrics *metrics, enum change_kind kind, int64_t us)
{
	took(&metrics->events[kind], event_s, us);
}

static int slot_read(struct metrics *metrics, struct maps *maps, uint32_t slot, uint32_t ifindex,
		     struct err *err)
{
	struct metrics_counts now = { 0 };
	struct bh_usage usage = { 0 };
	int r = maps_counters_get(maps, slot, now.packets, err);

	if (r == 0 && slot < BH_ENDPOINTS_MAX)
		r = maps_usage_get(maps, slot, &usage, err);
	if (r < 0)
		return r;
	now.emitted = usage.emitted;
	now.suppressed = usage.suppressed;
	now.lost = usage.lost;
	metrics_sample(metrics, slot, ifindex, &now);
	return 0;
}

int metrics_read_slot(struct metrics *metrics, struct maps *maps, uint32_t slot, uint32_t ifindex,
		      struct err *err)
{
	struct bh_endpoint row = { 0 };
	int r = maps_endpoint_get(maps, slot, &row, NULL);

	/* A released slot keeps its counters until the next claim zeroes them. */
	if (r < 0 && r != -ENOENT)
		return err_set(err, -r, "slot %u: cannot be read", slot);
	if (row.ifindex && row.ifindex != ifindex)
		return 0;
	return slot_read(metrics, maps, slot, ifindex, err);
}

int metrics_read(struct metrics *metrics, struct maps *maps, struct err *err)
{
	struct bh_endpoint row;

	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		int r = 0;

		if (maps_endpoint_get(maps, slot, &row, NULL) == 0)
			r = slot_read(metrics, maps, slot, row.ifindex, err);
		if (r < 0)
			return r;
	}
	return slot_read(metrics, maps, BH_ENDPOINTS_MAX, UINT32_MAX, err);
}

void metrics_family(struct text *out, const char *name, const char *type, const char *help)
{
	text_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_packets(const struct metrics_counts *total, struct text *out)
{
	metrics_family(out, "bulkhead_packets_total", "counter",
		       "Packets of pods by direction and what became of them.");
	for (int direction = 0; direction < 2; direction++)
		for (int reason = 0; reason < BH_REASONS_MAX; reason++)
			if (labels[reason])
				text_addf(out,
					  "bulkhead_packets_total{direction=\"%s\",reason=\"%s\"} %" PRIu64
					  "\n",
					  direction_labels[direction], labels[reason],
					  total->packets[direction][reason]);
}

static void print_counter(struct text *out, const char *name, const char *help, uint64_t value)
{
	metrics_family(out, name, "counter", help);
	text_addf(out, "%s %" PRIu64 "\n", name, value);
}

/* `label` is "kind=\"pod\"", or empty. */
static void print_histogram(struct text *out, const char *name, const char *label,
			    const struct metrics_histogram *histogram, const double bounds[METRICS_BUCKETS])
{
	const char *comma = label[0] ? "," : "", *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";
	uint64_t below = 0;

	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		below += histogram->bucket[i];
		text_addf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, label, comma, bounds[i],
			  below);
	}
	text_addf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, histogram->n);
	text_addf(out, "%s_sum%s%s%s %g\n%s_count%s%s%s %" PRIu64 "\n", name, open, label, close,
		  histogram->seconds, name, open, label, close, histogram->n);
}

static void print_times(const struct metrics *metrics, struct text *out)
{
	char label[64];

	metrics_family(out, "bulkhead_policy_update_seconds", "histogram",
		       "From the start of a compile to its commit in the kernel.");
	print_histogram(out, "bulkhead_policy_update_seconds", "", &metrics->updates, update_s);
	metrics_family(out, "bulkhead_event_to_kernel_seconds", "histogram",
		       "From hearing of a changed object to the commit that brought it into the kernel.");
	for (int kind = 0; kind < CHANGE_KINDS; kind++) {
		if (!event_kinds[kind])
			continue;
		snprintf(label, sizeof(label), "kind=\"%s\"", event_kinds[kind]);
		print_histogram(out, "bulkhead_event_to_kernel_seconds", label, &metrics->events[kind],
				event_s);
	}
}

void metrics_print(const struct metrics *metrics, struct text *out)
{
	struct metrics_counts total;

	metrics_total(metrics, &total);
	print_packets(&total, out);
	print_counter(out, "bulkhead_events_emitted_total", "Drop and audit events handed to the daemon.",
		      total.emitted);
	print_counter(out, "bulkhead_events_suppressed_total", "Events over the endpoint's rate.",
		      total.suppressed);
	print_counter(out, "bulkhead_events_lost_total", "Events that found the ring full.", total.lost);
	print_counter(out, "bulkhead_events_unexplained_total",
		      "Events that came faster than the daemon explains them.", metrics->unexplained);
	print_counter(out, "bulkhead_followers_cut_total", "Followers of drops that read too slowly.",
		      metrics->followers_cut);
	print_counter(out, "bulkhead_policy_updates_total", "Changes of policy brought into the kernel.",
		      metrics->updates.n);
	print_times(metrics, out);
}
