/*
 * Running a tool: its header says how the command line is read, and what was given becomes what
 * the script sees: getopt() by options, $1… by arguments.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "cmd/tool/tool.h"
#include "tool/template.h"

static int usage_error(struct tool_job *job)
{
	skep_diag_try(&job->script.diag, "skep %s --help", job->command.command.name);
	return skep_usage_show(&job->script.diag);
}

/* --- Arguments ------------------------------------------------------------------------------- */

static bool is_number(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (!isdigit((unsigned char)*at))
			return false;
	}
	return text[0] != '\0';
}

static int take_argument(struct tool_job *job, const struct skep_tool_argument *argument,
			 const char *text, const char **ret)
{
	if (!text && !argument->fallback) {
		skep_diag_add(&job->script.diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE,
			      job->command.command.name, argument->name);
		return usage_error(job);
	}
	if (text && argument->fallback && is_number(argument->fallback) && !is_number(text)) {
		skep_diag_add(&job->script.diag, SKEP_DIAG_ARG_VALUE, SKEP_NOWHERE, argument->name,
			      "a number", text);
		return usage_error(job);
	}
	*ret = text ? text : argument->fallback;
	return 0;
}

/* Those at the end that are any number of words, and none by default, are none. */
static uint32_t count_wanted(const struct skep_tool_header *header, uint32_t n_given)
{
	uint32_t n = header->n_arguments;
	const struct skep_tool_argument *last = n ? &header->arguments[n - 1] : NULL;

	if (last && last->takes_rest && last->fallback && !last->fallback[0])
		n--;
	return n_given > n ? n_given : n;
}

/*
 * The first argument is --pid in another place, as BCC has it, where it is called PID and processes
 * are a filter of the tool: it is no $1 of the script, and not there if --pid or --cmd say which.
 * 0: any.
 */
static int take_pid(struct tool_job *job)
{
	struct skep_tool_header *header = &job->header;
	const char *text = tool_given(job, TOOL_FILTER_PID);
	char **args = job->options.args;

	if (header->n_arguments && !strcmp(header->arguments[0].name, "PID") &&
	    header->filters & 1u << SKEP_TOOL_FILTER_PID) {
		bool is_given = !text && !tool_given(job, TOOL_OPT_CMD) && job->options.n_args;
		int status =
			is_given ? take_argument(job, &header->arguments[0], args[0], &text) : 0;
		if (status)
			return status;
		if (is_given && strcmp(text, "0") != 0)
			job->options.values[TOOL_FILTER_PID] = text;
		job->options.args += is_given;
		job->options.n_args -= is_given;
		header->n_arguments--;
		memmove(header->arguments, header->arguments + 1,
			header->n_arguments * sizeof(header->arguments[0]));
	}
	return skep_script_take_pid(&job->script, "--pid", tool_given(job, TOOL_FILTER_PID));
}

/* $1… : what was given, and defaults for the rest. */
static int take_arguments(struct tool_job *job)
{
	const struct skep_tool_header *header = &job->header;
	uint32_t n_given = (uint32_t)job->options.n_args, n_known = header->n_arguments;
	uint32_t n = count_wanted(header, n_given);
	const char **params = skep_arena_array(&job->script.arena, const char *, n + 1);

	if (n_given > n_known && !(n_known && header->arguments[n_known - 1].takes_rest)) {
		skep_diag_add(&job->script.diag, SKEP_DIAG_ARGS_EXTRA, SKEP_NOWHERE,
			      job->command.command.name, job->options.args[n_known]);
		return usage_error(job);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct skep_tool_argument *argument =
			&header->arguments[i < n_known ? i : n_known - 1];
		int status = take_argument(job, argument, i < n_given ? job->options.args[i] : NULL,
					   &params[i]);
		if (status)
			return status;
	}
	job->script.params = params;
	job->script.n_params = n;
	return 0;
}

/* --- Options --------------------------------------------------------------------------------- */

/* "--name" or "--name=value" of each that the script is to know of. */
static void take_options(struct tool_job *job)
{
	struct skep_arena *arena = &job->script.arena;
	const struct skep_command *command = &job->command.command;
	const char **options = skep_arena_array(arena, const char *, command->n_options + 1);

	for (size_t i = 0; i < command->n_options; i++) {
		const struct skep_option *option = &command->options[i];
		const char *value = tool_given(job, option->id);
		bool is_scripts = option->id >= TOOL_OPT_OWN || option->id < SKEP_TOOL_FILTER_CNT;
		if (!value || !is_scripts)
			continue;
		options[job->script.n_options++] =
			option->arg ? skep_arena_printf(arena, "--%s=%s", option->name, value)
				    : skep_arena_printf(arena, "--%s", option->name);
	}
	job->script.options = options;
}

