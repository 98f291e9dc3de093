/*
 * skep trace: bpftrace's language and options on our own compiler.
 *
 * This file reads options and shows diagnostics; everything else is libskep's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"
#include "cmd/commands.h"
#include "cmd/trace/info.h"
#include "cmd/trace/list.h"
#include "cmd/trace/trace.h"
#include "linux/choice.h"
#include "trace/parse.h"
#include "trace/run/run.h"

#define SCRIPT_MOST (1 << 20)

enum {
#define OPTION(id, ...) OPT_##id,
#include "cmd/trace/options.def"
#undef OPTION
	OPT_CNT
};

static const struct skep_option options[] = {
#define OPTION(id, short_name, name, arg, choices, help)                                           \
	{OPT_##id, short_name, name, arg, choices, help},
#include "cmd/trace/options.def"
#undef OPTION
};

const struct skep_command skep_command_trace = {
	.name = "trace",
	.usage = "[OPTIONS] FILE [ARGS] | -e PROGRAM [ARGS] | -l [PATTERN]",
	.description =
		"Compiles the script to eBPF, loads it into the running kernel and prints what it\n"
		"says. Ends with Ctrl-C, exit() or the command of -c, and then prints all maps\n"
		"and what was lost on the way.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples =
		"  skep trace -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'\n"
		"  skep trace -e 'profile:hz:99 { @[kstack] = count(); }' --for 10s\n"
		"  skep trace -l 'tracepoint:sched:*'\n",
	.arg = "FILE",
	.list_option = "list",
	.list_words =
#define PROVIDER(name, aliases, synopsis, listed, ...) #name ": "
#include "trace/provider/providers.def"
#undef PROVIDER
		,
};

struct job {
	struct skep_parsed options;
	struct skep_arena arena;
	struct skep_diag diag;
	struct skep_source source;
	struct skep_buf text, log;
	struct skep_child child;
	struct skep_trace_program program;
	struct skep_buf dump[3];
	bool compiled;
	pid_t pid;
	int out_fd;
};

static const char *given(const struct job *job, int option)
{
	return job->options.values[option];
}

/* --- Messages ------------------------------------------------------------------------------ */

static void drop_warnings(struct skep_diag *diag)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		if (skep_diag_severity(diag->items[i].id) == SKEP_WARNING)
			diag->items[i].span.len = 0;
	}
}

static void show_diagnostics(struct job *job)
{
	if (given(job, OPT_NO_WARN) && !job->diag.n_errors)
		return drop_warnings(&job->diag);
	skep_diag_show(&job->diag);
}

static int wrong_value(struct job *job, const char *option, const char *takes, const char *value)
{
	skep_diag_add(&job->diag, SKEP_DIAG_OPTION_VALUE, SKEP_NOWHERE, option, takes, value);
	return skep_usage_show(&job->diag);
}

static int no_process(struct job *job, const char *pid)
{
	skep_diag_add(&job->diag, SKEP_DIAG_PROCESS_NONE, SKEP_NOWHERE, pid);
	return skep_usage_show(&job->diag);
}

static int no_script(struct job *job)
{
	skep_diag_add(&job->diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "trace",
		      "a script: a FILE, or -e PROGRAM");
	skep_diag_try(&job->diag, "skep trace --help");
	return skep_usage_show(&job->diag);
}

/* --- Input ------------------------------------------------------------------------------------ */

static int read_script(struct job *job)
{
	const char *expr = given(job, OPT_EXPR);
	int err = 0;

	if (expr) {
		skep_buf_puts(&job->text, expr);
		job->source.name = "-e";
	} else {
		const char *path = job->options.args[0];
		bool is_stdin = !strcmp(path, "-");
		job->source.name = is_stdin ? "standard input" : path;
		err = is_stdin ? skep_fd_read(STDIN_FILENO, SCRIPT_MOST, &job->text)
			       : skep_file_read(path, SCRIPT_MOST, &job->text);
		job->options.args++;
		job->options.n_args--;
	}
	if (err == -EFBIG)
		skep_diag_add(&job->diag, SKEP_DIAG_FILE_TOO_LARGE, SKEP_NOWHERE, job->source.name,
			      (size_t)SCRIPT_MOST);
	else if (err)
		skep_diag_add(&job->diag, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, job->source.name,
			      strerror(-err));
	job->source.text = job->text.data ? job->text.data : "";
	job->source.len = job->text.len;
	return err;
}

/* "10s", "500ms", "2m"; plain numbers are seconds. */
static bool parse_time(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}, {"h", 3600e9}};
	char *end;
	double n = strtod(text, &end);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (end != text && !strcmp(end, units[i].name) && n > 0 && n * units[i].ns < 9e18) {
			*ret_ns = (uint64_t)(n * units[i].ns);
			return true;
		}
	}
	return false;
}

