/*
 * A file's DWARF, read in a process of its own (base/worker.h): whatever the file does to its
 * reader, only that process has it. It can do nothing but read the file, compute and answer. It may
 * have 256 MiB beside what it reads of the file, sections that are kept deflated among them, and a
 * minute of CPU time; an answer may take 10 seconds.
 */
#ifndef SKEP_DWARF_WORKER_H
#define SKEP_DWARF_WORKER_H

#include <stdint.h>

#include "dwarf/dwarf.h"

struct skep_dwarf_worker;

/**
 * Start reading.
 *
 * @fd         the file that has the DWARF; borrowed for the call
 * @alt_fd     its supplementary file; -1: none
 * @ending_fd  when it is readable no answer is waited for; -1: none. Borrowed
 * Return      0 | -errno of socketpair(), fork()
 * Cost        a millisecond or two, as much again for the end; that of skep_dwarf_find() comes with
 *             the first question
 */
int skep_dwarf_worker_start(int fd, int alt_fd, int ending_fd, struct skep_dwarf_worker **ret);
/**
 * Ask as skep_dwarf_find().
 *
 * @ret    what was in it goes; zero it before the first use
 * Return  0 | -ENOENT | -EBADMSG as that | -EPIPE there are no more answers: stop it | -ECANCELED
 *         we are to end, and so there are no more. Why: skep_dwarf_worker_why()
 */
int skep_dwarf_worker_ask(struct skep_dwarf_worker *worker, uint64_t addr,
			  struct skep_dwarf_answer *ret);
/** The first thing that made no sense, or why there are no more answers; NULL: all is well. */
const char *skep_dwarf_worker_why(const struct skep_dwarf_worker *worker);
/** End it. NULL is fine. */
void skep_dwarf_worker_stop(struct skep_dwarf_worker *worker);

#endif
