/* The commands as data: rows of commands.def, each with its options. */
#ifndef SKEP_CMD_COMMANDS_H
#define SKEP_CMD_COMMANDS_H

#include <stddef.h>

#include "cmd/options.h"

#define COMMAND(name, alias, function, in_overlay, summary)                                        \
	int function(int argc, char **argv);                                                       \
	extern const struct skep_command skep_command_##name;
#include "cmd/commands.def"
#undef COMMAND

enum {
#define COMMAND(name, alias, function, in_overlay, summary) SKEP_COMMAND_##name,
#include "cmd/commands.def"
#undef COMMAND
	SKEP_COMMAND_CNT
};

struct skep_command_row {
	const char *name, *alias; /* alias: NULL if it has none */
	int (*run)(int argc, char **argv);
	bool in_overlay; /* which is to be loaded before anything of it is used */
	const char *summary;
	const struct skep_command *command;
};

extern const struct skep_command_row skep_commands[SKEP_COMMAND_CNT];

/** NULL: no such command. */
const struct skep_command_row *skep_command_find(const char *name);
/** By the path the binary was called by: ".../bpftrace" is trace. NULL: none has that alias. */
const struct skep_command_row *skep_command_find_alias(const char *path);
/** Say on standard error that there is no command @name. Return 2 */
int skep_command_unknown(const char *name);
/** The list of commands, as `skep --help` prints it. */
void skep_commands_help(FILE *out);

#endif
