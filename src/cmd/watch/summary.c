/*
 * Watching without a screen: what a reading a second finds is added up, as maps of the kernel
 * have room for some seconds only, and processes that ended are forgotten.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/watch/watch.h"

#define READING_NS 1000000000ull

/* Return whether a signal came that ends it. */
static bool wait_until(int signal_fd, uint64_t at_ns)
{
	struct pollfd fds = {.fd = signal_fd, .events = POLLIN};

	for (;;) {
		uint64_t now = skep_watcher_now();
		if (now >= at_ns)
			return false;
		int n = poll(&fds, 1, (int)((at_ns - now + 999999) / 1000000));
		if (n > 0)
			return true;
	}
}

static void collect(struct skep_watcher *watcher, uint64_t for_ns, int signal_fd,
		    struct skep_snapshot *sum)
{
	uint64_t end_ns = skep_watcher_now() + for_ns;
	struct skep_snapshot one;
	bool is_over = false;

	skep_snapshot_init(&one);
	while (!is_over) {
		uint64_t next_ns = skep_watcher_now() + READING_NS;
		is_over = next_ns >= end_ns;
		is_over |= wait_until(signal_fd, is_over ? end_ns : next_ns);
		skep_watcher_read(watcher, is_over, &one);
		skep_snapshot_add(sum, &one);
	}
	skep_snapshot_done(&one);
}

int skep_watch_summary(struct skep_watcher *watcher, const struct skep_watch_opts *opts)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_snapshot sum;

	skep_snapshot_init(&sum);
	collect(watcher, opts->for_ns, opts->signal_fd, &sum);
	skep_snapshot_fold(&sum);
	if (opts->json)
		skep_watch_json(&sum, opts, &text);
	else
		skep_watch_text(&sum, opts, &text);
	skep_snapshot_done(&sum);
	return skep_fd_write(opts->out_fd, text.data, text.len);
}
