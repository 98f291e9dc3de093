/* The source lines of a unit. Private to src/dwarf. */
#ifndef SKEP_DWARF_LINES_H
#define SKEP_DWARF_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct skep_buf;
struct skep_dwarf_unit;

/** From here on up to the next row's address. */
struct skep_dwarf_row {
	uint64_t addr;
	uint32_t file, line;
};

/** Rows of code that lies together. */
struct skep_dwarf_sequence {
	uint64_t low, high;
	uint32_t first, n;
};

struct skep_dwarf_file {
	const char *name; /* borrowed from the section */
	uint64_t dir;     /* its number */
};

struct skep_dwarf_lines {
	uint16_t version;
	SKEP_VEC(const char *) dirs; /* borrowed; number 0 is the unit's own */
	SKEP_VEC(struct skep_dwarf_file) files;
	SKEP_VEC(struct skep_dwarf_row) rows;
	SKEP_VEC(struct skep_dwarf_sequence) sequences; /* sorted by low */
};

/** Run @unit's line program. Return 0 | -EBADMSG: what came before the bad part is there */
int skep_dwarf_lines_read(const struct skep_dwarf_unit *unit, struct skep_dwarf_lines *ret);
void skep_dwarf_lines_done(struct skep_dwarf_lines *lines);
size_t skep_dwarf_lines_memory(const struct skep_dwarf_lines *lines);
/** NULL: there is none. */
const struct skep_dwarf_row *skep_dwarf_lines_find(const struct skep_dwarf_lines *lines,
						   uint64_t addr);
/** Append the path of file number @number, as the compiler was given it, from the folder it worked
 *  in. Nothing if there is no such file. */
void skep_dwarf_lines_path(const struct skep_dwarf_unit *unit, uint32_t number,
			   struct skep_buf *out);

#endif
