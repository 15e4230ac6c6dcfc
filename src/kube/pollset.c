// SPDX-License-Identifier: Apache-2.0
#include "kube/pollset.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TURN_EVENTS 32

int64_t pollset_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t pollset_now_ms(void)
{
	return pollset_now_us() / 1000;
}

int pollset_open(struct pollset *set, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	int code;

	set->epoll = epoll_create1(EPOLL_CLOEXEC);
	set->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event.data.fd = set->timerfd;
	if (set->epoll >= 0 && set->timerfd >= 0 &&
	    epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->timerfd, &event) == 0)
		return 0;
	code = errno;
	pollset_close(set);
	return err_set(err, code, "event descriptor: %s", strerror(code));
}

void pollset_close(struct pollset *set)
{
	if (set->timerfd >= 0)
		close(set->timerfd);
	if (set->epoll >= 0)
		close(set->epoll);
	set->epoll = set->timerfd = -1;
	set->armed_ms = 0;
}

void pollset_watch(struct pollset *set, int fd, bool is_known, bool read, bool write)
{
	struct epoll_event event = { .events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u),
				     .data.fd = fd };

	if (!read && !write)
		epoll_ctl(set->epoll, EPOLL_CTL_DEL, fd, NULL);
	/* A descriptor may have been closed and its number used again meanwhile. */
	else if (epoll_ctl(set->epoll, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
		epoll_ctl(set->epoll, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

static void timers_arm(struct pollset *set)
{
	struct itimerspec when = { 0 };
	int64_t first = set->timers ? INT64_MAX : 0;

	for (const struct pollset_timer *timer = set->timers; timer; timer = timer->next)
		if (timer->due_ms < first)
			first = timer->due_ms;
	if (first == set->armed_ms)
		return;
	set->armed_ms = first;
	if (set->timers) {
		int64_t after = first - pollset_now_ms();

		when.it_value.tv_sec = after > 0 ? after / 1000 : 0;
		when.it_value.tv_nsec = after > 0 ? after % 1000 * 1000000 : 1; /* all zero would stop it */
	}
	timerfd_settime(set->timerfd, 0, &when, NULL);
}

static void timer_unlink(struct pollset *set, struct pollset_timer *timer)
{
	struct pollset_timer **at = &set->timers;

	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = timer->next;
	timer->is_set = false;
}

void pollset_timer_set(struct pollset *set, struct pollset_timer *timer, int64_t after_ms)
{
	timer_unlink(set, timer);
	timer->due_ms = pollset_now_ms() + (after_ms > 0 ? after_ms : 0);
	timer->is_set = true;
	timer->next = set->timers;
	set->timers = timer;
	timers_arm(set);
}

void pollset_timer_stop(struct pollset *set, struct pollset_timer *timer)
{
	if (!timer->is_set)
		return;
	timer_unlink(set, timer);
	timers_arm(set);
}

static struct pollset_timer *timer_due(const struct pollset *set, int64_t now)
{
	struct pollset_timer *first = NULL;

	for (struct pollset_timer *timer = set->timers; timer; timer = timer->next)
		if (timer->due_ms <= now && (!first || timer->due_ms < first->due_ms))
			first = timer;
	return first;
}

static void timers_run(struct pollset *set)
{
	int64_t now = pollset_now_ms();
	struct pollset_timer *timer;

	/* What they set again for "now" waits for the next turn when time has passed;
	 * the bound keeps a timer that always sets itself from holding the loop. */
	for (int i = 0; i < TURN_EVENTS && (timer = timer_due(set, now)); i++) {
		timer_unlink(set, timer);
		timer->run(timer->data);
	}
	timers_arm(set);
}

void pollset_turn(struct pollset *set)
{
	struct epoll_event events[TURN_EVENTS];
	int n = epoll_wait(set->epoll, events, TURN_EVENTS, 0);
	uint64_t expired;

	for (int i = 0; i < n; i++) {
		const uint32_t what = events[i].events;

		if (events[i].data.fd != set->timerfd)
			set->on_fd(events[i].data.fd, what & (EPOLLIN | EPOLLHUP | EPOLLERR),
				   what & (EPOLLOUT | EPOLLERR), set->data);
		else if (read(set->timerfd, &expired, sizeof(expired)) == sizeof(expired))
			set->armed_ms = 0; /* else it was set anew meanwhile */
	}
	timers_run(set);
}
