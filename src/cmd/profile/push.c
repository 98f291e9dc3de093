/*
 * What is kept, sent on, by a process of its own: the queue is the archive itself, so a receiver
 * that is away costs no memory, and the profiler does not wait for it. An interval is sent until it
 * is taken; of those that wait only the newest are kept waiting, and the others are counted.
 *
 *	http://HOST:4318                          OTLP, to /v1development/profiles
 *	http://HOST:4040/ingest                   pprof, as Pyroscope takes it
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"
#include "export/post.h"
#include "linux/ending.h"

#define OTLP_PATH    "/v1development/profiles"
#define INGEST       "/ingest"
#define WAITING_MOST 64 /* intervals */
#define TICK_MS      500
#define LAST_MS      3000 /* to send what there is when it ends */
#define PAUSE_MOST_S 60
#define SECOND_NS    UINT64_C(1000000000)

/* The interval that is next: so many of that segment, and of those before it, are done with. */
struct place {
	uint32_t segment, n;
};

struct push {
	const char *url;
	struct skep_post *post;
	struct skep_loop loop;
	struct skep_archive archive;
	struct place done;
	uint64_t sent, lost;
	uint64_t wait_until_ns, pause_s; /* by CLOCK_MONOTONIC */
	int said;                        /* the status that was told of; 0: all is well */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* --- Which one is next ----------------------------------------------------------------------- */

static bool is_done(const struct push *push, const struct skep_archive_segment *segment, uint32_t i)
{
	return segment->number < push->done.segment ||
	       (segment->number == push->done.segment && i < push->done.n);
}

/* How many wait, and the first of them; the segment's number of it. */
static uint64_t find_next(const struct push *push, struct place *ret_place,
			  const struct skep_archive_interval **ret)
{
	uint64_t waiting = 0;

	skep_vec_foreach (struct skep_archive_segment, segment, &push->archive.segments) {
		for (uint32_t i = 0; i < segment->n; i++) {
			if (is_done(push, segment, i) || waiting++)
				continue;
			*ret_place = (struct place){segment->number, i};
			*ret = &push->archive.intervals.data[segment->first + i];
		}
	}
	return waiting;
}

static void done_with(struct push *push, struct place place)
{
	push->done = (struct place){place.segment, place.n + 1};
}

static void skip_all(struct push *push)
{
	const struct skep_archive_interval *interval;
	struct place place;

	while (find_next(push, &place, &interval))
		done_with(push, place);
}

/* --- Sending --------------------------------------------------------------------------------- */

/* Once for each reason in a row. */
static void say(struct push *push, int status)
{
	if (status == push->said)
		return;
	if (status < 0)
		fprintf(stderr, "skep profile: %s does not answer; trying again\n", push->url);
	else if (status)
		fprintf(stderr, "skep profile: %s answers %d\n", push->url, status);
	else
		fprintf(stderr, "skep profile: %s takes profiles again\n", push->url);
	push->said = status;
}

static void on_answer(void *ctx, int status)
{
	struct push *push = ctx;
	const struct skep_archive_interval *interval;
	bool is_refused = status >= 400 && status < 500 && status != 408 && status != 429;
	struct place place;

	if (status >= 200 && status < 300) {
		push->sent++;
		push->pause_s = 0;
		say(push, 0);
	} else if (is_refused) {
		/* It would be again. */
		push->lost++;
		say(push, status);
	} else {
		push->pause_s = push->pause_s ? push->pause_s * 2 : 1;
		push->pause_s = push->pause_s < PAUSE_MOST_S ? push->pause_s : PAUSE_MOST_S;
		push->wait_until_ns = now_ns() + push->pause_s * SECOND_NS;
		say(push, status ? status : -1);
		return;
	}
	if (find_next(push, &place, &interval))
		done_with(push, place);
}

static void put_path(const struct push *push, const struct skep_profile *profile, bool is_ingest,
		     struct skep_buf *out)
{
	const char *path = skep_post_path(push->post);

