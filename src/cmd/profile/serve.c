/*
 * What is kept, by HTTP: a page for people, and pprof for programs. It reads the folder as anybody
 * may, beside whoever writes it, and is a process of its own: however long a window takes, the
 * profiler does not wait for it. Nothing that is asked for becomes a path.
 *
 *	/                              the page
 *	/timeline, /summary            what it shows, as JSON
 *	/flame, /diff                  flame graphs
 *	/pprof?from=&to=               a window as pprof
 *	/debug/pprof/profile?seconds=  the intervals of the next seconds, as pprof
 *
 * Windows are from= and to= (of /diff also base_from= and base_to=), moments as of --from; without
 * them the last hour, and the hour before it. Whose samples: pid=, tid=, comm=, cgroup=.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/options.h"
#include "cmd/profile/serve.h"
#include "export/address.h"
#include "export/http.h"
#include "linux/ending.h"

#define SECOND_NS   1000000000ull
#define POINTS_MOST 600
#define TICK_MS     250
#define LIVE_MOST   8
#define SECONDS     10
#define HOUR_NS     (3600 * SECOND_NS)
#define LATE_NS     (HOUR_NS + 90 * SECOND_NS) /* an interval takes an hour at most */
#define PIDS_MOST   64

#define HTML        "text/html; charset=utf-8"
#define JSON        "application/json"
#define TEXT        "text/plain; charset=utf-8"
#define PPROF       "application/octet-stream"

extern const char skep_profile_page[];

/* Who waits for intervals that are not there yet: those behind the window's first place. */
struct waiting {
	struct skep_http_request *request;
	struct skep_archive_window window;
	uint64_t late_ns; /* by CLOCK_MONOTONIC */
};

struct serve {
	struct skep_loop loop;
	struct skep_http *http;
	struct skep_archive archive;
	SKEP_VEC(struct waiting) waiting;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* --- Answers --------------------------------------------------------------------------------- */

static void answer(struct skep_http_request *request, const char *type, const struct skep_buf *body)
{
	skep_http_add_header(request, "Cache-Control", "no-store");
	skep_http_add_header(request, "X-Content-Type-Options", "nosniff");
	skep_http_add_header(request, "Content-Security-Policy", "frame-ancestors 'self'");
	skep_http_answer(request, 200, type, body->data ? body->data : "", body->len);
}

static void refuse(struct skep_http_request *request, int status, const char *why)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_buf_printf(&text, "%s\n", why);
	skep_http_answer(request, status, TEXT, text.data, text.len);
}

/* --- Questions ------------------------------------------------------------------------------- */

static const char *given(const struct skep_http_request *request, const char *name)
{
	const char *text = skep_http_query(request, name);

	return text && text[0] ? text : NULL;
}

/* If it is not given @ret stays. */
static bool take_moment(const struct skep_http_request *request, const char *name, uint64_t now,
			uint64_t *ret)
{
	const char *text = given(request, name);

	return !text || skep_profile_moment(text, now, ret);
}

/* From an hour before its end, if it does not say. */
static bool take_window_of(const struct skep_http_request *request, const char *from,
			   const char *to, uint64_t now, struct skep_archive_window *ret)
{
	if (!take_moment(request, to, now, &ret->to_ns))
		return false;
	uint64_t end = ret->to_ns < now ? ret->to_ns : now;
	ret->from_ns = end > HOUR_NS ? end - HOUR_NS : 0;
	return take_moment(request, from, now, &ret->from_ns) && ret->from_ns < ret->to_ns;
}

/* All moments of a request are of the same @now. */
static bool take_window(const struct skep_http_request *request, bool is_base, uint64_t now,
			struct skep_archive_window *ret)
{
	struct skep_archive_window window = {.to_ns = UINT64_MAX}, base = {0};

	if (!take_window_of(request, "from", "to", now, &window))
		return false;
	/* Up to the other, if it does not say. */
	base.to_ns = window.from_ns;
	if (is_base && !take_window_of(request, "base_from", "base_to", now, &base))
		return false;
	*ret = is_base ? base : window;
	return true;
}

