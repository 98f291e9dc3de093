/*
 * Closing in bulk. In parallel: threads that each wait for their grace period,
 * which then is the same for many. In the background: the files are registered
 * with an io_uring; when the ring goes, a kernel thread drops what it holds, so
 * that nobody of ours waits. Where io_uring is not to be had (sysctl
 * kernel.io_uring_disabled, seccomp), background is parallel.
 */
#include "linux/close.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* A few files are closed here and now: that is soon done, and then they are gone. */
enum { THREADS_MAX = 128, STACK_BYTES = 256 << 10, BACKGROUND_MIN = 5 };

struct queue {
	const int *fds;
	size_t n;
	atomic_size_t next;
};

static void *close_some(void *arg)
{
	struct queue *queue = arg;
	size_t i;

	while ((i = atomic_fetch_add(&queue->next, 1)) < queue->n)
		close(queue->fds[i]);
	return NULL;
}

/* Starts up to @max threads; the caller takes part, so that none at all works too. */
static unsigned start(struct queue *queue, pthread_t *threads, unsigned max)
{
	pthread_attr_t attr;
	unsigned n = 0;

	if (pthread_attr_init(&attr))
		return 0;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (n < max && pthread_create(&threads[n], &attr, close_some, queue) == 0)
		n++;
	pthread_attr_destroy(&attr);
	return n;
}

/* Signals stay with the threads that know what to do with them. */
void skep_close_parallel(const int *fds, size_t n)
{
	struct queue queue = {.fds = fds, .n = n};
	pthread_t threads[THREADS_MAX];
	unsigned started, max = n > THREADS_MAX ? THREADS_MAX : n ? (unsigned)n - 1 : 0;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	started = start(&queue, threads, max);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close_some(&queue);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

/* A ring that holds the files; -1 if the kernel gives us none. */
static int open_ring(const int *fds, size_t n)
{
	struct io_uring_params params;
	_cleanup_close_ int ring = -1;

	memset(&params, 0, sizeof(params));
	ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, fds, n) < 0)
		return -1;
	return TAKE_FD(ring);
}

void skep_close_background(const int *fds, size_t n)
{
	_cleanup_close_ int ring = n >= BACKGROUND_MIN ? open_ring(fds, n) : -1;

	if (ring < 0) {
		skep_close_parallel(fds, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}
