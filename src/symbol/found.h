/*
 * What the table of a file has told, by address: names of the functions that were asked for, which
 * are few, so that the table itself, which has all of them, can go. Private to src/symbol.
 */
#ifndef SKEP_SYMBOL_FOUND_H
#define SKEP_SYMBOL_FOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

/** All of [from, from + bytes) has one name, or none. */
struct skep_found_entry {
	uint64_t from;
	uint32_t bytes;   /* at least 1 */
	uint32_t behind;  /* the function starts so far before @from */
	const char *name; /* borrowed: kept by whoever puts it; NULL: there is none */
};

struct skep_found {
	SKEP_VEC(struct skep_found_entry) entries; /* ascending, not overlapping */
};

/** What holds @addr, or NULL: nothing is known of it. Cost O(log n) */
const struct skep_found_entry *skep_found_get(const struct skep_found *found, uint64_t addr);
/** Return whether it was put: not where anything of it is known already. Cost O(n) */
bool skep_found_put(struct skep_found *found, const struct skep_found_entry *entry);
void skep_found_done(struct skep_found *found);

#endif