struct whose {
	struct skep_profile_filter filter;
	uint32_t pids[PIDS_MOST];
};

static bool take_pids(struct whose *ret, const char *list)
{
	_cleanup_free_ char *copy = skep_xstrdup(list);

	ret->filter.pids = ret->pids;
	for (char *at = copy, *pid; (pid = strsep(&at, ","));) {
		pid_t number;
		if (ret->filter.n_pids == PIDS_MOST || !skep_option_pid(pid, &number))
			return false;
		ret->pids[ret->filter.n_pids++] = (uint32_t)number;
	}
	return true;
}

static bool take_whose(const struct skep_http_request *request, struct whose *ret)
{
	const char *pid = given(request, "pid"), *tid = given(request, "tid");
	pid_t number = 0;

	*ret = (struct whose){0};
	ret->filter.comm = given(request, "comm");
	ret->filter.cgroup = given(request, "cgroup");
	if (tid && !skep_option_pid(tid, &number))
		return false;
	ret->filter.tid = (uint32_t)number;
	return !pid || take_pids(ret, pid);
}

/* The window that is asked for; else @request is answered, and it returns false. */
static bool read_asked(struct serve *serve, struct skep_http_request *request, bool is_base,
		       uint64_t now, struct skep_profile *ret)
{
	struct skep_archive_window window;
	struct whose whose;

	if (!take_window(request, is_base, now, &window) || !take_whose(request, &whose)) {
		refuse(request, 400,
		       "a window is from=MOMENT&to=MOMENT: now, -1h, @SECONDS; whose "
		       "samples: pid=, tid=, comm=, cgroup=");
		return false;
	}
	if (skep_archive_refresh(&serve->archive, NULL)) {
		refuse(request, 503, "what was kept cannot be read any more");
		return false;
	}
	skep_archive_read(&serve->archive, &window, &whose.filter, ret);
	if (!ret->n_types)
		skep_profile_add_type(ret, "samples", "count");
	return true;
}

/* --- Pages ----------------------------------------------------------------------------------- */

static void on_page(void *ctx, struct skep_http_request *request)
{
	struct skep_buf page = {.data = (char *)(uintptr_t)skep_profile_page,
				.len = strlen(skep_profile_page)};

	answer(request, HTML, &page);
}

static void on_timeline(void *ctx, struct skep_http_request *request)
{
	struct serve *serve = ctx;
	struct skep_archive_window window;
	_cleanup_buf_ struct skep_buf body = {0};
	uint64_t now = now_ns(CLOCK_REALTIME);

	if (!take_window(request, false, now, &window)) {
		refuse(request, 400, "a window is from=MOMENT&to=MOMENT");
		return;
	}
	if (skep_archive_refresh(&serve->archive, NULL)) {
		refuse(request, 503, "what was kept cannot be read any more");
		return;
	}
	window.to_ns = window.to_ns == UINT64_MAX ? now : window.to_ns;
	skep_served_timeline(&serve->archive, &window, POINTS_MOST, &body);
	answer(request, JSON, &body);
}

static void on_summary(void *ctx, struct skep_http_request *request)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	_cleanup_buf_ struct skep_buf body = {0};

	if (!read_asked(ctx, request, false, now_ns(CLOCK_REALTIME), &profile))
		return;
	skep_served_summary(&profile, &body);
	answer(request, JSON, &body);
}

static void put(struct skep_http_request *request, const struct skep_profile *profile,
		enum skep_profile_format format, const char *type)
{
	const struct skep_profile_options options = {
		.is_inverted = given(request, "inverted") != NULL,
		.title = "skep profile",
	};
	_cleanup_buf_ struct skep_buf body = {0};

	if (skep_profile_write(profile, format, &options, &body, NULL))
		refuse(request, 500, "this window is too large");
	else
		answer(request, type, &body);
}

static void on_flame(void *ctx, struct skep_http_request *request)
{
	_cleanup_profile_ struct skep_profile profile = {0};

	if (read_asked(ctx, request, false, now_ns(CLOCK_REALTIME), &profile))
		put(request, &profile, SKEP_PROFILE_HTML, HTML);
}

