/* The table of commands, made from commands.def, and looking names up in it. */
#include "cmd/commands.h"

#include <stdio.h>
#include <string.h>

const struct skep_command_row skep_commands[SKEP_COMMAND_CNT] = {
#define COMMAND(name, alias, function, in_overlay, summary)                                        \
	[SKEP_COMMAND_##name] = {#name, alias, function, in_overlay, summary, &skep_command_##name},
#include "cmd/commands.def"
#undef COMMAND
};

const struct skep_command_row *skep_command_find(const char *name)
{
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		if (!strcmp(skep_commands[i].name, name))
			return &skep_commands[i];
	}
	return NULL;
}

const struct skep_command_row *skep_command_find_alias(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		if (skep_commands[i].alias && !strcmp(skep_commands[i].alias, name))
			return &skep_commands[i];
	}
	return NULL;
}

int skep_command_unknown(const char *name)
{
	struct skep_diag diag = {0};
	const char *names[SKEP_COMMAND_CNT];

	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++)
		names[i] = skep_commands[i].name;
	skep_diag_add(&diag, SKEP_DIAG_COMMAND_UNKNOWN, SKEP_NOWHERE, name);
	skep_diag_did_you_mean(&diag, name, names, SKEP_COMMAND_CNT);
	return skep_usage_show(&diag);
}

void skep_commands_help(FILE *out)
{
	fprintf(out, "skep " SKEP_VERSION " - what this Linux machine is doing, by eBPF\n\n"
		     "Usage: skep COMMAND [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++)
		fprintf(out, "  %-10s %s\n", skep_commands[i].name, skep_commands[i].summary);
	fprintf(out,
		"\nskep COMMAND --help tells more of each; skep --version prints the version.\n");
}
