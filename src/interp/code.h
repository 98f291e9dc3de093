/*
 * What is known of a function of an interpreter's program: its name, its file, and in which line
 * an instruction of it is. Read from a process's memory; every length and offset is hostile.
 */
#ifndef SKEP_INTERP_CODE_H
#define SKEP_INTERP_CODE_H

#include <stdbool.h>

#include "base/buf.h"
#include "interp/layout.h"
#include "interp/memory.h"

#define SKEP_INTERP_NAME_MOST  1024        /* characters of a function's name */
#define SKEP_INTERP_FILE_MOST  4096        /* and of its file's */
#define SKEP_INTERP_TABLE_MOST (64u << 10) /* bytes of its table of lines */

struct skep_interp_code {
	struct skep_buf function, file; /* UTF-8 */
	struct skep_buf lines;          /* the table, as the interpreter's own file wants it */
	uint32_t first_line;
	uint32_t version; /* enum skep_interp_version */
	uint32_t base;    /* of PHP and Ruby: where instructions begin, in 31 bits */
};

/**
 * Read the object at @addr.
 *
 * @check  what it had when it was seen
 * @ret    skep_interp_code_done(); untouched on error
 * Return  0 | -ESTALE it is another one by now | -EINVAL it is none | -errno
 */
int skep_interp_code_read(const struct skep_interp_memory *memory, uint32_t version, uint64_t addr,
			  uint32_t check, struct skep_interp_code *ret);
void skep_interp_code_done(struct skep_interp_code *code);
/** The line of the instruction @at, as in struct skep_interp_frame; 0: it has none. */
uint32_t skep_interp_code_line(const struct skep_interp_code *code, uint32_t at);

/* --- For the files of the interpreters -------------------------------------------------------- */

/** @n bytes at @addr, behind what is in @ret. Return 0 | -errno; @ret has as many as before then */
int skep_interp_read_to(const struct skep_interp_memory *memory, uint64_t addr, size_t n,
			struct skep_buf *ret);
/** @n characters of @width bytes (1, 2, 4), as UTF-8 that may be shown on a terminal. */
void skep_interp_add_characters(const char *data, size_t n, uint32_t width, struct skep_buf *ret);
/** The word at byte @off of @bytes. */
uint64_t skep_interp_word(const uint8_t *bytes, uint32_t off);
/** Is it the object that had @check; words at byte @off of @object. */
bool skep_interp_is_same(const uint8_t *object, uint32_t off, uint32_t check);

#endif