static void on_diff(void *ctx, struct skep_http_request *request)
{
	_cleanup_profile_ struct skep_profile before = {0}, now = {0}, diff = {0};

	uint64_t moment = now_ns(CLOCK_REALTIME);

	if (!read_asked(ctx, request, true, moment, &before) ||
	    !read_asked(ctx, request, false, moment, &now))
		return;
	if (skep_profile_diff(&before, &now, NULL, &diff, NULL))
		refuse(request, 400, "the two windows count different things");
	else
		put(request, &diff, SKEP_PROFILE_HTML, HTML);
}

static void on_pprof(void *ctx, struct skep_http_request *request)
{
	_cleanup_profile_ struct skep_profile profile = {0};

	if (!read_asked(ctx, request, false, now_ns(CLOCK_REALTIME), &profile))
		return;
	skep_http_add_header(request, "Content-Disposition", "attachment; filename=profile.pb.gz");
	put(request, &profile, SKEP_PROFILE_PPROF, PPROF);
}

/* --- What is to come ------------------------------------------------------------------------- */

/* Who has gone waits for nothing, and keeps nobody else from waiting. */
static void forget_gone(struct serve *serve)
{
	size_t n = 0;

	skep_vec_foreach (struct waiting, waiting, &serve->waiting) {
		if (skep_http_is_gone(waiting->request))
			refuse(waiting->request, 503, "");
		else
			serve->waiting.data[n++] = *waiting;
	}
	serve->waiting.len = n;
}

static void on_live(void *ctx, struct skep_http_request *request)
{
	struct serve *serve = ctx;
	const char *text = given(request, "seconds");
	uint64_t seconds = SECONDS;

	if (text && !skep_option_number(text, 3600, &seconds)) {
		refuse(request, 400, "seconds= is a number from 1 to 3600");
		return;
	}
	if (skep_archive_refresh(&serve->archive, NULL) || !serve->archive.has_writer) {
		refuse(request, 503, "nobody writes profiles here now");
		return;
	}
	forget_gone(serve);
	if (serve->waiting.len == LIVE_MOST) {
		refuse(request, 503, "others are waiting already");
		return;
	}
	const struct skep_archive_window window = {
		.from_ns = now_ns(CLOCK_REALTIME),
		.to_ns = now_ns(CLOCK_REALTIME) + seconds * SECOND_NS,
		.first = skep_archive_end(&serve->archive),
	};
	uint64_t late = now_ns(CLOCK_MONOTONIC) + seconds * SECOND_NS + LATE_NS;
	skep_vec_push(&serve->waiting, ((struct waiting){request, window, late}));
}

/* Is all of it there? Intervals are as long as they are: the one that @waiting's time began in
 * comes with it. What was there when it was asked for does not, whatever time it says. */
static bool is_complete(const struct skep_archive *archive, const struct waiting *waiting,
			struct skep_archive_window *ret)
{
	const struct skep_archive_window come = {.to_ns = UINT64_MAX,
						 .first = waiting->window.first};
	uint64_t end = 0;

	*ret = waiting->window;
	for (size_t i = archive->intervals.len; i-- > 0;) {
		const struct skep_archive_interval *interval = &archive->intervals.data[i];
		uint64_t begin = interval->note.begin_ns, next = begin + interval->note.duration_ns;
		if (!skep_archive_is_in(interval, &come))
			break;
		if (next > waiting->window.from_ns && begin < ret->from_ns)
			ret->from_ns = begin;
		end = next > end ? next : end;
	}
	return end >= waiting->window.to_ns;
}

static const char *why_not(const struct serve *serve, const struct waiting *waiting)
{
	if (!serve->archive.has_writer)
		return "nobody writes profiles here any more";
	return now_ns(CLOCK_MONOTONIC) > waiting->late_ns ? "the intervals did not come" : NULL;
}

