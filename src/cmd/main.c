/*
 * The binary's entry: finds the command by its first argument, or by the name
 * the binary was called by (bpftrace is skep trace), and runs it.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/options.h"
#include "cmd/trace/trace.h"

static const struct command {
	const char *name, *alias; /* alias: another name of the binary that means it */
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"trace", "bpftrace", skep_cmd_trace, "run a tracing script (bpftrace's language)"},
	{"doctor", NULL, skep_cmd_doctor, "what this kernel and these privileges allow"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *out)
{
	fprintf(out, "skep " SKEP_VERSION " - what this Linux machine is doing, by eBPF\n\n"
		     "Usage: skep COMMAND [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\nskep COMMAND --help tells more of each.\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static const struct command *find_alias(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (commands[i].alias && !strcmp(commands[i].alias, name))
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command = argc ? find_alias(argv[0]) : NULL;

	if (command)
		return command->run(argc, argv);
	if (argc < 2) {
		help(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("skep " SKEP_VERSION);
		return 0;
	}
	command = find(argv[1]);
	if (!command) {
		fprintf(stderr, "skep: there is no command %s\nTry: skep --help\n", argv[1]);
		return 2;
	}
	return command->run(argc - 1, argv + 1);
}
