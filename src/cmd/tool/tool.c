/* skep tool: finds out what is meant, a verb, a file or a tool of the catalogue. */
#include "cmd/tool/tool.h"

#include <string.h>

#include "cmd/commands.h"

#define OPTIONS_DEF "cmd/tool/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_tool = {
	.name = "tool",
	.usage = "NAME|./FILE.bt [OPTIONS] [ARGS] | VERB [ARGS]",
	.description = "Runs a ready-made tool. NAME is one of the catalogue; ./FILE.bt is a "
		       "script of your\n"
		       "own that begins with such a header as theirs, which says what it takes and "
		       "shows.\n"
		       "Called by a tool's name (a link named opensnoop), skep is that tool.\n"
		       "\n"
		       "Verbs:\n"
#define VERB(name, words, help) "  " #name " " words "\n        " help "\n"
#include "cmd/tool/verbs.def"
#undef VERB
	,
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples = "  skep tool list\n"
		    "  skep tool search disk latency\n"
		    "  skep tool opensnoop --help\n"
		    "  skep tool opensnoop -x --for 10s\n"
		    "  skep tool show opensnoop > mine.bt; skep tool ./mine.bt\n",
	.arg = "TOOL",
};

static const struct {
	const char *name;
	tool_verb *run;
} verbs[] = {
#define VERB(name, ...) {#name, tool_verb_##name},
#include "cmd/tool/verbs.def"
#undef VERB
};

/* --- Files and tools of the catalogue -------------------------------------------------------- */

static bool is_file(const char *word)
{
	size_t len = strlen(word);

	return strchr(word, '/') || (len > 3 && !strcmp(word + len - 3, ".bt"));
}

static int run_file(int argc, char **argv)
{
	struct tool_job job = {0};
	int status = 1;

	skep_script_init(&job.script);
	if (skep_script_read(&job.script, argv[0]))
		skep_script_show(&job.script);
	else
		status = tool_run(&job, argc, argv);
	skep_script_done(&job.script);
	return status;
}

/* With an alias's options before those that were given. */
static int run_words(struct tool_job *job, const struct skep_tool_alias *alias, int argc,
		     char **argv)
{
	struct skep_arena *arena = &job->script.arena;
	char *words = skep_arena_strdup(arena, alias ? alias->words : ""), *rest;
	char **all = skep_arena_array(arena, char *, (size_t)argc + strlen(words) + 1);
	int n = 0;

	all[n++] = argv[0];
	for (char *at = strtok_r(words, " ", &rest); at; at = strtok_r(NULL, " ", &rest))
		all[n++] = at;
	memcpy(all + n, argv + 1, sizeof(*argv) * (size_t)(argc - 1));
	return tool_run(job, n + argc - 1, all);
}

static int run_tool(struct skep_tool_entry entry, int argc, char **argv)
{
	struct tool_job job = {.of_catalogue = true};

	skep_script_init(&job.script);
	job.script.source = entry.tool->source;
	job.script.called = entry.alias ? entry.alias->name : NULL;
	int status = run_words(&job, entry.alias, argc, argv);
	skep_script_done(&job.script);
	return status;
}

/* --- The catalogue --------------------------------------------------------------------------- */

/* By name: a tool, or what is done with the catalogue. */
static int choose(struct tool_query *query, int argc, char **argv)
{
	struct skep_tool_entry entry;
	struct skep_parsed parsed;

	if (skep_catalogue_find(&query->catalogue, argv[0], &entry))
		return run_tool(entry, argc, argv);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, argv[0]) != 0)
			continue;
		int status = skep_options_parse(&skep_command_tool, argc, argv, false, &parsed);
		if (status)
			return status;
		query->words = parsed.args;
		query->n_words = parsed.n_args;
		query->json = parsed.values[OPT_JSON];
		if (!parsed.values[OPT_HELP])
			return verbs[i].run(query);
		skep_options_help(&skep_command_tool, stdout);
		return 0;
	}
	return tool_unknown(query, argv[0]);
}

static int ask_catalogue(int argc, char **argv)
{
	struct tool_query query = {0};
	int status = 1;

	if (!skep_catalogue_open(&query.catalogue, argv[0], &query.diag))
		status = choose(&query, argc, argv);
	skep_diag_show(&query.diag);
	skep_catalogue_done(&query.catalogue);
	return status;
}

/* --- The command ----------------------------------------------------------------------------- */

/* Without a word: the list, of which the options may be given before it too. */
static int run_options(int argc, char **argv)
{
	struct skep_parsed parsed;
	char *words[] = {(char[]){"list"}, (char[]){"--json"}};
	int status = skep_options_parse(&skep_command_tool, argc, argv, true, &parsed);

	if (status)
		return status;
	if (parsed.values[OPT_HELP]) {
		skep_options_help(&skep_command_tool, stdout);
		return 0;
	}
	if (parsed.n_args)
		return ask_catalogue(parsed.n_args, parsed.args);
	return ask_catalogue(parsed.values[OPT_JSON] ? 2 : 1, words);
}

int skep_cmd_tool(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-')
		return run_options(argc, argv);
	return is_file(argv[1]) ? run_file(argc - 1, argv + 1) : ask_catalogue(argc - 1, argv + 1);
}