static void answer_waiting(struct serve *serve)
{
	size_t n = 0;

	forget_gone(serve);
	if (!serve->waiting.len)
		return;
	bool is_gone = skep_archive_refresh(&serve->archive, NULL);
	skep_vec_foreach (struct waiting, waiting, &serve->waiting) {
		_cleanup_profile_ struct skep_profile profile = {0};
		struct skep_archive_window window;
		bool is_whole = !is_gone && is_complete(&serve->archive, waiting, &window);
		const char *why =
			is_gone ? "what was kept is not there any more" : why_not(serve, waiting);
		if (is_whole) {
			skep_archive_read(&serve->archive, &window, NULL, &profile);
			put(waiting->request, &profile, SKEP_PROFILE_PPROF, PPROF);
		} else if (why) {
			refuse(waiting->request, 503, why);
		} else {
			serve->waiting.data[n++] = *waiting;
		}
	}
	serve->waiting.len = n;
}

/* --- The server ------------------------------------------------------------------------------ */

static int open_all(struct serve *serve, int fd)
{
	static const struct {
		const char *path;
		skep_http_fn fn;
	} pages[] = {
		{"/", on_page},
		{"/timeline", on_timeline},
		{"/summary", on_summary},
		{"/flame", on_flame},
		{"/diff", on_diff},
		{"/pprof", on_pprof},
		{"/debug/pprof/profile", on_live},
	};
	int err = skep_loop_init(&serve->loop);

	if (err) {
		close(fd);
		return err;
	}
	err = skep_http_new(&serve->loop, fd, &serve->http);
	if (err)
		return err;
	skep_http_check_host(serve->http);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		skep_http_on(serve->http, pages[i].path, pages[i].fn, serve);
	return 0;
}

/* Until a signal says so. */
static int run(const char *store, int fd, int signal_fd)
{
	struct serve serve = {0};
	struct pollfd ending = {.fd = signal_fd, .events = POLLIN};
	int err = skep_archive_open(store, &serve.archive, NULL);

	if (err) {
		close(fd);
		return err;
	}
	err = open_all(&serve, fd);
	while (!err && !ending.revents) {
		skep_loop_poll(&serve.loop, &ending, 1, serve.waiting.len ? TICK_MS : 10000);
		answer_waiting(&serve);
	}
	skep_vec_foreach (struct waiting, waiting, &serve.waiting)
		refuse(waiting->request, 503, "it ends");
	skep_vec_done(&serve.waiting);
	skep_http_free(serve.http);
	skep_loop_done(&serve.loop);
	skep_archive_done(&serve.archive);
	return err;
}

static int listen_at(const char *address, struct skep_diag *diag)
{
	_cleanup_free_ char *url = NULL;
	int fd = skep_address_listen(address, &url, diag);

	if (fd >= 0)
		fprintf(stderr, "skep profile: what is kept is served at %.*s/\n",
			(int)(strrchr(url, '/') - url), url);
	return fd;
}

int skep_profile_serve(const char *store, const char *address, struct skep_diag *diag)
{
	struct skep_archive archive;
	int err = skep_archive_open(store, &archive, diag);

	if (err)
		return err;
	skep_archive_done(&archive);
	int fd = listen_at(address, diag);
	if (fd < 0)
		return fd;
	_cleanup_close_ int signal_fd = skep_ending_fd();
	err = run(store, fd, signal_fd);
	return err ? skep_diag_fail(diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, store,
				    strerror(-err))
		   : 0;
}

struct beside {
	const char *store;
	int fd;
};

static int run_beside(void *ctx, int signal_fd)
{
	const struct beside *beside = ctx;

	return run(beside->store, beside->fd, signal_fd);
}

int skep_profile_serve_beside(const char *store, const char *address,
			      struct skep_profile_beside *ret, struct skep_diag *diag)
{
	_cleanup_close_ int fd = listen_at(address, diag);
	struct beside beside = {store, fd};

	if (fd < 0)
		return fd;
	ret->name = "what serves them";
	int err = skep_profile_beside_start(ret, run_beside, &beside, fd);
	return err ? skep_diag_fail(diag, err, SKEP_DIAG_METRICS_LISTEN, SKEP_NOWHERE, address,
				    strerror(-err))
		   : 0;
}
