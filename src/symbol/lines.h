/*
 * Source lines of mapped files: where a file's DWARF is, the process that reads it, and answers
 * that were given. Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_LINES_H
#define SKEP_SYMBOL_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/symbol.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "base/vec.h"

struct skep_dwarf_worker;
struct skep_elf;
struct skep_file;
struct skep_files;
struct skep_names;

#define SKEP_LINES_WORKERS_MOST 8
#define SKEP_LINES_CACHE_BYTES  (32UL << 20)

/** Of one file. */
struct skep_line_source {
	int fd, alt_fd;                   /* owned; -1: there is none */
	struct skep_dwarf_worker *worker; /* owned; NULL: it is not running */
	bool lacks_alt;                   /* it refers to a file that is not there */
	bool is_over;                     /* reading it failed; it is not tried again */
	uint32_t trouble;                 /* its number + 1; 0: none was reported */
};

void skep_line_source_init(struct skep_line_source *ret);
void skep_line_source_done(struct skep_line_source *source);
/** Does @elf have debug information? */
bool skep_line_source_is_in(const struct skep_elf *elf);
/** Keep hold of @elf, if it has, and of what that refers to. */
void skep_line_source_take(struct skep_line_source *source, const struct skep_elf *elf,
			   int root_fd);

/** Answers of all files. */
struct skep_lines {
	struct skep_arena arena;
	struct skep_strmap known; /* file's generation and address → struct skep_line_answer */
	SKEP_VEC(struct skep_lines_trouble) troubles;
};

struct skep_line_answer {
	uint32_t n;
	struct skep_source_frame frames[];
};

struct skep_lines *skep_lines_new(void);
void skep_lines_free(struct skep_lines *lines);
/** What is at @addr of @file, which is of @files; good until the next call. NULL: nothing. */
const struct skep_line_answer *skep_lines_find(struct skep_lines *lines, struct skep_files *files,
					       struct skep_file *file, uint64_t addr,
					       struct skep_names *names, bool demangle);

#endif
