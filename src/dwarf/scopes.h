/* The functions of a unit, and what is inlined into them. Private to src/dwarf. */
#ifndef SKEP_DWARF_SCOPES_H
#define SKEP_DWARF_SCOPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct skep_dwarf_unit;

#define DWARF_NO_SCOPE UINT32_MAX

/** A function, or one that is inlined. */
struct skep_dwarf_scope {
	uint32_t outer; /* what it is inlined into; DWARF_NO_SCOPE: it is not */
	uint32_t entry; /* from the unit's beginning */
	uint32_t call_file, call_line;
	uint32_t first, end; /* stretches of it and of what is in it */
};

struct skep_dwarf_stretch {
	uint64_t low, high;
	uint32_t scope;
};

struct skep_dwarf_scopes {
	SKEP_VEC(struct skep_dwarf_scope) list;
	SKEP_VEC(struct skep_dwarf_stretch) stretches; /* outer ones before inner ones */
	SKEP_VEC(struct skep_dwarf_stretch) functions; /* of those not inlined; sorted by low */
};

/** Walk all entries of @unit. Return 0 | -EBADMSG: what came before the bad one is there */
int skep_dwarf_scopes_read(const struct skep_dwarf_unit *unit, struct skep_dwarf_scopes *ret);
void skep_dwarf_scopes_done(struct skep_dwarf_scopes *scopes);
size_t skep_dwarf_scopes_memory(const struct skep_dwarf_scopes *scopes);
/** The innermost scope at @addr; DWARF_NO_SCOPE: none. */
uint32_t skep_dwarf_scopes_find(const struct skep_dwarf_scopes *scopes, uint64_t addr);

#endif
