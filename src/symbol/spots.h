/*
 * What skep_spots remember, in places whose number is fixed: names of pieces of files, mappings of
 * processes that may be gone when they are asked for, and when which file may be read again.
 * Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_SPOTS_H
#define SKEP_SYMBOL_SPOTS_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/symbol.h>

#include "linux/maps.h"

#define SPOTS_SETS       512 /* of names, by file and block of BLOCK_BITS */
#define SPOTS_WAYS       8
#define SPOTS_BLOCK_BITS 14
#define SPOTS_PROCESSES  64
#define SPOTS_MAPPINGS   8
#define SPOTS_FILES      128
#define SPOTS_MODULE     48

/** All of [from, to) of a file has one name, or none. */
struct spots_name {
	uint64_t file; /* 0: an empty place */
	uint64_t from, to, used;
	char name[SKEP_SPOT_BYTES]; /* "": there is none */
};

struct spots_mapping {
	uint64_t start, end, off, inode;
	uint32_t dev;
	uint64_t file;
	char module[SPOTS_MODULE];
};

struct spots_process {
	pid_t pid; /* 0: an empty place */
	uint64_t used;
	uint32_t n, next; /* mappings, and the one to be overwritten */
	struct spots_mapping mappings[SPOTS_MAPPINGS];
};

/** A file that was read. */
struct spots_file {
	uint64_t file; /* 0: an empty place */
	uint64_t next_ns, bytes, used;
};

struct spots_memory {
	struct spots_name names[SPOTS_SETS][SPOTS_WAYS];
	struct spots_process processes[SPOTS_PROCESSES];
	struct spots_file files[SPOTS_FILES];
	uint64_t clock; /* counts uses */
	uint64_t n_evicted;
};

/** The name that offset @off of @file has, or that it has none; NULL: that is not known. */
const char *spots_find_name(struct spots_memory *memory, uint64_t file, uint64_t off);
/** @name  NULL: it has none. Longer ones are cut; control characters become '?'. */
void spots_put_name(struct spots_memory *memory, uint64_t file, uint64_t off, uint64_t from,
		    uint64_t to, const char *name);

/** What is remembered of @pid, or NULL. */
struct spots_process *spots_find_process(struct spots_memory *memory, pid_t pid);
/** Where to remember something of @pid. */
struct spots_process *spots_get_process(struct spots_memory *memory, pid_t pid);
/** The same mapping as @m, or NULL. */
const struct spots_mapping *spots_same_mapping(const struct spots_process *process,
					       const struct skep_mapping *m);
/** The one that held @addr when it was seen last, or NULL. */
const struct spots_mapping *spots_mapping_at(const struct spots_process *process, uint64_t addr);
/** @module  cut if need be */
void spots_put_mapping(struct spots_process *process, const struct skep_mapping *m, uint64_t file,
		       const char *module);

/** When it was read last, and how large it was; NULL: never, or too long ago. */
const struct spots_file *spots_find_file(struct spots_memory *memory, uint64_t file);
void spots_put_file(struct spots_memory *memory, uint64_t file, uint64_t bytes, uint64_t next_ns);

/** @len bytes of text as they are shown: cut to @size with a NUL, at a character; control
 *  characters as '?'. */
void spots_copy(char *ret, size_t size, const char *text, size_t len);

#endif
