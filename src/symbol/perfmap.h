/*
 * Names of code made at run time: the text a JIT compiler writes to
 * /tmp/perf-PID.map, "START SIZE NAME" a line, hexadecimal. Private to
 * src/symbol, its tests and fuzzers.
 */
#ifndef SKEP_SYMBOL_PERFMAP_H
#define SKEP_SYMBOL_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/vec.h"

#define SKEP_PERFMAP_MAX_BYTES   (128UL << 20) /* of text */
#define SKEP_PERFMAP_MAX_ENTRIES (2U << 20)
#define SKEP_PERFMAP_NAME_MAX    1024

struct skep_perfmap_entry {
	uint64_t start, size;
	uint32_t name;  /* offset in names */
	uint32_t order; /* place in the file: code that is made later replaces older code */
};

struct skep_perfmap {
	SKEP_VEC(struct skep_perfmap_entry) entries; /* ascending once sorted */
	struct skep_buf names;
	bool sorted;
	uint64_t read_bytes; /* of the file; whole lines only */
	uint64_t dev, inode; /* of the file; inode 0: none read yet */
};

/** A line: code at [start, start + size), size at least 1. */
struct skep_perfmap_line {
	uint64_t start, size;
	const char *name; /* borrowed from the text, not terminated */
	size_t name_len;  /* at least 1 */
};

/** Parse [at, end), a line without its newline. False: it is none. */
bool skep_perfmap_line(const char *at, const char *end, struct skep_perfmap_line *ret);
/** Is @fd a regular file of @owner or root? Anybody may create files in /tmp. */
bool skep_perfmap_is_of(int fd, uid_t owner, struct stat *ret);

void skep_perfmap_done(struct skep_perfmap *map);
/** Add the whole lines of @text; returns how many bytes they are. Bad lines are left out. */
size_t skep_perfmap_parse(struct skep_perfmap *map, const char *text, size_t len);
/** Name and start of the newest code that holds @addr, or NULL. */
const char *skep_perfmap_find(struct skep_perfmap *map, uint64_t addr, uint64_t *ret_start);
/**
 * Read what was added to @fd since the last time; a new or shortened file is
 * read anew. The file must belong to @owner or root. @fd stays the caller's.
 * Return true if something was added.
 */
bool skep_perfmap_update(struct skep_perfmap *map, int fd, uid_t owner);

#endif
