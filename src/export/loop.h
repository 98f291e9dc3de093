/*
 * A loop of libevent inside of another one: skep_loop_poll() is poll() for a caller's
 * descriptors, and serves what else the base has meanwhile.
 */
#ifndef SKEP_EXPORT_LOOP_H
#define SKEP_EXPORT_LOOP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct event;
struct event_base;

#define SKEP_LOOP_FDS_MOST 64

struct skep_loop {
	struct event_base *base; /* owned */
	struct event *timer;     /* owned, as the slots' */
	struct {
		struct event *event;
		int fd;
		bool is_ready;
	} slots[SKEP_LOOP_FDS_MOST];
};

/** Return 0 | -ENOMEM */
int skep_loop_init(struct skep_loop *loop);
void skep_loop_done(struct skep_loop *loop);
/** As poll() with POLLIN, but it may return before the time without any of @fds. A descriptor must
 *  not be closed, and its number used again, while it stays in its place of @fds.
 *  @n  at most SKEP_LOOP_FDS_MOST */
void skep_loop_poll(struct skep_loop *loop, struct pollfd *fds, size_t n, int timeout_ms);

#endif
