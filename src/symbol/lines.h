/*
 * Source lines of mapped files: where a file's DWARF is, the process that reads it, and answers
 * that were given. Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_LINES_H
#define SKEP_SYMBOL_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <skep/symbol.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "base/vec.h"

struct skep_dwarf_worker;
struct skep_elf;
struct skep_file;
struct skep_files;
struct skep_names;

#define SKEP_LINES_WORKERS_MOST  8
#define SKEP_LINES_CACHE_BYTES   (32UL << 20)
#define SKEP_LINES_BUDGET_NS     30000000000u

#define SKEP_LINES_TROUBLES_MOST 64 /* that are told apart */

/** Of one file. */
struct skep_line_source {
	int fd, alt_fd;                   /* owned; -1: there is none */
	int err;                          /* -errno: why there is no fd where there may be one; 0 */
	int alt_err;                      /* -errno: it refers to a file that is not there; 0 */
	struct skep_dwarf_worker *worker; /* owned; NULL: it is not running */
	bool is_over;                     /* reading it failed; it is not tried again */
	const char *why;                  /* how; borrowed from the names */
};

void skep_line_source_init(struct skep_line_source *ret);
void skep_line_source_done(struct skep_line_source *source);
/** Does @elf have debug information? */
bool skep_line_source_is_in(const struct skep_elf *elf);
/** Keep hold of @elf, if it has, and of what that refers to. If it has not, @err (-errno, 0) is why
 *  no other file was found. */
void skep_line_source_take(struct skep_line_source *source, const struct skep_elf *elf, int root_fd,
			   int err);

/** Answers of all files. */
struct skep_lines {
	struct skep_arena arena;
	struct skep_strmap known; /* file's generation and address → struct skep_line_answer */
	SKEP_VEC(struct skep_lines_trouble) troubles;
	int ending_fd; /* owned: readable while a signal waits that is to end us; -1: none */
	/* Time for all files together: these, and a tenth of what has passed since then. */
	uint64_t budget_ns, began_ns, waited_ns;
};

struct skep_line_answer {
	uint32_t n;
	struct skep_source_frame frames[];
};

struct skep_lines *skep_lines_new(void);
void skep_lines_free(struct skep_lines *lines);
/** Note that nothing is known of @addr of process @pid for @err: it lies in @path, which was not
 *  opened. */
void skep_lines_lose(struct skep_lines *lines, pid_t pid, uint64_t addr, const char *path, int err,
		     struct skep_names *names);
/** What is at @addr of @file, which is of @files; good until the next call. NULL: nothing. */
const struct skep_line_answer *skep_lines_find(struct skep_lines *lines, struct skep_files *files,
					       struct skep_file *file, uint64_t addr,
					       struct skep_names *names, bool demangle);

#endif
