/* skep profile: its options, and which of the two is meant: a live profile, or files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "cmd/commands.h"
#include "cmd/profile/profile.h"
#include "trace/probe.h"

#define CGROUPS     "/sys/fs/cgroup"
#define HERTZ       99
#define HERTZ_MOST  10000
#define TITLE_WORDS "skep profile"
#define LEAST_SHARE 0.005
#define COMM_MOST   15

#define OPTIONS_DEF "cmd/profile/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_profile = {
	.name = "profile",
	.usage = "[OPTIONS] [-- COMMAND…] | show FILE | diff BEFORE AFTER",
	.description =
		"Shows where programs spend their time, or wait, allocate or fault, by stacks of "
		"calls:\n"
		"as text, flame graph, or for pprof, speedscope and others. Of all processes, of "
		"some,\n"
		"or of a command from its start to its end, with what it starts. A profile is a "
		"tracing\n"
		"script whose map is keyed by stacks; --script prints it.\n"
		"\n"
		"show and diff read profiles that were written before: pprof, folded stacks, and "
		"what\n"
		"perf script prints.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples =
		"  skep profile --for 10s\n"
		"  skep profile -p 1234 --for 30s -o cpu.svg -o cpu.pb.gz\n"
		"  skep profile --off-cpu -o waits.svg -- ./server --once\n"
		"  skep profile --leaks -- ./a.out\n"
		"  skep profile --event tracepoint:syscalls:sys_enter_write --sum args.count\n"
		"  skep profile show cpu.pb.gz -o cpu.html\n"
		"  skep profile diff before.pb.gz after.pb.gz -o diff.svg\n"
		"  skep profile --continuous --store /var/lib/skep --keep 7d --keep-size 1G\n"
		"  skep profile show /var/lib/skep --from -1h -n nginx -o hour.svg\n"
		"  skep profile diff /var/lib/skep@-2h..-1h /var/lib/skep@-1h..now -o diff.svg\n",
#define FORMAT(NAME, name, suffixes, is_text, write, read, words)                                  \
	"  " name ": " suffixes "\n      " words "\n"
	.sections = (const struct skep_help_section[]){{
		"Formats, and suffixes of files",
#include "profile/formats.def"
	}},
#undef FORMAT
	.n_sections = 1,
	.exit_status = "0 ok, 1 failed, 2 wrong usage; with a command, its own.",
	.arg = "FILE",
};

struct job {
	struct skep_parsed given;
	struct skep_diag diag;
	struct skep_profile_outputs outputs;
	struct skep_profile_live_job live;
	pid_t pids[SKEP_PROFILE_PIDS_MOST];
	uint32_t picked[SKEP_PROFILE_PIDS_MOST];
	struct skep_buf cgroup, title;
};

static const char *given(const struct job *job, int option)
{
	return job->given.values[option];
}

static int exclude(struct job *job, const char *one, const char *other)
{
	skep_diag_add(&job->diag, SKEP_DIAG_OPTION_BOTH, SKEP_NOWHERE, one, other);
	return 2;
}

static const char *name_of(int option)
{
	return options[option].name;
}

static int exclude_options(struct job *job, int one, int other)
{
	char words[2][64];

	snprintf(words[0], sizeof(words[0]), "--%s", name_of(one));
	snprintf(words[1], sizeof(words[1]), "--%s", name_of(other));
	return exclude(job, words[0], words[1]);
}

static int needs(struct job *job, const char *what, const char *try)
{
	skep_diag_add(&job->diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "profile", what);
	skep_diag_try(&job->diag, "%s", try);
	return 2;
}

/* --- Whom ------------------------------------------------------------------------------------ */

static int take_pids(struct job *job, const char *list)
{
	static const char takes[] = "up to 256 numbers of processes: 12,34";
	_cleanup_free_ char *copy = skep_xstrdup(list);
	struct skep_profiler_wish *wish = &job->live.wish;
	int status = 0;

	wish->pids = job->pids;
	for (char *at = copy, *pid; !status && (pid = strsep(&at, ","));) {
		if (wish->n_pids == SKEP_PROFILE_PIDS_MOST)
			return skep_option_wrong("-p", takes, list);
		status = skep_option_process("-p", takes, pid, &job->pids[wish->n_pids++]);
	}
	return status;
}

