/*
 * skep trace: bpftrace's language and options on our own compiler.
 *
 * This file reads options; ../script.c runs what they mean, everything else is libskep's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/commands.h"
#include "cmd/script.h"
#include "cmd/trace/info.h"
#include "cmd/trace/list.h"
#include "cmd/trace/trace.h"
#include "trace/parse.h"

#define OPTIONS_DEF "cmd/trace/options.def"
#include "cmd/options_table.h"

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
	struct skep_script_job script;
	struct skep_buf dump[3];
};

static const char *given(const struct job *job, int option)
{
	return job->options.values[option];
}

/* --- Options --------------------------------------------------------------------------------- */

static bool wants_json(const struct job *job)
{
	const char *format = given(job, OPT_FORMAT);

	return given(job, OPT_JSON) || (format && !strcmp(format, "json"));
}

static int no_script(struct job *job)
{
	skep_diag_add(&job->script.diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "trace",
		      "a script: a FILE, or -e PROGRAM");
	skep_diag_try(&job->script.diag, "skep trace --help");
	return skep_usage_show(&job->script.diag);
}

/* What can be said of the options before anything is done. Return 0 | 2 */
static int check_options(struct job *job)
{
	struct skep_script_job *script = &job->script;
	int status = skep_script_take_pid(script, "-p", given(job, OPT_PID));

	if (status)
		return status;
	if (given(job, OPT_PID) && given(job, OPT_CMD)) {
		skep_diag_add(&script->diag, SKEP_DIAG_OPTION_BOTH, SKEP_NOWHERE, "-p", "-c");
		return skep_usage_show(&script->diag);
	}
	if ((status = skep_script_take_time(script, given(job, OPT_FOR))))
		return status;
	if (!given(job, OPT_EXPR) && !given(job, OPT_LIST) && !job->options.n_args)
		return no_script(job);
	script->cmd = given(job, OPT_CMD);
	script->output = given(job, OPT_OUTPUT);
	script->prometheus = given(job, OPT_PROMETHEUS);
	script->json = wants_json(job);
	script->quiet = given(job, OPT_QUIET);
	script->verbose = given(job, OPT_VERBOSE);
	script->no_warnings = given(job, OPT_NO_WARN);
	script->allow_unsafe = given(job, OPT_UNSAFE);
	return 0;
}

static void choose_dumps(struct job *job)
{
	const char *stage = given(job, OPT_DUMP);
	bool all = stage && !strcmp(stage, "all");

	if (!stage)
		return;
	if (all || strstr(stage, "ast") || strstr(stage, "types"))
		job->script.dump_ast = &job->dump[0];
	if (all || strstr(stage, "ir"))
		job->script.dump_ir = &job->dump[1];
	if (all || strstr(stage, "bytecode"))
		job->script.dump_bytecode = &job->dump[2];
}

/* --- What to do with it ---------------------------------------------------------------------- */

/* From -e or a file; what is behind that are the script's parameters. */
static int read_script(struct job *job)
{
	struct skep_script_job *script = &job->script;
	const char *expr = given(job, OPT_EXPR);
	int err = 0;

	if (expr)
		script->source = (struct skep_source){"-e", expr, strlen(expr)};
	else
		err = skep_script_read(script, job->options.args[0]);
	script->params = (const char *const *)job->options.args + !expr;
	script->n_params = (uint32_t)job->options.n_args - !expr;
	return err;
}

static int emit_elf(struct job *job)
{
	struct skep_diag *diag = &job->script.diag;
	const char *path = given(job, OPT_ELF);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return skep_diag_fail(diag, -errno, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, path,
				      strerror(errno));
	return skep_object_write_elf(&job->script.program.object, fd, diag);
}

static int work(struct job *job, int *ret_status)
{
	int err = read_script(job);

	choose_dumps(job);
	if (!err)
		err = skep_script_compile(&job->script);
	for (int i = 0; i < 3; i++) {
		if (job->dump[i].len)
			fwrite(job->dump[i].data, 1, job->dump[i].len, stdout);
	}
	if (err || given(job, OPT_DUMP))
		return err;
	skep_script_show(&job->script); /* warnings come before the output */
	if (given(job, OPT_ELF))
		return emit_elf(job);
	if (given(job, OPT_DRY_RUN))
		return skep_script_dry_run(&job->script);
	return skep_script_run(&job->script, ret_status);
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
				     .arena = &job->script.arena,
				     .diag = &job->script.diag,
				     .config = &config,
				     .pid = job->script.pid ? job->script.pid : -1};
	struct skep_params params = {0};
	int err;

	skep_types_init(&types, &job->script.arena);
	skep_config_init(&config);
	if (lists_script(job)) {
		err = read_script(job);
		job->script.diag.source = &job->script.source;
		if (!err)
			err = skep_list_script(&expand, &job->script.source, &params, &out);
	} else {
		err = skep_list_pattern(&expand, job->options.n_args ? job->options.args[0] : NULL,
					given(job, OPT_VERBOSE), &out);
	}
	skep_types_done(&types);
	if (!err && !out.len && !job->script.diag.n_errors)
		skep_diag_add(&job->script.diag, SKEP_DIAG_LIST_NOTHING, SKEP_NOWHERE);
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	skep_buf_done(&out);
	return job->script.diag.n_errors ? -ENOENT : err;
}

static void done(struct job *job)
{
	for (int i = 0; i < 3; i++)
		skep_buf_done(&job->dump[i]);
	skep_script_done(&job->script);
}

static int run_job(struct job *job)
{
	struct skep_script_job *script = &job->script;
	int status = check_options(job);

	if (status)
		return status;
	int err = given(job, OPT_LIST) ? list(job) : work(job, &status);
	if (script->log.len)
		fwrite(script->log.data, 1, script->log.len, stderr);
	skep_script_show(script);
	return err ? 1 : status;
}

int skep_cmd_trace(int argc, char **argv)
{
	struct job job = {0};
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
	skep_script_init(&job.script);
	status = run_job(&job);
	done(&job);
	return status;
}
