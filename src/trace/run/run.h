/*
 * Running a compiled script: load, attach, read events until it ends, print
 * maps and what was lost.
 */
#ifndef SKEP_TRACE_RUN_H
#define SKEP_TRACE_RUN_H

#include <skep/diag.h>

#include "trace/program.h"
#include "trace/run/child.h"

struct skep_run_opts {
	bool json;
	bool quiet;               /* no "Attaching…" line; where metrics are served is said */
	bool no_warnings;         /* nothing from warnf() */
	int out_fd, err_fd;       /* borrowed */
	struct skep_child *child; /* NULL: none */
	pid_t pid;                /* -p: the one process whose code is named; 0: all */
	uint64_t for_ns;          /* end by itself after this; 0: not */
	const char *prometheus;   /* where the maps are served meanwhile; NULL: not */
	const char *file;         /* what the script was read from: its metrics are named by it */
	const char *notify;   /* printed to err_fd once all probes are attached; NULL: nothing */
	struct skep_buf *log; /* -v: the verifier's log is appended; NULL */
};

/**
 * Run until exit(), Ctrl-C, SIGTERM, the end of -c's command or of for_ns.
 *
 * @ret_status  what the script gave to exit(), else 0; with a child the child's
 * Return       0 | -errno: could not load or attach anything (see @diag)
 */
int skep_trace_run(struct skep_trace_program *program, const struct skep_run_opts *opts,
		   int *ret_status, struct skep_diag *diag);

#endif