static bool parse_pid(const char *text, pid_t *ret)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n <= 0 || n > 4194304)
		return false;
	*ret = (pid_t)n;
	return true;
}

/* --- Compile --------------------------------------------------------------------------------- */

static struct skep_ir_target probe_target(const struct skep_trace_program *program)
{
	/* the newest first: who has it need not be asked for the others */
	bool may_goto = skep_has_feature(SKEP_FEATURE_MAY_GOTO);

	return (struct skep_ir_target){
		.may_goto = may_goto,
		.isa_v4 = skep_has_feature(SKEP_FEATURE_ISA_V4),
		.no_fetch = !skep_has_best_way(SKEP_FOR_SCRATCH),
		.loop_limit = 100000,
	};
}

static int compile(struct job *job)
{
	struct skep_ir_target target = probe_target(&job->program);
	const char *stage = given(job, OPT_DUMP);
	bool all = stage && !strcmp(stage, "all");
	struct skep_compile_opts opts = {
		.params = (const char *const *)job->options.args,
		.n_params = (uint32_t)job->options.n_args,
		.pid = job->pid ? job->pid : job->child.pid,
		.cmd_path = job->child.pid ? job->child.path : NULL,
		.cpid = (uint32_t)job->child.pid,
		.allow_unsafe = given(job, OPT_UNSAFE),
		.env = environ,
		.target = &target,
		.has_best_way = skep_has_best_way,
	};

	if (stage) {
		opts.dump_ast = all || strstr(stage, "ast") || strstr(stage, "types")
					? &job->dump[0]
					: NULL;
		opts.dump_ir = all || strstr(stage, "ir") ? &job->dump[1] : NULL;
		opts.dump_bytecode = all || strstr(stage, "bytecode") ? &job->dump[2] : NULL;
	}
	job->diag.source = &job->source;
	job->compiled = true;
	return skep_trace_compile(&job->arena, &job->source, &opts, &job->program, &job->diag);
}

/* -v: what this script does in another way than it would on the newest kernel. */
static void tell_stand_ins(struct job *job)
{
	for (uint32_t i = 0; i < SKEP_PURPOSE_CNT; i++) {
		const struct skep_way *best = skep_best_way(i), *way;
		if (!(job->program.stand_ins & 1u << i) || !(way = skep_way(i)))
			continue;
		skep_buf_printf(&job->log, "%s: %s, as the kernel lacks %s: %s\n",
				skep_purpose_name(i), way->by, best->by, way->lost);
	}
}

/* --- What to do with it ---------------------------------------------------------------------- */

static int emit_elf(struct job *job)
{
	const char *path = given(job, OPT_ELF);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return skep_diag_fail(&job->diag, -errno, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, path,
				      strerror(errno));
	return skep_object_write_elf(&job->program.object, fd, &job->diag);
}

static int dry_run(struct job *job)
{
	struct skep_session *session = NULL;
	int err =
		skep_session_open(&job->program.object, given(job, OPT_VERBOSE) ? &job->log : NULL,
				  &session, &job->diag);

	skep_session_close(session);
	return err;
}

static const char *notify_line(void)
{
	if (getenv("__BPFTRACE_NOTIFY_PROBES_ATTACHED"))
		return "__BPFTRACE_NOTIFY_PROBES_ATTACHED";
	return getenv("SKEP_NOTIFY_ATTACHED") ? "__SKEP_NOTIFY_PROBES_ATTACHED" : NULL;
}

static bool wants_json(const struct job *job)
{
	const char *format = given(job, OPT_FORMAT);

	return given(job, OPT_JSON) || (format && !strcmp(format, "json"));
}

/* Held from here to the end of the process: an impatient second Ctrl-C must not cut off what the
 * first one has printed. The run time reads them. */
static void hold_signals(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
}

static int run(struct job *job, uint64_t for_ns, int *ret_status)
{
	struct skep_run_opts opts = {
		.json = wants_json(job),
		.quiet = given(job, OPT_QUIET),
		.no_warnings = given(job, OPT_NO_WARN),
		.out_fd = job->out_fd >= 0 ? job->out_fd : STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.child = job->child.pid ? &job->child : NULL,
		.pid = job->pid ? job->pid : job->child.pid,
		.for_ns = for_ns,
		.notify = notify_line(),
		.log = given(job, OPT_VERBOSE) ? &job->log : NULL,
	};

	hold_signals();
	return skep_trace_run(&job->program, &opts, ret_status, &job->diag);
}

static int open_output(struct job *job)
{
	const char *path = given(job, OPT_OUTPUT);

	if (!path)
		return 0;
	job->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (job->out_fd >= 0)
		return 0;
	return skep_diag_fail(&job->diag, -errno, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, path,
			      strerror(errno));
}