static int take_tid(struct job *job, const char *text)
{
	return skep_option_pid(text, &job->live.wish.tid)
		       ? 0
		       : skep_option_wrong("-t", "the number of a thread", text);
}

static int take_comm(struct job *job, const char *name)
{
	if (!name[0] || strlen(name) > COMM_MOST)
		return skep_option_wrong("-n", "a name of 1 to 15 bytes", name);
	job->live.wish.comm = name;
	return 0;
}

/* As it is, if it is a whole path: control groups may be mounted anywhere. */
static int take_cgroup(struct job *job, const char *path)
{
	struct stat info;

	if (path[0] != '/')
		skep_buf_puts(&job->cgroup, CGROUPS "/");
	skep_buf_puts(&job->cgroup, path);
	if (stat(job->cgroup.data, &info) || !S_ISDIR(info.st_mode))
		return skep_option_wrong("--cgroup", "a folder below " CGROUPS, path);
	job->live.wish.cgroup = job->cgroup.data;
	return 0;
}

/* All is all: whoever names some as well has meant something else. */
static int check_all(struct job *job)
{
	static const int some[] = {OPT_PID, OPT_TID, OPT_COMM, OPT_CGROUP};

	if (!given(job, OPT_ALL))
		return 0;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		if (given(job, some[i]))
			return exclude_options(job, OPT_ALL, some[i]);
	}
	return job->given.n_args ? exclude(job, "--all", "-- COMMAND") : 0;
}

static int take_whom(struct job *job)
{
	int status = check_all(job);

	if (!status && given(job, OPT_PID) && job->given.n_args)
		return exclude(job, "-p", "-- COMMAND");
	if (!status && given(job, OPT_PID))
		status = take_pids(job, given(job, OPT_PID));
	if (!status && given(job, OPT_TID))
		status = take_tid(job, given(job, OPT_TID));
	if (!status && given(job, OPT_COMM))
		status = take_comm(job, given(job, OPT_COMM));
	if (!status && given(job, OPT_CGROUP))
		status = take_cgroup(job, given(job, OPT_CGROUP));
	job->live.command = job->given.n_args ? job->given.args : NULL;
	return status;
}

/* --- What ------------------------------------------------------------------------------------ */

static int take_source(struct job *job)
{
	struct skep_profiler_wish *wish = &job->live.wish;
	int first = -1;

	for (int i = 0; i < SKEP_PROFILER_SOURCE_CNT; i++) {
		if (!given(job, OPT_SOURCE_CPU + i))
			continue;
		if (first >= 0)
			return exclude_options(job, OPT_SOURCE_CPU + first, OPT_SOURCE_CPU + i);
		first = i;
	}
	wish->source = first < 0 ? SKEP_PROFILER_CPU : (enum skep_profiler_source)first;
	wish->event = given(job, OPT_SOURCE_EVENT);
	wish->value = given(job, OPT_SUM);
	wish->allocator = given(job, OPT_ALLOCATOR);
	wish->with_wakers = given(job, OPT_WAKERS);
	return 0;
}

/* Where no thread is at work that a stack could be of. */
static bool meets_no_code(const char *probe)
{
	const char *name = probe + strspn(probe, " \t\n");
	char word[32];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, ": \t\n"), name);
	const struct skep_provider *provider = skep_provider_find(word);
	return provider && (provider->ctx == SKEP_CTX_NONE || provider->ctx == SKEP_CTX_ITER);
}

static int check_event(const char *event)
{
	_cleanup_free_ char *copy = skep_xstrdup(event);
	bool is_wrong = !event[0];

	for (char *at = copy, *probe; (probe = strsep(&at, ","));)
		is_wrong |= meets_no_code(probe);
	return is_wrong ? skep_option_wrong("--event", "a probe that meets running code",
					    event[0] ? event : "\"\"")
			: 0;
}

