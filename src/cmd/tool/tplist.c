/*
 * tplist: the tracepoints and USDT probes that skep trace -l lists, as those who know them by
 * CATEGORY:EVENT and PROVIDER:NAME want them: one listing, of which the lines that match are shown.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/tool/tool.h"
#include "trace/config.h"
#include "trace/probe.h"

/** What is shown of a probe, in the text of the listing. */
struct entry {
	const char *file; /* NULL: a tracepoint */
	const char *name; /* CATEGORY:EVENT */
	char *arguments;  /* lines, indented by four blanks */
};

/* --- Showing --------------------------------------------------------------------------------- */

static void show_text(const struct entry *entry)
{
	if (entry->file)
		printf("%s ", entry->file);
	printf("%s\n%s", entry->name, entry->arguments);
}

static void put_arguments(struct skep_jsonw *w, char *lines)
{
	char *save;

	skep_jsonw_key(w, "arguments");
	skep_jsonw_open(w, '[');
	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		skep_jsonw_string(w, line + strspn(line, " "));
	skep_jsonw_close(w);
}

static void show_json(const struct entry *entry, bool verbose)
{
	_cleanup_buf_ struct skep_buf line = {0};
	struct skep_jsonw w;

	tool_row_open(&w, &line);
	if (entry->file) {
		skep_jsonw_key(&w, "file");
		skep_jsonw_string(&w, entry->file);
	}
	skep_jsonw_key(&w, "name");
	skep_jsonw_string(&w, entry->name);
	if (verbose)
		put_arguments(&w, entry->arguments);
	tool_row_print(&w);
}

/* --- The listing ----------------------------------------------------------------------------- */

/* "tracepoint:sched:sched_switch", "usdt:/bin/x:ns:name": a path may hold colons, names do not. */
static bool take_name(char *line, struct entry *ret)
{
	char *first = strchr(line, ':'), *last = strrchr(line, ':'), *at = last;

	if (!first || first == last)
		return false;
	while (at > first && at[-1] != ':')
		at--;
	ret->name = at;
	ret->file = NULL;
	if (at - 1 > first) {
		at[-1] = '\0';
		ret->file = first + 1;
	}
	return true;
}

/* Of @text, which is changed, the entry at its beginning; what follows is returned. */
static char *next_entry(struct tool_job *job, char *text, struct entry *ret)
{
	char *from = strchr(text, '\n') + 1, *end = from;

	from[-1] = '\0';
	while (*end == ' ')
		end = strchr(end, '\n') + 1;
	ret->arguments = skep_arena_dup(&job->script.arena, from, (size_t)(end - from));
	return end;
}

static size_t show(struct tool_job *job, char *text)
{
	bool verbose = tool_given_own(job, "variables");
	size_t n = 0;

	while (*text) {
		struct entry entry;
		char *line = text;
		text = next_entry(job, text, &entry);
		if (!take_name(line, &entry) ||
		    !skep_wildcard_match(job->script.params[0], entry.name))
			continue;
		n++;
		if (tool_given(job, TOOL_OPT_JSON))
			show_json(&entry, verbose);
		else
			show_text(&entry);
	}
	return n;
}

static const char *all_of(struct tool_job *job)
{
	const char *lib = tool_given_own(job, "lib");

	if (lib)
		return skep_arena_printf(&job->script.arena, "usdt:%s:*:*", lib);
	return job->script.pid ? "usdt:*:*:*" : "tracepoint:*:*";
}

static int list(struct tool_job *job, struct skep_buf *out)
{
	struct skep_script_job *script = &job->script;
	struct skep_types types;
	struct skep_config config;
	struct skep_expand expand = {.types = &types,
				     .arena = &script->arena,
				     .diag = &script->diag,
				     .config = &config,
				     .pid = script->pid ? script->pid : -1};

	skep_types_init(&types, &script->arena);
	skep_config_init(&config);
	int err = skep_probe_list(&expand, all_of(job), tool_given_own(job, "variables"), out);
	skep_types_done(&types);
	return err;
}

int tool_program_tplist(struct tool_job *job)
{
	_cleanup_buf_ struct skep_buf out = {0};
	struct skep_diag *diag = &job->script.diag;
	int status = skep_script_take_pid(&job->script, "--pid", tool_given_own(job, "pid"));

	if (status)
		return status;
	if (list(job, &out) || diag->n_errors)
		return 1;
	if (out.len && show(job, out.data))
		return 0;
	skep_diag_add(diag, SKEP_DIAG_LIST_NOTHING, SKEP_NOWHERE);
	skep_diag_try(diag, "PATTERN is CATEGORY:EVENT or PROVIDER:NAME, with * for any text");
	return 1;
}