static int work(struct job *job, uint64_t for_ns, int *ret_status)
{
	int err = read_script(job);

	if (!err && given(job, OPT_CMD))
		err = skep_child_start(&job->child, given(job, OPT_CMD), &job->diag);
	if (!err)
		err = compile(job);
	for (int i = 0; i < 3; i++) {
		if (job->dump[i].len)
			fwrite(job->dump[i].data, 1, job->dump[i].len, stdout);
	}
	if (err || given(job, OPT_DUMP))
		return err;
	if (given(job, OPT_VERBOSE))
		tell_stand_ins(job);
	show_diagnostics(job); /* warnings come before the output */
	if (given(job, OPT_ELF))
		return emit_elf(job);
	if (given(job, OPT_DRY_RUN))
		return dry_run(job);
	err = open_output(job);
	return err ? err : run(job, for_ns, ret_status);
}

/* An argument that is a readable file is a script, anything else a pattern. */
static bool lists_script(const struct job *job)
{
	return given(job, OPT_EXPR) || (job->options.n_args && !access(job->options.args[0], R_OK));
}

static int list(struct job *job)
{
	struct skep_types types;
	struct skep_config config;
	struct skep_buf out = {0};
	struct skep_expand expand = {.types = &types,
				     .arena = &job->arena,
				     .diag = &job->diag,
				     .config = &config,
				     .pid = job->pid ? job->pid : -1};
	struct skep_params params = {0};
	int err;

	skep_types_init(&types, &job->arena);
	skep_config_init(&config);
	if (lists_script(job)) {
		err = read_script(job);
		job->diag.source = &job->source;
		if (!err)
			err = skep_list_script(&expand, &job->source, &params, &out);
	} else {
		err = skep_list_pattern(&expand, job->options.n_args ? job->options.args[0] : NULL,
					given(job, OPT_VERBOSE), &out);
	}
	skep_types_done(&types);
	if (!err && !out.len && !job->diag.n_errors)
		skep_diag_add(&job->diag, SKEP_DIAG_LIST_NOTHING, SKEP_NOWHERE);
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	skep_buf_done(&out);
	return job->diag.n_errors ? -ENOENT : err;
}

static void done(struct job *job)
{
	skep_child_done(&job->child);
	if (job->compiled)
		skep_trace_program_done(&job->program);
	skep_diag_done(&job->diag);
	skep_buf_done(&job->text);
	skep_buf_done(&job->log);
	for (int i = 0; i < 3; i++)
		skep_buf_done(&job->dump[i]);
	skep_close(&job->out_fd);
	skep_arena_done(&job->arena);
}

/* What can be said of the options before anything is done. Return 0 | 2 */
static int check_options(struct job *job, uint64_t *ret_for_ns)
{
	const char *pid = given(job, OPT_PID), *time = given(job, OPT_FOR);

	if (pid && !parse_pid(pid, &job->pid))
		return wrong_value(job, "-p", "the number of a process", pid);
	if (pid && kill(job->pid, 0) && errno == ESRCH)
		return no_process(job, pid);
	if (pid && given(job, OPT_CMD)) {
		skep_diag_add(&job->diag, SKEP_DIAG_OPTION_BOTH, SKEP_NOWHERE, "-p", "-c");
		return skep_usage_show(&job->diag);
	}
	if (time && !parse_time(time, ret_for_ns))
		return wrong_value(job, "--for", "a time like 10s, 500ms or 2m", time);
	if (!given(job, OPT_EXPR) && !given(job, OPT_LIST) && !job->options.n_args)
		return no_script(job);
	return 0;
}

int skep_cmd_trace(int argc, char **argv)
{
	struct job job = {.out_fd = -1, .child = {.gate_fd = -1, .pid_fd = -1}};
	uint64_t for_ns = 0;
	int status = skep_options_parse(&skep_command_trace, argc, argv, false, &job.options);

	if (status)
		return status;
	if (given(&job, OPT_HELP)) {
		skep_options_help(&skep_command_trace, stdout);
		return 0;
	}
	if (given(&job, OPT_VERSION)) {
		puts("skep v" SKEP_VERSION);
		return 0;
	}
	if (given(&job, OPT_INFO)) {
		skep_trace_info();
		return 0;
	}
	if ((status = check_options(&job, &for_ns)))
		return status;
	skep_arena_init(&job.arena);
	int err = given(&job, OPT_LIST) ? list(&job) : work(&job, for_ns, &status);
	if (job.log.len)
		fwrite(job.log.data, 1, job.log.len, stderr);
	show_diagnostics(&job);
	done(&job);
	return err ? 1 : status;
}
