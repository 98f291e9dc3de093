/* A caller's descriptors keep their events from one wait to the next, so that waiting for the same
 * ones costs no system call more than epoll_wait(). */
#include "export/loop.h"

#include <assert.h>
#include <errno.h>

#include <event2/event.h>

static void on_time(evutil_socket_t fd, short what, void *ctx)
{
}

static void on_ready(evutil_socket_t fd, short what, void *ctx)
{
	*(bool *)ctx = true;
}

int skep_loop_init(struct skep_loop *loop)
{
	*loop = (struct skep_loop){.base = event_base_new()};
	for (size_t i = 0; i < SKEP_LOOP_FDS_MOST; i++)
		loop->slots[i].fd = -1;
	if (loop->base)
		loop->timer = event_new(loop->base, -1, 0, on_time, NULL);
	return loop->timer ? 0 : -ENOMEM;
}

static void clear_slot(struct skep_loop *loop, size_t i)
{
	if (loop->slots[i].event)
		event_free(loop->slots[i].event);
	loop->slots[i].event = NULL;
	loop->slots[i].fd = -1;
}

void skep_loop_done(struct skep_loop *loop)
{
	for (size_t i = 0; i < SKEP_LOOP_FDS_MOST; i++)
		clear_slot(loop, i);
	if (loop->timer)
		event_free(loop->timer);
	if (loop->base)
		event_base_free(loop->base);
	*loop = (struct skep_loop){0};
}

static void set_slot(struct skep_loop *loop, size_t i, int fd)
{
	loop->slots[i].is_ready = false;
	if (loop->slots[i].fd == fd)
		return;
	clear_slot(loop, i);
	if (fd < 0)
		return;
	struct event *event =
		event_new(loop->base, fd, EV_READ | EV_PERSIST, on_ready, &loop->slots[i].is_ready);
	if (event && !event_add(event, NULL)) {
		loop->slots[i].event = event;
		loop->slots[i].fd = fd;
	} else if (event) {
		event_free(event);
	}
}

void skep_loop_poll(struct skep_loop *loop, struct pollfd *fds, size_t n, int timeout_ms)
{
	struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

	assert(n <= SKEP_LOOP_FDS_MOST);
	for (size_t i = 0; i < SKEP_LOOP_FDS_MOST; i++)
		set_slot(loop, i, i < n ? fds[i].fd : -1);
	if (timeout_ms > 0)
		evtimer_add(loop->timer, &time);
	event_base_loop(loop->base, timeout_ms ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	evtimer_del(loop->timer);
	for (size_t i = 0; i < n; i++)
		fds[i].revents = loop->slots[i].is_ready ? POLLIN : 0;
}
