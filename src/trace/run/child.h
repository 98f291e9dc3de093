/*
 * The command of -c: started at once, so that its pid is known, but held
 * before its first instruction until the probes are in place.
 */
#ifndef SKEP_TRACE_CHILD_H
#define SKEP_TRACE_CHILD_H

#include <sys/types.h>

#include <skep/diag.h>

struct skep_child {
	pid_t pid;       /* 0: none */
	int gate_fd;     /* writing end; closing it lets the child go on; -1: it has gone on */
	int pid_fd;      /* readable once the child has ended; -1: none */
	int status;      /* as of waitpid(), once ended */
	char path[4096]; /* of the program */
};

/**
 * Start @command (words, quotes as in a shell, no expansions), held.
 *
 * Return 0 | -EINVAL bad quoting or empty | -ENOENT no such program | -errno (see @diag)
 */
int skep_child_start(struct skep_child *child, const char *command, struct skep_diag *diag);
/** The same of @argv, as execv() takes it: its words stay as they are. */
int skep_child_start_argv(struct skep_child *child, char *const *argv, struct skep_diag *diag);
/** Let it run. */
void skep_child_release(struct skep_child *child);
/** Has it ended? Collects its status. Does not wait. */
bool skep_child_ended(struct skep_child *child);
/** End it (SIGTERM, and SIGKILL if it was never released) and collect it. */
void skep_child_done(struct skep_child *child);

#endif
