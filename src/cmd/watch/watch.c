/*
 * skep watch: what this machine is doing, on one screen or as a written summary.
 *
 *	watch.c    options, which of the two
 *	summary.c  without a screen: text.c, json.c
 *	screen.c   the screen: see there
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/commands.h"
#include "cmd/watch/watch.h"
#include "linux/ending.h"

#define CGROUPS     "/sys/fs/cgroup"
#define SUMMARY_NS  10000000000ull
#define SCREEN_NS   1000000000ull
#define LEAST_NS    100000000ull
#define ROWS        5

#define OPTIONS_DEF "cmd/watch/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_watch = {
	.name = "watch",
	.usage = "[OPTIONS]",
	.description =
		"Shows on one screen what this machine is doing: CPU, memory, disks, network,\n"
		"processes, and system calls that fail; ? shows the keys. On a pipe, or with "
		"--for,\n"
		"watches for 10 s and prints what it found: first what stands out, in words, then\n"
		"the tables. Rates are a second; CPU is in percent of one CPU.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples = "  skep watch\n"
		    "  skep watch --for 10s\n"
		    "  skep watch -n mysqld\n"
		    "  skep watch --for 1m --json | jq -r '.findings[].text'\n",
};

struct job {
	struct skep_parsed given;
	struct skep_watch_opts opts;
	struct skep_diag diag;
	char process[SKEP_COMM + 1]; /* name of --pid */
	int out_fd;                  /* of --output; -1 */
	int signal_fd;
};

/* --- Options --------------------------------------------------------------------------------- */

static int take_pid(struct job *job, const char *text)
{
	_cleanup_buf_ struct skep_buf name = {0};
	char path[64];
	pid_t pid;

	int status = skep_option_process("-p", "the number of a process", text, &pid);
	if (status)
		return status;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (skep_file_read(path, 256, &name)) {
		skep_diag_add(&job->diag, SKEP_DIAG_PROCESS_NONE, SKEP_NOWHERE, text);
		return skep_usage_show(&job->diag);
	}
	snprintf(job->process, sizeof(job->process), "%.*s", (int)strcspn(name.data, "\n"),
		 name.data);
	job->opts.filter.pid = (uint64_t)pid;
	job->opts.filter.name = job->process;
	return 0;
}

/* A control group's number is that of its folder. */
static int take_cgroup(struct job *job, const char *path)
{
	_cleanup_buf_ struct skep_buf below = {0};
	struct stat info;

	skep_buf_printf(&below, CGROUPS "/%s", path);
	if (stat(path[0] == '/' && !strncmp(path, CGROUPS, strlen(CGROUPS)) ? path : below.data,
		 &info) ||
	    !S_ISDIR(info.st_mode))
		return skep_option_wrong("--cgroup", "a folder below " CGROUPS, path);
	job->opts.filter.cgroup = info.st_ino;
	return 0;
}

static int take_times(struct job *job)
{
	const char *interval = job->given.values[OPT_INTERVAL];
	const char *time = job->given.values[OPT_FOR];

	if (time && !skep_option_time(time, &job->opts.for_ns))
		return skep_option_wrong("--for", "a time like 10s, 500ms or 2m", time);
	if (interval && (!skep_option_time(interval, &job->opts.interval_ns) ||
			 job->opts.interval_ns < LEAST_NS))
		return skep_option_wrong("--interval", "a time like 2s, 100ms at least", interval);
	return 0;
}

static int take_rows(struct job *job, const char *text)
{
	char *end;
	unsigned long rows = strtoul(text, &end, 10);

	if (end == text || *end || rows > 1000)
		return skep_option_wrong("--rows", "a number up to 1000", text);
	job->opts.rows = (uint32_t)rows;
	return 0;
}

static int take_options(struct job *job)
{
	const char *const *values = job->given.values;
	int status = take_times(job);

	job->opts.json = values[OPT_JSON];
	job->opts.filter.name = values[OPT_NAME];
	if (!status && values[OPT_PID])
		status = take_pid(job, values[OPT_PID]);
	if (!status && values[OPT_CGROUP])
		status = take_cgroup(job, values[OPT_CGROUP]);
	if (!status && values[OPT_ROWS])
		status = take_rows(job, values[OPT_ROWS]);
	return status;
}

static int open_output(struct job *job)
{
	const char *path = job->given.values[OPT_OUTPUT];

	if (!path)
		return 0;
	job->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (job->out_fd < 0)
		return skep_diag_fail(&job->diag, -errno, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, path,
				      strerror(errno));
	job->opts.out_fd = job->out_fd;
	return 0;
}

/* --- Work ------------------------------------------------------------------------------------ */

static int summary(struct job *job, struct skep_watcher *watcher)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "skep watch: looking for %g s; Ctrl-C ends it\n",
			(double)job->opts.for_ns / 1e9);
	int err = skep_watch_summary(watcher, &job->opts);

	if (!err || err == -EPIPE)
		return 0;
	const char *path = job->given.values[OPT_OUTPUT];
	return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE,
			      path ? path : "the output", strerror(-err));
}

/* A screen needs a terminal that can place text. */
static bool wants_screen(const struct job *job)
{
	const char *const *values = job->given.values;
	const char *terminal = getenv("TERM");

	return !values[OPT_FOR] && !values[OPT_JSON] && !values[OPT_OUTPUT] &&
	       isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal && terminal[0] &&
	       strcmp(terminal, "dumb") != 0;
}

static int work(struct job *job)
{
	struct skep_watcher *watcher = NULL;
	int err = open_output(job);

	/* Ctrl-C ends the watching, not the program: from the beginning, as what it asks for may
	 * come while probes are still being put in place. */
	job->signal_fd = job->opts.signal_fd = skep_ending_fd();
	if (!err)
		err = skep_watcher_open(&watcher, &job->diag);
	if (err)
		return err;
	if (getenv("SKEP_NOTIFY_ATTACHED"))
		fputs("__SKEP_NOTIFY_PROBES_ATTACHED\n", stderr);
	err = wants_screen(job) ? skep_watch_screen(watcher, &job->opts) : -ENOTTY;
	if (err == -ENOTTY)
		err = summary(job, watcher);
	skep_watcher_close(watcher);
	return err;
}

static void show_rules(void)
{
	for (int i = 0; i < SKEP_FINDING_CNT; i++) {
		const struct skep_finding_rule *rule = &skep_finding_rules[i];
		printf("%-10s %-14s %s\n", skep_panels[rule->panel].title, rule->name, rule->when);
	}
}

int skep_cmd_watch(int argc, char **argv)
{
	struct job job = {.out_fd = -1,
			  .signal_fd = -1,
			  .opts = {.interval_ns = SCREEN_NS,
				   .for_ns = SUMMARY_NS,
				   .rows = ROWS,
				   .out_fd = STDOUT_FILENO}};
	int status = skep_options_parse(&skep_command_watch, argc, argv, false, &job.given);

	if (status)
		return status;
	if (job.given.values[OPT_HELP]) {
		skep_options_help(&skep_command_watch, stdout);
		return 0;
	}
	if (job.given.values[OPT_RULES]) {
		show_rules();
		return 0;
	}
	if (job.given.n_args)
		return skep_options_extra(&skep_command_watch, job.given.args[0]);
	if ((status = take_options(&job)))
		return status;
	int err = work(&job);
	skep_diag_show(&job.diag);
	skep_close(&job.signal_fd);
	skep_close(&job.out_fd);
	return err ? 1 : 0;
}
