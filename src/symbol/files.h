/*
 * The symbol tables of mapped files, each file once however many processes map
 * it, bounded in number and memory. Private to src/symbol.
 *
 * A mapping refers to a file by slot and generation; when the slot was given to
 * another file meanwhile, the generation tells.
 */
#ifndef SKEP_SYMBOL_FILES_H
#define SKEP_SYMBOL_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/keeper.h"
#include "linux/maps.h"
#include "symbol/found.h"
#include "symbol/lines.h"
#include "symbol/table.h"

#define SKEP_FILES_MAX        512
#define SKEP_FILES_MAX_OPEN   128 /* descriptors of files that were not needed yet */
#define SKEP_FILES_MAX_MEMORY (256UL << 20)
#define SKEP_FILES_MAX_FOUND  (64 * 1024) /* of all files together: 1.5 MB */

struct skep_debuginfod;

struct skep_file_key {
	uint64_t dev, inode, size;
	int64_t mtime_ns;
};

struct skep_file {
	struct skep_file_key key;
	uint32_t map_dev, map_generation; /* of a mapping that led to it; generation 0: none */
	uint32_t gen;                     /* 0: the slot was emptied */
	uint64_t last_use;
	int fd; /* owned; -1 once the table was built; of a lean one if it can be opened again */
	char *path; /* owned; in its process's root folder */
	pid_t pid;  /* who mapped it first */
	bool built;
	bool is_lean; /* its table has no functions: they are looked for in the file */
	struct skep_table table;
	struct skep_found found;       /* of a lean one */
	struct skep_line_source lines; /* once the table was built */
};

struct skep_files {
	struct skep_file slots[SKEP_FILES_MAX];
	uint32_t tags
		[SKEP_FILES_MAX]; /* of slots: of their inodes, so that few have to be looked at */
	uint32_t n_slots;         /* of them that were ever used; the rest has no content */
	uint64_t clock;           /* counts uses */
	size_t n_open;            /* slots with fd >= 0 */
	size_t memory;            /* of all tables */
	bool wants_lines;
	struct skep_debuginfod *debuginfod; /* borrowed; NULL: nothing is fetched */
	bool are_lean; /* from now on, but for those that cannot be opened again */
	size_t n_found;
	uint32_t next_gen;
	struct skep_keeper reading; /* of what is in no file, see linux/vdso.h */
};

/** The file of mapping @m of @pid, whose path there is @path, for reading; -errno: it is not to
 *  be had. */
int skep_files_open(pid_t pid, const char *path, const struct skep_mapping *m);
/** What tells a file from others, and from what it was before a change. False: nothing can. */
bool skep_files_key(int fd, struct skep_file_key *ret);

void skep_files_init(struct skep_files *files);
void skep_files_done(struct skep_files *files);
/** Make sure that the file of mapping @m of @pid is known (open, at least). False: no file. */
bool skep_files_pin(struct skep_files *files, pid_t pid, const struct skep_maps *maps,
		    struct skep_mapping *m);
/** Take the file for @m that another mapping of the same inode led to. False: none is known. */
bool skep_files_share(struct skep_files *files, struct skep_mapping *m);
/** Is it for want of a descriptor that @m led to no file? */
bool skep_files_lacks_fd(const struct skep_mapping *m);
/** The table of mapping @m of @pid; good until the next call. NULL: no file, or unreadable. */
const struct skep_table *skep_files_table(struct skep_files *files, pid_t pid,
					  const struct skep_maps *maps, struct skep_mapping *m);
/** Note what was found in @file, which is lean; its name is to stay as long as the files do. */
void skep_files_note(struct skep_files *files, struct skep_file *file,
		     const struct skep_found_entry *entry);
/** @file, lean, is looked through: a descriptor of it, where it is mapped at @m of @pid as @path.
 *  @file's own is let go of, if it can be opened again. Return it | -errno */
int skep_files_reopen(struct skep_files *files, struct skep_file *file, pid_t pid, const char *path,
		      const struct skep_mapping *m);
/** The file itself, its table built. */
struct skep_file *skep_files_get(struct skep_files *files, pid_t pid, const struct skep_maps *maps,
				 struct skep_mapping *m);

#endif
