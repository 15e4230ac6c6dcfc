// SPDX-License-Identifier: Apache-2.0
/* An ADD attaches filters, because links are slow to make; they are made here, when no
 * pod has come or gone for a while, one interface after the other with rests, so that an
 * ADD that comes then waits for one of them at most. */
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/stamp.h"
#include "base/log.h"
#include "dataplane/hook.h"

#define QUIET_MS 2000
#define REST_MS	 250
#define RETRY_MS 60000
#define NEVER_MS INT64_MAX

void agent_hooks_touch(struct agent *agent)
{
	agent->touched_ms = stamp_now_ms();
}

static int is_there(const char *prog, bool before_ours, void *data)
{
	(void)prog, (void)before_ours, (void)data;
	return 1;
}

/* Other people's links run before our filter, and may end the walk: such an interface
 * does not wait for quiet. */
static bool is_urgent(const struct attachment *attachment)
{
	return hook_strangers(attachment->endpoint.ifindex, is_there, NULL) > 0;
}

static const struct attachment *next_find(const struct agent *agent)
{
	int64_t now = stamp_now_ms();
	bool quiet = now - agent->touched_ms >= QUIET_MS;

	for (size_t i = 0; i < agent->attachments.n; i++) {
		const struct attachment *attachment = agent->attachments.v[i];

		if (attachment->move_ms <= now && (quiet || is_urgent(attachment)))
			return attachment;
	}
	return NULL;
}

/* In the worker: it waits for grace periods, and neither a policy nor an ADD may wait with
 * it. It touches hooks, and one flag of the configuration, which nobody else writes then. */
static void move_run(void *data)
{
	struct agent *agent = data;

	memset(&agent->move.err, 0, sizeof(agent->move.err));
	agent->move.result =
		hook_move(agent->config->pin_root, agent->maps, agent->move.ifindex, &agent->move.err);
}

void agent_hooks_turn(struct agent *agent)
{
	const struct attachment *next;

	if (agent->hooks_stay || agent->move.ifindex)
		return;
	next = next_find(agent);
	if (!next)
		return;
	agent->move.ifindex = next->endpoint.ifindex;
	worker_ask(&agent->move.worker);
}

/* Negative: the filters go on judging. */
static void moved_note(struct agent *agent)
{
	uint32_t ifindex = agent->move.ifindex;
	struct attachment *attachment = attachments_find_ifindex(&agent->attachments, ifindex);
	int r = agent->move.result;

	if (r == -EOPNOTSUPP)
		agent->hooks_stay = true;
	else if (r < 0)
		log_warn("hooks of interface %u: %s; trying again in %ds", ifindex, agent->move.err.msg,
			 RETRY_MS / 1000);
	else if (r > 0)
		log_debug("hooks of interface %u are links now", ifindex);
	if (attachment)
		attachment->move_ms = r < 0 ? stamp_now_ms() + RETRY_MS : NEVER_MS;
}

static void on_moved(evutil_socket_t fd, short what, void *data)
{
	const struct timeval rest = { .tv_usec = REST_MS * 1000 };
	struct agent *agent = data;

	(void)fd, (void)what;
	if (!worker_is_over(&agent->move.worker))
		return;
	moved_note(agent);
	agent->move.ifindex = 0;
	if (agent->move.result == 0)
		agent_hooks_turn(agent);
	else
		event_add(agent->on_rested, &rest);
}

static void on_rested(evutil_socket_t fd, short what, void *data)
{
	(void)fd, (void)what;
	agent_hooks_turn(data);
}

int agent_hooks_listen(struct agent *agent, struct err *err)
{
	int r = worker_start(&agent->move.worker, "moving hooks", move_run, agent, err);

	if (r < 0)
		return r;
	agent->on_moved = agent_event(agent, agent->move.worker.answer, EV_READ | EV_PERSIST, on_moved, NULL);
	agent->on_rested = agent_event(agent, -1, 0, on_rested, NULL);
	if (!agent->on_moved || !agent->on_rested)
		return err_set(err, ENOMEM, "events of the loop: out of memory");
	agent_hooks_touch(agent);
	return 0;
}
