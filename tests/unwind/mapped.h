/*
 * What a process has mapped, each file with its unwind table: what skep_unwind_walk() asks for,
 * built in the plainest way.
 */
#ifndef TESTS_UNWIND_MAPPED_H
#define TESTS_UNWIND_MAPPED_H

#include <stdbool.h>
#include <sys/types.h>

#include <skep/elf.h>

#include "linux/maps.h"
#include "unwind/table.h"
#include "unwind/walk.h"

#define MAPPED_FILES_MOST 512

struct mapped_file {
	uint64_t inode;
	bool has_table;
	struct skep_elf *elf;
	struct skep_unwind_table table;
};

struct mapped {
	pid_t pid;
	struct skep_maps maps;
	struct mapped_file files[MAPPED_FILES_MOST];
	size_t n_files;
};

/** Return 0 | -errno; to be freed with mapped_done() */
int mapped_open(struct mapped *process, pid_t pid);
void mapped_done(struct mapped *process);
/** The table of a mapping, and what to take from its addresses to look them up; NULL: none. Memory
 *  of no file has one that believes in frame pointers. */
const struct skep_unwind_table *mapped_table(struct mapped *process,
					     const struct skep_mapping *mapping,
					     uint64_t *ret_bias);
struct skep_unwind_process mapped_process(struct mapped *process);

/** Memory of a process. Return 0 | -EFAULT */
int mapped_read(pid_t pid, uint64_t addr, void *ret, size_t n);

/** A stopped thread's registers; @ret_all has SKEP_UNWIND_REGS_CNT and stays with what is returned.
 *  The test ends where that fails. */
struct skep_unwind_regs mapped_stop(pid_t tid, uint64_t *ret_all);
void mapped_go_on(pid_t tid);
/** Call @each for every thread of the process. */
void mapped_threads(struct mapped *process, void (*each)(struct mapped *process, pid_t tid));

#endif
