/* skep tool: what its files share. */
#ifndef SKEP_CMD_TOOL_H
#define SKEP_CMD_TOOL_H

#include "cmd/script.h"
#include "cmd/tool/command.h"
#include "sink/jsonw.h"
#include "tool/catalogue.h"

/** A tool that somebody has asked for, with its words. */
struct tool_job {
	struct skep_script_job script;
	struct skep_tool_header header;
	struct skep_tool_command command;
	struct skep_parsed options;
	bool of_catalogue; /* not from a file: its script is nobody's concern */
};

/**
 * Run job->script.source with the command line @argv, of which argv[0] is the tool's name.
 * Return the process's status
 */
int tool_run(struct tool_job *job, int argc, char **argv);

/** What was given for an option of all tools or of a filter, by its id; NULL: it was not. */
static inline const char *tool_given(const struct tool_job *job, int option)
{
	return job->options.values[option];
}

/** What was given for the tool's own option --@name; NULL: it was not. */
const char *tool_given_own(const struct tool_job *job, const char *name);

/** A row of programs.def. What is wrong is in job->script.diag. Return the process's status */
typedef int tool_program(struct tool_job *job);
#define PROGRAM(name, function) tool_program tool_program_##function;
#include "cmd/tool/programs.def"
#undef PROGRAM

/** Begin what such a program tells of one thing, as a script's rows are: {"type": "row", "data":
 *  {…}}. The members are the caller's to write; @line is borrowed until it is printed. */
void tool_row_open(struct skep_jsonw *ret, struct skep_buf *line);
void tool_row_print(struct skep_jsonw *row);

/** What is asked of the catalogue. */
struct tool_query {
	struct skep_catalogue catalogue;
	struct skep_diag diag;
	char **words; /* behind the verb */
	int n_words;
	bool json;
};

/** A verb of verbs.def. What is wrong is in query->diag. Return the process's status */
typedef int tool_verb(struct tool_query *query);
#define VERB(name, ...) tool_verb tool_verb_##name;
#include "cmd/tool/verbs.def"
#undef VERB

/** Say that there is no tool @name. Return 2 */
int tool_unknown(struct tool_query *query, const char *name);

#endif