static int both(struct tool_job *job, const char *one, const char *other)
{
	skep_diag_add(&job->script.diag, SKEP_DIAG_OPTION_BOTH, SKEP_NOWHERE, one, other);
	return usage_error(job);
}

/* A tool that changes the machine says what it does, and does it when that is wanted. To look at it
 * changes nothing. */
static int take_unsafe(struct tool_job *job)
{
	bool looks_only =
		tool_given(job, TOOL_OPT_DRY_RUN) || tool_given(job, TOOL_OPT_SHOW_SCRIPT);

	job->script.allow_unsafe =
		job->header.unsafe && (tool_given(job, TOOL_OPT_UNSAFE) || looks_only);
	if (!job->header.unsafe || job->script.allow_unsafe)
		return 0;
	skep_diag_add(&job->script.diag, SKEP_DIAG_TOOL_UNSAFE, SKEP_NOWHERE, job->header.name,
		      job->header.unsafe);
	return skep_usage_show(&job->script.diag);
}

static int take_command_line(struct tool_job *job)
{
	struct skep_script_job *script = &job->script;
	int status = take_pid(job);

	if (!status)
		status = take_arguments(job);
	if (!status)
		status = take_unsafe(job);
	if (!status && tool_given(job, TOOL_FILTER_PID) && tool_given(job, TOOL_OPT_CMD))
		status = both(job, "--pid", "--cmd");
	if (!status)
		status = skep_script_take_time(script, tool_given(job, TOOL_OPT_FOR));
	if (status)
		return status;
	take_options(job);
	script->cmd = tool_given(job, TOOL_OPT_CMD);
	script->output = tool_given(job, TOOL_OPT_OUTPUT);
	script->prometheus = tool_given(job, TOOL_OPT_PROMETHEUS);
	script->pid_is_place = true;
	script->json = tool_given(job, TOOL_OPT_JSON);
	script->verbose = tool_given(job, TOOL_OPT_VERBOSE);
	script->quiet = !script->verbose;
	return 0;
}

/* --- Running --------------------------------------------------------------------------------- */

/* Leave of what there is to say only item @n, without its place in the script. */
static void keep_only(struct skep_diag *diag, size_t n)
{
	struct skep_diag kept = {.items = skep_xmalloc(sizeof(*kept.items)),
				 .source = diag->source};

	kept.items[0] = diag->items[n];
	kept.items[0].span = SKEP_NOWHERE;
	kept.n_items = kept.cap_items = kept.n_errors = 1;
	diag->items[n] = (struct skep_diag_item){0};
	skep_diag_done(diag);
	*diag = kept;
}

/* The command line's fault, of which the script is told where it asks for it: nobody wants to see
 * that place, let alone each of them. */
static bool is_usage(struct skep_diag *diag)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		enum skep_diag_id id = diag->items[i].id;
		if (id != SKEP_DIAG_GETOPT_VALUE && id != SKEP_DIAG_CGROUP_PATH &&
		    id != SKEP_DIAG_DEVICE_PATH && id != SKEP_DIAG_LIST && id != SKEP_DIAG_NETWORKS)
			continue;
		keep_only(diag, i);
		return true;
	}
	return false;
}

/* Hints that are for whoever writes a script. Of a name, only if it may be the user's. */
static bool is_for_writers(enum skep_diag_id id)
{
	return id == SKEP_DIAG_PROBE_REFUSED || id == SKEP_DIAG_PROBE_NONE;
}

/* Can that be the kernel's doing, or what is installed here? Probes, programs and types of its; not
 * mistakes of the script, nor of the command line. */
static bool is_of_kernel(enum skep_diag_id id)
{
	static const enum skep_diag_id meanings[] = {
		SKEP_DIAG_NO_BTF,        SKEP_DIAG_TYPE_UNKNOWN, SKEP_DIAG_MEMBER_UNKNOWN,
		SKEP_DIAG_BUILTIN_PROBE, SKEP_DIAG_ARGS_UNKNOWN, SKEP_DIAG_KADDR,
		SKEP_DIAG_UADDR,
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i] == id)
			return true;
	}
	return strchr("KLSY", skep_diag_code(id)[0]);
}

/*
 * Why a tool of the catalogue cannot run, in a sentence: it was written for kernels that have what
 * the first error misses. Where in the script that is, and what else, is told if asked.
 */
