/* skep help: what the tables of commands, options and the language know, in several forms. */
#include "cmd/help/help.h"

#include <stdio.h>

enum {
#define OPTION(id, ...) OPT_##id,
#include "cmd/help/options.def"
#undef OPTION
};

static const struct skep_option options[] = {
#define OPTION(id, short_name, name, arg, choices, help)                                           \
	{OPT_##id, short_name, name, arg, choices, help},
#include "cmd/help/options.def"
#undef OPTION
};

const struct skep_command skep_command_help = {
	.name = "help",
	.usage = "[OPTIONS] [COMMAND]",
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

static int too_many(const char *word)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_ARGS_EXTRA, SKEP_NOWHERE, "help", word);
	skep_diag_try(&diag, "skep help --help");
	return skep_usage_show(&diag);
}

static void plain(const struct skep_command_row *row)
{
	if (row)
		skep_options_help(row->command, stdout);
	else
		skep_commands_help(stdout);
}

int skep_cmd_help(int argc, char **argv)
{
	_cleanup_buf_ struct skep_buf out = {0};
	const struct skep_command_row *row = NULL;
	struct skep_parsed given;
	int status = skep_options_parse(&skep_command_help, argc, argv, false, &given);

	if (status)
		return status;
	if (given.n_args > 1)
		return too_many(given.args[1]);
	if (given.n_args && !(row = skep_command_find(given.args[0])))
		return skep_command_unknown(given.args[0]);
	if (given.values[OPT_HELP])
		skep_options_help(&skep_command_help, stdout);
	else if (given.values[OPT_MAN])
		skep_help_man(row, &out);
	else if (given.values[OPT_COMPLETION])
		skep_help_completion(given.values[OPT_COMPLETION], &out);
	else if (given.values[OPT_LANGUAGE])
		skep_help_language(&out);
	else if (given.values[OPT_DIAGNOSTICS])
		skep_help_diagnostics(&out);
	else
		plain(row);
	fwrite(out.data ? out.data : "", 1, out.len, stdout);
	return 0;
}
