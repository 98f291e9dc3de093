/*
 * A process's mappings: the text of /proc/PID/maps as a sorted array.
 */
#ifndef SKEP_LINUX_MAPS_H
#define SKEP_LINUX_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SKEP_MAPS_MAX_BYTES (64UL << 20) /* of text: over a million mappings */
#define SKEP_MAPS_MAX_ADDED 4096         /* mappings of one set that were added singly */

struct skep_mapping {
	uint64_t start, end; /* [start, end) */
	uint64_t off;        /* in the file */
	uint64_t inode;      /* 0: no file */
	uint32_t dev;        /* major << 20 | minor, as the kernel prints them */
	uint32_t path;       /* offset in paths; "" when it has none */
	bool exec, deleted;
	uint32_t generation;          /* of the inode; 0: not known */
	uint32_t file_slot, file_gen; /* cache of where its symbols are; see symbol/files.h */
};

struct skep_maps {
	struct skep_mapping *data; /* owned; ascending, not overlapping */
	size_t n;
	char *paths; /* owned; NUL-terminated strings, the first one empty */
	size_t paths_len;
	uint64_t hash; /* of the text; 0: not read from one */
};

/** Parse; lines that are not of the kernel's form, or out of order, are left out. */
void skep_maps_parse(const char *text, size_t len, struct skep_maps *ret);
void skep_maps_done(struct skep_maps *maps);
/** Return 0 | -ESRCH no such process | -errno */
int skep_maps_read(pid_t pid, struct skep_maps *ret);
/**
 * Add one mapping, whose path is @path, in place of what was at its addresses.
 * Return the mapping, valid until the next is added | NULL there is no room, or it is empty.
 * Cost O(n)
 */
struct skep_mapping *skep_maps_add(struct skep_maps *maps, const struct skep_mapping *mapping,
				   const char *path);
/** A copy of the mappings of code. */
void skep_maps_copy_code(const struct skep_maps *from, struct skep_maps *ret);
/** Bytes held. */
size_t skep_maps_memory(const struct skep_maps *maps);
/** The mapping that holds @addr, or NULL. Cost O(log n). */
struct skep_mapping *skep_maps_find(const struct skep_maps *maps, uint64_t addr);

#define SKEP_MAPS_PATH_BYTES 4096

/** Asks for a process's mappings one by one, without keeping what was not asked for. */
struct skep_maps_asker {
	int fd;
	bool reads_all;       /* the kernel does not answer for single ones */
	struct skep_maps all; /* then; owned */
};
/** Return 0 | -ESRCH no such process | -errno; @asker is untouched on error */
int skep_maps_asker_init(struct skep_maps_asker *asker, pid_t pid);
void skep_maps_asker_done(struct skep_maps_asker *asker);
/**
 * The mapping that holds @addr.
 *
 * @ret    its path is not set
 * @path   SKEP_MAPS_PATH_BYTES of room; without " (deleted)", which ret->deleted tells
 * Return  0 | -ENOENT there is none | -ESRCH the process has ended | -errno
 * Cost    some us; before Linux 6.11 that of skep_maps_read() at the first question
 */
int skep_maps_ask(struct skep_maps_asker *asker, uint64_t addr, struct skep_mapping *ret,
		  char *path);

#endif
