/* skep help: what the tables of commands, options and the language know, in several forms. */
#include "cmd/help/help.h"

#include <stdio.h>

#include "cmd/tool/command.h"

#define OPTIONS_DEF "cmd/help/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_help = {
	.name = "help",
	.usage = "[OPTIONS] [COMMAND|TOOL]",
	.description = "Without options, what COMMAND --help prints; without COMMAND, the list of\n"
		       "commands. With an option, documents and scripts made from the same tables.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples = "  skep help trace\n"
		    "  skep help --man trace | man -l -\n"
		    "  skep help --completion bash > /etc/bash_completion.d/skep\n"
		    "  skep help --language | less\n",
	.arg = "TOPIC",
};

static void plain(const struct skep_help_topic *topic)
{
	if (topic->command)
		skep_options_help(topic->command, stdout);
	else
		skep_commands_help(stdout);
}

/* An alias has no page of its own, but leads to the tool's. */
static void man(const struct skep_help_topic *topic, const struct skep_tool_entry *entry,
		struct skep_buf *out)
{
	if (entry->alias)
		skep_buf_printf(out, ".so man1/skep-%s.1\n", entry->tool->header.name);
	else
		skep_help_man(topic, out);
}

/* What is asked about, and the catalogue that it may come from. */
struct question {
	struct skep_help_topic topic;
	struct skep_tool_entry entry; /* of a tool */
	struct skep_tool_command command;
	struct skep_catalogue catalogue;
	struct skep_diag diag;
};

/* Commands come first: a tool of the same name is told of by skep tool trace --help.
 * Return 0 | 1 | 2 */
static int find_topic(struct question *question, const char *name)
{
	const struct skep_command_row *row = skep_command_find(name);

	if (row) {
		question->topic =
			(struct skep_help_topic){row->name, row->summary, row->command, false};
		return 0;
	}
	if (!skep_catalogue_find(&question->catalogue, name, &question->entry))
		return skep_command_unknown(name);
	question->topic = (struct skep_help_topic){name, skep_tool_entry_summary(question->entry),
						   &question->command.command, true};
	return skep_tool_command_make(&question->catalogue.arena, &question->entry.tool->header,
				      name, &question->command, &question->diag)
		       ? 1
		       : 0;
}

static int answer(struct question *question, const struct skep_parsed *given, struct skep_buf *out)
{
	if (given->values[OPT_HELP])
		skep_options_help(&skep_command_help, stdout);
	else if (given->values[OPT_MAN])
		man(&question->topic, &question->entry, out);
	else if (given->values[OPT_COMPLETION])
		skep_help_completion(&question->catalogue, given->values[OPT_COMPLETION], out);
	else if (given->values[OPT_LANGUAGE])
		skep_help_language(out);
	else if (given->values[OPT_DIAGNOSTICS])
		skep_help_diagnostics(out);
	else if (given->values[OPT_TOOLS])
		return skep_help_tools(&question->catalogue, out, &question->diag) ? 1 : 0;
	else
		plain(&question->topic);
	return 0;
}

/* It need not be unpacked for what is said of commands. */
static bool needs_catalogue(const struct skep_parsed *given)
{
	return given->values[OPT_TOOLS] || given->values[OPT_COMPLETION] ||
	       (given->n_args && !skep_command_find(given->args[0]));
}

int skep_cmd_help(int argc, char **argv)
{
	_cleanup_buf_ struct skep_buf out = {0};
	struct question question = {0};
	struct skep_parsed given;
	int status = skep_options_parse(&skep_command_help, argc, argv, false, &given);

	if (status)
		return status;
	if (given.n_args > 1)
		return skep_options_extra(&skep_command_help, given.args[1]);
	const char *name = given.n_args ? given.args[0] : NULL;
	if (needs_catalogue(&given) &&
	    skep_catalogue_open(&question.catalogue, name, &question.diag))
		status = 1;
	if (!status && given.n_args)
		status = find_topic(&question, given.args[0]);
	if (!status)
		status = answer(&question, &given, &out);
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	skep_diag_show(&question.diag);
	skep_catalogue_done(&question.catalogue);
	return status;
}
