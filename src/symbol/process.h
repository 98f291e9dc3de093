/*
 * What is remembered of a process: who it is, its mappings now and before, the
 * code it made at run time. Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_PROCESS_H
#define SKEP_SYMBOL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "linux/maps.h"
#include "symbol/perfmap.h"

#define SKEP_PROCESS_MAX_MAPS 4

struct skep_process {
	pid_t pid;           /* 0: free place */
	uint64_t start_time; /* tells it from a later process of the same pid; 0: not read */
	uint64_t exe_dev, exe_inode;
	uid_t uid;                                    /* effective */
	pid_t ns_pid;                                 /* as it knows itself */
	struct skep_maps maps[SKEP_PROCESS_MAX_MAPS]; /* newest first */
	size_t n_maps;
	struct skep_perfmap perfmap;
	uint64_t checked_ns, maps_read_ns, perfmap_read_ns, last_use;
};

/** First sight of @pid. Return 0 | -ESRCH | -errno; @ret is untouched on error. */
int skep_process_init(struct skep_process *ret, pid_t pid);
/** One of which nothing was read. */
void skep_process_unread(struct skep_process *ret, pid_t pid);
void skep_process_done(struct skep_process *process);
/** Put @maps, which are taken over, before those it had; the oldest may have to go. */
void skep_process_push(struct skep_process *process, const struct skep_maps *maps);
/** The pid was given to a new process; what the old one had mapped stays. */
void skep_process_renew(struct skep_process *process);
/**
 * See whether it is still the same process running the same program, at most
 * every 50 ms. Reads its mappings again if it executed another; becomes the new
 * process if the pid was reused. True: there are new mappings.
 */
bool skep_process_check(struct skep_process *process);
/** Read its mappings again, at most every 100 ms. True: they changed. */
bool skep_process_refresh(struct skep_process *process);
/** What @pid's JIT compiler writes, to be trusted if it belongs to @ret_owner or root.
 *  Return fd | -1 or -errno: there is none */
int skep_process_open_perfmap(pid_t pid, uid_t *ret_owner);
/** Read what its JIT compiler added, at most every 50 ms. True: something was. */
bool skep_process_refresh_perfmap(struct skep_process *process);

#endif
