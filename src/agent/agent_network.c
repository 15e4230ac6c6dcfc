// SPDX-License-Identifier: Apache-2.0
/* When the network between nodes, and the routes to this node's pods, are looked at:
 * when Node objects changed, and soon after the kernel says that something changed. */
#include <errno.h>

#include "agent/agent.h"
#include "agent/stamp.h"
#include "base/log.h"

#define SOON_MS 50
/* Between two looks, however much happens: a node that is full of pods, or somebody
 * who puts his own route back each time. */
#define PAUSE_MS 500
#define RETRY_MS 2000

static void look_in_ms(struct agent *agent, int64_t ms)
{
	struct timeval after = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (!event_pending(agent->on_network, EV_TIMEOUT, NULL))
		event_add(agent->on_network, &after);
}

void agent_network_tell(struct agent *agent, const struct change *change)
{
	if (!change || change->kind == CHANGE_NODE)
		agent->network_due = true;
}

static void network_look(struct agent *agent)
{
	const struct world *world = &agent->store.world;
	struct network *network = &agent->network;
	bool was_up = network->is_up;
	struct err err = { 0 };
	int r;

	agent->network_due = false;
	r = network_sync(network, agent->maps, world->nodes, world->n_nodes, &err);
	agent->network_ms = stamp_now_ms();
	if (r < 0) {
		health_bad(&agent->health, HEALTH_NETWORK, "%s; keeping what is there, retrying", err.msg);
		return look_in_ms(agent, RETRY_MS);
	}
	health_good(&agent->health, HEALTH_NETWORK);
	if (!was_up)
		log_info("network mode=%s mtu=%u nodes=%zu routes=%zu",
			 network_mode_name(agent->config->network.mode), network->mtu, network->plan.n_peers,
			 network->plan.n_routes);
	else if (r == 1)
		log_info("network changed nodes=%zu routes=%zu", network->plan.n_peers,
			 network->plan.n_routes);
}

void agent_network_turn(struct agent *agent)
{
	if (agent->config->network.mode != NETWORK_NONE && (agent->network_due || !agent->network.is_up))
		network_look(agent);
}

static void on_change(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;
	int64_t since_ms = stamp_now_ms() - agent->network_ms;

	(void)fd, (void)what;
	network_drain(&agent->network);
	look_in_ms(agent, since_ms >= PAUSE_MS ? SOON_MS : PAUSE_MS - since_ms + SOON_MS);
}

static void pods_look(struct agent *agent)
{
	struct err err = { 0 };
	int r = network_pods_keep(&agent->network, &agent->attachments, &err);

	agent->network_ms = stamp_now_ms();
	if (r > 0)
		log_info("network: %d routes to pods of this node were missing and are back", r);
	if (r >= 0 || r == -ENETDOWN || r == -ENODEV)
		return;
	log_warn("network: %s; trying again", err.msg);
	look_in_ms(agent, RETRY_MS);
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	struct agent *agent = data;

	(void)fd, (void)what;
	pods_look(agent);
	if (agent->objects_known && agent->config->network.mode != NETWORK_NONE)
		network_look(agent);
}

/* Nobody tells of a program that was taken off an interface. Without one of ours
 * nothing passes the tunnel, so a second is soon enough. */
void agent_network_second(struct agent *agent)
{
	if (network_is_whole(&agent->network) || event_pending(agent->on_network, EV_TIMEOUT, NULL))
		return;
	log_warn("network: a program is missing on %s, attaching it again", NETWORK_TUNNEL);
	network_look(agent);
}

int agent_network_listen(struct agent *agent, struct err *err)
{
	const struct network *network = &agent->network;

	agent->on_network = agent_event(agent, -1, 0, on_look, NULL);
	agent->on_links = agent_event(agent, network->link_fd, EV_READ | EV_PERSIST, on_change, NULL);
	if (network->nft_fd >= 0)
		agent->on_nft = agent_event(agent, network->nft_fd, EV_READ | EV_PERSIST, on_change, NULL);
	if (!agent->on_network || !agent->on_links || (network->nft_fd >= 0 && !agent->on_nft))
		return err_set(err, ENOMEM, "events of the network: out of memory");
	look_in_ms(agent, 0); /* flushed while nobody watched */
	return 0;
}