/* Options that say more of something that was not asked for. */
static int check_details(struct job *job)
{
	const struct skep_profiler_wish *wish = &job->live.wish;
	uint32_t flags = skep_profiler_sources[wish->source].flags;

	if (wish->value && !wish->event)
		return needs(job, "--event with --sum", "--event PROBE --sum EXPR");
	if (wish->with_wakers && wish->source != SKEP_PROFILER_OFF_CPU)
		return needs(job, "--off-cpu with --wakers", "--off-cpu --wakers");
	if (given(job, OPT_FREQUENCY) && !(flags & SKEP_PROFILER_IS_SAMPLED))
		return needs(job, "--cpu or --wall with --frequency", "--wall -F HERTZ");
	if (wish->allocator && !(flags & SKEP_PROFILER_OF_PROCESS))
		return needs(job, "--mem or --leaks with --allocator", "--mem --allocator FILE");
	if (wish->no_kernel && wish->no_user)
		return exclude_options(job, OPT_NO_KERNEL, OPT_NO_USER);
	if (wish->no_user && given(job, OPT_UNWIND))
		return exclude_options(job, OPT_NO_USER, OPT_UNWIND);
	return 0;
}

static int check_source(struct job *job)
{
	const struct skep_profiler_wish *wish = &job->live.wish;
	uint32_t flags = skep_profiler_sources[wish->source].flags;
	int status = check_details(job);

	if (!status && wish->event)
		status = check_event(wish->event);
	if (status)
		return status;
	if ((flags & SKEP_PROFILER_OF_PROCESS) && wish->n_pids != 1 && !job->live.command)
		return needs(job, "one process, or a command, to see what it allocates",
			     "-p PID, or -- COMMAND");
	return 0;
}

static int take_numbers(struct job *job)
{
	const char *hertz = given(job, OPT_FREQUENCY), *time = given(job, OPT_FOR);
	const char *least = given(job, OPT_LEAST);
	uint64_t rate = HERTZ;
	char *end = NULL;

	if (hertz && !skep_option_number(hertz, HERTZ_MOST, &rate))
		return skep_option_wrong("-F", "a number from 1 to 10000", hertz);
	job->live.wish.hertz = (uint32_t)rate;
	if (time && !skep_option_time(time, &job->live.for_ns))
		return skep_option_wrong("--for", "a time like 10s, 500ms or 2m", time);
	job->outputs.options.least = least ? strtod(least, &end) / 100 : LEAST_SHARE;
	if (least && (*end || end == least || !(job->outputs.options.least >= 0) ||
		      job->outputs.options.least > 1))
		return skep_option_wrong("--least", "a percentage", least);
	return 0;
}

/* --- Where to -------------------------------------------------------------------------------- */

static const char *format_of(const struct job *job)
{
	return given(job, OPT_JSON) ? "json" : given(job, OPT_FORMAT);
}

static void take_look(struct job *job)
{
	struct skep_profile_options *look = &job->outputs.options;

	look->value = given(job, OPT_VALUE);
	look->title = given(job, OPT_TITLE);
	look->is_inverted = given(job, OPT_INVERTED);
	look->by_line = given(job, OPT_BY) && !strcmp(given(job, OPT_BY), "line");
	look->marks = given(job, OPT_MARKS) ? SKEP_PROFILE_MARKS_ALL : 0;
	look->root = given(job, OPT_THREADS) ? SKEP_PROFILE_ROOT_THREAD
		     : given(job, OPT_PIDS)  ? SKEP_PROFILE_ROOT_PID
					     : SKEP_PROFILE_ROOT_COMM;
	job->live.outputs = &job->outputs;
	job->live.title = job->title.data;
	job->live.with_health = given(job, OPT_HEALTH);
	job->live.wish.with_threads = given(job, OPT_THREADS);
	job->live.wish.no_kernel = given(job, OPT_NO_KERNEL);
	job->live.wish.no_user = given(job, OPT_NO_USER);
	job->live.wish.with_lines = given(job, OPT_LINES);
	job->live.wish.no_interpreters = given(job, OPT_NO_INTERPRETERS);
	job->live.wish.by_frame_pointers =
		given(job, OPT_UNWIND) && !strcmp(given(job, OPT_UNWIND), "fp");
}

static int take_outputs(struct job *job)
{
	const char *format = format_of(job);
	int err = format ? skep_profile_outputs_check(format, &job->diag) : 0;

	if (given(job, OPT_JSON) && given(job, OPT_FORMAT))
		return exclude_options(job, OPT_FORMAT, OPT_JSON);

	for (int i = 0; i < job->given.n_given && !err; i++) {
		if (job->given.given[i].id == OPT_OUTPUT)
			err = skep_profile_outputs_add(&job->outputs, job->given.given[i].value,
						       format, &job->diag);
	}
	if (!err && format && !job->outputs.files.len)
		err = skep_profile_outputs_add(&job->outputs, "-", format, &job->diag);
	return err ? 2 : 0;
}