	skep_buf_puts(out, path[0] && strcmp(path, "/") != 0 ? path : OTLP_PATH);
	if (is_ingest)
		skep_buf_printf(out, "?name=skep&format=pprof&from=%" PRIu64 "&until=%" PRIu64,
				profile->start_ns / SECOND_NS,
				(profile->start_ns + profile->duration_ns) / SECOND_NS);
}

static int send(struct push *push, const struct skep_archive_interval *interval)
{
	const uint64_t begin = interval->note.begin_ns;
	const struct skep_archive_window window = {begin, begin + 1};
	_cleanup_profile_ struct skep_profile profile = {0};
	_cleanup_buf_ struct skep_buf body = {0}, path = {0};
	const char *end = strrchr(skep_post_path(push->post), '/');
	bool is_ingest = end && !strcmp(end, INGEST);

	skep_archive_read(&push->archive, &window, NULL, &profile);
	put_path(push, &profile, is_ingest, &path);
	int err = skep_profile_write(&profile, is_ingest ? SKEP_PROFILE_PPROF : SKEP_PROFILE_OTLP,
				     NULL, &body, NULL);
	const struct skep_post_body post = {
		.path = path.data,
		.type = is_ingest ? "application/octet-stream" : "application/x-protobuf",
		.data = body.data,
		.bytes = body.len,
	};
	return err ? err : skep_post_send(push->post, &push->loop, &post, on_answer, push);
}

static void send_next(struct push *push)
{
	const struct skep_archive_interval *interval = NULL;
	struct place place;

	if (skep_post_is_busy(push->post) || now_ns() < push->wait_until_ns ||
	    skep_archive_refresh(&push->archive, NULL))
		return;
	uint64_t waiting = find_next(push, &place, &interval);
	for (; waiting > WAITING_MOST; waiting = find_next(push, &place, &interval)) {
		push->lost++;
		done_with(push, place);
	}
	if (waiting && send(push, interval))
		on_answer(push, 0);
}

/* --- The process ----------------------------------------------------------------------------- */

/* Until a signal says so; then what waits is tried once more. */
static void run(struct push *push, int signal_fd)
{
	struct pollfd ending = {.fd = signal_fd, .events = POLLIN};
	const struct skep_archive_interval *interval;
	struct place place;

	while (!ending.revents) {
		skep_loop_poll(&push->loop, &ending, 1, TICK_MS);
		send_next(push);
	}
	uint64_t last = now_ns() + LAST_MS * UINT64_C(1000000);
	push->wait_until_ns = 0;
	for (send_next(push); skep_post_is_busy(push->post) && now_ns() < last; send_next(push))
		skep_loop_poll(&push->loop, NULL, 0, TICK_MS);
	push->lost += find_next(push, &place, &interval);
	fprintf(stderr,
		"skep profile: %" PRIu64 " intervals were sent to %s, %" PRIu64 " were not\n",
		push->sent, push->url, push->lost);
}

static int open_all(struct push *push, const char *store)
{
	int err = skep_archive_open(store, &push->archive, NULL);

	if (!err)
		err = skep_loop_init(&push->loop);
	/* From now on. */
	if (!err)
		skip_all(push);
	return err;
}

int skep_profile_push_beside(const char *store, const char *url, pid_t *ret, struct skep_diag *diag)
{
	struct push push = {.url = url};
	pid_t parent = getpid();
	int err = skep_post_new(url, &push.post, diag);

	if (err)
		return err;
	fflush(NULL);
	pid_t child = fork();
	if (!child) {
		/* Not longer than the one that it is beside. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int signal_fd = getppid() == parent ? skep_ending_fd() : -1;
		if (signal_fd < 0 || open_all(&push, store))
			_exit(1);
		run(&push, signal_fd);
		_exit(0);
	}
	err = child < 0 ? -errno : 0;
	skep_post_free(push.post);
	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_POST_URL, SKEP_NOWHERE, url);
	*ret = child;
	return 0;
}
