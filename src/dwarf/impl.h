/* What the files of src/dwarf share. */
#ifndef SKEP_DWARF_IMPL_H
#define SKEP_DWARF_IMPL_H

#include "base/vec.h"
#include "dwarf/dwarf.h"
#include "dwarf/input.h"
#include "dwarf/unit.h"

/* Of one unit; and of all that are scanned. Also of the stretches that come of them. */
#define DWARF_RANGES_MOST (4u << 20)

#define SKEP_DWARF_NO_ALT "the file that it shares with others is not there"

/** What a unit covers. */
struct skep_dwarf_cover {
	uint64_t low, high;
	uint64_t unit; /* its offset */
};

struct skep_dwarf_covers {
	SKEP_VEC(struct skep_dwarf_cover) list; /* sorted by low */
};

struct skep_dwarf {
	struct skep_dwarf_input input;
	struct skep_dwarf *alt; /* owned: the supplementary file; NULL: none */
	uint64_t code_start;    /* no code of the file is below; 0: not known */

	SKEP_VEC(struct skep_dwarf_unit *) units; /* owned; those that were read, by offset */
	SKEP_VEC(uint64_t) offsets;               /* of all units, once `has_offsets` */
	/* By the table of addresses, which comes first; and by the units themselves. What is asked
	 * is answered by the same one, whatever was read meanwhile. */
	struct skep_dwarf_covers tabled, scanned;
	SKEP_VEC(uint64_t) listed; /* units of which .debug_aranges tells; sorted */
	bool has_offsets, has_aranges, has_scanned;
	bool is_harmed;       /* what says which unit an address lies in made no sense in part */
	uint32_t ranges_left; /* that the unit may have that is read, or all that are scanned */
	size_t memory;        /* of units that were read */
};

/* units.c */
/** The unit at offset @off exactly. Return 0 | -EBADMSG */
int skep_dwarf_unit_at(struct skep_dwarf *dwarf, uint64_t off, struct skep_dwarf_unit **ret);
/** The unit that has the entry at @off. Return 0 | -EBADMSG */
int skep_dwarf_unit_with(struct skep_dwarf *dwarf, uint64_t off, struct skep_dwarf_unit **ret);
/** The unit whose code is at @addr. Return 0 | -ENOENT | -EBADMSG, also if what says which it is
 *  makes no sense in part, or if that unit's functions are elsewhere */
int skep_dwarf_unit_of(struct skep_dwarf *dwarf, uint64_t addr, struct skep_dwarf_unit **ret);
/** Forget units that were read, if they take much. To be said while none is in use. */
void skep_dwarf_units_shrink(struct skep_dwarf *dwarf);
void skep_dwarf_units_done(struct skep_dwarf *dwarf);

#endif