static void shorten(struct tool_job *job)
{
	struct skep_diag *diag = &job->script.diag, all = *diag;
	const struct skep_diag_item *item = all.items;

	while (item < all.items + all.n_items && skep_diag_severity(item->id) != SKEP_ERROR)
		item++;
	if (!job->of_catalogue || job->script.verbose || item == all.items + all.n_items ||
	    !is_of_kernel(item->id))
		return;
	*diag = (struct skep_diag){.source = all.source};
	skep_diag_add(diag, SKEP_DIAG_TOOL_CANNOT, SKEP_NOWHERE,
		      job->script.called ? job->script.called : job->header.name, item->what);
	if (item->why)
		skep_diag_why(diag, "%s", item->why);
	if (item->id == SKEP_DIAG_PROBE_NONE && item > all.items) /* the first that was skipped */
		skep_diag_why(diag, "%s", all.items[0].what);
	if (item->id == SKEP_DIAG_PROBE_MISSING && !job->options.n_args)
		skep_diag_try(diag,
			      "it may be in a module that is not loaded, or in other kernels");
	else if (item->hint && !is_for_writers(item->id))
		skep_diag_try(diag, "%s", item->hint);
	skep_diag_done(&all);
}

static int work(struct tool_job *job)
{
	struct skep_script_job *script = &job->script;
	int status = 0, err = skep_script_compile(script);

	if (err && is_usage(&script->diag))
		return usage_error(job);
	if (!err) {
		skep_script_show(script); /* warnings come before the output */
		err = tool_given(job, TOOL_OPT_DRY_RUN) ? skep_script_dry_run(script)
							: skep_script_run(script, &status);
	}
	if (script->log.len)
		fwrite(script->log.data, 1, script->log.len, stderr);
	if (err)
		shorten(job);
	skep_script_show(script);
	return err ? 1 : status;
}

/* Arguments before the one that takes all the rest are the script's as ever, $1…; the rest is what
 * its gaps are filled with. */
static uint32_t count_plain(const struct skep_tool_header *header)
{
	uint32_t n = header->n_arguments;

	return n && header->arguments[n - 1].takes_rest ? n - 1 : 0;
}

/* A script with gaps becomes the one that the arguments make of it. */
static int fill_gaps(struct tool_job *job)
{
	struct skep_script_job *script = &job->script;
	_cleanup_buf_ struct skep_buf filled = {0};
	uint32_t n_plain = count_plain(&job->header);

	if (!skep_tool_has_gaps(&script->source))
		return 0;
	if (skep_tool_fill(&script->arena, &script->source, script->params + n_plain,
			   script->n_params - n_plain, &filled, &script->diag))
		return usage_error(job);
	script->source.text = skep_arena_strdup(&script->arena, filled.data);
	script->source.len = filled.len;
	script->n_params = n_plain;
	return 0;
}

/* --- Programs -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	tool_program *run;
} programs[] = {
#define PROGRAM(name, function) {name, tool_program_##function},
#include "cmd/tool/programs.def"
#undef PROGRAM
};

const char *tool_given_own(const struct tool_job *job, const char *name)
{
	for (uint32_t i = 0; i < job->header.n_options; i++) {
		if (!strcmp(job->header.options[i].name, name))
			return tool_given(job, TOOL_OPT_OWN + (int)i);
	}
	return NULL;
}

static int no_program(struct tool_job *job)
{
	skep_diag_add(&job->script.diag, SKEP_DIAG_TOOL_NONE, SKEP_NOWHERE,
		      "there is no script behind its header");
	return 1;
}

static int run_program(struct tool_job *job)
{
	int status = take_arguments(job);
	size_t i = 0;

	if (status)
		return status;
	while (i < sizeof(programs) / sizeof(programs[0]) &&
	       strcmp(programs[i].name, job->header.name) != 0)
		i++;
	if (i < sizeof(programs) / sizeof(programs[0]))
		status = programs[i].run(job);
	else
		status = no_program(job);
	skep_script_show(&job->script);
	return status;
}

/* --------------------------------------------------------------------------------------------- */

int tool_run(struct tool_job *job, int argc, char **argv)
{
	struct skep_script_job *script = &job->script;

	script->diag.source = &script->source;
	if (skep_tool_header_read(&script->arena, &script->source, &job->header, &script->diag) ||
	    skep_tool_command_make(&script->arena, &job->header, argv[0], &job->command,
				   &script->diag)) {
		skep_script_show(script);
		return 1;
	}
	int status = skep_options_parse(&job->command.command, argc, argv, false, &job->options);
	if (status)
		return status;
	if (tool_given(job, TOOL_OPT_HELP)) {
		skep_options_help(&job->command.command, stdout);
		return 0;
	}
	if (!job->header.has_script)
		return run_program(job);
	status = take_command_line(job);
	if (!status)
		status = fill_gaps(job);
	if (status)
		return status;
	if (!tool_given(job, TOOL_OPT_SHOW_SCRIPT))
		return work(job);
	fwrite(script->source.text, 1, script->source.len, stdout);
	return 0;
}