/* --- Which of the two ------------------------------------------------------------------------ */

/* Options that say more of --continuous, without it; of what is kept, where nothing is shown. */
static int check_kept(struct job *job)
{
	static const int details[] = {OPT_STORE, OPT_EVERY, OPT_KEEP, OPT_KEEP_SIZE, OPT_PUSH};
	char words[96];

	if (given(job, OPT_FROM) || given(job, OPT_TO))
		return needs(job, "show or diff with --from and --to",
			     "skep profile show DIR --from -1h");
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		snprintf(words, sizeof(words), "--continuous with --%s", name_of(details[i]));
		if (given(job, details[i]) && !given(job, OPT_CONTINUOUS))
			return needs(job, words, "--continuous --store DIR");
	}
	return 0;
}

static bool is_one_of(int option, const int *options_of, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (options_of[i] == option)
			return true;
	}
	return false;
}

/* How it is shown is said when it is; and it has no end that a command's could be. */
static int check_continuous(struct job *job)
{
	static const int others[] = {OPT_OUTPUT, OPT_FORMAT, OPT_JSON,     OPT_VALUE, OPT_THREADS,
				     OPT_PIDS,   OPT_BY,     OPT_INVERTED, OPT_MARKS, OPT_TITLE,
				     OPT_LEAST,  OPT_HEALTH, OPT_WAKERS};
	const struct skep_profiler_wish *wish = &job->live.wish;

	if (job->given.n_args)
		return exclude(job, "--continuous", "-- COMMAND");
	for (int i = 0; i < job->given.n_given; i++) {
		int option = job->given.given[i].id;
		if (is_one_of(option, others, sizeof(others) / sizeof(others[0])))
			return exclude_options(job, OPT_CONTINUOUS, option);
	}
	if (skep_profiler_sources[wish->source].flags & SKEP_PROFILER_OF_PROCESS)
		return exclude_options(job, OPT_CONTINUOUS, OPT_SOURCE_CPU + (int)wish->source);
	return 0;
}

static int run_continuous(struct job *job)
{
	const struct skep_profile_kept_words words = {
		.store = given(job, OPT_STORE),
		.every = given(job, OPT_EVERY),
		.keep = given(job, OPT_KEEP),
		.keep_size = given(job, OPT_KEEP_SIZE),
	};
	struct skep_profile_kept kept;

	if (!words.store)
		return needs(job, "a folder for what is kept", "--continuous --store DIR");
	if (skep_profile_kept_take(&words, &kept))
		return 2;
	kept.serve = given(job, OPT_SERVE);
	kept.push = given(job, OPT_PUSH);
	return skep_profile_continuous(&job->live, &kept, &job->diag) ? 1 : 0;
}

/* What another process keeps, or kept; what of it each request says. */
static int run_serve(struct job *job)
{
	if (!given(job, OPT_STORE))
		return needs(job, "a folder of what is kept", "--serve :PORT --store DIR");
	if (job->given.n_args)
		return exclude(job, "--serve", "-- COMMAND");
	for (int i = 0; i < job->given.n_given; i++) {
		int option = job->given.given[i].id;
		if (option != OPT_SERVE && option != OPT_STORE)
			return exclude_options(job, OPT_SERVE, option);
	}
	return skep_profile_serve(given(job, OPT_STORE), given(job, OPT_SERVE), &job->diag) ? 1 : 0;
}

static int run_live(struct job *job)
{
	_cleanup_buf_ struct skep_buf script = {0};

	if (given(job, OPT_SERVE) && !given(job, OPT_CONTINUOUS))
		return run_serve(job);
	int status = take_source(job);
	if (!status)
		status = take_whom(job);
	if (!status)
		status = check_source(job);
	if (status)
		return status;
	status = check_kept(job);
	if (!status && given(job, OPT_CONTINUOUS))
		status = check_continuous(job);
	if (status)
		return status;
	if (given(job, OPT_SCRIPT) && given(job, OPT_OUTPUT))
		return exclude_options(job, OPT_SCRIPT, OPT_OUTPUT);
	if (given(job, OPT_SCRIPT)) {
		if (given(job, OPT_CONTINUOUS))
			skep_profile_continuous_wish(&job->live.wish);
		job->live.wish.cpid = job->live.command ? 1 : 0;
		skep_profiler_script(&job->live.wish, &script);
		fwrite(script.data, 1, script.len, stdout);
		return 0;
	}
	if (given(job, OPT_CONTINUOUS))
		return run_continuous(job);
	return skep_profile_live(&job->live, &status, &job->diag) ? 1 : status;
}

