/*
 * A script from its text to its end, as commands do it that run one: read, compile, load, attach,
 * print until it is over, and say what went wrong. The commands fill in what was asked for.
 */
#ifndef SKEP_CMD_SCRIPT_H
#define SKEP_CMD_SCRIPT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/program.h"
#include "trace/run/child.h"

struct skep_script_job {
	/* What was asked for; borrowed. */
	const char *cmd;            /* run with the probes in place; NULL: none */
	const char *output;         /* a file; NULL: standard output */
	const char *prometheus;     /* where maps are served: "[HOST]:PORT"; NULL: nowhere */
	const char *const *params;  /* $1… */
	const char *const *options; /* of getopt(); NULL: params have them too */
	uint32_t n_params, n_options;
	pid_t pid;         /* the one process; 0: all */
	uint64_t for_ns;   /* end after this; 0: not */
	bool pid_is_place; /* it is where probes are put; the script says what it looks at */
	bool json, quiet, verbose, no_warnings, allow_unsafe;
	struct skep_buf *dump_ast, *dump_ir, *dump_bytecode; /* NULL */
	/* What has come of it. */
	struct skep_arena arena;
	struct skep_diag diag;
	struct skep_source source;
	const char *called;   /* what its metrics are called by; NULL: as the source */
	struct skep_buf text; /* of the source, where it was read from a file */
	struct skep_buf log;  /* for standard error, if verbose */
	struct skep_child child;
	struct skep_trace_program program;
	bool compiled;
	int out_fd;
};

void skep_script_init(struct skep_script_job *job);
void skep_script_done(struct skep_script_job *job);

/**
 * The values of options that both commands have: --for and -p, as @option calls it.
 * Return 0 | 2 wrong usage: a message was printed
 */
int skep_script_take_time(struct skep_script_job *job, const char *text);
int skep_script_take_pid(struct skep_script_job *job, const char *option, const char *text);

/** Read the source: a file, or "-" for standard input. Return 0 | -errno (see job->diag) */
int skep_script_read(struct skep_script_job *job, const char *path);
/** Start the command, held, if there is one, and compile the source. Return 0 | -errno */
int skep_script_compile(struct skep_script_job *job);
/** Load everything, attach nothing. Return 0 | -errno */
int skep_script_dry_run(struct skep_script_job *job);
/** Run it to its end. @ret_status  what the process is to end with. Return 0 | -errno */
int skep_script_run(struct skep_script_job *job, int *ret_status);
/** Print and empty what there is to say. Warnings only, and not wanted: nothing is printed. */
void skep_script_show(struct skep_script_job *job);

#endif
