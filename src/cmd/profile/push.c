/*
 * What is kept, sent on, by a process of its own: the queue is the archive itself, so a receiver
 * that is away costs no memory, and the profiler does not wait for it. An interval is sent until it
 * is taken; of those that wait only the newest are kept waiting. Those that are not, that were
 * removed for lack of room before, or that are broken on disk, are counted.
 *
 *	http://HOST:4318                          OTLP, to /v1development/profiles
 *	http://HOST:4040/ingest                   pprof, as Pyroscope takes it
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"
#include "export/post.h"

#define OTLP_PATH    "/v1development/profiles"
#define INGEST       "/ingest"
#define WAITING_MOST 64 /* intervals */
#define TICK_MS      500
#define LAST_MS      3000 /* to send what there is when it ends */
#define PAUSE_MOST_S 60
#define SECOND_NS    UINT64_C(1000000000)

struct push {
	const char *url, *store;
	struct skep_post *post;
	struct skep_loop loop;
	struct skep_archive archive;
	struct skep_archive_place done, sending; /* sending: the one that is under way */
	uint64_t sent, lost;
	uint64_t wait_until_ns, pause_s; /* by CLOCK_MONOTONIC */
	int said;                        /* the status that was told of; 0: all is well */
	bool said_broken;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* --- Which one is next ----------------------------------------------------------------------- */

/* How many of a segment are before @place. */
static uint32_t count_before(const struct skep_archive_segment *segment,
			     struct skep_archive_place place)
{
	if (segment->number != place.segment)
		return segment->number < place.segment ? segment->n : 0;
	return place.n < segment->n ? place.n : segment->n;
}

/* How many there are from @push's place to @end. */
static uint64_t count_waiting(const struct push *push, struct skep_archive_place end)
{
	uint64_t waiting = 0;

	skep_vec_foreach (struct skep_archive_segment, segment, &push->archive.segments) {
		uint32_t done = count_before(segment, push->done);
		uint32_t all = count_before(segment, end);
		waiting += all > done ? all - done : 0;
	}
	return waiting;
}

/* Return the place behind the next but @skipped that wait; there are so many. */
static struct skep_archive_place place_behind(const struct push *push, uint64_t skipped)
{
	skep_vec_foreach (struct skep_archive_segment, segment, &push->archive.segments) {
		uint32_t done = count_before(segment, push->done);
		if (skipped < segment->n - done)
			return (struct skep_archive_place){segment->number,
							   done + (uint32_t)skipped + 1};
		skipped -= segment->n - done;
	}
	return push->done;
}

/* What there is now. What waited and has gone was not sent. */
static int refresh(struct push *push)
{
	struct skep_archive_place end = skep_archive_end(&push->archive);
	uint64_t before = count_waiting(push, end);
	int err = skep_archive_refresh(&push->archive, NULL);

	if (err)
		return err;
	uint64_t now = count_waiting(push, end);
	push->lost += before > now ? before - now : 0;
	return 0;
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
	bool is_refused = status >= 400 && status < 500 && status != 408 && status != 429;

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
	push->done = push->sending;
}

static bool has_name(const char *query)
{
	return !strncmp(query, "name=", 5) || strstr(query, "&name=");
}

static void put_path(const struct push *push, const struct skep_profile *profile, bool is_ingest,
		     struct skep_buf *out)
{
	const char *path = skep_post_path(push->post), *query = skep_post_query(push->post);