static bool is_source(int option)
{
	return option >= OPT_SOURCE_CPU && option < OPT_SOURCE_CPU + SKEP_PROFILER_SOURCE_CNT;
}

/* Options of a live profile. Nothing of what a file holds is left out by them. */
static bool is_of_live(int option)
{
	static const int others[] = {OPT_SUM,     OPT_ALLOCATOR, OPT_WAKERS,     OPT_FREQUENCY,
				     OPT_PID,     OPT_TID,       OPT_COMM,       OPT_CGROUP,
				     OPT_ALL,     OPT_FOR,       OPT_UNWIND,     OPT_NO_KERNEL,
				     OPT_NO_USER, OPT_SCRIPT,    OPT_CONTINUOUS, OPT_STORE,
				     OPT_EVERY,   OPT_KEEP,      OPT_KEEP_SIZE,  OPT_LINES,
				     OPT_SERVE,   OPT_PUSH};

	return is_source(option) || is_one_of(option, others, sizeof(others) / sizeof(others[0]));
}

/* Of what is kept: whose, and what it counts. */
static bool is_of_pick(int option)
{
	static const int picks[] = {OPT_PID, OPT_TID, OPT_COMM, OPT_CGROUP, OPT_SUM, OPT_FREQUENCY};

	return (is_source(option) && option != OPT_SOURCE_CPU + SKEP_PROFILER_ALLOC &&
		option != OPT_SOURCE_CPU + SKEP_PROFILER_LEAKS) ||
	       is_one_of(option, picks, sizeof(picks) / sizeof(picks[0]));
}

/* @n_kept, @n_files  of the names: of a file nothing is left out, it would be of one side only */
static int check_no_live(struct job *job, const char *verb, int n_kept, int n_files)
{
	char word[64];

	for (int i = 0; i < job->given.n_given; i++) {
		int option = job->given.given[i].id;
		snprintf(word, sizeof(word), "--%s", name_of(option));
		if (!is_of_live(option) || (is_of_pick(option) && n_kept && !n_files))
			continue;
		return is_of_pick(option) && n_kept ? exclude(job, word, "a file beside DIR")
						    : exclude(job, word, verb);
	}
	return 0;
}

/* What is wanted of several things that were counted; 0: the newest. */
static int take_kind(struct job *job, uint64_t *ret)
{
	_cleanup_profile_ struct skep_profile types = {0};
	bool is_asked = false;

	for (int i = 0; i < job->given.n_given; i++)
		is_asked |= is_source(job->given.given[i].id) ||
			    job->given.given[i].id == OPT_FREQUENCY ||
			    job->given.given[i].id == OPT_SUM;
	*ret = 0;
	if (!is_asked)
		return 0;
	int status = take_source(job);
	if (!status)
		status = check_details(job);
	if (status)
		return status;
	skep_profile_init(&types);
	skep_profiler_types(&job->live.wish, &types);
	*ret = skep_profile_kind(&types);
	return 0;
}

/* Of what is kept some is left out; those whom it is about may have ended. */
static int take_filter(struct job *job, struct skep_profile_filter *ret)
{
	static const char takes[] = "up to 256 numbers of processes: 12,34";
	const char *list = given(job, OPT_PID), *tid = given(job, OPT_TID);
	_cleanup_free_ char *copy = skep_xstrdup(list ? list : "");

	*ret = (struct skep_profile_filter){.pids = job->picked,
					    .comm = given(job, OPT_COMM),
					    .cgroup = given(job, OPT_CGROUP)};
	for (char *at = copy, *pid; list && (pid = strsep(&at, ","));) {
		pid_t number;
		if (ret->n_pids == SKEP_PROFILE_PIDS_MOST || !skep_option_pid(pid, &number))
			return skep_option_wrong("-p", takes, list);
		job->picked[ret->n_pids++] = (uint32_t)number;
	}
	pid_t number = 0;
	if (tid && !skep_option_pid(tid, &number))
		return skep_option_wrong("-t", "the number of a thread", tid);
	ret->tid = (uint32_t)number;
	return 0;
}

