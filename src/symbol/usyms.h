/* The processes that are remembered, for usyms.c and follow.c. Private to src/symbol. */
#ifndef SKEP_SYMBOL_USYMS_H
#define SKEP_SYMBOL_USYMS_H

#include <skep/symbol.h>

#include "symbol/files.h"
#include "symbol/names.h"
#include "symbol/pass.h"
#include "symbol/process.h"

#define SKEP_USYMS_MAX_PROCESSES 32768        /* a shell's loop starts a thousand each second */
#define SKEP_USYMS_MAX_FOLLOWED  (64UL << 20) /* bytes of mappings that were followed */
#define SKEP_USYMS_BUCKETS       1024
#define SKEP_USYMS_SEEN          1024 /* a power of two */

struct skep_process_node {
	struct skep_process process;
	size_t followed_bytes;                   /* of its mappings, as counted in skep_usyms */
	struct skep_process_node *next;          /* in its bucket */
	struct skep_process_node *older, *newer; /* by their last use */
};

/** An address whose function is to be looked for, in a lean file. */
struct skep_expected {
	uint32_t slot, gen; /* of the file */
	pid_t pid;
	uint64_t addr, off; /* in the process, in the file */
};

struct skep_usyms {
	bool demangle;
	bool followed; /* the kernel tells of new mappings, so processes are not looked at again */
	struct skep_names names;
	struct skep_files files;
	struct skep_lines *lines; /* owned; NULL: they are not wanted */
	struct skep_process_node *buckets[SKEP_USYMS_BUCKETS]; /* owned chains, by pid */
	struct skep_process_node *oldest, *newest;
	size_t n_processes, followed_bytes;
	int process_err;                /* of reading the last process that was not known; 0 */
	uint64_t seen[SKEP_USYMS_SEEN]; /* files that were opened once, see follow.c */
	uint64_t n_dropped;             /* processes and mappings that there was no room for */
	uint64_t clock;                 /* counts uses */
	/* Of lean files, see expect.c. */
	SKEP_VEC(struct skep_expected) expected;
	SKEP_VEC(struct skep_pass_place) places;
	uint64_t settled[2]; /* it, when ended ones were forgotten, and the time before */
};

struct skep_process_node *skep_usyms_find_process(struct skep_usyms *syms, pid_t pid);
/** Remember @process, which is taken over, in place of the least recently used if need be. */
struct skep_process_node *skep_usyms_put_process(struct skep_usyms *syms,
						 const struct skep_process *process);
/** It is used now. */
void skep_usyms_touch(struct skep_usyms *syms, struct skep_process_node *node);
/** Forget the least recently used; there must be one. */
void skep_usyms_drop_oldest(struct skep_usyms *syms);

/** The newest mappings of @process that have @addr, and in them the one. NULL: none has. */
struct skep_mapping *skep_usyms_mapping(const struct skep_process *process, uint64_t addr,
					const struct skep_maps **ret_maps);

/* --- expect.c: files without tables --------------------------------------------------------- */

/** A place in a lean file, which is mapped at @m of @pid; all borrowed. */
struct skep_file_place {
	struct skep_file *file;
	uint64_t off, addr; /* in the file: offset, and address as it has it */
	pid_t pid;
	const char *path;
	const struct skep_mapping *m;
};
/** What is there. Return 0 | -ENOENT the file is gone, and that was not looked for before */
int skep_usyms_find_lean(struct skep_usyms *syms, const struct skep_file_place *place,
			 struct skep_found_entry *ret);

/* --- follow.c: what the kernel reports, in order of time ------------------------------------ */

/** The process's code is now also at mapping->start…; its flags and slots are not looked at. */
void skep_usyms_on_map(struct skep_usyms *syms, pid_t pid, const struct skep_mapping *mapping,
		       const char *path);
void skep_usyms_on_fork(struct skep_usyms *syms, pid_t pid, pid_t parent);
/** All it had mapped is gone. */
void skep_usyms_on_exec(struct skep_usyms *syms, pid_t pid);
/** A process that was there before: read its mappings, without holding on to its files. */
void skep_usyms_on_sight(struct skep_usyms *syms, pid_t pid);

#endif
