/*
 * The binary's entry: finds the command by its first argument, or by the name
 * the binary was called by (bpftrace is skep trace), and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "linux/feature.h"

static int unknown_option(const char *word)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_OPTION_UNKNOWN, SKEP_NOWHERE, "skep", word);
	skep_diag_try(&diag, "skep --help; options come behind the command");
	return skep_usage_show(&diag);
}

static int dispatch(int argc, char **argv)
{
	const struct skep_command_row *row = argc ? skep_command_find_alias(argv[0]) : NULL;

	if (row)
		return row->run(argc, argv);
	if (argc < 2) {
		skep_commands_help(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		skep_commands_help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("skep " SKEP_VERSION);
		return 0;
	}
	if (argv[1][0] == '-')
		return unknown_option(argv[1]);
	row = skep_command_find(argv[1]);
	return row ? row->run(argc - 1, argv + 1) : skep_command_unknown(argv[1]);
}

static int check_environment(void)
{
	struct skep_diag diag = {0};

	return skep_features_check(&diag) ? skep_usage_show(&diag) : 0;
}

/* What was printed may be lost as late as here: a full disk shows when the buffer is written. */
int main(int argc, char **argv)
{
	int status = check_environment();

	if (!status)
		status = dispatch(argc, argv);
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	struct skep_diag diag = {0};
	skep_diag_add(&diag, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, "standard output",
		      errno ? strerror(errno) : "not everything was taken");
	skep_usage_show(&diag);
	return status ? status : 1;
}
