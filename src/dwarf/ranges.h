/* What an entry covers. Private to src/dwarf. */
#ifndef SKEP_DWARF_RANGES_H
#define SKEP_DWARF_RANGES_H

#include "dwarf/unit.h"

/** What an entry's attributes say of that; zero at first. */
struct skep_dwarf_extent {
	struct skep_dwarf_value low, high, ranges; /* form 0: not there */
};

/** Note @value if it is one of them. */
void skep_dwarf_extent_add(struct skep_dwarf_extent *extent, const struct skep_dwarf_value *value);
/** Call @fn for every stretch [low, high) that is not empty and not of code that was left out. */
void skep_dwarf_extent_each(const struct skep_dwarf_unit *unit,
			    const struct skep_dwarf_extent *extent,
			    void (*fn)(void *ctx, uint64_t low, uint64_t high), void *ctx);

#endif
