/* Running a script for a command: see script.h. */
#include "cmd/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/load.h>

#include "base/fd.h"
#include "cmd/options.h"
#include "linux/choice.h"
#include "linux/ending.h"
#include "linux/feature.h"
#include "trace/run/run.h"
#include "trace/target.h"

#define SCRIPT_MOST (1 << 20)

void skep_script_init(struct skep_script_job *job)
{
	*job = (struct skep_script_job){.out_fd = -1, .child = {.gate_fd = -1, .pid_fd = -1}};
	skep_arena_init(&job->arena);
}

void skep_script_done(struct skep_script_job *job)
{
	skep_child_done(&job->child);
	if (job->compiled)
		skep_trace_program_done(&job->program);
	skep_diag_done(&job->diag);
	skep_buf_done(&job->text);
	skep_buf_done(&job->log);
	skep_close(&job->out_fd);
	skep_arena_done(&job->arena);
}

/* --- Messages ------------------------------------------------------------------------------ */

static void drop_warnings(struct skep_diag *diag)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		if (skep_diag_severity(diag->items[i].id) == SKEP_WARNING)
			diag->items[i].span.len = 0;
	}
}

void skep_script_show(struct skep_script_job *job)
{
	if (job->no_warnings && !job->diag.n_errors)
		return drop_warnings(&job->diag);
	skep_diag_show(&job->diag);
}

/* --- Options --------------------------------------------------------------------------------- */

int skep_script_take_time(struct skep_script_job *job, const char *text)
{
	if (text && !skep_option_time(text, &job->for_ns))
		return skep_option_wrong("--for", "a time like 10s, 500ms or 2m", text);
	return 0;
}

int skep_script_take_pid(struct skep_script_job *job, const char *option, const char *text)
{
	return text ? skep_option_process(option, "the number of a process", text, &job->pid) : 0;
}

/* --- From text to program -------------------------------------------------------------------- */

int skep_script_read(struct skep_script_job *job, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	int err = is_stdin ? skep_fd_read(STDIN_FILENO, SCRIPT_MOST, &job->text)
			   : skep_file_read(path, SCRIPT_MOST, &job->text);

	job->source.name = is_stdin ? "standard input" : path;
	job->source.text = job->text.data ? job->text.data : "";
	job->source.len = job->text.len;
	if (err == -EFBIG)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_TOO_LARGE, SKEP_NOWHERE,
				      job->source.name, (size_t)SCRIPT_MOST);
	if (err)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE,
				      job->source.name, strerror(-err));
	return 0;
}

/* Verbose: what this script does in another way than it would on the newest kernel. */
static void tell_stand_ins(struct skep_script_job *job)
{
	for (uint32_t i = 0; i < SKEP_PURPOSE_CNT; i++) {
		const struct skep_way *best = skep_best_way(i), *way;
		if (!(job->program.stand_ins & 1u << i) || !(way = skep_way(i)))
			continue;
		skep_buf_printf(&job->log, "%s: %s, as the kernel lacks %s: %s\n",
				skep_purpose_name(i), way->by, best->by, way->lost);
	}
}

int skep_script_compile(struct skep_script_job *job)
{
	int err = job->cmd ? skep_child_start(&job->child, job->cmd, &job->diag) : 0;

	if (err)
		return err;
	struct skep_ir_target target = skep_trace_target();
	struct skep_compile_opts opts = {
		.params = job->params,
		.n_params = job->n_params,
		.options = job->options,
		.n_options = job->n_options,
		.pid = job->pid ? job->pid : job->child.pid,
		.pid_is_place = job->pid_is_place,
		.cmd_path = job->child.pid ? job->child.path : NULL,
		.cpid = (uint32_t)job->child.pid,
		.allow_unsafe = job->allow_unsafe,
		.env = environ,
		.target = &target,
		.has_best_way = skep_has_best_way,
		.dump_ast = job->dump_ast,
		.dump_ir = job->dump_ir,
		.dump_bytecode = job->dump_bytecode,
	};
	job->diag.source = &job->source;
	job->compiled = true;
	err = skep_trace_compile(&job->arena, &job->source, &opts, &job->program, &job->diag);
	if (!err && job->verbose)
		tell_stand_ins(job);
	return err;
}

/* --- Into the kernel ------------------------------------------------------------------------- */

int skep_script_dry_run(struct skep_script_job *job)
{
	struct skep_session *session = NULL;
	int err = skep_session_open(&job->program.object, job->verbose ? &job->log : NULL, &session,
				    &job->diag);

	skep_session_close(session);
	return err;
}

static const char *notify_line(void)
{
	if (getenv("__BPFTRACE_NOTIFY_PROBES_ATTACHED"))
		return "__BPFTRACE_NOTIFY_PROBES_ATTACHED";
	return getenv("SKEP_NOTIFY_ATTACHED") ? "__SKEP_NOTIFY_PROBES_ATTACHED" : NULL;
}

static int open_output(struct skep_script_job *job)
{
	if (!job->output)
		return 0;
	job->out_fd = open(job->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (job->out_fd >= 0)
		return 0;
	return skep_diag_fail(&job->diag, -errno, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, job->output,
			      strerror(errno));
}

int skep_script_run(struct skep_script_job *job, int *ret_status)
{
	int err = open_output(job);

	if (err)
		return err;
	struct skep_run_opts opts = {
		.json = job->json,
		.quiet = job->quiet,
		.no_warnings = job->no_warnings,
		.out_fd = job->out_fd >= 0 ? job->out_fd : STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.child = job->child.pid ? &job->child : NULL,
		.pid = job->pid || job->pid_is_place ? job->pid : job->child.pid,
		.for_ns = job->for_ns,
		.prometheus = job->prometheus,
		.file = job->called ? job->called : job->source.name,
		.notify = notify_line(),
		.log = job->verbose ? &job->log : NULL,
	};
	/* To the end of the process: an impatient second Ctrl-C must not cut off what the first one
	 * has printed. The run time reads them. */
	skep_ending_hold();
	return skep_trace_run(&job->program, &opts, ret_status, &job->diag);
}
