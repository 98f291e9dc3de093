/*
 * The binary's entry: finds the command by its first argument, or by the name
 * the binary was called by (bpftrace is skep trace, opensnoop is skep tool opensnoop), and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/overlay.h"
#include "cmd/commands.h"
#include "linux/feature.h"
#include "tool/catalogue.h"

static int unknown_option(const char *word)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_OPTION_UNKNOWN, SKEP_NOWHERE, "skep", word);
	skep_diag_try(&diag, "skep --help; options come behind the command");
	return skep_usage_show(&diag);
}

/* The binary under the name of a tool: what follows is that tool's. */
static int run_as_tool(int argc, char **argv, char *name)
{
	char **words = skep_xcalloc((size_t)argc + 2, sizeof(*words));

	words[0] = argv[0];
	words[1] = name;
	memcpy(words + 2, argv + 1, sizeof(*argv) * (size_t)(argc - 1));
	int status = skep_cmd_tool(argc + 1, words);
	free(words);
	return status;
}

static int run(const struct skep_command_row *row, int argc, char **argv)
{
	struct skep_diag diag = {0};
	int err = row->in_overlay ? skep_overlay_load() : 0;

	if (!err)
		return row->run(argc, argv);
	skep_diag_add(&diag, SKEP_DIAG_OVERLAY, SKEP_NOWHERE, row->name, strerror(-err));
	skep_diag_show(&diag);
	return 1;
}

static int dispatch(int argc, char **argv)
{
	const struct skep_command_row *row = argc ? skep_command_find_alias(argv[0]) : NULL;
	char *slash = argc ? strrchr(argv[0], '/') : NULL, *name = slash ? slash + 1 : argv[0];

	if (row)
		return run(row, argc, argv);
	if (argc && strncmp(name, "skep", 4) != 0 && skep_catalogue_has(name))
		return run_as_tool(argc, argv, name);
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
	return row ? run(row, argc - 1, argv + 1) : skep_command_unknown(argv[1]);
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
