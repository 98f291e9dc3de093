/*
 * One pass over a file's symbols that names some places in it and keeps nothing, for whoever asks
 * for too few of them to be worth a table (table.h). Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_PASS_H
#define SKEP_SYMBOL_PASS_H

#include <stddef.h>
#include <stdint.h>

#include <skep/elf.h>

/** A symbol that was met. Its name is asked for when it matters. */
struct skep_pass_symbol {
	uint64_t start, end;               /* end == start: its size is not known */
	const struct skep_elf_entries *of; /* NULL: none was met */
	struct skep_elf_entry entry;
	const char *name; /* NULL: not asked for; with it: */
	uint32_t rank;
};

struct skep_pass_place {
	uint64_t off; /* asked: in the file */
	size_t tag;   /* the caller's; places are sorted */

	/* Answered. The same is true of all of [from, to), offsets in the file, as off is. */
	const char *name; /* borrowed from @elf or @debug; NULL: there is none */
	uint64_t from, to;

	/* The pass's own. */
	uint64_t addr, seg_off, seg_addr, seg_bytes; /* seg_bytes 0: no address */
	struct skep_pass_symbol held;                /* the closest that holds it */
	struct skep_pass_symbol last;                /* the last that starts at or before it */
	uint64_t covered; /* the furthest end of those with a size that start at or before it */
	uint64_t next;    /* the start of the next */
};

/**
 * Name @places by the rules of skep_table_build() and skep_table_find().
 *
 * @debug  the file's separate debug file, or NULL
 * Cost    O(symbols × log places); a file made to cost more is given up, its places have no names
 */
void skep_pass(const struct skep_elf *elf, const struct skep_elf *debug,
	       struct skep_pass_place *places, size_t n);

#endif
