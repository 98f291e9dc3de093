/*
 * Command-line options from one table: parsing, --help, completion and man
 * page all read the same rows.
 */
#ifndef SKEP_CMD_OPTIONS_H
#define SKEP_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

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

/** A part of the help that only some commands have. */
struct skep_help_section {
	const char *title;
	const char *text; /* lines, indented by two spaces */
};

struct skep_command {
	const char *name;        /* "trace" */
	const char *usage;       /* what follows "skep trace" */
	const char *description; /* a paragraph */
	const struct skep_option *options;
	size_t n_options;
	const char *arguments; /* lines, indented by two spaces; NULL: usage says it all */
	const char *examples;  /* lines, indented by two spaces */
	const struct skep_help_section *sections; /* behind the examples */
	size_t n_sections;
	const char *exit_status; /* a sentence; NULL: the usual one */
	const char *arg;         /* what its arguments are, for completion: "FILE"; NULL: none */
	const char *list_option; /* with it, `skep NAME OPTION PATTERN*` lists what its arguments
				  * can be: "list"; NULL */
	const char *list_words;  /* what those begin with: "tracepoint: uprobe: " */
};

#define SKEP_OPTIONS_MOST 64
#define SKEP_GIVEN_MOST   64
struct skep_given {
	int id;
	const char *value;
};
struct skep_parsed {
	const char *values[SKEP_OPTIONS_MOST]; /* the last value, "" for a flag; NULL: not given */
	struct skep_given given[SKEP_GIVEN_MOST]; /* all of them, in order; past its end no more */
	int n_given;
	char **args; /* what is left, in order; borrowed from argv */
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

/** Say that @command has no use for @arg. Return 2 */
int skep_options_extra(const struct skep_command *command, const char *arg);
/** Say that @option takes @takes ("a number up to 1000"), not @value. Return 2 */
int skep_option_wrong(const char *option, const char *takes, const char *value);

/** "10s", "500ms", "2m", "7d"; plain numbers are seconds. */
bool skep_option_time(const char *text, uint64_t *ret_ns);
/** A whole number in decimal digits alone, from 1 to @most. */
bool skep_option_number(const char *text, uint64_t most, uint64_t *ret);
/** The number of a process or thread; it need not exist. */
bool skep_option_pid(const char *text, pid_t *ret);
/**
 * A process that is there, and no thread of one but its first.
 *
 * @takes   what is said that @option takes if it is no number: "the number of a process"
 * Return 0 | 2 wrong usage: a message was printed
 */
int skep_option_process(const char *option, const char *takes, const char *text, pid_t *ret);

/** Print and empty @diag to standard error, in colour where that is a terminal. */
void skep_diag_show(struct skep_diag *diag);
/** The same for wrong usage. Return 2 */
int skep_usage_show(struct skep_diag *diag);

#endif
