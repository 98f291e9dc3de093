/*
 * Command-line options from one table: parsing, --help, completion and man
 * page all read the same rows.
 */
#ifndef SKEP_CMD_OPTIONS_H
#define SKEP_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <skep/diag.h>

/** One option. The value goes to `values[id]` of the parse result. */
struct skep_option {
	int id;              /* index of its result */
	char short_name;     /* 0: none */
	const char *name;    /* long, without dashes */
	const char *arg;     /* placeholder of its value; NULL: takes none. FILE, DIR, COMMAND,
			      * PID: completed as such */
	const char *choices; /* "text|json": nothing else is accepted; NULL: anything */
	const char *help;
};

struct skep_command {
	const char *name;        /* "trace" */
	const char *usage;       /* what follows "skep trace" */
	const char *description; /* a paragraph */
	const struct skep_option *options;
	size_t n_options;
	const char *examples;    /* lines, indented by two spaces */
	const char *exit_status; /* a sentence; NULL: the usual one */
	const char *arg;         /* what its arguments are, for completion: "FILE"; NULL: none */
	const char *list_option; /* with it, `skep NAME OPTION PATTERN*` lists what its arguments
				  * can be: "list"; NULL */
	const char *list_words;  /* what those begin with: "tracepoint: uprobe: " */
};

#define SKEP_OPTIONS_MOST 64
struct skep_parsed {
	const char *values[SKEP_OPTIONS_MOST]; /* the value, "" for a flag; NULL: not given */
	char **args;                           /* what is left, in order; borrowed from argv */
	int n_args;
};

/**
 * Parse argv[1…]. Options end at "--", and at the first argument that is not
 * one if @stop_at_args.
 * Return 0 | 2 wrong usage: a message was printed to standard error
 */
int skep_options_parse(const struct skep_command *command, int argc, char **argv, bool stop_at_args,
		       struct skep_parsed *ret);
void skep_options_help(const struct skep_command *command, FILE *out);
/** What the exit status of @command means. */
const char *skep_options_exit_status(const struct skep_command *command);

/** Print and empty @diag to standard error, in colour where that is a terminal. */
void skep_diag_show(struct skep_diag *diag);
/** The same for wrong usage. Return 2 */
int skep_usage_show(struct skep_diag *diag);

#endif
