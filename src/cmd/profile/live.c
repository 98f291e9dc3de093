/*
 * A live profile: the probes, the command behind them, and the wait for what ends it: Ctrl-C, the
 * time that was given, the end of the command or of all the processes. See profile.h.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"
#include "linux/ending.h"
#include "trace/run/child.h"

#define BUSY_MS 1
#define NICE    -10
#define OWN_FDS (2 + SKEP_PROFILER_FDS)

struct live {
	struct skep_profile_live_job *job;
	struct skep_profiler *profiler;
	struct skep_child child;
	int signal_fd;
	struct skep_profile_targets targets;
	uint64_t end_ns; /* 0: open */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- Start ----------------------------------------------------------------------------------- */

static int start_command(struct live *live, struct skep_diag *diag)
{
	struct skep_profile_live_job *job = live->job;
	int err = skep_child_start_argv(&live->child, job->command, diag);

	job->wish.cpid = live->child.pid;
	job->wish.cmd_path = live->child.path;
	return err;
}

static void say_begin(const struct live *live)
{
	if (getenv("SKEP_NOTIFY_ATTACHED"))
		fputs("__SKEP_NOTIFY_PROBES_ATTACHED\n", stderr);
	if (!isatty(STDERR_FILENO))
		return;
	if (live->job->for_ns)
		fprintf(stderr, "skep profile: looking for %g s; Ctrl-C ends it\n",
			(double)live->job->for_ns / 1e9);
	else
		fputs("skep profile: looking; Ctrl-C ends it\n", stderr);
}

static int start(struct live *live, struct skep_diag *diag)
{
	int err = live->job->command ? start_command(live, diag) : 0;

	live->job->wish.but = getpid();
	if (!err)
		err = skep_profile_targets_open(&live->targets, &live->job->wish, diag);
	if (!err)
		err = skep_profiler_open(&live->job->wish, &live->profiler, diag);
	if (err)
		return err;
	say_begin(live);
	skep_child_release(&live->child);
	if (live->job->for_ns)
		live->end_ns = now_ns() + live->job->for_ns;
	return 0;
}

/* --- The wait -------------------------------------------------------------------------------- */

static int wait_ms(const struct live *live, bool busy)
{
	uint64_t now = now_ns();

	if (busy)
		return BUSY_MS;
	if (!live->end_ns)
		return -1;
	uint64_t ms = now >= live->end_ns ? 0 : (live->end_ns - now + 999999) / 1000000;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Return whether it is over. */
static bool wait_for_more(struct live *live, bool busy)
{
	struct pollfd fds[OWN_FDS + SKEP_PROFILE_PIDS_MOST] = {
		{.fd = live->signal_fd, .events = POLLIN},
		{.fd = live->child.pid_fd, .events = POLLIN},
	};
	int profiler_fds[SKEP_PROFILER_FDS];

	skep_profiler_fds(live->profiler, profiler_fds);
	for (uint32_t i = 0; i < SKEP_PROFILER_FDS; i++)
		fds[2 + i] = (struct pollfd){.fd = busy ? -1 : profiler_fds[i], .events = POLLIN};
	uint32_t n = skep_profile_targets_fds(&live->targets, fds + OWN_FDS);
	poll(fds, OWN_FDS + n, wait_ms(live, busy));
	return fds[0].revents || (live->child.pid && skep_child_ended(&live->child)) ||
	       skep_profile_targets_ended(&live->targets, fds + OWN_FDS) ||
	       (live->end_ns && now_ns() >= live->end_ns);
}

/*
 * With precedence: what a new process maps is to be known before its first stacks are taken, also
 * where all CPUs are busy. But no more than that needs: at nice -20 skep weighs 86 times what
 * others do, at -10 nine times. On two CPUs with 25 threads to run, beside two that start program
 * after program, of the samples 68% had whole stacks at -5, 77% at -10, 78% at -20; and
 * of those programs 273, 277 and 177 were done. (A real-time class would not even let the kernel's
 * own threads by.)
 */
static void loop(struct live *live)
{
	int nice_before = getpriority(PRIO_PROCESS, 0);

	setpriority(PRIO_PROCESS, 0, NICE);
	bool busy = skep_profiler_step(live->profiler);
	while (!wait_for_more(live, busy))
		busy = skep_profiler_step(live->profiler);
	setpriority(PRIO_PROCESS, 0, nice_before);
}

/* --- The end --------------------------------------------------------------------------------- */

static void say(const struct live *live, const struct skep_profile *profile)
{
	_cleanup_buf_ struct skep_buf text = {0};

	fflush(stdout);
	if (!profile->n_samples)
		skep_buf_puts(&text, "nothing of that was seen\n");
	/* Text for people has told what was lost. */
	skep_profile_say(profile, live->job->outputs->files.len, &text);
	if (live->job->with_health)
		skep_profile_say_health(profile, &text);
	fwrite(text.data, 1, text.len, stderr);
}

static int finish(struct live *live, struct skep_diag *diag)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	/* The one that has ended it: the next asks not to wait for lines or readers either. */
	skep_ending_take(live->signal_fd);
	int err = skep_profiler_finish(live->profiler, &profile, diag);
	if (err)
		return err;
	profile.title = skep_profile_text(&profile, live->job->title);
	err = skep_profile_outputs_write(live->job->outputs, &profile, diag);
	if (!err)
		say(live, &profile);
	return err == -EPIPE ? 0 : err;
}

static int status_of(const struct skep_child *child)
{
	if (WIFSIGNALED(child->status))
		return 128 + WTERMSIG(child->status);
	return WEXITSTATUS(child->status);
}

int skep_profile_live(struct skep_profile_live_job *job, int *ret_status, struct skep_diag *diag)
{
	struct live live = {.job = job, .child = {.gate_fd = -1, .pid_fd = -1}};
	/* From the beginning: Ctrl-C may come while probes are still being put in place. */
	live.signal_fd = skep_ending_fd();
	int err = skep_profile_outputs_open(job->outputs, live.signal_fd, diag);

	if (!err)
		err = start(&live, diag);
	if (!err) {
		loop(&live);
		err = finish(&live, diag);
		*ret_status = job->command && !live.child.pid ? status_of(&live.child) : 0;
	}
	skep_profiler_close(live.profiler);
	skep_child_done(&live.child);
	skep_profile_targets_done(&live.targets);
	skep_close(&live.signal_fd);
	return err;
}
