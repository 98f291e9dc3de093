/*
 * A script's iterators, each read once to its end. The bytes that come are one
 * for each object (lower/iter.c) and say nothing else; they are read a few at a
 * time so that what the script printed can be taken between.
 */
#include "trace/run/iter.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

enum { OBJECTS_AT_A_TIME = 128 };

/* Return 0 | -errno, -ECANCELED: @between did not want more */
static int read_pass(int fd, bool (*between)(void *ctx), void *ctx)
{
	char bytes[OBJECTS_AT_A_TIME];
	ssize_t n;

	do {
		n = read(fd, bytes, sizeof(bytes));
		/* A million objects that all left nothing: the kernel draws breath. */
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (!between(ctx))
			return -ECANCELED;
	} while (n);
	return 0;
}

int skep_iters_read(const struct skep_session *session, bool (*between)(void *ctx), void *ctx)
{
	int err = 0;

	for (size_t i = 0; i < skep_session_n_links(session) && !err; i++) {
		_cleanup_close_ int fd = skep_session_iter_open(session, i);
		if (fd >= 0)
			err = read_pass(fd, between, ctx);
		else if (fd != -EINVAL) /* that is another type of link */
			err = fd;
	}
	return err;
}
