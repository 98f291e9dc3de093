/*
 * A profile that goes on, and is kept: an interval after the other goes from the kernel into the
 * archive, together with what it cost. A disk that is full does not end it. See profile.h.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"
#include "linux/ending.h"
#include "profiler/health.h"

#define BUSY_MS   1
#define OWN_FDS   (1 + SKEP_PROFILER_FDS)
#define SECOND_NS 1000000000ull

struct continuous {
	struct skep_profile_live_job *job;
	const struct skep_profile_kept *kept;
	struct skep_profiler *profiler;
	struct skep_archive_writer *writer;
	int signal_fd;
	struct skep_profile_targets targets;
	struct skep_profile_beside server, sender;
	uint64_t next_ns, end_ns;   /* by CLOCK_MONOTONIC; end_ns 0: open */
	uint64_t own_ns, kernel_ns; /* of CPU, until the last interval */
	int failed;                 /* why the last interval could not be written */
	uint64_t failures;          /* since one could */
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* --- What it costs --------------------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
	_cleanup_buf_ struct skep_buf text = {0};
	unsigned long pages = 0;

	if (skep_file_read("/proc/self/statm", 4096, &text) ||
	    sscanf(text.data, "%*s %lu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void note_cost(struct continuous *continuous, struct skep_archive_note *note)
{
	uint64_t own = now_ns(CLOCK_PROCESS_CPUTIME_ID), kernel;

	note->own_ns = own - continuous->own_ns;
	continuous->own_ns = own;
	note->kernel_ns = UINT64_MAX;
	if (skep_profiler_kernel_ns(continuous->profiler, &kernel)) {
		note->kernel_ns = kernel - continuous->kernel_ns;
		continuous->kernel_ns = kernel;
	}
	note->memory_bytes = resident_bytes();
}

static void note_health(const struct skep_profile *profile, struct skep_archive_note *note)
{
	struct skep_health health;

	skep_health_of(profile, true, &health);
	note->stacks = health.stacks;
	note->whole = health.whole;
	skep_health_done(&health);
}

/* --- An interval ----------------------------------------------------------------------------- */

/* Once when it begins, and once when it is over. */
static void say_written(struct continuous *continuous, int err)
{
	if (err && err != continuous->failed)
		fprintf(stderr, "skep profile: an interval is lost: cannot write into %s: %s\n",
			continuous->kept->store, strerror(-err));
	if (!err && continuous->failed)
		fprintf(stderr, "skep profile: intervals are kept again; lost: %llu\n",
			(unsigned long long)continuous->failures);
	continuous->failures = err ? continuous->failures + 1 : 0;
	continuous->failed = err;
}

static int take_interval(struct continuous *continuous, struct skep_diag *diag)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	struct skep_archive_note note = {0};
	int err = skep_profiler_take(continuous->profiler, &profile, diag);

	if (err)
		return err;
	profile.title = skep_profile_text(&profile, continuous->job->title);
	note.begin_ns = profile.start_ns;
	note.duration_ns = profile.duration_ns;
	note_health(&profile, &note);
	note_cost(continuous, &note);
	say_written(continuous, skep_archive_append(continuous->writer, &profile, &note));
	/* Many small pieces for a moment: what they leave is wanted by others until the next. */
	skep_profile_done(&profile);
	malloc_trim(0);
	return 0;
}

/* Late, or after a suspend, intervals that were missed are not made up for. */
static void set_next(struct continuous *continuous)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), every = continuous->kept->every_ns;

	continuous->next_ns += every;
	if (continuous->next_ns <= now)
		continuous->next_ns = now + every;
	if (continuous->end_ns && continuous->next_ns > continuous->end_ns)
		continuous->next_ns = continuous->end_ns;
}

/* --- The loop -------------------------------------------------------------------------------- */

static int wait_ms(const struct continuous *continuous, bool busy)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (busy)
		return BUSY_MS;
	return now >= continuous->next_ns ? 0
					  : (int)((continuous->next_ns - now + 999999) / 1000000);
}

/* Return whether it is to end. */
static bool wait_for_more(struct continuous *continuous, bool busy)
{
	struct pollfd fds[OWN_FDS + SKEP_PROFILE_PIDS_MOST] = {
		{.fd = continuous->signal_fd, .events = POLLIN}};
	int profiler_fds[SKEP_PROFILER_FDS];

	skep_profiler_fds(continuous->profiler, profiler_fds);
	for (int i = 0; i < SKEP_PROFILER_FDS; i++)
		fds[1 + i] = (struct pollfd){.fd = busy ? -1 : profiler_fds[i], .events = POLLIN};
	uint32_t n = skep_profile_targets_fds(&continuous->targets, fds + OWN_FDS);
	poll(fds, OWN_FDS + n, wait_ms(continuous, busy));
	return fds[0].revents || skep_profile_targets_ended(&continuous->targets, fds + OWN_FDS) ||
	       (continuous->end_ns && now_ns(CLOCK_MONOTONIC) >= continuous->end_ns);
}

