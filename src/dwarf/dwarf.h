/*
 * DWARF, as far as it says where code came from: addresses of one file to functions, their source
 * lines, and what was inlined there. Versions 2 to 5, 32- and 64-bit, little-endian, compressed or
 * not, with the supplementary file that dwz makes.
 *
 *	dwarf.c     an address's answer: chain of functions, each with its line
 *	units.c     the unit that an address lies in: .debug_aranges, else what all units cover
 *	unit.c      one unit: its header, and what its first entry says of it
 *	scopes.c    a unit's functions, and what is inlined into them
 *	lines.c     a unit's lines: .debug_line
 *	ranges.c    .debug_ranges, .debug_rnglists
 *	entry.c     entries' attributes by forms.def; abbrev.c  their shapes
 *	input.c     the sections' bytes, inflated where need be
 *	worker.c    all that in a process of its own, as the bytes are hostile
 *
 * Units are read when an address in them is asked for. Nothing is read of variables and types. An
 * answer is by what is there: of a unit whose functions make no sense there are still lines.
 *
 * Not read: split units (.dwo), unless what is inlined is told without them: a line alone would
 * seem to be one of the function that its code is inlined into; .zdebug_*.
 *
 * Source: DWARF 4, DWARF 5
 */
#ifndef SKEP_DWARF_DWARF_H
#define SKEP_DWARF_DWARF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct skep_elf;
struct skep_dwarf;

/** Frames of one answer; of longer chains the innermost are kept. */
#define SKEP_DWARF_FRAMES_MOST 128

struct skep_dwarf_frame {
	uint32_t name, file; /* offsets in the answer's text; 0: not known */
	uint32_t line;       /* where in it this frame is; 0: not known */
};

/** What an address is: frames from the innermost outwards, each but the last one inlined into the
 *  next. */
struct skep_dwarf_answer {
	uint32_t n;
	bool is_partial; /* what would tell more, or that there is no more, makes no sense */
	struct skep_dwarf_frame frames[SKEP_DWARF_FRAMES_MOST];
	struct skep_buf text; /* begins with "", then strings with a NUL behind each */
};
void skep_dwarf_answer_done(struct skep_dwarf_answer *answer);

/**
 * Open the DWARF of a file.
 *
 * @elf      the file that has it; borrowed until skep_dwarf_free()
 * @alt      its supplementary file (.gnu_debugaltlink); NULL: none. Borrowed, too
 * @ret_why  set on error: what is wrong, in words; a constant
 * Return    0 | -ENODATA there is none | -EBADMSG
 */
int skep_dwarf_open(const struct skep_elf *elf, const struct skep_elf *alt, struct skep_dwarf **ret,
		    const char **ret_why);
void skep_dwarf_free(struct skep_dwarf *dwarf);

/**
 * What is at @addr of the file.
 *
 * @ret     what was in it goes; zero it before the first use
 * Return   0 | -ENOENT nothing is known | -EBADMSG what would tell makes no sense, or is in a file
 *          apart; see skep_dwarf_why(). Other units are not harmed
 * Cost     O(log + the function's pieces) once the unit has been read; that is O(its bytes)
 */
int skep_dwarf_find(struct skep_dwarf *dwarf, uint64_t addr, struct skep_dwarf_answer *ret);
/** The first thing that made no sense, in words; NULL: all did. */
const char *skep_dwarf_why(const struct skep_dwarf *dwarf);

#endif