	skep_buf_puts(out, path[0] && strcmp(path, "/") != 0 ? path : OTLP_PATH);
	if (query[0])
		skep_buf_printf(out, "?%s", query);
	if (!is_ingest)
		return;
	skep_buf_puts(out, query[0] ? "&" : "?");
	if (!has_name(query))
		skep_buf_puts(out, "name=skep&");
	skep_buf_printf(out, "format=pprof&from=%" PRIu64 "&until=%" PRIu64,
			profile->start_ns / SECOND_NS,
			(profile->start_ns + profile->duration_ns) / SECOND_NS);
}

/* Return 0 | -EINVAL it cannot be read, now or later | -errno */
static int send(struct push *push)
{
	const struct skep_archive_window window = {
		.to_ns = UINT64_MAX,
		.first = {push->sending.segment, push->sending.n - 1},
		.end = push->sending,
	};
	_cleanup_profile_ struct skep_profile profile = {0};
	_cleanup_buf_ struct skep_buf body = {0}, path = {0};
	const char *end = strrchr(skep_post_path(push->post), '/');
	bool is_ingest = end && !strcmp(end, INGEST);

	skep_archive_read(&push->archive, &window, NULL, &profile);
	put_path(push, &profile, is_ingest, &path);
	if (!profile.n_types ||
	    skep_profile_write(&profile, is_ingest ? SKEP_PROFILE_PPROF : SKEP_PROFILE_OTLP, NULL,
			       &body, NULL))
		return -EINVAL;
	const struct skep_post_body post = {
		.path = path.data,
		.type = is_ingest ? "application/octet-stream" : "application/x-protobuf",
		.data = body.data,
		.bytes = body.len,
	};
	return skep_post_send(push->post, &push->loop, &post, on_answer, push);
}

/* It will not be whole again: those behind it are not to wait for that. */
static void skip_broken(struct push *push)
{
	if (!push->said_broken)
		fprintf(stderr,
			"skep profile: an interval cannot be read from %s, and is not sent\n",
			push->store);
	push->said_broken = true;
	push->lost++;
	push->done = push->sending;
}

static void send_next(struct push *push)
{
	if (refresh(push) || skep_post_is_busy(push->post) || now_ns() < push->wait_until_ns)
		return;
	uint64_t waiting = count_waiting(push, skep_archive_end(&push->archive));
	if (waiting > WAITING_MOST) {
		push->lost += waiting - WAITING_MOST;
		push->done = place_behind(push, waiting - WAITING_MOST - 1);
		waiting = WAITING_MOST;
	}
	if (!waiting)
		return;
	push->sending = place_behind(push, 0);
	int err = send(push);
	if (err == -EINVAL)
		skip_broken(push);
	else if (err)
		on_answer(push, 0);
}

/* --- The process ----------------------------------------------------------------------------- */

/* Until a signal says so; then what waits is tried once more. */
static void send_all(struct push *push, int signal_fd)
{
	struct pollfd ending = {.fd = signal_fd, .events = POLLIN};

	while (!ending.revents) {
		skep_loop_poll(&push->loop, &ending, 1, TICK_MS);
		send_next(push);
	}
	uint64_t last = now_ns() + LAST_MS * UINT64_C(1000000);
	push->wait_until_ns = 0;
	for (send_next(push); skep_post_is_busy(push->post) && now_ns() < last; send_next(push))
		skep_loop_poll(&push->loop, NULL, 0, TICK_MS);
	push->lost += count_waiting(push, skep_archive_end(&push->archive));
	fprintf(stderr,
		"skep profile: %" PRIu64 " intervals were sent to %s, %" PRIu64 " were not\n",
		push->sent, push->url, push->lost);
}

static int run(void *ctx, int signal_fd)
{
	struct push *push = ctx;
	int err = skep_archive_open(push->store, &push->archive, NULL);

	if (!err)
		err = skep_loop_init(&push->loop);
	if (err)
		return err;
	/* From now on. */
	push->done = skep_archive_end(&push->archive);
	send_all(push, signal_fd);
	return 0;
}

int skep_profile_push_beside(const char *store, const char *url, struct skep_profile_beside *ret,
			     struct skep_diag *diag)
{
	struct push push = {.url = url, .store = store};
	int err = skep_post_new(url, &push.post, diag);

	if (err)
		return err;
	ret->name = "what sends them on";
	err = skep_profile_beside_start(ret, run, &push, -1);
	skep_post_free(push.post);
	return err ? skep_diag_fail(diag, err, SKEP_DIAG_POST_URL, SKEP_NOWHERE, url) : 0;
}
