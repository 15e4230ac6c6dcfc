// SPDX-License-Identifier: Apache-2.0
/* How long records live once their connections close, and whose go first when an
 * endpoint runs short of them (S6, C14). */
#include <unistd.h>

#include "lib/kern_main.h"

#define WEB   80
#define QUOTA 16

static struct kern_pod a;
static struct bh_addr world;
static uint16_t next_port = 30000;

static void from(uint16_t port, uint8_t flags)
{
	struct frame f;

	kern_frame_from(&f, &a, &a.v4, &world);
	frame_tcp(&f, port, WEB, flags);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
}

static void to(uint16_t port, uint8_t flags)
{
	struct frame f;

	kern_frame_to(&f, &a, &world, &a.v4);
	frame_tcp(&f, WEB, port, flags);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_PASS));
}

static uint16_t opened(void)
{
	uint16_t port = next_port++;

	from(port, FRAME_SYN);
	to(port, FRAME_SYN | FRAME_ACK);
	from(port, FRAME_ACK);
	return port;
}

static uint16_t closed(void)
{
	uint16_t port = opened();

	from(port, FRAME_FIN | FRAME_ACK);
	to(port, FRAME_FIN | FRAME_ACK);
	from(port, FRAME_ACK);
	return port;
}

struct found {
	uint16_t port_be;
	uint64_t expires;
	bool is_there;
};

static int flow_match(const struct bh_flow_key *key, const struct bh_flow *flow, void *data)
{
	struct found *found = data;

	if (key->lo_port == found->port_be || key->hi_port == found->port_be) {
		found->expires = flow->expires;
		found->is_there = true;
	}
	return 0;
}

static struct found record_of(uint16_t port)
{
	struct found found = { .port_be = (uint16_t)(port << 8 | port >> 8) };

	assert_int_equal(maps_flows_each(kern->maps, flow_match, &found, NULL), 0);
	return found;
}

/* Seconds that the record of `port` has left, over those of one that is just touched
 * and lives `life`: from -1 to 1 when it has that life too, give or take the writing
 * once a second. */
static bool lives(uint16_t port, uint32_t life)
{
	uint32_t was = kern->config.tcp_syn_s;
	uint16_t other = next_port++;
	int64_t apart;

	kern->config.tcp_syn_s = life;
	kern_configure(kern);
	from(other, FRAME_SYN);
	kern->config.tcp_syn_s = was;
	kern_configure(kern);
	apart = (int64_t)(record_of(other).expires - record_of(port).expires) / (int64_t)kern->config.hz;
	if (apart < -1 || apart > 3) /* a busy machine takes its time */
		fprintf(stderr, "# %lld s less than %u\n", (long long)apart, life);
	return apart >= -1 && apart <= 3;
}

static void each_end_speaks_for_itself(void **state)
{
	uint32_t closing = kern->config.tcp_closing_s;
	uint16_t port = opened();

	(void)state;
	assert_true(lives(port, kern->config.tcp_established_s));
	from(port, FRAME_FIN | FRAME_ACK);
	from(port, FRAME_FIN | FRAME_ACK); /* the same end again */
	assert_true(lives(port, closing));
	to(port, FRAME_ACK | FRAME_PSH); /* half closed: the other goes on */
	assert_true(lives(port, closing));
	to(port, FRAME_FIN | FRAME_ACK);
	assert_true(lives(port, BH_FLOW_CLOSED_S));
	from(port, FRAME_ACK);
	assert_true(lives(port, BH_FLOW_CLOSED_S));
}

/* S6: a stranger's reset may be a forgery, the pod's own is none. */
static void a_reset_counts_by_who_sends_it(void **state)
{
	uint16_t port = opened();

	(void)state;
	to(port, FRAME_RST);
	assert_true(lives(port, kern->config.tcp_closing_s));
	from(port, FRAME_RST);
	assert_true(lives(port, BH_FLOW_CLOSED_S));
}

static void a_shorter_setting_goes_before(void **state)
{
	uint32_t was = kern->config.tcp_closing_s;
	uint16_t port;

	(void)state;
	kern->config.tcp_closing_s = 5;
	kern_configure(kern);
	port = closed();
	assert_true(lives(port, 5));
	kern->config.tcp_closing_s = was;
	kern_configure(kern);
}

static void sweep_twice(void)
{
	assert_true(maps_flows_sweep(kern->maps, NULL) >= 0);
	usleep(1300 * 1000); /* a record stays a second after it has expired */
	assert_true(maps_flows_sweep(kern->maps, NULL) >= 0);
}

static void what_is_spent_goes_where_an_endpoint_runs_short(void **state)
{
	uint16_t live = opened(), half = opened(), over[QUOTA / 2], mute = next_port++;

	(void)state;
	from(half, FRAME_FIN | FRAME_ACK);
	from(mute, FRAME_SYN);
	for (int i = 0; i < QUOTA / 2; i++)
		over[i] = closed();
	usleep((BH_FLOW_SPENT_S * 1000 + 1300) * 1000);
	/* While there is room, nothing goes before its time. */
	kern->config.flow_quota = 10 * QUOTA;
	kern_configure(kern);
	sweep_twice();
	assert_true(record_of(over[0]).is_there && record_of(mute).is_there);
	kern->config.flow_quota = QUOTA;
	kern_configure(kern);
	sweep_twice();
	for (int i = 0; i < QUOTA / 2; i++)
		assert_false(record_of(over[i]).is_there);
	assert_false(record_of(mute).is_there);
	assert_true(record_of(live).is_there && record_of(half).is_there);
	from(live, FRAME_ACK);
	to(half, FRAME_ACK);
}

static int pods_add(void **state)
{
	(void)state;
	world = addr_of("203.0.113.50");
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_spent_goes_where_an_endpoint_runs_short),
		cmocka_unit_test(each_end_speaks_for_itself),
		cmocka_unit_test(a_reset_counts_by_who_sends_it),
		cmocka_unit_test(a_shorter_setting_goes_before),
	};

	return kern_main(tests);
}