static int take_pick(struct job *job, const char *verb, struct skep_profile_pick *ret)
{
	int n_kept = 0, n = job->given.n_args;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct skep_profile_pick){
		.from = given(job, OPT_FROM),
		.to = given(job, OPT_TO),
		.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
	};
	for (int i = 0; i < n; i++)
		n_kept += skep_profile_is_kept(job->given.args[i]);
	if (!n_kept && (ret->from || ret->to))
		return needs(job, "a folder with --from and --to",
			     "skep profile show DIR --from -1h");
	int status = check_no_live(job, verb, n_kept, n - n_kept);
	if (!status)
		status = take_filter(job, &ret->filter);
	if (!status)
		status = take_kind(job, &ret->kind);
	for (int i = 0; i < n && !status; i++)
		status = skep_profile_kept_check(job->given.args[i], ret, &job->diag) ? 2 : 0;
	return status;
}

static int run_show(struct job *job)
{
	struct skep_profile_pick pick;
	int status = take_pick(job, "show", &pick);

	if (status)
		return status;
	if (job->given.n_args < 1)
		return needs(job, "a file to show", "skep profile show FILE");
	if (job->given.n_args > 1)
		return skep_options_extra(&skep_command_profile, job->given.args[1]);
	return skep_profile_show(job->given.args[0], &pick, job->live.with_health, &job->outputs,
				 &job->diag)
		       ? 1
		       : 0;
}

static int run_diff(struct job *job)
{
	struct skep_profile_pick pick;
	int status = take_pick(job, "diff", &pick);

	if (status)
		return status;
	if (given(job, OPT_HEALTH))
		return exclude(job, "--health", "diff");
	if (job->given.n_args < 2)
		return needs(job, "two files to compare", "skep profile diff BEFORE AFTER");
	if (job->given.n_args > 2)
		return skep_options_extra(&skep_command_profile, job->given.args[2]);
	return skep_profile_show_diff(job->given.args[0], job->given.args[1], &pick, &job->outputs,
				      &job->diag)
		       ? 1
		       : 0;
}

static int take_common(struct job *job)
{
	int status = take_numbers(job);

	take_look(job);
	return status ? status : take_outputs(job);
}

typedef int (*action)(struct job *job);

/* Words that are no command. After "--" all are. */
static action verb_of(const struct job *job, char **argv)
{
	char **args = job->given.args;

	if (!job->given.n_args || (args > argv + 1 && !strcmp(args[-1], "--")))
		return NULL;
	return !strcmp(args[0], "show") ? run_show : !strcmp(args[0], "diff") ? run_diff : NULL;
}

/* Options may stand behind a verb, too, not behind a command: there they are its own. */
static int parse(struct job *job, int argc, char **argv, action *ret)
{
	int status = skep_options_parse(&skep_command_profile, argc, argv, true, &job->given);

	*ret = status ? NULL : verb_of(job, argv);
	if (!*ret)
		return status;
	status = skep_options_parse(&skep_command_profile, argc, argv, false, &job->given);
	if (status)
		return status;
	/* Options are first now, and the verb the first of what is left. */
	job->given.args++;
	job->given.n_args--;
	return 0;
}

static int run(struct job *job, action act)
{
	if (given(job, OPT_HELP)) {
		skep_options_help(&skep_command_profile, stdout);
		return 0;
	}
	int status = take_common(job);

	return status ? status : act ? act(job) : run_live(job);
}

int skep_cmd_profile(int argc, char **argv)
{
	struct job job = {0};
	action act;

	/* Before options are put in order. */
	for (int i = 0; i < argc; i++)
		skep_buf_printf(&job.title, "%s%s", i ? " " : "skep ", argv[i]);
	int status = parse(&job, argc, argv, &act);

	if (!status)
		status = run(&job, act);
	skep_diag_show(&job.diag);
	skep_profile_outputs_done(&job.outputs);
	skep_buf_done(&job.cgroup);
	skep_buf_done(&job.title);
	return status;
}