/* The last interval is a short one. */
static int loop(struct continuous *continuous, struct skep_diag *diag)
{
	bool busy = false, ends = false;
	int err = 0;

	while (!err && !ends) {
		ends = wait_for_more(continuous, busy);
		busy = skep_profiler_step(continuous->profiler);
		if (!ends && now_ns(CLOCK_MONOTONIC) < continuous->next_ns)
			continue;
		if (ends) /* the next one ends what that takes */
			skep_ending_take(continuous->signal_fd);
		err = take_interval(continuous, diag);
		skep_profile_beside_look(&continuous->server);
		skep_profile_beside_look(&continuous->sender);
		set_next(continuous);
	}
	return err;
}

/* --- Start and end --------------------------------------------------------------------------- */

static void say_begin(const struct continuous *continuous, uint64_t cut_bytes)
{
	if (cut_bytes)
		fprintf(stderr,
			"skep profile: %s: cut off %llu bytes of an interval whose writing was cut "
			"short\n",
			continuous->kept->store, (unsigned long long)cut_bytes);
	if (getenv("SKEP_NOTIFY_ATTACHED"))
		fputs("__SKEP_NOTIFY_PROBES_ATTACHED\n", stderr);
	fprintf(stderr, "skep profile: keeping profiles in %s, one each %g s; Ctrl-C ends it\n",
		continuous->kept->store, (double)continuous->kept->every_ns / 1e9);
}

/* Before anything is in the kernel: they are to have nothing of it. */
static int start_beside(struct continuous *continuous, struct skep_diag *diag)
{
	const struct skep_profile_kept *kept = continuous->kept;
	int err = 0;

	if (kept->serve)
		err = skep_profile_serve_beside(kept->store, kept->serve, &continuous->server,
						diag);
	if (!err && kept->push)
		err = skep_profile_push_beside(kept->store, kept->push, &continuous->sender, diag);
	return err;
}

void skep_profile_continuous_wish(struct skep_profiler_wish *wish)
{
	wish->but = getpid();
	wish->with_groups = wish->is_taken = wish->with_threads = true;
}

static int start(struct continuous *continuous, struct skep_diag *diag)
{
	struct skep_profiler_wish *wish = &continuous->job->wish;
	uint64_t cut_bytes = 0;
	int err = skep_archive_create(continuous->kept->store, &continuous->kept->limits,
				      &continuous->writer, &cut_bytes, diag);

	if (!err)
		err = start_beside(continuous, diag);
	if (!err)
		err = skep_profile_targets_open(&continuous->targets, wish, diag);
	skep_profile_continuous_wish(wish);
	if (!err)
		err = skep_profiler_open(wish, &continuous->profiler, diag);
	if (err)
		return err;
	continuous->next_ns = now_ns(CLOCK_MONOTONIC) + continuous->kept->every_ns;
	if (continuous->job->for_ns)
		continuous->end_ns = now_ns(CLOCK_MONOTONIC) + continuous->job->for_ns;
	if (continuous->end_ns && continuous->next_ns > continuous->end_ns)
		continuous->next_ns = continuous->end_ns;
	continuous->own_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	say_begin(continuous, cut_bytes);
	return 0;
}

int skep_profile_continuous(struct skep_profile_live_job *job, const struct skep_profile_kept *kept,
			    struct skep_diag *diag)
{
	struct continuous continuous = {.job = job, .kept = kept, .signal_fd = skep_ending_fd()};
	int err = start(&continuous, diag);
	bool has_begun = !err;

	if (!err)
		err = loop(&continuous, diag);
	if (!err && skep_archive_lost(continuous.writer))
		fprintf(stderr,
			"skep profile: intervals lost, as they could not be written: %llu\n",
			(unsigned long long)skep_archive_lost(continuous.writer));
	skep_profile_beside_end(&continuous.server);
	skep_profile_beside_end(&continuous.sender);
	skep_profiler_close(continuous.profiler);
	skep_profile_targets_done(&continuous.targets);
	if (has_begun)
		skep_archive_close(continuous.writer);
	else
		skep_archive_undo(continuous.writer);
	skep_close(&continuous.signal_fd);
	return err;
}
